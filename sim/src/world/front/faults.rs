//! Which cache stands in front of the isolates, or between their entrypoints, what it is like, and what goes wrong with it.
//! What each knob means, and where its figures come from, stands in [`crate::front`].

use crate::front::{AgeFrom, FreshnessKnobs, LockKnobs, OriginKnobs, WorkersCacheKnobs, ZoneKnobs};
use crate::kernel::random::Delay;

/// The knobs of what stands in front. By default nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrontFaults {
    /// A zone's CDN stands in front.
    pub zone: bool,
    /// Workers Cache stands in front; where a zone's CDN does, this does not count.
    pub workers_cache: bool,
    /// Workers Cache stands between gateways and the inner entrypoint, and nothing in front of clients' requests; where
    /// something does, this does not count. No name is resolved on that way.
    pub between: bool,
    /// Nodes of a zone in each datacenter; 0 is as 1.
    pub nodes: u64,
    /// Of 1,000 clients, those that keep to no node of a zone.
    pub affinity_lost_permille: u32,
    /// Of 1,000 requests, those that come from Workers, which keep to no node of a zone.
    pub sub_request_permille: u32,
    /// Whether the nodes of a zone ask an upper tier, which is one for all datacenters.
    pub tiered: bool,
    /// Whether age is counted from the fetch's start, and not from its end.
    pub age_from_start: bool,
    /// Whether what has to be asked for each time is kept for its tag.
    pub keeps_no_cache: bool,
    /// Whether a zone goes by the URL alone, whatever fields `Vary` names. Workers Cache goes by them.
    pub ignores_vary: bool,
    /// How long a visitor waits for another's fetch, in ms; 0: there is no lock.
    pub lock_wait_ms: u64,
    /// How long a fetch keeps its lock, in ms.
    pub lock_age_ms: u64,
    /// Whether an answer is shared once it is whole, and not while it comes.
    pub holds_back: bool,
    /// How many keys are remembered as uncacheable.
    pub predicts: u64,
    /// Whether Workers Cache serves what an earlier version has answered.
    pub cross_version: bool,
    /// Of 1,000 fetches, those for which the origin's name does not resolve.
    pub origin_unresolved_permille: u32,
    /// How long it takes until such a fetch fails.
    pub origin_gives_up: Delay,
}

impl FrontFaults {
    /// What a cache is like stays; what goes wrong between it and its origin ends.
    pub(in crate::world) fn delays(&self) -> Self {
        Self { origin_unresolved_permille: 0, ..*self }
    }

    /// Whether something stands in front of clients' requests.
    pub fn is_in_front(&self) -> bool {
        self.zone || self.workers_cache
    }

    /// Whether it stands between gateways and the inner entrypoint.
    pub fn is_between(&self) -> bool {
        self.between && !self.is_in_front()
    }

    /// Whether there is a cache, wherever it stands.
    pub fn is_there(&self) -> bool {
        self.is_in_front() || self.is_between()
    }

    /// What a zone is like by these knobs.
    pub fn for_zone(&self) -> ZoneKnobs {
        ZoneKnobs {
            nodes: self.nodes.max(1),
            affinity_permille: 1_000 - self.affinity_lost_permille.min(1_000),
            tiered: self.tiered,
            freshness: self.freshness(!self.ignores_vary, 0),
            lock: self.lock(),
        }
    }

    /// What Workers Cache is like by these knobs.
    pub fn for_workers_cache(&self) -> WorkersCacheKnobs {
        let unsaid_s = WorkersCacheKnobs::default().freshness.unsaid_s;
        WorkersCacheKnobs { freshness: self.freshness(true, unsaid_s), lock: self.lock() }
    }

    pub(super) fn origin(&self) -> OriginKnobs {
        if self.is_between() {
            return OriginKnobs::default();
        }
        OriginKnobs { unresolved_permille: self.origin_unresolved_permille, gives_up: self.origin_gives_up }
    }

    fn freshness(&self, honours_vary: bool, unsaid_s: u64) -> FreshnessKnobs {
        FreshnessKnobs {
            age_from: if self.age_from_start { AgeFrom::Start } else { AgeFrom::End },
            keeps_no_cache: self.keeps_no_cache,
            honours_vary,
            honours_no_cache: false,
            unsaid_s,
        }
    }

    fn lock(&self) -> LockKnobs {
        LockKnobs {
            locks: self.lock_wait_ms > 0,
            wait_ms: self.lock_wait_ms,
            age_ms: self.lock_age_ms,
            streams: !self.holds_back,
            predicts: self.predicts as usize,
        }
    }
}
