//! Keys that are remembered as uncacheable: for those, a cache neither looks anything up nor takes a lock, since all who
//! waited would have waited for nothing. A key is forgotten again once its answer may be kept, and when there is no room
//! for it: the one goes that was remembered longest ago (Pingora, `pingora-cache/src/predictor.rs`). A fetch that failed
//! says nothing about its key.

use std::collections::BTreeMap;

use super::bug::FrontBug;

/// Keys that were uncacheable when they were last answered.
#[derive(Debug)]
pub(super) struct Predictor<K> {
    /// How many it remembers at most.
    room: usize,
    /// Each key with the number of its last remembrance.
    keys: BTreeMap<K, u64>,
    /// The keys by those numbers.
    order: BTreeMap<u64, K>,
    remembrances: u64,
    bug: Option<FrontBug>,
}

impl<K: Ord + Clone> Predictor<K> {
    pub(super) fn new(room: usize, bug: Option<FrontBug>) -> Self {
        Self { room, keys: BTreeMap::new(), order: BTreeMap::new(), remembrances: 0, bug }
    }

    /// Whether the key is remembered as uncacheable.
    pub(super) fn is_uncacheable(&self, key: &K) -> bool {
        !self.keys.is_empty() && self.keys.contains_key(key)
    }

    /// Its answer may not be kept.
    pub(super) fn remember(&mut self, key: &K) {
        if self.room == 0 {
            return;
        }
        self.remembrances += 1;
        if let Some(before) = self.keys.insert(key.clone(), self.remembrances) {
            self.order.remove(&before);
        }
        self.order.insert(self.remembrances, key.clone());
        if self.order.len() > self.room
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.keys.remove(&oldest);
        }
    }

    /// Its answer may be kept.
    pub(super) fn forget(&mut self, key: &K) {
        if self.bug == Some(FrontBug::PredictorNeverForgets) {
            return;
        }
        if let Some(number) = self.keys.remove(key) {
            self.order.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_as_uncacheable_until_it_is_cacheable() {
        let mut predictor = Predictor::new(9, None);
        assert!(!predictor.is_uncacheable(&"k"));
        predictor.remember(&"k");
        assert_eq!(["k", "other"].map(|key| predictor.is_uncacheable(&key)), [true, false]);
        predictor.forget(&"k");
        assert!(!predictor.is_uncacheable(&"k"));
        let mut broken = Predictor::new(9, Some(FrontBug::PredictorNeverForgets));
        broken.remember(&"k");
        broken.forget(&"k");
        assert!(broken.is_uncacheable(&"k"));
    }

    #[test]
    fn without_room_the_one_goes_that_was_remembered_longest_ago() {
        let mut predictor = Predictor::new(3, None);
        for key in [1, 2, 3, 1, 4] {
            predictor.remember(&key);
        }
        assert_eq!([1, 2, 3, 4].map(|key| predictor.is_uncacheable(&key)), [true, false, true, true]);
        let mut none = Predictor::new(0, None);
        none.remember(&1);
        assert!(!none.is_uncacheable(&1));
    }
}
