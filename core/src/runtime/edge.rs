//! What a host gives to one request at the edge.

use super::{
    Backlogs, CallError, Changes, Download, EdgeSocket, HeldBodies, Isolate, JoinedFlight, Kept, KnownProjects, KvView,
    RateLimit, Reply, StartedFlight, Upload,
};
use crate::protocol::{Address, Headers, Method, Response};

/// A client's request.
#[derive(Debug)]
pub struct Request<U> {
    /// The method.
    pub method: Method,
    /// Absolute URL: scheme, authority, path and query as they were sent (percent-encoded).
    pub url: String,
    /// The header fields that the host picked: at least those of `edge::picked_headers` that the request has.
    pub headers: Headers,
    /// The body, if there is one.
    pub body: Option<U>,
    /// What became of earlier tasks of the request.
    pub past: Past,
}

/// What became of a request's earlier tasks. They were lost with their instances: see [`EdgeEnv`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// How many instances were lost while they served the request.
    pub losses: u32,
    /// Whether one of the tasks has called an object, or the inner entrypoint. The last such call goes on:
    /// [`EdgeEnv::earlier_call`].
    pub has_called: bool,
    /// For how long the request has been served, in ms.
    pub age_ms: u64,
}

/// What one request at the edge can reach: its client, objects, and flights. Clones are of the same request.
///
/// The associated types are handles: the host keeps the thing itself (a body, a reply, a socket, a flight), and core
/// uses it without looking into it. A handle belongs to the request that it was made for, and only that request's task
/// may use it: a host refuses others, and what they wait for fails or never comes. Only a [`Self::Kept`] answer may
/// cross from one request to another, as it is plain data.
///
/// A task has at most one handle of each kind at a time, and waits for one operation at a time: hosts need not tell two
/// apart.
///
/// The host may end a request at any await without telling core: its task is then never polled again, and what its
/// handles stand for is released. Their destructors do nothing any more.
///
/// All requests of an isolate run in one instance of core, and a panic (on Workers also an overflow, or exhausted
/// memory) loses that instance with all tasks and flights in it. The host then reads the body of the request whose task
/// was being polled to its end, and answers it with `edge::answer_when_lost`, or at the inner entrypoint with
/// `edge::object_when_lost`, unless that has an answer. Each other request that has no answer is served anew in the next
/// instance: by a new task with new handles, which is told of the [`Past`]. Only the upload and the last call go on. A
/// request that has an answer ends there: if its body is being written, that ends, too.
pub trait EdgeEnv: Isolate {
    /// The client's body.
    type Upload: Upload;
    /// An object's reply. The edge has its head; the body may still be on its way.
    type Reply: Reply;
    /// A kept answer: complete, and plain data, so that several requests may answer with it. Clones share it.
    type Kept: Kept;
    /// The edge's end of a socket.
    type Socket: EdgeSocket;
    /// The body of an answer that the edge writes piece by piece.
    type Download: Download<Socket = Self::Socket, Reply = Self::Reply>;
    /// A flight that this request has started.
    type StartedFlight: StartedFlight<Self::Kept>;
    /// A flight of another request that this one has joined.
    type JoinedFlight: JoinedFlight<Self::Kept>;
    /// KV, as this request reaches it.
    type Kv: KvView;

    /// Calls the object of that class and name, which is started if it is not running.
    async fn call(&self, object: Address<'_>, message: String, along: Along<'_, Self::Upload>) -> CallOutcome<Self>;

    /// Waits for the last call that an earlier task of this request has made, and returns its outcome as [`Self::call`]
    /// would have done. For requests of which [`Past::has_called`] is true, once.
    async fn earlier_call(&self) -> CallOutcome<Self>;

    /// Asks the inner entrypoint of the same Worker for what a GET of that URL answers, without any header field. A cache
    /// of the platform may stand before it, which answers from what it has. This is a call like [`Self::call`], as far as
    /// [`Past::has_called`] and [`Self::earlier_call`] are concerned.
    ///
    /// On Workers this is `ctx.exports`, whose calls pass through Workers Cache where the deployment has it.
    async fn ask_inner(&self, url: &str) -> CallOutcome<Self>;

    /// Looks for a stored answer in the cache of this datacenter, under a key that is an absolute URL. A cache that fails,
    /// that does not answer within so many ms, or that there is none, has nothing.
    ///
    /// On Workers this is `caches.default`: answers become visible to others a few ms after they were stored, are lost
    /// at any time, and are those of this datacenter alone.
    async fn look_up(&self, key: &str, within_ms: u64) -> Option<Self::Reply>;

    /// Stores a kept answer in the cache of this datacenter, with these fields set in addition to its own. It is stored
    /// for as long as its `Cache-Control` says; whatever the cache refuses or fails at is as if it had been lost. Ends
    /// when the cache has taken it, and goes on if this request ends before.
    async fn store(&self, key: &str, kept: &Self::Kept, fields: &Headers);

    /// Removes a stored answer from the cache of this datacenter.
    async fn remove(&self, key: &str);

    /// Counts one more of what this limit is for under the key of a client, and tells whether that is within what the
    /// deployment allows there. `None` if the limit cannot be asked, or does not answer within so many ms. For limits that
    /// the deployment has.
    ///
    /// On Workers this is a rate-limit binding: each location counts by itself, and a moment late.
    async fn is_within(&self, limit: RateLimit, key: &str, within_ms: u64) -> Option<bool>;

    /// The deployment's namespace of KV. Where it has none, every call fails.
    fn kv(&self) -> &Self::Kv;

    /// Joins the flight of that key in this isolate, or starts one if there is none. Who joins is told how old the
    /// flight is, and may give it up instead of waiting for it.
    ///
    /// A flight is the work of one request for an answer that identical requests share: see [`StartedFlight`]. If the
    /// host ends the request that flies it, the flight is lost, and nobody is told: those who have joined it wait in
    /// vain, and so may those who come next, until one of them gives it up.
    fn share(&self, key: &str) -> Sharing<Self::StartedFlight, Self::JoinedFlight>;

    /// From here on this request may go on for a while after its client has gone (on Workers 30 s). Without this call
    /// the host ends it as soon as it notices.
    fn outlive_client(&self);

    /// From here on the host ends the request as soon as its client has gone, unless it outlives it. For requests that
    /// hold much for long: on Workers watching costs as much as a quarter of an append. What an unwatched request that
    /// has ended holds is freed by and by.
    fn watch_client(&self) {}

    /// The bodies that the requests of this instance of core hold.
    fn held_bodies(&self) -> HeldBodies;

    /// What this instance of core knows of projects.
    fn known_projects(&self) -> KnownProjects;

    /// Who waits for clients in this instance of core.
    fn backlogs(&self) -> Backlogs;

    /// Reads a reply to its end and keeps it as plain data. Fails if the reply breaks off.
    async fn keep(&self, reply: Self::Reply) -> Result<Self::Kept, CallError>;

    /// Keeps a response of the edge's own as plain data.
    fn keep_own(&self, response: Response) -> Self::Kept;

    /// Answers the client. The first answer of a request counts, and later ones are ignored.
    fn answer(&self, response: Response);

    /// Answers the client with a kept answer, changed so.
    fn answer_kept(&self, kept: Self::Kept, changes: &Changes);

    /// Answers the client with an object's reply, or a stored answer, changed so. Its body never enters core; if it
    /// breaks off, so does the client's connection.
    fn pass_on(&self, reply: Self::Reply, changes: &Changes);

    /// Answers the client with a head; the body is written from now on.
    fn open(&self, head: Response) -> Self::Download;
}

/// What goes along with the message of a call.
#[derive(Debug)]
pub enum Along<'a, U> {
    /// Nothing.
    Nothing,
    /// The client's body, which has been read.
    Body(&'a U),
    /// The information that the edge can wait on a socket: an object answers with a socket only then.
    Waiting {
        /// How many bytes may have arrived on the socket and not been taken. With a message that makes them more, the
        /// host closes the socket, and tells so once the others are taken.
        most_bytes: usize,
    },
}

/// What an object answered to a call, or why there is no answer.
pub type CallOutcome<E> = Result<Called<<E as EdgeEnv>::Reply, <E as EdgeEnv>::Socket>, CallError>;

/// What an object answered to a call, as the edge sees it.
#[derive(Debug)]
pub enum Called<R, S> {
    /// A reply.
    Reply(R),
    /// A socket. The first message on it is its greeting.
    Socket(S),
}

/// How a request takes part in a flight.
#[derive(Debug)]
pub enum Sharing<S, J> {
    /// It has started the flight: it does the work and lands the flight.
    Started(S),
    /// It has joined the flight of another request, and waits until that lands.
    Joined {
        /// The flight.
        flight: J,
        /// How long ago the flight was started, in ms.
        age_ms: u64,
    },
}
