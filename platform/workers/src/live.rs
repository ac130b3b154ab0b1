//! Live reads at the edge: core's bridge and flights over sockets, bodies and timers of JavaScript.
//!
//! JavaScript owns a task and polls it: once to start it, and again whenever what it waits for has come. It waits for one
//! thing at a time, which belongs to its own request, so it never runs in the context of another one; and a task whose
//! request has ended without it goes with its handle, and leaves nothing behind.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tailrace_core::edge::{self, Fetched, LiveRead};
use tailrace_core::protocol::message::Live;
use tailrace_core::runtime::{
    ActorNamespace, CallError, ClientBody, Connected, EdgeEnv, EdgeSocket, Isolate, Method, ObjectRequest, Patience,
    PipeEnd, PipeRule, Piped, Response, SocketEvent, SocketNamespace, Written,
};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::deployment::Deployment;
use crate::field;
use crate::io::{LiveIo, words};
use crate::state::fill_random;

/// How an operation ended, as JavaScript tells it.
mod outcome {
    // connect; the failures are those of src/edge.rs, and not these.
    pub(super) const ANSWER: u32 = 10;
    pub(super) const SOCKET: u32 = 11;
    // next, pipe
    pub(super) const MESSAGE: u32 = 20;
    pub(super) const TIMED_OUT: u32 = 21;
    pub(super) const OVERFLOW: u32 = 22;
    pub(super) const GONE: u32 = 23;
    // write
    pub(super) const TAKEN: u32 = 30;
    pub(super) const STALLED: u32 = 31;
}

/// A live read that is going on.
#[wasm_bindgen]
pub struct LiveTask(RefCell<Pin<Box<dyn Future<Output = ()>>>>);

#[wasm_bindgen]
impl LiveTask {
    /// A connection with events: `io` is told its head, and then fed.
    pub fn sse(io: LiveIo, object: String, message: String) -> Self {
        let (env, message) = LiveEnv::new(&io, message);
        let live = LiveRead { object, message, mode: Live::Sse };
        Self::new(async move {
            let config = Deployment::with(|deployment| deployment.edge.clone());
            match edge::open(&env, &config, &live).await {
                Fetched::Answer(response) => answer(&io, &response),
                Fetched::Stream { head, bridge } => {
                    report(io.open(head.status, &field::encode(&head.headers)));
                    bridge.run(Body(io)).await;
                }
            }
        })
    }

    /// A flight of long-polls: `io` is told its landing.
    #[wasm_bindgen(js_name = longPoll)]
    pub fn long_poll(io: LiveIo, object: String, message: String) -> Self {
        let (env, message) = LiveEnv::new(&io, message);
        let live = LiveRead { object, message, mode: Live::LongPoll };
        Self::new(async move {
            let config = Deployment::with(|deployment| deployment.edge.clone());
            match edge::flight(env, config.clone(), live).await {
                Ok(response) => answer(&io, &response),
                Err(error) => answer(&io, &edge::unreachable(&config, Method::Get, &error)),
            }
        })
    }

    /// Goes on to the next wait. Whether it is at its end.
    pub fn poll(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.try_borrow_mut() {
            Ok(mut task) => task.as_mut().poll(&mut context).is_ready(),
            // It is being polled further up: JavaScript does not do that.
            Err(_) => false,
        }
    }

    fn new(task: impl Future<Output = ()> + 'static) -> Self {
        Self(RefCell::new(Box::pin(task)))
    }
}

fn answer(io: &LiveIo, response: &Response) {
    report(io.answer(response.status, &field::encode(&response.headers), &response.body));
}

/// JavaScript answers a request of which it was told nothing with a 500.
fn report(told: Result<(), JsValue>) {
    if let Err(exception) = told {
        tracing::error!(message = words(&exception), "the edge has not taken an answer");
    }
}

/// Waits for the operation that has just been started, and answers how it ended; `None` where it could not be started.
async fn ended(io: &LiveIo, started: Result<(), JsValue>) -> Option<u32> {
    if let Err(exception) = started {
        tracing::error!(message = words(&exception), "an operation was not started");
        return None;
    }
    Operation { is_started: false }.await;
    io.outcome().ok()
}

/// What a task waits for: it is there when JavaScript polls again.
struct Operation {
    is_started: bool,
}

impl Future for Operation {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        if self.is_started {
            return Poll::Ready(());
        }
        self.is_started = true;
        Poll::Pending
    }
}

fn bytes(io: &LiveIo) -> Bytes {
    io.bytes().map(Bytes::from).unwrap_or_default()
}

/// The edge as a live read sees it.
#[derive(Clone)]
struct LiveEnv {
    io: LiveIo,
    #[cfg(feature = "faults")]
    fault: Option<String>,
}

impl LiveEnv {
    /// The edge, and the message without the fault that it may ask for.
    fn new(io: &LiveIo, message: String) -> (Self, String) {
        let io = io.clone();
        #[cfg(feature = "faults")]
        let (fault, message) = crate::fault::split(message);
        let env = Self {
            io,
            #[cfg(feature = "faults")]
            fault,
        };
        (env, message)
    }
}

impl Isolate for LiveEnv {
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        fill_random(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        ended(&self.io, self.io.sleep(ms as f64)).await;
    }
}

impl EdgeEnv for LiveEnv {
    type Streams = Self;
    type Body = Body;

    fn streams(&self) -> &Self {
        self
    }
}

impl ActorNamespace for LiveEnv {
    /// A live read connects.
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError> {
        match self.connect(object, request).await? {
            Connected::Answer(response) => Ok(response),
            Connected::Socket(_) => Err(CallError::Exception("a socket for a call".to_owned())),
        }
    }
}

impl SocketNamespace for LiveEnv {
    type Socket = Socket;

    async fn connect(&self, object: &str, request: ObjectRequest) -> Result<Connected<Socket>, CallError> {
        let io = &self.io;
        let message = request.message;
        #[cfg(feature = "faults")]
        let message = crate::fault::message(self.fault.as_deref(), message);
        match ended(io, io.connect(object, &message)).await {
            Some(outcome::ANSWER) => {
                let status = io.status().unwrap_or_default();
                let fields = io.fields().unwrap_or_default();
                let headers = field::decode(fields.split_terminator('\n'));
                Ok(Connected::Answer(Response { status, headers, body: bytes(io) }))
            }
            Some(outcome::SOCKET) => Ok(Connected::Socket(Socket(io.clone()))),
            failure => Err(crate::edge::call_error(failure.unwrap_or_default(), &io.fields().unwrap_or_default())),
        }
    }
}

/// The one socket that a live read has at a time.
struct Socket(LiveIo);

impl EdgeSocket for Socket {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        match ended(&self.0, self.0.next(wait_ms as f64)).await {
            Some(outcome::MESSAGE) => SocketEvent::Message(bytes(&self.0)),
            Some(outcome::TIMED_OUT) => SocketEvent::TimedOut,
            _ => SocketEvent::Closed,
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        report(self.0.close_socket());
    }
}

/// The one body that a live read feeds.
struct Body(LiveIo);

impl ClientBody for Body {
    type Socket = Socket;

    async fn write(&self, bytes: Bytes, patience: Patience) -> Written {
        let Patience { buffer_bytes, wait_ms } = patience;
        match ended(&self.0, self.0.write(&bytes, buffer_bytes as f64, wait_ms as f64)).await {
            Some(outcome::TAKEN) => Written::Taken,
            Some(outcome::STALLED) => Written::Stalled,
            _ => Written::Gone,
        }
    }

    async fn pipe(&self, _socket: &Socket, rule: PipeRule, patience: Patience) -> Piped {
        let (io, Patience { buffer_bytes, wait_ms }) = (&self.0, patience);
        let started = io.pipe(rule.prefix, rule.header_length as u32, buffer_bytes as f64, wait_ms as f64);
        let end = match ended(io, started).await {
            Some(outcome::MESSAGE) => PipeEnd::Message(bytes(io)),
            Some(outcome::TIMED_OUT) => PipeEnd::TimedOut,
            Some(outcome::OVERFLOW) => PipeEnd::Overflow,
            Some(outcome::GONE) => PipeEnd::Gone,
            _ => PipeEnd::Closed,
        };
        let last = io.header().ok().filter(|header| !header.is_empty()).map(Bytes::from);
        Piped { last, end }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        report(self.0.close_body());
    }
}
