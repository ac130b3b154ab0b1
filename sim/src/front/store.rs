//! What a cache node keeps: answers under keys, each with what the fields were by which it varies.

use std::collections::BTreeMap;

use super::asking::Fields;
use super::freshness::{Lifetime, SECOND_US};
use super::head::{Head, Vary};

/// From that many entries on, those are removed from time to time that nobody can be served any more.
const SWEPT_FROM: usize = 4_096;
/// How long an answer is kept for its tag after its time was up, in us: an hour (assumed; caches evict as they need room).
const KEPT_FOR_TAG_US: u64 = 3_600 * SECOND_US;

/// What a node keeps.
#[derive(Debug)]
pub(super) struct Store<K, A> {
    entries: BTreeMap<K, Vec<Entry<A>>>,
    /// How many keys there may be before it is swept.
    room: usize,
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry<A> {
    pub(super) answer: A,
    pub(super) head: Head,
    /// The number of the request that has brought it.
    pub(super) by: u64,
    /// When it was given, in us.
    pub(super) given_us: u64,
    pub(super) lifetime: Lifetime,
    /// The values that the request had of the fields by which it varies, if these count.
    pub(super) selected_by: Option<Fields>,
    /// The fetch that freshens it while it is served stale, and since when.
    pub(super) refresh: Option<(u64, u64)>,
    /// The fetch that still brings it.
    pub(super) coming: Option<u64>,
}

/// What a look finds of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    /// It may be served while it is fetched again.
    Stale,
    /// It has to be asked for by its tag.
    Ended,
}

impl<A> Entry<A> {
    pub(super) fn age_us(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.given_us)
    }

    pub(super) fn state(&self, now_us: u64) -> State {
        let age_us = self.age_us(now_us);
        match self.lifetime {
            Lifetime { fresh_us, .. } if age_us < fresh_us => State::Fresh,
            Lifetime { fresh_us, stale_us } if age_us < fresh_us.saturating_add(stale_us) => State::Stale,
            _ => State::Ended,
        }
    }

    fn is_selected(&self, fields: &Option<Fields>) -> bool {
        self.selected_by.as_ref().is_none_or(|selected| {
            selected
                .iter()
                .all(|(name, value)| value_of(fields, name) == Some(&**value).filter(|value| !value.is_empty()))
        })
    }

    fn is_of_use(&self, now_us: u64) -> bool {
        let Lifetime { fresh_us, stale_us } = self.lifetime;
        let tag_us = if self.head.tag.is_some() { KEPT_FOR_TAG_US } else { 0 };
        self.age_us(now_us) < fresh_us.saturating_add(stale_us).saturating_add(tag_us)
    }
}

/// The value of a field of a request; `None` if it is empty or not there.
fn value_of<'a>(fields: &'a Option<Fields>, name: &str) -> Option<&'a str> {
    let (_, value) = fields.as_ref()?.iter().find(|(other, _)| &**other == name)?;
    Some(&**value).filter(|value| !value.is_empty())
}

/// What a request's fields were by which an answer varies, if these count.
pub(super) fn selection(vary: &Vary, fields: &Option<Fields>, honours_vary: bool) -> Option<Fields> {
    match vary {
        Vary::Fields(names) if honours_vary => {
            Some(names.iter().map(|name| (name.clone(), value_of(fields, name).unwrap_or_default().into())).collect())
        }
        _ => None,
    }
}

impl<K: Ord + Clone, A> Store<K, A> {
    pub(super) fn new() -> Self {
        Self { entries: BTreeMap::new(), room: SWEPT_FROM }
    }

    /// What is kept under the key for a request with these fields.
    pub(super) fn find(&mut self, key: &K, fields: &Option<Fields>) -> Option<&mut Entry<A>> {
        self.entries.get_mut(key)?.iter_mut().find(|entry| entry.is_selected(fields))
    }

    /// Keeps an answer, instead of what is kept for such requests.
    pub(super) fn put(&mut self, now_us: u64, key: &K, fields: &Option<Fields>, entry: Entry<A>) {
        if self.entries.len() >= self.room {
            self.entries.retain(|_, entries| {
                entries.retain(|entry| entry.is_of_use(now_us));
                !entries.is_empty()
            });
            self.room = (2 * self.entries.len()).max(SWEPT_FROM);
        }
        let entries = self.entries.entry(key.clone()).or_default();
        // The newest is looked at first.
        entries.retain(|other| !other.is_selected(fields));
        entries.insert(0, entry);
    }

    /// Removes what is kept for such requests.
    pub(super) fn remove(&mut self, key: &K, fields: &Option<Fields>) {
        self.retain(key, |entry| !entry.is_selected(fields));
    }

    /// That fetch freshens nothing any more.
    pub(super) fn end_refresh(&mut self, key: &K, fields: &Option<Fields>, fetch: u64) {
        if let Some(entry) = self.find(key, fields)
            && entry.refresh.is_some_and(|(refresh, _)| refresh == fetch)
        {
            entry.refresh = None;
        }
    }

    /// The fetch brings its answer no longer: it is whole, or it broke off and is gone.
    pub(super) fn ended(&mut self, key: &K, fetch: u64, is_whole: bool) {
        self.retain(key, |entry| {
            let is_its = entry.coming == Some(fetch);
            if is_its {
                entry.coming = None;
            }
            !is_its || is_whole
        });
    }

    fn retain(&mut self, key: &K, keeps: impl FnMut(&mut Entry<A>) -> bool) {
        if let Some(entries) = self.entries.get_mut(key) {
            entries.retain_mut(keeps);
            if entries.is_empty() {
                self.entries.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(answer: &'static str, control: &str, given_us: u64, selected_by: Option<Fields>) -> Entry<&'static str> {
        let head = Head::new(200, control);
        let us = |seconds: Option<u64>| seconds.unwrap_or(0) * SECOND_US;
        let lifetime = Lifetime { fresh_us: us(head.control.max_age_s), stale_us: us(Some(head.control.stale_s)) };
        Entry { answer, head, by: 1, given_us, lifetime, selected_by, refresh: None, coming: None }
    }

    fn fields(name: &str, value: &str) -> Option<Fields> {
        Some([(name.into(), value.into())].into())
    }

    #[test]
    fn an_answer_is_fresh_then_stale_and_then_ended() {
        let entry = entry("a", "max-age=2, stale-while-revalidate=3", SECOND_US, None);
        for (now_us, expected) in [
            (0, State::Fresh),
            (3 * SECOND_US - 1, State::Fresh),
            (3 * SECOND_US, State::Stale),
            (6 * SECOND_US - 1, State::Stale),
            (6 * SECOND_US, State::Ended),
        ] {
            assert_eq!(entry.state(now_us), expected, "{now_us}");
        }
    }

    #[test]
    fn fields_select_among_answers_if_the_cache_honours_them() {
        let (vary, german, none) = (Vary::parse("accept-language"), fields("accept-language", "de"), None);
        for (honours_vary, expected) in [(true, [Some("g"), Some("n"), None]), (false, [Some("n"); 3])] {
            let mut store = Store::new();
            for (answer, asked) in [("g", &german), ("n", &none)] {
                let selected_by = selection(&vary, asked, honours_vary);
                store.put(0, &"k", asked, entry(answer, "max-age=9", 0, selected_by));
            }
            let other = fields("accept-language", "fr");
            let found = [&german, &none, &other].map(|asked| store.find(&"k", asked).map(|entry| entry.answer));
            assert_eq!(found, expected, "{honours_vary}");
        }
    }

    #[test]
    fn what_nobody_can_be_served_any_more_is_swept() {
        let mut store = Store::new();
        for key in 0..SWEPT_FROM as u64 {
            store.put(0, &key, &None, entry("a", "max-age=1", 0, None));
        }
        store.put(SECOND_US, &9_999_999, &None, entry("b", "max-age=1", SECOND_US, None));
        assert_eq!(store.entries.len(), 1);
    }

    #[test]
    fn what_broke_off_while_it_came_is_kept_no_longer() {
        for (is_whole, expected) in [(true, Some("a")), (false, None)] {
            let mut store = Store::new();
            store.put(0, &"k", &None, Entry { coming: Some(7), ..entry("a", "max-age=9", 0, None) });
            store.ended(&"k", 8, false);
            store.ended(&"k", 7, is_whole);
            assert_eq!(store.find(&"k", &None).map(|entry| entry.answer), expected, "{is_whole}");
        }
    }
}
