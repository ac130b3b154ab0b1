//! An edge for tests whose objects and clients do what a script says, and which notes down what is done to them. Time
//! passes only where something is waited for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::LiveRead;
use crate::protocol::live::{LiveMessage, Position};
use crate::protocol::message::{Live, Message, Operation, Read};
use crate::protocol::sse::Encoding;
use crate::protocol::{Offset, ReadFrom};
use crate::runtime::{
    ActorNamespace, CallError, ClientBody, Connected, EdgeEnv, EdgeSocket, Flights, Isolate, Landing, ObjectRequest,
    Patience, PipeEnd, PipeRule, Piped, Response, Shared, SocketEvent, SocketNamespace, Written,
};

/// When every script begins.
pub(super) const START_MS: u64 = 1_000_000;

/// What an object does with a connection.
pub(super) enum Reply {
    Answer(Response),
    Socket(Vec<Happens>),
    Fails,
}

/// What happens on a socket, or to the client at that moment.
pub(super) enum Happens {
    Message(Bytes),
    Cut,
    /// The next message is more than the client takes.
    ClientStalls(Bytes),
    ClientLeaves,
}

/// The script and its notes; clones share it.
#[derive(Clone)]
pub(super) struct Scripted(Rc<Stage>);

struct Stage {
    now_ms: Cell<u64>,
    replies: RefCell<VecDeque<Reply>>,
    notes: RefCell<Vec<String>>,
    /// Flights of others that whoever shares joins, in turn.
    flights: RefCell<VecDeque<Landing>>,
}

pub(super) struct ScriptedSocket {
    stage: Rc<Stage>,
    happens: RefCell<VecDeque<Happens>>,
}

pub(super) struct ScriptedBody(Rc<Stage>);

impl Scripted {
    pub(super) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(Rc::new(Stage {
            now_ms: Cell::new(START_MS),
            replies: RefCell::new(replies.into_iter().collect()),
            notes: RefCell::default(),
            flights: RefCell::default(),
        }))
    }

    pub(super) fn with_flights(self, flights: impl IntoIterator<Item = Landing>) -> Self {
        self.0.flights.borrow_mut().extend(flights);
        self
    }

    pub(super) fn body(&self) -> ScriptedBody {
        ScriptedBody(self.0.clone())
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.0.notes.borrow().clone()
    }

    /// Runs what waits for nothing but the script; `None` where it waits for anything else.
    pub(super) fn run<T>(future: impl Future<Output = T>) -> Option<T> {
        future.now_or_never()
    }
}

impl Stage {
    fn note(&self, what: impl Into<String>) {
        self.notes.borrow_mut().push(what.into());
    }

    fn pass(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }
}

impl Isolate for Scripted {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    async fn sleep_ms(&self, ms: u64) {
        self.0.note(format!("sleep {ms}"));
        self.0.pass(ms);
    }
}

impl EdgeEnv for Scripted {
    type Streams = Self;
    type Body = ScriptedBody;

    fn streams(&self) -> &Self {
        self
    }
}

impl ActorNamespace for Scripted {
    async fn call(&self, _object: &str, _request: ObjectRequest) -> Result<Response, CallError> {
        Err(CallError::Exception("a live read connects".to_owned()))
    }
}

impl SocketNamespace for Scripted {
    type Socket = ScriptedSocket;

    async fn connect(&self, object: &str, request: ObjectRequest) -> Result<Connected<ScriptedSocket>, CallError> {
        let message = Message::decode(&request.message).map(|message| message.operation);
        let Some(Operation::Read(read)) = message else {
            self.0.note(format!("{object}: no read: {}", request.message));
            return Err(CallError::Reset);
        };
        let cursor = read.cursor.map_or(String::new(), |cursor| format!(" cursor {cursor}"));
        self.0.note(format!("ask {}{cursor}", read.from));
        match self.0.replies.borrow_mut().pop_front() {
            Some(Reply::Answer(response)) => Ok(Connected::Answer(response)),
            Some(Reply::Socket(happens)) => {
                let happens = RefCell::new(happens.into_iter().collect());
                Ok(Connected::Socket(ScriptedSocket { stage: self.0.clone(), happens }))
            }
            Some(Reply::Fails) | None => Err(CallError::Reset),
        }
    }
}

impl Flights for Scripted {
    async fn share<F>(&self, _key: String, flight: F) -> Shared
    where
        F: Future<Output = Landing> + 'static,
    {
        let others = self.0.flights.borrow_mut().pop_front();
        match others {
            Some(landing) => Shared { landing, joined: true },
            None => Shared { landing: flight.await, joined: false },
        }
    }
}

impl EdgeSocket for ScriptedSocket {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        let next = self.happens.borrow_mut().pop_front();
        match next {
            Some(Happens::Message(bytes) | Happens::ClientStalls(bytes)) => SocketEvent::Message(bytes),
            Some(Happens::Cut | Happens::ClientLeaves) => SocketEvent::Closed,
            None => {
                self.stage.pass(wait_ms);
                SocketEvent::TimedOut
            }
        }
    }
}

impl Drop for ScriptedSocket {
    fn drop(&mut self) {
        self.stage.note("close");
    }
}

impl ClientBody for ScriptedBody {
    type Socket = ScriptedSocket;

    async fn write(&self, bytes: Bytes, _patience: Patience) -> Written {
        self.0.note(format!("write {}", short(&bytes)));
        Written::Taken
    }

    async fn pipe(&self, socket: &ScriptedSocket, rule: PipeRule, patience: Patience) -> Piped {
        let mut last = None;
        loop {
            let next = socket.happens.borrow_mut().pop_front();
            let (bytes, stalls) = match next {
                Some(Happens::Message(bytes)) => (bytes, false),
                Some(Happens::ClientStalls(bytes)) => (bytes, true),
                Some(Happens::Cut) => return Piped { last, end: PipeEnd::Closed },
                Some(Happens::ClientLeaves) => return Piped { last, end: PipeEnd::Gone },
                None => {
                    self.0.pass(patience.wait_ms);
                    return Piped { last, end: PipeEnd::TimedOut };
                }
            };
            if !bytes.starts_with(rule.prefix) {
                return Piped { last, end: PipeEnd::Message(bytes) };
            }
            self.0.note(format!("pipe {}", short(&bytes.slice(rule.header_length..))));
            last = Some(bytes.slice(..rule.header_length));
            if stalls {
                return Piped { last, end: PipeEnd::Overflow };
            }
        }
    }
}

/// Events in short: payloads, and what control events say, with positions of the first segment alone.
fn short(events: &[u8]) -> String {
    let text = String::from_utf8_lossy(events).replace("event: data\ndata:", "").replace("event: control\ndata:", "");
    text.replace(&format!("{}_", "0".repeat(16)), "").replace("000000000000000", "").replace("\n\n", "")
}

/// A position of the first segment.
pub(super) fn at(position: u64) -> Offset {
    Offset { read_seq: 0, position }
}

/// A live read of the stream `o`.
pub(super) fn live(from: ReadFrom, mode: Live, cursor: Option<u64>) -> LiveRead {
    let operation = Operation::Read(Read { from, if_none_match: None, live: Some(mode), cursor });
    let message = Message { allow_origin: Some("*".to_owned()), debug: false, operation }.encode();
    LiveRead { object: "o".to_owned(), message, mode }
}

/// The greeting at that position of an object whose clock is half a second ahead.
pub(super) fn greeting(position: u64) -> Happens {
    let position = Position { next: at(position), commit_ms: START_MS };
    let joined = LiveMessage::Joined { position, now_ms: START_MS + 500, encoding: Encoding::Text };
    Happens::Message(joined.encode())
}

/// An event that ends at that position, committed so many ms after the start.
pub(super) fn event(position: u64, text: &'static str, closed: bool) -> Bytes {
    let commit_ms = START_MS + position;
    let position = Position { next: at(position), commit_ms };
    LiveMessage::event(position, commit_ms, closed, Encoding::Text, text.as_bytes())
}
