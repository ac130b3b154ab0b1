//! The bucket as one instance of an object reaches it. Like everything that leaves an object, puts and deletions wait
//! at the output gate. Once they have left, they are carried out whatever becomes of the instance.

use std::future::Future;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::runtime::{BATCH_LIMIT, KEY_LIMIT, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};

use super::service::{Bucket, Put};
use crate::bill::Cause;
use crate::kernel::reply::reply;
use crate::world::storage::outlet::Outlet;

/// The bucket as one instance reaches it.
pub struct ObjectBucket {
    bucket: Rc<Bucket>,
    outlet: Rc<Outlet>,
}

impl ObjectBucket {
    pub(crate) fn new(bucket: Rc<Bucket>, outlet: Rc<Outlet>) -> Self {
        Self { bucket, outlet }
    }

    /// The outcome of a call if it comes within its time. The call goes on.
    async fn within<T: 'static>(
        &self,
        limit_ms: u64,
        call: impl Future<Output = Option<Result<T, StoreError>>> + 'static,
    ) -> Result<T, StoreError> {
        match self.outlet.within(limit_ms, call).await {
            Some(outcome) => outcome.unwrap_or_else(lost),
            None => Err(StoreError::Unknown(format!("no answer within {limit_ms} ms"))),
        }
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    match key.len() {
        1..=KEY_LIMIT => Ok(()),
        bytes => Err(StoreError::NotApplied(format!("a key of {bytes} bytes"))),
    }
}

/// The outcome of a change whose reply never comes, because its instance has lost the storage or has ended.
fn lost<T>() -> Result<T, StoreError> {
    Err(StoreError::Unknown("the call was cut off".into()))
}

impl ObjectStore for ObjectBucket {
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: PutCondition,
        limit_ms: u64,
    ) -> Result<PutOutcome, StoreError> {
        check_key(key)?;
        let (sender, stored) = reply();
        let (bucket, node) = (self.bucket.clone(), self.outlet.environment.node.clone());
        let by = (self.outlet.name.clone(), Rc::downgrade(&self.outlet));
        let cause = self.outlet.spender.spends_on(Cause::Rotation);
        let put = Put { key: key.to_owned(), body, condition, by, cause };
        self.outlet.put_out(move || node.spawn(bucket.put(put, sender)));
        self.within(limit_ms, stored).await
    }

    async fn get(&self, key: &str, range: Range<u64>, limit_ms: u64) -> Result<Option<Bytes>, StoreError> {
        check_key(key)?;
        let (bucket, key, object) = (self.bucket.clone(), key.to_owned(), self.outlet.name.clone());
        let cause = self.outlet.spender.spending().cause;
        self.within(limit_ms, async move { Some(bucket.get(&key, range, (&object, cause)).await) }).await
    }

    async fn delete(&self, keys: &[String], limit_ms: u64) -> Result<(), StoreError> {
        if keys.len() > BATCH_LIMIT {
            return Err(StoreError::NotApplied(format!("{} keys at once", keys.len())));
        }
        let cause = self.outlet.spender.spends_on(Cause::Sweep);
        let (sender, deleted) = reply();
        let (bucket, node) = (self.bucket.clone(), self.outlet.environment.node.clone());
        let (keys, object) = (keys.to_vec(), self.outlet.name.clone());
        if !self.outlet.sql.journal().has_written() {
            self.bucket.note_unproven(&object);
        }
        self.outlet.put_out(move || node.spawn(bucket.delete(keys, (object, cause), sender)));
        self.within(limit_ms, deleted).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        limit_ms: u64,
    ) -> Result<Listing, StoreError> {
        let (bucket, object) = (self.bucket.clone(), self.outlet.name.clone());
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let cause = self.outlet.spender.spends_on(Cause::Sweep);
        let listing = async move { Some(bucket.list(&prefix, after.as_deref(), limit, (&object, cause)).await) };
        self.within(limit_ms, listing).await
    }
}
