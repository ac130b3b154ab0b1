//! Core's edge for a request of a crowd: a host without isolates, whose cache is looked into at once. Time that passes
//! meanwhile is owed, and added to whatever the request does next. So a request that the cache answers is served in one
//! poll; one that has to wait for a cache, for a time or for an object goes on when that is there.
//!
//! Each request has an isolate of its own, as nearly always in production: none shares a flight.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use tailrace_core::protocol::{Address, Headers, Response, header};
use tailrace_core::runtime::{
    Along, Backlogs, CallError, CallOutcome, Called, Changes, Download, EdgeEnv, EdgeSocket, Extent, HeldBodies,
    Isolate, JoinedFlight, KnownProjects, KvError, KvListing, KvView, Landing, Patience, Pushed, RateLimit, Sharing,
    SocketEvent, StartedFlight, Upload, UploadBroken, Written,
};

use super::agenda::{Agenda, What};
use super::answer::Answer;
use super::bug::CrowdBug;
use super::knobs::Knobs;
use crate::kernel::random::Random;
use crate::world::{EPOCH_MS, Found, Line, LineAnswer, LineSocket, Store};

/// What all requests of a crowd share.
pub(super) struct Site {
    pub(super) knobs: Knobs,
    pub(super) agenda: RefCell<Agenda>,
    pub(super) random: Random,
    /// A known bug.
    pub(super) bug: Option<CrowdBug>,
    /// The caches of all datacenters, by part.
    pub(super) caches: RefCell<Vec<Store<Answer>>>,
    /// From each datacenter.
    pub(super) lines: Vec<Line>,
    /// What has happened since somebody looked last.
    pub(super) effects: RefCell<Vec<Effect>>,
    held_bodies: HeldBodies,
    known_projects: KnownProjects,
    backlogs: Backlogs,
}

/// What a request does that concerns others, by its place.
pub(super) enum Effect {
    /// It is answered, so many us from now.
    Answers { place: u32, after_us: u64, served: Served },
    /// An answer of events begins, so many us from now.
    Opens { place: u32, after_us: u64, head: Response },
    /// More of them comes, so many us from now.
    Pushes { place: u32, after_us: u64, events: bytes::Bytes },
    /// The object is called.
    Calls { place: u32 },
    /// The gateway asks the inner entrypoint.
    AsksInner { place: u32, url: String },
}

/// An answer of the edge.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) answer: Answer,
    /// Whether the edge's cache had it.
    pub(super) is_hit: bool,
    /// How old it says it is, in seconds.
    pub(super) age_s: u64,
}

impl Site {
    pub(super) fn new(knobs: Knobs, random: Random, lines: Vec<Line>, bug: Option<CrowdBug>) -> Self {
        let parts = lines.len() * knobs.partitions.max(1) as usize;
        Self {
            knobs,
            agenda: RefCell::default(),
            random,
            bug,
            caches: RefCell::new((0..parts).map(|_| Store::default()).collect()),
            lines,
            effects: RefCell::default(),
            held_bodies: HeldBodies::default(),
            known_projects: KnownProjects::default(),
            backlogs: Backlogs::default(),
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        self.agenda.borrow().now_us()
    }

    /// The time by the clock of its agenda, in ms since the Unix epoch.
    fn now_ms(&self) -> u64 {
        EPOCH_MS + self.now_us() / 1_000
    }

    /// Under what the caches keep what core keeps under that key.
    fn key<'a>(&self, key: &'a str) -> &'a str {
        let parameters = || key.find('?').map(|at| &key[at..]);
        let has_bug = self.bug == Some(CrowdBug::KeyWithoutStream);
        has_bug.then(parameters).flatten().unwrap_or(key)
    }

    /// Drops what no cache serves any more.
    pub(super) fn tidy_up(&self) {
        let now_ms = self.now_ms();
        self.caches.borrow_mut().iter_mut().for_each(|store| store.drop_ended(now_ms));
    }
}

/// What one request can reach; clones are of the same request.
#[derive(Clone)]
pub(super) struct Edge(Rc<Request>);

struct Request {
    site: Rc<Site>,
    place: u32,
    turn: u32,
    colo: usize,
    /// The part of the datacenter's cache that its isolate uses.
    part: usize,
    /// Whether somebody reads the bytes of its answers.
    is_read: bool,
    /// Time that has passed for the request and not for others yet, in us.
    owed_us: Cell<u64>,
    is_answered: Cell<bool>,
    outlives: Cell<bool>,
    /// What the inner entrypoint has answered, with its age in seconds.
    from_inner: RefCell<Option<Result<(Answer, u64), CallError>>>,
    /// How old the answer is that is passed on, in seconds.
    passed_on_age_s: Cell<u64>,
}

impl Edge {
    /// The request at that place, whose records on the agenda have that turn, in that part of the datacenter of that
    /// index. If nobody reads the bytes of its answers, they are dropped.
    pub(super) fn new(site: &Rc<Site>, (place, turn): (u32, u32), (colo, part): (usize, u64), is_read: bool) -> Self {
        let partitions = site.knobs.partitions.max(1);
        let part = colo * partitions as usize + (part % partitions) as usize;
        Self(Rc::new(Request {
            site: site.clone(),
            place,
            turn,
            colo,
            part,
            is_read,
            owed_us: Cell::default(),
            is_answered: Cell::default(),
            outlives: Cell::default(),
            from_inner: RefCell::default(),
            passed_on_age_s: Cell::default(),
        }))
    }

    /// What the inner entrypoint answers; the request is polled after that.
    pub(super) fn hear_from_inner(&self, outcome: Result<(Answer, u64), CallError>) {
        self.0.from_inner.replace(Some(outcome));
    }

    /// Whether it goes on for a while once its client has gone.
    pub(super) fn outlives_client(&self) -> bool {
        self.0.outlives.get()
    }

    /// So much more time has passed for the request.
    fn owe(&self, us: u64) {
        self.0.owed_us.set(self.0.owed_us.get() + us);
    }

    /// Waits for so many us, and for what is owed.
    async fn wait_us(&self, us: u64) {
        let at_us = self.0.site.now_us() + self.0.owed_us.take() + us;
        Timer { edge: self, at_us, is_entered: false }.until().await;
    }

    /// Waits for what is owed.
    async fn settle(&self) {
        if self.0.owed_us.get() > 0 {
            self.wait_us(0).await;
        }
    }

    /// Answers with what the edge says of caches in these fields.
    fn serve(&self, answer: Answer, fields: &Headers) {
        if self.0.is_answered.replace(true) {
            return;
        }
        let is_hit = fields.get(header::X_CACHE) == Some("HIT");
        let said_s = fields.get(header::AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
        let age_s = self.0.passed_on_age_s.get().max(said_s);
        let served = Served { answer, is_hit, age_s };
        let after_us = self.0.owed_us.get();
        self.tell(Effect::Answers { place: self.0.place, after_us, served });
    }

    fn tell(&self, effect: Effect) {
        self.0.site.effects.borrow_mut().push(effect);
    }
}

/// A moment by the clock of the agenda.
struct Timer<'a> {
    edge: &'a Edge,
    at_us: u64,
    is_entered: bool,
}

impl Timer<'_> {
    /// Whether the moment has come. If not, the request is polled again when it does.
    fn has_come(&mut self) -> bool {
        let Request { site, place, turn, .. } = &*self.edge.0;
        let mut agenda = site.agenda.borrow_mut();
        if agenda.now_us() >= self.at_us {
            return true;
        }
        if !std::mem::replace(&mut self.is_entered, true) {
            agenda.enter(self.at_us, *place, What::Resumes { turn: *turn });
        }
        false
    }

    async fn until(&mut self) {
        poll_fn(|_| if self.has_come() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Isolate for Edge {
    fn now_ms(&self) -> u64 {
        EPOCH_MS + (self.0.site.now_us() + self.0.owed_us.get()) / 1_000
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.site.random.fill(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        self.wait_us(ms * 1_000).await;
    }
}

impl EdgeEnv for Edge {
    type Upload = NoUpload;
    type Reply = Answer;
    type Kept = Answer;
    type Socket = Socket;
    type Download = Events;
    type StartedFlight = Alone;
    type JoinedFlight = Nobody;
    type Kv = NoKv;

    async fn call(&self, object: Address<'_>, message: String, along: Along<'_, NoUpload>) -> CallOutcome<Self> {
        self.settle().await;
        self.tell(Effect::Calls { place: self.0.place });
        let most_bytes = match along {
            Along::Waiting { most_bytes } => most_bytes,
            Along::Nothing | Along::Body(_) => 0,
        };
        match self.0.site.lines[self.0.colo].call(object, message, most_bytes).await? {
            LineAnswer::Answer(response) => {
                let answer = if self.0.is_read { Answer::new(response) } else { Answer::page(response) };
                Ok(Called::Reply(answer.given(self.0.site.now_us())))
            }
            LineAnswer::Overloaded => Err(CallError::Overloaded),
            LineAnswer::Socket(end) => Ok(Called::Socket(Socket { edge: self.clone(), end })),
        }
    }

    async fn earlier_call(&self) -> CallOutcome<Self> {
        Err(CallError::Exception("no instance of a crowd is lost".to_owned()))
    }

    async fn ask_inner(&self, url: &str) -> CallOutcome<Self> {
        self.settle().await;
        let request = &*self.0;
        self.tell(Effect::AsksInner { place: request.place, url: url.to_owned() });
        let heard = poll_fn(|_| request.from_inner.take().map_or(Poll::Pending, Poll::Ready)).await;
        // There and back.
        let Site { knobs, random, .. } = &*request.site;
        self.owe(knobs.inner.draw_us(random) + knobs.inner.draw_us(random));
        let (answer, age_s) = heard?;
        request.passed_on_age_s.set(age_s);
        Ok(Called::Reply(answer))
    }

    // No look takes as long as one may.
    async fn is_within(&self, _: RateLimit, _: &str, _: u64) -> Option<bool> {
        // Crowds have no limits.
        None
    }

    fn kv(&self) -> &NoKv {
        &NoKv
    }

    async fn look_up(&self, key: &str, _: u64) -> Option<Answer> {
        self.settle().await;
        let site = &self.0.site;
        self.owe(site.knobs.look_up.draw_us(&site.random));
        match site.caches.borrow_mut()[self.0.part].find(site.now_ms(), site.key(key)) {
            Found::Entry(entry) => Some(entry.answer.clone()),
            Found::NotVisibleYet | Found::Ended | Found::Nothing => None,
        }
    }

    async fn store(&self, key: &str, kept: &Answer, fields: &Headers) {
        self.settle().await;
        let site = &self.0.site;
        // A part of the time is the way there.
        let both_us = site.knobs.put.draw_us(&site.random);
        let there_us = site.random.between(0, both_us);
        let visible_us = site.now_us() + there_us + site.knobs.visible.draw_us(&site.random);
        // The caches of a world know whole ms: half of the answers can be seen a little too early, half too late.
        let after_ms = ((visible_us + 500) / 1_000).saturating_sub(site.now_us() / 1_000);
        let stored = kept.changed(&Changes { set: fields.clone(), left_out: &[] });
        // What the cache refuses is as if it had been lost.
        _ = site.caches.borrow_mut()[self.0.part].put(
            site.now_ms(),
            after_ms,
            site.key(key),
            stored,
            self.0.place.into(),
        );
        self.owe(both_us);
    }

    async fn remove(&self, key: &str) {
        self.settle().await;
        let site = &self.0.site;
        site.caches.borrow_mut()[self.0.part].delete(site.now_ms(), site.key(key));
        self.owe(site.knobs.look_up.draw_us(&site.random));
    }

    fn share(&self, _key: &str) -> Sharing<Alone, Nobody> {
        Sharing::Started(Alone)
    }

    fn outlive_client(&self) {
        self.0.outlives.set(true);
    }

    fn known_projects(&self) -> KnownProjects {
        self.0.site.known_projects.clone()
    }

    fn held_bodies(&self) -> HeldBodies {
        self.0.site.held_bodies.clone()
    }

    fn backlogs(&self) -> Backlogs {
        self.0.site.backlogs.clone()
    }

    async fn keep(&self, reply: Answer) -> Result<Answer, CallError> {
        Ok(reply)
    }

    fn keep_own(&self, response: Response) -> Answer {
        Answer::new(response).given(self.0.site.now_us())
    }

    fn answer(&self, response: Response) {
        let answer = self.keep_own(response);
        self.serve(answer.clone(), &answer.response().headers);
    }

    fn answer_kept(&self, kept: Answer, changes: &Changes) {
        self.serve(kept, &changes.set);
    }

    fn pass_on(&self, reply: Answer, changes: &Changes) {
        self.serve(reply, &changes.set);
    }

    fn open(&self, head: Response) -> Events {
        if !self.0.is_answered.replace(true) {
            self.tell(Effect::Opens { place: self.0.place, after_us: self.0.owed_us.get(), head });
        }
        Events(self.clone())
    }
}

/// The edge's end of a socket.
pub(super) struct Socket {
    edge: Edge,
    end: LineSocket,
}

impl EdgeSocket for Socket {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        if let Some(event) = self.end.try_next() {
            return event;
        }
        let at_us = self.edge.0.site.now_us() + self.edge.0.owed_us.take() + wait_ms * 1_000;
        let mut timer = Timer { edge: &self.edge, at_us, is_entered: false };
        let mut next = std::pin::pin!(self.end.next());
        poll_fn(|context| match next.as_mut().poll(context) {
            Poll::Pending if timer.has_come() => Poll::Ready(SocketEvent::TimedOut),
            polled => polled,
        })
        .await
    }
}

/// An answer of events. Readers of a crowd take whatever comes at once.
pub(super) struct Events(Edge);

impl Download for Events {
    type Socket = Socket;
    type Reply = Answer;

    fn push(&self, events: bytes::Bytes) -> Pushed {
        if !events.is_empty() {
            let request = &self.0.0;
            self.0.tell(Effect::Pushes { place: request.place, after_us: request.owed_us.get(), events });
        }
        Pushed::Waiting(0)
    }

    async fn drained(&self, _patience: Patience) -> Written {
        Written::Taken
    }

    async fn push_reply(&self, reply: Answer) -> Result<Pushed, CallError> {
        Ok(self.push(reply.response().body.clone()))
    }

    fn waiting_for_clients(&self) -> usize {
        0
    }

    fn cut(&self) {}
}

/// A flight that nobody joins.
pub(super) struct Alone;

impl StartedFlight<Answer> for Alone {
    fn note(&self, _until_ms: u64) {}

    fn land(self, _brought: &Answer, _age_s: u64) {}
}

/// A flight that there is not.
pub(super) enum Nobody {}

impl JoinedFlight<Answer> for Nobody {
    async fn landing(&self, _wait_ms: u64) -> Landing<Answer> {
        match *self {}
    }

    fn give_up(self) {
        match self {}
    }
}

/// KV that there is not: every call fails.
pub(super) struct NoKv;

impl NoKv {
    fn fail<T>(&self) -> Result<T, KvError> {
        Err(KvError("crowds have none".to_owned()))
    }
}

impl KvView for NoKv {
    async fn get(&self, _: &str, _: u64) -> Result<Option<String>, KvError> {
        self.fail()
    }

    async fn list(&self, _: Option<&str>, _: u64) -> Result<KvListing, KvError> {
        self.fail()
    }
}

/// A body that there is not: crowds only read.
pub(super) enum NoUpload {}

impl Upload for NoUpload {
    async fn read(&self, _limit: Option<usize>, _within_ms: Option<u64>) -> Result<Extent, UploadBroken> {
        match *self {}
    }

    async fn drain(&self) {
        match *self {}
    }
}
