//! The puts of each key, in the order in which they were applied. The last one wins.

use std::collections::BTreeMap;
use std::ops::Bound;

use tailrace_core::runtime::{KvKey, KvListing};

/// What the cursor of a page begins with; the rest is the last key of the page before. Core must not know.
const CURSOR: &str = "after ";

/// A put that was applied, as checkers and tests see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvPut {
    /// The text.
    pub text: String,
    /// What listings tell with its key.
    pub note: String,
    /// When it left who put it, in ms since the Unix epoch.
    pub sent_ms: u64,
    /// When it was applied, in ms since the Unix epoch.
    pub applied_ms: u64,
    /// Whether its caller is told that it has failed.
    pub seems_failed: bool,
}

/// The puts by their keys.
#[derive(Default)]
pub(super) struct Store {
    puts: BTreeMap<String, Vec<KvPut>>,
}

impl Store {
    /// Applies a put, after all others.
    pub(super) fn apply(&mut self, key: &str, put: KvPut) {
        let puts = self.puts.entry(key.to_owned()).or_default();
        debug_assert!(puts.last().is_none_or(|last| last.applied_ms <= put.applied_ms), "time went back");
        puts.push(put);
    }

    /// Has it hold a text that was put before anything else, at that time.
    pub(super) fn prepare(&mut self, key: &str, text: &str, applied_ms: u64) {
        let (text, note, seems_failed) = (text.to_owned(), String::new(), false);
        self.apply(key, KvPut { text, note, sent_ms: applied_ms, applied_ms, seems_failed });
    }

    /// All puts of a key.
    pub(super) fn puts(&self, key: &str) -> &[KvPut] {
        self.puts.get(key).map_or(&[], Vec::as_slice)
    }

    /// How many puts of a key had been applied at that time.
    pub(super) fn count(&self, key: &str, at_ms: u64) -> usize {
        count(self.puts(key), at_ms)
    }

    /// At most so many keys as they were at that time, from where an earlier page has said that the next one begins;
    /// `None` if no page can have said so.
    pub(super) fn list(&self, from: Option<&str>, limit: usize, at_ms: u64) -> Option<KvListing> {
        let start = match from {
            Some(from) => Bound::Excluded(from.strip_prefix(CURSOR)?),
            None => Bound::Unbounded,
        };
        let there = |(name, puts): (&String, &Vec<KvPut>)| {
            let last = puts[..count(puts, at_ms)].last()?;
            Some(KvKey { name: name.clone(), note: last.note.clone() })
        };
        let mut found = self.puts.range::<str, _>((start, Bound::Unbounded)).filter_map(there);
        let keys: Vec<KvKey> = found.by_ref().take(limit).collect();
        let last = keys.last().filter(|_| found.next().is_some());
        let next = last.map(|key| format!("{CURSOR}{}", key.name));
        Some(KvListing { keys, next })
    }

    /// Each key with its last put, in the order of the keys.
    pub(super) fn newest(&self) -> Vec<(String, KvPut)> {
        let newest = self.puts.iter().filter_map(|(key, puts)| Some((key.clone(), puts.last()?.clone())));
        newest.collect()
    }
}

fn count(puts: &[KvPut], at_ms: u64) -> usize {
    puts.partition_point(|put| put.applied_ms <= at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of these keys, each put at its time with that text, which is its note as well.
    fn store(puts: &[(&str, u64, &str)]) -> Store {
        let mut store = Store::default();
        for (key, applied_ms, text) in puts.iter().copied() {
            let (text, note) = (text.to_owned(), text.to_owned());
            store.apply(key, KvPut { text, note, sent_ms: 0, applied_ms, seems_failed: false });
        }
        store
    }

    #[test]
    fn a_key_is_as_the_last_put_until_then_has_left_it() {
        let store = store(&[("a", 5, "1"), ("b", 6, "x"), ("a", 9, "2"), ("a", 9, "3")]);
        for (at_ms, expected) in [(4, None), (5, Some("1")), (8, Some("1")), (9, Some("3")), (u64::MAX, Some("3"))] {
            let puts = &store.puts("a")[..store.count("a", at_ms)];
            assert_eq!(puts.last().map(|put| put.text.as_str()), expected, "at {at_ms}");
        }
        assert_eq!(store.count("c", u64::MAX), 0);
        let newest: Vec<(String, String)> = store.newest().into_iter().map(|(key, put)| (key, put.text)).collect();
        assert_eq!(newest, [("a".to_owned(), "3".to_owned()), ("b".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn a_listing_comes_in_pages_in_the_order_of_bytes_as_it_was_at_a_time() {
        let store = store(&[("b", 1, "old"), ("a", 2, "n"), ("B", 3, "n"), ("ä", 4, "n"), ("b", 5, "new")]);
        for (from, limit, at_ms, expected, next) in [
            (None, 9, 9, "B:n a:n b:new ä:n", None),
            (None, 4, 9, "B:n a:n b:new ä:n", None),
            (None, 9, 4, "B:n a:n b:old ä:n", None),
            (None, 9, 2, "a:n b:old", None),
            (None, 9, 0, "", None),
            (None, 3, 9, "B:n a:n b:new", Some("after b")),
            (Some("after b"), 3, 9, "ä:n", None),
            (Some("after b"), 3, 3, "", None),
            (Some("after aa"), 1, 9, "b:new", Some("after b")),
            // What follows is not there yet.
            (None, 2, 2, "a:n b:old", None),
        ] {
            let listing = store.list(from, limit, at_ms).expect("a cursor that a page has told");
            let keys: Vec<String> = listing.keys.iter().map(|key| format!("{}:{}", key.name, key.note)).collect();
            let told = (keys.join(" "), listing.next.as_deref());
            assert_eq!(told, (expected.to_owned(), next), "{limit} from {from:?} at {at_ms}");
        }
        assert_eq!(store.list(Some("b"), 9, 9), None, "no page has said so");
    }
}
