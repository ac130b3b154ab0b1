//! KV for tests of objects: it does what they say.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use tailrace_core::runtime::{KvError, KvStore};

/// What KV does with calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Does {
    /// It does what it is asked.
    #[default]
    Works,
    /// It fails them.
    Fails,
    /// It does what it is asked, and says that it has failed.
    FailsThoughDone,
    /// It answers none, as long as it is in this state.
    Silent,
}

/// What it has, and what it was asked.
#[derive(Default)]
pub(crate) struct Kv {
    pub(crate) does: Cell<Does>,
    /// The calls so far: `get` or `put`, with the key.
    pub(crate) calls: RefCell<Vec<String>>,
    /// The texts by their keys, each with its note.
    pub(crate) texts: RefCell<BTreeMap<String, (String, String)>>,
}

impl Kv {
    async fn call<T>(&self, name: String, work: impl FnOnce() -> T) -> Result<T, KvError> {
        self.calls.borrow_mut().push(name);
        poll_fn(|_| if self.does.get() == Does::Silent { Poll::Pending } else { Poll::Ready(()) }).await;
        match self.does.get() {
            Does::Works => Ok(work()),
            Does::FailsThoughDone => {
                work();
                Err(KvError("it fails".to_owned()))
            }
            Does::Fails | Does::Silent => Err(KvError("it fails".to_owned())),
        }
    }
}

impl KvStore for Kv {
    async fn get(&self, key: &str, _limit_ms: u64) -> Result<Option<String>, KvError> {
        let get = || self.texts.borrow().get(key).map(|(text, _)| text.clone());
        self.call(format!("get {key}"), get).await
    }

    async fn put(&self, key: &str, text: &str, note: &str, _limit_ms: u64) -> Result<(), KvError> {
        let put = || self.texts.borrow_mut().insert(key.to_owned(), (text.to_owned(), note.to_owned()));
        self.call(format!("put {key}"), put).await.map(drop)
    }
}
