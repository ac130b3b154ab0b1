//! One thing that a client or the world does, at its time.
//!
//! An event says what a client wants, not the bytes it sends: sequence numbers, offsets and tags are the client's to
//! know when the event is due. So any subset of a scenario's events is a sensible scenario too.

use super::action::{Action, Disturbance};

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Not before this many ms since the start; a client does one thing after the other.
    pub at_ms: u64,
    /// What.
    pub what: Happening,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A client does something.
    Client {
        /// Which one.
        client: usize,
        /// What.
        action: Action,
    },
    /// Something happens to the world.
    World(Disturbance),
}

impl Event {
    /// What a client does, and which one.
    pub fn action(&self) -> Option<(usize, Action)> {
        match self.what {
            Happening::Client { client, action } => Some((client, action)),
            Happening::World(_) => None,
        }
    }

    /// What happens to the world.
    pub fn disturbance(&self) -> Option<Disturbance> {
        match self.what {
            Happening::Client { .. } => None,
            Happening::World(disturbance) => Some(disturbance),
        }
    }
}
