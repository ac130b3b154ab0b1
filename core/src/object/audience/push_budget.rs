//! How much an object pushes to the readers that wait: of all that it sends within a second, bytes times sockets.
//!
//! Each socket holds a copy until its edge has received it, and shows no back-pressure. What is beyond the budget is
//! announced, and its readers read it from the log.

use std::cell::Cell;

use crate::mutant::mutated;
use crate::protocol::limits::{PULL_SPREAD_LIMIT_MS, PULL_SPREAD_MS, PULLED_AT_ONCE};

/// For how long what was pushed counts, in ms. Our choice: sockets that take longer fall behind.
const SPAN_MS: u64 = 1_000;

/// What was pushed in the last second.
pub(super) struct PushBudget {
    most_bytes: usize,
    began_ms: Cell<u64>,
    spent_bytes: Cell<usize>,
}

impl PushBudget {
    /// So many bytes a second.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, began_ms: Cell::new(0), spent_bytes: Cell::new(0) }
    }

    /// How many bytes may be pushed now.
    pub(super) fn left(&self, now_ms: u64) -> usize {
        if mutated!(PushBudgetIgnored) {
            return usize::MAX;
        }
        // A clock that has gone back begins anew.
        if now_ms.checked_sub(self.began_ms.get()).is_none_or(|age_ms| age_ms >= SPAN_MS) {
            self.began_ms.set(now_ms);
            self.spent_bytes.set(0);
        }
        self.most_bytes.saturating_sub(self.spent_bytes.get())
    }

    /// So many copies of a message were pushed, if they fit what was left. Returns whether they were.
    pub(super) fn spend(&self, sockets: usize, message_bytes: usize, left: usize) -> bool {
        let bytes = sockets.saturating_mul(message_bytes);
        if bytes > left {
            return false;
        }
        self.spent_bytes.set(self.spent_bytes.get().saturating_add(bytes));
        true
    }
}

/// Over how many ms so many readers come to read from the log.
pub(super) fn spread_ms(sockets: usize) -> u32 {
    if sockets <= PULLED_AT_ONCE {
        return 0;
    }
    (sockets as u64).saturating_mul(PULL_SPREAD_MS).min(PULL_SPREAD_LIMIT_MS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_within_a_second_is_bounded_in_all() {
        let budget = PushBudget::new(100);
        let push = |now_ms, sockets, bytes| budget.spend(sockets, bytes, budget.left(now_ms));
        for (now_ms, sockets, bytes, expected) in [
            (5_000, 10, 9, true),
            (5_000, 2, 6, false),
            (5_000, 2, 5, true),
            (5_999, 1, 1, false),
            (5_999, 0, 1, true),
            (6_000, 1, 101, false),
            (6_000, 100, 1, true),
            // The clock goes back.
            (5_500, 100, 1, true),
        ] {
            assert_eq!(push(now_ms, sockets, bytes), expected, "{sockets} of {bytes} bytes at {now_ms}");
        }
    }

    #[test]
    fn few_readers_come_at_once_and_many_over_a_few_seconds() {
        for (sockets, expected) in [(0, 0), (8, 0), (9, 9), (1_000, 1_000), (32_768, 4_000), (usize::MAX, 4_000)] {
            assert_eq!(spread_ms(sockets), expected);
        }
    }
}
