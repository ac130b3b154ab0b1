//! An alarm that cannot be set undoes the transaction that needs it. This is tested over a real SQLite, with a host
//! that refuses to set alarms.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::FutureExt;
use tailrace_core::object::{Settings, StreamObject};
use tailrace_core::protocol::message::{Append, Create, Message, Operation};
use tailrace_core::protocol::{ContentType, Expiry, Response};
use tailrace_core::runtime::{
    Actor, ActorState, After, HibernatingSocket, Isolate, Listing, ObjectAnswer, ObjectRequest, ObjectStore,
    PutCondition, PutOutcome, SocketState, StoreError,
};
use tailrace_core::storage::{SqlError, SqlStorage, Statement};
use tailrace_sqlite::Database;

/// The time, which does not pass, in ms since the Unix epoch.
const NOW_MS: u64 = 1_767_225_600_000;

/// What the host says when it refuses.
const REFUSED: &str = "no alarm today";

/// A host that has storage and nothing else, and sets alarms or refuses to.
#[derive(Clone)]
struct Host(Rc<Shared>);

struct Shared {
    sql: Database,
    bucket: NoBucket,
    refuses: Cell<bool>,
    alarm_ms: Cell<Option<u64>>,
}

impl Isolate for Host {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    async fn sleep_ms(&self, _ms: u64) {}
}

impl ActorState for Host {
    type Sql = Database;
    type Bucket = NoBucket;

    fn id(&self) -> &str {
        "0"
    }

    fn sql(&self) -> &Database {
        &self.0.sql
    }

    fn bucket(&self) -> &NoBucket {
        &self.0.bucket
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

struct NoBucket;

impl ObjectStore for NoBucket {
    async fn put(&self, _key: &str, _body: Bytes, _condition: PutCondition) -> Result<PutOutcome, StoreError> {
        Err(StoreError::NotApplied("no bucket".to_owned()))
    }

    async fn get(&self, _key: &str, _range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        Err(StoreError::NotApplied("no bucket".to_owned()))
    }

    async fn delete(&self, _keys: &[String]) -> Result<(), StoreError> {
        Err(StoreError::NotApplied("no bucket".to_owned()))
    }

    async fn list(&self, _prefix: &str, _after: Option<&str>, _limit: usize) -> Result<Listing, StoreError> {
        Err(StoreError::NotApplied("no bucket".to_owned()))
    }
}

/// A bucket that fails every call.
#[derive(Clone)]
enum NoSocket {}

impl HibernatingSocket for NoSocket {
    fn send(&self, _message: Bytes) {}

    fn close(&self) {}

    fn attachment(&self) -> Bytes {
        Bytes::new()
    }
}

impl SocketState for Host {
    type Socket = NoSocket;

    fn has_sockets(&self) -> bool {
        false
    }

    fn sockets(&self, _tag: Option<&str>) -> Vec<NoSocket> {
        Vec::new()
    }

    fn broadcast(&self, _tag: &str, _message: Bytes, _after: After) -> usize {
        0
    }
}

/// An object whose segments hold two messages, and its host.
fn object() -> (StreamObject<Host>, Host) {
    let shared = Shared {
        sql: Database::open_in_memory(tailrace_sqlite::Settings::default()).expect("a database in memory"),
        bucket: NoBucket,
        refuses: Cell::default(),
        alarm_ms: Cell::default(),
    };
    let host = Host(Rc::new(shared));
    let mut settings = Settings::default();
    settings.limits.segment_messages = 2;
    (StreamObject::new(host.clone(), settings), host)
}

fn ask(object: &StreamObject<Host>, operation: Operation, body: &'static str) -> Response {
    let message =
        Message { allow_origin: None, debug: false, body_too_large: false, body_encoded: false, operation }.encode();
    match object.call(ObjectRequest { message, body: Bytes::from(body) }).now_or_never() {
        Some(ObjectAnswer::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn create(object: &StreamObject<Host>, expiry: Expiry) -> u16 {
    let location = "https://example.test/a".to_owned();
    ask(object, Operation::Create(Create { location, content_type: None, expiry, closed: false }), "").status
}

fn append(object: &StreamObject<Host>) -> u16 {
    let content_type = Some(ContentType::default());
    ask(object, Operation::Append(Append { content_type, producer: None, stream_seq: None, close: false }), "x").status
}

/// Everything that matters of what is stored: each row of these tables, as text.
fn stored(host: &Host) -> Vec<String> {
    let mut rows = Vec::new();
    for select in [
        "SELECT name FROM sqlite_schema ORDER BY name",
        "SELECT incarnation || ' ' || coalesce(deadline_ms, '') FROM stream",
        "SELECT key || ' ' || flags FROM log ORDER BY key",
        "SELECT kind || ' ' || due_ms FROM agenda ORDER BY kind",
    ] {
        let statement = Statement { sql: select, params: &[], byte_budget: usize::MAX };
        // A table that is not there has no rows.
        let _ = host.sql().exec(statement, &mut |row| {
            rows.push(row.text(0)?.to_owned());
            Ok(ControlFlow::Continue(()))
        });
    }
    rows
}

/// Does `step` while alarms are refused, which must change nothing, and again while they are not, which must work.
fn check(host: &Host, step: impl Fn() -> u16, status: u16) {
    let (before, alarm_ms) = (stored(host), host.0.alarm_ms.get());
    host.0.refuses.set(true);
    assert_eq!(step(), 500);
    assert_eq!(stored(host), before, "what was written is undone");
    host.0.refuses.set(false);
    assert_eq!(step(), status);
    assert_ne!(stored(host), before);
    assert_ne!(host.0.alarm_ms.get(), alarm_ms);
}

#[test]
fn a_stream_is_not_created_without_the_alarm_that_ends_it() {
    let (object, host) = object();
    check(&host, || create(&object, Expiry::Ttl { seconds: 60 }), 201);
}

#[test]
fn an_append_that_seals_a_segment_is_not_applied_without_the_alarm_that_moves_it() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    host.0.refuses.set(true);
    assert_eq!(append(&object), 204, "the segment has room: no alarm is needed");
    check(&host, || append(&object), 204);
}

#[test]
fn an_alarm_that_cannot_set_the_next_one_fails_in_the_hosts_words() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Ttl { seconds: 60 }), 201);
    let alarm = || object.alarm().now_or_never().expect("nothing to wait for");
    assert!(alarm().is_ok());
    host.0.refuses.set(true);
    assert_eq!(alarm().map_err(|failure| failure.message), Err(REFUSED.to_owned()));
}
