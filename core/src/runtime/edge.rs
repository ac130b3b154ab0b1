//! What an edge isolate gives to one request.

use super::{CallError, Download, EdgeSocket, Isolate, JoinedFlight, Kept, Reply, StartedFlight, Upload};
use crate::protocol::{Headers, Method, Response};

/// A client's request.
#[derive(Debug)]
pub struct Request<U> {
    /// The method.
    pub method: Method,
    /// Absolute URL: scheme, authority, path and query as they were sent (percent-encoded).
    pub url: String,
    /// The fields the host picked; at least those of `edge::PICKED_HEADERS` that the request has.
    pub headers: Headers,
    /// The body, if there is one.
    pub body: Option<U>,
}

/// What one request at the edge can reach, and its client. Clones are of the same request.
///
/// Handles (bodies, replies, sockets, flights) belong to the request that they were made for, and only a task of that
/// request may use them: a host refuses others, and whatever they wait for fails or never comes. What may cross from
/// request to request is a [`Self::Kept`] answer, which is plain data.
///
/// A request may end without a word, at any await: its task is never polled again, and its handles go.
pub trait EdgeEnv: Isolate {
    /// The client's body.
    type Upload: Upload;
    /// An object's reply whose body the edge has not looked at, and which may still be on its way.
    type Reply: Reply;
    /// A complete answer as plain data. Clones share it.
    type Kept: Kept;
    /// The edge's end of a socket.
    type Socket: EdgeSocket;
    /// The body of an answer that goes on and on.
    type Download: Download<Socket = Self::Socket, Reply = Self::Reply>;
    /// A flight that this request has started.
    type StartedFlight: StartedFlight<Self::Kept>;
    /// A flight of another request that this one has joined.
    type JoinedFlight: JoinedFlight<Self::Kept>;

    /// Calls the stream object of that name, starting it if it is not running.
    async fn call(&self, object: &str, message: String, along: Along<'_, Self::Upload>) -> CallOutcome<Self>;

    /// Joins the flight of that key, or starts it where there is none.
    ///
    /// Flights are those of this isolate. It may lose one without a word, as the request that flies it may end without
    /// a word: then those who have joined wait in vain, and whoever comes next joins in vain, or starts it anew.
    fn share(&self, key: &str) -> Sharing<Self::StartedFlight, Self::JoinedFlight>;

    /// From here on this request goes on for a while when its client has gone (on Workers 30 s); others end at once.
    fn outlive_client(&self);

    /// Reads a reply to its end, after which it is plain data. Fails where it breaks off.
    async fn keep(&self, reply: Self::Reply) -> Result<Self::Kept, CallError>;

    /// A response of the edge's own as plain data.
    fn keep_own(&self, response: Response) -> Self::Kept;

    /// Answers the client. Of the answers of a request the first one counts.
    fn answer(&self, response: Response);

    /// Answers the client with a kept answer.
    fn answer_kept(&self, kept: Self::Kept);

    /// Answers the client with an object's reply as it is: its body goes past the edge. Where it breaks off, so does the
    /// client's connection.
    fn pass_on(&self, reply: Self::Reply);

    /// Answers the client with a head; the body is written from now on.
    fn open(&self, head: Response) -> Self::Download;
}

/// What goes along with the message of a call.
#[derive(Debug)]
pub enum Along<'a, U> {
    /// Nothing.
    Nothing,
    /// What was read of the client's body.
    Body(&'a U),
    /// That the edge can wait on a socket: an object answers with one only then.
    Waiting,
}

/// What came of a call.
pub type CallOutcome<E> = Result<Called<<E as EdgeEnv>::Reply, <E as EdgeEnv>::Socket>, CallError>;

/// What an object that was called has answered, seen from the edge.
#[derive(Debug)]
pub enum Called<R, S> {
    /// A reply.
    Reply(R),
    /// A socket, on which its greeting comes first.
    Socket(S),
}

/// How a request takes part in a flight.
#[derive(Debug)]
pub enum Sharing<S, J> {
    /// It has to fly it.
    Started(S),
    /// Another request flies it.
    Joined(J),
}
