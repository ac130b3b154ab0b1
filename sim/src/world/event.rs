//! What happens in a world, as its trace records it.

use std::fmt;
use std::ops::Range;

use tailrace_core::protocol::Method;

use crate::world::cache::Visited;
use crate::world::front::FrontVisited;
use crate::world::harm::Harm;
use crate::world::lost::Lost;

/// Something that happens: where, what, and for which client's request.
#[derive(Hash)]
pub(crate) struct Event<'a> {
    /// Where it happens.
    pub(crate) lane: Lane<'a>,
    /// What happens.
    pub(crate) what: What<'a>,
    /// The number of the client's request for which it happens, if there is one.
    pub(crate) cause: Option<u64>,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.lane, self.what)?;
        self.cause.map_or(Ok(()), |request| write!(formatter, " (request {request})"))
    }
}

/// Where something happens.
#[derive(Clone, Copy, Hash)]
pub(crate) enum Lane<'a> {
    /// In the whole world.
    World,
    /// At a client.
    Client,
    /// In an edge isolate, by its index.
    Isolate(usize),
    /// At the edge, in whichever isolate.
    Edge,
    /// At an object of this name, whichever instance of it runs.
    Object(&'a str),
    /// In an instance of an object, by its label.
    Instance(&'a str),
    /// In R2.
    Bucket,
    /// At what stands in front of the isolates.
    Front,
    /// In KV.
    Kv,
}

impl fmt::Display for Lane<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => formatter.write_str("world"),
            Self::Client => formatter.write_str("client"),
            Self::Isolate(index) => write!(formatter, "isolate {index}"),
            Self::Edge => formatter.write_str("edge"),
            Self::Object(label) | Self::Instance(label) => formatter.write_str(label),
            Self::Bucket => formatter.write_str("bucket"),
            Self::Front => formatter.write_str("front"),
            Self::Kv => formatter.write_str("kv"),
        }
    }
}

macro_rules! whats {
    ($($(#[doc = $doc:literal])* $variant:ident $({ $($field:ident: $kind:ty),* })? = $text:literal;)*) => {
        /// What happens.
        #[derive(Hash)]
        #[allow(missing_docs)] // The fields' names and types say what they are.
        pub(crate) enum What<'a> {
            $($(#[doc = $doc])* $variant $({ $($field: $kind),* })?,)*
        }

        impl fmt::Display for What<'_> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),* })? => write!(formatter, $text),)*
                }
            }
        }
    };
}

whats! {
    /// A client asks.
    Asked { method: Method, url: &'a str } = "{method:?} {url}";
    /// A client has its answer, or the head of it.
    Answered { status: u16 } = "is answered {status}";
    /// A client has no answer.
    Unanswered { lost: Lost } = "has no answer: {lost:?}";
    /// A fault touches a request.
    Harmed { harm: Harm } = "harm: {harm:?}";
    /// All faults end.
    Calmed = "calm";
    /// The host of a datacenter fails.
    HostFails { colo: usize } = "the host of colo {colo} fails";
    /// A datacenter is cut off from the others.
    CutOff { colo: usize, for_ms: u64 } = "colo {colo} is cut off for {for_ms} ms";
    /// An isolate restarts.
    Restarted = "restarts";
    /// An isolate has died of idleness, and begins anew.
    BegunAnew = "has died of idleness, and begins anew";
    /// The handle of a request is refused to the task of another one.
    HandleRefused = "a handle is refused to another request";
    /// A gateway asks the inner entrypoint.
    InnerAsked { url: &'a str } = "asks the inner entrypoint for {url}";
    /// A call arrives at an object.
    Called { message: &'a str } = "call {message:.60}";
    /// An object answers a call.
    Answers { status: u16, superseded: bool } = "answers {status}, superseded: {superseded}";
    /// An instance has run its constructor.
    Started = "started";
    /// An instance loses its memory with the instance of core.
    LostCore = "loses core";
    /// A deploy begins.
    Deploys { release: u32 } = "release {release} is deployed";
    /// An instance ends.
    Ended { why: &'a str } = "ends, {why}";
    /// Another instance takes over.
    Superseded = "superseded";
    /// An object keeps some of its unconfirmed writes.
    Kept { kept: u64, unconfirmed: u64 } = "keeps {kept} of {unconfirmed} writes";
    /// An object's alarm goes off.
    Alarm = "alarm";
    /// The alarm service rejects a setting.
    AlarmRejected = "its alarm is rejected";
    /// The handler of an alarm has failed.
    AlarmFailed { message: &'a str } = "alarm failed: {message}";
    /// The handler of an alarm was cut off.
    AlarmCutOff = "alarm cut off";
    /// An object accepts a socket.
    SocketAccepted { number: u64 } = "accepts socket {number}";
    /// The platform does not accept a socket.
    SocketRefused { why: &'a str } = "a socket is refused: {why}";
    /// The edge has closed its end of a socket.
    SocketClosed { number: u64 } = "socket {number} closed";
    /// R2 is down, or KV.
    Down { for_ms: u64 } = "down for {for_ms} ms";
    /// R2 stores an object.
    Put { key: &'a str, bytes: usize, how: &'a str } = "put {key}, {bytes} bytes, {how}";
    /// R2 reads an object.
    Get { key: &'a str, range: Range<u64> } = "get {key}, {range:?}";
    /// R2 deletes an object.
    Deleted { key: &'a str } = "delete {key}";
    /// R2 lists objects.
    Listed { prefix: &'a str, objects: usize } = "list {prefix}, {objects} objects";
    /// An isolate looks into the cache of its datacenter, or stores something there.
    CacheVisited { key: &'a str, visited: Visited } = "cache: {visited:?}, {key}";
    /// A request comes to something at what stands in front of the isolates.
    FrontVisited { key: &'a str, visited: FrontVisited } = "{visited:?}, {key}";
    /// KV stores a text. Texts are secrets: none is written down.
    KvPut { key: &'a str, bytes: usize, note: &'a str, how: &'a str } = "put {key}, {bytes} bytes, note {note:?}, {how}";
    /// KV refuses a put.
    KvRefused { key: &'a str } = "put {key} is refused, it comes too soon";
    /// A datacenter gives what it knows of a key of KV.
    KvRead { key: &'a str, colo: usize, bytes: Option<usize>, old_ms: u64 } = "colo {colo} gets {key}, {bytes:?} bytes, as {old_ms} ms ago";
    /// KV lists keys.
    KvListed { keys: usize, old_ms: u64 } = "list, {keys} keys, as {old_ms} ms ago";
}
