//! What is read live ends with its token: nothing leaves the edge for a reader whose token has expired, by the clock of the
//! isolate. What had left before is on its way for as long as it takes.

use tailrace_core::protocol::limits::LOOK_UP_MS;

use super::question::question;
use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, End, Giver, Mode, Op};

/// How much later than it could something happens at most, in ms: the world's clock shows no less than 1 ms, and each step
/// of it may take one.
const STEP_MS: u64 = 5;

/// How soon after its end a live read is over, in ms.
const SOON_MS: u64 = 500;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let live = case.iter().filter_map(|(index, op)| {
        let Call::Live { mode, .. } = op.call else { return None };
        // A clock that shows less than the world's shows the end so much later.
        let over_ms = op.shown?.until_ms + case.history.conditions.edge_clock_off_ms() + STEP_MS;
        let leaks = match mode {
            Mode::Sse => events_go_on(case, index, op, over_ms),
            Mode::LongPoll => poll_goes_on(case, op, over_ms),
        };
        leaks.then(|| {
            let times = case.history.times.get(&op.request);
            let message = format!("a live read goes on without its token after {over_ms} ms: {times:?}");
            case.violation(Invariant::Leak, &[index], message)
        })
    });
    live.collect()
}

/// Whether a live read that had begun before ended because its token expired: soon after that, and before its own time.
pub(in crate::judge::checker) fn is_ended_by_token(case: &Case<'_>, index: usize, op: &Op) -> bool {
    let (Call::Live { mode, .. }, Some(shown)) = (&op.call, op.shown) else { return false };
    let conditions = &case.history.conditions;
    let off_ms = conditions.edge_clock_off_ms();
    let (own_ms, ended_ms) = match mode {
        Mode::Sse => {
            let end = case.history.listenings.get(&index).and_then(|listening| listening.end);
            let finished = end.filter(|(_, end)| *end == End::Finished);
            (conditions.least_connection_ms(), finished.map(|(at, _)| at.ms))
        }
        Mode::LongPoll => {
            let ended = op.ended.filter(|_| op.status() == Some(204));
            (conditions.waits.long_poll_ms, ended.map(|at| at.ms))
        }
    };
    let Some(ended_ms) = ended_ms else { return false };
    let is_at_its_end = (shown.until_ms.saturating_sub(off_ms)..=shown.until_ms + off_ms + SOON_MS).contains(&ended_ms);
    op.invoked.ms < ended_ms && is_at_its_end && ended_ms < op.invoked.ms + own_ms
}

/// Whether the answer to a long-poll left when the token of one expired that asked the same: all who share a flight are told
/// when the token of the one expires that flies.
pub(in crate::judge::checker) fn is_at_the_end_of_a_token(case: &Case<'_>, op: &Op) -> bool {
    // Who has waited in front is told when the one is for whom that was asked.
    let by = case.history.fronts.handed_to(op).map_or(op.request, |handed| handed.by);
    let Some(left_ms) = case.history.times.get(&by).and_then(|times| times.left_ms) else { return false };
    let off_ms = case.history.conditions.edge_clock_off_ms();
    let ends_then = |other: &Op| {
        let until_ms = other.shown.map_or(0, |shown| shown.until_ms);
        (until_ms.saturating_sub(off_ms)..=until_ms + off_ms + SOON_MS).contains(&left_ms)
            && other.invoked.ms <= left_ms
            && question(other) == question(op)
    };
    op.shown.is_some() && case.iter().any(|(_, other)| ends_then(other))
}

/// Whether the token of one had expired when the answer to a long-poll left that asked the same and was under way: of the one
/// that flies, whose call of the object may have taken long.
pub(in crate::judge::checker) fn is_cut_by_a_token(case: &Case<'_>, op: &Op) -> bool {
    let by = case.history.fronts.handed_to(op).map_or(op.request, |handed| handed.by);
    let Some(left_ms) = case.history.times.get(&by).and_then(|times| times.left_ms) else { return false };
    let off_ms = case.history.conditions.edge_clock_off_ms();
    let had_expired = |other: &Op| {
        other.shown.is_some_and(|shown| shown.until_ms.saturating_sub(off_ms) <= left_ms)
            && other.invoked.ms <= left_ms
            && other.settled().ms >= op.invoked.ms
            && question(other) == question(op)
    };
    op.shown.is_some() && case.iter().any(|(_, other)| had_expired(other))
}

/// Whether events left that were not the answer to the one question that came in time. What a cache in front hands out leaves for
/// the one for whom it was asked, and those who know its URL are shown it.
fn events_go_on(case: &Case<'_>, index: usize, op: &Op, over_ms: u64) -> bool {
    if case.history.fronts.handed_to(op).is_some_and(|handed| handed.by != op.request) {
        return false;
    }
    let head_ms = case.history.times.get(&op.request).and_then(|times| times.left_ms);
    let Some(listening) = case.history.listenings.get(&index) else { return false };
    let data = listening.deliveries.iter().filter(|delivery| delivery.data.is_some());
    let late = data.filter_map(|delivery| delivery.left_ms).filter(|left_ms| *left_ms > over_ms);
    late.into_iter().any(|left_ms| head_ms.is_none_or(|head_ms| left_ms > head_ms + STEP_MS))
}

/// Whether a long-poll brings something that its edge has asked for when the token had expired. What a cache had is the answer
/// to its own question, however long that took, and so is what the object is asked once if the cache does not answer.
fn poll_goes_on(case: &Case<'_>, op: &Op, over_ms: u64) -> bool {
    let Some(times) = case.history.times.get(&op.request).filter(|_| op.status() == Some(200)) else { return false };
    let is_late = times.left_ms.is_some_and(|left_ms| left_ms > over_ms);
    let is_copy = matches!(case.history.giver(op), Giver::Edge { .. });
    let calls = case.history.charges.get(&op.request).map_or(0, |charge| charge.calls);
    let conditions = &case.history.conditions;
    let way_ms = conditions.round_trip_ms() + conditions.answer_way_ms;
    let looked_up_ms = op.invoked.ms + way_ms + LOOK_UP_MS + STEP_MS;
    let is_own = |called_ms| calls == 1 && called_ms <= looked_up_ms;
    is_late && !is_copy && times.called_ms.is_none_or(|called_ms| called_ms > over_ms && !is_own(called_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, delivery, empty, polled, run};
    use crate::judge::history::How;

    /// A reader of events whose token expires a second after it has asked; an event left the edge so long after that.
    fn listens(off_ms: u64, head_ms: u64, left_ms: u64) -> (Fixture, usize) {
        let mut run = run().keyed(off_ms);
        let reader = run.join(Mode::Sse);
        let op = run.listen(reader);
        run.show_until(op, 1_000);
        run.times(op, Some(0), head_ms);
        run.deliver(reader, op, delivery(Some("[1]"), 0, 1, 7));
        let invoked_ms = run.history.ops[op].invoked.ms;
        run.history.listening(op).deliveries[0].left_ms = Some(invoked_ms + left_ms);
        (run, op)
    }

    #[test]
    fn events_leave_the_edge_before_the_token_expires() {
        for (off_ms, head_ms, left_ms, expected) in [
            (0, 0, 999, 0),
            (0, 0, 1_000, 0),
            (0, 0, 1_050, 1),
            (100, 0, 1_050, 0),
            (100, 0, 1_150, 1),
            // The answer to its question took as long.
            (0, 3_000, 3_000, 0),
            (0, 3_000, 3_050, 1),
        ] {
            let (run, _) = listens(off_ms, head_ms, left_ms);
            run.check(Invariant::Leak, check, expected);
        }
        // What a cache in front hands out has left for another one.
        let (mut run, op) = listens(0, 0, 5_000);
        run.hand_out(op, How::Joined);
        run.check(Invariant::Leak, check, 1);
        run.history.fronts.handed.values_mut().for_each(|handed| handed.by += 1_000);
        run.check(Invariant::Leak, check, 0);
        // Without data it is told where to go on.
        let (mut run, op) = listens(0, 0, 5_000);
        run.history.listening(op).deliveries[0].data = None;
        run.check(Invariant::Leak, check, 0);
    }

    #[test]
    fn a_long_poll_brings_what_was_asked_for_in_time() {
        for (called_ms, calls, left_ms, is_empty, way_ms, expected) in [
            (Some(0), 1, 999, false, 0, 0),
            (Some(900), 2, 5_000, false, 0, 0),
            (Some(995), 2, 5_000, false, 0, 0),
            (Some(1_100), 2, 5_000, false, 0, 1),
            (None, 0, 5_000, false, 0, 1),
            (None, 0, 900, false, 0, 0),
            (Some(1_100), 2, 5_000, true, 0, 0),
            // Its cache has not answered for so long, or it was long on its way, so this is its own question.
            (Some(1_002), 1, 5_000, false, 0, 0),
            (Some(1_100), 1, 5_000, false, 0, 1),
            (Some(1_100), 1, 5_000, false, 100, 0),
            (Some(1_100), 2, 5_000, false, 100, 1),
        ] {
            let mut run = run().keyed(0);
            run.history.conditions.answer_way_ms = way_ms;
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, if is_empty { empty(0, 0, 7) } else { polled(0, 1, 7) });
            let op = run.history.ops.len() - 1;
            run.charge_last(calls);
            run.show_until(op, 990);
            run.times(op, called_ms, left_ms);
            run.check(Invariant::Leak, check, expected);
        }
    }

    #[test]
    fn a_live_read_that_ends_when_its_token_expires_is_known_by_that() {
        for (lasts_ms, waits_ms, expected) in [
            (1_000, 1_000, true),
            (1_000, 1_400, true),
            (1_000, 900, false),
            (1_000, 1_600, false),
            (4_000, 4_000, false),
        ] {
            let mut run = run().keyed(0);
            run.history.conditions.waits.long_poll_ms = 4_000;
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.show_until(op, lasts_ms);
            run.wait_ms(waits_ms - 1);
            run.end_live(reader, op, &[], empty(0, 0, 7));
            let case = run.case();
            assert_eq!(is_ended_by_token(&case, op, case.op(op)), expected, "{lasts_ms} {waits_ms}");
        }
    }
}
