//! The edge's end of a socket to an object.

use bytes::Bytes;

/// What comes from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// A message.
    Message(Bytes),
    /// It is closed, or was cut: nothing more comes.
    Closed,
    /// Nothing came in time.
    TimedOut,
}

/// The edge's end of a socket. What arrives while nobody asks is kept. Dropped, it is closed.
pub trait EdgeSocket: 'static {
    /// What comes next; waits for at most `wait_ms`.
    async fn next(&self, wait_ms: u64) -> SocketEvent;
}
