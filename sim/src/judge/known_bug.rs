//! A bug that is switched on by name.

use tailrace_core::mutant::Mutant;
use tailrace_core::protocol::CachePolicy;

use crate::crowd::CrowdBug;
use crate::front::FrontBug;
use crate::judge::scenario::Scenario;
use crate::kernel::named::named;
use crate::world::HostMutant;

/// A known bug, of core or of the host, or a cache policy that nobody should choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBug {
    /// Of core.
    Core(Mutant),
    /// Of the host.
    Host(HostMutant),
    /// Of a cache in front.
    Front(FrontBug),
    /// Of a cache in front, where it stands between a gateway and the inner entrypoint.
    Between(BetweenBug),
    /// Of a crowd's host.
    Crowd(CrowdBug),
    /// The cache policy of that name, in the place of the scenario's.
    Policy(&'static str),
}

named! {
    /// A bug of a cache in front that is seen as well where the cache stands between a gateway and the inner entrypoint.
    pub enum BetweenBug {
        /// [`FrontBug::UncacheableShared`].
        UncacheableShared = "between-uncacheable-shared";
        /// [`FrontBug::RevalidationTakesOldLifetime`].
        RevalidationTakesOldLifetime = "between-revalidation-takes-old-lifetime";
        /// [`FrontBug::LeaverCancelsAll`].
        LeaverCancelsAll = "between-leaver-cancels-all";
    }
}

impl BetweenBug {
    /// The bug of the cache.
    fn of_front(self) -> FrontBug {
        match self {
            Self::UncacheableShared => FrontBug::UncacheableShared,
            Self::RevalidationTakesOldLifetime => FrontBug::RevalidationTakesOldLifetime,
            Self::LeaverCancelsAll => FrontBug::LeaverCancelsAll,
        }
    }
}

impl KnownBug {
    /// The bug of the cache in front, wherever that stands, if it is one.
    pub fn of_front(self) -> Option<FrontBug> {
        match self {
            Self::Front(bug) => Some(bug),
            Self::Between(bug) => Some(bug.of_front()),
            _ => None,
        }
    }

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core(mutant) => mutant.name(),
            Self::Host(mutant) => mutant.name(),
            Self::Front(bug) => bug.name(),
            Self::Between(bug) => bug.name(),
            Self::Crowd(bug) => bug.name(),
            Self::Policy(name) => name,
        }
    }

    /// The scenario with what the bug needs: the policy itself, a cache in front, or a crowd.
    pub fn applied_to(self, scenario: &Scenario) -> Scenario {
        match self {
            Self::Core(_) | Self::Host(_) => scenario.clone(),
            Self::Front(_) => scenario.behind_a_zone(),
            Self::Between(_) => scenario.behind_a_gateway(),
            Self::Crowd(bug) => scenario.crowd_alone(bug),
            Self::Policy(name) => {
                let policy = CachePolicy::named(name).expect("the register names policies of core");
                Scenario { policy, ..scenario.clone() }
            }
        }
    }
}
