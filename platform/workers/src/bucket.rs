//! The bucket: R2. A call crosses into JavaScript once, and its bytes with it.

use std::ops::Range;

use bytes::Bytes;
use js_sys::{Promise, Uint8Array};
use tailrace_core::runtime::{BATCH_LIMIT, Listed, Listing, ObjectStore, PutCondition, PutOutcome, StoreError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::io::{ObjectIo, words};

/// The deployment's bucket as one object reaches it.
pub(crate) struct Bucket {
    io: ObjectIo,
}

impl Bucket {
    /// The bucket that `io` reaches.
    pub(crate) fn new(io: ObjectIo) -> Self {
        Self { io }
    }
}

/// Waits for a call; JavaScript has it fail when its time is up. If the promise fails, nobody knows whether a change
/// was applied.
async fn settled(call: Result<Promise, JsValue>) -> Result<JsValue, StoreError> {
    let promise = call.map_err(|exception| StoreError::NotApplied(words(&exception)))?;
    JsFuture::from(promise).await.map_err(|exception| StoreError::Unknown(words(&exception)))
}

impl ObjectStore for Bucket {
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: PutCondition,
        limit_ms: u64,
    ) -> Result<PutOutcome, StoreError> {
        let stored = settled(self.io.put(key, &body, condition == PutCondition::Absent, limit_ms as f64)).await?;
        Ok(if stored.is_truthy() { PutOutcome::Stored } else { PutOutcome::Refused })
    }

    async fn get(&self, key: &str, range: Range<u64>, limit_ms: u64) -> Result<Option<Bytes>, StoreError> {
        let length = range.end.saturating_sub(range.start);
        let found = settled(self.io.get(key, range.start as f64, length as f64, limit_ms as f64)).await?;
        Ok(found.dyn_ref::<Uint8Array>().map(|bytes| Bytes::from(bytes.to_vec())))
    }

    async fn delete(&self, keys: &[String], limit_ms: u64) -> Result<(), StoreError> {
        let lines: String = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
        settled(self.io.delete(&lines, limit_ms as f64)).await.map(drop)
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        limit_ms: u64,
    ) -> Result<Listing, StoreError> {
        let (after, limit) = (after.unwrap_or_default(), limit.min(BATCH_LIMIT) as u32);
        let text = settled(self.io.list(prefix, after, limit, limit_ms as f64)).await?;
        let listing = text.as_string().as_deref().and_then(read);
        listing.ok_or_else(|| StoreError::NotApplied("the listing is malformed".to_owned()))
    }
}

/// A listing from its text.
fn read(text: &str) -> Option<Listing> {
    let mut lines = text.split_terminator('\n');
    let more = lines.next()? == "1";
    let mut objects = Vec::new();
    while let Some(key) = lines.next() {
        let (bytes, uploaded_ms) = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
        objects.push(Listed { key: key.to_owned(), bytes, uploaded_ms });
    }
    Some(Listing { objects, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_whole_or_not_at_all() {
        let object = Listed { key: "a/b".into(), bytes: 7, uploaded_ms: 1_767_225_600_000 };
        for (text, expected) in [
            ("0\n", Some(Listing::default())),
            ("1\n", Some(Listing { objects: Vec::new(), more: true })),
            ("0\na/b\n7\n1767225600000\n", Some(Listing { objects: vec![object], more: false })),
            ("0\na/b\n7\n", None),
            ("0\na/b\nseven\n1767225600000\n", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
