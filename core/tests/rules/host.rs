//! A host of one object, for tests: a real SQLite, a clock that tests move, a bucket that does what they say, and an
//! alarm that may be refused.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use tailrace_core::object::{ColdSettings, Settings, StreamObject};
use tailrace_core::protocol::message::{Append, Create, Message, Operation, Read};
use tailrace_core::protocol::{ContentType, Expiry, Response};
use tailrace_core::runtime::{
    Actor, ActorState, After, HibernatingSocket, Isolate, Listing, ObjectAnswer, ObjectRequest, ObjectStore,
    PutCondition, PutOutcome, SocketState, StoreError, Upgrade,
};
use tailrace_core::storage::{SqlError, SqlStorage, Statement};
use tailrace_sqlite::Database;

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
    /// It does what it is asked. It holds nothing.
    Works,
    /// It does what it is asked once, and is silent from then on.
    WorksOnce,
}

/// A host, with the readers that a test has let wait.
#[derive(Clone)]
pub(crate) struct Host(pub(crate) Rc<Shared>);

pub(crate) struct Shared {
    sql: Database,
    store: Store,
    pub(crate) now_ms: Cell<u64>,
    /// Whether it refuses to set alarms.
    pub(crate) refuses: Cell<bool>,
    /// When the alarm is set to go off.
    pub(crate) alarm_ms: Cell<Option<u64>>,
    /// The sockets that were accepted.
    sockets: RefCell<Vec<TestSocket>>,
    /// What was sent to all sockets of a tag, with their number.
    sent: RefCell<Vec<(usize, Bytes)>>,
}

/// The bucket.
pub(crate) struct Store {
    pub(crate) does: Cell<Bucket>,
    /// The calls so far: `put`, `get`, `delete` or `list`, with the limit in ms.
    pub(crate) calls: RefCell<Vec<(&'static str, u64)>>,
}

impl Store {
    async fn call<T>(&self, name: &'static str, limit_ms: u64, answer: T) -> Result<T, StoreError> {
        self.calls.borrow_mut().push((name, limit_ms));
        poll_fn(|_| if self.does.get() == Bucket::Silent { Poll::Pending } else { Poll::Ready(()) }).await;
        match self.does.get() {
            Bucket::Works => Ok(answer),
            Bucket::WorksOnce => {
                self.does.set(Bucket::Silent);
                Ok(answer)
            }
            _ => Err(StoreError::Unknown("the bucket fails".to_owned())),
        }
    }
}

impl ObjectStore for Store {
    async fn put(&self, _: &str, _: Bytes, _: PutCondition, limit_ms: u64) -> Result<PutOutcome, StoreError> {
        self.call("put", limit_ms, PutOutcome::Stored).await
    }

    async fn get(&self, _: &str, _: Range<u64>, limit_ms: u64) -> Result<Option<Bytes>, StoreError> {
        self.call("get", limit_ms, None).await
    }

    async fn delete(&self, _: &[String], limit_ms: u64) -> Result<(), StoreError> {
        self.call("delete", limit_ms, ()).await
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize, limit_ms: u64) -> Result<Listing, StoreError> {
        self.call("list", limit_ms, Listing::default()).await
    }
}

impl Isolate for Host {
    fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
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

    fn id(&self) -> &str {
        "0"
    }

    fn sql(&self) -> &Database {
        &self.0.sql
    }

    fn bucket(&self) -> &Store {
        &self.0.store
    }

    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError> {
        if self.0.refuses.get() {
            return Err(SqlError::new(REFUSED));
        }
        self.0.alarm_ms.set(Some(at_ms));
        Ok(())
    }

    fn rows_written(&self) -> u64 {
        0
    }
}

/// A socket that a test has accepted.
#[derive(Clone)]
pub(crate) struct TestSocket {
    tag: String,
    attachment: Bytes,
}

impl HibernatingSocket for TestSocket {
    fn send(&self, _message: Bytes) {}

    fn close(&self) {}

    fn attachment(&self) -> Bytes {
        self.attachment.clone()
    }
}

impl SocketState for Host {
    type Socket = TestSocket;

    fn has_sockets(&self) -> bool {
        !self.0.sockets.borrow().is_empty()
    }

    fn sockets(&self, tag: Option<&str>) -> Vec<TestSocket> {
        let sockets = self.0.sockets.borrow();
        sockets.iter().filter(|socket| tag.is_none_or(|tag| socket.tag == tag)).cloned().collect()
    }

    fn broadcast(&self, tag: &str, message: Bytes, after: After, most_bytes: usize) -> usize {
        let count = self.sockets(Some(tag)).len();
        if count > 0 && count * message.len() <= most_bytes {
            self.0.sent.borrow_mut().push((count, message));
            if after == After::Close {
                self.0.sockets.borrow_mut().retain(|socket| socket.tag != tag);
            }
        }
        count
    }
}

/// An object whose segments hold two messages, and its host, whose bucket fails.
pub(crate) fn object() -> (StreamObject<Host>, Host) {
    object_with(ColdSettings::default())
}

/// The same with other settings of the way to R2.
pub(crate) fn object_with(cold: ColdSettings) -> (StreamObject<Host>, Host) {
    let mut settings = Settings { cold, ..Settings::default() };
    settings.limits.segment_messages = 2;
    object_of(settings)
}

/// An object with these settings, and its host, whose bucket fails.
pub(crate) fn object_of(settings: Settings) -> (StreamObject<Host>, Host) {
    let shared = Shared {
        sql: Database::open_in_memory(tailrace_sqlite::Settings::default()).expect("a database in memory"),
        store: Store { does: Cell::new(Bucket::Fails), calls: RefCell::default() },
        now_ms: Cell::new(START_MS),
        refuses: Cell::default(),
        alarm_ms: Cell::default(),
        sockets: RefCell::default(),
        sent: RefCell::default(),
    };
    let host = Host(Rc::new(shared));
    (StreamObject::new(host.clone(), settings), host)
}

/// The answer to an operation that does not wait.
pub(crate) fn ask(object: &StreamObject<Host>, operation: Operation, body: impl Into<Bytes>) -> Response {
    let message =
        Message { allow_origin: None, debug: false, body_too_large: false, body_encoded: false, operation }.encode();
    match object.call(ObjectRequest { message, body: body.into() }).now_or_never() {
        Some(ObjectAnswer::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// Lets so many readers wait that ask for this at the tail.
pub(crate) fn wait(object: &StreamObject<Host>, host: &Host, read: Read, readers: usize) {
    for _ in 0..readers {
        let operation = Operation::Read(read.clone());
        let message =
            Message { allow_origin: None, debug: false, body_too_large: false, body_encoded: false, operation };
        match object.call(ObjectRequest::of(message.encode())).now_or_never() {
            Some(ObjectAnswer::Upgrade(Upgrade { tag, attachment, .. })) => {
                host.0.sockets.borrow_mut().push(TestSocket { tag, attachment });
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Creates a stream; returns the status.
pub(crate) fn create(object: &StreamObject<Host>, expiry: Expiry) -> u16 {
    let location = "https://example.test/a".to_owned();
    ask(object, Operation::Create(Create { location, content_type: None, expiry, closed: false }), "").status
}

/// Appends one byte; returns the status.
pub(crate) fn append(object: &StreamObject<Host>) -> u16 {
    let content_type = Some(ContentType::default());
    ask(object, Operation::Append(Append { content_type, producer: None, stream_seq: None, close: false }), "x").status
}

impl Host {
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
