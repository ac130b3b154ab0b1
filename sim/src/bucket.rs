//! R2: one bucket for all objects of a world. On a good day: it answers at once and nothing fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::rc::Weak;

use bytes::Bytes;
use tailrace_core::runtime::{
    BATCH_LIMIT, KEY_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError,
};

use crate::reply::reply;
use crate::state::{Inner, ObjectState};

/// What the bucket holds.
#[derive(Default)]
pub(crate) struct Bucket(RefCell<BTreeMap<String, Stored>>);

struct Stored {
    body: Bytes,
    uploaded_ms: u64,
}

impl Bucket {
    fn put(&self, key: &str, body: Bytes, condition: PutCondition, now_ms: u64) -> PutOutcome {
        let mut objects = self.0.borrow_mut();
        if condition == PutCondition::Absent && objects.contains_key(key) {
            return PutOutcome::Refused;
        }
        objects.insert(key.to_owned(), Stored { body, uploaded_ms: now_ms });
        PutOutcome::Stored
    }

    fn get(&self, key: &str, range: Range<u64>) -> Option<Bytes> {
        let objects = self.0.borrow();
        let body = &objects.get(key)?.body;
        let end = body.len().min(range.end as usize);
        Some(body.slice((range.start as usize).min(end)..end))
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Listing {
        let objects = self.0.borrow();
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut found = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, stored)| Listed {
                key: key.clone(),
                bytes: stored.body.len() as u64,
                uploaded_ms: stored.uploaded_ms,
            });
        let page: Vec<_> = found.by_ref().take(limit.min(BATCH_LIMIT)).collect();
        Listing { objects: page, more: found.next().is_some() }
    }

    /// Every key with its length, in order.
    pub(crate) fn objects(&self) -> Vec<(String, u64)> {
        self.0.borrow().iter().map(|(key, stored)| (key.clone(), stored.body.len() as u64)).collect()
    }
}

/// The bucket as one instance of an object reaches it: what it changes waits at the output gate.
pub struct ObjectBucket(pub(crate) Weak<Inner>);

impl ObjectBucket {
    fn state(&self) -> Result<ObjectState, StoreError> {
        self.0.upgrade().map(ObjectState).ok_or_else(|| StoreError::NotApplied("the object is gone".into()))
    }

    /// Has `change` done once what the object wrote before is durable.
    async fn change<T: 'static>(&self, change: impl FnOnce(&ObjectState) -> T + 'static) -> Result<T, StoreError> {
        let state = self.state()?;
        let (sender, done) = reply();
        let inner = self.0.clone();
        state.put_out(move || {
            if let Some(inner) = inner.upgrade() {
                sender.send(change(&ObjectState(inner)));
            }
        });
        done.await.ok_or_else(|| StoreError::Unknown("the object is gone".into()))
    }
}

impl ObjectStore for ObjectBucket {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<PutOutcome, StoreError> {
        if key.len() > KEY_LIMIT {
            return Err(StoreError::NotApplied(format!("a key of {} bytes", key.len())));
        }
        let key = key.to_owned();
        self.change(move |state| {
            let environment = state.environment();
            environment.note(format_args!("bucket: put {key}, {} bytes", body.len()));
            environment.bucket.put(&key, body, condition, environment.now_ms())
        })
        .await
    }

    async fn get(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state()?.environment().bucket.get(key, range))
    }

    async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        if keys.len() > BATCH_LIMIT {
            return Err(StoreError::NotApplied(format!("{} keys at once", keys.len())));
        }
        let keys = keys.to_vec();
        self.change(move |state| {
            let environment = state.environment();
            for key in keys {
                environment.note(format_args!("bucket: delete {key}"));
                environment.bucket.0.borrow_mut().remove(&key);
            }
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Listing, StoreError> {
        Ok(self.state()?.environment().bucket.list(prefix, after, limit))
    }
}
