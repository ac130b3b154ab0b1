//! What an edge isolate gives to one request.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tailrace_core::protocol::{Address, Headers, Response};
use tailrace_core::runtime::{
    Along, Backlogs, CallError, CallOutcome, Called, Changes, EdgeEnv, HeldBodies, Isolate, KnownProjects, Mark,
    ObjectRequest, Past, RateLimit, Sharing,
};

use crate::bill::{self, Cause};
use crate::kernel::reply::{ReplySender, reply};
use crate::kernel::rt;
use crate::world::cache::Caches;
use crate::world::cache::service::Visitor;
use crate::world::clock::MachineClock;
use crate::world::edge::context::Context;
use crate::world::edge::download::{AnswerBody, Breaker, Download, download_of};
use crate::world::edge::flights::{Flights, Seat};
use crate::world::edge::inner::{self, InnerEntrypoint};
use crate::world::edge::instance::Instance;
use crate::world::edge::reply::{KeptAnswer, ObjectReply};
use crate::world::edge::served::Served;
use crate::world::edge::socket::EdgeEnd;
use crate::world::edge::upload::Upload;
use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::kv::{EdgeKv, Kv};
use crate::world::marks;
use crate::world::memory::{Meter, What};
use crate::world::network::callee::{Callee, Caller, Opened};
use crate::world::network::travel;

/// Breakers of answers that are over are removed once an isolate remembers this many.
const PRUNE_AT: usize = 64;

/// For how long a request that outlives its client goes on, in ms (Cloudflare, `waitUntil`).
const OUTLIVES_MS: u64 = 30_000;

/// What the requests of one isolate share.
pub(crate) struct Shared {
    /// What the isolate has in memory.
    pub(crate) memory: Meter,
    pub(crate) callee: Rc<dyn Callee>,
    /// The inner entrypoint of the isolate's datacenter.
    pub(crate) inner: Weak<dyn InnerEntrypoint>,
    pub(crate) caches: Rc<Caches>,
    pub(crate) kv: Rc<Kv>,
    /// The part of the datacenter's cache that the isolate uses.
    pub(crate) partition: Cell<u64>,
    pub(crate) flights: Rc<Flights>,
    /// The bodies that requests hold, as the present instance of core counts them.
    pub(crate) held_bodies: RefCell<HeldBodies>,
    /// What the instance of core knows of projects.
    pub(crate) known_projects: RefCell<KnownProjects>,
    /// Who waits for clients in the present instance of core.
    pub(crate) backlogs: RefCell<Backlogs>,
    pub(crate) instance: Rc<Instance>,
    pub(crate) clock: Cell<MachineClock>,
    /// The isolate's index among those of all datacenters.
    pub(crate) index: usize,
    /// The index of its datacenter.
    pub(crate) colo: usize,
    /// The release that runs.
    pub(crate) release: Cell<u32>,
    /// The breakers of streamed answers that are under way.
    pub(crate) streaming: RefCell<Vec<Breaker>>,
}

impl Shared {
    /// The isolate as the cache of its datacenter knows it, for the request of that number.
    fn visitor(&self, request: u64) -> Visitor {
        Visitor { colo: self.colo, partition: self.partition.get(), isolate: self.index, request }
    }
}

/// What one request can reach; clones are of the same request.
#[derive(Clone)]
pub struct EdgeState(Rc<Inner>);

struct Inner {
    context: Rc<Context>,
    shared: Rc<Shared>,
    kv: EdgeKv,
    /// Where the answer goes, as long as the client has none.
    client: RefCell<Option<ReplySender<Served>>>,
    has_called: Cell<bool>,
    /// Whether the cache of its datacenter had something for it.
    has_found: Cell<bool>,
    /// What it is billed for.
    cause: Cause,
    /// The last call, until it has ended. It belongs to the request, and not to the task that has made it.
    calling: RefCell<Option<LocalBoxFuture<'static, CallOutcome<EdgeState>>>>,
}

impl EdgeState {
    pub(crate) fn new(context: Rc<Context>, shared: Rc<Shared>, client: ReplySender<Served>, cause: Cause) -> Self {
        let client = RefCell::new(Some(client));
        let (has_called, has_found, calling) = <_>::default();
        let kv = EdgeKv::new(shared.kv.clone(), context.clone(), shared.colo, cause);
        Self(Rc::new(Inner { context, shared, kv, client, has_called, has_found, cause, calling }))
    }

    /// Runs the request: by the task that `begin` makes, and by another one after each loss of the instance, as long as
    /// the client has no answer.
    pub(crate) async fn run<T: Future<Output = ()>>(
        &self,
        when_lost: &impl Fn() -> Response,
        mut begin: impl FnMut(Past) -> T,
    ) {
        let context = self.0.context.clone();
        let began_ms = self.environment().now_ms();
        let begin = |losses| {
            if losses > 0 && self.0.client.borrow().is_none() {
                return None;
            }
            if losses > 0 {
                let has_called = self.0.has_called.get();
                self.environment().mark(if has_called {
                    marks::SERVED_ANEW
                } else {
                    marks::SERVED_ANEW_BEFORE_ITS_CALL
                });
            }
            let age_ms = self.environment().now_ms() - began_ms;
            Some(begin(Past { losses, has_called: self.0.has_called.get(), age_ms }))
        };
        let poll = |task: Pin<&mut T>, context: &mut TaskContext<'_>| self.poll(task, context, when_lost);
        context.run(begin, poll).await;
        self.0.calling.take();
    }

    /// Polls a task. That may lose the instance: before anything is done, or when all is done.
    fn poll(
        &self,
        task: Pin<&mut impl Future<Output = ()>>,
        context: &mut TaskContext<'_>,
        when_lost: &impl Fn() -> Response,
    ) -> Poll<()> {
        let environment = self.environment();
        if !environment.chance(environment.faults().edge.instance_lost_permille) {
            return self.0.context.poll(task, context);
        }
        if environment.chance(500) {
            let _ = self.0.context.poll(task, context);
        }
        environment.mark(marks::INSTANCE_LOST);
        self.0.context.harm(Harm::LostInstance);
        self.0.shared.flights.clear();
        self.0.shared.held_bodies.take();
        self.0.shared.known_projects.take();
        self.0.shared.backlogs.take();
        self.0.shared.instance.lose();
        environment.tenants.lose_core(self.0.shared.index);
        self.serve(when_lost(), None);
        Poll::Ready(())
    }

    /// Waits for the last call.
    async fn called(&self) -> CallOutcome<Self> {
        let call = poll_fn(|context| {
            let mut calling = self.0.calling.borrow_mut();
            let Some(call) = calling.as_mut() else {
                return Poll::Ready(Err(CallError::Exception("no call is under way".to_owned())));
            };
            let outcome = call.poll_unpin(context);
            if outcome.is_ready() {
                *calling = None;
            }
            outcome
        });
        self.0.context.guard(call).await.unwrap_or_else(|| Err(foreign()))
    }

    fn environment(&self) -> &Rc<Environment> {
        self.0.context.environment()
    }

    /// The index of the isolate's datacenter.
    pub(crate) fn colo(&self) -> usize {
        self.0.shared.colo
    }

    fn serve(&self, response: Response, body: Option<AnswerBody>) {
        if !self.0.context.admits() {
            return;
        }
        let client = self.0.client.take();
        if let Some(client) = client {
            if self.0.has_found.get() && !self.0.has_called.get() {
                self.environment().meter(self.0.cause, bill::Meter::EdgeHits, 1);
            }
            self.environment().note_answer(self.0.context.number());
            let watch = self.environment().trace.watch();
            response.headers.iter().for_each(|(_, value)| watch.look("field of an answer", value));
            client.send(Served { response, body });
        }
    }

    fn watch(&self, breaker: Breaker) {
        let mut streaming = self.0.shared.streaming.borrow_mut();
        if streaming.len() >= PRUNE_AT && streaming.len().is_power_of_two() {
            streaming.retain(Breaker::is_needed);
        }
        streaming.push(breaker);
    }
}

fn foreign() -> CallError {
    CallError::Exception("the call belongs to another request".to_owned())
}

impl Isolate for EdgeState {
    fn now_ms(&self) -> u64 {
        self.0.shared.clock.get().now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.environment().core_random.fill(bytes);
    }

    /// A timer that another request waits for never goes off.
    async fn sleep_ms(&self, ms: u64) {
        if self.0.context.guard(rt::sleep_ms(ms)).await.is_none() {
            std::future::pending().await
        }
    }

    fn sometimes(&self, mark: Mark) {
        self.environment().mark(mark);
    }
}

impl EdgeEnv for EdgeState {
    type Upload = Upload;
    type Reply = ObjectReply;
    type Kept = KeptAnswer;
    type Socket = EdgeEnd;
    type Download = Download;
    type StartedFlight = Seat;
    type JoinedFlight = Seat;
    type Kv = EdgeKv;

    async fn call(&self, object: Address<'_>, message: String, along: Along<'_, Upload>) -> CallOutcome<Self> {
        let (body, can_wait) = match along {
            Along::Nothing => (bytes::Bytes::new(), None),
            Along::Body(upload) => (upload.kept(), None),
            Along::Waiting { most_bytes } => (bytes::Bytes::new(), Some(most_bytes)),
        };
        let accept = {
            let (context, callee) = (self.0.context.clone(), self.0.shared.callee.clone());
            let colo = self.colo();
            let name = object.to_string();
            // From here on somebody owns the edge's end: if it is dropped, the socket closes.
            move |opened| match opened {
                Opened::Answer(response) => Ok(Called::Reply(ObjectReply::new(context, response))),
                Opened::Overloaded => Err(CallError::Overloaded),
                Opened::Socket(number, mailbox) => {
                    let most_bytes = can_wait.unwrap_or(usize::MAX);
                    let socket = EdgeEnd::new(context, colo, callee, &name, number, mailbox, most_bytes);
                    match can_wait {
                        Some(_) => Ok(Called::Socket(socket)),
                        None => Err(CallError::Exception("a socket that nobody can wait on".to_owned())),
                    }
                }
            }
        };
        if !self.0.context.admits() {
            return Err(foreign());
        }
        let (environment, callee) = (self.environment().clone(), self.0.shared.callee.clone());
        let (class, name) = (object.class, object.name.to_owned());
        let (release, cause) = (self.0.shared.release.get(), Some(self.0.context.number()));
        let caller = Caller { colo: self.colo(), release, cause };
        let load = self.0.shared.memory.load(What::Call, body.len());
        let call = async move {
            let _load = load;
            let object = Address { class, name: &name };
            travel::call(&environment, callee, object, ObjectRequest { message, body }, caller, accept).await?
        };
        self.0.has_called.set(true);
        self.environment().note_call(self.0.context.number());
        self.0.calling.replace(Some(call.boxed_local()));
        self.called().await
    }

    async fn earlier_call(&self) -> CallOutcome<Self> {
        self.called().await
    }

    async fn ask_inner(&self, url: &str) -> CallOutcome<Self> {
        if !self.0.context.admits() {
            return Err(foreign());
        }
        let inner = self.0.shared.inner.upgrade();
        let asking = inner::ask(self.0.context.clone(), inner, self.0.shared.release.get(), url.to_owned());
        let asking = async move { asking.await.map(Called::Reply) };
        self.0.has_called.set(true);
        self.0.calling.replace(Some(asking.boxed_local()));
        self.called().await
    }

    async fn look_up(&self, key: &str, within_ms: u64) -> Option<ObjectReply> {
        let (context, shared) = (&self.0.context, &self.0.shared);
        let visitor = shared.visitor(context.number());
        let look_up = rt::within_ms(within_ms, shared.caches.look_up(visitor, key));
        let stored = context.guard(look_up).await.flatten().flatten()?;
        self.0.has_found.set(true);
        Some(ObjectReply::new(context.clone(), stored))
    }

    async fn store(&self, key: &str, kept: &KeptAnswer, fields: &Headers) {
        let (context, shared) = (self.0.context.clone(), &self.0.shared);
        if !context.admits() {
            return;
        }
        let (visitor, caches) = (shared.visitor(context.number()), shared.caches.clone());
        let (key, kept) = (key.to_owned(), kept.clone());
        let changes = Changes { set: fields.clone(), left_out: &[] };
        let (sender, stored) = reply();
        let environment = self.environment().clone();
        // What has been sent to the cache is stored though the request ends meanwhile.
        self.environment().node.spawn(async move {
            caches.put(visitor, &key, kept.changed(&changes)).await;
            if sender.is_abandoned() {
                environment.mark(marks::CACHE_PUT_OUTLIVED_ITS_REQUEST);
            }
            sender.send(());
        });
        context.guard(stored).await;
    }

    async fn is_within(&self, _limit: RateLimit, key: &str, within_ms: u64) -> Option<bool> {
        let environment = self.environment().clone();
        environment.trace.watch().look("key of a limit", key);
        let faults = environment.faults().edge;
        let is_asked_in_time = !environment.chance(faults.rate_unknown_permille);
        self.0.context.guard(rt::sleep_ms(if is_asked_in_time { 1 } else { within_ms })).await?;
        if !is_asked_in_time {
            return None;
        }
        let is_exceeded = environment.chance(faults.rate_exceeded_permille);
        if is_exceeded {
            self.0.context.harm(Harm::RateExceeded);
        }
        Some(!is_exceeded)
    }

    fn kv(&self) -> &EdgeKv {
        &self.0.kv
    }

    async fn remove(&self, key: &str) {
        let (context, shared) = (&self.0.context, &self.0.shared);
        context.guard(shared.caches.remove(shared.visitor(context.number()), key)).await;
    }

    fn share(&self, key: &str) -> Sharing<Seat, Seat> {
        self.0.shared.flights.share(self.0.context.clone(), key)
    }

    fn known_projects(&self) -> KnownProjects {
        self.0.shared.known_projects.borrow().clone()
    }

    fn held_bodies(&self) -> HeldBodies {
        self.0.shared.held_bodies.borrow().clone()
    }

    fn backlogs(&self) -> Backlogs {
        self.0.shared.backlogs.borrow().clone()
    }

    fn outlive_client(&self) {
        self.0.context.outlive_client();
    }

    async fn keep(&self, reply: ObjectReply) -> Result<KeptAnswer, CallError> {
        reply.keep()
    }

    fn keep_own(&self, response: Response) -> KeptAnswer {
        KeptAnswer::new(&self.0.context, response)
    }

    fn answer(&self, response: Response) {
        self.serve(response, None);
    }

    fn answer_kept(&self, kept: KeptAnswer, changes: &Changes) {
        self.serve(kept.changed(changes), None);
    }

    fn pass_on(&self, reply: ObjectReply, changes: &Changes) {
        match reply.whole() {
            Ok(mut response) => {
                changes.apply(&mut response.headers);
                self.serve(response, None);
            }
            // The client's connection breaks with the reply.
            Err(_) => drop(self.0.client.take()),
        }
    }

    fn open(&self, head: Response) -> Download {
        let (edge, client) = download_of(self.0.context.clone());
        self.watch(edge.breaker());
        self.serve(head, Some(client));
        edge
    }
}

/// How a request ends before its task does.
impl EdgeState {
    /// Ends the request without telling its task: its client's connection breaks, and its handles are dropped.
    pub(crate) fn end(&self) {
        if self.0.context.end() {
            self.environment().mark(marks::REQUEST_VANISHED);
            self.0.context.harm(Harm::Vanished);
            drop(self.0.client.take());
        }
    }

    /// What the client tells its isolate by that it has gone.
    pub(crate) fn client_end(&self) -> ClientEnd {
        ClientEnd(Rc::downgrade(&self.0))
    }
}

/// Tells an isolate that a client has gone. It keeps nothing of the request alive.
pub(crate) struct ClientEnd(Weak<Inner>);

impl ClientEnd {
    /// The client has gone. The platform may notice. Then it ends the request: at once, or after a while if the request
    /// is to outlive its client.
    pub(crate) fn leave(self) {
        let Some(inner) = self.0.upgrade() else { return };
        let environment = inner.context.environment().clone();
        if let Some(entrypoint) = inner.shared.inner.upgrade() {
            entrypoint.client_gone(inner.context.number());
        }
        if !environment.chance(environment.faults().edge.client_gone_noticed_permille) {
            return;
        }
        let noticed_ms = environment.draw_ms(environment.faults().network.client_link.latency);
        environment.clone().node.spawn(async move {
            rt::sleep_ms(noticed_ms).await;
            let outlives = self.0.upgrade().is_some_and(|inner| inner.context.outlives_client());
            rt::sleep_ms(if outlives { OUTLIVES_MS } else { 0 }).await;
            if let Some(inner) = self.0.upgrade() {
                EdgeState(inner).end();
            }
        });
    }
}
