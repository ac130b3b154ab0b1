//! A bug that is switched on by name.

use tailrace_core::mutant::Mutant;

use crate::world::HostMutant;

/// A known bug, of core or of the host, or a cache policy that nobody should choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBug {
    /// Of core.
    Core(Mutant),
    /// Of the host.
    Host(HostMutant),
    /// The cache policy of that name, in the place of the scenario's.
    Policy(&'static str),
}

impl KnownBug {
    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core(mutant) => mutant.name(),
            Self::Host(mutant) => mutant.name(),
            Self::Policy(name) => name,
        }
    }
}
