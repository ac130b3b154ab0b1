//! Sockets between edge and object. The object's ends hibernate: the platform holds them, with tag and attachment, while
//! the object sleeps.

use bytes::Bytes;

use crate::protocol::Response;

/// A socket to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Its one tag, at most 256 characters (platform limit).
    pub tag: String,
    /// What survives hibernation with it, at most 16,384 bytes (platform limit).
    pub attachment: Bytes,
    /// The first message on it. Held back, as the acceptance is, until what was written before is durable.
    pub greeting: Bytes,
    /// The answer where the host cannot accept it: it holds so many sockets for an object, and no more.
    pub otherwise: Response,
}

/// The object's end of one socket.
pub trait HibernatingSocket: Clone + 'static {
    /// Queues a message. Held back until what was written before it is durable; there is no back-pressure.
    fn send(&self, message: Bytes);

    /// Closes the socket, after what was sent before.
    fn close(&self);

    /// What was attached when it was accepted.
    fn attachment(&self) -> Bytes;
}

/// What becomes of sockets after a message to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// They wait for the next one.
    Stay,
    /// They are closed.
    Close,
}

/// An object's sockets.
pub trait SocketState {
    /// One socket.
    type Socket: HibernatingSocket;

    /// Whether there is any socket, whatever its tag: also one that an earlier instance accepted.
    fn has_sockets(&self) -> bool;

    /// The sockets with that tag, or all, in the order in which they were accepted.
    fn sockets(&self, tag: Option<&str>) -> Vec<Self::Socket>;

    /// Sends one message to each socket with that tag, as [`HibernatingSocket::send`] does, and closes them if it is
    /// their last: one call, however many there are. One that fails is passed over. Answers how many there were.
    fn broadcast(&self, tag: &str, message: Bytes, after: After) -> usize;
}

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
