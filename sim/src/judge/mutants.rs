//! The register of known bugs: each has a name, and checkers that must catch it within a stated number of seeds from
//! wherever one starts.

use tailrace_core::mutant::Mutant;

use crate::crowd::CrowdBug;
use crate::front::FrontBug;
use crate::judge::checker::Invariant;
use crate::judge::known_bug::{BetweenBug, KnownBug};
use crate::judge::scenario::Scenario;
use crate::judge::swarm::{Swarm, judge};
use crate::world::HostMutant;

/// Seeds within which every known bug is found, from each of [`STARTS`].
pub const WITHIN_SEEDS: u64 = 200;

/// Seeds at which the hunts start.
pub const STARTS: [u64; 5] = [0, 10_000, 200_000, 3_000_000, 40_000_000];

/// A known bug and who catches it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The bug.
    pub bug: KnownBug,
    /// The invariants of which a failing seed violates at least one.
    pub caught_by: &'static [Invariant],
}

macro_rules! register {
    ($($owner:ident::$bug:ident: $($invariant:ident),+;)* $(=> $name:literal: $($breaks:ident),+;)*) => {
        /// All known bugs.
        pub const REGISTER: &[Entry] = &[
            $(Entry { bug: register!(@$owner $bug), caught_by: &[$(Invariant::$invariant),+] },)*
            $(Entry { bug: KnownBug::Policy($name), caught_by: &[$(Invariant::$breaks),+] },)*
        ];
    };
    (@Core $bug:ident) => { KnownBug::Core(Mutant::$bug) };
    (@Host $bug:ident) => { KnownBug::Host(HostMutant::$bug) };
    (@Front $bug:ident) => { KnownBug::Front(FrontBug::$bug) };
    (@Between $bug:ident) => { KnownBug::Between(BetweenBug::$bug) };
    (@Crowd $bug:ident) => { KnownBug::Crowd(CrowdBug::$bug) };
}

register! {
    Core::DedupeOff: Once;
    Core::ExpiresUnderReaders: Expiry;
    Core::DedupeWithoutEpoch: Once, Durable;
    Core::TailNotMoved: Stable, Exact;
    Core::OffsetReusedAfterCrash: Stable, Durable;
    Core::ExpiryBeforeLastTouch: Expiry;
    Core::LostWakeUp: Live, Exact;
    Core::CatchUpNotJoined: Exact, Live;
    Core::WaitersForgottenAtHibernation: Live;
    Core::CloseNotPushed: Live;
    Core::CursorRepeats: Cursors;
    Core::CursorNeverConverges: Cursors;
    Core::KeyWithoutAttempt: Cold;
    Core::RowsDroppedBeforeRecord: Exact, Stable, Cold;
    Core::BoundaryAtEndOfPut: Durable, Exact, Stable, Cold;
    Core::RecreatedStreamReusesObjects: Exact, Cold;
    Core::OffsetReencodedAtRotation: Stable;
    Core::SweepRemovesLiveObject: Cold;
    Core::DeletionForgottenAtCrash: Cold;
    Core::HalfACodePointSent: Exact;
    Core::LineEndSentTwice: Exact;
    Core::CalledAgainWhenServedAnew: Exact, Once;
    Core::MemoryKeptAfterFailedStatement: Answers, Cold, Durable, Expiry, Stable;
    Core::AppendInParts: Answers, Exact, Once;
    Core::ChecksumIgnored: Exact;
    Core::PushBudgetIgnored: Memory;
    Core::BodiesUncounted: Memory;
    Core::BacklogsUncounted: Memory;
    Core::ClientBufferUnbounded: Memory;
    Core::R2CallsUnlimited: Cold, Expiry, Answers;
    Core::ProducersUnlimited: Once;
    Core::ActiveProducerForgotten: Once, Answers;
    Core::NoRoomKept: Answers, Cold;
    Core::TablesKeptAfterRemoval: Expiry;
    Core::HeadFromMemory: Linear, Durable, Closed;
    Core::RefusalFromMemory: Stable, Live;
    Core::StaleColdPageTaken: Caching, Exact, Stable;
    Core::ExpiredStreamKept: Linear;
    Core::AbsenceFromMemory: Durable, Linear, Expiry;
    Core::NowFromMemory: Linear, Durable;
    Core::EarlierOffsetIsInvalid: Answers;
    Core::CommitTimeByTheClock: Commits, Cursors;
    Core::CommitTimeForgottenAtRotation: Commits, Cursors, Expiry;
    Core::StreamSeqForgottenAtRotation: Once;
    Core::CloseForgottenAtRotation: Closed, Linear;
    Core::DuplicateAnswersTail: Once;
    Core::OlderDuplicateAnswersLast: Linear;
    Core::GapAccepted: Once;
    Core::GapExpectsLast: Answers;
    Core::StaleEpochTellsNext: Answers;
    Core::StaleEpochAccepted: Once;
    Core::EpochStartsAnywhere: Once;
    Core::DuplicateDoesNotTouch: Expiry;
    Core::RefusalTouches: Expiry;
    Core::CloseAgainDoesNotTouch: Expiry;
    Core::StreamSeqMayRepeat: Once;
    Core::ContentTypeBeforeClosure: Answers;
    Core::ClosingTupleForgotten: Answers;
    Core::ClosingProducerAlwaysRepeats: Once;
    Core::ClosingProducerForgottenAtStart: Answers;
    Core::CreationDoesNotTouch: Expiry;
    Core::HeadTouches: Expiry;
    Core::EachTouchWritesARow: Bill;
    Core::PageOutlivesItsStream: Caching;
    Core::TailIsStored: Caching;
    Core::TagWithoutTail: Caching, Durable;
    Core::TagWithoutClosure: Caching, Closed;
    Core::TailHiddenWhereItIsSealed: Exact;
    Core::LastSegmentIsTheTail: Durable, Linear;
    Core::PollOutlivesItsStream: Caching;
    Core::NowIsStored: Caching;
    Core::HeadHidesTheClose: Closed;
    Core::PollFromNowIsStored: Caching;
    Core::OnlyOneTagIsRead: Caching;
    Core::SilenceIsStored: Caching;
    Core::TagOfNow: Caching;
    Core::CursorOfEventsFalls: Cursors;
    Core::SweepWithoutProof: Cold;
    Core::SweepEndsAtOnce: Cold;
    Core::SweepGoesOn: Bill;
    Core::RemovalLooksOnce: Cold;
    Core::EarlyAlarmComesAtOnce: Answers, Bill;
    Core::ReadersNotDismissed: Live;
    Core::RowForEachMessage: Bill;
    Core::AlarmSetAtEachWrite: Bill;
    Core::PollsInsteadOfWaiting: Bill;
    Core::FlightsNotShared: Bill;
    Core::FlightsSharedOverTags: Answers, Caching;
    Core::PollTagIgnored: Caching;
    Core::UnchangedPollWithoutCursor: Answers;
    Core::StartReadsTheLog: Bill;
    Core::KeyWithParameterOrder: Collapse;
    Core::KeyWithoutCursor: Leak;
    Core::KeptBeforeTheGuard: Collapse;
    Core::AgeIgnored: Fresh;
    Core::NoCacheIgnored: Fresh;
    Core::NoCacheNotStored: Collapse;
    Core::DebugAnswerKept: Caching, Fresh, Leak;
    Core::TailTakenFromAFlight: Fresh;
    Core::KeptPageDoesNotTouchAhead: Collapse;
    Core::KeptLongerThanTouched: Fresh, Expiry;
    Core::AlgNoneAccepted: Access, Leak;
    Core::KidTriesAllKeys: Access, Leak;
    Core::OnlyFirstKeyVerifies: Access;
    Core::TokenExpiryIgnored: Access, Leak;
    Core::StreamClaimIgnoredOnReads: Leak;
    Core::StreamClaimIgnoredOnWrites: Access;
    Core::CacheBeforeAuth: Leak;
    Core::TokenInCacheKey: Secret;
    Core::SseOutlivesItsToken: Leak;
    Core::RefusedReadTouches: Access, Expiry;
    Core::PublicMarkLost: Leak;
    Core::AnswerStoredAtBareUrl: Caching, Leak;
    Core::ReaderKeyCheckedOnMissesOnly: Caching, Leak;
    Core::TokenlessJoiner: Leak, Access;
    Core::AdmittedForGood: Leak;
    Core::LongPollsAskLimits: Answers;
    Core::LimitFailsClosed: Answers, Access;
    Core::DebugForEveryToken: Leak, Fresh;
    Core::ReaderKeyKept: Answers;
    Core::FirstOriginByDefault: Access, Leak;
    Host::AnswerBeforeGate: Durable, Stable;
    Host::AlarmLostAtEviction: Expiry;
    Host::WaiterKeepsAwake: Awake;
    Host::SocketsForgottenAtHibernation: Live;
    Host::MessageBeforeGate: Stable, Linear, Exact;
    Front::LockKeptAfterLoss: Collapse, Live;
    Front::UncacheableShared: Fresh, Leak;
    Front::RevalidationTakesOldLifetime: Fresh, Expiry;
    Front::PredictorNeverForgets: Collapse;
    Front::LeaverCancelsAll: Answers, Collapse;
    Between::UncacheableShared: Fresh, Leak;
    Between::RevalidationTakesOldLifetime: Fresh, Expiry;
    Between::LeaverCancelsAll: Answers;
    Crowd::ReconnectionLost: Live;
    Crowd::KeyWithoutStream: Leak;
    Crowd::EarlierEventsNotTold: Exact;
    Crowd::OutdatedEventsHeard: Exact;
    Crowd::PlaceKeptAfterEnd: Answers;
    Crowd::EndOvertakesHead: Answers, Live;
    Crowd::EndComesWithHead: Answers;
    Crowd::NotModifiedRefused: Answers;
    Crowd::BrowserForgetsAge: Fresh;
    Crowd::BrowserKeyWithoutOffset: Exact;
    Crowd::ChangedPageNotTaken: Live;
    Crowd::RefreshHeardByReader: Exact;
    Crowd::WalkNotRepeated: Live;
    Crowd::NeverGivesUp: Live;
    => "everything": Fresh;
    => "sentinel": Live, Expiry;
    => "sentinel-and-stagger": Live, Expiry;
    => "bridge": Live, Expiry;
    => "silence-without-cursors": Calm;
    => "random-cursors": Cursors;
}

/// A hunt's catch.
#[derive(Clone, Debug)]
pub struct Catch {
    /// The seed.
    pub seed: u64,
    /// The seeds it took, this one included.
    pub seeds: u64,
    /// Which of the expected invariants it violates.
    pub invariants: Vec<Invariant>,
}

impl Entry {
    /// The name on command lines.
    pub fn name(&self) -> &'static str {
        self.bug.name()
    }

    /// The bug of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        REGISTER.iter().find(|entry| entry.name() == name)
    }

    /// Runs seeds until the bug is caught by one of its checkers, [`WITHIN_SEEDS`] at most.
    pub fn hunt(&self, from: u64) -> Option<Catch> {
        let mut done = 0;
        while done < WITHIN_SEEDS {
            let swarm = Swarm { from: from + done, seeds: WITHIN_SEEDS - done, bug: Some(self.bug), stops: true };
            let tally = swarm.run();
            let (seed, _) = tally.failures.first_key_value()?;
            done = seed - from + 1;
            let verdict = judge(&Scenario::draw(*seed), Some(self.bug), false);
            let caught = self.caught_by.iter().copied().filter(|invariant| verdict.violates(*invariant));
            let invariants: Vec<Invariant> = caught.collect();
            if !invariants.is_empty() {
                return Some(Catch { seed: *seed, seeds: done, invariants });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scenario::policy;
    use crate::registry;
    use tailrace_core::protocol::CachePolicy;

    #[test]
    fn every_known_bug_is_registered_once_under_its_name() {
        // Those of the registry are caught by seeds of its own.
        for mutant in Mutant::ALL.iter().filter(|mutant| !registry::BUGS.contains(mutant)) {
            let entry = Entry::named(mutant.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Core(*mutant)));
        }
        for mutant in HostMutant::ALL {
            let entry = Entry::named(mutant.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Host(*mutant)));
        }
        // Those that no client can see fail tests of the wing's own.
        let unseen = FrontBug::UNSEEN;
        for bug in FrontBug::ALL.iter().filter(|bug| !unseen.contains(bug)) {
            let entry = Entry::named(bug.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Front(*bug)));
        }
        for bug in BetweenBug::ALL {
            let entry = Entry::named(bug.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Between(*bug)));
        }
        for bug in CrowdBug::ALL {
            let entry = Entry::named(bug.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Crowd(*bug)));
        }
        let of_fronts = FrontBug::ALL.len() - unseen.len();
        // Each other policy is one under which everything must hold.
        let correct = policy::correct();
        let broken = CachePolicy::ALL.iter().filter(|policy| !correct.contains(policy));
        for policy in broken.clone() {
            let entry = Entry::named(policy.name);
            assert_eq!(entry.map(|entry| entry.bug), Some(KnownBug::Policy(policy.name)));
        }
        let of_fronts = of_fronts + BetweenBug::ALL.len();
        let of_core = Mutant::ALL.len() - registry::BUGS.len();
        let of_worlds = of_core + HostMutant::ALL.len() + of_fronts + CrowdBug::ALL.len();
        assert_eq!(REGISTER.len(), of_worlds + broken.count());
    }
}
