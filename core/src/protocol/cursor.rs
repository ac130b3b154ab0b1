//! The cursor that live clients echo. With it, readers at one position ask for one URL, and no reader asks twice for
//! the same empty answer.
//!
//! A cursor is a time of the stream's object in ms, and always above the cursor that the client sent. After data it is
//! the commit time of the last message, which is the same for all readers, however they got there. After a wait without
//! data it is the present time, rounded down to a multiple of an interval that is no longer than the wait: so it is
//! above any cursor with which the reader can have come, and all readers whose waits end in one interval get the same
//! one, whenever they joined.
//!
//! The protocol suggests random jitter instead, which would give each reader a URL of its own.

use super::limits::MAX_INTEGER;
use super::{ErrorCode, Refusal};
use crate::mutant::mutated;

/// Checks the value of `cursor`: a decimal of at most 2^53 - 1, of digits alone.
pub fn parse(text: &str) -> Result<u64, Refusal> {
    parse_integer(text).ok_or_else(|| Refusal::new(ErrorCode::InvalidCursor, "cursor is no decimal integer below 2^53"))
}

/// A decimal integer of the protocol: one to sixteen digits and nothing else, at most 2^53 - 1.
pub(crate) fn parse_integer(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|integer| *integer <= MAX_INTEGER)
}

/// The cursor after a message that was committed at `commit_ms`.
pub fn after_data(commit_ms: u64, client: Option<u64>) -> u64 {
    above(commit_ms, client)
}

/// The cursor of a reader that has waited without data until `now_ms`, the time of the object. `interval_ms` is at most
/// as long as readers wait.
pub fn after_silence(now_ms: u64, interval_ms: u64, client: Option<u64>) -> u64 {
    if mutated!(CursorRepeats)
        && let Some(client) = client
    {
        return client;
    }
    if mutated!(CursorNeverConverges) {
        return above(now_ms, client);
    }
    above(now_ms - now_ms % interval_ms.max(1), client)
}

fn above(own: u64, client: Option<u64>) -> u64 {
    client.map_or(own, |client| own.max(client.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_digits_below_two_to_the_53rd() {
        for (text, value) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9007199254740991", Some(MAX_INTEGER)),
            ("9007199254740992", None),
            ("99999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("abc", None),
            ("\u{0661}", None),
        ] {
            assert_eq!(parse(text).ok(), value, "{text:?}");
        }
    }

    /// A reader at the tail of a stream to which nothing is appended.
    #[derive(Clone, Copy, Debug)]
    struct Reader {
        /// When its next poll ends.
        ends_ms: u64,
        /// How much longer than the interval each of its polls takes, with the time on the network.
        slow_ms: u64,
        cursor: Option<u64>,
    }

    const INTERVAL_MS: u64 = 20_000;

    /// The commit time of the last message at the position.
    const COMMIT_MS: u64 = 1_767_225_612_345;

    /// Readers with any cursor that can have been emitted before they ask: none, the commit time, or the cursor after
    /// an earlier wait without data, raised by polls that ended early.
    fn readers() -> impl Strategy<Value = Vec<Reader>> {
        let reader = (0..200_000_u64, 0..400_u64, 0..4_u64, 0..5_u64).prop_map(|(after_ms, slow_ms, kind, more)| {
            let asks_ms = COMMIT_MS + after_ms;
            let silent_ms = asks_ms - asks_ms % INTERVAL_MS;
            let cursor = match kind {
                0 => None,
                1 => Some(COMMIT_MS),
                2 => Some(silent_ms),
                _ => Some((silent_ms + more).min(asks_ms)),
            };
            Reader { ends_ms: asks_ms + INTERVAL_MS + slow_ms, slow_ms, cursor }
        });
        proptest::collection::vec(reader, 2..8)
    }

    proptest! {
        #[test]
        fn a_cursor_is_above_the_clients(now_ms in 0..=MAX_INTEGER, client in 0..=MAX_INTEGER, interval_ms: u32) {
            prop_assert!(after_data(now_ms, Some(client)) > client);
            prop_assert!(after_silence(now_ms, interval_ms.into(), Some(client)) > client);
        }

        #[test]
        fn readers_whose_waits_end_in_one_interval_ask_the_same_from_their_second_poll_on(mut readers in readers()) {
            for round in 0..20 {
                for reader in &mut readers {
                    let next = after_silence(reader.ends_ms, INTERVAL_MS, reader.cursor);
                    prop_assert!(reader.cursor.is_none_or(|cursor| cursor < next), "{round}: {reader:?}");
                    // It depends on the interval alone, not on how the reader got here.
                    prop_assert_eq!(next, reader.ends_ms - reader.ends_ms % INTERVAL_MS, "{}: {:?}", round, reader);
                    reader.cursor = Some(next);
                    reader.ends_ms += INTERVAL_MS + reader.slow_ms;
                }
            }
        }

        #[test]
        fn readers_get_the_same_cursor_with_the_same_data(commits_ms in 1..1_000_000_u64, lags in 0..1_000_000_u64) {
            let commit_ms = COMMIT_MS + commits_ms;
            // A cursor that was emitted before the commit is an earlier time.
            let came_with = Some(commit_ms.saturating_sub(1 + lags));
            prop_assert_eq!(after_data(commit_ms, came_with), after_data(commit_ms, None));
        }
    }

    #[test]
    fn a_cursor_of_nobodys_making_still_moves_on() {
        assert_eq!(after_data(5, Some(MAX_INTEGER)), MAX_INTEGER + 1);
        assert_eq!(after_silence(5, 0, Some(u64::MAX)), u64::MAX);
        assert_eq!(after_silence(59_999, 20_000, None), 40_000);
    }
}
