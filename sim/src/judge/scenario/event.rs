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

/// How much an append carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Messages.
    pub count: usize,
    /// Bytes of padding in each.
    pub pad_bytes: usize,
}

/// What is wrong with an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// One element of a JSON batch is no JSON; a byte stream gets the wrong content type instead.
    BadElement,
    /// An empty JSON array; a byte stream gets the wrong content type instead.
    EmptyArray,
    /// A content type that is not the stream's.
    WrongType,
    /// A body beyond the limit.
    TooLarge,
}

/// Where a walk of a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `-1`.
    Start,
    /// Where the client's last walk of the stream ended, or its live readers.
    Resume,
    /// `now`: one page, remembered.
    Now,
    /// An offset that the client saw, counted from its first; of whichever incarnation.
    Earlier(usize),
    /// An offset that anyone was told of the stream, counted from the first.
    Told(usize),
    /// A position of the client's own: somewhere before an offset that anyone was told, in the same segment.
    Within(usize),
    /// Where the client's last page began, with the tag it had.
    Revalidate,
}
