//! Every policy, as a table.

use super::{AnswerKind, Bound, CachePolicy, Collapse, Cursors, Marker, Rule};
use crate::protocol::Waits;
use crate::protocol::limits::{LONG_POLL_MS, LONG_SSE_MS, SSE_MS};

/// A page in the middle of the log is fresh for a minute: it never changes, but its stream may be deleted.
const PAGE: Rule = Rule::Fresh { fresh_s: 60, shared_s: None, stale_s: Some(300) };

/// The same URL always has this data, but later readers should get newer data with it.
const DELIVERY: Rule = Rule::Fresh { fresh_s: 20, shared_s: None, stale_s: None };

/// No cache shares connections with events.
const WAITS: Waits = Waits { long_poll_ms: LONG_POLL_MS, sse_ms: LONG_SSE_MS };

/// As the earlier system used it in production.
const MARKER: Marker = Marker { jitter_ms: 20, pause_ms: 50, patience_ms: 31_000, stands_s: 30 };

/// What never changes is kept, and what answers long-polls: the default.
const IMMUTABLE_AND_LONG_POLL: CachePolicy = CachePolicy {
    name: "immutable-and-long-poll",
    page: PAGE,
    tail: Rule::Revalidate,
    delivery: DELIVERY,
    silence: Rule::Never,
    events: Rule::Revalidate,
    kept: &[AnswerKind::Page, AnswerKind::Delivery],
    has_gateway: false,
    cursors: Cursors::Convergent,
    collapse: Collapse::None,
    stagger_ms: 0,
    waits: WAITS,
    events_end_together: false,
    bound: Bound::Race,
};

/// Only what never changes is kept.
const IMMUTABLE: CachePolicy = CachePolicy {
    name: "immutable",
    kept: &[AnswerKind::Page],
    delivery: Rule::Never,
    bound: Bound::None,
    ..IMMUTABLE_AND_LONG_POLL
};

/// Nothing is kept.
const NOTHING: CachePolicy =
    CachePolicy { name: "nothing", page: Rule::Never, tail: Rule::Never, kept: &[], ..IMMUTABLE };

/// Whatever was answered is kept, what ends at the tail for a short time: an append cannot remove it.
const EVERYTHING: CachePolicy = CachePolicy {
    name: "everything",
    tail: Rule::Fresh { fresh_s: 5, shared_s: None, stale_s: None },
    kept: &[AnswerKind::Page, AnswerKind::Tail, AnswerKind::Delivery],
    ..IMMUTABLE_AND_LONG_POLL
};

/// The first miss leaves a marker.
const SENTINEL: CachePolicy =
    CachePolicy { name: "sentinel", collapse: Collapse::Sentinel(MARKER), ..IMMUTABLE_AND_LONG_POLL };

/// And those who wait are told one after the other.
const SENTINEL_AND_STAGGER: CachePolicy = CachePolicy { name: "sentinel-and-stagger", stagger_ms: 100, ..SENTINEL };

/// And the first fills the cache ahead of the others.
const BRIDGE: CachePolicy =
    CachePolicy { name: "bridge", collapse: Collapse::Bridge(MARKER, 25_000), ..SENTINEL_AND_STAGGER };

/// A zone's CDN stands in front: requests that reach the edge are for what no cache has, so the edge keeps nothing.
const ZONE: CachePolicy = CachePolicy { name: "zone", kept: &[], bound: Bound::Node, ..IMMUTABLE_AND_LONG_POLL };

/// A zone's CDN stands in front, and keeps silence as well: readers of a stream in which nothing happens share the answers
/// that tell them so, and are told a new cursor each.
const ZONE_SILENCE: CachePolicy = CachePolicy { name: "zone-silence", silence: DELIVERY, ..ZONE };

/// What never changes is kept for as long as the protocol's proposals about caches say: a week in browsers, an hour in
/// caches that several clients share; and what answers long-polls for a moment. Of a stream that is deleted its readers'
/// browsers have what they have read for a week.
const LONG_LIVED: CachePolicy = CachePolicy {
    name: "long-lived",
    page: Rule::Fresh { fresh_s: 604_800, shared_s: Some(3_600), stale_s: Some(2_592_000) },
    delivery: Rule::Fresh { fresh_s: 5, shared_s: None, stale_s: Some(5) },
    ..IMMUTABLE_AND_LONG_POLL
};

/// Workers Cache stands in front.
const WORKERS_CACHE: CachePolicy = CachePolicy { name: "workers-cache", ..ZONE };

/// Workers Cache stands between two entrypoints: access is checked for each read, and the rest is shared.
const GATEWAY: CachePolicy = CachePolicy { name: "gateway", has_gateway: true, ..WORKERS_CACHE };

/// What stands in front shares a connection with events while it is written: those who ask for the same position with
/// the same cursor within a second get one, and all connections end at the same moment.
const COLLAPSED_EVENTS: CachePolicy = CachePolicy {
    name: "collapsed-events",
    events: Rule::Fresh { fresh_s: 1, shared_s: None, stale_s: None },
    events_end_together: true,
    waits: Waits { sse_ms: SSE_MS, ..WAITS },
    ..ZONE
};

/// What nobody should do: cursors with a random part. Each reader has URLs of its own.
const RANDOM_CURSORS: CachePolicy =
    CachePolicy { name: "random-cursors", cursors: Cursors::Random, ..IMMUTABLE_AND_LONG_POLL };

/// What nobody should do: silence is kept, and those who are told of it ask for the same URL again.
const SILENCE_WITHOUT_CURSORS: CachePolicy = CachePolicy {
    name: "silence-without-cursors",
    silence: DELIVERY,
    kept: &[AnswerKind::Page, AnswerKind::Delivery, AnswerKind::Silence],
    cursors: Cursors::KeptInSilence,
    ..IMMUTABLE_AND_LONG_POLL
};

/// Silence is kept as well: readers that come late into an interval wait for nothing, and are told a new cursor.
const SILENCE: CachePolicy = CachePolicy { name: "silence", cursors: Cursors::Convergent, ..SILENCE_WITHOUT_CURSORS };

const ALL_POLICIES: &[CachePolicy] = &[
    IMMUTABLE_AND_LONG_POLL,
    IMMUTABLE,
    NOTHING,
    EVERYTHING,
    SENTINEL,
    SENTINEL_AND_STAGGER,
    BRIDGE,
    SILENCE,
    ZONE,
    ZONE_SILENCE,
    LONG_LIVED,
    WORKERS_CACHE,
    GATEWAY,
    COLLAPSED_EVENTS,
    SILENCE_WITHOUT_CURSORS,
    RANDOM_CURSORS,
];

impl Default for CachePolicy {
    fn default() -> Self {
        IMMUTABLE_AND_LONG_POLL
    }
}

impl CachePolicy {
    /// All policies.
    pub const ALL: &[Self] = ALL_POLICIES;

    /// The policy of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL_POLICIES.iter().find(|policy| policy.name == name).copied()
    }

    /// From the deployment's variable `TAILRACE_CACHE_POLICY`, the name of a policy. Fails with a sentence for the
    /// operator where there is none of that name.
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        match variable("TAILRACE_CACHE_POLICY") {
            None => Ok(Self::default()),
            Some(name) => Self::named(name).ok_or_else(|| "TAILRACE_CACHE_POLICY names no cache policy".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_found_by_its_name_and_only_by_that() {
        for policy in CachePolicy::ALL {
            assert_eq!(CachePolicy::named(policy.name), Some(*policy));
            assert_eq!(CachePolicy::from_vars(|_| Some(policy.name)), Ok(*policy));
        }
        assert_eq!(CachePolicy::from_vars(|_| None), Ok(CachePolicy::default()));
        for name in ["", "Immutable", "everything "] {
            assert!(CachePolicy::from_vars(|_| Some(name)).is_err(), "{name:?}");
        }
    }
}
