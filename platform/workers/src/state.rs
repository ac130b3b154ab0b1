//! An object's state as core sees it: clock, randomness, storage, alarm and sockets.

use std::rc::Rc;

use bytes::Bytes;
use js_sys::Promise;
use tailrace_core::protocol::Class;
use tailrace_core::runtime::{ActorState, After, HibernatingSocket, Isolate, SocketState};
use tailrace_core::storage::SqlError;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::bucket::Bucket;
use crate::io::{ObjectIo, WebSocket, clear_timeout, get_random_values, set_timeout, words};
use crate::kv::Kv;
use crate::sql::Storage;

/// The most bytes that the runtime fills at once (Web Cryptography, section 10.1.1).
const RANDOM_BYTES: usize = 65_536;

/// Clock, randomness, storage, bucket, alarm and sockets of one object.
#[derive(Clone)]
pub(crate) struct ObjectState(Rc<Shared>);

struct Shared {
    class: Class,
    id: String,
    io: ObjectIo,
    storage: Storage,
    bucket: Bucket,
    kv: Kv,
}

impl ObjectState {
    /// The state that `io` reaches.
    pub(crate) fn new(io: ObjectIo, class: Class) -> Self {
        let id = match io.id() {
            Ok(id) => id,
            // Without its identity the object might take another's segments for its own. The instance is
            // lost by this.
            Err(exception) => panic!("no identity: {}", words(&exception)),
        };
        let (storage, bucket, kv) = (Storage::new(io.clone()), Bucket::new(io.clone()), Kv::new(io.clone()));
        Self(Rc::new(Shared { class, id, io, storage, bucket, kv }))
    }
}

impl Isolate for ObjectState {
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        fill_random(bytes);
    }

    async fn sleep_ms(&self, ms: u64) {
        let mut timer = Timer(JsValue::UNDEFINED);
        let promise = Promise::new(&mut |resolve, _| match set_timeout(&resolve, ms as f64) {
            Ok(handle) => timer.0 = handle,
            Err(exception) => panic!("no timer: {}", words(&exception)),
        });
        // A timer has no way to fail.
        let _ = JsFuture::from(promise).await;
    }
}

/// A timer that is cancelled when nobody waits for it any more. One that is left would keep the object in memory.
struct Timer(JsValue);

impl Drop for Timer {
    fn drop(&mut self) {
        if let Err(exception) = clear_timeout(&self.0) {
            tracing::warn!(message = words(&exception), "a timer was not cancelled");
        }
    }
}

/// Fills `bytes` with the runtime's cryptographic randomness.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(RANDOM_BYTES) {
        if let Err(exception) = get_random_values(chunk) {
            // Bytes that are not random must never become an identity. The instance is lost by this.
            panic!("no randomness: {}", words(&exception));
        }
    }
}

impl ActorState for ObjectState {
    type Sql = Storage;
    type Bucket = Bucket;
    type Kv = Kv;

    fn class(&self) -> Class {
        self.0.class
    }

    fn id(&self) -> &str {
        &self.0.id
    }

    fn sql(&self) -> &Storage {
        &self.0.storage
    }

    fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    fn kv(&self) -> &Kv {
        &self.0.kv
    }

    fn set_alarm(&self, at_ms: u64) -> Result<(), SqlError> {
        #[cfg(feature = "faults")]
        let at_ms = crate::fault::alarm_ms(at_ms);
        self.0.io.set_alarm(at_ms as f64).map_err(|exception| SqlError::new(format!("alarm: {}", words(&exception))))
    }

    fn rows_written(&self) -> u64 {
        self.0.storage.rows_written()
    }

    fn rows_read(&self) -> Option<u64> {
        self.0.storage.rows_read()
    }
}

impl SocketState for ObjectState {
    type Socket = ObjectSocket;

    fn has_sockets(&self) -> bool {
        // If JavaScript fails to tell, there may be some. If there are none, a message is encoded for nobody.
        self.0.io.has_sockets().unwrap_or(true)
    }

    fn sockets(&self, tag: &str) -> Vec<ObjectSocket> {
        let listed = self.0.io.sockets(tag).unwrap_or_else(|exception| {
            tracing::error!(message = words(&exception), "the sockets were not listed");
            js_sys::Array::new()
        });
        listed.iter().map(|socket| ObjectSocket { state: self.clone(), socket: socket.unchecked_into() }).collect()
    }

    fn broadcast(&self, tag: &str, message: Bytes, after: After, most_bytes: usize) -> usize {
        let sent = self.0.io.broadcast(tag, &message, after == After::Close, most_bytes as f64);
        sent.unwrap_or_else(|exception| {
            tracing::error!(message = words(&exception), "a message was not sent");
            // Readers that did not get it must not wait for the next one: their sockets are closed, and they come back.
            if let Err(exception) = self.0.io.cut() {
                tracing::error!(message = words(&exception), "the sockets were not closed");
            }
            0
        }) as usize
    }
}

/// The object's end of one socket.
#[derive(Clone)]
pub(crate) struct ObjectSocket {
    state: ObjectState,
    socket: WebSocket,
}

impl HibernatingSocket for ObjectSocket {
    fn send(&self, message: Bytes) {
        if let Err(exception) = self.state.0.io.send(&self.socket, &message) {
            tracing::warn!(message = words(&exception), "a socket has not taken a message");
        }
    }

    fn close(&self) {
        if let Err(exception) = self.state.0.io.close(&self.socket) {
            tracing::warn!(message = words(&exception), "a socket was not closed");
        }
    }

    fn attachment(&self) -> Bytes {
        self.state.0.io.attachment(&self.socket).map(Bytes::from).unwrap_or_default()
    }
}
