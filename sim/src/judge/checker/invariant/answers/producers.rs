//! What idempotent producers are told when they are refused: the epoch and the sequence numbers that the stream knows.

use crate::judge::checker::case::Case;
use crate::judge::history::{Call, ClientAnswer, Op, Stamp};

/// The tuple that a request carries.
fn stamp_of<'a>(case: &Case<'a>, op: &Op) -> Option<&'a Stamp> {
    case.history.batches[op.batch()?].stamp.as_ref()
}

/// Whether the stream that a request came to certainly held what an earlier one, which was acknowledged, has written.
fn is_held(case: &Case<'_>, earlier: &Op, op: &Op) -> bool {
    let was_told = earlier.precedes(op) && case.history.acknowledged(earlier) && case.history.is_strong(earlier);
    // What a duplicate confirms may have been written when it was first sent, before the stream was removed.
    let sent = || case.carriers(earlier.batch()?).map(|(index, _)| index).min();
    was_told && case.history.is_strong(op) && sent().is_some_and(|sent| !case.removable(sent, op))
}

/// Whether it certainly knew the producer of the earlier one, too, which has not lost its place meanwhile.
fn is_known(case: &Case<'_>, earlier: &Op, op: &Op) -> bool {
    is_held(case, earlier, op) && earlier.batch().is_some_and(|batch| !case.may_have_lost_place_before(batch, op))
}

/// Whether the epoch that a refused producer is told is an old one.
pub(super) fn is_outdated(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> bool {
    let Some((stamp, told)) = stamp_of(case, op).zip(answer.producer_epoch) else { return false };
    let is_later = |other: &Stamp| other.producer == stamp.producer && other.epoch > told;
    case.iter().any(|(_, other)| stamp_of(case, other).is_some_and(is_later) && is_known(case, other, op))
}

/// What is wrong with the sequence numbers that are told in answer to a gap.
pub(super) fn wrong_expectation(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let stamp = stamp_of(case, op)?;
    if answer.received_seq != Some(stamp.seq) {
        return Some(format!("{stamp:?} is told that {:?} was received", answer.received_seq));
    }
    let Some(expected) = answer.expected_seq.filter(|expected| *expected < stamp.seq) else {
        return Some(format!("{stamp:?} is told that {:?} is expected", answer.expected_seq));
    };
    let same = |other: &&Stamp| other.producer == stamp.producer && other.epoch == stamp.epoch;
    let sent = |op: &Op| stamp_of(case, op).filter(same).map(|other| other.seq);
    let ended = op.ended.unwrap_or(op.settled());
    let may_have_written = |other: &Op| other.definite().is_none() || case.history.acknowledged(other);
    let follows = expected == 0
        || case
            .iter()
            .any(|(_, other)| sent(other) == Some(expected - 1) && other.invoked < ended && may_have_written(other));
    let is_behind = || case.iter().any(|(_, other)| sent(other) >= Some(expected) && is_known(case, other, op));
    (!follows || is_behind()).then(|| format!("{stamp:?} is told that {expected} is expected"))
}

/// Whether a request repeats the batch that has certainly closed its stream: it is a duplicate, and no conflict. After
/// the close nobody appends, so its producer cannot lose its place.
pub(super) fn is_closing_repeat(case: &Case<'_>, op: &Op) -> bool {
    let Some(batch) = op.batch().filter(|_| stamp_of(case, op).is_some()) else { return false };
    let closed = |other: &Op| {
        matches!(other.call, Call::Append { closes: true, .. })
            && case.history.appended(other)
            && is_held(case, other, op)
    };
    case.carriers(batch).any(|(_, other)| closed(other))
}

/// Whether the stream was certainly closed when the request came.
pub(super) fn is_surely_closed(case: &Case<'_>, op: &Op) -> bool {
    case.iter().any(|(index, other)| {
        let closes = matches!(other.call, Call::Append { closes: true, .. } | Call::Create { closes: true, .. });
        let is_told = other.succeeded() && other.precedes(op) && case.history.is_strong(other);
        closes && is_told && case.history.is_strong(op) && !case.removable(index, op)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{acked, closed, coded, created, deleted, run, written};
    use crate::judge::history::Lifetime;

    #[test]
    fn a_gap_is_told_what_was_received_and_what_comes_after_the_last_batch() {
        for (received, expected, is_wrong) in [
            (Some(4), Some(2), false),
            (Some(4), Some(1), true),
            (Some(4), Some(3), true),
            (Some(4), Some(4), true),
            (Some(3), Some(2), true),
            (None, Some(2), true),
            (Some(4), None, true),
        ] {
            let mut run = run();
            run.produce(0, 0, written(0, 1));
            run.produce(0, 1, written(0, 2));
            let told = ClientAnswer { received_seq: received, expected_seq: expected, ..ClientAnswer::default() };
            run.produce(0, 4, coded(409, "sequence_gap"));
            let case = run.case();
            let op = case.history.ops.last().expect("a request");
            assert_eq!(wrong_expectation(&case, op, &told).is_some(), is_wrong, "{received:?} {expected:?}");
        }
    }

    #[test]
    fn what_an_earlier_stream_knew_is_not_held_against_the_next() {
        let mut run = run();
        run.produce(0, 0, written(0, 1));
        run.delete(deleted());
        run.create(Lifetime::Endless, created(1));
        run.produce(0, 1, coded(409, "sequence_gap"));
        let told = ClientAnswer { received_seq: Some(1), expected_seq: Some(0), ..ClientAnswer::default() };
        let case = run.case();
        assert_eq!(wrong_expectation(&case, case.history.ops.last().expect("a request"), &told), None);
    }

    #[test]
    fn a_producer_that_may_have_lost_its_place_may_be_told_to_begin_anew() {
        for (idle_ms, is_wrong) in [(5_000, true), (20_000, false)] {
            let mut run = run();
            (run.history.conditions.producers, run.history.conditions.producer_idle_ms) = (0, 10_000);
            run.produce(0, 0, written(0, 1));
            run.wait_ms(idle_ms);
            run.produce(0, 2, coded(409, "sequence_gap"));
            let told = ClientAnswer { received_seq: Some(2), expected_seq: Some(0), ..ClientAnswer::default() };
            let case = run.case();
            let op = case.history.ops.last().expect("a request");
            assert_eq!(wrong_expectation(&case, op, &told).is_some(), is_wrong, "{idle_ms}");
        }
    }

    #[test]
    fn a_zombie_is_told_the_latest_epoch() {
        for (told, expected) in [(1, true), (2, false)] {
            let mut run = run();
            run.produce(1, 0, written(0, 1));
            run.produce(2, 0, written(0, 2));
            run.produce(0, 0, coded(403, "stale_epoch"));
            let answer = ClientAnswer { producer_epoch: Some(told), ..ClientAnswer::default() };
            let case = run.case();
            assert_eq!(is_outdated(&case, case.history.ops.last().expect("a request"), &answer), expected);
        }
    }

    #[test]
    fn the_batch_that_has_closed_a_stream_is_known_again() {
        for (closes, expected) in [(true, true), (false, false)] {
            let mut run = run();
            run.produce(0, 0, if closes { closed(written(0, 1)) } else { written(0, 1) });
            if let Call::Append { closes: closing, .. } = &mut run.history.ops[1].call {
                *closing = closes;
            }
            run.retry(0, coded(409, "stream_closed"));
            let case = run.case();
            let last = case.history.ops.last().expect("a request");
            assert_eq!(is_closing_repeat(&case, last), expected);
            assert_eq!(is_surely_closed(&case, last), expected);
        }
        let mut run = run();
        run.append(1, acked(0, 1));
        run.close(closed(acked(0, 1)));
        run.append(1, coded(409, "content_type_mismatch"));
        let case = run.case();
        assert!(is_surely_closed(&case, case.history.ops.last().expect("a request")));
    }
}
