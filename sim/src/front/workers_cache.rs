//! Workers Cache: a cache of two tiers in front of a Worker's entrypoint (`cache.enabled`, since July 2026; Cloudflare,
//! "Workers Cache", "Cache keys"). There are no production measurements of it.
//!
//! It has one lower tier in each datacenter, which collapses what misses there together, and one upper tier. A body that
//! still comes is shared (knob). Where an answer of 200, 203 or 204 says nothing, it is kept for two hours. Every deploy
//! starts cold, unless it is configured otherwise, since the version is a part of the key. A gateway in front of a cached
//! entrypoint is two requests, of which the caller brings the second one here.

use super::arrival::{Answer, Arrival};
use super::asking::Asking;
use super::bug::FrontBug;
use super::fetching::Wants;
use super::knobs::WorkersCacheKnobs;
use super::machine::Front;
use super::tiers::Tiers;

/// Under what Workers Cache keeps an answer: neither the host, nor `Authorization`, nor cookies are part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkersKey {
    /// The entrypoint's name.
    pub entrypoint: &'static str,
    /// Path and query of the URL, as they were spelled, parameters in their order.
    pub path_and_query: String,
    /// The Worker's version; `None` where a cache serves all versions (`cross_version_cache`).
    pub version: Option<u32>,
    /// `ctx.props` of the call, as text.
    pub props: String,
}

impl WorkersKey {
    /// The key of an absolute URL, without props.
    pub fn of(url: &str, entrypoint: &'static str, version: Option<u32>) -> Self {
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path_and_query = after_scheme.find('/').map_or("/", |slash| &after_scheme[slash..]);
        let path_and_query = path_and_query.split('#').next().unwrap_or_default().to_owned();
        Self { entrypoint, path_and_query, version, props: String::new() }
    }
}

/// Workers Cache.
pub struct WorkersCache<K, A> {
    tiers: Tiers<K, A>,
}

impl<K: Ord + Clone, A: Answer> WorkersCache<K, A> {
    /// One without anything kept, and perhaps with a known bug.
    pub fn new(knobs: WorkersCacheKnobs, bug: Option<FrontBug>) -> Self {
        Self { tiers: Tiers::new(knobs.freshness, knobs.lock, true, bug) }
    }
}

impl<K: Ord + Clone, A: Answer> Front<K, A> for WorkersCache<K, A> {
    fn arrive(&mut self, now_us: u64, asking: Asking<K>) -> Arrival<A> {
        let Asking { key, visitor, colo, no_cache, has_authorization, fields, .. } = asking;
        self.tiers.arrive(now_us, colo, visitor, Wants { key, has_authorization, no_cache, is_alone: false, fields })
    }

    fn tiers(&mut self) -> &mut Tiers<K, A> {
        &mut self.tiers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::stage::Stage;

    fn check(turn: impl FnOnce(&mut WorkersCacheKnobs), script: &[(&'static str, &str)]) {
        let mut knobs = WorkersCacheKnobs::default();
        (knobs.lock.wait_ms, knobs.lock.age_ms) = (5_000, 8_000);
        turn(&mut knobs);
        Stage(WorkersCache::<&'static str, u64>::new(knobs, None)).check(script);
    }

    #[test]
    fn the_key_is_entrypoint_path_query_in_order_version_and_props_and_nothing_else() {
        let key = |url: &str, version| WorkersKey::of(url, "default", version);
        for (one, other, is_same) in [
            (key("https://a.example/p?x=1", None), key("https://b.example/p?x=1", None), true),
            (key("https://a.example/p#f", None), key("https://a.example/p", None), true),
            (key("https://a.example/p?x=1&y=2", None), key("https://a.example/p?y=2&x=1", None), false),
            (key("https://a.example/p", None), key("https://a.example/q", None), false),
            (key("https://a.example/p", Some(1)), key("https://a.example/p", Some(2)), false),
            (key("https://a.example/p", None), WorkersKey::of("https://a.example/p", "inner", None), false),
            (
                key("https://a.example/p", None),
                WorkersKey { props: "tenant".to_owned(), ..key("https://a.example/p", None) },
                false,
            ),
        ] {
            assert_eq!(one == other, is_same, "{one:?} {other:?}");
        }
        assert_eq!(key("https://a.example", None).path_and_query, "/");
    }

    #[test]
    fn requests_collapse_in_each_datacenter_and_again_above() {
        check(
            |_| {},
            &[
                ("0 ask k 1 worker 0", "fetch 2"),
                ("0 ask k 2 worker 7", "wait 5000"),
                ("0 ask k 3 colo 1", "wait 5000"),
                ("9 end 2 200 max-age=60", "1: fetched 102 age 0; 2: joined 102 age 0; 3: joined 102 age 0 upper"),
                ("10 ask k 4 colo 2", "hit 102 age 0 upper"),
                ("10 ask k 5 colo 1", "hit 102 age 0"),
            ],
        );
    }

    #[test]
    fn a_body_that_still_comes_is_shared_in_both_tiers_if_bodies_are() {
        let script = [("0 ask k 1", "fetch 2"), ("0 ask k 2", "wait 5000"), ("0 ask k 3 colo 1", "wait 5000")];
        check(
            |_| {},
            &[
                &script[..],
                &[
                    ("9 head 2 200 max-age=60", "1: fetched 102 age 0; 2: joined 102 age 0; 3: joined 102 age 0 upper"),
                    ("10 ask k 4 colo 2", "hit 102 age 0 upper"),
                    ("11 broken 2", ""),
                    ("12 ask k 5 colo 2", "fetch 6"),
                    ("12 ask k 6 colo 1", "wait 5012"),
                ],
            ]
            .concat(),
        );
        check(
            |knobs| knobs.lock.streams = false,
            &[
                &script[..],
                &[
                    ("9 head 2 200 max-age=60", "1: fetched 102 age 0"),
                    ("10 ask k 4 colo 2", "wait 5010"),
                    ("20 whole 2", "3: joined 102 age 0 upper; 4: joined 102 age 0 upper; 2: joined 102 age 0"),
                    ("21 ask k 5", "hit 102 age 0"),
                ],
            ]
            .concat(),
        );
        check(
            |knobs| knobs.lock.streams = false,
            &[
                &script[..],
                &[("9 head 2 200 max-age=60", "1: fetched 102 age 0"), ("20 broken 2", "3: fetch 4; 2: wait 5020")],
            ]
            .concat(),
        );
    }

    #[test]
    fn what_says_nothing_is_kept_for_two_hours() {
        check(
            |_| {},
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 end 2 200 ", "1: fetched 102 age 0"),
                ("7199999 ask k 2", "hit 102 age 7199"),
                ("7200000 ask k 3", "fetch 4"),
            ],
        );
        check(
            |_| {},
            &[("0 ask k 1", "fetch 2"), ("0 end 2 404 ", "1: passed 102 age 0"), ("1 ask k 2", "fetch 3 alone past")],
        );
    }

    #[test]
    fn what_is_stale_below_is_freshened_from_above_or_from_the_worker() {
        check(
            |_| {},
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 end 2 200 max-age=10, stale-while-revalidate=20 tag=t", "1: fetched 102 age 0"),
                ("10000 ask k 2", "stale 102 age 10; fetch 4 if t"),
                ("10500 end 4 304 max-age=10, stale-while-revalidate=20", ""),
                // Above it was stale as well when it was freshened from there.
                ("11000 ask k 3", "stale 102 age 11"),
                ("11000 ask k 4", "hit 102 age 0"),
            ],
        );
    }
}
