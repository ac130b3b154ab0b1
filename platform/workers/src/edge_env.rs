//! What one request at the edge can reach, as core sees it: its client, objects, sockets and flights.
//!
//! JavaScript holds all of them (`js/edge_io.mjs`). The handles here are empty types: a request has at most one handle
//! of each kind at a time, so its kind says which one is meant.

use bytes::Bytes;
use tailrace_core::protocol::{Address, Headers, Response};
use tailrace_core::runtime::{
    self, Along, Backlogs, CallError, CallOutcome, Called, Changes, EdgeEnv, EdgeSocket, Extent, HeldBodies, Isolate,
    KnownProjects, KvError, KvKey, KvListing, KvView, Landing, Patience, PipeEnd, PipeRule, Piped, Pushed, RateLimit,
    Sharing, SocketEvent, UploadBroken, Written,
};

use crate::operation::{ask, operation};
use crate::outcome::{self, call_error};
use crate::state::fill_random;

/// The numbers by which JavaScript is told what goes along with a call.
mod along {
    pub(super) const NOTHING: u32 = 0;
    pub(super) const BODY: u32 = 1;
    pub(super) const WAITING: u32 = 2;
}

thread_local! {
    /// The bodies that all requests of this instance hold.
    static HELD_BODIES: HeldBodies = HeldBodies::default();
    /// What this instance knows of projects.
    static KNOWN_PROJECTS: KnownProjects = KnownProjects::default();
    /// What waits for the clients of all requests of this instance.
    static BACKLOGS: Backlogs = Backlogs::default();
}

/// What one request can reach.
#[derive(Clone)]
pub(crate) struct RequestEnv {
    #[cfg(feature = "faults")]
    fault: Option<String>,
}

/// The body of the client's request.
pub(crate) struct Upload;
/// The reply of the object that was called last, or the stored answer that was found last.
pub(crate) struct Reply;
/// The kept answer: complete, as plain data.
#[derive(Clone)]
pub(crate) struct Kept;
/// The edge's end of the socket to the object.
pub(crate) struct Socket;
/// The body of an answer that is written piece by piece.
pub(crate) struct Download;
/// The flight that the request takes part in.
pub(crate) struct Flight;
/// KV, as requests read it.
pub(crate) struct Kv;

impl RequestEnv {
    #[cfg(feature = "faults")]
    pub(crate) fn new(fault: Option<String>) -> Self {
        Self { fault }
    }

    #[cfg(not(feature = "faults"))]
    pub(crate) fn new() -> Self {
        Self {}
    }
}

fn failure(outcome: Option<i64>) -> CallError {
    call_error(outcome.unwrap_or_default(), ask(|io| io.words()).unwrap_or_default())
}

fn called(outcome: Option<i64>) -> CallOutcome<RequestEnv> {
    match outcome {
        Some(outcome::REPLY) => Ok(Called::Reply(Reply)),
        Some(outcome::SOCKET) => Ok(Called::Socket(Socket)),
        failed => Err(failure(failed)),
    }
}

/// Changes of an answer's fields, as JavaScript takes them: a line with the names that are left out, separated by
/// blanks; then names and values that are set, in turn, each followed by a line feed. `None` if nothing changes: such an
/// answer costs what it would cost without changes.
fn changes_text(changes: &Changes) -> Option<String> {
    (changes != Changes::NONE).then(|| [&changes.left_out.join(" "), "\n", &changes.set.to_lines()].concat())
}

fn message_bytes() -> Bytes {
    ask(|io| io.bytes()).map(Bytes::from).unwrap_or_default()
}

pub(crate) fn answer_with(response: &Response) {
    ask(|io| io.answer(response.status, &response.headers.to_lines(), &response.body));
}

impl Isolate for RequestEnv {
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        fill_random(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        operation(|io| io.sleep(ms as f64)).await;
    }
}

impl EdgeEnv for RequestEnv {
    type Upload = Upload;
    type Reply = Reply;
    type Kept = Kept;
    type Socket = Socket;
    type Download = Download;
    type StartedFlight = Flight;
    type JoinedFlight = Flight;
    type Kv = Kv;

    async fn call(&self, object: Address<'_>, message: String, along: Along<'_, Upload>) -> CallOutcome<Self> {
        #[cfg(feature = "faults")]
        let message = crate::fault::message(self.fault.as_deref(), message);
        let (along, most_bytes) = match along {
            Along::Nothing => (along::NOTHING, 0),
            Along::Body(_) => (along::BODY, 0),
            Along::Waiting { most_bytes } => (along::WAITING, most_bytes),
        };
        let target = [object.name, &message].concat();
        // JavaScript counts text in UTF-16.
        let (name_length, class) = (object.name.encode_utf16().count() as u32, object.class.number());
        called(operation(|io| io.call(class, &target, name_length, along, most_bytes as f64)).await)
    }

    async fn earlier_call(&self) -> CallOutcome<Self> {
        called(operation(|io| io.earlier_call()).await)
    }

    async fn ask_inner(&self, url: &str) -> CallOutcome<Self> {
        called(operation(|io| io.ask_inner(url)).await)
    }

    async fn look_up(&self, key: &str, within_ms: u64) -> Option<Reply> {
        match operation(|io| io.look_up(key, within_ms as f64)).await {
            Some(outcome::REPLY) => Some(Reply),
            _ => None,
        }
    }

    async fn store(&self, key: &str, _kept: &Kept, fields: &Headers) {
        operation(|io| io.store(key, &fields.to_lines())).await;
    }

    async fn remove(&self, key: &str) {
        operation(|io| io.remove(key)).await;
    }

    async fn is_within(&self, limit: RateLimit, key: &str, within_ms: u64) -> Option<bool> {
        match operation(|io| io.is_within(limit.name(), key, within_ms as f64)).await {
            Some(outcome::WITHIN) => Some(true),
            Some(outcome::TOO_OFTEN) => Some(false),
            _ => None,
        }
    }

    fn kv(&self) -> &Kv {
        &Kv
    }

    fn share(&self, key: &str) -> Sharing<Flight, Flight> {
        match ask(|io| io.share(key)) {
            Some(age_ms @ 0.0..) => Sharing::Joined { flight: Flight, age_ms: age_ms as u64 },
            _ => Sharing::Started(Flight),
        }
    }

    fn outlive_client(&self) {
        ask(|io| io.outlive_client());
    }

    fn watch_client(&self) {
        ask(|io| io.watch_client());
    }

    fn held_bodies(&self) -> HeldBodies {
        HELD_BODIES.with(HeldBodies::clone)
    }

    fn known_projects(&self) -> KnownProjects {
        KNOWN_PROJECTS.with(KnownProjects::clone)
    }

    fn backlogs(&self) -> Backlogs {
        BACKLOGS.with(Backlogs::clone)
    }

    async fn keep(&self, _reply: Reply) -> Result<Kept, CallError> {
        match operation(|io| io.keep()).await {
            Some(outcome::KEPT) => Ok(Kept),
            failed => Err(failure(failed)),
        }
    }

    fn keep_own(&self, response: Response) -> Kept {
        ask(|io| io.keep_own(response.status, &response.headers.to_lines(), &response.body));
        Kept
    }

    fn answer(&self, response: Response) {
        answer_with(&response);
    }

    fn answer_kept(&self, _kept: Kept, changes: &Changes) {
        ask(|io| io.answer_kept(changes_text(changes).as_deref()));
    }

    fn pass_on(&self, _reply: Reply, changes: &Changes) {
        ask(|io| io.pass_on(changes_text(changes).as_deref()));
    }

    fn open(&self, head: Response) -> Download {
        ask(|io| io.open(head.status, &head.headers.to_lines()));
        Download
    }
}

/// What KV has told, or why it has not.
fn told(outcome: Option<i64>) -> Result<String, KvError> {
    match outcome {
        Some(outcome::TOLD) => Ok(ask(|io| io.words()).unwrap_or_default()),
        _ => Err(KvError("no answer".to_owned())),
    }
}

impl KvView for Kv {
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError> {
        match operation(|io| io.read_kv(key, limit_ms as f64)).await {
            Some(outcome::ABSENT) => Ok(None),
            outcome => told(outcome).map(Some),
        }
    }

    async fn list(&self, from: Option<&str>, limit_ms: u64) -> Result<KvListing, KvError> {
        let text = told(operation(|io| io.list_kv(from.unwrap_or_default(), limit_ms as f64)).await)?;
        listing(&text).ok_or_else(|| KvError("the listing is malformed".to_owned()))
    }
}

/// A page of keys from its text.
fn listing(text: &str) -> Option<KvListing> {
    let mut lines = text.split_terminator('\n');
    let next = Some(lines.next()?.to_owned()).filter(|next| !next.is_empty());
    let mut keys = Vec::new();
    while let Some(name) = lines.next() {
        keys.push(KvKey { name: name.to_owned(), note: lines.next()?.to_owned() });
    }
    Some(KvListing { keys, next })
}

impl runtime::Upload for Upload {
    async fn read(&self, limit: Option<usize>, within_ms: Option<u64>) -> Result<Extent, UploadBroken> {
        let limit = limit.map_or(f64::INFINITY, |limit| limit as f64);
        match operation(|io| io.read(limit, within_ms.map_or(f64::INFINITY, |ms| ms as f64))).await {
            Some(outcome::WHOLE) => Ok(Extent::Whole),
            Some(outcome::BEYOND) => Ok(Extent::Beyond),
            Some(outcome::DROPPED) => Ok(Extent::Dropped),
            _ => Err(UploadBroken),
        }
    }

    async fn drain(&self) {
        operation(|io| io.drain()).await;
    }
}

impl runtime::Reply for Reply {
    fn head(&self) -> Response {
        head(&ask(|io| io.head()).unwrap_or_default())
    }
}

/// The head of an answer whose status and fields are these lines.
fn head(text: &str) -> Response {
    let mut lines = text.split_terminator('\n');
    // A status that is not a number counts as a failure of the object.
    let status = lines.next().and_then(|status| status.parse().ok()).unwrap_or(500);
    Response { status, headers: Headers::from_lines(lines), body: Bytes::new() }
}

impl runtime::Kept for Kept {
    fn status(&self) -> u16 {
        ask(|io| io.kept_status()).unwrap_or(500)
    }

    fn head(&self) -> Response {
        head(&ask(|io| io.kept_head()).unwrap_or_default())
    }
}

impl runtime::StartedFlight<Kept> for Flight {
    fn note(&self, until_ms: u64) {
        ask(|io| io.note(until_ms as f64));
    }

    fn land(self, _brought: &Kept, age_s: u64) {
        ask(|io| io.land(age_s as f64));
    }
}

impl runtime::JoinedFlight<Kept> for Flight {
    async fn landing(&self, wait_ms: u64) -> Landing<Kept> {
        match operation(|io| io.landing(wait_ms as f64)).await {
            Some(outcome::KEPT) => Landing::Landed { kept: Kept, age_s: 0 },
            Some(outcome::AGED) => {
                Landing::Landed { kept: Kept, age_s: ask(|io| io.landed_age()).unwrap_or_default() as u64 }
            }
            Some(outcome::NOTED) => Landing::Noted(ask(|io| io.noted()).unwrap_or_default() as u64),
            _ => Landing::TimedOut,
        }
    }

    fn give_up(self) {
        ask(|io| io.give_up());
    }
}

impl EdgeSocket for Socket {
    async fn next(&self, wait_ms: u64) -> SocketEvent {
        match operation(|io| io.next(wait_ms as f64)).await {
            Some(outcome::MESSAGE) => SocketEvent::Message(message_bytes()),
            Some(outcome::TIMED_OUT) => SocketEvent::TimedOut,
            Some(outcome::OVERFLOW) => SocketEvent::Overflowed,
            _ => SocketEvent::Closed,
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        ask(|io| io.close_socket());
    }
}

impl runtime::Download for Download {
    type Socket = Socket;
    type Reply = Reply;

    fn push(&self, bytes: Bytes) -> Pushed {
        pushed(ask(|io| io.push(&bytes)).map(|waiting| waiting as i64))
    }

    async fn drained(&self, patience: Patience) -> Written {
        let Patience { buffer_bytes, wait_ms, .. } = patience;
        match operation(|io| io.drained(buffer_bytes as f64, wait_ms as f64)).await {
            Some(outcome::TAKEN) => Written::Taken,
            Some(outcome::STALLED) => Written::Stalled,
            _ => Written::Gone,
        }
    }

    async fn push_reply(&self, _reply: Reply) -> Result<Pushed, CallError> {
        match operation(|io| io.push_reply()).await {
            waiting @ Some(0.. | outcome::NOBODY) => Ok(pushed(waiting)),
            failed => Err(failure(failed)),
        }
    }

    fn waiting_for_clients(&self) -> usize {
        ask(|io| io.waiting_for_clients()).map_or(0, |bytes| bytes as usize)
    }

    fn cut(&self) {
        ask(|io| io.cut_download());
    }

    /// Does what the provided method does, but in JavaScript (`js/pipe.mjs`): payloads do not cross into wasm.
    async fn pipe(&self, _isolate: &impl Isolate, _socket: &Socket, rule: PipeRule, patience: Patience) -> Piped {
        let Patience { buffer_bytes, all_bytes, wait_ms } = patience;
        let PipeRule { prefix, header_length, silence_ms } = rule;
        let started = operation(|io| {
            let limits = [buffer_bytes as f64, all_bytes as f64, wait_ms as f64, silence_ms as f64];
            io.pipe(prefix, header_length as u32, &limits)
        });
        let end = match started.await {
            Some(outcome::MESSAGE) => PipeEnd::Message(message_bytes()),
            Some(outcome::TIMED_OUT) => PipeEnd::TimedOut,
            Some(outcome::OVERFLOW) => PipeEnd::Overflow,
            Some(outcome::GONE) => PipeEnd::Gone,
            _ => PipeEnd::Closed,
        };
        let last = ask(|io| io.header()).filter(|header| !header.is_empty()).map(Bytes::from);
        Piped { last, end }
    }
}

fn pushed(waiting: Option<i64>) -> Pushed {
    match waiting {
        Some(waiting @ 0..) => Pushed::Waiting(waiting as usize),
        _ => Pushed::Gone,
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        ask(|io| io.close_download());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_keys_is_read_whole_or_not_at_all() {
        let key = |name: &str, note: &str| KvKey { name: name.to_owned(), note: note.to_owned() };
        for (text, expected) in [
            ("\n", Some(KvListing::default())),
            ("c\n", Some(KvListing { keys: vec![], next: Some("c".to_owned()) })),
            ("\na\n\nb\ndeleted\n", Some(KvListing { keys: vec![key("a", ""), key("b", "deleted")], next: None })),
            ("\na\n", None),
            ("", None),
        ] {
            assert_eq!(listing(text), expected, "{text:?}");
        }
    }

    #[test]
    fn changes_are_one_text_and_no_changes_are_none() {
        let mut set = Headers::default();
        set.push("x-cache", "HIT");
        set.push("age", "3");
        for (changes, expected) in [
            (Changes::default(), None),
            (Changes { set: set.clone(), left_out: &["a", "b"] }, Some("a b\nx-cache\nHIT\nage\n3\n")),
            (Changes { set, left_out: &[] }, Some("\nx-cache\nHIT\nage\n3\n")),
            (Changes { set: Headers::default(), left_out: &["a"] }, Some("a\n")),
        ] {
            assert_eq!(changes_text(&changes).as_deref(), expected);
        }
    }
}
