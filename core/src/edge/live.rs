//! What long-polls and connections with events have in common: asking the object, its clock, and the pauses before it
//! is asked again.

use super::cached::Caching;
use crate::mutant::mutated;
use crate::protocol::limits::PULL_SPREAD_LIMIT_MS;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::message::{Live, Message, Operation, Read};
use crate::protocol::sse::Encoding;
use crate::protocol::{Address, Admission, ReadFrom, Readership, cursor};
use crate::runtime::{Along, CallError, Called, EdgeEnv, EdgeSocket, Isolate, SocketEvent, marks};

/// Bounds of the pause before an object that has failed is asked again, in ms. Our choice: after a reset, readers are
/// back within a few of the first pauses, and an object that goes on failing is asked seldom.
const FIRST_PAUSE_MS: u64 = 100;
const LONGEST_PAUSE_MS: u64 = 5_000;

/// How long the greeting of an accepted socket may take, in ms. Our choice: the object sends it with the acceptance.
const GREETING_MS: u64 = 10_000;

/// A live read. The edge may ask its object several times, each time from the position that the reader has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRead {
    /// The object's name.
    pub object: String,
    /// What the edge has found out about its client.
    pub admission: Admission,
    /// Whether the answer has debug headers about the instance that gave it.
    pub debug: bool,
    /// Long-poll or events.
    pub mode: Live,
    /// What is read.
    pub read: Read,
    /// When the client's token expires, by the edge's clock, in ms since the Unix epoch; `None` for a client that needs
    /// none.
    pub until_ms: Option<u64>,
    /// Whether a browser's `EventSource` goes on by itself where its last connection ended (`Last-Event-ID`).
    pub resumes: bool,
    /// How the cache of the datacenter takes part, if it does.
    pub caching: Option<Caching>,
    /// The URL of which the inner entrypoint is asked by a gateway; `None` if a gateway would serve it by itself.
    pub inner_url: Option<String>,
}

/// What the object answered.
pub(super) enum Asked<E: EdgeEnv> {
    /// A reply: data, the end of the stream, or a refusal.
    Reply(E::Reply),
    /// A socket to wait on, and its greeting: the reader is at the tail.
    Joined(E::Socket, Joined),
}

/// The greeting of a socket.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    pub(super) position: ReaderPosition,
    pub(super) encoding: Encoding,
    pub(super) clock: Clock,
    /// For how long after the object's answer readers may come without asking by themselves in order to start the
    /// stream's sliding TTL again, in ms; `None` for a stream without one.
    pub(super) touched_for_ms: Option<u64>,
    /// When the stream expires, by the object's clock in ms since the Unix epoch; the end of time if it does not.
    pub(super) ends_ms: u64,
    /// Who may be handed the edge's own answers by a cache that checks no token; `None` where nobody asks.
    pub(super) readers: Option<Readership>,
}

impl Joined {
    /// Milliseconds until the stream expires; `None` for never.
    pub(super) fn remaining_ms(&self, env: &impl Isolate) -> Option<u64> {
        (self.ends_ms < u64::MAX).then(|| self.ends_ms.saturating_sub(self.clock.now_ms(env)))
    }
}

/// An object's time, and the edge's time when it was told. By it, edges whose clocks differ agree on a stream's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    object_ms: u64,
    edge_ms: u64,
}

impl Clock {
    /// The object's time now, in ms since the Unix epoch.
    pub(super) fn now_ms(self, env: &impl Isolate) -> u64 {
        self.object_ms + env.now_ms().saturating_sub(self.edge_ms)
    }

    /// How long after the object told its time another time of it is, in ms.
    pub(super) fn since_ms(self, object_ms: u64) -> u64 {
        object_ms.saturating_sub(self.object_ms)
    }
}

impl LiveRead {
    fn message(&self) -> String {
        self.message_of(Operation::Read(self.read.clone()))
    }

    /// The message that asks for something else about the same stream.
    pub(super) fn message_of(&self, operation: Operation) -> String {
        let Self { admission, debug, .. } = *self;
        Message { admission, debug, body_too_large: false, body_encoded: false, operation }.encode()
    }

    /// When it ends that would go on until `ends_ms`: not later than its client's token.
    pub(super) fn end_ms(&self, ends_ms: u64) -> u64 {
        self.until_ms.map_or(ends_ms, |until_ms| until_ms.min(ends_ms))
    }

    /// Whether its client's token has expired.
    pub(super) fn has_expired(&self, env: &impl Isolate) -> bool {
        self.until_ms.is_some_and(|until_ms| env.now_ms() >= until_ms)
    }

    /// Waits until the cursor after the client's is one that this edge accepts: it may be told, and come back at once.
    /// That takes a ms at most, and nothing unless the client's is the last one that is accepted.
    pub(super) async fn hold(&self, env: &impl Isolate) {
        let Some(cursor) = self.read.cursor else { return };
        let early_ms = cursor::early_ms(cursor.saturating_add(1), env.now_ms());
        if early_ms > 0 {
            env.sometimes(marks::CURSOR_HELD);
            env.sleep_ms(early_ms).await;
        }
    }

    /// The key of its flight, which identical requests have in common. `None` for a read from `now`, which no other is
    /// identical to: `now` is another moment for each.
    pub fn flight_key(&self) -> Option<String> {
        let is_shared = self.read.from != ReadFrom::Now && !mutated!(FlightsNotShared);
        let message = || match (mutated!(FlightsSharedOverTags), mutated!(TokenlessJoiner)) {
            (true, _) => self.message_of(Operation::Read(Read { if_none_match: None, ..self.read.clone() })),
            (_, true) => Self { admission: Admission::Granted, ..self.clone() }.message(),
            _ => self.message(),
        };
        is_shared.then(|| format!("{}\n{}", self.object, message()))
    }

    /// Asks the object. On a socket, `most_bytes` may have arrived and not been taken. Fails if it does not answer, or if its greeting is of a version that this one does not know.
    pub(super) async fn ask<E: EdgeEnv>(&self, env: &E, most_bytes: usize) -> Result<Asked<E>, CallError> {
        let socket =
            match env.call(Address::stream(&self.object), self.message(), Along::Waiting { most_bytes }).await? {
                Called::Reply(reply) => return Ok(Asked::Reply(reply)),
                Called::Socket(socket) => socket,
            };
        let SocketEvent::Message(greeting) = socket.next(GREETING_MS).await else {
            return Err(CallError::Reset);
        };
        match LiveMessage::decode(greeting) {
            Some(LiveMessage::Joined { position, now_ms, touched_until_ms, ends_ms, encoding, readers }) => {
                let clock = Clock { object_ms: now_ms, edge_ms: env.now_ms() };
                let has_ttl = touched_until_ms < u64::MAX;
                let touched_for_ms = has_ttl.then(|| touched_until_ms.saturating_sub(now_ms));
                let readers = readers.filter(|_| self.admission.is_guarded());
                Ok(Asked::Joined(socket, Joined { position, encoding, clock, touched_for_ms, ends_ms, readers }))
            }
            _ => Err(CallError::Exception("a greeting that this version does not know".to_owned())),
        }
    }
}

/// Whether an answer of this status is to be ignored and the object asked again, where the position asked for is one
/// that the object has told. A status from 500 on is a failure of the object. A 400 comes from a superseded instance,
/// which does not know the position.
pub(super) fn is_passing(status: u16) -> bool {
    status >= 500 || status == 400
}

/// The pauses before an object that has failed is asked again.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// Has the next pause be a first one again, since the object has answered.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits after a failure: about twice as long each time, by a random part so that readers do not return all at
    /// once, and not beyond `until_ms`.
    pub(super) async fn pause<E: EdgeEnv>(&mut self, env: &E, until_ms: u64) {
        let most_ms = FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE_MS);
        self.failures = self.failures.saturating_add(1);
        let pause_ms = most_ms / 2 + env.random() % (most_ms / 2 + 1);
        env.sleep_ms(pause_ms.min(until_ms.saturating_sub(env.now_ms()))).await;
    }
}

/// Waits for a moment of the reader's own, which has been told to read from the log along with many others: within
/// `spread_ms`, and not beyond `until_ms`.
pub(super) async fn await_turn<E: EdgeEnv>(env: &E, spread_ms: u32, until_ms: u64) {
    // An object of another release may say more than this one believes.
    let spread_ms = u64::from(spread_ms).min(PULL_SPREAD_LIMIT_MS);
    let wait_ms = (spread_ms - env.random() % (spread_ms + 1)).min(until_ms.saturating_sub(env.now_ms()));
    if wait_ms > 0 {
        env.sometimes(marks::LIVE_PULL_SPREAD);
        env.sleep_ms(wait_ms).await;
    }
}
