//! Histories written by hand.

use std::collections::BTreeMap;

use bytes::Bytes;
use tailrace_core::protocol::limits::PRODUCERS;

use super::case::Case;
use super::{Invariant, Violation};
use crate::judge::client::message::messages;
use crate::judge::history::{
    Call, ClientAnswer, Conditions, Content, Delivery, End, From, Handed, History, How, Leftover, Lifetime, Mode, Op,
    Parting, SentBatch, Stamp, StreamInfo,
};
use crate::world::{Charge, FetchedFor, FrontFetch, Harm, Visit, Visited};

/// A history of one stream in the making. Requests follow one another, 1 ms apart.
#[derive(Clone, Debug)]
pub(super) struct Fixture {
    pub(super) history: History,
    now_ms: u64,
    walk: usize,
    /// Where each live reader stands, and what it echoes.
    standing: BTreeMap<usize, (String, Option<u64>)>,
}

fn offset(segment: u64, index: u64) -> Option<String> {
    Some(format!("{segment:016}_{index:016}"))
}

fn answer(status: u16) -> ClientAnswer {
    ClientAnswer { status, guarded: true, ..ClientAnswer::default() }
}

/// 201 of a stream that begins with this segment.
pub(super) fn created(segment: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { next_offset: offset(segment, 0), ..answer(201) })
}

/// 200 of a creation, with the tail.
pub(super) fn exists(segment: u64, index: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { next_offset: offset(segment, index), ..answer(200) })
}

/// 204 of an append that ends here.
pub(super) fn acked(segment: u64, index: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { next_offset: offset(segment, index), ..answer(204) })
}

/// 200 of a producer's append that ends here; the tuple is filled in by [`Fixture::produce`].
pub(super) fn written(segment: u64, index: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { next_offset: offset(segment, index), ..answer(200) })
}

/// 204 of a producer's duplicate, with the highest sequence number.
pub(super) fn duplicate(segment: u64, index: u64, last_seq: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { producer_seq: Some(last_seq), ..acked(segment, index)? })
}

/// 200 of a page that ends here, at the tail.
pub(super) fn page(segment: u64, index: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { up_to_date: true, ..part(segment, index)? })
}

/// 200 of a page that ends here, before the tail.
pub(super) fn part(segment: u64, index: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer {
        next_offset: offset(segment, index),
        etag: Some(format!("\"{segment}:{index}\"")),
        ..answer(200)
    })
}

/// 204 of a long-poll that waited in vain here.
pub(super) fn empty(segment: u64, index: u64, cursor: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { next_offset: offset(segment, index), cursor: Some(cursor), up_to_date: true, ..answer(204) })
}

/// 200 of a long-poll that ends here, at the tail.
pub(super) fn polled(segment: u64, index: u64, cursor: u64) -> Option<ClientAnswer> {
    Some(ClientAnswer { cursor: Some(cursor), ..page(segment, index)? })
}

/// A control event at the tail, with its data event if there is one.
pub(super) fn delivery(data: Option<&str>, segment: u64, index: u64, cursor: u64) -> Delivery {
    Delivery {
        data: data.map(str::to_owned),
        next_offset: offset(segment, index),
        cursor: Some(cursor),
        up_to_date: true,
        ..Delivery::default()
    }
}

/// 200 of HEAD.
pub(super) fn tail(segment: u64, index: u64) -> Option<ClientAnswer> {
    exists(segment, index)
}

/// 404.
pub(super) fn absent() -> Option<ClientAnswer> {
    coded(404, "stream_not_found")
}

/// 204 of DELETE.
pub(super) fn deleted() -> Option<ClientAnswer> {
    Some(answer(204))
}

/// A status without a code.
pub(super) fn refused(status: u16) -> Option<ClientAnswer> {
    Some(answer(status))
}

/// A status with a code.
pub(super) fn coded(status: u16, code: &str) -> Option<ClientAnswer> {
    Some(ClientAnswer { code: Some(code.to_owned()), ..answer(status) })
}

/// The same, closed.
pub(super) fn closed(answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
    answer.map(|answer| ClientAnswer { closed: true, ..answer })
}

/// The same with this tag.
pub(super) fn tagged(etag: &str, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
    answer.map(|answer| ClientAnswer { etag: Some(etag.to_owned()), ..answer })
}

/// The same, handed out by the cache of the datacenter, which was given it so many seconds ago.
pub(super) fn hit(age_s: u64, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
    answer.map(|answer| ClientAnswer { x_cache: Some("HIT".to_owned()), age_s: Some(age_s), ..answer })
}

/// The same, handed out by the browser that this request has given it to.
pub(super) fn kept(by: usize, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
    answer.map(|answer| ClientAnswer { from_browser: Some(by), ..answer })
}

/// A run with a JSON stream that lives for ever.
pub(super) fn run() -> Fixture {
    let mut run = Fixture::json();
    run.create(Lifetime::Endless, created(0));
    run
}

impl Fixture {
    pub(super) fn json() -> Self {
        Self::of(Content::Json)
    }

    pub(super) fn bytes() -> Self {
        Self::of(Content::Bytes)
    }

    pub(super) fn text() -> Self {
        Self::of(Content::Text)
    }

    fn of(content: Content) -> Self {
        let streams = vec![StreamInfo { name: "a".to_owned(), path: "a".to_owned(), content }];
        Self {
            history: History::new(
                streams,
                Conditions { producers: PRODUCERS, row_bytes: 1_024, ..Conditions::default() },
            ),
            now_ms: 1_000_000,
            walk: 0,
            standing: BTreeMap::new(),
        }
    }

    pub(super) fn case(&self) -> Case<'_> {
        Case::new(&self.history, 0)
    }

    /// One checker must find that many violations, all of its own invariant.
    #[track_caller]
    pub(super) fn check(&self, invariant: Invariant, checker: fn(&Case<'_>) -> Vec<Violation>, expected: usize) {
        let found = checker(&self.case());
        assert_eq!(found.len(), expected, "{found:#?}");
        assert!(found.iter().all(|violation| violation.invariant == invariant));
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn wait_ms(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn call(&mut self, call: Call, answer: Option<ClientAnswer>) -> usize {
        let op = self.begin(call);
        self.end(op, answer);
        op
    }

    fn begin(&mut self, call: Call) -> usize {
        self.now_ms += 1;
        self.history.invoke(0, 0, call, self.now_ms)
    }

    pub(super) fn end(&mut self, op: usize, answer: Option<ClientAnswer>) {
        self.now_ms += 1;
        self.history.complete(op, answer, self.now_ms);
    }

    fn batch(&mut self, count: usize, stamp: Option<Stamp>, stream_seq: Option<String>) -> usize {
        let number = self.history.batches.len();
        let messages = messages(self.history.streams[0].content, 0, number, stamp.as_ref(), count, 4);
        self.history.batches.push(SentBatch { stream: 0, messages, stamp, stream_seq });
        number
    }

    pub(super) fn create(&mut self, lifetime: Lifetime, answer: Option<ClientAnswer>) {
        self.call(Call::Create { lifetime, closes: false, batch: None }, answer);
    }

    pub(super) fn delete(&mut self, answer: Option<ClientAnswer>) {
        self.call(Call::Delete, answer);
    }

    pub(super) fn head(&mut self, answer: Option<ClientAnswer>) {
        self.call(Call::Head, answer);
    }

    pub(super) fn close(&mut self, answer: Option<ClientAnswer>) {
        self.call(Call::Append { batch: None, closes: true, defect: None }, answer);
    }

    /// Appends `count` messages; answers the batch's number.
    pub(super) fn append(&mut self, count: usize, answer: Option<ClientAnswer>) -> usize {
        let batch = self.reserve(count);
        self.send_reserved(batch, answer);
        batch
    }

    /// Makes a batch that is not sent yet.
    pub(super) fn reserve(&mut self, count: usize) -> usize {
        self.batch(count, None, None)
    }

    /// The same of one message with this text.
    pub(super) fn reserve_text(&mut self, text: &[u8]) -> usize {
        let number = self.history.batches.len();
        let frame = [format!("<0.{number}.0:{}>|", text.len() + 1).as_bytes(), text].concat();
        let batch = SentBatch { stream: 0, messages: vec![frame.into()], stamp: None, stream_seq: None };
        self.history.batches.push(batch);
        number
    }

    pub(super) fn send_reserved(&mut self, batch: usize, answer: Option<ClientAnswer>) {
        self.call(Call::Append { batch: Some(batch), closes: false, defect: None }, answer);
    }

    pub(super) fn begin_append(&mut self, count: usize) -> usize {
        let batch = self.reserve(count);
        self.begin(Call::Append { batch: Some(batch), closes: false, defect: None })
    }

    pub(super) fn append_with_seq(&mut self, seq: &str, answer: Option<ClientAnswer>) {
        let batch = self.batch(1, None, Some(seq.to_owned()));
        self.send_reserved(batch, answer);
    }

    /// One message of the one producer.
    pub(super) fn produce(&mut self, epoch: u64, seq: u64, answer: Option<ClientAnswer>) {
        self.produce_as("p", epoch, seq, answer);
    }

    /// The same of another producer.
    pub(super) fn produce_as(&mut self, producer: &str, epoch: u64, seq: u64, answer: Option<ClientAnswer>) {
        let stamp = Stamp { producer: producer.to_owned(), epoch, seq };
        let batch = self.batch(1, Some(stamp), None);
        self.retry(batch, answer);
    }

    /// The same batch once more. Successes echo its tuple.
    pub(super) fn retry(&mut self, batch: usize, answer: Option<ClientAnswer>) {
        let stamp = self.history.batches[batch].stamp.clone();
        let answer = answer.map(|answer| match (answer.status, stamp) {
            (200, Some(stamp)) => {
                ClientAnswer { producer_epoch: Some(stamp.epoch), producer_seq: Some(stamp.seq), ..answer }
            }
            (204, Some(stamp)) if answer.producer_seq.is_some() => {
                ClientAnswer { producer_epoch: Some(stamp.epoch), ..answer }
            }
            _ => answer,
        });
        self.send_reserved(batch, answer);
    }

    /// The JSON array of these batches.
    pub(super) fn json_of(&self, batches: &[usize]) -> Bytes {
        let messages = batches.iter().flat_map(|batch| &self.history.batches[*batch].messages);
        array(messages)
    }

    fn read(&mut self, from: From, walk: usize, body: Bytes, answer: Option<ClientAnswer>) {
        let answer = answer.map(|answer| ClientAnswer { body, ..answer });
        self.call(Call::Read { from, revalidates: None, walk, manner: None }, answer);
    }

    /// A read from the start that shows these batches.
    pub(super) fn walk(&mut self, batches: &[usize], answer: Option<ClientAnswer>) {
        self.walk += 1;
        let body = self.json_of(batches);
        self.read(From::Start, self.walk, body, answer);
    }

    /// A read from the start that shows these messages, each by batch and place.
    pub(super) fn walk_messages(&mut self, shown: &[(usize, usize)], answer: Option<ClientAnswer>) {
        self.walk += 1;
        let body = self.json_of_messages(shown);
        self.read(From::Start, self.walk, body, answer);
    }

    /// These messages, each by its batch and its place in it.
    pub(super) fn json_of_messages(&self, shown: &[(usize, usize)]) -> Bytes {
        array(shown.iter().map(|(batch, index)| &self.history.batches[*batch].messages[*index]))
    }

    pub(super) fn walk_text(&mut self, body: &'static str, answer: Option<ClientAnswer>) {
        self.walk_bytes(body.as_bytes(), answer);
    }

    pub(super) fn walk_bytes(&mut self, body: &[u8], answer: Option<ClientAnswer>) {
        self.walk += 1;
        self.read(From::Start, self.walk, Bytes::copy_from_slice(body), answer);
    }

    /// The walk goes on where the last read ended, and shows these batches.
    pub(super) fn follow(&mut self, batches: &[usize], answer: Option<ClientAnswer>) {
        let body = self.json_of(batches);
        self.follow_with(body, answer);
    }

    pub(super) fn follow_bytes(&mut self, body: &[u8], answer: Option<ClientAnswer>) {
        self.follow_with(Bytes::copy_from_slice(body), answer);
    }

    pub(super) fn follow_with(&mut self, body: Bytes, answer: Option<ClientAnswer>) {
        let last = self.history.ops.last().and_then(|op| op.definite()).and_then(|answer| answer.next_offset.clone());
        self.read(From::At(last.expect("a read before")), self.walk, body, answer);
    }

    /// The last read that had a tag, once more with its tag: 304.
    pub(super) fn revalidate(&mut self) {
        let tagged = |op: &crate::judge::history::Op| op.definite().is_some_and(|answer| answer.etag.is_some());
        let op = self.history.ops.iter().rposition(tagged).expect("a read with a tag");
        let Call::Read { from, .. } = self.history.ops[op].call.clone() else { panic!("not a read") };
        self.walk += 1;
        self.call(Call::Read { from, revalidates: Some(op), walk: self.walk, manner: None }, Some(answer(304)));
    }

    /// The same, with this answer.
    pub(super) fn revalidate_with(&mut self, answer: Option<ClientAnswer>) {
        self.revalidate();
        self.history.ops.last_mut().expect("a request").answer = answer;
    }

    /// A read from now.
    pub(super) fn read_now(&mut self, answer: Option<ClientAnswer>) {
        self.walk += 1;
        self.call(Call::Read { from: From::Now, revalidates: None, walk: self.walk, manner: None }, answer);
    }

    /// A read from an offset; the answer holds its body.
    pub(super) fn read_at(&mut self, from: (u64, u64), answer: Option<ClientAnswer>) {
        self.walk += 1;
        let from = From::At(offset(from.0, from.1).expect("an offset"));
        self.call(Call::Read { from, revalidates: None, walk: self.walk, manner: None }, answer);
    }

    /// A live reader that begins at the start of the first stream.
    pub(super) fn join(&mut self, mode: Mode) -> usize {
        self.now_ms += 1;
        let reader = self.history.join(0, 0, mode, self.now_ms);
        self.standing.insert(reader, (offset(0, 0).expect("an offset"), None));
        reader
    }

    /// A live read from where the reader stands, or from elsewhere.
    pub(super) fn ask_live(&mut self, reader: usize, from: Option<From>) -> usize {
        let (standing, cursor) = self.standing[&reader].clone();
        let mode = self.history.readers[reader].mode;
        self.begin(Call::Live { mode, from: from.unwrap_or(From::At(standing)), cursor, reader })
    }

    /// A long-poll is answered, and the reader moves on.
    pub(super) fn end_live(&mut self, reader: usize, op: usize, shown: &[usize], told: Option<ClientAnswer>) {
        let body = if shown.is_empty() { Bytes::new() } else { self.json_of(shown) };
        if let Some(ClientAnswer { next_offset: Some(next), cursor, .. }) = &told {
            self.standing.insert(reader, (next.clone(), *cursor));
        }
        self.end(op, told.map(|answer| ClientAnswer { body, ..answer }));
    }

    /// A long-poll that is answered empty.
    pub(super) fn poll(&mut self, reader: usize, told: Option<ClientAnswer>) {
        self.poll_with(reader, &[], told);
    }

    /// A long-poll that is answered with these batches.
    pub(super) fn poll_with(&mut self, reader: usize, shown: &[usize], told: Option<ClientAnswer>) {
        let op = self.ask_live(reader, None);
        self.end_live(reader, op, shown, told);
    }

    /// A connection of events, from where the reader stands.
    pub(super) fn listen(&mut self, reader: usize) -> usize {
        let op = self.ask_live(reader, None);
        let head = ClientAnswer { content_type: Some("text/event-stream".to_owned()), ..answer(200) };
        self.end(op, Some(head));
        op
    }

    /// A delivery of it.
    pub(super) fn deliver(&mut self, reader: usize, op: usize, delivery: Delivery) {
        self.now_ms += 1;
        let at = self.history.moment(self.now_ms);
        if let Some(next) = &delivery.next_offset {
            self.standing.insert(reader, (next.clone(), delivery.cursor));
        }
        self.history.listening(op).deliveries.push(Delivery { at, ..delivery });
    }

    /// Its end.
    pub(super) fn hang_up(&mut self, op: usize, end: End) {
        self.now_ms += 1;
        let now = self.history.moment(self.now_ms);
        self.history.listening(op).end = Some((now, end));
    }

    /// The last request has called its object so often.
    pub(super) fn charge_last(&mut self, calls: u64) {
        let request = self.history.ops.last().expect("a request").request;
        self.history.charges.insert(request, Charge { calls, ..Charge::default() });
    }

    /// The answer to the last request was stored in the cache, where it can be seen so many ms later.
    pub(super) fn store(&mut self, after_ms: u64) {
        self.visit(0, Visited::Stored { visible_ms: self.now_ms + after_ms });
    }

    /// The last request was answered with what that one had stored.
    pub(super) fn hit(&mut self, by: usize) {
        let by = self.history.ops[by].request;
        self.visit(0, Visited::Hit { by });
    }

    /// The last request has visited the cache, so many ms ago.
    pub(super) fn visit(&mut self, ago_ms: u64, what: Visited) {
        self.visit_of(self.history.ops.len() - 1, 0, ago_ms, what);
    }

    /// A request has visited the cache, from this isolate.
    pub(super) fn visit_of(&mut self, op: usize, isolate: usize, ago_ms: u64, what: Visited) {
        let (ms, request) = (self.now_ms - ago_ms, self.history.ops[op].request);
        self.history.visits.push(Visit { ms, colo: 0, partition: 0, isolate, request, key: "".into(), what });
    }

    /// A cache in front has sent that request to the Worker, and had its answer so many ms later.
    pub(super) fn fetch(&mut self, op: usize, takes_ms: u64) {
        self.fetch_for(op, takes_ms, FetchedFor::Miss);
    }

    /// The same, for that reason.
    pub(super) fn fetch_for(&mut self, op: usize, takes_ms: u64, why: FetchedFor) {
        let Op { request, invoked, .. } = self.history.ops[op];
        let (from_ms, to_ms) = (invoked.ms, Some(invoked.ms + takes_ms));
        let fetch = FrontFetch {
            request,
            asks: request,
            place: ("node".into(), "key".into()),
            from_ms,
            to_ms,
            over_ms: to_ms,
            is_given_up: false,
            why,
        };
        self.history.fronts.fetch(fetch);
    }

    /// The last request was answered by a cache in front, with what that one had brought.
    pub(super) fn hand_out(&mut self, by: usize, how: How) {
        let request = self.history.ops.last().expect("a request").request;
        let by = self.history.ops[by].request;
        self.history.fronts.handed.insert(request, Handed { ms: self.now_ms, by, confirmed_ms: None, how });
    }

    /// These harms were done to the last request.
    pub(super) fn harm(&mut self, harms: &[Harm]) {
        let request = self.history.ops.last().expect("a request").request;
        harms.iter().for_each(|harm| self.history.harms.harm_request(request, *harm));
    }

    pub(super) fn part(&mut self, reader: usize, parting: Parting) {
        self.now_ms += 1;
        self.history.part(reader, parting, self.now_ms);
    }

    /// That many rows are still stored now.
    pub(super) fn leave(&mut self, rows: u64, tables: &[&str]) {
        let at = self.history.moment(self.now_ms);
        let tables = tables.iter().map(|name| (*name).to_owned()).collect();
        self.history.leftovers.push(Leftover { stream: 0, at, rows, tables });
    }
}

fn array<'a>(messages: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let messages: Vec<&[u8]> = messages.map(AsRef::as_ref).collect();
    Bytes::from([b"[".as_slice(), &messages.join(b",".as_slice()), b"]"].concat())
}
