//! What caches in front are like, as numbers with their units and sources. Where a source says (assumed), nobody has
//! published or measured it.

use crate::kernel::random::{Delay, Random};

/// From where on the age of an answer is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgeFrom {
    /// When the fetch began: RFC 9111, 4.2.3, which adds how long the answer took to the age that it says.
    Start,
    /// When its head came, as Pingora does (`pingora-cache/src/filters.rs`, `calculate_fresh_until`).
    #[default]
    End,
}

/// What a shared cache keeps, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshnessKnobs {
    /// From where on age is counted ((assumed) for Cloudflare: Pingora's way).
    pub age_from: AgeFrom,
    /// Whether an answer that says `no-cache`, or that is fresh for no time, is kept to be asked for by its tag
    /// (Cloudflare, "Origin Cache Control": kept and revalidated where that is on, as it is by default).
    pub keeps_no_cache: bool,
    /// Whether the fields that `Vary` names select among answers; if not, `Vary` is ignored but for `*`. A zone does so
    /// only by a Cache Rule, Workers Cache always does (Cloudflare, "Vary", "Workers Cache").
    pub honours_vary: bool,
    /// Whether a request's own `no-cache` is honoured ((assumed) not: visitors cannot purge a CDN).
    pub honours_no_cache: bool,
    /// For how long an answer of 200, 203 or 204 is fresh that does not say so, in seconds; 0: it is not kept.
    pub unsaid_s: u64,
}

/// How requests that miss together are collapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockKnobs {
    /// Whether there is a lock at all.
    pub locks: bool,
    /// How long a visitor waits for another's fetch, in ms; then it asks by itself, without a lock. (assumed): measured
    /// with polls of 4 s only, all of which were waited for.
    pub wait_ms: u64,
    /// How long a fetch keeps its lock, in ms; then one of those who wait takes the lock over. (assumed), as above.
    pub age_ms: u64,
    /// Whether those who wait, and those who come later, have an answer while it comes ("streamed to them all",
    /// Cloudflare on concurrent streaming). If not, they have it when it is whole.
    pub streams: bool,
    /// How many keys are remembered as uncacheable; 0: none, so that each such key is locked anew.
    pub predicts: usize,
}

/// How an origin's name resolves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginKnobs {
    /// Of 1,000 fetches, those for which it does not (measured once, with an origin that had addresses which could not be
    /// reached).
    pub unresolved_permille: u32,
    /// How long it takes until such a fetch fails (measured: the slowest percent took 30 to 59 s).
    pub gives_up: Delay,
}

/// A zone's CDN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneKnobs {
    /// Nodes of a datacenter, each with a cache of its own (measured: about 9 in a large one, by the misses of a key).
    pub nodes: u64,
    /// Of 1,000 outside clients, those that keep to a node; the others are spread as Workers' requests are. Inferred: a
    /// few clients were seen to keep to one.
    pub affinity_permille: u32,
    /// Whether nodes ask an upper tier that is one cache for all datacenters (Cloudflare, "Tiered Cache": a setting).
    pub tiered: bool,
    /// What is kept, and for how long.
    pub freshness: FreshnessKnobs,
    /// How misses are collapsed.
    pub lock: LockKnobs,
}

/// Workers Cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkersCacheKnobs {
    /// What is kept, and for how long.
    pub freshness: FreshnessKnobs,
    /// How misses are collapsed.
    pub lock: LockKnobs,
}

impl Default for FreshnessKnobs {
    fn default() -> Self {
        Self { age_from: AgeFrom::End, keeps_no_cache: true, honours_vary: false, honours_no_cache: false, unsaid_s: 0 }
    }
}

impl Default for LockKnobs {
    fn default() -> Self {
        Self { locks: true, wait_ms: 30_000, age_ms: 60_000, streams: true, predicts: 10_000 }
    }
}

impl Default for ZoneKnobs {
    fn default() -> Self {
        Self {
            nodes: 9,
            affinity_permille: 1_000,
            tiered: false,
            freshness: FreshnessKnobs::default(),
            lock: LockKnobs::default(),
        }
    }
}

impl Default for WorkersCacheKnobs {
    fn default() -> Self {
        // "Cached for 2 hours": Cloudflare, "Workers Cache", where an answer of 200, 203 or 204 says nothing.
        let freshness = FreshnessKnobs { honours_vary: true, unsaid_s: 7_200, ..FreshnessKnobs::default() };
        // What is uncacheable does not collapse there; whether keys are remembered as such is (assumed).
        Self { freshness, lock: LockKnobs::default() }
    }
}

impl OriginKnobs {
    /// Whether a fetch fails because the origin's name does not resolve: after so many ms then.
    pub fn draw(&self, random: &Random) -> Option<u64> {
        random.chance(self.unresolved_permille).then(|| random.delay_ms(self.gives_up))
    }
}
