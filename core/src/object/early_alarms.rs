//! Alarms that come too early, one after another.

use std::cell::Cell;

use crate::mutant::mutated;

/// Alarms of one instance that came too early, one after another.
#[derive(Default)]
pub(super) struct EarlyAlarms {
    /// When the duty is due for which they came, in ms since the Unix epoch.
    due_ms: Cell<u64>,
    count: Cell<u32>,
}

/// How much later than its duty an alarm is set that has come too early twice, at least and at most, in ms. It doubles
/// with each further one.
const LATER_MS: (u64, u64) = (100, 60_000);

impl EarlyAlarms {
    /// An alarm came, and something was due.
    pub(super) fn end(&self) {
        self.count.set(0);
    }

    /// An alarm came too early for that duty. For when to set the next one.
    ///
    /// The first time that is when the duty is due. If it comes too early again, it may go by a clock that is ahead of
    /// the object's: set to the same time, it would come at once, and again, without end. It may also have been called
    /// twice, as the platform may: so it is set only a little later, and more each time.
    pub(super) fn next_ms(&self, due_ms: u64) -> u64 {
        let count = if self.due_ms.replace(due_ms) == due_ms { self.count.get() } else { 0 };
        self.count.set(count.saturating_add(1));
        let (least_ms, most_ms) = LATER_MS;
        if mutated!(EarlyAlarmComesAtOnce) {
            return due_ms;
        }
        let later_ms = count.checked_sub(1).map_or(0, |doublings| (least_ms << doublings.min(16)).min(most_ms));
        due_ms.saturating_add(later_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_comes_too_early_again_and_again_is_set_later_and_later() {
        let early = EarlyAlarms::default();
        let set: Vec<u64> = (0..5).map(|_| early.next_ms(1_000_000) - 1_000_000).collect();
        assert_eq!(set, [0, 100, 200, 400, 800]);
        assert_eq!(early.next_ms(2_000_000), 2_000_000, "it is another duty");
        assert_eq!(early.next_ms(2_000_000), 2_000_100);
        early.end();
        assert_eq!(early.next_ms(2_000_000), 2_000_000);
        for _ in 0..100 {
            assert!(early.next_ms(2_000_000) <= 2_060_000);
        }
    }
}
