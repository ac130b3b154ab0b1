//! A bug that is switched on by name.

use tailrace_core::mutant::Mutant;
use tailrace_core::protocol::CachePolicy;

use crate::crowd::CrowdBug;
use crate::front::FrontBug;
use crate::judge::scenario::Scenario;
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
    /// Of a crowd's host.
    Crowd(CrowdBug),
    /// The cache policy of that name, in the place of the scenario's.
    Policy(&'static str),
}

impl KnownBug {
    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core(mutant) => mutant.name(),
            Self::Host(mutant) => mutant.name(),
            Self::Front(bug) => bug.name(),
            Self::Crowd(bug) => bug.name(),
            Self::Policy(name) => name,
        }
    }

    /// The scenario with what the bug needs: the policy itself, a cache in front, or a crowd.
    pub fn applied_to(self, scenario: &Scenario) -> Scenario {
        match self {
            Self::Core(_) | Self::Host(_) => scenario.clone(),
            Self::Front(_) => scenario.behind_a_zone(),
            Self::Crowd(bug) => scenario.crowd_alone(bug),
            Self::Policy(name) => {
                let policy = CachePolicy::named(name).expect("the register names policies of core");
                Scenario { policy, ..scenario.clone() }
            }
        }
    }
}
