//! The cursor that live clients echo. With it, readers at one position ask for one URL, and no reader asks twice for
//! the same empty answer.
//!
//! A cursor is a time of the stream's object in ms, and always above the cursor that the client sent. After data it is
//! the commit time of the last message, which is the same for all readers, however they got there. After a wait without
//! data it is the present time, rounded down to a multiple of an interval that is no longer than the wait: so it is
//! above any cursor with which the reader can have come, and all readers whose waits end in one interval get the same
//! one, whenever they joined.
//!
//! A client may send any cursor up to [`CURSOR_AHEAD_MS`] ahead of the edge's clock. Readers that are ahead of the
//! clock are told the largest of their cursors plus one, and what a reader is told is accepted when it asks with that
//! at once: who comes with the last cursor that is accepted waits until the next one is, too.
//!
//! The protocol suggests random jitter instead, which would give each reader a URL of its own.

use super::limits::{CURSOR_AHEAD_MS, MAX_INTEGER};
use super::{ErrorCode, Refusal};
use crate::mutant::mutated;

/// Checks the value of `cursor` at an edge whose clock says `now_ms`: a decimal, of digits alone, that is not too far
/// ahead of the clock.
pub fn parse(text: &str, now_ms: u64) -> Result<u64, Refusal> {
    let refuse = |message| Refusal::new(ErrorCode::InvalidCursor, message);
    let cursor = parse_integer(text).ok_or_else(|| refuse("cursor is no decimal integer below 2^53"))?;
    match early_ms(cursor, now_ms) {
        0 => Ok(cursor),
        _ => Err(refuse("cursor is more than a day ahead of the clock")),
    }
}

/// In how many ms a cursor will be accepted; 0 if it is accepted now.
pub fn early_ms(cursor: u64, now_ms: u64) -> u64 {
    cursor.saturating_sub(now_ms.saturating_add(CURSOR_AHEAD_MS))
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

/// The cursors of one connection with events. Each is above the client's own, and none is below one told before. They
/// need not grow with each event: many events of one millisecond would take them far ahead of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The least cursor that may be told next.
    least: Option<u64>,
}

impl Told {
    /// For a client that has come with this cursor.
    pub fn of_client(client: Option<u64>) -> Self {
        Self { least: client.map(|client| client.saturating_add(1)) }
    }

    /// The greatest cursor of which the one to tell next is above, as a client's own: what the object is asked with.
    pub fn as_client(self) -> Option<u64> {
        self.least?.checked_sub(1)
    }

    /// Takes a cursor that the client is told, or that it must not be told less than.
    pub fn raise(&mut self, cursor: u64) {
        self.least = self.least.max(Some(cursor));
    }
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
            assert_eq!(parse(text, MAX_INTEGER).ok(), value, "{text:?}");
        }
    }

    #[test]
    fn a_cursor_is_accepted_up_to_a_day_ahead_of_the_clock() {
        let last = COMMIT_MS + CURSOR_AHEAD_MS;
        for (cursor, early) in [(0, 0), (COMMIT_MS, 0), (last, 0), (last + 1, 1), (last + 7, 7)] {
            assert_eq!(early_ms(cursor, COMMIT_MS), early, "{cursor}");
            let expected = if early == 0 { Ok(cursor) } else { Err(ErrorCode::InvalidCursor) };
            assert_eq!(parse(&cursor.to_string(), COMMIT_MS).map_err(|refusal| refusal.code), expected, "{cursor}");
            // Once that time has passed, it is accepted.
            assert_eq!(early_ms(cursor, COMMIT_MS + early), 0, "{cursor}");
        }
        assert_eq!(early_ms(u64::MAX, 0), u64::MAX - CURSOR_AHEAD_MS);
        assert_eq!(early_ms(u64::MAX, u64::MAX), 0);
    }

    #[test]
    fn the_cursors_of_a_connection_are_above_the_clients_and_never_fall() {
        let mut told = Told::of_client(Some(9));
        assert_eq!(told.as_client(), Some(9));
        for (cursor, expected) in [(10, 9), (10, 9), (12, 11), (11, 11)] {
            told.raise(cursor);
            assert_eq!(told.as_client(), Some(expected), "{cursor}");
            // The same cursor may be told again, and none below.
            assert_eq!(after_data(cursor, told.as_client()), expected + 1);
        }
        let mut none = Told::default();
        assert_eq!(none.as_client(), None);
        none.raise(0);
        assert_eq!((none.as_client(), after_data(0, none.as_client())), (None, 0));
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
