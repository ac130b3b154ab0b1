//! The lock of a cache node: of those who miss a key together, one fetches, and the others wait for it.
//!
//! The model is Pingora (`pingora-cache/src/lock.rs`, `pingora-proxy/src/proxy_cache.rs`):
//!
//! - A lock whose fetch was lost goes to one of those who wait (`TransientError`, `Dangling`: they compete for it anew).
//! - An answer that may not be kept frees all who wait: each asks by itself, without a lock (`GiveUp`).
//! - Who has waited for as long as it may, over however many fetches, asks by itself, without a lock (`WaitTimeout`).
//! - A lock that is older than locks may become goes to one of those who wait, or to whoever comes next (`AgeTimeout`).
//!   The fetch that had it goes on: its answer is kept, and serves its own visitor alone.
//!
//! What the caller is told to wait for may be over before: then it is told to wait on.

use std::collections::BTreeMap;

use super::bug::FrontBug;
use super::knobs::LockKnobs;

/// us of a ms.
const MS_US: u64 = 1_000;

/// The locks of a node, by key. `P` is who waits.
#[derive(Debug)]
pub(super) struct Locks<K, P> {
    knobs: LockKnobs,
    held: BTreeMap<K, Lock<P>>,
    bug: Option<FrontBug>,
}

#[derive(Debug)]
struct Lock<P> {
    /// The fetch that has it.
    fetch: u64,
    since_us: u64,
    waiters: Vec<Waiter<P>>,
}

#[derive(Debug)]
struct Waiter<P> {
    who: P,
    since_us: u64,
}

/// What becomes of who has waited long.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It waits on, until then at most, in us.
    Wait(u64),
    /// It takes the lock over: whoever calls has it `hold` the lock.
    Leads,
    /// It asks by itself.
    Asks,
}

impl<K: Ord + Clone, P: PartialEq + Copy> Locks<K, P> {
    pub(super) fn new(knobs: LockKnobs, bug: Option<FrontBug>) -> Self {
        Self { knobs, held: BTreeMap::new(), bug }
    }

    /// Whether there are locks at all.
    pub(super) fn exist(&self) -> bool {
        self.knobs.locks
    }

    /// Has it wait for the fetch that has the key's lock: until when at most, in us. `None` if there is no such fetch, or
    /// none that may have it any longer.
    pub(super) fn wait(&mut self, now_us: u64, key: &K, who: P) -> Option<u64> {
        let (wait_us, age_us) = (self.knobs.wait_ms * MS_US, self.knobs.age_ms * MS_US);
        let lock = self.held.get_mut(key).filter(|lock| now_us < lock.since_us + age_us)?;
        lock.waiters.push(Waiter { who, since_us: now_us });
        Some((now_us + wait_us).min(lock.since_us + age_us))
    }

    /// Gives the key's lock to a fetch. Those who wait for the one that has it wait for this one.
    pub(super) fn hold(&mut self, now_us: u64, key: &K, fetch: u64) {
        match self.held.get_mut(key) {
            Some(lock) => (lock.fetch, lock.since_us) = (fetch, now_us),
            None => {
                self.held.insert(key.clone(), Lock { fetch, since_us: now_us, waiters: Vec::new() });
            }
        }
    }

    /// Whether that fetch has the key's lock.
    pub(super) fn is_held_by(&self, key: &K, fetch: u64) -> bool {
        self.held.get(key).is_some_and(|lock| lock.fetch == fetch)
    }

    /// Ends the lock that this fetch has, and frees all who wait for it. Where it has none, nobody waits for it.
    pub(super) fn release(&mut self, key: &K, fetch: u64) -> Vec<P> {
        if !self.is_held_by(key, fetch) {
            return Vec::new();
        }
        let lock = self.held.remove(key);
        lock.map(|lock| lock.waiters.into_iter().map(|waiter| waiter.who).collect()).unwrap_or_default()
    }

    /// The fetch that has the lock is lost. Returns who takes it over, if anybody waits.
    pub(super) fn lost(&mut self, key: &K, fetch: u64) -> Option<P> {
        if self.bug == Some(FrontBug::LockKeptAfterLoss) || !self.is_held_by(key, fetch) {
            return None;
        }
        let lock = self.held.get_mut(key)?;
        if lock.waiters.is_empty() {
            self.held.remove(key);
            return None;
        }
        Some(lock.waiters.remove(0).who)
    }

    /// It has waited for as long as it was told to. `None` if it does not wait.
    pub(super) fn wait_over(&mut self, now_us: u64, key: &K, who: P) -> Option<Over> {
        let (wait_us, age_us) = (self.knobs.wait_ms * MS_US, self.knobs.age_ms * MS_US);
        let lock = self.held.get_mut(key)?;
        let place = lock.waiters.iter().position(|waiter| waiter.who == who)?;
        let (wait_ends_us, age_ends_us) = (lock.waiters[place].since_us + wait_us, lock.since_us + age_us);
        if now_us < wait_ends_us.min(age_ends_us) {
            return Some(Over::Wait(wait_ends_us.min(age_ends_us)));
        }
        lock.waiters.remove(place);
        Some(if now_us < wait_ends_us { Over::Leads } else { Over::Asks })
    }

    /// It waits no longer.
    pub(super) fn leave(&mut self, key: &K, who: P) {
        if let Some(lock) = self.held.get_mut(key) {
            lock.waiters.retain(|waiter| waiter.who != who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOBS: LockKnobs = LockKnobs { locks: true, wait_ms: 5, age_ms: 8, streams: true, predicts: 0 };

    fn locks() -> Locks<&'static str, char> {
        let mut locks = Locks::new(KNOBS, None);
        locks.hold(0, &"k", 1);
        locks
    }

    #[test]
    fn who_comes_while_a_key_is_fetched_waits_and_all_are_freed_at_once() {
        let mut locks = locks();
        assert_eq!((locks.wait(0, &"k", 'a'), locks.wait(1_000, &"k", 'b')), (Some(5_000), Some(6_000)));
        assert_eq!(locks.wait(0, &"other", 'c'), None);
        assert_eq!(locks.release(&"k", 2), []);
        assert_eq!(locks.release(&"k", 1), ['a', 'b']);
        assert_eq!(locks.wait(0, &"k", 'd'), None);
    }

    #[test]
    fn a_lock_whose_fetch_was_lost_goes_to_one_who_waits_and_the_others_wait_on() {
        let mut locks = locks();
        for who in ['a', 'b', 'c'] {
            locks.wait(0, &"k", who);
        }
        assert_eq!(locks.lost(&"k", 1), Some('a'));
        locks.hold(1_000, &"k", 2);
        locks.leave(&"k", 'b');
        assert_eq!((locks.lost(&"k", 1), locks.release(&"k", 2)), (None, vec!['c']));
        // Nobody waits: the next one fetches.
        locks.hold(0, &"k", 3);
        assert_eq!((locks.lost(&"k", 3), locks.wait(0, &"k", 'd')), (None, None));
    }

    #[test]
    fn a_lock_that_a_lost_fetch_keeps_holds_up_whoever_comes() {
        let mut locks = Locks::new(KNOBS, Some(FrontBug::LockKeptAfterLoss));
        locks.hold(0, &"k", 1);
        assert_eq!((locks.lost(&"k", 1), locks.wait(0, &"k", 'a')), (None, Some(5_000)));
    }

    #[test]
    fn who_has_waited_for_as_long_as_it_may_asks_by_itself() {
        let mut locks = locks();
        locks.wait(0, &"k", 'a');
        assert_eq!(locks.wait_over(4_999, &"k", 'a'), Some(Over::Wait(5_000)));
        assert_eq!(locks.wait_over(5_000, &"k", 'a'), Some(Over::Asks));
        assert_eq!(locks.wait_over(5_000, &"k", 'a'), None);
        // Over two fetches, it is the same time.
        for who in ['b', 'c'] {
            locks.wait(1_000, &"k", who);
        }
        assert_eq!(locks.lost(&"k", 1), Some('b'));
        locks.hold(4_000, &"k", 2);
        assert_eq!(locks.wait_over(6_000, &"k", 'c'), Some(Over::Asks));
    }

    #[test]
    fn a_lock_that_is_too_old_goes_to_one_who_waits_or_to_the_next_who_comes() {
        let mut locks = locks();
        assert_eq!(locks.wait(7_000, &"k", 'a'), Some(8_000));
        assert_eq!(locks.wait(7_500, &"k", 'b'), Some(8_000));
        assert_eq!(locks.wait(8_000, &"k", 'c'), None);
        assert_eq!(locks.wait_over(8_000, &"k", 'a'), Some(Over::Leads));
        locks.hold(8_000, &"k", 2);
        assert_eq!(locks.wait_over(8_000, &"k", 'b'), Some(Over::Wait(12_500)));
        // The fetch that had it frees nobody any more.
        assert_eq!((locks.release(&"k", 1), locks.lost(&"k", 1)), (vec![], None));
        assert_eq!(locks.release(&"k", 2), ['b']);
    }
}
