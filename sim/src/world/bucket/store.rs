//! The objects of a bucket. It is strongly consistent: every call sees all that was applied before it.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use bytes::Bytes;
use tailrace_core::runtime::{BATCH_LIMIT, Listed, Listing, PutCondition, PutOutcome};

/// An object of a bucket, as checkers and tests see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was stored, in ms since the Unix epoch.
    pub uploaded_ms: u64,
}

/// The objects of a bucket by their keys.
#[derive(Default)]
pub(super) struct Store {
    objects: BTreeMap<String, (Bytes, u64)>,
}

impl Store {
    pub(super) fn put(&mut self, key: &str, body: Bytes, condition: PutCondition, now_ms: u64) -> PutOutcome {
        if condition == PutCondition::Absent && self.objects.contains_key(key) {
            return PutOutcome::Refused;
        }
        self.objects.insert(key.to_owned(), (body, now_ms));
        PutOutcome::Stored
    }

    /// The bytes of an object in a range, as far as the object has them; `None` if there is no object.
    pub(super) fn get(&self, key: &str, range: Range<u64>) -> Option<Bytes> {
        let (body, _) = self.objects.get(key)?;
        let place = |at: u64| usize::try_from(at).map_or(body.len(), |at| at.min(body.len()));
        let (start, end) = (place(range.start), place(range.end));
        Some(body.slice(start..end.max(start)))
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Listing {
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut found = self.objects.range::<str, _>((start, Bound::Unbounded));
        let mut found = found.by_ref().take_while(|(key, _)| key.starts_with(prefix));
        let listed = |(key, (body, uploaded_ms)): (&String, &(Bytes, u64))| Listed {
            key: key.clone(),
            bytes: body.len() as u64,
            uploaded_ms: *uploaded_ms,
        };
        let objects = found.by_ref().take(limit.min(BATCH_LIMIT)).map(listed).collect();
        Listing { objects, more: found.next().is_some() }
    }

    /// The content under a key.
    pub(super) fn content(&self, key: &str) -> Option<Bytes> {
        self.objects.get(key).map(|(body, _)| body.clone())
    }

    /// Every object, in the order of the keys.
    pub(super) fn objects(&self) -> Vec<StoredObject> {
        let stored = |(key, (body, uploaded_ms)): (&String, &(Bytes, u64))| StoredObject {
            key: key.clone(),
            bytes: body.len() as u64,
            uploaded_ms: *uploaded_ms,
        };
        self.objects.iter().map(stored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of these keys, each with its own name as its body, stored one ms after the other.
    fn store(keys: &[&str]) -> Store {
        let mut store = Store::default();
        for (now_ms, key) in (1..).zip(keys) {
            let body = Bytes::copy_from_slice(key.as_bytes());
            assert_eq!(store.put(key, body, PutCondition::Absent, now_ms), PutOutcome::Stored);
        }
        store
    }

    #[test]
    fn the_last_writer_of_a_key_wins_and_a_condition_refuses() {
        let mut store = store(&["a"]);
        let mut put = |body: &'static str, condition| store.put("a", Bytes::from(body), condition, 9);
        assert_eq!(put("second", PutCondition::Absent), PutOutcome::Refused);
        assert_eq!(put("third", PutCondition::Always), PutOutcome::Stored);
        assert_eq!(store.get("a", 0..99), Some(Bytes::from("third")));
        assert_eq!(store.objects(), [StoredObject { key: "a".into(), bytes: 5, uploaded_ms: 9 }]);
        store.delete("a");
        store.delete("a");
        assert_eq!(store.get("a", 0..99), None);
    }

    #[test]
    fn a_range_is_what_there_is_of_it() {
        let store = store(&["0123456789"]);
        for (range, expected) in
            [(0..10, "0123456789"), (3..5, "34"), (8..99, "89"), (10..12, ""), (99..u64::MAX, ""), (4..4, "")]
        {
            assert_eq!(store.get("0123456789", range.clone()), Some(Bytes::from(expected)), "{range:?}");
        }
    }

    #[test]
    fn a_listing_comes_in_pages_that_go_on_after_a_key() {
        let store = store(&["b/2", "a/1", "b/1", "b/3", "c/1", "b"]);
        for (prefix, after, limit, expected, more) in [
            ("b/", None, 9, &["b/1", "b/2", "b/3"][..], false),
            ("b/", None, 2, &["b/1", "b/2"], true),
            ("b/", Some("b/2"), 2, &["b/3"], false),
            ("b/", Some("b/17"), 1, &["b/2"], true),
            ("b/", Some("a"), 3, &["b/1", "b/2", "b/3"], false),
            ("b/", Some("c"), 3, &[], false),
            ("b/", None, 0, &[], true),
            ("", None, 99, &["a/1", "b", "b/1", "b/2", "b/3", "c/1"], false),
        ] {
            let listing = store.list(prefix, after, limit);
            let keys: Vec<&str> = listing.objects.iter().map(|object| object.key.as_str()).collect();
            assert_eq!((&keys[..], listing.more), (expected, more), "{prefix} after {after:?}, {limit} at most");
        }
        assert_eq!(store.list("b/2", None, 1).objects[0].uploaded_ms, 1);
    }
}
