//! What both ways of a live read have in common: asking the object, its clock, and how soon it is asked again.

use crate::protocol::ReadFrom;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::message::{Live, Message, Operation, Read};
use crate::protocol::sse::Encoding;
use crate::runtime::{Along, CallError, Called, EdgeEnv, EdgeSocket, Isolate, SocketEvent};

/// The shortest and the longest pause before an object that has failed is asked again, in ms. Our choice: readers that a
/// reset has cut come back within a few of the first, and an object that stays away is left in peace.
const FIRST_PAUSE_MS: u64 = 100;
const LONGEST_PAUSE_MS: u64 = 5_000;

/// How long the greeting of an accepted socket may take, in ms. Our choice: it left with the acceptance.
const GREETING_MS: u64 = 10_000;

/// A live read. It is asked again and again, each time from where its reader is by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRead {
    /// The object's name.
    pub object: String,
    /// The value of `Access-Control-Allow-Origin`, if there is one.
    pub allow_origin: Option<String>,
    /// Whether the answer tells about the instance that gave it.
    pub debug: bool,
    /// How it waits.
    pub mode: Live,
    /// What is read.
    pub read: Read,
}

/// What the object said.
pub(super) enum Asked<E: EdgeEnv> {
    /// There is something to tell at once.
    Reply(E::Reply),
    /// The reader is at the tail, and waits.
    Joined(E::Socket, Joined),
}

/// The greeting of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    pub(super) position: ReaderPosition,
    pub(super) encoding: Encoding,
    pub(super) clock: Clock,
}

/// An object's clock, kept with the edge's: edges whose clocks differ agree on the time of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    object_ms: u64,
    edge_ms: u64,
}

impl Clock {
    /// The object's time.
    pub(super) fn now_ms(self, env: &impl Isolate) -> u64 {
        self.object_ms + env.now_ms().saturating_sub(self.edge_ms)
    }
}

impl LiveRead {
    fn message(&self) -> String {
        let operation = Operation::Read(self.read.clone());
        let (allow_origin, debug) = (self.allow_origin.clone(), self.debug);
        Message { allow_origin, debug, body_too_large: false, operation }.encode()
    }

    /// What identical requests have in common. `None` for one that no other can be identical to: `now` is another moment
    /// for each.
    pub fn flight_key(&self) -> Option<String> {
        (self.read.from != ReadFrom::Now).then(|| format!("{}\n{}", self.object, self.message()))
    }

    /// Asks the object. An error is for one that did not answer, or does not speak our version.
    pub(super) async fn ask<E: EdgeEnv>(&self, env: &E) -> Result<Asked<E>, CallError> {
        let socket = match env.call(&self.object, self.message(), Along::Waiting).await? {
            Called::Reply(reply) => return Ok(Asked::Reply(reply)),
            Called::Socket(socket) => socket,
        };
        let SocketEvent::Message(greeting) = socket.next(GREETING_MS).await else {
            return Err(CallError::Reset);
        };
        match LiveMessage::decode(greeting) {
            Some(LiveMessage::Joined { position, now_ms, encoding }) => {
                let clock = Clock { object_ms: now_ms, edge_ms: env.now_ms() };
                Ok(Asked::Joined(socket, Joined { position, encoding, clock }))
            }
            _ => Err(CallError::Exception("a greeting that this version does not know".to_owned())),
        }
    }
}

/// Whether an answer of this status about a position that the object itself has told says nothing about its stream: the
/// object failed, or one whose time is over does not know the position yet.
pub(super) fn is_passing(status: u16) -> bool {
    status >= 500 || status == 400
}

/// How soon an object is asked again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// Something has come: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits after a failure, longer each time, and not beyond `until_ms`. No two readers wait alike.
    pub(super) async fn pause<E: EdgeEnv>(&mut self, env: &E, until_ms: u64) {
        let most_ms = FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE_MS);
        self.failures = self.failures.saturating_add(1);
        let pause_ms = most_ms / 2 + random(env) % (most_ms / 2 + 1);
        env.sleep_ms(pause_ms.min(until_ms.saturating_sub(env.now_ms()))).await;
    }
}

/// A random number.
pub(super) fn random(env: &impl Isolate) -> u64 {
    let mut bytes = [0; 8];
    env.fill_random(&mut bytes);
    u64::from_be_bytes(bytes)
}
