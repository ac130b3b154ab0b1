//! R2 for a runtime on this machine. It is a service of this process, so that it outlives a runtime that is killed,
//! uses none of the runtime's CPU time, and can hold a put where a test wants it. Objects are in memory.
//!
//! The runtime's binding speaks HTTP. A request is JSON, in a header field of a GET, or before the value in the body of
//! a PUT. The answer is JSON, followed by the value if there is one.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Bound, Range};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use xtask::http::{Head, Wire};

/// The most objects of one listing (Cloudflare, R2 Workers API).
const LIST_LIMIT: usize = 1_000;

/// A service with its objects; dropping it ends it.
pub(crate) struct Bucket {
    address: SocketAddr,
    store: Arc<Store>,
}

/// Which call is held next, and where, until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A put before it is stored. It is stored when it is released, whether or not anybody still waits for it.
    BeforeStored,
    /// A put after it was stored and before it is answered.
    BeforeAnswered,
    /// A get before it is answered.
    Get,
}

/// Counts of calls since the service began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Puts, whether or not they stored something.
    pub(crate) puts: u64,
    /// Listings.
    pub(crate) lists: u64,
    /// Gets.
    pub(crate) gets: u64,
    /// Looks at an object's metadata.
    pub(crate) heads: u64,
    /// Deleted objects.
    pub(crate) deleted: u64,
}

#[derive(Default)]
struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    counts: Counts,
    hold: Option<Hold>,
    /// The key of the put or get that is held.
    held: Option<String>,
    ended: bool,
}

struct Object {
    value: Arc<Vec<u8>>,
    etag: String,
    uploaded_ms: u64,
}

impl Object {
    /// Its metadata, as R2 tells it.
    fn describe(&self, key: &str, range: Range<usize>) -> Value {
        json!({
            "name": key, "version": self.etag, "size": self.value.len(), "etag": self.etag,
            "uploaded": self.uploaded_ms, "httpFields": {}, "customFields": [],
            "range": { "offset": range.start, "length": range.len() },
        })
    }
}

impl Bucket {
    /// Starts a service without objects.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for calls to the bucket")?;
        let bucket = Self { address: listener.local_addr()?, store: Arc::default() };
        let store = Arc::clone(&bucket.store);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if store.lock().ended {
                    return;
                }
                let store = Arc::clone(&store);
                // The connection, and so the thread, ends with the runtime that opened it.
                thread::spawn(move || serve(&store, stream));
            }
        });
        Ok(bucket)
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counts of calls so far.
    pub(crate) fn counts(&self) -> Counts {
        self.store.lock().counts
    }

    /// The keys of all objects, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.store.lock().objects.keys().cloned().collect()
    }

    /// Has the next call of that kind held at this point.
    pub(crate) fn hold(&self, hold: Hold) {
        self.store.lock().hold = Some(hold);
    }

    /// Waits until a call is held. Returns its key, or `None` if the time limit passes.
    pub(crate) fn wait_until_held(&self, limit: Duration) -> Option<String> {
        let waiting = self.store.changed.wait_timeout_while(self.store.lock(), limit, |state| state.held.is_none());
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.held.clone()
    }

    /// Lets the held call go on, and holds no more.
    pub(crate) fn release(&self) {
        let mut state = self.store.lock();
        (state.hold, state.held) = (None, None);
        self.store.changed.notify_all();
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.store.lock().ended = true;
        self.release();
        // Wakes the thread that accepts connections; if this fails, that thread has ended.
        let _ = TcpStream::connect(self.address);
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers calls until the connection ends.
fn serve(store: &Store, stream: TcpStream) -> Result<()> {
    let mut wire = Wire::new(stream, None)?;
    while let Some(head) = wire.head()? {
        let body = wire.body(&head)?;
        let answer =
            answer(store, &head, &body).unwrap_or_else(|error| Answer::refusal(400, 10029, &error.to_string()));
        wire.write(&answer.encode())?;
    }
    Ok(())
}

/// An answer: its JSON, and the value after it.
struct Answer {
    status: u16,
    meta: Vec<u8>,
    value: Arc<Vec<u8>>,
    range: Range<usize>,
    error: Option<String>,
}

impl Answer {
    fn of(meta: &Value) -> Self {
        Self { status: 200, meta: meta.to_string().into_bytes(), value: Arc::default(), range: 0..0, error: None }
    }

    fn empty() -> Self {
        Self { meta: Vec::new(), ..Self::of(&Value::Null) }
    }

    /// An error, by its number in R2's list.
    fn refusal(status: u16, code: u32, message: &str) -> Self {
        let error = json!({ "version": 1, "v4code": code, "message": message }).to_string();
        Self { status, error: Some(error), ..Self::empty() }
    }

    fn encode(&self) -> Vec<u8> {
        let value = self.value.get(self.range.clone()).unwrap_or_default();
        let (meta, length) = (self.meta.len(), self.meta.len() + value.len());
        let mut head = format!("HTTP/1.1 {} R2\r\ncontent-length: {length}\r\n", self.status);
        if meta > 0 {
            head.push_str(&format!("cf-r2-metadata-size: {meta}\r\n"));
        }
        if let Some(error) = &self.error {
            head.push_str(&format!("cf-r2-error: {error}\r\n"));
        }
        [head.as_bytes(), b"\r\n", &self.meta, value].concat()
    }
}

fn answer(store: &Store, head: &Head, body: &[u8]) -> Result<Answer> {
    if let Some(request) = head.field("cf-r2-request") {
        let request: Value = serde_json::from_str(request)?;
        return match request["method"].as_str() {
            Some("get") => get(store, &request),
            Some("head") => head_of(store, &request),
            Some("list") => list(store, &request),
            other => Err(anyhow!("no such reading method: {other:?}")),
        };
    }
    let size = head.field("cf-r2-metadata-size").context("no cf-r2-metadata-size")?.parse()?;
    let (request, value) = body.split_at_checked(size).context("a body shorter than its metadata")?;
    let request: Value = serde_json::from_slice(request)?;
    match request["method"].as_str() {
        Some("put") => put(store, &request, value),
        Some("delete") => delete(store, &request),
        other => Err(anyhow!("no such writing method: {other:?}")),
    }
}

fn key(request: &Value) -> Result<&str> {
    request["object"].as_str().context("no object")
}

/// A number, which the binding writes as text if it has 64 bits.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => usize::try_from(other.as_u64()?).ok(),
    }
}

fn no_such_key() -> Answer {
    Answer::refusal(404, 10007, "The specified key does not exist.")
}

fn get(store: &Store, request: &Value) -> Result<Answer> {
    let mut state = store.lock();
    state.counts.gets += 1;
    let key = key(request)?;
    let is_held = state.hold == Some(Hold::Get);
    if is_held {
        state.hold = None;
    }
    state = held(store, state, key, is_held);
    let Some(object) = state.objects.get(key) else { return Ok(no_such_key()) };
    let size = object.value.len();
    let start = number(&request["range"]["offset"]).unwrap_or(0);
    let length = number(&request["range"]["length"]).unwrap_or(size);
    if start > size || length == 0 {
        return Ok(Answer::refusal(416, 10039, "The requested range is not satisfiable"));
    }
    let range = start..size.min(start + length);
    let meta = object.describe(key, range.clone());
    Ok(Answer { value: Arc::clone(&object.value), range, ..Answer::of(&meta) })
}

fn head_of(store: &Store, request: &Value) -> Result<Answer> {
    let key = key(request)?;
    let mut state = store.lock();
    state.counts.heads += 1;
    let object = state.objects.get(key);
    Ok(object.map_or_else(no_such_key, |object| Answer::of(&object.describe(key, 0..object.value.len()))))
}

fn put(store: &Store, request: &Value, value: &[u8]) -> Result<Answer> {
    let key = key(request)?;
    let only_absent = match &request["onlyIf"] {
        Value::Null => false,
        condition if condition["etagDoesNotMatch"][0]["type"] == "wildcard" => true,
        other => return Err(anyhow!("a condition that this service does not know: {other}")),
    };
    let mut state = store.lock();
    state.counts.puts += 1;
    let hold = state.hold.take_if(|hold| *hold != Hold::Get);
    state = held(store, state, key, hold == Some(Hold::BeforeStored));
    let answer = match only_absent && state.objects.contains_key(key) {
        true => Answer::refusal(412, 10031, "At least one of the pre-conditions you specified did not hold."),
        false => {
            let etag = format!("{:032x}", state.counts.puts);
            let uploaded_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
            let object = Object { value: Arc::new(value.to_vec()), etag, uploaded_ms };
            let meta = object.describe(key, 0..value.len());
            state.objects.insert(key.to_owned(), object);
            Answer::of(&meta)
        }
    };
    drop(held(store, state, key, hold == Some(Hold::BeforeAnswered)));
    Ok(answer)
}

/// If a call is to be held at this point, holds it until it is released.
fn held<'a>(store: &'a Store, mut state: MutexGuard<'a, State>, key: &str, here: bool) -> MutexGuard<'a, State> {
    if here {
        state.held = Some(key.to_owned());
        store.changed.notify_all();
        state = store.changed.wait_while(state, |state| state.held.is_some()).unwrap_or_else(PoisonError::into_inner);
    }
    state
}

fn delete(store: &Store, request: &Value) -> Result<Answer> {
    let one = request["object"].as_str().into_iter();
    let keys = one.chain(request["objects"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let mut state = store.lock();
    for key in keys {
        state.counts.deleted += u64::from(state.objects.remove(key).is_some());
    }
    Ok(Answer::empty())
}

fn list(store: &Store, request: &Value) -> Result<Answer> {
    if request["delimiter"].as_str().is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(anyhow!("this service knows no delimiter"));
    }
    let prefix = request["prefix"].as_str().unwrap_or_default();
    let limit = number(&request["limit"]).unwrap_or(LIST_LIMIT).min(LIST_LIMIT);
    // A cursor is the last key of the listing before.
    let after = request["cursor"].as_str().max(request["startAfter"].as_str()).unwrap_or_default();
    let mut state = store.lock();
    state.counts.lists += 1;
    let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
    let mut following =
        state.objects.range::<str, _>((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
    let objects: Vec<_> = following.by_ref().take(limit).collect();
    let truncated = following.next().is_some();
    let cursor = objects.last().map(|(key, _)| key.as_str()).filter(|_| truncated);
    let described: Vec<_> = objects.iter().map(|(key, object)| object.describe(key, 0..object.value.len())).collect();
    let mut meta = json!({ "objects": described, "truncated": truncated, "delimitedPrefixes": [] });
    if let Some(cursor) = cursor {
        meta["cursor"] = cursor.into();
    }
    Ok(Answer::of(&meta))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask::http::{Connection, Reply};

    /// Sends a call as the runtime's binding does, and returns the answer.
    fn call(bucket: &Bucket, request: Value, value: &[u8]) -> Reply {
        let mut connection = Connection::open(&bucket.address().to_string(), Duration::from_secs(5)).unwrap();
        let text = request.to_string();
        let reads = ["get", "head", "list"].contains(&request["method"].as_str().unwrap());
        let bytes = match reads {
            true => connection.request("GET", "/", &[("cf-r2-request", &text)], b""),
            false => {
                let size = text.len().to_string();
                connection.request("PUT", "/", &[("cf-r2-metadata-size", &size)], &[text.as_bytes(), value].concat())
            }
        };
        connection.send(&bytes).unwrap()
    }

    /// The value after the JSON of an answer.
    fn value(reply: &Reply) -> &[u8] {
        let size: usize = reply.head.field("cf-r2-metadata-size").unwrap().parse().unwrap();
        &reply.body[size..]
    }

    fn put(bucket: &Bucket, key: &str, value: &[u8]) -> u16 {
        let condition = json!({ "etagDoesNotMatch": [{ "type": "wildcard" }] });
        call(bucket, json!({ "method": "put", "object": key, "onlyIf": condition }), value).status
    }

    #[test]
    fn what_is_put_is_read_in_ranges_and_replaced_only_where_nothing_forbids_it() {
        let bucket = Bucket::start().unwrap();
        assert_eq!(call(&bucket, json!({ "method": "get", "object": "a" }), b"").status, 404);
        assert_eq!(put(&bucket, "a", b"01234567"), 200);
        assert_eq!(put(&bucket, "a", b"again"), 412);
        for (offset, length, status, expected) in [("0", "3", 200, "012"), ("6", "9", 200, "67"), ("9", "1", 416, "")] {
            let range = json!({ "offset": offset, "length": length });
            let reply = call(&bucket, json!({ "method": "get", "object": "a", "range": range }), b"");
            assert_eq!(reply.status, status);
            assert!(status != 200 || value(&reply) == expected.as_bytes());
        }
        assert_eq!(bucket.counts(), Counts { puts: 2, gets: 4, ..Counts::default() });
    }

    #[test]
    fn a_listing_goes_on_after_its_cursor_or_a_key() {
        let bucket = Bucket::start().unwrap();
        for key in ["a/1", "a/2", "a/3", "b/1"] {
            assert_eq!(put(&bucket, key, b"x"), 200);
        }
        let check = |request: Value, names: &[&str], truncated: bool| {
            let meta: Value = serde_json::from_slice(&call(&bucket, request, b"").body).unwrap();
            let found: Vec<_> = meta["objects"].as_array().unwrap().iter().map(|object| &object["name"]).collect();
            assert_eq!(found, names);
            assert_eq!(meta["truncated"].as_bool(), Some(truncated));
        };
        check(json!({ "method": "list", "prefix": "a/", "limit": 2 }), &["a/1", "a/2"], true);
        check(json!({ "method": "list", "prefix": "a/", "limit": 2, "cursor": "a/2" }), &["a/3"], false);
        check(json!({ "method": "list", "startAfter": "a/2" }), &["a/3", "b/1"], false);
        call(&bucket, json!({ "method": "delete", "objects": ["a/1", "b/1", "c"] }), b"");
        assert_eq!((bucket.keys(), bucket.counts().deleted), (vec!["a/2".to_owned(), "a/3".to_owned()], 2));
    }

    #[test]
    fn a_put_is_held_before_it_is_stored_or_before_it_is_answered() {
        for (hold, stored) in [(Hold::BeforeStored, 0), (Hold::BeforeAnswered, 1)] {
            let bucket = Bucket::start().unwrap();
            bucket.hold(hold);
            thread::scope(|scope| {
                let put = scope.spawn(|| put(&bucket, "a", b"x"));
                assert_eq!(bucket.wait_until_held(Duration::from_secs(5)).as_deref(), Some("a"));
                assert_eq!(bucket.keys().len(), stored);
                bucket.release();
                assert_eq!(put.join().unwrap(), 200);
            });
            assert_eq!(bucket.keys(), ["a"]);
        }
    }
}
