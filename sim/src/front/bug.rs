//! Known bugs of caches in front, switched on by name, to prove that tests and checkers catch them.

use crate::kernel::named::named;

named! {
    /// A bug of a cache in front.
    pub enum FrontBug {
        /// A lock is not released when its fetch is lost.
        LockKeptAfterLoss = "front-lock-kept-after-loss";
        /// Those who wait are served an answer that may not be kept.
        UncacheableShared = "front-uncacheable-shared";
        /// A 304 gives what is kept its old lifetime again, whatever the 304 says.
        RevalidationTakesOldLifetime = "front-revalidation-takes-old-lifetime";
        /// An answer for one client is kept.
        PrivateStored = "front-private-stored";
        /// A key that was uncacheable once is never cached again.
        PredictorNeverForgets = "front-predictor-never-forgets";
        /// All clients reach the same node for a key.
        AffinityByKey = "front-affinity-by-key";
        /// Age is counted from the fetch's end where it should be from its start, and the other way about.
        AgeFromWrongEnd = "front-age-from-wrong-end";
        /// A visitor who leaves takes the answer from all who wait for its fetch.
        LeaverCancelsAll = "front-leaver-cancels-all";
    }
}

impl FrontBug {
    /// Those that no client can see, and that tests of this wing catch: nothing that Tailrace answers is private; and
    /// where a crowd reaches fewer nodes than it should, or a copy lives longer or shorter by the time that its fetch
    /// took, clients are served as they should be.
    pub const UNSEEN: &[Self] = &[Self::PrivateStored, Self::AffinityByKey, Self::AgeFromWrongEnd];
}
