//! The JavaScript objects that Rust calls: `js/edge_io.mjs`, `js/object_io.mjs`, and what the runtime itself has.
//!
//! Each binding catches: a JavaScript exception that passed through Rust frames would leave the instance broken.

use js_sys::{JsString, Promise};
use wasm_bindgen::closure::ScopedClosure;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// One request at the edge, with one handle of each kind at a time, and what its last operation left. Operations
    /// come back at once; JavaScript polls the task when they have ended.
    pub type EdgeIo;

    /// The complete answer. `fields` are names and values, each ended by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &EdgeIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// The kept answer is the answer.
    #[wasm_bindgen(method, catch, js_name = answerKept)]
    pub(crate) fn answer_kept(this: &EdgeIo) -> Result<(), JsValue>;

    /// The object's reply is the answer, as it is.
    #[wasm_bindgen(method, catch, js_name = passOn)]
    pub(crate) fn pass_on(this: &EdgeIo) -> Result<(), JsValue>;

    /// The head of an answer whose body is written from now on.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn open(this: &EdgeIo, status: u16, fields: &str) -> Result<(), JsValue>;

    /// The request goes on when its client has gone.
    #[wasm_bindgen(method, catch, js_name = outliveClient)]
    pub(crate) fn outlive_client(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to read the client's body; an infinite limit is for one whose length is declared.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn read(this: &EdgeIo, limit: f64) -> Result<(), JsValue>;

    /// Starts to read what is left of the client's body, and to drop it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn drain(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to call an object: `target` is its name, of `name_length` ASCII characters, and the message for it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn call(this: &EdgeIo, target: &str, name_length: u32, along: u32) -> Result<(), JsValue>;

    /// What a call or a reply failed with, for operators.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn words(this: &EdgeIo) -> Result<String, JsValue>;

    /// Status and fields of the object's reply, each ended by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn head(this: &EdgeIo) -> Result<String, JsValue>;

    /// Starts to read the object's reply to its end, as the kept answer.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn keep(this: &EdgeIo) -> Result<(), JsValue>;

    /// This is the kept answer.
    #[wasm_bindgen(method, catch, js_name = keepOwn)]
    pub(crate) fn keep_own(this: &EdgeIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// The status of the kept answer.
    #[wasm_bindgen(method, catch, js_name = keptStatus)]
    pub(crate) fn kept_status(this: &EdgeIo) -> Result<u16, JsValue>;

    /// Joins the flight of that key, or starts it; whether it has started it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn share(this: &EdgeIo, key: &str) -> Result<bool, JsValue>;

    /// The kept answer is what the request's flight has brought.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn land(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to wait for what the joined flight brings, which is then the kept answer.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn landing(this: &EdgeIo, wait_ms: f64) -> Result<(), JsValue>;

    /// Nobody joins the joined flight any more.
    #[wasm_bindgen(method, catch, js_name = giveUp)]
    pub(crate) fn give_up(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to wait.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn sleep(this: &EdgeIo, ms: f64) -> Result<(), JsValue>;

    /// Starts to wait for the next message of the socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn next(this: &EdgeIo, wait_ms: f64) -> Result<(), JsValue>;

    /// The message.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn bytes(this: &EdgeIo) -> Result<Vec<u8>, JsValue>;

    /// Queues bytes for the client; how many wait, or that the client is gone.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn push(this: &EdgeIo, bytes: &[u8]) -> Result<f64, JsValue>;

    /// Starts to queue the body of the object's reply for the client: it ends as `push` does, or fails as a call does.
    #[wasm_bindgen(method, catch, js_name = pushReply)]
    pub(crate) fn push_reply(this: &EdgeIo) -> Result<(), JsValue>;

    /// Starts to wait until no more than that waits for the client.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn drained(this: &EdgeIo, buffer_bytes: f64, wait_ms: f64) -> Result<(), JsValue>;

    /// Starts to pipe the socket into the client's body.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn pipe(
        this: &EdgeIo,
        prefix: &[u8],
        header_length: u32,
        buffer_bytes: f64,
        wait_ms: f64,
    ) -> Result<(), JsValue>;

    /// The header of the last message that the pipe has passed on; empty where it passed on none.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn header(this: &EdgeIo) -> Result<Vec<u8>, JsValue>;

    /// Closes the socket.
    #[wasm_bindgen(method, catch, js_name = closeSocket)]
    pub(crate) fn close_socket(this: &EdgeIo) -> Result<(), JsValue>;

    /// Ends the client's body, once what was written is taken.
    #[wasm_bindgen(method, catch, js_name = closeDownload)]
    pub(crate) fn close_download(this: &EdgeIo) -> Result<(), JsValue>;

    /// An object's storage, alarm, sockets, and where it puts its answers.
    #[derive(Clone)]
    pub type ObjectIo;

    /// Answers the call of that number. `fields` as at the edge.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &ObjectIo, call: u32, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// Ends the alarm of that number, well (`failure` is empty) or with words for operators.
    #[wasm_bindgen(method, catch, js_name = alarmEnded)]
    pub(crate) fn alarm_ended(this: &ObjectIo, call: u32, failure: &str) -> Result<(), JsValue>;

    /// Runs a statement. `params` as `param` writes them; at most `row_limit` rows, and none after the one with which
    /// blobs reach `byte_budget`. Answers how many bytes the rows take: they are in `out`, as `row` reads them, unless
    /// `out` is smaller; then they wait for `take`.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn exec(
        this: &ObjectIo,
        sql: &JsString,
        params: &[f64],
        row_limit: f64,
        byte_budget: f64,
        out: &mut [u8],
    ) -> Result<f64, JsValue>;

    /// Writes the rows that had no room; answers how many bytes they take.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn take(this: &ObjectIo, out: &mut [u8]) -> Result<f64, JsValue>;

    /// `transactionSync`; an `Err` of the body is thrown, and undoes.
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

    /// Accepts a socket with its one tag, attachment and first message, and answers the call of that number with the
    /// other end of it.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn upgrade(
        this: &ObjectIo,
        call: u32,
        tag: &str,
        attachment: &[u8],
        greeting: &[u8],
    ) -> Result<(), JsValue>;

    /// Whether the object has any socket.
    #[wasm_bindgen(method, catch, js_name = hasSockets)]
    pub(crate) fn has_sockets(this: &ObjectIo) -> Result<bool, JsValue>;

    /// The sockets with that tag, or all.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn sockets(this: &ObjectIo, tag: Option<&str>) -> Result<js_sys::Array, JsValue>;

    /// Sends a message to each socket with that tag, and closes them if asked to. Answers how many there were.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn broadcast(this: &ObjectIo, tag: &str, message: &[u8], close: bool) -> Result<u32, JsValue>;

    /// Closes all sockets: what was to be sent on them is not known any more.
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

    /// Stores an object once what was written before is durable; with `absent` only where there is none. A promise of
    /// whether it is stored.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn put(this: &ObjectIo, key: &str, body: &[u8], absent: bool) -> Result<Promise, JsValue>;

    /// Reads a range of an object: a promise of a `Uint8Array`, or of null where there is no object.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn get(this: &ObjectIo, key: &str, start: f64, length: f64) -> Result<Promise, JsValue>;

    /// Deletes objects once what was written before is durable. `keys` are each ended by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn delete(this: &ObjectIo, keys: &str) -> Result<Promise, JsValue>;

    /// Lists objects: a promise of a text of `1` where more follow and else `0`, then key, length and upload time of
    /// each, all ended by a line feed. An empty `after` is none.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn list(this: &ObjectIo, prefix: &str, after: &str, limit: u32) -> Result<Promise, JsValue>;

    /// A timer of the runtime.
    #[wasm_bindgen(catch, js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &js_sys::Function, delay_ms: f64) -> Result<JsValue, JsValue>;

    /// The runtime's cryptographic randomness; at most 65,536 bytes a call (Web Cryptography, section 10.1.1).
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    pub(crate) fn get_random_values(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
}

/// What an exception says, in its own words.
pub(crate) fn words(exception: &JsValue) -> String {
    match exception.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{exception:?}"),
    }
}
