//! Nothing is in the log after the close, and everyone who reaches the end learns of it.

use crate::judge::checker::case::{Case, Sight};
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, Op};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let sights = case.sights();
    let closures: Vec<&Sight> = sights.iter().filter(|sight| sight.closed).collect();
    let mut violations = Vec::new();
    for (index, closure) in closures.iter().enumerate() {
        let same = |segment| case.log.same_incarnation(segment, closure.after.segment);
        if let Some(other) =
            closures[..index].iter().find(|other| same(other.after.segment) && other.after != closure.after)
        {
            let message = format!("the stream is closed at {} and at {}", other.after, closure.after);
            violations.push(case.violation(Invariant::Closed, &[other.op, closure.op], message));
        }
        let after = case.log.placed.iter().find(|placed| same(placed.start.segment) && placed.end > closure.after);
        if let Some(placed) = after {
            let message =
                format!("batch {} lies at {}, after the close at {}", placed.batch, placed.start, closure.after);
            violations.push(case.violation(Invariant::Closed, &[closure.op], message));
        }
        let unaware = sights.iter().find(|sight| {
            let op = case.op(sight.op);
            same(sight.after.segment) && closure.settled.tick < op.invoked.tick && says_open(op, sight)
        });
        if let Some(sight) = unaware {
            let message = "the stream was closed, and is told to be open".to_owned();
            violations.push(case.violation(Invariant::Closed, &[closure.op, sight.op], message));
        }
    }
    violations.extend(closed_mid_stream(case));
    violations
}

/// Whether the answer tells that the stream was open when it took effect: an append that was written, or a tail
/// without `Stream-Closed`.
/// A 304 tells what the answer told whose tag it confirms.
fn says_open(op: &Op, sight: &Sight) -> bool {
    match op.call {
        Call::Append { .. } => sight.writes,
        Call::Create { .. } => op.status() == Some(200) && !sight.closed,
        _ => sight.before.is_some() && !sight.closed,
    }
}

/// A page that ends before the tail does not say that the stream ends.
fn closed_mid_stream(case: &Case<'_>) -> Vec<Violation> {
    let reads = case.iter().filter(|(_, op)| matches!(op.call, Call::Read { .. }) && op.status() == Some(200));
    reads
        .filter(|(_, op)| op.definite().is_some_and(|answer| answer.closed && !answer.up_to_date))
        .map(|(index, _)| {
            case.violation(
                Invariant::Closed,
                &[index],
                "a page before the tail says that the stream is closed".to_owned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, closed, created, deleted, delivery, page, part, tail};
    use crate::judge::history::{Delivery, Lifetime, Mode};

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Closed, super::check, expected);
    }

    fn run() -> Fixture {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(1, acked(0, 1));
        run.close(closed(acked(0, 1)));
        run
    }

    #[test]
    fn a_closed_stream_is_told_closed_from_then_on() {
        let mut run = run();
        run.head(closed(tail(0, 1)));
        run.walk(&[0], closed(page(0, 1)));
        run.delete(deleted());
        run.create(Lifetime::Endless, created(1));
        run.append(1, acked(1, 1));
        run.head(tail(1, 1));
        check(&run, 0);
    }

    #[test]
    fn a_read_that_misses_the_close_is_found() {
        let mut run = run();
        run.walk(&[0], page(0, 1));
        check(&run, 1);
    }

    #[test]
    fn an_append_behind_the_close_is_found() {
        let mut run = run();
        run.append(1, acked(0, 2));
        // It lies after the close, and it was told that the stream is open.
        check(&run, 2);
    }

    #[test]
    fn two_ends_are_found() {
        let mut run = run();
        run.append(1, None);
        run.head(closed(tail(0, 2)));
        check(&run, 1);
    }

    #[test]
    fn a_304_does_not_hide_the_close() {
        for (told, expected) in [(page(0, 1), 1), (closed(page(0, 1)), 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(1, acked(0, 1));
            let was_closed = told.as_ref().is_some_and(|answer| answer.closed);
            if was_closed {
                run.close(closed(acked(0, 1)));
            }
            run.walk(&[0], told);
            if !was_closed {
                run.close(closed(acked(0, 1)));
            }
            run.revalidate();
            check(&run, expected);
        }
    }

    #[test]
    fn a_live_reader_that_is_told_another_end_is_found() {
        for (end, expected) in [(1, 0), (2, 1)] {
            let mut run = run();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.deliver(reader, op, Delivery { closed: true, ..delivery(None, 0, end, 3) });
            check(&run, expected);
        }
    }

    #[test]
    fn a_page_before_the_tail_does_not_close() {
        let mut run = run();
        run.walk(&[0], closed(part(0, 1)));
        check(&run, 1);
    }
}
