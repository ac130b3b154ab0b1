//! One cache: answers under URLs. There are no tiers, requests that miss together are not collapsed, and nothing is
//! served stale (Cloudflare, "Cache API"). An answer comes back with the fields that it was stored with, and is kept by
//! the cache's own clock.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use tailrace_core::protocol::Response;

use super::admission::{Refused, lifetime_ms};

/// One cache. Its answers are responses, or something that has one: crowds share theirs.
#[derive(Debug)]
pub struct Store<A = Response> {
    /// The answers under each URL, in the order in which they can be seen: the last one that can counts.
    entries: BTreeMap<String, Vec<Entry<A>>>,
}

impl<A> Default for Store<A> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<A = Response> {
    /// As it was stored.
    pub answer: A,
    /// The number of the request that has stored it: it tells of which stream the bytes are, and when they were read.
    pub by: u64,
    /// From when on it can be seen, in ms since the Unix epoch.
    visible_ms: u64,
    /// Until when it is kept.
    ends_ms: u64,
}

/// What a look finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a, A = Response> {
    /// An answer.
    Entry(&'a Entry<A>),
    /// It was stored, and cannot be seen yet.
    NotVisibleYet,
    /// Its time was up.
    Ended,
    /// Neither.
    Nothing,
}

impl<A: Borrow<Response>> Store<A> {
    /// Stores the answer of that request; it can be seen so many ms later.
    pub fn put(&mut self, now_ms: u64, after_ms: u64, key: &str, answer: A, by: u64) -> Result<(), Refused> {
        let ends_ms = now_ms + lifetime_ms(answer.borrow())?;
        let entry = Entry { answer, by, visible_ms: now_ms + after_ms, ends_ms };
        let entries = match self.entries.get_mut(key) {
            Some(entries) => entries,
            None => self.entries.entry(key.to_owned()).or_default(),
        };
        forget_superseded(entries, now_ms);
        let place = entries.partition_point(|other| other.visible_ms <= entry.visible_ms);
        entries.insert(place, entry);
        Ok(())
    }

    /// What can be seen now.
    pub fn find(&mut self, now_ms: u64, key: &str) -> Found<'_, A> {
        let Some(entries) = self.entries.get_mut(key) else { return Found::Nothing };
        forget_superseded(entries, now_ms);
        match entries.first().map(|entry| (entry.visible_ms <= now_ms, entry.ends_ms > now_ms)) {
            None => Found::Nothing,
            Some((false, _)) => Found::NotVisibleYet,
            Some((true, false)) => {
                entries.remove(0);
                Found::Ended
            }
            Some((true, true)) => self.entries.get(key).map_or(Found::Nothing, |entries| Found::Entry(&entries[0])),
        }
    }

    /// The requests that have stored what can be seen now, by their numbers.
    pub fn held(&self, now_ms: u64) -> impl Iterator<Item = u64> {
        let seen = move |entry: &&Entry<A>| (entry.visible_ms..entry.ends_ms).contains(&now_ms);
        self.entries.values().filter_map(move |entries| Some(entries.iter().rfind(seen)?.by))
    }

    /// Removes what can be seen now; what cannot be seen yet comes all the same. Returns whether there was something.
    pub fn delete(&mut self, now_ms: u64, key: &str) -> bool {
        let Some(entries) = self.entries.get_mut(key) else { return false };
        let before = entries.len();
        entries.retain(|entry| entry.visible_ms > now_ms);
        entries.len() < before
    }

    /// Drops whatever nobody can be served any more, for those who look for many keys once.
    pub fn drop_ended(&mut self, now_ms: u64) {
        self.entries.retain(|_, entries| {
            forget_superseded(entries, now_ms);
            entries.retain(|entry| entry.ends_ms > now_ms);
            !entries.is_empty()
        });
    }
}

/// Of the answers that can be seen, only the last one counts.
fn forget_superseded<A>(entries: &mut Vec<Entry<A>>, now_ms: u64) {
    let seen = entries.partition_point(|entry| entry.visible_ms <= now_ms);
    entries.drain(..seen.saturating_sub(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static str, max_age_s: u64) -> Response {
        Response::new(200)
            .with("cache-control", format!("public, max-age={max_age_s}"))
            .with("x", "as stored")
            .with_body(body)
    }

    /// The body that can be seen, or why there is none.
    fn seen(store: &mut Store<Response>, now_ms: u64) -> String {
        match store.find(now_ms, "k") {
            Found::Entry(entry) => format!("{} by {}", String::from_utf8_lossy(&entry.answer.body), entry.by),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_seen_after_a_while_as_it_was_stored_until_its_time_is_up() {
        let mut store = Store::default();
        store.put(1_000, 7, "k", answer("a", 2), 5).expect("it may be stored");
        for (now_ms, expected) in [
            (1_000, "NotVisibleYet"),
            (1_006, "NotVisibleYet"),
            (1_007, "a by 5"),
            (2_999, "a by 5"),
            (3_000, "Ended"),
            (3_001, "Nothing"),
        ] {
            assert_eq!(seen(&mut store, now_ms), expected, "{now_ms}");
        }
        store.put(4_000, 0, "k", answer("b", 2), 6).expect("it may be stored");
        assert!(matches!(store.find(4_000, "k"), Found::Entry(entry) if entry.answer == answer("b", 2)));
        assert_eq!(store.find(4_000, "other"), Found::Nothing);
    }

    #[test]
    fn what_has_ended_is_dropped_and_the_rest_stays() {
        let mut store = Store::default();
        store.put(0, 5, "k", answer("a", 2), 1).expect("it may be stored");
        store.put(0, 5, "other", answer("b", 3), 2).expect("it may be stored");
        for (now_ms, expected) in [(1_999, 2), (2_000, 1), (3_000, 0)] {
            store.drop_ended(now_ms);
            assert_eq!(store.entries.len(), expected, "{now_ms}");
        }
    }

    #[test]
    fn a_later_answer_takes_the_place_of_an_earlier_one_once_it_can_be_seen() {
        let mut store = Store::default();
        store.put(0, 5, "k", answer("a", 60), 1).expect("it may be stored");
        store.put(10, 50, "k", answer("b", 60), 2).expect("it may be stored");
        store.put(20, 5, "k", answer("c", 60), 3).expect("it may be stored");
        let seen: Vec<String> = [12, 25, 59, 60].map(|now_ms| seen(&mut store, now_ms)).into();
        assert_eq!(seen, ["a by 1", "c by 3", "c by 3", "b by 2"]);
    }

    #[test]
    fn what_is_removed_is_gone_and_what_is_refused_was_never_there() {
        let mut store = Store::default();
        store.put(0, 0, "k", answer("a", 60), 1).expect("it may be stored");
        store.put(0, 9, "k", answer("b", 60), 2).expect("it may be stored");
        assert!(store.delete(1, "k"));
        assert!(!store.delete(1, "k"));
        assert_eq!([1, 9].map(|now_ms| seen(&mut store, now_ms)), ["NotVisibleYet", "b by 2"]);
        assert_eq!(store.put(10, 0, "k", answer("c", 0), 3), Err(Refused::NotToBeStored));
        assert_eq!(seen(&mut store, 20), "b by 2");
    }
}
