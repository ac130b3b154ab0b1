//! A stream never ends before its last touch and its TTL, ends soon after, and leaves nothing behind without being
//! touched but the one row of its tombstone.

use super::durable::unexplained;
use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation, attendance};
use crate::judge::history::{Call, Leftover, Lifetime, Moment};

/// How long after a stream's end its rows may still be stored, in ms: the platform retries an alarm six times, with a
/// back-off that doubles from 2 s (Durable Objects, alarms), and may be late.
const CLEAN_UP_MS: u64 = 300_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = too_early(case);
    violations.extend(under_readers(case));
    violations.extend(too_late(case));
    violations.extend(left_behind(case));
    violations
}

fn too_early(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let until = op.ended.unwrap_or(op.settled());
        let mortal = case.lifetimes(until).any(|lifetime| lifetime != Lifetime::Endless);
        if let Some(seen) = mortal.then(|| unexplained(case, op)).flatten() {
            let message = format!(
                "the stream was there at {} ms and is gone at {} ms; it was not deleted, and its time had not come",
                case.op(seen).invoked.ms,
                until.ms
            );
            violations.push(case.violation(Invariant::Expiry, &[seen, index], message));
        }
    }
    violations
}

/// A reader that has a socket is told that its stream is gone only if that was deleted, or has come to its instant.
fn under_readers(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let Some(told_ms) = attendance::sent_away_ms(case.history, case.stream, index, op) else { continue };
        let until = Moment { tick: u64::MAX, ms: told_ms };
        let apart_ms = case.history.conditions.clocks_apart_ms;
        let has_come = |lifetime| matches!(lifetime, Lifetime::Until(at_ms) if at_ms <= told_ms + apart_ms);
        if !case.deletion_between(op.invoked, until) && !case.lifetimes(until).any(has_come) {
            let message = format!("the stream ended at {told_ms} ms, although this reader was connected");
            violations.push(case.violation(Invariant::Expiry, &[index], message));
        }
    }
    violations
}

fn too_late(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        if !case.was_present(op) || case.was_absent(op) || !case.history.is_true(op) {
            continue;
        }
        let end_ms = case.latest_end_ms(Some(index), op.ended.unwrap_or(op.settled()));
        let flight_ms = if matches!(op.call, Call::Live { .. }) { case.history.conditions.flight_ms() } else { 0 };
        // No copy outlives its stream, by the clock of the isolate that hands it out.
        let apart_ms = if case.history.giver(op).is_cache() { case.history.conditions.edges_apart_ms } else { 0 };
        if let Some(end_ms) = end_ms.filter(|end_ms| op.invoked.ms > *end_ms + flight_ms + apart_ms) {
            let message =
                format!("the stream is there at {} ms, and ended at {end_ms} ms at the latest", op.invoked.ms);
            violations.push(case.violation(Invariant::Expiry, &[index], message));
        }
    }
    violations
}

fn left_behind(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_more = |leftover: &&Leftover| leftover.rows > 0 || !leftover.tables.is_empty();
    for leftover in case.history.leftovers.iter().filter(|leftover| leftover.stream == case.stream).filter(is_more) {
        let expired = case.latest_end_ms(None, leftover.at).is_some_and(|end_ms| end_ms + CLEAN_UP_MS < leftover.at.ms);
        let deleted = case.iter().any(|(_, op)| {
            let created_since = |(_, other): (usize, &crate::judge::history::Op)| {
                matches!(other.call, Call::Create { .. })
                    && matches!(other.status(), None | Some(201))
                    && other.settled() > op.invoked
            };
            matches!(op.call, Call::Delete) && op.status() == Some(204) && !case.iter().any(created_since)
        });
        // Where the platform gave the alarm up, what is left to do waits until somebody asks.
        if (expired || deleted) && !case.was_alarm_abandoned(leftover.at.ms) {
            let Leftover { rows, tables, .. } = leftover;
            let message = format!("the stream has ended, and {rows} rows of it and tables {tables:?} are still stored");
            violations.push(case.violation(Invariant::Expiry, &[], message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, closed, coded, created, deleted, delivery, duplicate, empty, exists, hit, kept, page,
        part, polled, refused, tail, unchanged, written,
    };
    use crate::judge::history::{End, Mode};
    use crate::world::Harm;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Expiry, super::check, expected);
    }

    #[test]
    fn a_sliding_ttl_runs_from_the_last_touch() {
        // The TTL is 40 s, so its slack is 5 s.
        for (idle_ms, there, expected) in
            [(39_000, false, 1), (39_000, true, 0), (41_000, false, 0), (41_000, true, 0), (46_000, true, 1)]
        {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(40), created(0));
            run.wait_ms(30_000);
            run.walk(&[], page(0, 0));
            run.wait_ms(idle_ms);
            run.head(if there { tail(0, 0) } else { absent() });
            check(&run, expected);
        }
    }

    #[test]
    fn a_copy_is_a_touch_of_its_own_stream_and_a_browsers_is_none() {
        for (kind, there, expected) in [
            ("edge", false, 1),
            ("edge", true, 0),
            ("browser", false, 0),
            ("replaced", false, 0),
            ("edge, and too late", true, 1),
        ] {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(40), created(0));
            run.append(2, acked(0, 2));
            run.walk_messages(&[(0, 0)], part(0, 1));
            let first = run.history.ops.len() - 1;
            if kind == "replaced" {
                run.delete(deleted());
                run.create(Lifetime::Ttl(40), created(1));
            }
            run.wait_ms(30_000);
            let answer = match kind {
                "browser" => kept(first, part(0, 1)),
                "replaced" => hit(31, part(0, 1)),
                _ => hit(29, part(0, 1)),
            };
            run.walk_messages(&[(0, 0)], answer);
            run.wait_ms(if kind == "edge, and too late" { 50_000 } else { 12_000 });
            run.head(if there { tail(0, 2) } else { absent() });
            check(&run, expected);
        }
    }

    #[test]
    fn a_long_poll_to_which_304_is_the_answer_is_a_touch_and_what_a_browser_hands_out_is_none() {
        // What is there at once may have been brought by a flight that began before, 2 s at most.
        for (is_confirmed, idle_ms, expected) in [(true, 37_000, 1), (true, 39_000, 0), (false, 37_000, 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(40), created(0));
            run.append(2, acked(0, 2));
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[0], polled(0, 2, 7));
            let known = run.history.ops.len() - 1;
            run.wait_ms(30_000);
            let told = run.told(known);
            run.poll_again(known, is_confirmed, if is_confirmed { unchanged(told) } else { kept(known, told) });
            run.wait_ms(idle_ms);
            run.head(absent());
            check(&run, expected);
        }
    }

    #[test]
    fn asking_for_metadata_is_no_touch() {
        let mut run = Fixture::json();
        run.create(Lifetime::Ttl(40), created(0));
        run.wait_ms(30_000);
        run.head(tail(0, 0));
        run.wait_ms(11_000);
        run.head(absent());
        check(&run, 0);
    }

    #[test]
    fn what_is_refused_is_no_touch_and_what_changes_nothing_is_one() {
        type Ask = fn(&mut Fixture);
        let asks: [(Ask, bool); 6] = [
            (|run| run.produce(0, 5, coded(409, "sequence_gap")), false),
            (|run| run.create(Lifetime::Endless, coded(409, "configuration_conflict")), false),
            (|run| run.read_at((0, 7), refused(400)), false),
            (|run| run.create(Lifetime::Ttl(40), exists(0, 1)), true),
            (|run| run.retry(0, duplicate(0, 1, 0)), true),
            (|run| run.close(closed(acked(0, 1))), true),
        ];
        for (number, (ask, touches)) in asks.into_iter().enumerate() {
            for there in [true, false] {
                let mut run = Fixture::json();
                run.create(Lifetime::Ttl(40), created(0));
                run.produce(0, 0, written(0, 1));
                run.wait_ms(30_000);
                ask(&mut run);
                run.wait_ms(if touches && !there { 38_000 } else { 20_000 });
                run.head(if there { tail(0, 1) } else { absent() });
                let found = super::check(&run.case());
                assert_eq!(found.is_empty(), touches == there, "{number}: {found:?}");
            }
        }
    }

    #[test]
    fn a_lost_request_may_have_been_a_touch_and_may_not() {
        for answer in [absent(), tail(0, 0)] {
            let mut run = Fixture::json();
            run.history.conditions.straggler_ms = 1_000;
            run.create(Lifetime::Ttl(40), created(0));
            run.wait_ms(30_000);
            run.append(1, None);
            run.wait_ms(20_000);
            run.head(answer);
            check(&run, 0);
        }
    }

    /// A stream with a TTL of 40 s, and a reader of its events that is told of the tail at 30 s.
    fn listened() -> (Fixture, usize, usize) {
        let mut run = Fixture::json();
        run.create(Lifetime::Ttl(40), created(0));
        run.wait_ms(30_000);
        let reader = run.join(Mode::Sse);
        let op = run.listen(reader);
        run.deliver(reader, op, delivery(None, 0, 0, 1));
        (run, reader, op)
    }

    #[test]
    fn a_stream_does_not_expire_under_a_connected_reader() {
        for (hangs_up, harmed, stalls, there, expected) in [
            (false, false, false, false, 1),
            (false, false, false, true, 0),
            (true, false, false, false, 0),
            (true, false, false, true, 0),
            (false, true, false, false, 0),
            (false, false, true, false, 0),
        ] {
            let (mut run, reader, op) = listened();
            if hangs_up {
                run.hang_up(op, End::Abandoned);
            }
            if harmed {
                run.history.harms.harm_request(run.history.ops[op].request, Harm::SocketCut);
            }
            if stalls {
                let now_ms = run.now_ms();
                run.history.readers[reader].stalls.push((now_ms, now_ms + 10_000));
            }
            run.wait_ms(50_000);
            run.head(if there { tail(0, 0) } else { absent() });
            check(&run, expected);
        }
    }

    #[test]
    fn a_stream_does_not_expire_under_a_long_poll_that_waits() {
        // The TTL is 10 s. The poll waits from 5 s to 25 s, and touches the stream when it comes.
        for (gone_after_ms, expected) in [(19_000, 1), (21_000, 0)] {
            let answered = empty(0, 0, 1_000_000);
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(10), created(0));
            run.wait_ms(5_000);
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.wait_ms(gone_after_ms.min(20_000));
            if gone_after_ms > 20_000 {
                run.end_live(reader, op, &[], answered.clone());
            }
            run.wait_ms(gone_after_ms.saturating_sub(20_000));
            run.head(absent());
            if gone_after_ms < 20_000 {
                run.wait_ms(20_000 - gone_after_ms);
                run.end_live(reader, op, &[], answered);
            }
            check(&run, expected);
        }
    }

    #[test]
    fn a_reader_that_waits_is_not_told_that_its_stream_has_expired() {
        for (lifetime_ms, after_ms, harmed, expected) in [
            (None, 10_000, false, 1),
            (None, 10_000, true, 0),
            // It had come to its planned end.
            (None, 61_000, false, 0),
            (Some(9_000), 10_000, false, 0),
            (Some(90_000), 10_000, false, 1),
        ] {
            let mut run = Fixture::json();
            let lifetime = lifetime_ms.map_or(Lifetime::Ttl(5), |ms| Lifetime::Until(run.now_ms() + ms));
            run.create(lifetime, created(0));
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.deliver(reader, op, delivery(None, 0, 0, 1));
            if harmed {
                run.history.harms.harm_request(run.history.ops[op].request, Harm::SocketCut);
            }
            run.wait_ms(after_ms);
            run.hang_up(op, End::Finished);
            check(&run, expected);
        }
        for (settled, waited_ms, expected) in
            [(true, 10_000, 1), (false, 10_000, 0), (true, 1_000, 0), (true, 23_000, 0)]
        {
            let mut run = Fixture::json();
            run.history.conditions.settled_from_ms = if settled { 0 } else { u64::MAX };
            run.create(Lifetime::Ttl(1), created(0));
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.wait_ms(waited_ms);
            run.end_live(reader, op, &[], absent());
            check(&run, expected);
        }
    }

    #[test]
    fn a_deletion_sends_readers_away() {
        let (mut run, _, op) = listened();
        run.delete(deleted());
        run.hang_up(op, End::Finished);
        check(&run, 0);
    }

    #[test]
    fn a_long_poll_that_waited_touched_the_stream_when_it_came() {
        for (idle_ms, expected) in [(39_000, 1), (41_000, 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(40), created(0));
            run.wait_ms(30_000);
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, empty(0, 0, 1_000_000));
            run.wait_ms(idle_ms);
            run.head(absent());
            check(&run, expected);
        }
    }

    #[test]
    fn a_stream_does_not_live_on_for_long_when_its_readers_have_left() {
        // A socket is too old after 96 s, and keeps the stream for another 40 s then.
        for (gone_ms, expected) in [(130_000, 0), (139_000, 1)] {
            let (mut run, _, op) = listened();
            run.hang_up(op, End::Abandoned);
            run.wait_ms(gone_ms);
            run.head(tail(0, 0));
            check(&run, expected);
        }
    }

    #[test]
    fn an_instant_is_an_instant() {
        let until = |run: &Fixture| Lifetime::Until(run.now_ms() + 10_000);
        for (idle_ms, there, expected) in [(9_000, false, 1), (9_000, true, 0), (10_001, true, 1), (10_001, false, 0)] {
            let mut run = Fixture::json();
            run.create(until(&run), created(0));
            run.wait_ms(idle_ms);
            run.head(if there { tail(0, 0) } else { absent() });
            check(&run, expected);
        }
    }

    #[test]
    fn a_reader_may_share_a_flight_that_began_before_the_end() {
        for (late_ms, expected) in [(0, 0), (24_000, 0), (26_000, 1)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Until(run.now_ms() + 10_000), created(0));
            let reader = run.join(Mode::LongPoll);
            run.wait_ms(10_000 + late_ms);
            run.poll(reader, empty(0, 0, 1_000_000));
            check(&run, expected);
        }
    }

    #[test]
    fn creating_again_too_early_is_expiring_too_early() {
        let mut run = Fixture::json();
        run.create(Lifetime::Ttl(40), created(0));
        run.append(1, acked(0, 1));
        run.wait_ms(39_000);
        run.create(Lifetime::Ttl(40), created(1));
        check(&run, 1);
    }

    #[test]
    fn an_ended_stream_leaves_nothing_behind() {
        for (lifetime, deletes, rows, tables, expected) in [
            (Lifetime::Ttl(40), false, 3, &["log"][..], 1),
            (Lifetime::Ttl(40), false, 0, &["agenda"], 1),
            (Lifetime::Ttl(40), false, 0, &[], 0),
            (Lifetime::Endless, false, 3, &["log"], 0),
            (Lifetime::Endless, true, 3, &["log"], 1),
            (Lifetime::Endless, true, 0, &["agenda"], 1),
            (Lifetime::Endless, true, 0, &[], 0),
        ] {
            let mut run = Fixture::json();
            run.create(lifetime, created(0));
            if deletes {
                run.delete(deleted());
            }
            run.wait_ms(500_000);
            run.leave(rows, tables);
            check(&run, expected);
        }
    }
}
