//! A zone's CDN: a caching proxy in front of an origin's host name.
//!
//! A datacenter has several nodes, each with a cache of its own. Requests of an outside client keep to one of them, so a
//! crowd on one machine misses a key once; requests of Workers are spread over all, so it misses once a node (measured:
//! SPEC's last rows of calibration, about 9 misses a key whatever the number of requests). With tiered caching the nodes
//! ask an upper tier, which is one cache for all datacenters, before they ask the origin.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::arrival::{Answer, Arrival};
use super::asking::{Asking, Kind};
use super::bug::FrontBug;
use super::fetching::Wants;
use super::knobs::ZoneKnobs;
use super::machine::Front;
use super::tiers::Tiers;

/// A zone's CDN.
pub struct Zone<K, A> {
    knobs: ZoneKnobs,
    bug: Option<FrontBug>,
    tiers: Tiers<K, A>,
}

impl<K: Ord + Clone + Hash, A: Answer> Zone<K, A> {
    /// One without anything kept, and perhaps with a known bug.
    pub fn new(knobs: ZoneKnobs, bug: Option<FrontBug>) -> Self {
        Self { knobs, bug, tiers: Tiers::new(knobs.freshness, knobs.lock, knobs.tiered, bug) }
    }

    /// The node that a request reaches, counted within its datacenter.
    pub fn node(&self, asking: &Asking<K>) -> u64 {
        let nodes = self.knobs.nodes.max(1);
        let keeps_to_one =
            |client: u64| scattered(&(client, "keeps")) % 1_000 < u64::from(self.knobs.affinity_permille);
        match asking.kind {
            Kind::Outside { .. } if self.bug == Some(FrontBug::AffinityByKey) => scattered(&asking.key) % nodes,
            Kind::Outside { client } if keeps_to_one(client) => scattered(&client) % nodes,
            Kind::Outside { .. } | Kind::SubRequest => asking.drawn % nodes,
        }
    }
}

#[cfg(test)]
impl<K: Ord + Clone + Hash, A: Answer> Zone<K, A> {
    /// Whether nobody waits and nothing is fetched.
    pub(super) fn is_idle(&self) -> bool {
        let tiers = &self.tiers;
        tiers.waiting.is_empty() && tiers.fetching.is_empty() && tiers.fetches.is_empty() && tiers.held_back.is_empty()
    }
}

/// A number that the value decides, and that looks random.
fn scattered(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl<K: Ord + Clone + Hash, A: Answer> Front<K, A> for Zone<K, A> {
    fn arrive(&mut self, now_us: u64, asking: Asking<K>) -> Arrival<A> {
        let node = asking.colo * self.knobs.nodes.max(1) as usize + self.node(&asking) as usize;
        let Asking { key, visitor, no_cache, has_authorization, fields, .. } = asking;
        self.tiers.arrive(now_us, node, visitor, Wants { key, has_authorization, no_cache, is_alone: false, fields })
    }

    fn tiers(&mut self) -> &mut Tiers<K, A> {
        &mut self.tiers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::stage::zone::check;

    /// The nodes that so many requests for a key reach.
    fn nodes(zone: &Zone<&'static str, u64>, asking: impl Fn(u64) -> Asking<&'static str>) -> usize {
        (0..200).map(|visitor| zone.node(&asking(visitor))).collect::<std::collections::BTreeSet<_>>().len()
    }

    #[test]
    fn a_client_keeps_to_a_node_and_workers_are_spread_over_all() {
        let client = |client: u64| move |visitor| Asking { drawn: visitor, ..Asking::new("k", visitor, client) };
        let worker = |visitor| Asking { kind: Kind::SubRequest, drawn: visitor, ..Asking::new("k", visitor, 0) };
        let each = |visitor| Asking::new("k", visitor, visitor);
        let zone = |affinity_permille, bug| Zone::new(ZoneKnobs { affinity_permille, ..ZoneKnobs::default() }, bug);
        let by_client = zone(1_000, None);
        for one in 0..20 {
            assert_eq!(nodes(&by_client, client(one)), 1, "{one}");
        }
        assert_eq!((nodes(&by_client, each), nodes(&by_client, worker)), (9, 9));
        let spread = zone(0, None);
        assert_eq!(nodes(&spread, client(3)), 9);
        let half: usize = (0..200).filter(|one| nodes(&zone(500, None), client(*one)) == 1).count();
        assert!((60..140).contains(&half), "{half}");
        // The bug: all clients reach one node for a key.
        assert_eq!(nodes(&zone(1_000, Some(FrontBug::AffinityByKey)), each), 1);
    }

    #[test]
    fn each_node_has_a_cache_of_its_own() {
        check(
            |knobs| knobs.nodes = 3,
            &[
                ("0 ask k 1 worker 0", "fetch 1"),
                ("0 ask k 2 worker 1", "fetch 2"),
                ("0 ask k 3 worker 3", "wait 5000"),
                ("1 end 1 200 max-age=9", "1: fetched 101 age 0; 3: joined 101 age 0"),
                ("2 ask k 4 worker 2", "fetch 3"),
                ("2 ask k 5 worker 6 colo 1", "fetch 4"),
            ],
        );
    }

    #[test]
    fn nodes_ask_an_upper_tier_that_is_one_for_all_datacenters() {
        check(
            |knobs| knobs.tiered = true,
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 ask k 2 colo 1", "wait 5000"),
                ("0 ask k 3 colo 1", "wait 5000"),
                ("1000 end 2 200 max-age=60", "1: fetched 102 age 0; 2: joined 102 age 0 upper; 3: joined 102 age 0"),
                ("31000 ask k 4 colo 2", "hit 102 age 30 upper"),
                ("41000 ask k 5 colo 2", "hit 102 age 40"),
            ],
        );
        // What is uncacheable frees all, in all datacenters.
        check(
            |knobs| knobs.tiered = true,
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 ask k 2 colo 1", "wait 5000"),
                ("0 ask k 3 colo 1", "wait 5000"),
                ("1 end 2 204 no-store", "1: passed 102 age 0; 2: fetch 4 alone past"),
                ("2 end 4 204 no-store", "2: passed 104 age 0; 3: fetch 5 alone past"),
            ],
        );
        // Who leaves there, leaves here.
        check(
            |knobs| knobs.tiered = true,
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 ask k 2 colo 1", "wait 5000"),
                ("0 ask k 3 colo 1", "wait 5000"),
                ("1 leave 2", "ends nothing; 3: wait 5001"),
                ("2 leave 1", "ends 2; 3: fetch 5"),
                ("3 end 5 200 max-age=9", "3: fetched 105 age 0"),
            ],
        );
        check(
            |knobs| knobs.tiered = true,
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 ask k 2 colo 1", "wait 5000"),
                ("1 lost 2", "1: failed; 2: fetch 4"),
                ("5000 over 2", ""),
                ("5001 end 4 200 max-age=9", "2: fetched 104 age 0"),
            ],
        );
        check(
            |knobs| knobs.tiered = true,
            &[
                ("0 ask k 1", "fetch 2"),
                ("0 ask k 2 colo 1", "wait 5000"),
                ("5000 over 2", "2: fetch 4 alone"),
                ("6000 head 4 200 max-age=9", "2: fetched 104 age 0"),
                ("6500 broken 4", ""),
                ("6600 ask k 3 colo 1", "wait 8000"),
            ],
        );
    }
}
