//! A host of one object, for tests: a real SQLite, a clock that tests move, a bucket that does what they say, and an
//! alarm that may be refused.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use tailrace_core::object::{ColdSettings, Settings, StreamObject};
use tailrace_core::protocol::message::{Append, Create, Message, Operation, Read};
use tailrace_core::protocol::{Admission, Class, ContentType, Expiry, Response};
use tailrace_core::runtime::{
    Actor, ActorState, After, HibernatingSocket, Isolate, Listed, Listing, Mark, ObjectAnswer, ObjectRequest,
    ObjectStore, PutCondition, PutOutcome, SocketState, StoreError, Upgrade,
};
use tailrace_core::storage::{SqlError, SqlStorage, Statement};
use tailrace_sqlite::Database;

use crate::kv::Kv;

/// The time at which every test begins, in ms since the Unix epoch.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// What the host says when it refuses to set an alarm.
pub(crate) const REFUSED: &str = "no alarm today";

/// What the bucket does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// It fails them.
    Fails,
    /// It answers none, as long as it is in this state.
    Silent,
    /// It does what it is asked.
    Works,
    /// The same, except that it deletes nothing.
    DeletesNothing,
    /// It does what it is asked once, and is silent from then on.
    WorksOnce,
}

/// A host.
#[derive(Clone)]
pub(crate) struct Host(pub(crate) Rc<Shared>);

pub(crate) struct Shared {
    class: Class,
    sql: Database,
    store: Store,
    pub(crate) kv: Kv,
    pub(crate) now_ms: Cell<u64>,
    /// Whether it refuses to set alarms.
    pub(crate) refuses: Cell<bool>,
    sockets: RefCell<Vec<Socket>>,
    /// How many sockets were listed so far, some of them more than once.
    pub(crate) listed: Cell<usize>,
    /// The marks that were reached, in order.
    pub(crate) marks: RefCell<Vec<Mark>>,
    /// When the alarm is set to go off.
    pub(crate) alarm_ms: Cell<Option<u64>>,
    /// How often randomness was drawn: each time it is another byte, again and again.
    drawn: Cell<u8>,
    /// The rows that it counts as written: one for each time that the alarm was set, and those before the test.
    rows_written: Cell<u64>,
    /// What was sent to all sockets of a tag, with their number.
    sent: RefCell<Vec<(usize, Bytes)>>,
}

/// The bucket.
pub(crate) struct Store {
    pub(crate) does: Cell<Bucket>,
    /// The calls so far: `put`, `get`, `delete` or `list`, with the limit in ms.
    pub(crate) calls: RefCell<Vec<(&'static str, u64)>>,
    /// The objects that a listing tells, whatever it is asked for.
    pub(crate) objects: RefCell<Vec<Listed>>,
    /// Whether a listing says that there are more.
    pub(crate) has_more: Cell<bool>,
    /// What was put, by key.
    held: RefCell<BTreeMap<String, Bytes>>,
}

impl Store {
    async fn call<T>(&self, name: &'static str, limit_ms: u64, answer: T) -> Result<T, StoreError> {
        self.calls.borrow_mut().push((name, limit_ms));
        poll_fn(|_| if self.does.get() == Bucket::Silent { Poll::Pending } else { Poll::Ready(()) }).await;
        match self.does.get() {
            Bucket::Works => Ok(answer),
            Bucket::DeletesNothing if name != "delete" => Ok(answer),
            Bucket::WorksOnce => {
                self.does.set(Bucket::Silent);
                Ok(answer)
            }
            _ => Err(StoreError::Unknown("the bucket fails".to_owned())),
        }
    }
}

impl ObjectStore for Store {
    async fn put(&self, key: &str, body: Bytes, _: PutCondition, limit_ms: u64) -> Result<PutOutcome, StoreError> {
        let outcome = self.call("put", limit_ms, PutOutcome::Stored).await?;
        self.held.borrow_mut().insert(key.to_owned(), body);
        Ok(outcome)
    }

    async fn get(&self, key: &str, range: Range<u64>, limit_ms: u64) -> Result<Option<Bytes>, StoreError> {
        let held = self.held.borrow().get(key).map(|body| body.slice(range.start as usize..range.end as usize));
        self.call("get", limit_ms, held).await
    }

    async fn delete(&self, _: &[String], limit_ms: u64) -> Result<(), StoreError> {
        self.call("delete", limit_ms, ()).await
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize, limit_ms: u64) -> Result<Listing, StoreError> {
        let objects = self.objects.borrow().clone();
        self.call("list", limit_ms, Listing { objects, more: self.has_more.get() }).await
    }
}

impl Isolate for Host {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let drawn = &self.0.drawn;
        drawn.set(drawn.get().wrapping_add(1));
        bytes.fill(drawn.get());
    }

    fn sometimes(&self, mark: Mark) {
        self.0.marks.borrow_mut().push(mark);
    }

    /// Ends with the first poll after the test has moved the clock so far.
    async fn sleep_ms(&self, ms: u64) {
        let until_ms = self.now_ms() + ms;
        poll_fn(|_| if self.now_ms() < until_ms { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

impl ActorState for Host {
    type Sql = Database;
    type Bucket = Store;
    type Kv = Kv;

    fn class(&self) -> Class {
        self.0.class
    }

    fn id(&self) -> &str {
        "0"
    }

    fn sql(&self) -> &Database {
        &self.0.sql
    }

    fn bucket(&self) -> &Store {
        &self.0.store
    }

    fn kv(&self) -> &Kv {
        &self.0.kv
    }

    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError> {
        if self.0.refuses.get() {
            return Err(SqlError::new(REFUSED));
        }
        self.0.alarm_ms.set(Some(at_ms));
        self.0.rows_written.set(self.0.rows_written.get() + 1);
        Ok(())
    }

    fn rows_written(&self) -> u64 {
        self.0.rows_written.get()
    }

    fn rows_read(&self) -> Option<u64> {
        None
    }
}

/// The object's end of one socket, whose peer the tests are.
#[derive(Clone)]
pub(crate) struct Socket(Rc<Held>);

struct Held {
    tags: [String; 2],
    attachment: Bytes,
    open: Cell<bool>,
}

impl HibernatingSocket for Socket {
    fn send(&self, _message: Bytes) {}

    fn close(&self) {
        self.0.open.set(false);
    }

    fn attachment(&self) -> Bytes {
        self.0.attachment.clone()
    }
}

impl Host {
    /// Takes an answer: accepts the socket that it brings, if any.
    pub(crate) fn accept(&self, answer: ObjectAnswer) {
        if let ObjectAnswer::Upgrade(Upgrade { tags, attachment, .. }) = answer {
            let held = Held { tags, attachment, open: Cell::new(true) };
            self.0.sockets.borrow_mut().push(Socket(Rc::new(held)));
        }
    }

    /// How many sockets are open.
    pub(crate) fn open_sockets(&self) -> usize {
        self.0.sockets.borrow().iter().filter(|socket| socket.0.open.get()).count()
    }

    fn listed(&self, wanted: impl Fn(&Held) -> bool) -> Vec<Socket> {
        let sockets = self.0.sockets.borrow();
        let listed: Vec<_> =
            sockets.iter().filter(|socket| socket.0.open.get() && wanted(&socket.0)).cloned().collect();
        self.0.listed.set(self.0.listed.get() + listed.len());
        listed
    }
}

impl SocketState for Host {
    type Socket = Socket;

    fn has_sockets(&self) -> bool {
        !self.listed(|_| true).is_empty()
    }

    fn sockets(&self, tag: &str) -> Vec<Socket> {
        self.listed(|held| held.tags.iter().any(|has| has == tag))
    }

    fn broadcast(&self, tag: &str, message: Bytes, after: After, most_bytes: usize) -> usize {
        let sockets = self.sockets(tag);
        let count = sockets.len();
        if count > 0 && count * message.len() <= most_bytes {
            self.0.sent.borrow_mut().push((count, message));
            if after == After::Close {
                sockets.iter().for_each(HibernatingSocket::close);
            }
        }
        count
    }
}

/// An object whose segments hold two rows, and its host, whose bucket fails.
pub(crate) fn object() -> (StreamObject<Host>, Host) {
    object_with(ColdSettings::default())
}

/// The same with other settings of the way to R2.
pub(crate) fn object_with(cold: ColdSettings) -> (StreamObject<Host>, Host) {
    object_of(with_short_segments(cold))
}

/// Settings with segments of two rows.
fn with_short_segments(cold: ColdSettings) -> Settings {
    let mut settings = Settings { cold, ..Settings::default() };
    settings.limits.segment_rows = 2;
    settings
}

/// An object of these settings, and its host, whose bucket fails.
pub(crate) fn object_of(settings: Settings) -> (StreamObject<Host>, Host) {
    let host = host_of(Class::Stream);
    (StreamObject::new(host.clone(), settings), host)
}

/// A host of a project's object.
pub(crate) fn project_host() -> Host {
    host_of(Class::Project)
}

fn host_of(class: Class) -> Host {
    let shared = Shared {
        sql: Database::open_in_memory(tailrace_sqlite::Settings::default()).expect("a database in memory"),
        store: Store {
            does: Cell::new(Bucket::Fails),
            calls: RefCell::default(),
            objects: RefCell::default(),
            has_more: Cell::default(),
            held: RefCell::default(),
        },
        class,
        kv: Kv::default(),
        now_ms: Cell::new(START_MS),
        refuses: Cell::default(),
        sockets: RefCell::default(),
        listed: Cell::default(),
        marks: RefCell::default(),
        alarm_ms: Cell::default(),
        drawn: Cell::default(),
        rows_written: Cell::new(1_000),
        sent: RefCell::default(),
    };
    Host(Rc::new(shared))
}

/// The object of a host starts.
pub(crate) fn start(host: &Host, cold: ColdSettings) -> StreamObject<Host> {
    StreamObject::new(host.clone(), with_short_segments(cold))
}

/// The answer to an operation that does not wait.
pub(crate) fn ask(object: &StreamObject<Host>, operation: Operation, body: impl Into<Bytes>) -> Response {
    match call(object, operation, body) {
        ObjectAnswer::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The answer to an operation that does not wait, or a socket.
pub(crate) fn call(object: &StreamObject<Host>, operation: Operation, body: impl Into<Bytes>) -> ObjectAnswer {
    call_as(Admission::Open, object, operation, body)
}

/// The answer to an operation of a client with this admission that does not wait, or a socket.
pub(crate) fn call_as(
    admission: Admission,
    object: &StreamObject<Host>,
    operation: Operation,
    body: impl Into<Bytes>,
) -> ObjectAnswer {
    let message = Message { admission, debug: false, body_too_large: false, body_encoded: false, operation }.encode();
    object.call(ObjectRequest { message, body: body.into() }).now_or_never().expect("an answer at once")
}

/// The answer to a HEAD with debug headers.
pub(crate) fn debugged(object: &StreamObject<Host>) -> Response {
    ask_debugged(object, Operation::Head)
}

/// The answer to an operation that does not wait, with debug headers.
pub(crate) fn ask_debugged(object: &StreamObject<Host>, operation: Operation) -> Response {
    let admission = Admission::Open;
    let message = Message { admission, debug: true, body_too_large: false, body_encoded: false, operation }.encode();
    match object.call(ObjectRequest { message, body: Bytes::new() }).now_or_never() {
        Some(ObjectAnswer::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// Lets so many readers wait that ask for this at the tail.
pub(crate) fn wait(object: &StreamObject<Host>, host: &Host, read: &Read, readers: usize) {
    for _ in 0..readers {
        host.accept(call(object, Operation::Read(read.clone()), ""));
    }
}

/// Creates a stream; returns the status.
pub(crate) fn create(object: &StreamObject<Host>, expiry: Expiry) -> u16 {
    let location = "https://example.test/a".to_owned();
    ask(object, Operation::Create(Create { location, content_type: None, expiry, closed: false, public: false }), "")
        .status
}

/// Appends one byte; returns the status.
pub(crate) fn append(object: &StreamObject<Host>) -> u16 {
    append_body(object, "x").status
}

/// Appends; returns the answer.
pub(crate) fn append_body(object: &StreamObject<Host>, body: &'static str) -> Response {
    let content_type = Some(ContentType::default());
    ask(object, Operation::Append(Append { content_type, producer: None, stream_seq: None, close: false }), body)
}

/// Closes the stream; returns the status.
pub(crate) fn close(object: &StreamObject<Host>) -> u16 {
    let append = Append { content_type: None, producer: None, stream_seq: None, close: true };
    ask(object, Operation::Append(append), "").status
}

impl Host {
    /// All readers leave.
    pub(crate) fn hang_up(&self) {
        self.0.sockets.take();
    }

    /// The bucket.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// What was sent since the last time, each with the number of sockets.
    pub(crate) fn sent(&self) -> Vec<(usize, Bytes)> {
        self.0.sent.take()
    }

    /// Lets time pass.
    pub(crate) fn pass_ms(&self, ms: u64) {
        self.0.now_ms.set(self.0.now_ms.get() + ms);
    }

    /// Lets the database have so many pages at most.
    pub(crate) fn limit_pages(&self, pages: u64) {
        let pragma: &'static str = format!("PRAGMA max_page_count = {pages}").leak();
        self.0.sql.query(pragma, &[], |_| Ok(())).expect("SQLite takes a limit");
    }

    /// Pages that the file of the database has, the free ones as well.
    pub(crate) fn file_pages(&self) -> u64 {
        self.0.sql.query("PRAGMA page_count", &[], |row| row.count(0)).expect("SQLite tells its size")[0]
    }

    /// The first column of the rows that a statement answers, as text. A table that is not there has no rows.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<String> {
        let mut rows = Vec::new();
        let _ = self.0.sql.exec(Statement { sql, params: &[], byte_budget: usize::MAX }, &mut |row| {
            rows.push(row.text(0)?.to_owned());
            Ok(ControlFlow::Continue(()))
        });
        rows
    }
}

/// Everything that matters of what is stored: each row of these tables, as text.
pub(crate) fn stored(host: &Host) -> Vec<String> {
    [
        "SELECT name FROM sqlite_schema ORDER BY name",
        "SELECT incarnation || ' ' || coalesce(deadline_ms, '') FROM stream",
        "SELECT key || ' ' || flags FROM log ORDER BY key",
        "SELECT kind || ' ' || due_ms FROM agenda ORDER BY kind",
    ]
    .into_iter()
    .flat_map(|select| host.rows(select))
    .collect()
}
