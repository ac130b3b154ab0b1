//! An object's state as core sees it.

use std::rc::Rc;

use tailrace_core::runtime::{ActorState, Isolate};

use crate::io::{ObjectIo, get_random_values, words};
use crate::sql::Storage;

/// Most bytes that the runtime fills at once (Web Cryptography, section 10.1.1).
const RANDOM_BYTES: usize = 65_536;

/// Clock, randomness, storage and alarm of one object.
#[derive(Clone)]
pub(crate) struct ObjectState(Rc<Storage>);

impl ObjectState {
    /// The state behind `io`.
    pub(crate) fn new(io: ObjectIo) -> Self {
        Self(Rc::new(Storage::new(io)))
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
}

impl ActorState for ObjectState {
    type Sql = Storage;

    fn sql(&self) -> &Storage {
        &self.0
    }

    fn set_alarm(&self, at_ms: u64) {
        self.0.set_alarm(at_ms);
    }

    fn rows_written(&self) -> u64 {
        self.0.rows_written()
    }
}
