//! Sockets between edge and object. The object's ends are hibernatable: the platform keeps them, with their tags and
//! attachments, while the object sleeps.

use bytes::Bytes;

use crate::protocol::Response;

/// A socket to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Its tags, each of at most 256 characters (platform limit), by either of which it is found.
    pub tags: [String; 2],
    /// What survives hibernation with it, at most 16,384 bytes (platform limit).
    pub attachment: Bytes,
    /// The first message on it. Like the acceptance, it is held back until what was written before is durable.
    pub greeting: Bytes,
    /// The answer if the host cannot accept the socket, because the object has as many as it may have.
    pub otherwise: Response,
}

/// The object's end of one socket.
pub trait HibernatingSocket: Clone + 'static {
    /// Queues a message, which is held back until what was written before it is durable. There is no back-pressure.
    /// A socket that takes no message is closed: a reader that missed this one must not get the next.
    fn send(&self, message: Bytes);

    /// Closes the socket after the messages sent before.
    fn close(&self);

    /// What was attached when it was accepted.
    fn attachment(&self) -> Bytes;
}

/// What becomes of sockets after a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// They stay open for the next message.
    Stay,
    /// They are closed.
    Close,
}

/// An object's sockets.
pub trait SocketState {
    /// One socket.
    type Socket: HibernatingSocket;

    /// Whether the object has any socket, whatever its tag, including those that an earlier instance accepted. Hosts may
    /// have to list all of them for it.
    fn has_sockets(&self) -> bool;

    /// The sockets with that tag, in any order.
    fn sockets(&self, tag: &str) -> Vec<Self::Socket>;

    /// Sends one message to each socket with that tag, as [`HibernatingSocket::send`] does, and then closes them if
    /// asked to; or does nothing if the copies together have more than `most_bytes`. Returns how many sockets there are.
    fn broadcast(&self, tag: &str, message: Bytes, after: After, most_bytes: usize) -> usize;
}

/// What comes from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// A message.
    Message(Bytes),
    /// The socket is closed, or its connection was lost: nothing more comes.
    Closed,
    /// More had arrived than may wait until somebody takes it. The rest was dropped, and nothing more comes.
    Overflowed,
    /// Nothing came in time.
    TimedOut,
}

/// A handle of the edge's end of a socket. Messages that arrive while nobody waits for them are kept, up to the limit of
/// the call that brought the socket. Dropping the handle closes the socket.
pub trait EdgeSocket: 'static {
    /// Waits for the next event, for at most `wait_ms`.
    async fn next(&self, wait_ms: u64) -> SocketEvent;
}
