//! What requests and alarms cost: the rows that they write (each alarm that is set is one), and the calls that reach
//! their object. A budget names what is bought for it (SPEC, section 3: "Rows are money").

use std::collections::HashMap;

use crate::judge::checker::case::{Case, slack_ms};
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, Content, From, Lifetime, Mode, Op, SentBatch};
use crate::world::Charge;

/// An alarm that the platform has given up is set again.
const RESTORED: u64 = 1;

/// A sliding deadline moves.
const TOUCH: u64 = 1;

/// A stream is removed: its tombstone, the duties of its agenda (to expire, rotate and sweep), the duty to remove its
/// objects, and the alarm for that or for what was overdue.
const REMOVAL: u64 = 7;

/// An append opens a table of the log, or seals its segment: two rows for a table, the duty to rotate, and its alarm.
const SEGMENT: u64 = 4;

/// A stream comes: its tables, two rows each, the row that it is, the table of duties, its first ones, and the alarm.
const CREATION: u64 = 13;

/// What an alarm writes for each call and for each segment: a segment costs eight rows besides its appends
/// (docs/architecture.md), and a duty that fails, or is not due yet, two.
const ALARM: u64 = 6;

/// How long a request and its answer are on their way at most, in ms.
const TRAVEL_MS: u64 = 2_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = dear_requests(case);
    violations.extend(dear_appends(case));
    violations.extend(dear_touches(case));
    violations.extend(unshared(case));
    violations.extend(busy_alarms(case));
    violations
}

/// The requests that reached an object, and what each has cost.
fn charged<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, &'a Op, Charge)> {
    case.iter().filter_map(|(index, op)| Some((index, op, *case.history.charges.get(&op.request)?)))
}

fn dear_requests(case: &Case<'_>) -> Vec<Violation> {
    let dear = charged(case).filter_map(|(index, op, charge)| Some((index, complaint(case, op, charge)?)));
    dear.map(|(index, message)| case.violation(Invariant::Bill, &[index], message)).collect()
}

fn complaint(case: &Case<'_>, op: &Op, Charge { calls, rows }: Charge) -> Option<String> {
    // The object may have been called again, and have written again.
    let most_rows = rows_of_call(case, op) * calls;
    if calls > 1 && !matches!(op.call, Call::Live { .. }) {
        return Some(format!("{calls} calls of the object, where one does"));
    }
    (rows > most_rows).then(|| format!("{rows} rows were written, where {most_rows} do"))
}

/// The rows that each call of a request may write.
fn rows_of_call(case: &Case<'_>, op: &Op) -> u64 {
    let refused = RESTORED + REMOVAL;
    let is_done = op.succeeded() || op.status() == Some(304);
    match op.call {
        Call::Create { .. } => refused + CREATION + content_rows(case, op),
        Call::Append { .. } if op.status().is_some_and(|status| status >= 400) => refused,
        Call::Append { closes, .. } => RESTORED + SEGMENT + content_rows(case, op).max(u64::from(closes)).max(TOUCH),
        Call::Read { .. } if is_done => RESTORED + TOUCH,
        Call::Head if is_done => RESTORED,
        Call::Read { .. } | Call::Head | Call::Delete => refused,
        Call::Live { .. } => refused + TOUCH,
    }
}

/// The rows of a batch: those that its messages fill, and that of its producer.
fn content_rows(case: &Case<'_>, op: &Op) -> u64 {
    let batch = op.batch().and_then(|batch| case.history.batches.get(batch));
    batch.map_or(0, |batch| message_rows(case, batch) + u64::from(batch.stamp.is_some()))
}

/// How many rows hold the messages of a batch.
fn message_rows(case: &Case<'_>, batch: &SentBatch) -> u64 {
    let most = case.history.conditions.row_bytes.max(1) as usize;
    if case.history.streams[case.stream].content != Content::Json {
        return batch.messages.iter().map(|message| message.len()).sum::<usize>().div_ceil(most) as u64;
    }
    let (mut rows, mut room) = (0, 0);
    for length in batch.messages.iter().map(|message| message.len()) {
        // Between two messages of a row is a comma.
        if length < room {
            room -= length + 1;
        } else {
            rows += length.div_ceil(most).max(1);
            room = most.saturating_sub(length);
        }
    }
    rows as u64
}

/// All appends together: only the first one of a segment opens a table, and only the last one seals it.
fn dear_appends(case: &Case<'_>) -> Option<Violation> {
    let appended = charged(case)
        .filter(|(_, op, _)| matches!(op.call, Call::Append { batch: Some(_), .. }) && case.history.appended(op));
    let (mut rows, mut content) = (0, 0);
    for (_, op, charge) in appended {
        (rows, content) = (rows + charge.rows, content + content_rows(case, op));
    }
    let segments = case.iter().filter_map(|(_, op)| case.offset(op)).map(|at| at.segment + 1).max().unwrap_or(0);
    let harms = case.history.harms.of_stream(case.stream) as u64;
    let most = content + SEGMENT * (segments + 1) + RESTORED * (harms + 1);
    let message = format!("the appends wrote {rows} rows, where {content} hold their content, and {most} do");
    (rows > most).then(|| case.violation(Invariant::Bill, &[], message))
}

/// A sliding deadline moves by its slack at least, so reads that move it are that far apart.
fn dear_touches(case: &Case<'_>) -> Option<Violation> {
    let is_fair = case.history.conditions.clocks_apart_ms == 0 && !case.was_alarm_abandoned(u64::MAX);
    let ttl = match case.iter().find_map(|(_, op)| case.lifetimes(op.settled()).next()) {
        Some(Lifetime::Ttl(seconds)) if is_fair => seconds,
        _ => return None,
    };
    let is_same = |lifetime| lifetime == Lifetime::Ttl(ttl);
    let touching: Vec<(usize, &Op)> = charged(case)
        .filter(|(_, op, charge)| matches!(op.call, Call::Read { .. }) && op.succeeded() && charge.rows > 0)
        .filter(|(_, op, _)| case.history.is_strong(op))
        .map(|(index, op, _)| (index, op))
        .collect();
    touching.windows(2).find_map(|pair| {
        let [(first, before), (second, after)] = *pair else { return None };
        let ended = after.ended?;
        let is_near = before.precedes(after) && ended.ms < before.invoked.ms + slack_ms(ttl);
        let is_one_stream = case.lifetimes(ended).all(is_same) && !case.removable(first, after);
        let message = || format!("a deadline moved twice within {} ms", ended.ms - before.invoked.ms);
        (is_near && is_one_stream).then(|| case.violation(Invariant::Bill, &[first, second], message()))
    })
}

/// Identical long-polls that wait at one time, and in vain, share the call of one of them, at each isolate.
fn unshared(case: &Case<'_>) -> Vec<Violation> {
    type Polls<'a> = Vec<(usize, &'a Op)>;
    let mut of_urls: HashMap<(&From, Option<u64>), Polls<'_>> = HashMap::new();
    for (index, op, _) in charged(case) {
        if let Call::Live { mode: Mode::LongPoll, from: from @ From::At(_), cursor, .. } = &op.call
            && op.invoked.ms >= case.history.conditions.settled_from_ms
            && op.status() == Some(204)
        {
            of_urls.entry((from, *cursor)).or_default().push((index, op));
        }
    }
    let isolates = case.history.conditions.isolates.max(1);
    let mut violations = Vec::new();
    for ((from, _), polls) in of_urls {
        for (place, (index, poll)) in polls.iter().enumerate() {
            let waits_ms = poll.invoked.ms + TRAVEL_MS;
            let still_waits = |(_, other): &&(usize, &Op)| other.ended.is_some_and(|ended| ended.ms > waits_ms);
            let waiting = polls[..place].iter().filter(still_waits).count();
            if waiting >= isolates {
                let message =
                    format!("{} identical polls wait from {from:?}, each with a call of its own", waiting + 1);
                violations.push(case.violation(Invariant::Bill, &[*index], message));
                break;
            }
        }
    }
    violations
}

/// Alarms go off for what there is to do, and write what that takes.
fn busy_alarms(case: &Case<'_>) -> Option<Violation> {
    let charge = case.history.alarms.get(&case.stream)?;
    let segments = case.iter().filter_map(|(_, op)| case.offset(op)).map(|at| at.segment + 1).max().unwrap_or(0);
    let harms = case.history.harms.of_stream(case.stream) as u64;
    // One that comes too early may do so again, and again.
    let each = if case.history.conditions.alarms_come_early { 100 } else { 8 };
    let most_calls = 20 + each * (segments + harms + case.ops.len() as u64);
    let most_rows = 20 + ALARM * (charge.calls + segments);
    let message = if charge.calls > most_calls {
        format!("the alarm went off {} times, where {most_calls} do", charge.calls)
    } else if charge.rows > most_rows {
        format!("the alarms wrote {} rows, where {most_rows} do", charge.rows)
    } else {
        return None;
    };
    Some(case.violation(Invariant::Bill, &[], message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, absent, acked, coded, created, empty, page, tail, written};
    use crate::world::AlarmCharge;

    fn run(lifetime: Lifetime) -> Fixture {
        let mut run = Fixture::json();
        run.history.conditions.row_bytes = 100;
        run.create(lifetime, created(0));
        run
    }

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Bill, super::check, expected);
    }

    /// The last request cost so much.
    fn charge(run: &mut Fixture, calls: u64, rows: u64) {
        let request = run.history.ops.last().expect("a request").request;
        run.history.charges.insert(request, Charge { calls, rows });
    }

    #[test]
    fn each_request_has_its_budget() {
        type Ask = fn(&mut Fixture);
        let asks: [(Ask, u64); 7] = [
            (|run| run.head(tail(0, 0)), RESTORED),
            (|run| run.head(absent()), RESTORED + REMOVAL),
            (|run| run.walk(&[], page(0, 0)), RESTORED + TOUCH),
            (|run| run.walk(&[], absent()), RESTORED + REMOVAL),
            (
                |run| {
                    run.append(1, acked(0, 1));
                },
                RESTORED + SEGMENT + 1,
            ),
            (|run| run.produce(0, 0, written(0, 1)), RESTORED + SEGMENT + 2),
            (|run| run.produce(0, 3, coded(409, "sequence_gap")), RESTORED + REMOVAL),
        ];
        for (number, (ask, most)) in asks.into_iter().enumerate() {
            for (calls, rows, expected) in [(1, most, 0), (1, most + 1, 1), (2, 0, 1)] {
                let mut run = run(Lifetime::Endless);
                ask(&mut run);
                charge(&mut run, calls, rows);
                let found = dear_requests(&run.case());
                assert_eq!(found.len(), expected, "ask {number}, {rows} rows: {found:?}");
            }
        }
    }

    #[test]
    fn messages_fill_rows() {
        for (row_bytes, expected) in [(10_000, 1), (100, 2), (60, 3), (20, 6)] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.row_bytes = row_bytes;
            // Each has 39 bytes.
            run.append(3, acked(0, 3));
            let case = run.case();
            assert_eq!(message_rows(&case, &case.history.batches[0]), expected, "{row_bytes}");
        }
    }

    #[test]
    fn appends_together_cost_their_content_and_something_for_each_segment() {
        for (extra, expected) in [(0, 0), (4, 0), (9, 0), (10, 1)] {
            let mut run = run(Lifetime::Endless);
            for index in 0..10 {
                run.append(1, acked(0, index + 1));
                charge(&mut run, 1, 1 + u64::from(index < extra));
            }
            check(&run, expected);
        }
    }

    #[test]
    fn a_deadline_moves_by_its_slack() {
        for (apart_ms, rows, expected) in [(3_000, 1, 1), (3_000, 0, 0), (5_100, 1, 0)] {
            let mut run = run(Lifetime::Ttl(40));
            run.walk(&[], page(0, 0));
            charge(&mut run, 1, 1);
            run.wait_ms(apart_ms);
            run.walk(&[], page(0, 0));
            charge(&mut run, 1, rows);
            check(&run, expected);
        }
    }

    #[test]
    fn polls_that_wait_together_share_a_call() {
        for (isolates, calls, expected) in [(1, 1, 1), (2, 1, 0), (1, 0, 0)] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.isolates = isolates;
            let polls = [(); 2].map(|()| {
                let reader = run.join(Mode::LongPoll);
                (reader, run.ask_live(reader, None))
            });
            run.wait_ms(20_000);
            for (place, (reader, op)) in polls.into_iter().enumerate() {
                run.end_live(reader, op, &[], empty(0, 0, 7));
                let request = run.history.ops[op].request;
                if place == 0 || calls > 0 {
                    run.history.charges.insert(request, Charge { calls: 1, rows: 0 });
                }
            }
            check(&run, expected);
        }
    }

    #[test]
    fn an_alarm_goes_off_for_what_there_is_to_do() {
        for (calls, rows, expected) in [(2, 12, 0), (36, 100, 0), (37, 100, 1), (2, 38, 0), (2, 39, 1)] {
            let mut run = run(Lifetime::Endless);
            run.history.alarms.insert(0, AlarmCharge { calls, rows });
            check(&run, expected);
        }
    }
}
