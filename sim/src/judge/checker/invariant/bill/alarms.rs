//! Alarms go off for what there is to do, and write what that takes.

use super::budget::{Budget, REMOVAL, STAY};
use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, Op};
use crate::world::Harm;

/// At the end of its handler an alarm is set to what is due next.
const NEXT: u64 = 1;

/// A segment goes to R2: the duty to sweep, the record, the end of both duties; where segments are left after failures,
/// the duty to rotate begins anew, with an alarm.
const STORED: u64 = 1 + 1 + 2 + 2;

/// A step fails: what it had written is undone, at most that of a segment which goes to R2, and its duty moves to a later
/// time.
const FAILED: u64 = STORED + 1;

/// A step of a sweep: how many objects are about to be deleted, how many were, and what follows.
const SWEPT: u64 = 1 + 1 + 1;

/// The end of a stream is looked for again, after a touch or for a connected reader.
const LATER: u64 = STAY + 1;

/// The table of what is in R2 is created once a stream.
const RECORDS: u64 = 2;

/// Calls and rows of alarms beyond all that is counted here. A few, so that an alarm that has nothing to do is noticed.
const SPARE: u64 = 4;

/// How often a stream's objects in R2 are listed once nothing fails any more: what is too young is looked for again.
const LAST_SWEEPS: u64 = 5;

/// How late an alarm is set at least that has come too early twice, in ms; it doubles each time.
const EARLIEST_AGAIN_MS: u64 = 100;

/// What there was to do for a stream's alarm.
struct Work {
    /// Segments that went to R2.
    segments: u64,
    /// Steps that failed, or that something else may have ended.
    failures: u64,
    /// Streams that came, each of which may be removed.
    creations: u64,
    /// Requests that may have moved the end of a stream with a sliding lifetime, and how often it moved for readers.
    touches: u64,
    stays: u64,
    /// Steps of sweeps.
    sweeps: u64,
}

impl Work {
    fn of(budget: &Budget<'_>) -> Self {
        let (case, segments) = (budget.case, budget.segments);
        let conditions = &case.history.conditions;
        let is_creation = |op: &Op| matches!(op.call, Call::Create { .. }) && matches!(op.status(), None | Some(201));
        let creations = case.iter().filter(|(_, op)| is_creation(op)).count() as u64;
        let times: Vec<u64> = case.history.harms.times_of_stream(case.stream).collect();
        let failures = times.len() as u64;
        let failing_ms = times.last().zip(times.first()).map(|(last, first)| last - first);
        // As long as attempts to store segments fail, what they may have left is looked for again and again.
        let passes = failing_ms.map_or(0, |ms| ms / conditions.orphan_age_ms.max(1) + LAST_SWEEPS);
        // Each removed stream is looked through twice, for what is stored late.
        let steps = (segments + failures) / conditions.sweep_page.max(1) as u64 + 1;
        let sweeps = (passes + 2 * creations) * steps;
        let asked = || case.iter().map(|(_, op)| op.invoked.ms);
        let span_ms = asked().max().zip(asked().min()).map_or(0, |(last, first)| last - first);
        let stays = budget.stays(span_ms);
        let touches = if budget.has_ttl { case.iter().count() as u64 } else { 0 };
        Self { segments, failures, creations, touches, stays, sweeps }
    }

    /// How often the object asks for an alarm at most.
    fn alarms(&self) -> u64 {
        SPARE + self.segments + self.failures + 2 * self.creations + self.touches + self.stays + self.sweeps
    }

    /// How many rows its alarms write at most.
    fn rows(&self) -> u64 {
        SPARE
            + STORED * self.segments
            + FAILED * self.failures
            + (RECORDS + REMOVAL) * self.creations
            + LATER * (self.touches + self.stays)
            + SWEPT * self.sweeps
    }
}

/// How often an alarm comes at most for one time that it is set to, as long as clocks differ: where that of the object
/// is slow it comes too early, and is set again, later each time.
fn times_each(case: &Case<'_>) -> u64 {
    match case.history.conditions.clocks_apart_ms {
        0 => 1,
        apart_ms => 3 + u64::from((apart_ms / EARLIEST_AGAIN_MS).max(1).ilog2()),
    }
}

pub(super) fn check(budget: &Budget<'_>) -> Option<Violation> {
    let case = budget.case;
    let charge = case.history.alarms.get(&case.stream)?;
    let work = Work::of(budget);
    let most_calls = work.alarms() * times_each(case);
    // Rows of a database that is full are freed when a segment goes to R2.
    let full = &[Harm::DatabaseFull, Harm::DatabaseOverrun];
    let freed = match case.history.harms.has_stream(case.stream, full, 0..=u64::MAX) {
        true => case.iter().map(|(_, op)| budget.content_rows(op)).sum(),
        false => 0,
    };
    let most_rows = NEXT * charge.calls + work.rows() + freed;
    let message = if charge.asked > most_calls {
        format!("the alarm went off {} times, where {most_calls} do", charge.asked)
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
    use crate::judge::checker::fixture::{Fixture, acked, created, page};
    use crate::judge::history::Lifetime;
    use crate::world::AlarmCharge;

    /// A stream of one segment, created and appended to, with these harms at these virtual ms.
    fn run(harms: &[(u64, Harm)]) -> Fixture {
        let mut run = Fixture::json();
        (run.history.conditions.row_bytes, run.history.conditions.sweep_page) = (100, 1_000);
        run.history.conditions.orphan_age_ms = 10_000;
        run.create(Lifetime::Endless, created(0));
        run.append(1, acked(0, 1));
        harms.iter().for_each(|(at_ms, harm)| run.history.harms.harm_stream(0, *at_ms, *harm));
        run
    }

    fn check(mut run: Fixture, calls: u64, rows: u64, expected: usize) {
        run.history.alarms.insert(0, AlarmCharge { calls, asked: calls, rows });
        let found = super::check(&Budget::of(&run.case()));
        assert_eq!(found.iter().count(), expected, "{calls} calls, {rows} rows: {found:?}");
    }

    #[test]
    fn an_alarm_goes_off_for_what_there_is_to_do() {
        // To spare 4; a segment, a removal and its end, two sweeps.
        let idle = 4 + 1 + 2 + 2;
        check(run(&[]), idle, 0, 0);
        check(run(&[]), idle + 1, 0, 1);
        // Two failures within 20 s: as many more, and seven sweeps.
        let failing = [(5_000, Harm::PutFailed), (25_000, Harm::ListingFailed)];
        check(run(&failing), idle + 2 + 7, 0, 0);
        check(run(&failing), idle + 2 + 7 + 1, 0, 1);
    }

    #[test]
    fn a_sliding_end_is_looked_for_again_after_each_touch() {
        for (asked, expected) in [(16, 0), (17, 1)] {
            let mut run = Fixture::json();
            run.history.conditions.sweep_page = 1_000;
            run.create(Lifetime::Ttl(40), created(0));
            (0..6).for_each(|_| run.walk(&[], page(0, 0)));
            // To spare 4; a segment, a removal and its end, two sweeps, and seven requests.
            check(run, asked, 0, expected);
        }
    }

    #[test]
    fn clocks_that_differ_bring_an_alarm_again_and_later_each_time() {
        for (apart_ms, calls, expected) in [(50, 27, 0), (50, 28, 1), (6_400, 81, 0), (6_400, 82, 1)] {
            let mut run = run(&[]);
            run.history.conditions.clocks_apart_ms = apart_ms;
            check(run, calls, 0, expected);
        }
    }

    #[test]
    fn alarms_write_for_what_they_do() {
        let rows = 4 + STORED + RECORDS + REMOVAL + 2 * SWEPT;
        for (calls, rows, expected) in [(2, 2 + rows, 0), (2, 3 + rows, 1), (3, 3 + rows, 0)] {
            check(run(&[]), calls, rows, expected);
        }
        check(run(&[(5_000, Harm::DatabaseFull)]), 0, rows + FAILED + 5 * SWEPT + 1, 0);
        check(run(&[(5_000, Harm::DatabaseFull)]), 0, rows + FAILED + 5 * SWEPT + 2, 1);
    }
}
