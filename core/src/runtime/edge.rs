//! What an edge isolate can reach.

use super::{ActorNamespace, CallError, ClientBody, EdgeSocket, Isolate, ObjectRequest, Response};

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
