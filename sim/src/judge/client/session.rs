//! One client: its memory, and how it asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use tailrace_core::protocol::Method;

use super::follow::Following;
use super::leash::Leash;
use super::message::{body, messages};
use super::producer::Producing;
use super::reader::Reading;
use super::wire::{Ask, content_type, read};
use crate::judge::history::{Answer, Batch, Call, Content, End, History, Lifetime, Stamp};
use crate::judge::scenario::{Action, Load, Scenario};
use crate::kernel::rt::{self, Node};
use crate::tailrace::World;
use crate::world::Request;

/// How long a client waits for an answer while answers may be lost, and how long once none is, in ms.
const PATIENCE_MS: [u64; 2] = [3_000, 30_000];

/// How often a client asks before it gives up.
pub(super) const ATTEMPTS: u64 = 5;

/// What all clients of a run share: the world, and the notebook.
pub(crate) struct Crowd {
    pub(crate) world: World,
    pub(crate) history: RefCell<History>,
    /// When the run began, in ms since the Unix epoch.
    pub(crate) start_ms: u64,
    /// The largest body that is not refused, in bytes.
    body_bytes: usize,
    /// The next epoch of each producer id on each stream: whoever begins one is alone with it.
    epochs: RefCell<BTreeMap<(String, usize), u64>>,
    /// The last `Stream-Seq` of each stream.
    stream_seqs: RefCell<Vec<u64>>,
    walks: Cell<usize>,
    /// The server's long-poll time-out in ms.
    pub(super) long_poll_ms: u64,
    /// Where live readers run: beside what their clients do else.
    node: Node,
    leashes: RefCell<Vec<Rc<Leash>>>,
}

impl Crowd {
    pub(crate) fn new(world: World, history: History, body_bytes: usize, long_poll_ms: u64) -> Self {
        let streams = history.streams.len();
        Self {
            start_ms: world.now_ms(),
            world,
            history: RefCell::new(history),
            body_bytes,
            epochs: RefCell::default(),
            stream_seqs: RefCell::new(vec![0; streams]),
            walks: Cell::default(),
            long_poll_ms,
            node: Node::new(),
            leashes: RefCell::default(),
        }
    }

    /// Asks once, and writes down what came of it; answers the request's number in the history.
    pub(super) async fn ask(
        &self,
        client: usize,
        stream: usize,
        call: Call,
        request: Request,
        at_least_ms: u64,
    ) -> usize {
        let (op, patience_ms) = self.invoke(client, stream, call);
        let outcome = self.world.request(request, patience_ms.max(at_least_ms)).await;
        let answer = outcome.ok().map(|response| read(&response));
        self.history.borrow_mut().complete(op, answer, self.world.now_ms());
        op
    }

    /// Writes a request down that is made now; answers its number, and how long to wait for its answer, in ms.
    pub(super) fn invoke(&self, client: usize, stream: usize, call: Call) -> (usize, u64) {
        let patience_ms = PATIENCE_MS[usize::from(self.is_calm())];
        (self.history.borrow_mut().invoke(client, stream, call, self.world.now_ms()), patience_ms)
    }

    /// Writes down how a connection of events ended, now.
    pub(super) fn end_listening(&self, op: usize, end: End) {
        let mut history = self.history.borrow_mut();
        let now = history.moment(self.world.now_ms());
        history.listening(op).end = Some((now, end));
    }

    /// Whether nothing goes wrong any more.
    pub(super) fn is_calm(&self) -> bool {
        self.world.now_ms() >= self.history.borrow().conditions.faulty_until_ms
    }

    /// Lets every live reader go.
    pub(crate) fn dismiss(&self) {
        self.leashes.take().iter().for_each(|leash| leash.leave());
    }

    pub(super) fn next_epoch(&self, producer: &str, stream: usize) -> u64 {
        let mut epochs = self.epochs.borrow_mut();
        let next = epochs.entry((producer.to_owned(), stream)).or_default();
        *next += 1;
        *next - 1
    }

    /// A `Stream-Seq` above all that were drawn for this stream, or one that has been drawn.
    pub(super) fn stream_seq(&self, stream: usize, passed: bool) -> String {
        let mut seqs = self.stream_seqs.borrow_mut();
        if !passed {
            seqs[stream] += 1;
        }
        format!("{:08}", seqs[stream])
    }

    /// How many offsets of a stream have been told so far.
    pub(crate) fn told(&self, stream: usize) -> usize {
        self.history.borrow().of_stream(stream).filter(|(_, op)| op.told().is_some()).count()
    }

    fn next_walk(&self) -> usize {
        self.walks.set(self.walks.get() + 1);
        self.walks.get()
    }
}

/// A client.
pub(crate) struct Session {
    pub(super) crowd: Rc<Crowd>,
    pub(super) client: usize,
    pub(super) producing: BTreeMap<usize, Producing>,
    pub(super) reading: BTreeMap<usize, Reading>,
    pub(super) following: BTreeMap<usize, Following>,
}

impl Session {
    pub(crate) fn new(crowd: Rc<Crowd>, client: usize) -> Self {
        Self { crowd, client, producing: BTreeMap::new(), reading: BTreeMap::new(), following: BTreeMap::new() }
    }

    /// Does one thing, to its end.
    pub(crate) async fn act(&mut self, action: Action) {
        match action {
            Action::Create { stream, lifetime, closes, load } => self.create(stream, lifetime, closes, load).await,
            Action::Delete { stream } => self.delete(stream).await,
            Action::Close { stream } => self.close(stream).await,
            Action::Append { stream, load, closes, mistake } => self.append(stream, load, closes, mistake).await,
            Action::Sequenced { stream, load, passed } => self.append_in_sequence(stream, load, passed).await,
            Action::Produce { stream, load, depth, copies, closes } => {
                self.produce(stream, load, depth, copies, closes).await;
            }
            Action::Resend { stream, back } => self.resend(stream, back).await,
            Action::Skip { stream, load } => self.skip(stream, load).await,
            Action::Restart => self.producing.clear(),
            Action::Read { stream, origin, pages } => self.walk(stream, origin, pages).await,
            Action::Head { stream } => self.head(stream).await,
            Action::Join { stream, mode, origin, readers } => self.join(stream, mode, origin, readers),
            Action::Stall { stream, for_ms } => self.stall(stream, for_ms),
            Action::Leave { stream } => self.leave(stream),
        }
    }

    pub(super) fn content(&self, stream: usize) -> Content {
        self.crowd.history.borrow().streams[stream].content
    }

    pub(super) fn next_walk(&self) -> usize {
        self.crowd.next_walk()
    }

    /// Runs something beside what the client does else, until it ends or its leash is let go.
    pub(super) fn beside(&self, leash: &Rc<Leash>, task: impl Future<Output = ()> + 'static) {
        self.crowd.leashes.borrow_mut().push(leash.clone());
        self.crowd.node.spawn(task);
    }

    /// A lifetime as a creation asks for it: an instant counts from the start of the run.
    pub(super) fn lifetime(&self, lifetime: Lifetime) -> Lifetime {
        match lifetime {
            Lifetime::Until(ms) => Lifetime::Until(self.crowd.start_ms + ms),
            _ => lifetime,
        }
    }

    /// Writes a batch down; answers its number.
    pub(super) fn batch(&self, stream: usize, load: Load, stamp: Option<Stamp>, stream_seq: Option<String>) -> usize {
        let mut history = self.crowd.history.borrow_mut();
        let number = history.batches.len();
        let content = history.streams[stream].content;
        let messages = messages(content, stream, number, stamp.as_ref(), load.count.max(1), load.pad_bytes);
        history.batches.push(Batch { stream, messages, stamp, stream_seq });
        number
    }

    /// A POST of a batch, as it should be.
    pub(super) fn post(&self, stream: usize, batch: usize, closes: bool) -> Ask {
        let history = self.crowd.history.borrow();
        let (content, batch) = (history.streams[stream].content, &history.batches[batch]);
        let ask = Ask::new(Method::Post, &Scenario::path(stream))
            .with("content-type", content_type(content))
            .with_stamp(batch.stamp.as_ref())
            .with_if(closes, "stream-closed", "true")
            .with_body(body(content, &batch.messages));
        match &batch.stream_seq {
            Some(seq) => ask.with("stream-seq", seq.clone()),
            None => ask,
        }
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.crowd.body_bytes
    }

    /// Asks once, and writes down what came of it; answers the request's number in the history.
    pub(super) async fn ask(&self, stream: usize, call: Call, request: Request) -> usize {
        self.crowd.ask(self.client, stream, call, request, 0).await
    }

    /// Asks until there is a definite answer, a few times at most.
    pub(super) async fn insist(&self, stream: usize, call: Call, request: impl Fn() -> Request) -> usize {
        let mut attempt = 1;
        loop {
            let op = self.ask(stream, call.clone(), request()).await;
            if attempt == ATTEMPTS || self.with_answer(op, |answer| answer.is_some()) {
                return op;
            }
            rt::sleep_ms(back_off_ms(attempt)).await;
            attempt += 1;
        }
    }

    /// Looks at a definite answer.
    pub(super) fn with_answer<T>(&self, op: usize, look: impl FnOnce(Option<&Answer>) -> T) -> T {
        look(self.crowd.history.borrow().ops[op].definite())
    }
}

/// How long to wait after that many attempts, in ms.
pub(super) fn back_off_ms(attempt: u64) -> u64 {
    20 << attempt
}
