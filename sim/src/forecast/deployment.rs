//! Ways to deploy: which policy, what stands in front, and how readers follow.

use std::collections::BTreeSet;

use tailrace_core::protocol::CachePolicy;

use crate::crowd::{Class, InFront};

/// A way to deploy, and to follow streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Its name in reports.
    pub name: String,
    /// What caches do.
    pub policy: CachePolicy,
    /// Whether the nodes of a zone's CDN ask an upper tier, which is one cache for all datacenters.
    pub tiered: bool,
    /// Whether a cache in front shares an answer while it is still written, which no vendor promises. If not, those who wait
    /// for it have it when it is whole.
    pub shares_unfinished: bool,
    /// Whether each request has a token, which the Worker verifies. Readers then have the reader key in their URLs.
    pub has_tokens: bool,
    /// How readers follow: [`Class::LongPoll`] or [`Class::Events`].
    pub transport: Class,
    /// What else it takes, and what that costs in a month, in millionths of a dollar.
    pub fixed: Option<(&'static str, u64)>,
}

/// A host that passes requests on from the zone with the cache to the Worker, which a zone's CDN stands in front of only
/// so: the smallest machine of several providers, in production with the earlier system (2026).
const PROXY: (&str, u64) = ("a proxy host", 6_000_000);

impl Deployment {
    fn new(policy: &str, transport: Class) -> Self {
        let policy = CachePolicy::named(policy).unwrap_or_default();
        let name = policy.name.to_owned();
        let (tiered, shares_unfinished, has_tokens) = (false, true, false);
        Self { name, policy, tiered, shares_unfinished, has_tokens, transport, fixed: None }.named()
    }

    /// Under the name that says what it is.
    fn named(mut self) -> Self {
        let waits_s = match self.transport {
            Class::Events => format!("sse {} s", self.policy.waits.sse_ms / 1_000),
            _ => format!("long-poll {} s", self.policy.waits.long_poll_ms / 1_000),
        };
        let tiers = if self.tiered { ", tiered" } else { "" };
        let of_policy = CachePolicy::named(self.policy.name).map_or(0, |policy| policy.stagger_ms);
        let staggered = match self.policy.stagger_ms {
            stagger_ms if stagger_ms == of_policy => String::new(),
            stagger_ms => format!(", over {stagger_ms} ms"),
        };
        let shares = if self.shares_unfinished { "" } else { ", not shared" };
        let tokens = if self.has_tokens { ", tokens" } else { "" };
        self.name = format!("{}{tiers}, {waits_s}{staggered}{shares}{tokens}", self.policy.name);
        self
    }

    /// With connections with events that last about so long, in ms.
    pub fn with_sse_ms(mut self, sse_ms: u64) -> Self {
        self.policy.waits.sse_ms = sse_ms;
        self.named()
    }

    /// With long-polls that wait so long, in ms.
    pub fn with_long_poll_ms(mut self, long_poll_ms: u64) -> Self {
        self.policy.waits.long_poll_ms = long_poll_ms;
        self.named()
    }

    /// With those who wait for a message told over so many ms.
    pub fn with_stagger_ms(mut self, stagger_ms: u64) -> Self {
        self.policy.stagger_ms = stagger_ms;
        self.named()
    }

    /// With tokens.
    pub fn with_tokens(mut self) -> Self {
        self.has_tokens = true;
        self.named()
    }

    fn with_tiers(mut self) -> Self {
        self.tiered = true;
        self.named()
    }

    /// Behind a cache that shares only what is whole.
    fn unshared(mut self) -> Self {
        self.shares_unfinished = false;
        self.named()
    }

    fn behind_proxy(mut self) -> Self {
        self.fixed = Some(PROXY);
        self
    }

    /// What is recommended: on a plain Worker, behind a caching zone, and with Workers Cache.
    pub fn defaults() -> [Self; 3] {
        [
            Self::new("immutable-and-long-poll", Class::Events),
            Self::new("zone-silence", Class::LongPoll).with_tiers().behind_proxy(),
            Self::new("gateway", Class::Events),
        ]
    }

    /// What nobody should do: long-polls that each ask the object. The recommended ones are shown beside it.
    pub fn uncached() -> Self {
        Self::new("nothing", Class::LongPoll)
    }

    /// Every policy, with each way to follow that differs by it.
    pub fn all() -> Vec<Self> {
        let mut all = Self::defaults().to_vec();
        for policy in CachePolicy::ALL {
            let is_zone = InFront::of(policy) == InFront::Zone;
            let of = |transport| {
                let deployment = Self::new(policy.name, transport);
                if is_zone { deployment.behind_proxy() } else { deployment }
            };
            all.extend([of(Class::LongPoll), of(Class::Events)]);
            if is_zone {
                all.extend([of(Class::LongPoll).with_tiers(), of(Class::Events).with_tiers()]);
            }
            if policy.events_end_together {
                all.extend([of(Class::Events).unshared(), of(Class::Events).with_tiers().unshared()]);
            }
        }
        let mut names = BTreeSet::new();
        all.retain(|deployment| names.insert(deployment.name.clone()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_a_name_of_its_own_that_tells_what_it_is() {
        let all = Deployment::all();
        for (place, deployment) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other.name != deployment.name), "{}", deployment.name);
        }
        let names: Vec<String> = Deployment::defaults().into_iter().map(|deployment| deployment.name).collect();
        assert_eq!(
            names,
            ["immutable-and-long-poll, sse 1800 s", "zone-silence, tiered, long-poll 20 s", "gateway, sse 1800 s"]
        );
        for policy in CachePolicy::ALL {
            assert!(all.iter().any(|deployment| deployment.policy.name == policy.name), "{}", policy.name);
        }
    }

    #[test]
    fn what_hangs_on_a_cache_that_shares_unfinished_answers_is_there_without_that_too() {
        let all = Deployment::all();
        for deployment in all.iter().filter(|deployment| deployment.transport == Class::Events) {
            let unshared = deployment.clone().unshared();
            assert_eq!(all.contains(&unshared), deployment.policy.events_end_together, "{}", deployment.name);
        }
    }

    #[test]
    fn only_what_stands_before_a_zone_needs_a_proxy() {
        for deployment in Deployment::all() {
            let is_zone = InFront::of(&deployment.policy) == InFront::Zone;
            assert_eq!(deployment.fixed.is_some(), is_zone, "{}", deployment.name);
        }
    }
}
