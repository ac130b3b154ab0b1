//! What goes wrong with messages on their way.

use crate::kernel::random::Delay;

/// A network between two kinds of parties. Messages overtake one another wherever the latency varies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The time that a message takes one way.
    pub latency: Delay,
    /// Of 1,000 requests, those that never arrive.
    pub request_loss_permille: u32,
    /// Of 1,000 responses, those that never arrive, though the request was carried out.
    pub response_loss_permille: u32,
    /// Of 1,000 messages, those that take much longer.
    pub slow_permille: u32,
    /// How much longer.
    pub slow: Delay,
}

impl Link {
    /// The same latency, without losses.
    fn delays(self) -> Self {
        Self { latency: self.latency, ..Self::default() }
    }
}

/// The knobs of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkFaults {
    /// Between clients and edge isolates. A client notices a loss by its time-out.
    pub client_link: Link,
    /// Between edge isolates and objects, and from object to object. The caller of a lost message is told that the
    /// connection was reset.
    pub object_link: Link,
    /// Of 1,000 requests, those whose clients give them up.
    pub client_leaves_permille: u32,
    /// How long after they asked.
    pub client_leaves: Delay,
    /// Of 1,000 calls of objects, those that never come to an end, though they were carried out: their callers are told
    /// nothing.
    pub call_stuck_permille: u32,
}

impl NetworkFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { client_link: self.client_link.delays(), object_link: self.object_link.delays(), ..Self::default() }
    }
}
