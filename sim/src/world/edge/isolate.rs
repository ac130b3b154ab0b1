//! Edge isolates. They serve requests and share no memory. When one restarts, all requests that it serves fail; one that
//! is idle for long dies.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use tailrace_core::protocol::header;
use tailrace_core::runtime::{self, Past};

use crate::bill::Meter;
use crate::kernel::reply::{Reply, reply};
use crate::kernel::rt::{self, Node};
use crate::world::clock::MachineClock;
use crate::world::edge::context::Context;
use crate::world::edge::download::Breaker;
use crate::world::edge::inner::InnerEntrypoint;
use crate::world::edge::request::{Request, RequestBody};
use crate::world::edge::served::Served;
use crate::world::edge::state::{ClientEnd, EdgeState, Shared};
use crate::world::edge::upload::Upload;
use crate::world::environment::Environment;
use crate::world::event::{Lane, What};
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::callee::Callee;
use crate::world::program::Program;
use crate::world::services::Services;

/// An isolate that restarts while it serves a request does so within this many ms after the request came.
const RESTART_WITHIN_MS: u64 = 50;

/// Where all clients are, as the platform tells: limits do not count in a world, so they need not be told apart.
const CLIENTS: &str = "192.0.2.1";

/// At which entrypoint of the Worker a request comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrypoint {
    Default,
    /// Only the Worker itself can ask it.
    Inner,
}

/// The configuration of isolates that start from now on, shared by all of a world.
pub(crate) type Newest<P> = Rc<RefCell<Rc<<P as Program>::EdgeConfig>>>;

/// One edge isolate.
pub(crate) struct EdgeIsolate<P: Program> {
    environment: Rc<Environment>,
    newest: Newest<P>,
    /// That with which it has started.
    config: RefCell<Rc<P::EdgeConfig>>,
    shared: Rc<Shared>,
    node: RefCell<Node>,
}

impl<P: Program> EdgeIsolate<P> {
    /// The isolate of that index, in the datacenter of that index.
    pub(crate) fn new(
        index: usize,
        colo: usize,
        environment: Rc<Environment>,
        callee: Rc<dyn Callee>,
        inner: Weak<dyn InnerEntrypoint>,
        services: &Services,
        newest: Newest<P>,
    ) -> Rc<Self> {
        let (flights, instance) = (Rc::default(), Rc::default());
        let clock = Cell::new(machine_clock(&environment, colo));
        let release = Cell::new(environment.release.get());
        let (streaming, held_bodies, backlogs) = (RefCell::default(), RefCell::default(), RefCell::default());
        let memory = environment.memory(index);
        let (caches, kv) = (services.cache.clone(), services.kv.clone());
        let partition = Cell::new(caches.draw_partition());
        let shared = Shared {
            memory,
            callee,
            inner,
            caches,
            kv,
            partition,
            flights,
            held_bodies,
            known_projects: RefCell::default(),
            backlogs,
            instance,
            clock,
            index,
            colo,
            release,
            streaming,
        };
        let (config, node) = (RefCell::new(newest.borrow().clone()), RefCell::new(Node::new()));
        Rc::new(Self { environment, newest, config, shared: Rc::new(shared), node })
    }

    /// Serves the request of that number, or what a gateway asks of the inner entrypoint for it. The reply is dropped if
    /// the isolate restarts or the request ends first.
    pub(crate) fn serve(
        self: &Rc<Self>,
        number: u64,
        request: Request,
        entrypoint: Entrypoint,
    ) -> (Reply<Served>, ClientEnd) {
        self.die_if_idle();
        self.environment.invoke(number);
        let cause = P::cause(request.method, &request.url);
        self.environment.meter(cause, Meter::WorkerRequests, 1);
        let (sender, answer) = reply();
        let context = Context::new(self.environment.clone(), self.shared.memory.clone(), number);
        let state = EdgeState::new(context.clone(), self.shared.clone(), sender, cause);
        let node = self.node.borrow().clone();
        let run = {
            let (config, state) = (self.config.borrow().clone(), state.clone());
            // From here on whatever befalls the isolate befalls the request, though its task has not begun.
            let place = self.shared.instance.enter(&context);
            let (url, headers) = (request.url.clone(), request.headers.clone());
            let mut request = request;
            if entrypoint == Entrypoint::Default && self.environment.faults().edge.limits_rates() {
                // The platform says where a request comes from.
                request.headers.push(header::CF_CONNECTING_IP, CLIENTS);
            }
            let arrived = arrived(context, request);
            async move {
                let _place = place;
                let config = &*config;
                match entrypoint {
                    Entrypoint::Default => {
                        let when_lost = || P::answer_when_lost(config, &url, &headers);
                        state.run(&when_lost, |past| P::serve(&state, config, arrived(past))).await;
                    }
                    Entrypoint::Inner => {
                        state.run(&P::inner_when_lost, |past| P::serve_inner(&state, config, arrived(past))).await;
                    }
                }
            }
        };
        node.spawn(run);
        self.draw_end(&node, &state);
        self.draw_restart(&node);
        (answer, state.client_end())
    }

    /// Whether it serves a request.
    pub(crate) fn is_busy(&self) -> bool {
        self.shared.instance.is_busy()
    }

    /// If it has been idle for too long by now, it has died meanwhile: nobody could tell before. One that holds what a
    /// client still reads, or an object, is not idle.
    fn die_if_idle(&self) {
        let (environment, shared) = (&self.environment, &self.shared);
        let after = environment.faults().edge.isolate_idle;
        let Some(since_ms) = shared.instance.idle_since_ms().filter(|_| after.max_ms > 0) else { return };
        let holds =
            environment.tenants.live_in(shared.index) || shared.streaming.borrow().iter().any(Breaker::is_needed);
        if !holds && environment.now_ms() - since_ms >= environment.draw_ms(after) {
            environment.mark(marks::ISOLATE_DIED_IDLE);
            environment.note(Lane::Isolate(shared.index), What::BegunAnew, None);
            self.begin_anew();
        }
    }

    /// Draws whether the platform ends the request without telling it, and when.
    fn draw_end(&self, node: &Node, state: &EdgeState) {
        let environment = self.environment.clone();
        let faults = environment.faults().edge;
        if !environment.chance(faults.request_vanished_permille) {
            return;
        }
        let after_ms = environment.draw_ms(faults.request_vanishes);
        let state = state.clone();
        node.spawn(async move {
            rt::sleep_ms(after_ms).await;
            // The faults may have ended meanwhile.
            if environment.faults().edge.request_vanished_permille > 0 {
                state.end();
            }
        });
    }

    /// Draws whether the isolate restarts while it serves a request.
    fn draw_restart(self: &Rc<Self>, node: &Node) {
        let environment = &self.environment;
        if !environment.chance(environment.faults().edge.isolate_restart_permille) {
            return;
        }
        let after_ms = environment.random.between(0, RESTART_WITHIN_MS);
        let isolate = self.clone();
        node.spawn(async move {
            rt::sleep_ms(after_ms).await;
            // The faults may have ended meanwhile.
            if isolate.environment.faults().edge.isolate_restart_permille > 0 {
                isolate.environment.mark(marks::ISOLATE_RESTARTED_BUSY);
                isolate.restart();
            }
        });
    }

    /// Restarts it: the requests that it serves fail, its sockets are closed, and its memory is gone.
    pub(crate) fn restart(&self) {
        self.environment.note(Lane::Isolate(self.shared.index), What::Restarted, None);
        self.shared.instance.harm(Harm::IsolateRestarted);
        for breaker in self.shared.streaming.take() {
            if breaker.cut() {
                self.environment.mark(marks::ISOLATE_RESTARTED_STREAMING);
            }
        }
        self.begin_anew();
    }

    /// Its memory is gone, and what runs in it.
    fn begin_anew(&self) {
        self.node.replace(Node::new()).kill();
        self.shared.flights.clear();
        self.shared.held_bodies.take();
        self.shared.known_projects.take();
        self.shared.backlogs.take();
        self.shared.clock.set(machine_clock(&self.environment, self.shared.colo));
        self.shared.partition.set(self.shared.caches.draw_partition());
        self.shared.release.set(self.environment.release.get());
        self.config.replace(self.newest.borrow().clone());
    }
}

/// The clock of the machine on which an isolate starts, in the datacenter of that index.
fn machine_clock(environment: &Environment, colo: usize) -> MachineClock {
    let off_ms = environment.faults().edge.clock_off_ms;
    MachineClock::draw(&environment.random, off_ms).in_colo(environment.map.clock(colo))
}

/// The request as core sees it, each time that it is served. If the client has its body as a whole, it declares the
/// length.
fn arrived(context: Rc<Context>, request: Request) -> impl Fn(Past) -> runtime::Request<Upload> {
    let Request { method, url, mut headers, body } = request;
    if let RequestBody::Bytes(bytes) = &body {
        headers.push(header::CONTENT_LENGTH, bytes.len().to_string());
    }
    let body = match body {
        RequestBody::Empty => None,
        body => Some(Upload::new(context, body)),
    };
    move |past| runtime::Request { method, url: url.clone(), headers: headers.clone(), body: body.clone(), past }
}
