//! What an edge isolate can reach, and its ends of sockets.

use bytes::Bytes;

use super::{ActorNamespace, CallError, ClientBody, Isolate, ObjectRequest, Response};

/// What an edge isolate can reach.
pub trait EdgeEnv: Isolate {
    /// The namespace of stream objects.
    type Streams: SocketNamespace;

    /// The body of an answer that goes on and on.
    type Body: ClientBody<Socket = <Self::Streams as SocketNamespace>::Socket>;

    /// The stream objects.
    fn streams(&self) -> &Self::Streams;
}

/// What a connection to an object has become, seen from the edge.
#[derive(Debug)]
pub enum Connected<S> {
    /// The object answered.
    Answer(Response),
    /// It waits on a socket, on which its greeting comes first.
    Socket(S),
}

/// A namespace of objects that accept sockets.
pub trait SocketNamespace: ActorNamespace {
    /// The edge's end of a socket.
    type Socket: EdgeSocket;

    /// Calls the object's `connect`.
    async fn connect(&self, object: &str, request: ObjectRequest) -> Result<Connected<Self::Socket>, CallError>;
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
