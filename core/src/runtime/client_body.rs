//! The client's end of an answer that goes on.

use bytes::Bytes;

use super::EdgeSocket;

/// How much may wait for a client to take it, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Bytes that may wait.
    pub buffer_bytes: usize,
    /// For how long a call waits.
    pub wait_ms: u64,
}

/// How bytes for a client fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are on their way, and no more than may wait for the client does.
    Taken,
    /// More than that still wait after the time given.
    Stalled,
    /// The client is gone.
    Gone,
}

/// Why [`ClientBody::pipe`] came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeEnd {
    /// This message is not one to pass on.
    Message(Bytes),
    /// The socket is closed, or was cut.
    Closed,
    /// A message was passed on, and more waits for the client than may.
    Overflow,
    /// The time is up.
    TimedOut,
    /// The client is gone.
    Gone,
}

/// What a pipe has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piped {
    /// The header of the last message that was passed on, if one was.
    pub last: Option<Bytes>,
    /// Why it came back.
    pub end: PipeEnd,
}

/// Which messages a pipe passes on, and what of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeRule {
    /// How a message that is passed on begins.
    pub prefix: &'static [u8],
    /// Length of the header that is left out; the prefix is a part of it.
    pub header_length: usize,
}

/// The body of an answer that goes on and on, as its client takes it. Dropped, it ends.
pub trait ClientBody: 'static {
    /// The sockets that can be piped into it.
    type Socket: EdgeSocket;

    /// Queues bytes, which reach the client in one piece unless a network between splits them, and waits until no more
    /// waits for the client than may. No bytes are for the wait alone.
    async fn write(&self, bytes: Bytes, patience: Patience) -> Written;

    /// Passes on what comes from the socket, each message in one piece, until something else happens: the hot path of
    /// a delivered event, which a host may keep out of core altogether.
    async fn pipe(&self, socket: &Self::Socket, rule: PipeRule, patience: Patience) -> Piped;
}
