//! An object's state as core sees it.

use std::rc::Rc;

use js_sys::Promise;
use tailrace_core::runtime::{ActorState, Isolate};
use wasm_bindgen_futures::JsFuture;

use crate::bucket::Bucket;
use crate::io::{ObjectIo, get_random_values, set_timeout, words};
use crate::sql::Storage;

/// Most bytes that the runtime fills at once (Web Cryptography, section 10.1.1).
const RANDOM_BYTES: usize = 65_536;

/// Clock, randomness, storage, bucket and alarm of one object.
#[derive(Clone)]
pub(crate) struct ObjectState(Rc<Shared>);

struct Shared {
    id: String,
    storage: Storage,
    bucket: Bucket,
}

impl ObjectState {
    /// The state behind `io`.
    pub(crate) fn new(io: ObjectIo) -> Self {
        let id = match io.id() {
            Ok(id) => id,
            // Without it the object would take another's segments for its own: the event ends here, with a 500.
            Err(exception) => panic!("no identity: {}", words(&exception)),
        };
        Self(Rc::new(Shared { id, storage: Storage::new(io.clone()), bucket: Bucket::new(io) }))
    }
}

impl Isolate for ObjectState {
    fn now_ms(&self) -> u64 {
        js_sys::Date::now() as u64
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(RANDOM_BYTES) {
            if let Err(exception) = get_random_values(chunk) {
                // Bytes that are not random must never become an identity: the request ends here, with a 500.
                panic!("no randomness: {}", words(&exception));
            }
        }
    }

    async fn sleep_ms(&self, ms: u64) {
        let promise = Promise::new(&mut |resolve, _| {
            if let Err(exception) = set_timeout(&resolve, ms as f64) {
                panic!("no timer: {}", words(&exception));
            }
        });
        // A timer has no way to fail.
        let _ = JsFuture::from(promise).await;
    }
}

impl ActorState for ObjectState {
    type Sql = Storage;
    type Bucket = Bucket;

    fn id(&self) -> &str {
        &self.0.id
    }

    fn sql(&self) -> &Storage {
        &self.0.storage
    }

    fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    fn set_alarm(&self, at_ms: u64) {
        self.0.storage.set_alarm(at_ms);
    }

    fn rows_written(&self) -> u64 {
        self.0.storage.rows_written()
    }
}
