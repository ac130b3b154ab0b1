//! The reader keys of streams, as clients know them: from the answers to those who create a stream, look at it or give it
//! another key. All readers of a stream share its key, so that caches in front answer them together.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::kernel::random::Random;

/// Has the randomness of reader keys differ from that of the rest.
const OWN: u64 = 0x7265_6164_6572;

/// How long after a key came clients begin to use it, in ms: some at once, some when they ask their application again.
const TAKEN_UP_MS: [u64; 4] = [0, 300, 4_000, 30_000];

/// A reader key that no stream has.
const WRONG: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A reader key, and when it was told, in ms since the Unix epoch.
struct Told {
    key: String,
    ms: u64,
}

/// The reader keys of streams, as clients know them.
pub(super) struct ReaderKeys {
    /// Of 1,000 reads, those whose URL has the key of their stream.
    shown_permille: u32,
    random: Random,
    /// Of each stream those that it has had, in the order in which they were told.
    told: RefCell<BTreeMap<usize, Vec<Told>>>,
}

impl ReaderKeys {
    pub(super) fn new(shown_permille: u32, schedule: u64) -> Self {
        Self { shown_permille, random: Random::new(schedule ^ OWN), told: RefCell::default() }
    }

    /// Whether clients put them into URLs at all.
    pub(super) fn are_used(&self) -> bool {
        self.shown_permille > 0
    }

    /// Somebody was told the key of a stream.
    pub(super) fn learn(&self, stream: usize, key: &str, now_ms: u64) {
        let mut told = self.told.borrow_mut();
        let told = told.entry(stream).or_default();
        if !told.iter().any(|told| told.key == key) {
            told.push(Told { key: key.to_owned(), ms: now_ms });
        }
    }

    /// What a client puts into the URL of a read: mostly the newest key that it has taken up, sometimes an earlier one or
    /// a wrong one, or none.
    pub(super) fn of(&self, client: usize, stream: usize, now_ms: u64) -> Option<String> {
        if !self.are_used() {
            return None;
        }
        let after_ms = TAKEN_UP_MS[client % TAKEN_UP_MS.len()];
        let told = self.told.borrow();
        let told = told.get(&stream)?;
        if !self.random.chance(self.shown_permille) {
            return match self.random.between(0, 2) {
                0 => told.first().map(|told| told.key.clone()),
                1 => Some(WRONG.to_owned()),
                _ => None,
            };
        }
        let taken_up = told.iter().rev().find(|told| told.ms + after_ms <= now_ms);
        taken_up.or(told.first()).map(|told| told.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_use_a_new_key_sooner_or_later() {
        let keys = ReaderKeys::new(1_000, 7);
        assert_eq!(keys.of(0, 0, 5), None);
        for (key, ms) in [("a", 10), ("b", 1_000), ("a", 1_100)] {
            keys.learn(0, key, ms);
        }
        for (client, now_ms, expected) in
            [(0, 999, "a"), (0, 1_000, "b"), (1, 1_299, "a"), (1, 1_300, "b"), (7, 9_000, "a"), (7, 31_000, "b")]
        {
            assert_eq!(keys.of(client, 0, now_ms).as_deref(), Some(expected), "{client} {now_ms}");
        }
        assert_eq!(keys.of(0, 1, 5_000), None);
        assert_eq!(ReaderKeys::new(0, 7).of(0, 0, 5), None);
    }
}
