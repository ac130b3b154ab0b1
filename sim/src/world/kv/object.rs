//! KV as one instance of an object reaches it. Like everything that leaves an object, puts wait at the output gate. Once
//! they have left, they are carried out whatever becomes of the instance.

use std::future::Future;
use std::rc::Rc;

use tailrace_core::runtime::{KvError, KvListing, KvStore};

use super::caller::{Caller, Outcome, Who, check_key, check_put};
use super::service::{Kv, Put};
use crate::kernel::reply::reply;
use crate::world::storage::outlet::Outlet;

/// KV as one instance reaches it.
pub struct ObjectKv {
    kv: Rc<Kv>,
    outlet: Rc<Outlet>,
}

impl ObjectKv {
    pub(crate) fn new(kv: Rc<Kv>, outlet: Rc<Outlet>) -> Self {
        Self { kv, outlet }
    }

    /// Lists keys. Core's objects have no use for it.
    pub async fn list(&self, from: Option<&str>, limit_ms: u64) -> Result<KvListing, KvError> {
        let caller = self.caller();
        let list = self.kv.clone().list(caller.clone(), from.map(str::to_owned));
        self.within(&caller, limit_ms, async move { Some(list.await) }).await
    }

    /// The object, which calls for what it works for now.
    fn caller(&self) -> Caller {
        let Outlet { name, environment, spender, .. } = &*self.outlet;
        let (colo, cause) = (environment.colo_of(name, 0), spender.spending().cause);
        Caller { who: Who::Object(name.clone()), colo, cause }
    }

    /// What comes of a call within its time; the call says nothing if its instance has ended or has lost the storage.
    async fn within<T: 'static>(
        &self,
        caller: &Caller,
        limit_ms: u64,
        call: impl Future<Output = Option<Outcome<T>>> + 'static,
    ) -> Result<T, KvError> {
        match self.outlet.within(limit_ms, call).await {
            Some(None) => Err(KvError("the call was cut off".to_owned())),
            told => caller.hear(&self.outlet.environment, told.flatten()),
        }
    }
}

impl KvStore for ObjectKv {
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError> {
        check_key(key)?;
        let caller = self.caller();
        let get = self.kv.clone().get(caller.clone(), key.to_owned());
        self.within(&caller, limit_ms, async move { Some(get.await) }).await
    }

    async fn put(&self, key: &str, text: &str, note: &str, limit_ms: u64) -> Result<(), KvError> {
        check_put(key, text, note)?;
        let caller = self.caller();
        let (sender, told) = reply();
        let put = self.kv.clone().put(caller.clone(), Put::new(key, text, note));
        let node = self.outlet.environment.node.clone();
        self.outlet.put_out(move || node.spawn(async move { sender.send(put.await) }));
        self.within(&caller, limit_ms, told).await
    }
}
