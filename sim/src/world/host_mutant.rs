//! Known bugs of a host, switched on by name: a suite that does not catch them proves nothing.

use std::fmt;

/// A bug of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostMutant {
    /// Answers leave before what was written before them is durable.
    AnswerBeforeGate,
    /// An object that hibernates or is evicted loses its alarm.
    AlarmLostAtEviction,
    /// A socket is none that lets its object sleep: a waiting reader keeps it in memory, and billed.
    WaiterKeepsAwake,
    /// An object that hibernates forgets its sockets, which stay open.
    SocketsForgottenAtHibernation,
    /// Messages on sockets leave before what was written before them is durable.
    MessageBeforeGate,
}

impl HostMutant {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AnswerBeforeGate,
        Self::AlarmLostAtEviction,
        Self::WaiterKeepsAwake,
        Self::SocketsForgottenAtHibernation,
        Self::MessageBeforeGate,
    ];

    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerBeforeGate => "answer-before-gate",
            Self::AlarmLostAtEviction => "alarm-lost-at-eviction",
            Self::WaiterKeepsAwake => "waiter-keeps-awake",
            Self::SocketsForgottenAtHibernation => "sockets-forgotten-at-hibernation",
            Self::MessageBeforeGate => "message-before-gate",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}

impl fmt::Display for HostMutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_is_found_by_its_name() {
        for mutant in HostMutant::ALL {
            assert_eq!(HostMutant::from_name(mutant.name()), Some(mutant));
        }
        assert_eq!(HostMutant::from_name("none"), None);
    }
}
