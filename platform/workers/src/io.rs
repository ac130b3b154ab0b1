//! The JavaScript that Rust calls: the objects of `js/edge_io.mjs` and `js/object_io.mjs`, and functions of the
//! runtime.
//!
//! Each binding but those of the console is `catch`: a JavaScript exception that passed through Rust frames would leave
//! the instance broken.

use js_sys::{JsString, Promise};
use wasm_bindgen::closure::ScopedClosure;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What the task of a request at the edge uses, with at most one handle of each kind at a time. A method that
    /// starts an operation returns at once; JavaScript polls the task when the operation has ended, and tells how
    /// (`outcome`).
    pub type EdgeIo;

    /// Answers the client. `fields` are names and values in turn, each followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &EdgeIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// Answers the client with the kept answer, changed as `edge_env::changes_text` says.
    #[wasm_bindgen(method, catch, js_name = answerKept)]
    pub(crate) fn answer_kept(this: &EdgeIo, changes: Option<&str>) -> Result<(), JsValue>;

    /// Answers the client with the reply of an object, or a stored answer, changed as `edge_env::changes_text` says.
    #[wasm_bindgen(method, catch, js_name = passOn)]
    pub(crate) fn pass_on(this: &EdgeIo, changes: Option<&str>) -> Result<(), JsValue>;

    /// Answers the client with a head; the body is written from now on.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn open(this: &EdgeIo, status: u16, fields: &str) -> Result<(), JsValue>;

    /// The request goes on when its client has gone.
    #[wasm_bindgen(method, catch, js_name = outliveClient)]
    pub(crate) fn outlive_client(this: &EdgeIo) -> Result<(), JsValue>;

    /// The request ends as soon as its client has gone.
    #[wasm_bindgen(method, catch, js_name = watchClient)]
    pub(crate) fn watch_client(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to read the client's body, or goes on, up to `limit` bytes and for at most `within_ms`, which may be
    /// infinite. An infinite limit is for a body whose declared length is within the limit.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn read(this: &EdgeIo, limit: f64, within_ms: f64) -> Result<(), JsValue>;

    /// Starts to read and drop what is left of the client's body.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn drain(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to call an object of the class of that number. `target` is its name, of `name_length` UTF-16 code units, followed by the message;
    /// `along` is one of the numbers of `edge_env::along`. On a socket, `most_bytes` may wait until they are taken.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn call(
        this: &EdgeIo,
        class: u32,
        target: &str,
        name_length: u32,
        along: u32,
        most_bytes: f64,
    ) -> Result<(), JsValue>;

    /// Starts to wait for the last call that an earlier task of the request has made.
    #[wasm_bindgen(method, catch, js_name = earlierCall)]
    pub(crate) fn earlier_call(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to ask the inner entrypoint for what a GET of that URL answers. It takes the place of the object's reply.
    #[wasm_bindgen(method, catch, js_name = askInner)]
    pub(crate) fn ask_inner(this: &EdgeIo, url: &str) -> Result<(), JsValue>;

    /// Starts to look for a stored answer in the cache of the datacenter, for at most `within_ms`. It takes the place of
    /// the object's reply.
    #[wasm_bindgen(method, catch, js_name = lookUp)]
    pub(crate) fn look_up(this: &EdgeIo, key: &str, within_ms: f64) -> Result<(), JsValue>;

    /// Starts to store the kept answer in the cache of the datacenter. `fields` are added: names and values in turn, each
    /// followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn store(this: &EdgeIo, key: &str, fields: &str) -> Result<(), JsValue>;

    /// Starts to remove a stored answer from the cache of the datacenter.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn remove(this: &EdgeIo, key: &str) -> Result<(), JsValue>;

    /// Starts to count one more under this key at the limit that is bound under this name, for at most `within_ms`.
    #[wasm_bindgen(method, catch, js_name = isWithin)]
    pub(crate) fn is_within(this: &EdgeIo, limit: &str, key: &str, within_ms: f64) -> Result<(), JsValue>;

    /// Starts to read a key of KV, for at most `within_ms`. The text is in `words` then.
    #[wasm_bindgen(method, catch, js_name = readKv)]
    pub(crate) fn read_kv(this: &EdgeIo, key: &str, within_ms: f64) -> Result<(), JsValue>;

    /// Starts to list keys of KV, from where a page begins, or from the first one if that is empty, for at most `within_ms`.
    /// The page is in `words` then: where the next one begins, or nothing; then name and note of each key; every item is
    /// followed by a line feed.
    #[wasm_bindgen(method, catch, js_name = listKv)]
    pub(crate) fn list_kv(this: &EdgeIo, from: &str, within_ms: f64) -> Result<(), JsValue>;

    /// Why the last call or reply failed, for operators, or what KV has told.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn words(this: &EdgeIo) -> Result<String, JsValue>;

    /// The status of the reply, and names and values of its fields in turn, each followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn head(this: &EdgeIo) -> Result<String, JsValue>;

    /// Starts to read the object's reply to its end, which makes it the kept answer.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn keep(this: &EdgeIo) -> Result<(), JsValue>;

    /// Makes an answer of the edge's own the kept answer.
    #[wasm_bindgen(method, catch, js_name = keepOwn)]
    pub(crate) fn keep_own(this: &EdgeIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// The status of the kept answer.
    #[wasm_bindgen(method, catch, js_name = keptStatus)]
    pub(crate) fn kept_status(this: &EdgeIo) -> Result<u16, JsValue>;

    /// The status of the kept answer and its header fields, a line each.
    #[wasm_bindgen(method, catch, js_name = keptHead)]
    pub(crate) fn kept_head(this: &EdgeIo) -> Result<String, JsValue>;

    /// Joins the flight of that key, or starts one. Returns how old the joined flight is, in ms, or -1 if this request
    /// has started one.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn share(this: &EdgeIo, key: &str) -> Result<f64, JsValue>;

    /// Notes a time for those who have joined the flight that this request has started, or will.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn note(this: &EdgeIo, until_ms: f64) -> Result<(), JsValue>;

    /// The time that has been noted for those who join the flight, after an outcome [`NOTED`](crate::outcome::NOTED).
    #[wasm_bindgen(method, catch)]
    pub(crate) fn noted(this: &EdgeIo) -> Result<f64, JsValue>;

    /// Lands the flight that this request has started: those who have joined it get the kept answer, and are told its
    /// age in s.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn land(this: &EdgeIo, age_s: f64) -> Result<(), JsValue>;

    /// The age of what the joined flight has brought, in s, after an outcome [`AGED`](crate::outcome::AGED).
    #[wasm_bindgen(method, catch, js_name = landedAge)]
    pub(crate) fn landed_age(this: &EdgeIo) -> Result<f64, JsValue>;

    /// Starts to wait until the joined flight lands, or until this request can be told that something is noted. The
    /// flight's answer becomes this request's kept answer.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn landing(this: &EdgeIo, wait_ms: f64) -> Result<(), JsValue>;

    /// Gives up the joined flight: from here on nobody joins it.
    #[wasm_bindgen(method, catch, js_name = giveUp)]
    pub(crate) fn give_up(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to wait for a time.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn sleep(this: &EdgeIo, ms: f64) -> Result<(), JsValue>;

    /// Starts to wait for the next message of the socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn next(this: &EdgeIo, wait_ms: f64) -> Result<(), JsValue>;

    /// The message that the last `next` or `pipe` has ended with; empty if there is none.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn bytes(this: &EdgeIo) -> Result<Vec<u8>, JsValue>;

    /// Queues bytes for the client. Returns how many bytes now wait for it, or `outcome::NOBODY` if it is gone.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn push(this: &EdgeIo, bytes: &[u8]) -> Result<f64, JsValue>;

    /// Starts to queue the body of the object's reply for the client. Its outcome is what `push` returns, or the
    /// failure of a call.
    #[wasm_bindgen(method, catch, js_name = pushReply)]
    pub(crate) fn push_reply(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to wait until at most `buffer_bytes` wait for the client.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn drained(this: &EdgeIo, buffer_bytes: f64, wait_ms: f64) -> Result<(), JsValue>;

    /// Starts to pass messages of the socket on to the client: see `Download::pipe` of core. The limits are the bytes
    /// that may wait for the client, those that may wait for all clients, and the ms until the end and of silence.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn pipe(this: &EdgeIo, prefix: &[u8], header_length: u32, limits: &[f64]) -> Result<(), JsValue>;

    /// How many bytes wait for all clients of the isolate whose answers are written piece by piece.
    #[wasm_bindgen(method, catch, js_name = waitingForClients)]
    pub(crate) fn waiting_for_clients(this: &EdgeIo) -> Result<f64, JsValue>;

    /// Breaks the client's connection, and drops what waits for it.
    #[wasm_bindgen(method, catch, js_name = cutDownload)]
    pub(crate) fn cut_download(this: &EdgeIo) -> Result<(), JsValue>;

    /// The header of the last message that the pipe has passed on; empty if it passed on none.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn header(this: &EdgeIo) -> Result<Vec<u8>, JsValue>;

    /// Closes the socket.
    #[wasm_bindgen(method, catch, js_name = closeSocket)]
    pub(crate) fn close_socket(this: &EdgeIo) -> Result<(), JsValue>;

    /// Ends the body of the answer, once the client has taken what was written.
    #[wasm_bindgen(method, catch, js_name = closeDownload)]
    pub(crate) fn close_download(this: &EdgeIo) -> Result<(), JsValue>;

    /// An object's storage, alarm, sockets, and where it puts its answers.
    #[derive(Clone)]
    pub type ObjectIo;

    /// Answers the call of that number. `fields` are names and values in turn, each followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &ObjectIo, call: u32, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// Ends the alarm's call of that number. `failure` is empty if it succeeded, else says why not, for operators.
    #[wasm_bindgen(method, catch, js_name = alarmEnded)]
    pub(crate) fn alarm_ended(this: &ObjectIo, call: u32, failure: &str) -> Result<(), JsValue>;

    /// Runs a statement with `params` as `param` encodes them. Takes at most `row_limit` rows, and none after the one
    /// with which the blobs reach `byte_budget`. Returns how many bytes the rows take at most. If they fit, they are in
    /// `out`, as `row` reads them; if not, `take` hands them over.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn exec(
        this: &ObjectIo,
        sql: &JsString,
        params: &[f64],
        row_limit: f64,
        byte_budget: f64,
        out: &mut [u8],
    ) -> Result<f64, JsValue>;

    /// Writes the rows of the last `exec` that did not fit. Returns how many bytes they take.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn take(this: &ObjectIo, out: &mut [u8]) -> Result<f64, JsValue>;

    /// Runs the body in a transaction (`transactionSync`). An `Err` of the body undoes the transaction and is returned.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn transaction(
        this: &ObjectIo,
        body: &ScopedClosure<'_, dyn FnMut() -> Result<(), JsValue>>,
    ) -> Result<(), JsValue>;

    /// `setAlarm`, in ms since the Unix epoch.
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub(crate) fn set_alarm(this: &ObjectIo, at_ms: f64) -> Result<(), JsValue>;

    /// Rows written by this object since it started, as the platform bills them.
    #[wasm_bindgen(method, catch, js_name = rowsWritten)]
    pub(crate) fn rows_written(this: &ObjectIo) -> Result<f64, JsValue>;

    /// Bytes that the object's database takes.
    #[wasm_bindgen(method, catch, js_name = databaseBytes)]
    pub(crate) fn database_bytes(this: &ObjectIo) -> Result<f64, JsValue>;

    /// Rows read by this object since it started, as the platform bills them.
    #[wasm_bindgen(method, catch, js_name = rowsRead)]
    pub(crate) fn rows_read(this: &ObjectIo) -> Result<f64, JsValue>;

    /// Accepts a socket with its tags (one a line), attachment and first message, and answers the call of that number
    /// with the other end of it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn upgrade(
        this: &ObjectIo,
        call: u32,
        tags: &str,
        attachment: &[u8],
        greeting: &[u8],
    ) -> Result<(), JsValue>;

    /// Whether the object has any socket. The runtime lists all for it.
    #[wasm_bindgen(method, catch, js_name = hasSockets)]
    pub(crate) fn has_sockets(this: &ObjectIo) -> Result<bool, JsValue>;

    /// The sockets with that tag.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn sockets(this: &ObjectIo, tag: &str) -> Result<js_sys::Array, JsValue>;

    /// Sends a message to each socket with that tag, and closes them if asked to; or does nothing if the copies together
    /// have more than `most_bytes`. Answers how many sockets there are.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn broadcast(
        this: &ObjectIo,
        tag: &str,
        message: &[u8],
        close: bool,
        most_bytes: f64,
    ) -> Result<u32, JsValue>;

    /// Closes all sockets, if nobody knows any more what was sent on them.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn cut(this: &ObjectIo) -> Result<(), JsValue>;

    /// Sends a message to one socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn send(this: &ObjectIo, socket: &WebSocket, message: &[u8]) -> Result<(), JsValue>;

    /// Closes one socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn close(this: &ObjectIo, socket: &WebSocket) -> Result<(), JsValue>;

    /// What is attached to a socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn attachment(this: &ObjectIo, socket: &WebSocket) -> Result<Vec<u8>, JsValue>;

    /// A socket of the runtime.
    #[derive(Clone)]
    pub type WebSocket;
    /// The object's identity: 64 hexadecimal digits.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn id(this: &ObjectIo) -> Result<String, JsValue>;

    /// Stores an object once what was written before is durable; with `absent` only if the key has no object. Returns a
    /// promise of whether it was stored. Like that of each call of the bucket, the promise fails after `limit_ms`.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn put(this: &ObjectIo, key: &str, body: &[u8], absent: bool, limit_ms: f64)
    -> Result<Promise, JsValue>;

    /// Reads a range of an object. Returns a promise of a `Uint8Array`, or of null if there is no object.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn get(this: &ObjectIo, key: &str, start: f64, length: f64, limit_ms: f64) -> Result<Promise, JsValue>;

    /// Deletes objects once what was written before is durable. Each of `keys` is followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn delete(this: &ObjectIo, keys: &str, limit_ms: f64) -> Result<Promise, JsValue>;

    /// Reads a key of KV. Returns a promise of its text, or of null if there is none, which fails after `limit_ms`.
    #[wasm_bindgen(method, catch, js_name = readKv)]
    pub(crate) fn read_kv(this: &ObjectIo, key: &str, limit_ms: f64) -> Result<Promise, JsValue>;

    /// Puts a text with a note into KV once what was written before is durable. The promise fails after `limit_ms`.
    #[wasm_bindgen(method, catch, js_name = putKv)]
    pub(crate) fn put_kv(this: &ObjectIo, key: &str, text: &str, note: &str, limit_ms: f64)
    -> Result<Promise, JsValue>;

    /// Lists objects whose keys come after `after`, or from the first one if it is empty. Returns a promise of a text:
    /// `1` if more objects follow, else `0`; then key, length and upload time (ms since the Unix epoch) of each object;
    /// every item is followed by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn list(
        this: &ObjectIo,
        prefix: &str,
        after: &str,
        limit: u32,
        limit_ms: f64,
    ) -> Result<Promise, JsValue>;

    /// A timer of the runtime. Returns what it is cancelled by.
    #[wasm_bindgen(catch, js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &js_sys::Function, delay_ms: f64) -> Result<JsValue, JsValue>;

    /// Cancels a timer. One that has gone off is no error.
    #[wasm_bindgen(catch, js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: &JsValue) -> Result<(), JsValue>;

    /// An error of ours in the runtime's log.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn console_error(line: &str);

    /// A warning of ours in the runtime's log.
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    pub(crate) fn console_warn(line: &str);

    /// The runtime's cryptographic randomness; at most 65,536 bytes a call (Web Cryptography, section 10.1.1).
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    pub(crate) fn get_random_values(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
}

/// The message of an exception.
pub(crate) fn words(exception: &JsValue) -> String {
    match exception.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{exception:?}"),
    }
}
