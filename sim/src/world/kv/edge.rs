//! KV as one request at the edge reaches it. A call that has begun goes on whatever becomes of the request.

use std::future::Future;
use std::rc::Rc;

use tailrace_core::runtime::{KvError, KvListing, KvView};

use super::caller::{Caller, Outcome, Who, check_key, check_put};
use super::service::{Kv, Put};
use crate::bill::Cause;
use crate::kernel::reply::reply;
use crate::kernel::rt;
use crate::world::edge::context::Context;

/// KV as one request reaches it.
pub struct EdgeKv {
    kv: Rc<Kv>,
    context: Rc<Context>,
    caller: Caller,
}

impl EdgeKv {
    /// From the datacenter of that index.
    pub(crate) fn new(kv: Rc<Kv>, context: Rc<Context>, colo: usize, cause: Cause) -> Self {
        let caller = Caller { who: Who::Request(context.number()), colo, cause };
        Self { kv, context, caller }
    }

    /// Stores a text under a key, with a note. Core's edge has no use for it.
    pub async fn put(&self, key: &str, text: &str, note: &str, limit_ms: u64) -> Result<(), KvError> {
        check_put(key, text, note)?;
        self.call(limit_ms, self.kv.clone().put(self.caller.clone(), Put::new(key, text, note))).await
    }

    /// What comes of a call within its time.
    async fn call<T: 'static>(
        &self,
        limit_ms: u64,
        call: impl Future<Output = Outcome<T>> + 'static,
    ) -> Result<T, KvError> {
        if !self.context.admits() {
            return foreign();
        }
        let environment = self.context.environment();
        let (sender, told) = reply();
        environment.node.spawn(async move { sender.send(call.await) });
        match self.context.guard(rt::within_ms(limit_ms, told)).await {
            Some(told) => self.caller.hear(environment, told.flatten()),
            None => foreign(),
        }
    }
}

fn foreign<T>() -> Result<T, KvError> {
    Err(KvError("the call belongs to another request".to_owned()))
}

impl KvView for EdgeKv {
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError> {
        check_key(key)?;
        self.call(limit_ms, self.kv.clone().get(self.caller.clone(), key.to_owned())).await
    }

    async fn list(&self, from: Option<&str>, limit_ms: u64) -> Result<KvListing, KvError> {
        self.call(limit_ms, self.kv.clone().list(self.caller.clone(), from.map(str::to_owned))).await
    }
}
