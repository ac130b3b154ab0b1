//! What came of each request that has reached a cache in front, for those who judge.

use std::sync::Arc;

/// A request that a cache in front has served, or has brought to its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontVisit {
    /// When, in ms since the Unix epoch.
    pub ms: u64,
    /// The datacenter.
    pub colo: usize,
    /// The node of a zone within it; 0 in Workers Cache.
    pub node: u64,
    /// The number of the request: a client's, or the cache's own, by which it freshens what it serves stale.
    pub request: u64,
    /// The URL, as it was spelled.
    pub key: Arc<str>,
    /// What came of it.
    pub what: FrontVisited,
}

/// What came of a request. `by` is the number of the request whose fetch has brought the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrontVisited {
    /// It was served what was kept, by the tier of its datacenter or by the upper one.
    Hit {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether the upper tier had it.
        upper: bool,
    },
    /// It has waited for the fetch that `by` has made.
    Joined {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether it has waited at the upper tier.
        upper: bool,
    },
    /// It was served what was stale.
    Stale {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether the upper tier had it.
        upper: bool,
    },
    /// It was served what was kept, after a 304 has told that it is still right.
    Revalidated {
        /// Whose fetch has brought the bytes.
        by: u64,
    },
    /// It was fetched for it, and may be kept.
    Fetched,
    /// It was fetched for it alone.
    Passed,
    /// It has waited too long for another's fetch, and asks by itself or takes the lock over.
    WaitOver,
    /// It has no answer: the fetch was lost.
    Failed,
    /// It has left before it had an answer.
    Left,
}
