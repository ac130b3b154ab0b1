//! Edge isolates: they serve requests, restart with all that they serve, and share no memory.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use tailrace_core::edge::Fetched;
use tailrace_core::runtime::{
    ActorNamespace, CallError, Connected, EdgeEnv, Flights, Isolate, Landing, Mark, ObjectRequest, Request, Response,
    Shared, SocketNamespace,
};

use crate::kernel::reply::{Reply, reply};
use crate::kernel::rt::{self, Node};
use crate::world::edge::answer_body::{AnswerBody, Breaker, EdgeBody, answer_body};
use crate::world::edge::edge_socket::EdgeEnd;
use crate::world::edge::flights;
use crate::world::environment::Environment;
use crate::world::marks;
use crate::world::network::travel;
use crate::world::objects::namespace::Namespace;
use crate::world::program::Program;

/// An isolate that restarts while it serves a request does so within this.
const RESTART_WITHIN_MS: u64 = 50;

/// Breakers of streamed answers are looked through once an isolate remembers this many.
const PRUNE_AT: usize = 64;

/// What an edge isolate can reach; clones share it.
pub struct EdgeState<P: Program>(Rc<Inner<P>>);

struct Inner<P: Program> {
    environment: Rc<Environment>,
    streams: Streams<P>,
    flights: Rc<flights::Flights>,
    node: RefCell<Node>,
}

impl<P: Program> Clone for EdgeState<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Program> Isolate for EdgeState<P> {
    fn now_ms(&self) -> u64 {
        self.0.environment.now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.environment.core_random.fill(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        rt::sleep_ms(ms).await;
    }

    fn sometimes(&self, mark: Mark) {
        self.0.environment.mark(mark);
    }
}

impl<P: Program> EdgeEnv for EdgeState<P> {
    type Streams = Streams<P>;
    type Body = EdgeBody;

    fn streams(&self) -> &Streams<P> {
        &self.0.streams
    }
}

impl<P: Program> Flights for EdgeState<P> {
    async fn share<F>(&self, key: String, flight: F) -> Shared
    where
        F: Future<Output = Landing> + 'static,
    {
        let node = self.0.node.borrow().clone();
        self.0.flights.share(&node, key, flight).await
    }
}

/// The objects, as the edge calls them.
pub struct Streams<P: Program> {
    environment: Rc<Environment>,
    namespace: Rc<Namespace<P::Object>>,
}

impl<P: Program> ActorNamespace for Streams<P> {
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError> {
        travel::call(&self.environment, self.namespace.clone(), object, request).await
    }
}

impl<P: Program> SocketNamespace for Streams<P> {
    type Socket = EdgeEnd;

    async fn connect(&self, object: &str, request: ObjectRequest) -> Result<Connected<EdgeEnd>, CallError> {
        travel::connect(&self.environment, self.namespace.clone(), object, request).await
    }
}

/// An answer as it leaves an isolate.
pub(crate) struct Served {
    /// All of it, or its head.
    pub(crate) response: Response,
    /// The body of one that goes on.
    pub(crate) body: Option<AnswerBody>,
}

/// One edge isolate.
pub(crate) struct EdgeIsolate<P: Program> {
    label: String,
    state: EdgeState<P>,
    config: P::EdgeConfig,
    streaming: RefCell<Vec<Breaker>>,
}

impl<P: Program> EdgeIsolate<P> {
    pub(crate) fn new(
        index: usize,
        environment: Rc<Environment>,
        namespace: Rc<Namespace<P::Object>>,
        config: P::EdgeConfig,
    ) -> Rc<Self> {
        let streams = Streams { environment: environment.clone(), namespace };
        let inner = Inner { environment, streams, flights: Rc::default(), node: RefCell::new(Node::new()) };
        Rc::new(Self {
            label: format!("isolate {index}"),
            state: EdgeState(Rc::new(inner)),
            config,
            streaming: RefCell::default(),
        })
    }

    /// Serves a request; the reply is dropped if the isolate restarts first.
    pub(crate) fn serve(self: &Rc<Self>, request: Request) -> Reply<Served> {
        let (sender, answer) = reply();
        let isolate = self.clone();
        let node = self.state.0.node.borrow().clone();
        node.spawn(async move {
            match P::fetch(&isolate.state, &isolate.config, request).await {
                Ok(Fetched::Answer(response)) => sender.send(Served { response, body: None }),
                Ok(Fetched::Stream { head, bridge }) => {
                    let (edge, client) = answer_body(isolate.environment().clone());
                    isolate.watch(edge.breaker());
                    sender.send(Served { response: head, body: Some(client) });
                    bridge.run(edge).await;
                }
                // Without an answer the sender goes, and the client's connection with it.
                Err(_) => {}
            }
        });
        let environment = self.environment();
        if environment.chance(environment.faults().edge.isolate_restart_permille) {
            let after_ms = environment.random.between(0, RESTART_WITHIN_MS);
            let isolate = self.clone();
            node.spawn(async move {
                rt::sleep_ms(after_ms).await;
                // Not once the faults have ended.
                if isolate.environment().faults().edge.isolate_restart_permille > 0 {
                    isolate.environment().mark(marks::ISOLATE_RESTARTED_BUSY);
                    isolate.restart();
                }
            });
        }
        answer
    }

    /// Restarts it: what it serves fails, its sockets are closed, what it knew is gone.
    pub(crate) fn restart(&self) {
        self.environment().note(format_args!("{}: restarts", self.label));
        for breaker in self.streaming.take() {
            if breaker.cut() {
                self.environment().mark(marks::ISOLATE_RESTARTED_STREAMING);
            }
        }
        self.state.0.node.replace(Node::new()).kill();
        self.state.0.flights.clear();
    }

    fn environment(&self) -> &Rc<Environment> {
        &self.state.0.environment
    }

    fn watch(&self, breaker: Breaker) {
        let mut streaming = self.streaming.borrow_mut();
        if streaming.len() >= PRUNE_AT && streaming.len().is_power_of_two() {
            streaming.retain(Breaker::is_needed);
        }
        streaming.push(breaker);
    }
}
