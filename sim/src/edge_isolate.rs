//! Edge isolates: they serve requests, restart with all that they serve, and share no memory.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::edge::Fetched;
use tailrace_core::runtime::{
    ActorNamespace, CallError, ClientBody, Connected, EdgeEnv, EdgeSocket, Flights, Isolate, Landing, ObjectRequest,
    PipeRule, Piped, Request, Response, Shared, SocketEvent, SocketNamespace, Written,
};

use crate::environment::Environment;
use crate::marks;
use crate::namespace::Namespace;
use crate::network;
use crate::program::Program;
use crate::reply::{Reply, reply};
use crate::rt::{self, Node};

/// An isolate that restarts while it serves a request does so within this.
const RESTART_WITHIN_MS: u64 = 50;

/// What an edge isolate can reach; clones share it.
pub struct EdgeState<P: Program> {
    environment: Rc<Environment>,
    streams: Rc<Streams<P>>,
}

impl<P: Program> Clone for EdgeState<P> {
    fn clone(&self) -> Self {
        Self { environment: self.environment.clone(), streams: self.streams.clone() }
    }
}

impl<P: Program> Isolate for EdgeState<P> {
    fn now_ms(&self) -> u64 {
        self.environment.now_ms()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.environment.core_random.fill(bytes);
    }

    fn sometimes(&self, mark: &'static str) {
        self.environment.mark(mark);
    }
}

impl<P: Program> EdgeEnv for EdgeState<P> {
    type Streams = Streams<P>;
    type Body = NoBody;

    fn streams(&self) -> &Streams<P> {
        &self.streams
    }

    async fn sleep_ms(&self, ms: u64) {
        rt::sleep_ms(ms).await;
    }
}

impl<P: Program> Flights for EdgeState<P> {
    async fn share<F>(&self, _key: String, flight: F) -> Shared
    where
        F: Future<Output = Landing> + 'static,
    {
        Shared { landing: flight.await, joined: false }
    }
}

/// There are no sockets in this world.
pub enum NoSocket {}

impl EdgeSocket for NoSocket {
    async fn next(&self, _wait_ms: u64) -> SocketEvent {
        match *self {}
    }
}

/// There are no answers that go on in this world.
pub enum NoBody {}

impl ClientBody for NoBody {
    type Socket = NoSocket;

    async fn write(&self, _bytes: Bytes, _wait_ms: u64) -> Written {
        match *self {}
    }

    async fn pipe(&self, _socket: &NoSocket, _rule: PipeRule, _wait_ms: u64) -> Piped {
        match *self {}
    }
}

impl<P: Program> SocketNamespace for Streams<P> {
    type Socket = NoSocket;

    async fn connect(&self, object: &str, request: ObjectRequest) -> Result<Connected<NoSocket>, CallError> {
        self.call(object, request).await.map(Connected::Answer)
    }
}

/// The objects, as the edge calls them.
pub struct Streams<P: Program> {
    environment: Rc<Environment>,
    namespace: Rc<Namespace<P::Object>>,
}

impl<P: Program> ActorNamespace for Streams<P> {
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError> {
        network::call(&self.environment, self.namespace.clone(), object, request).await
    }
}

/// One edge isolate.
pub(crate) struct EdgeIsolate<P: Program> {
    label: String,
    state: EdgeState<P>,
    config: P::EdgeConfig,
    node: RefCell<Node>,
}

impl<P: Program> EdgeIsolate<P> {
    pub(crate) fn new(
        index: usize,
        environment: Rc<Environment>,
        namespace: Rc<Namespace<P::Object>>,
        config: P::EdgeConfig,
    ) -> Rc<Self> {
        let streams = Rc::new(Streams { environment: environment.clone(), namespace });
        Rc::new(Self {
            label: format!("isolate {index}"),
            state: EdgeState { environment, streams },
            config,
            node: RefCell::new(Node::new()),
        })
    }

    /// Serves a request; the reply is dropped if the isolate restarts first.
    pub(crate) fn serve(self: &Rc<Self>, request: Request) -> Reply<Response> {
        let (sender, answer) = reply();
        let isolate = self.clone();
        let node = self.node.borrow().clone();
        node.spawn(async move {
            // Without an answer the sender goes, and the client's connection with it.
            if let Ok(Fetched::Answer(response)) = P::fetch(&isolate.state, &isolate.config, request).await {
                sender.send(response);
            }
        });
        let environment = &self.state.environment;
        if environment.chance(environment.faults().isolate_restart_permille) {
            let after_ms = environment.random.between(0, RESTART_WITHIN_MS);
            let isolate = self.clone();
            node.spawn(async move {
                rt::sleep_ms(after_ms).await;
                let environment = &isolate.state.environment;
                // Not once the faults have ended.
                if environment.faults().isolate_restart_permille > 0 {
                    environment.mark(marks::ISOLATE_RESTARTED_BUSY);
                    isolate.restart();
                }
            });
        }
        answer
    }

    /// Restarts it: what it serves fails, what it knew is gone.
    pub(crate) fn restart(&self) {
        self.state.environment.note(format_args!("{}: restarts", self.label));
        self.node.replace(Node::new()).kill();
    }
}
