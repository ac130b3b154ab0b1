//! What all clients of a run share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use tailrace_core::protocol::Method;

use super::access::{Issuer, Need, Pass};
use super::reader_control::ReaderControl;
use super::wire::{content_type, read};
use crate::judge::history::{Call, ClientAnswer, End, History, Manner, Mode, Shown, origin_of};
use crate::judge::tenancy::Tenancy;
use crate::kernel::random::Random;
use crate::kernel::rt::Node;
use crate::tailrace::World;
use crate::world::Request;

/// How long a client waits for an answer while answers may be lost, and how long once none is, in ms.
const PATIENCE_MS: [u64; 2] = [3_000, 30_000];

/// What a stranger may see of a client's request.
pub(crate) struct Seen {
    pub(super) client: usize,
    pub(super) stream: usize,
    /// Without its token.
    pub(super) url: String,
    /// Whether whoever has seen it shows nothing, and reads.
    pub(super) passes_by: bool,
}

/// Has a stranger ask what was seen.
pub(crate) type SendStranger = fn(&Rc<ClientContext>, &Rc<Issuer>, Seen);

/// What all clients of a run share: the world, and the history.
pub(crate) struct ClientContext {
    pub(crate) world: World,
    pub(crate) history: RefCell<History>,
    /// When the run began, in ms since the Unix epoch.
    pub(crate) start_ms: u64,
    /// The largest body that is not refused, in bytes.
    pub(super) body_bytes: usize,
    /// The next epoch of each producer id on each stream: whoever begins one is alone with it.
    epochs: RefCell<BTreeMap<(String, usize), u64>>,
    /// The last `Stream-Seq` of each stream.
    stream_seqs: RefCell<Vec<u64>>,
    walks: Cell<usize>,
    /// The server's long-poll time-out in ms.
    pub(super) long_poll_ms: u64,
    /// Where live readers run: beside what their clients do else.
    node: Node,
    reader_controls: RefCell<Vec<Rc<ReaderControl>>>,
    calm: Cell<bool>,
    /// Who issues tokens, where they are needed.
    pub(crate) issuer: Option<Rc<Issuer>>,
    send_stranger: SendStranger,
    /// What GETs asked for, by their numbers in the world: each URL without its token, and its stream.
    urls: RefCell<BTreeMap<u64, (String, usize)>>,
}

impl ClientContext {
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
            reader_controls: RefCell::default(),
            calm: Cell::default(),
            issuer: None,
            send_stranger: |_, _, _| {},
            urls: RefCell::default(),
        }
    }

    /// Clients need tokens, which this one issues, and strangers have none.
    pub(crate) fn with_issuer(self, issuer: Option<Rc<Issuer>>, send_stranger: SendStranger) -> Self {
        Self { issuer, send_stranger, ..self }
    }

    /// Asks once, and writes down what came of it; answers the request's number in the history.
    pub(super) async fn ask(
        self: &Rc<Self>,
        client: usize,
        stream: usize,
        call: Call,
        mut request: Request,
        at_least_ms: u64,
    ) -> usize {
        let (op, number, patience_ms) = self.invoke(client, stream, call);
        self.show(op, &mut request);
        let outcome = self.near(client).request_as(number, request, patience_ms.max(at_least_ms)).await;
        self.complete(op, outcome.ok().map(|response| read(&response)));
        op
    }

    /// Writes down that a request was answered, or given up, now. A client that was told that its token will not do has
    /// another one next time.
    pub(super) fn complete(&self, op: usize, answer: Option<ClientAnswer>) {
        let mut history = self.history.borrow_mut();
        history.complete(op, answer, self.world.now_ms());
        if let Some(issuer) = &self.issuer {
            issuer.end(op);
            let op = &history.ops[op];
            if let Some(key) = op.definite().and_then(|answer| answer.reader_key.as_deref()) {
                issuer.learn_reader_key(op.stream, key, self.world.now_ms());
            }
            if op.is_denied() {
                issuer.drop_pass(op.client, op.stream, need_of(&op.call));
            }
        }
    }

    /// The token that a client would show now to read a stream; none where none is needed.
    pub(super) fn reading_pass(&self, client: usize, stream: usize) -> Option<Pass> {
        Some(self.issuer.as_ref()?.pass(client, stream, Need::Read, self.world.now_ms()))
    }

    /// Which projects the deployment has.
    pub(super) fn tenancy(&self) -> Tenancy {
        self.issuer.as_ref().map_or(Tenancy::One, |issuer| issuer.tenancy())
    }

    /// What the URLs of a stream have after `/v1/stream/`, decoded.
    pub(super) fn url_path(&self, stream: usize) -> String {
        self.tenancy().url_path(stream)
    }

    /// The reader key that a client puts into the URL of a read now.
    pub(super) fn reader_key(&self, client: usize, stream: usize) -> Option<String> {
        self.issuer.as_ref()?.reader_key(client, stream, self.world.now_ms())
    }

    /// Adds the client's token to a request, where one is needed: to the URL of a browser's `EventSource`, which can send no
    /// header fields, and of some others. Perhaps a stranger has seen it.
    pub(super) fn show(self: &Rc<Self>, op: usize, request: &mut Request) {
        let Some(issuer) = &self.issuer else { return };
        let (client, stream, number, is_in_url, need) = {
            let op = &mut self.history.borrow_mut().ops[op];
            op.reader_key = reader_key_of(&request.url).map(str::to_owned);
            let is_in_url = request.method == Method::Get && is_shown_in_url(op.client, &op.call);
            (op.client, op.stream, op.request, is_in_url, need_of(&op.call))
        };
        if request.method == Method::Get {
            self.urls.borrow_mut().insert(number, (request.url.clone(), stream));
        }
        if need != Need::Manage && issuer.draws_stranger() {
            (self.send_stranger)(self, issuer, Seen { client, stream, url: request.url.clone(), passes_by: false });
        }
        if need == Need::Read && issuer.draws_passer() {
            (self.send_stranger)(self, issuer, Seen { client, stream, url: request.url.clone(), passes_by: true });
        }
        let pass = issuer.pass(client, stream, need, self.world.now_ms());
        issuer.begin(op, &pass);
        self.history.borrow_mut().ops[op].shown =
            Some(Shown { until_ms: pass.until_ms, is_in_url, manages: pass.manages });
        if let Some(origin) = origin_of(client).filter(|_| issuer.lists_origins()) {
            request.headers.push("origin", origin);
        }
        if is_in_url {
            request.url.push(if request.url.contains('?') { '&' } else { '?' });
            request.url.push_str(&format!("token={}", pass.token));
        } else {
            request.headers.push("authorization", format!("Bearer {}", pass.token));
        }
    }

    /// The URL of a request whose answer is in the cache of the client's datacenter, with its stream, if there is one.
    pub(super) fn url_of_a_copy(&self, client: usize, random: &Random) -> Option<(String, usize)> {
        let colo = self.history.borrow().conditions.colo(client);
        let (held, urls) = (self.world.services().cache.held(colo), self.urls.borrow());
        let held: Vec<&(String, usize)> = held.iter().filter_map(|number| urls.get(number)).collect();
        if held.is_empty() || random.chance(300) {
            return None;
        }
        held.get(random.between(0, held.len() as u64 - 1) as usize).map(|found| (*found).clone())
    }

    /// The content type of a stream.
    pub(super) fn content_type(&self, stream: usize) -> &'static str {
        content_type(self.history.borrow().streams[stream].content)
    }

    /// The world, as a client uses it: each is near a datacenter, in their order.
    pub(super) fn near(&self, client: usize) -> World {
        self.world.near(client)
    }

    /// Writes a request down that is made now; answers its numbers in the history and in the world, and how long to
    /// wait for its answer, in ms.
    pub(super) fn invoke(&self, client: usize, stream: usize, call: Call) -> (usize, u64, u64) {
        let (number, now_ms) = (self.world.number(), self.world.now_ms());
        let mut history = self.history.borrow_mut();
        // Where nothing is ever lost, a client that is impatient would only begin again what takes its time.
        let is_settled = self.is_calm() || history.conditions.settled_from_ms <= now_ms;
        let patience_ms = PATIENCE_MS[usize::from(is_settled)] + history.conditions.round_trip_ms();
        let op = history.invoke(client, stream, call, now_ms);
        history.ops[op].request = number;
        (op, number, patience_ms)
    }

    /// Writes down how a connection of events ended, now.
    pub(super) fn end_listening(&self, op: usize, end: End) {
        let mut history = self.history.borrow_mut();
        let now = history.moment(self.world.now_ms());
        history.listening(op).end = Some((now, end));
    }

    /// Runs a live reader beside what its client does else, until it ends or is let go.
    pub(super) fn run_beside(&self, reader_control: &Rc<ReaderControl>, task: impl Future<Output = ()> + 'static) {
        self.reader_controls.borrow_mut().push(reader_control.clone());
        self.node.spawn(task);
    }

    /// Asks for something beside what a client does else.
    pub(super) fn run_along(&self, task: impl Future<Output = ()> + 'static) {
        self.node.spawn(task);
    }

    /// Whether nothing goes wrong any more.
    pub(super) fn is_calm(&self) -> bool {
        self.calm.get()
    }

    /// From here on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.calm.set(true);
    }

    /// Lets every live reader go.
    pub(crate) fn dismiss(&self) {
        self.reader_controls.take().iter().for_each(|reader_control| reader_control.leave());
    }

    /// The next epoch of a producer on a stream.
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

    /// A number that no other walk through a stream has.
    pub(super) fn next_walk(&self) -> usize {
        self.walks.set(self.walks.get() + 1);
        self.walks.get()
    }
}

/// What a request needs a token for.
fn need_of(call: &Call) -> Need {
    match call {
        Call::Read { .. } | Call::Live { .. } | Call::Head => Need::Read,
        Call::Create { .. } | Call::Append { .. } | Call::Delete => Need::Write,
        Call::NewReaderKey => Need::Manage,
    }
}

/// The reader key in a URL, which clients write last.
fn reader_key_of(url: &str) -> Option<&str> {
    url.split_once('?')?.1.split('&').find_map(|parameter| parameter.strip_prefix("rk="))
}

/// Whether a client has its token in the URL of a GET. What goes by way of a browser's cache has none there.
fn is_shown_in_url(client: usize, call: &Call) -> bool {
    let is_in_browser = |reader: usize| !reader.is_multiple_of(2);
    match call {
        Call::Live { mode: Mode::Sse, reader, .. } if is_in_browser(*reader) => true,
        Call::Live { mode: Mode::LongPoll, reader, .. } if is_in_browser(*reader) => false,
        Call::Read { manner: Some(Manner::Browser), .. } => false,
        _ => client % 3 == 2,
    }
}
