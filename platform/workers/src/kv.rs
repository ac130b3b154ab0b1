//! KV, as objects reach it.

use js_sys::Promise;
use tailrace_core::runtime::{KvError, KvStore};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::io::{ObjectIo, words};

/// The deployment's namespace as one object reaches it.
pub(crate) struct Kv {
    io: ObjectIo,
}

impl Kv {
    /// The namespace that `io` reaches.
    pub(crate) fn new(io: ObjectIo) -> Self {
        Self { io }
    }
}

/// Waits for a call; JavaScript has it fail when its time is up.
async fn settled(call: Result<Promise, JsValue>) -> Result<JsValue, KvError> {
    let failed = |exception: JsValue| KvError(words(&exception));
    JsFuture::from(call.map_err(failed)?).await.map_err(failed)
}

impl KvStore for Kv {
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError> {
        Ok(settled(self.io.read_kv(key, limit_ms as f64)).await?.as_string())
    }

    async fn put(&self, key: &str, text: &str, note: &str, limit_ms: u64) -> Result<(), KvError> {
        settled(self.io.put_kv(key, text, note, limit_ms as f64)).await.map(drop)
    }
}
