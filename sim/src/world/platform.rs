//! A world: clients' requests go over a network to edge isolates, and from there to objects with real SQLite, all on
//! virtual time and all from seeds.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use tailrace_core::protocol::{Address, Method, Response};
use tailrace_core::storage::Statement;

use crate::bill::Cause;
use crate::front::FrontBug;
use crate::kernel::random::Seeds;
use crate::kernel::reply::{Reply, ReplySender, reply};
use crate::kernel::rt;
use crate::world::edge::download::AnswerBody;
use crate::world::edge::isolate::{Entrypoint, Newest};
use crate::world::edge::pipe::Piece;
use crate::world::edge::pool::Pool;
use crate::world::edge::request::Request;
use crate::world::edge::served::Served;
use crate::world::edge::state::ClientEnd;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::faults::Faults;
use crate::world::front::asked::Who;
use crate::world::front::service::Origin;
use crate::world::harm::Harm;
use crate::world::host_mutant::HostMutant;
use crate::world::lost::Lost;
use crate::world::map::Region;
use crate::world::marks;
use crate::world::memory::Meter;
use crate::world::network::travel::{Leg, Way, travel};
use crate::world::network::{Line, Link};
use crate::world::objects::namespace::Namespace;
use crate::world::program::Program;
use crate::world::services::Services;

/// What a world is made of.
pub struct WorldConfigOf<P: Program> {
    /// What goes wrong.
    pub faults: Faults,
    /// What the objects are configured with.
    pub settings: P::Settings,
    /// What the edge is configured with.
    pub edge: P::EdgeConfig,
    /// The region of each datacenter. Without any there is one datacenter.
    pub colos: Vec<Region>,
    /// Edge isolates of a datacenter at most; at least one.
    pub isolates: usize,
    /// A known bug of the host.
    pub host_mutant: Option<HostMutant>,
    /// A known bug of what stands in front of the isolates.
    pub front_bug: Option<FrontBug>,
    /// Where all randomness comes from.
    pub seeds: Seeds,
}

/// An answer that has begun.
pub struct Opened {
    /// The whole answer, or its head if `body` is there.
    pub response: Response,
    /// The body, if it is written piece by piece.
    pub body: Option<AnswerBody>,
}

/// A world in which a program runs, as a client near one of its datacenters uses it; clones share it. It lives inside
/// [`crate::kernel::rt::block_on`].
pub struct WorldOf<P: Program> {
    pub(in crate::world) inner: Rc<Inner<P>>,
    /// The index of the datacenter that requests reach.
    colo: usize,
    /// Which client this is: what stands in front tells clients apart.
    client: u64,
}

/// What all clients of a world share.
pub(in crate::world) struct Inner<P: Program> {
    pub(in crate::world) environment: Rc<Environment>,
    pub(in crate::world) services: Rc<Services>,
    pub(in crate::world) namespace: Rc<Namespace<P::Object>>,
    /// The isolates of each datacenter.
    isolates: Vec<Rc<Pool<P>>>,
    /// What the edge is configured with that starts from now on.
    edge: Newest<P>,
}

/// The client of a request, as the platform knows it.
#[derive(Default)]
enum Whereabouts {
    /// Its request is on its way.
    #[default]
    Asking,
    /// An isolate serves its request, or something in front of it: what is to be done if the client goes.
    Waiting(Box<dyn FnOnce()>),
    /// The isolate has answered.
    Answered,
    /// It has gone without an answer.
    Gone,
}

/// A guard of a client that waits for its answer. If it is dropped before the answer has left the isolate, the client
/// has gone.
#[derive(Default)]
struct Client(Rc<RefCell<Whereabouts>>);

impl Drop for Client {
    fn drop(&mut self) {
        if matches!(*self.0.borrow(), Whereabouts::Answered) {
            return;
        }
        if let Whereabouts::Waiting(end) = self.0.replace(Whereabouts::Gone) {
            end();
        }
    }
}

impl<P: Program> Clone for WorldOf<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), colo: self.colo, client: self.client }
    }
}

impl<P: Program> WorldOf<P> {
    /// A world without objects, at [`crate::world::EPOCH_MS`], as a client near its first datacenter uses it.
    pub fn new(config: WorldConfigOf<P>) -> Self {
        let WorldConfigOf { faults, settings, edge, colos, isolates, host_mutant, front_bug, seeds } = config;
        let environment = Rc::new(Environment::new(faults, seeds, host_mutant).with_colos(&colos));
        environment.front_bug.set(front_bug);
        let services = Rc::new(Services::new(&environment));
        let namespace = Namespace::new(environment.clone(), services.clone(), settings);
        let of_colo = isolates.max(1);
        environment.isolates.set(of_colo);
        let edge: Newest<P> = Rc::new(RefCell::new(Rc::new(edge)));
        let pool =
            |colo| Pool::new(colo, of_colo, environment.clone(), namespace.clone(), services.clone(), edge.clone());
        let isolates = (0..environment.map.count()).map(pool).collect();
        let inner = Inner { environment, services, namespace, isolates, edge };
        Self { inner: Rc::new(inner), colo: 0, client: 0 }
    }

    /// The same world, as the client of that number uses it, which is near the datacenter of that index; beyond the last
    /// one they begin again at the first.
    pub fn near(&self, client: usize) -> Self {
        let colo = client % self.inner.environment.map.count();
        Self { inner: self.inner.clone(), colo, client: client as u64 }
    }

    /// The number of the next request: it tells which harms are the request's own.
    pub fn number(&self) -> u64 {
        self.inner.environment.number()
    }

    /// Sends a client's request over the network to one of the isolates, and returns the whole answer.
    pub async fn request(&self, request: Request, timeout_ms: u64) -> Result<Response, Lost> {
        self.request_as(self.number(), request, timeout_ms).await
    }

    /// Sends a client's request of that number, and returns the whole answer.
    pub async fn request_as(&self, number: u64, request: Request, timeout_ms: u64) -> Result<Response, Lost> {
        let whole = async {
            let Opened { mut response, body } = self.open(number, request, timeout_ms).await?;
            let Some(body) = body else { return Ok(response) };
            let mut collected = Vec::new();
            loop {
                match body.next().await {
                    Piece::Bytes(bytes) | Piece::Part(bytes) => collected.extend_from_slice(&bytes),
                    Piece::End => break,
                    Piece::Cut => return Err(Lost::Reset),
                }
            }
            response.body = collected.into();
            Ok(response)
        };
        rt::within_ms(timeout_ms, whole).await.unwrap_or(Err(Lost::TimedOut))
    }

    /// Sends a client's request of that number, and returns the answer, or its head and a body that is written piece by
    /// piece.
    pub async fn open(&self, number: u64, request: Request, timeout_ms: u64) -> Result<Opened, Lost> {
        let environment = &self.inner.environment;
        let asked = What::Asked { method: request.method, url: &P::shown(&request.url) };
        environment.note(Lane::Client, asked, Some(number));
        let (sender, answer) = reply();
        let timeout_ms = self.patience_ms(number, timeout_ms);
        let client = Client::default();
        environment.node.spawn(self.clone().carry(number, request, sender, client.0.clone()));
        let outcome = match rt::within_ms(timeout_ms, answer).await {
            Some(Some(Served { response, body })) => Ok(Opened { response, body }),
            Some(None) => Err(Lost::Reset),
            None => Err(Lost::TimedOut),
        };
        let what = match &outcome {
            Ok(opened) => What::Answered { status: opened.response.status },
            Err(lost) => What::Unanswered { lost: *lost },
        };
        environment.note(Lane::Client, what, Some(number));
        outcome
    }

    /// How long the client waits for the answer to the request of that number, in ms: for as long as it wants to,
    /// unless it goes before.
    fn patience_ms(&self, number: u64, timeout_ms: u64) -> u64 {
        let environment = &self.inner.environment;
        let network = environment.faults().network;
        if !environment.chance(network.client_leaves_permille) {
            return timeout_ms;
        }
        environment.mark(marks::CLIENT_LEFT);
        environment.harm(Harm::ClientLeft, Some(number));
        environment.draw_ms(network.client_leaves).clamp(1, timeout_ms)
    }

    async fn carry(self, number: u64, request: Request, sender: ReplySender<Served>, client: Rc<RefCell<Whereabouts>>) {
        let environment = &self.inner.environment;
        if !travel(environment, Way::Client, Leg::Request, Some(number)).await {
            return sender.vanish();
        }
        let front = &self.inner.services.front;
        let origin = || -> Rc<dyn Origin> { Rc::new(self.clone()) };
        let who = Who::Client(self.client);
        let (served, end): (_, Box<dyn FnOnce()>) = match front.take(self.colo, who, number, &request, &origin) {
            Some(served) => {
                let front = front.clone();
                (served, Box::new(move || front.lose_client(number)))
            }
            None => {
                let (served, end) = self.serve(number, request);
                (served, Box::new(move || end.leave()))
            }
        };
        if matches!(*client.borrow(), Whereabouts::Gone) {
            end();
        } else {
            client.replace(Whereabouts::Waiting(end));
        }
        let Some(served) = served.await else { return };
        client.replace(Whereabouts::Answered);
        if !travel(environment, Way::Client, Leg::Response, Some(number)).await {
            return sender.vanish();
        }
        sender.send(served);
    }

    /// The way to objects from this datacenter, for an edge that does not run in an isolate of the world.
    pub fn line(&self) -> Line {
        let Inner { environment, namespace, .. } = &*self.inner;
        Line::new(environment.clone(), namespace.clone(), self.colo, Meter::default())
    }

    /// So much may happen at most: a crowd does more than any world that goes round in circles.
    pub fn expect_events(&self, most_events: u64) {
        self.inner.environment.expect_events(most_events);
    }

    /// Crashes an object, if it is running.
    pub fn crash(&self, object: &str) {
        if let Some(object) = self.inner.namespace.find(object) {
            object.crash();
        }
    }

    /// Evicts an object, if it is running and idle.
    pub fn evict(&self, object: &str) {
        if let Some(object) = self.inner.namespace.find(object) {
            object.evict();
        }
    }

    /// Has a successor take over from an object's running instance, which goes on for a while.
    pub fn supersede(&self, object: &str) {
        if let Some(object) = self.inner.namespace.find(object) {
            object.supersede();
        }
    }

    /// Deploys another release: within so many ms every isolate and every object starts again with it, each at a moment
    /// of its own.
    pub fn deploy(&self, within_ms: u64) {
        let environment = &self.inner.environment;
        let release = environment.release.get() + 1;
        environment.release.set(release);
        environment.mark(marks::DEPLOYED);
        environment.note(Lane::World, What::Deploys { release }, None);
        for isolate in self.inner.isolates.iter().flat_map(|pool| pool.started()) {
            let (isolate, after_ms) = (isolate.clone(), environment.random.between(0, within_ms));
            environment.node.spawn(async move {
                rt::sleep_ms(after_ms).await;
                isolate.restart();
            });
        }
        for object in self.inner.namespace.all() {
            let after_ms = environment.random.between(0, within_ms);
            environment.node.spawn(async move {
                rt::sleep_ms(after_ms).await;
                object.deploy();
            });
        }
    }

    /// Configures the edge before anything has started.
    pub fn start_with(&self, edge: P::EdgeConfig) {
        self.inner.edge.replace(Rc::new(edge));
    }

    /// Deploys another configuration of the edge. As long as that takes, there are isolates of both.
    pub fn configure(&self, edge: P::EdgeConfig, within_ms: u64) {
        self.inner.environment.mark(marks::CONFIGURED_ANEW);
        self.inner.edge.replace(Rc::new(edge));
        self.deploy(within_ms);
    }

    /// Restarts an edge isolate, if it has started, by its index among those of all datacenters; beyond the last one they
    /// begin again at the first.
    pub fn restart_isolate(&self, index: usize) {
        let (pools, of_colo) = (&self.inner.isolates, self.inner.environment.isolates.get());
        if let Some(isolate) = pools[index / of_colo % pools.len()].at(index % of_colo) {
            isolate.restart();
        }
    }

    /// The host of a datacenter fails, by its index: all isolates of it restart, and all objects in it crash.
    pub fn fail_host(&self, colo: usize) {
        let environment = &self.inner.environment;
        let colo = colo % environment.map.count();
        environment.mark(marks::HOST_FAILED);
        environment.note(Lane::World, What::HostFails { colo }, None);
        self.inner.isolates[colo].started().for_each(|isolate| isolate.restart());
        for object in self.inner.namespace.all().iter().filter(|object| object.colo() == colo) {
            object.lose_host();
        }
    }

    /// Cuts a datacenter off from the others for so many ms, by its index: calls between it and them are lost, and sockets
    /// break when something is sent on them.
    pub fn cut_off(&self, colo: usize, for_ms: u64) {
        let environment = &self.inner.environment;
        let colo = colo % environment.map.count();
        environment.note(Lane::World, What::CutOff { colo, for_ms }, None);
        environment.map.cut_off(colo, environment.now_ms() + for_ms);
    }

    /// Ends all faults and all superseded instances: from here on everything has to work. Latencies stay.
    pub fn calm(&self) {
        self.inner.environment.note(Lane::World, What::Calmed, None);
        self.inner.environment.set_faults(self.inner.environment.faults().delays());
        self.inner.services.calm();
        self.inner.environment.map.calm();
        for object in self.inner.namespace.all() {
            object.end_all_superseded();
        }
    }

    /// Runs these statements on the storage of an object that has never run, as an earlier version of its class would
    /// have.
    pub fn prepare(&self, object: Address<'_>, statements: &[&'static str]) {
        let object = self.inner.namespace.object(object, self.colo);
        let journal = object.journal();
        for sql in statements {
            journal.write();
            let statement = Statement { sql, params: &[], byte_budget: usize::MAX };
            let outcome = journal.database().exec(statement, &mut |_| Ok(ControlFlow::Continue(())));
            assert_eq!(outcome, Ok(()), "{sql}");
        }
        if let Some(batch) = journal.end_turn() {
            journal.confirm(batch);
        }
    }

    /// Changes the network between clients and isolates, and the one between isolates and objects.
    pub fn set_network(&self, client_link: Link, object_link: Link) {
        let faults = self.inner.environment.faults().with(|faults| {
            faults.network.client_link = client_link;
            faults.network.object_link = object_link;
        });
        self.inner.environment.set_faults(faults);
    }

    /// Changes what goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.inner.environment.set_faults(faults);
    }

    /// The faults as they are now.
    pub fn faults(&self) -> Faults {
        self.inner.environment.faults()
    }
}

impl<P: Program> Origin for WorldOf<P> {
    fn number(&self) -> u64 {
        WorldOf::number(self)
    }

    fn cause(&self, url: &str) -> Cause {
        P::cause(Method::Get, url)
    }

    fn shown(&self, url: &str) -> String {
        P::shown(url).into_owned()
    }

    fn serve(&self, number: u64, request: Request) -> (Reply<Served>, ClientEnd) {
        self.inner.isolates[self.colo].choose().serve(number, request.received(), Entrypoint::Default)
    }
}
