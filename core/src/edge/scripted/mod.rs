//! An edge for tests. Its objects and clients do what a script says, and it notes down what is done to them. Its time
//! passes only during waits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `flight` | flights, its own and those of others |
//! | `socket` | sockets of scripted objects |
//! | `upload` | the body of a client's request |
//! | `kv` | KV |
//! | `download` | the body of a client's answer |

mod download;
mod flight;
mod kv;
mod socket;
mod upload;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;

use download::ScriptedDownload;
pub(super) use flight::UnderWay;
use flight::{OthersFlight, ScriptedFlight};
use kv::ScriptedKv;
use socket::ScriptedSocket;
pub(super) use upload::ScriptedUpload;

use super::config::{Access, EdgeConfig, LiveConfig, Rates};
use super::live::LiveRead;
use super::sse::listen;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::message::{Live, Message, Operation, Read};
use crate::protocol::sse::Encoding;
use crate::protocol::{
    Address, Admission, CachePolicy, Class, Headers, MemoryLimits, Offset, Origins, ProjectMode, ReadFrom, Response,
    header,
};
use crate::runtime::{
    Along, Backlogs, CallError, CallOutcome, Called, Changes, EdgeEnv, HeldBodies, Isolate, Kept, KnownProjects,
    RateLimit, Reply, Sharing,
};

/// When every script begins, in ms since the Unix epoch.
pub(super) const START_MS: u64 = 1_000_000;

/// What an object does with a call.
pub(super) enum Says {
    Reply(Response),
    /// A reply that breaks off after its head.
    Torn(Response),
    /// A reply that comes so many ms after the question.
    Late(Response, u64),
    /// A reply that the client takes so many ms to take.
    Slow(Response, u64),
    Socket(Vec<Happens>),
    Fails,
}

/// What happens on a socket, and to the client with it.
pub(super) enum Happens {
    Message(Bytes),
    Cut,
    /// More had arrived than may wait.
    Overflow,
    /// Nothing, for so many ms.
    Quiet(u64),
    /// A message, after which more bytes wait for the client than may.
    ClientStalls(Bytes),
    /// A message, of which a byte then waits for the client for two seconds, if nothing else is written.
    Waits(Bytes),
    /// A message; when the edge passes it on, it learns that the client has gone.
    ClientLeaves(Bytes),
}

/// The script and its notes; clones share it.
#[derive(Clone)]
pub(super) struct Scripted(Rc<Stage>);

struct Stage {
    now_ms: Cell<u64>,
    says: RefCell<VecDeque<Says>>,
    notes: RefCell<Vec<String>>,
    /// The flights of other requests, which `share` joins in turn.
    flights: RefCell<VecDeque<UnderWay>>,
    /// What the cache of the datacenter has, by key.
    stored: RefCell<BTreeMap<String, Response>>,
    /// How often it was looked up.
    looks: Cell<u32>,
    /// The keys of the flights that were started or joined.
    shared: RefCell<Vec<String>>,
    /// What the object was told of the client, each time it was asked.
    admissions: RefCell<Vec<Admission>>,
    debugs: RefCell<Vec<bool>>,
    /// What limits say in turn; those that are asked once more allow it.
    rates: RefCell<VecDeque<Option<bool>>>,
    /// Whether that cache never answers.
    is_cache_stuck: Cell<bool>,
    kv: ScriptedKv,
    /// The first answer.
    answer: RefCell<Option<Response>>,
    /// Whether more bytes wait for the client than may.
    stalls: Cell<bool>,
    /// Whether the client leaves a byte of what it is sent next.
    leaves: Cell<bool>,
    /// Whether a byte waits for the client.
    lingers: Cell<bool>,
    /// Whether something waits for the client, and more than may.
    waits: Cell<bool>,
    /// How long the client takes for what it was sent last, in ms.
    takes_ms: Cell<u64>,
    /// Whether the client has gone.
    gone: Cell<bool>,
    held: HeldBodies,
    held_at_drain: Cell<Option<usize>>,
    backlogs: Backlogs,
    known_projects: KnownProjects,
    /// What waits for all clients, at each look in turn; nothing after the last one.
    waiting: RefCell<VecDeque<usize>>,
}

/// The reply of a scripted object.
pub(super) struct ScriptedReply {
    response: Response,
    is_torn: bool,
}

impl Scripted {
    pub(super) fn new(says: impl IntoIterator<Item = Says>) -> Self {
        Self(Rc::new_cyclic(|stage| Stage {
            now_ms: Cell::new(START_MS),
            says: RefCell::new(says.into_iter().collect()),
            notes: RefCell::default(),
            flights: RefCell::default(),
            stored: RefCell::default(),
            looks: Cell::default(),
            shared: RefCell::default(),
            admissions: RefCell::default(),
            debugs: RefCell::default(),
            rates: RefCell::default(),
            is_cache_stuck: Cell::default(),
            kv: ScriptedKv { stage: stage.clone(), ..ScriptedKv::default() },
            answer: RefCell::default(),
            stalls: Cell::default(),
            leaves: Cell::default(),
            lingers: Cell::default(),
            waits: Cell::default(),
            takes_ms: Cell::default(),
            gone: Cell::default(),
            held: HeldBodies::default(),
            held_at_drain: Cell::default(),
            backlogs: Backlogs::default(),
            known_projects: KnownProjects::default(),
            waiting: RefCell::default(),
        }))
    }

    pub(super) fn with_flights(self, flights: impl IntoIterator<Item = UnderWay>) -> Self {
        self.0.flights.borrow_mut().extend(flights);
        self
    }

    /// With an answer that the cache of the datacenter has under that key.
    pub(super) fn with_stored(self, key: &str, answer: Response) -> Self {
        self.0.stored.borrow_mut().insert(key.to_owned(), answer);
        self
    }

    /// With a cache of the datacenter that never answers a look.
    pub(super) fn with_stuck_cache(self) -> Self {
        self.0.is_cache_stuck.set(true);
        self
    }

    /// What the cache of the datacenter has under that key.
    pub(super) fn stored(&self, key: &str) -> Option<Response> {
        self.0.stored.borrow().get(key).cloned()
    }

    /// How often the cache of the datacenter was looked up.
    pub(super) fn looks(&self) -> u32 {
        self.0.looks.get()
    }

    /// The keys of the flights that were started or joined.
    pub(super) fn shared(&self) -> Vec<String> {
        self.0.shared.borrow().clone()
    }

    /// What the object was told of the client, each time it was asked.
    pub(super) fn admissions(&self) -> Vec<Admission> {
        self.0.admissions.borrow().clone()
    }

    /// Whether the object was to tell about itself, each time it was asked.
    pub(super) fn debugs(&self) -> Vec<bool> {
        self.0.debugs.borrow().clone()
    }

    /// KV, as its requests reach it.
    pub(super) fn kv_store(&self) -> &ScriptedKv {
        &self.0.kv
    }

    /// The next request is answered anew.
    pub(super) fn forget_answer(&self) {
        self.0.answer.replace(None);
    }

    /// Time passes.
    pub(super) fn pass_ms(&self, ms: u64) {
        self.0.pass(ms);
    }

    pub(super) fn with_rates(self, rates: impl IntoIterator<Item = Option<bool>>) -> Self {
        self.0.rates.borrow_mut().extend(rates);
        self
    }

    pub(super) fn with_waiting(self, waiting: impl IntoIterator<Item = usize>) -> Self {
        self.0.waiting.borrow_mut().extend(waiting);
        self
    }

    /// How many bytes of bodies were held while one was read to be dropped, the last time.
    pub(super) fn held_at_drain(&self) -> Option<usize> {
        self.0.held_at_drain.get()
    }

    pub(super) fn upload(&self, bytes: usize, breaks: bool) -> ScriptedUpload {
        ScriptedUpload::new(self.0.clone(), bytes, breaks)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.0.notes.borrow().clone()
    }

    /// The client's answer.
    pub(super) fn answered(&self) -> Option<Response> {
        self.0.answer.borrow().clone()
    }

    /// Runs a future that waits for nothing but the script; `None` if it waits for anything else.
    pub(super) fn run<T>(future: impl Future<Output = T>) -> Option<T> {
        future.now_or_never()
    }
}

/// An edge that is open to everybody and takes a body of four bytes.
pub(super) fn config() -> EdgeConfig {
    let live = LiveConfig::default();
    let memory = MemoryLimits { bodies_bytes: 10, ..MemoryLimits::default() };
    EdgeConfig {
        access: Access::NoAuth,
        registry: None,
        projects: ProjectMode::Single,
        body_limit: 4,
        live,
        memory,
        policy: CachePolicy::default(),
        origins: Origins::Any,
        rates: Rates::default(),
    }
}

impl Stage {
    fn note(&self, what: impl Into<String>) {
        self.notes.borrow_mut().push(what.into());
    }

    fn pass(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get() + ms);
    }

    /// What the script says next of a call.
    fn outcome(self: &Rc<Self>) -> CallOutcome<Scripted> {
        match self.says.borrow_mut().pop_front() {
            Some(Says::Reply(response)) => Ok(Called::Reply(ScriptedReply { response, is_torn: false })),
            Some(Says::Slow(response, ms)) => {
                self.stalls.set(true);
                self.takes_ms.set(ms);
                Ok(Called::Reply(ScriptedReply { response, is_torn: false }))
            }
            Some(Says::Late(response, ms)) => {
                self.pass(ms);
                Ok(Called::Reply(ScriptedReply { response, is_torn: false }))
            }
            Some(Says::Torn(response)) => Ok(Called::Reply(ScriptedReply { response, is_torn: true })),
            Some(Says::Socket(happens)) => {
                let happens = RefCell::new(happens.into_iter().collect());
                Ok(Called::Socket(ScriptedSocket { stage: self.clone(), happens }))
            }
            Some(Says::Fails) | None => Err(CallError::Reset),
        }
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
    type Upload = ScriptedUpload;
    type Reply = ScriptedReply;
    type Kept = Response;
    type Socket = ScriptedSocket;
    type Download = ScriptedDownload;
    type StartedFlight = ScriptedFlight;
    type JoinedFlight = OthersFlight;
    type Kv = ScriptedKv;

    async fn call(&self, object: Address<'_>, message: String, along: Along<'_, ScriptedUpload>) -> CallOutcome<Self> {
        if object.class == Class::Project {
            let body = if matches!(along, Along::Body(_)) { " with a body" } else { "" };
            self.0.note(format!("call {object}, {message}{body}"));
            return self.0.outcome();
        }
        let Some(message) = Message::decode(&message) else {
            self.0.note(format!("{object}: no message: {message}"));
            return Err(CallError::Reset);
        };
        self.0.admissions.borrow_mut().push(message.admission);
        self.0.debugs.borrow_mut().push(message.debug);
        match message.operation {
            Operation::Read(read) if read.live.is_some() => {
                let cursor = read.cursor.map_or(String::new(), |cursor| format!(" cursor {cursor}"));
                self.0.note(format!("ask {}{cursor}", read.from));
            }
            Operation::EventRest(rest) => self.0.note(format!("ask rest of {} from {}", rest.next.position, rest.at)),
            _ => {
                let body = match along {
                    Along::Body(body) => format!(" with {} bytes", body.bytes),
                    Along::Nothing | Along::Waiting { .. } => String::new(),
                };
                let told = if message.body_too_large { ", told of a body too large" } else { "" };
                self.0.note(format!("call {object}{body}{told}"));
            }
        }
        self.0.outcome()
    }

    async fn earlier_call(&self) -> CallOutcome<Self> {
        self.0.note("earlier call");
        self.0.outcome()
    }

    async fn ask_inner(&self, url: &str) -> CallOutcome<Self> {
        self.0.note(format!("inner {url}"));
        self.0.outcome()
    }

    async fn look_up(&self, key: &str, within_ms: u64) -> Option<ScriptedReply> {
        self.0.looks.set(self.0.looks.get() + 1);
        if self.0.is_cache_stuck.get() {
            self.0.pass(within_ms);
            return None;
        }
        self.stored(key).map(|response| ScriptedReply { response, is_torn: false })
    }

    async fn store(&self, key: &str, kept: &Response, fields: &Headers) {
        let mut stored = kept.clone();
        Changes { set: fields.clone(), left_out: &[] }.apply(&mut stored.headers);
        self.0.note("store");
        self.0.stored.borrow_mut().insert(key.to_owned(), stored);
    }

    async fn remove(&self, key: &str) {
        self.0.note("remove");
        self.0.stored.borrow_mut().remove(key);
    }

    async fn is_within(&self, limit: RateLimit, key: &str, _within_ms: u64) -> Option<bool> {
        self.0.note(format!("{} {key}", limit.name()));
        self.0.rates.borrow_mut().pop_front().unwrap_or(Some(true))
    }

    fn kv(&self) -> &ScriptedKv {
        &self.0.kv
    }

    fn share(&self, key: &str) -> Sharing<ScriptedFlight, OthersFlight> {
        self.0.shared.borrow_mut().push(key.to_owned());
        match self.0.flights.borrow_mut().pop_front() {
            Some(under_way) => {
                let age_ms = under_way.age_ms;
                Sharing::Joined { flight: OthersFlight(self.0.clone(), RefCell::new(under_way)), age_ms }
            }
            None => Sharing::Started(ScriptedFlight(self.0.clone())),
        }
    }

    fn outlive_client(&self) {}

    fn watch_client(&self) {
        self.0.note("watch");
    }

    fn held_bodies(&self) -> HeldBodies {
        self.0.held.clone()
    }

    fn known_projects(&self) -> KnownProjects {
        self.0.known_projects.clone()
    }

    fn backlogs(&self) -> Backlogs {
        self.0.backlogs.clone()
    }

    async fn keep(&self, reply: ScriptedReply) -> Result<Response, CallError> {
        if reply.is_torn { Err(CallError::Reset) } else { Ok(reply.response) }
    }

    fn keep_own(&self, response: Response) -> Response {
        response
    }

    fn answer(&self, response: Response) {
        self.0.answer.borrow_mut().get_or_insert(response);
    }

    fn answer_kept(&self, mut kept: Response, changes: &Changes) {
        changes.apply(&mut kept.headers);
        self.answer(kept);
    }

    fn pass_on(&self, mut reply: ScriptedReply, changes: &Changes) {
        changes.apply(&mut reply.response.headers);
        self.answer(reply.response);
    }

    fn open(&self, head: Response) -> ScriptedDownload {
        self.answer(head);
        ScriptedDownload(self.0.clone())
    }
}

impl Reply for ScriptedReply {
    fn head(&self) -> Response {
        self.response.clone().without_body()
    }
}

impl Kept for Response {
    fn status(&self) -> u16 {
        self.status
    }

    fn head(&self) -> Response {
        self.clone().without_body()
    }
}

/// The offset of a position in the first segment.
pub(super) fn at(position: u64) -> Offset {
    Offset { read_seq: 0, position }
}

/// A live read of the stream `o`.
pub(super) fn live(from: ReadFrom, mode: Live, cursor: Option<u64>) -> LiveRead {
    let read =
        Read { from, if_none_match: None, live: Some(mode), cursor, from_now: from == ReadFrom::Now, is_kept: false };
    LiveRead {
        object: "o".to_owned(),
        admission: Admission::Open,
        debug: false,
        mode,
        read,
        until_ms: None,
        resumes: false,
        caching: None,
        inner_url: None,
    }
}

/// The greeting, at that position, of an object whose clock is half a second ahead of the edge's.
pub(super) fn greeting(position: u64) -> Happens {
    let position = ReaderPosition { next: at(position), commit_ms: START_MS };
    let joined = LiveMessage::Joined {
        position,
        now_ms: START_MS + 500,
        touched_until_ms: u64::MAX,
        ends_ms: u64::MAX,
        encoding: Encoding::Text,
        readers: None,
    };
    Happens::Message(joined.encode())
}

/// An event that ends at that position, committed so many ms after the start.
pub(super) fn event(position: u64, text: &'static str, closed: bool) -> Bytes {
    let commit_ms = START_MS + position;
    let position = ReaderPosition { next: at(position), commit_ms };
    LiveMessage::event(position, commit_ms, closed, Encoding::Text, text.as_bytes())
}

/// A page that ends at that position.
pub(super) fn page(next: u64, text: &'static str, up_to_date: bool) -> Says {
    let response = Response::new(200)
        .with(header::STREAM_NEXT_OFFSET, at(next).to_string())
        .with(header::STREAM_CURSOR, (START_MS + next).to_string())
        .with_some(header::STREAM_UP_TO_DATE, up_to_date.then_some(header::TRUE));
    Says::Reply(response.with_body(text))
}

/// A piece of an event that ends at that position; the next one begins at this byte of the payload.
pub(super) fn piece(next: u64, text: &'static str, rest: u64) -> Says {
    match page(next, text, false) {
        Says::Reply(response) => Says::Reply(response.with(header::TAILRACE_EVENT_REST, rest.to_string())),
        other => other,
    }
}

/// The notes for a client that listens to events from the position, until the connection or the script ends.
pub(super) fn heard(from: ReadFrom, replies: impl IntoIterator<Item = Says>) -> Vec<String> {
    let env = Scripted::new(replies);
    let (config, live) = (config(), live(from, Live::Sse, None));
    Scripted::run(listen(&env, &config, &live)).expect("it waits for nothing but the script");
    assert_eq!(env.answered().map(|head| head.status), Some(200));
    env.notes()
}
