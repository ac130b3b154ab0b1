//! The JavaScript objects that Rust calls: `js/io.mjs`, and what the runtime itself has.
//!
//! Each binding catches: a JavaScript exception that passed through Rust frames would leave the instance broken.

use js_sys::{JsString, Promise};
use wasm_bindgen::closure::ScopedClosure;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Where the edge puts what becomes of a request.
    pub type EdgeIo;

    /// The answer is complete. `fields` are names and values, each ended by a line feed.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &EdgeIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// An object has to answer: `target` is its name, of `name_length` ASCII characters, and the message for it.
    /// Without `collect` it is called without the request's body.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn forward(
        this: &EdgeIo,
        target: &str,
        name_length: u32,
        collect: bool,
        body_limit: f64,
    ) -> Result<(), JsValue>;

    /// An object has to answer, or lets the read wait: `target` as above. `shares` says whether identical reads share
    /// one flight, which ends within `limit_ms`.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn live(
        this: &EdgeIo,
        target: &str,
        name_length: u32,
        sse: bool,
        shares: bool,
        limit_ms: f64,
    ) -> Result<(), JsValue>;

    /// What a live read at the edge has: one socket and one body at a time, and the outcome of the operation that it
    /// started last. Operations come back at once; JavaScript polls the task when they have ended.
    #[derive(Clone)]
    pub type LiveIo;

    /// The complete answer.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn answer(this: &LiveIo, status: u16, fields: &str, body: &[u8]) -> Result<(), JsValue>;

    /// The head of an answer whose body is written from now on.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn open(this: &LiveIo, status: u16, fields: &str) -> Result<(), JsValue>;

    /// Starts to connect to an object.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn connect(this: &LiveIo, object: &str, message: &str) -> Result<(), JsValue>;

    /// Starts to wait for the next message of the socket.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn next(this: &LiveIo, wait_ms: f64) -> Result<(), JsValue>;

    /// Starts to write to the body.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn write(this: &LiveIo, bytes: &[u8], buffer_bytes: f64, wait_ms: f64) -> Result<(), JsValue>;

    /// Starts to pipe the socket into the body.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn pipe(
        this: &LiveIo,
        prefix: &[u8],
        header_length: u32,
        buffer_bytes: f64,
        wait_ms: f64,
    ) -> Result<(), JsValue>;

    /// Starts to wait.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn sleep(this: &LiveIo, ms: f64) -> Result<(), JsValue>;

    /// How the last operation ended.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn outcome(this: &LiveIo) -> Result<u32, JsValue>;

    /// The status of an answer.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn status(this: &LiveIo) -> Result<u16, JsValue>;

    /// The fields of an answer; the exception of a failure.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn fields(this: &LiveIo) -> Result<String, JsValue>;

    /// The body of an answer; a message.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn bytes(this: &LiveIo) -> Result<Vec<u8>, JsValue>;

    /// The header of the last message that the pipe has passed on; empty where it passed on none.
    #[wasm_bindgen(method, getter, catch)]
    pub(crate) fn header(this: &LiveIo) -> Result<Vec<u8>, JsValue>;

    /// Closes the socket.
    #[wasm_bindgen(method, catch, js_name = closeSocket)]
    pub(crate) fn close_socket(this: &LiveIo) -> Result<(), JsValue>;

    /// Ends the body, once what was written is taken.
    #[wasm_bindgen(method, catch, js_name = closeBody)]
    pub(crate) fn close_body(this: &LiveIo) -> Result<(), JsValue>;

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
