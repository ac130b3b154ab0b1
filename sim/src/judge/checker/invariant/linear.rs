//! Appends and strong reads of a stream happen in one order that real time agrees with.
//!
//! An append names its own place, and a read that reaches the tail names the place where it stood. So the order is
//! known, and what is left to check is that nobody who asked later stood earlier. A lost answer orders nothing: it may
//! have happened at any later time, or never.

use std::collections::HashMap;

use crate::judge::checker::case::{Case, Sight};
use crate::judge::checker::{Invariant, Placed, Violation};
use crate::judge::history::{Call, Moment, Op};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = inversions(case);
    violations.extend(resurrections(case));
    violations.extend(prophecies(case));
    violations
}

/// One pass over ends and beginnings in the order of time, holding the farthest that was seen so far.
fn inversions(case: &Case<'_>) -> Vec<Violation> {
    enum Edge {
        Began,
        Ended,
    }
    let sights = case.sights();
    let mut edges: Vec<(Moment, Edge, &Sight)> = Vec::with_capacity(2 * sights.len());
    for sight in &sights {
        edges.push((sight.invoked, Edge::Began, sight));
        edges.push((sight.settled, Edge::Ended, sight));
    }
    edges.sort_by_key(|(moment, ..)| *moment);
    // An append that a later read lacks is for `durable` to judge; all other pairs are judged here.
    let (mut farthest_read, mut farthest_write): (Option<&Sight>, Option<&Sight>) = (None, None);
    let mut floors: std::collections::BTreeMap<usize, [Option<&Sight>; 2]> = std::collections::BTreeMap::new();
    let mut violations = Vec::new();
    for (_, edge, sight) in edges {
        match edge {
            Edge::Began => {
                floors.insert(sight.op, [farthest_read, farthest_write.filter(|_| sight.writes)]);
            }
            Edge::Ended => {
                let floors = floors.remove(&sight.op).unwrap_or_default();
                let passed = floors.into_iter().flatten().find(|floor| sight.before.is_some_and(|at| at < floor.after));
                if let (Some(floor), Some(at)) = (passed, sight.before) {
                    let message =
                        format!("it stood at {at} although {} had been seen before it was asked", floor.after);
                    violations.push(case.violation(Invariant::Linear, &[floor.op, sight.op], message));
                }
                let farthest = if sight.writes { &mut farthest_write } else { &mut farthest_read };
                if farthest.is_none_or(|farthest| farthest.after < sight.after) {
                    *farthest = Some(sight);
                }
            }
        }
    }
    violations
}

/// A stream that was deleted, or was not there, is there again only if somebody may have created it.
fn resurrections(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_absence = |op: &Op| match op.call {
        Call::Delete => matches!(op.status(), Some(204 | 404)),
        Call::Live { .. } => false,
        _ => op.status() == Some(404),
    };
    let mut absences: Vec<(usize, &Op)> =
        case.iter().filter(|(_, op)| is_absence(op) && case.history.is_strong(op)).collect();
    absences.sort_by_key(|(_, op)| op.settled());
    for (index, op) in case.iter() {
        if !case.was_present(op) || case.was_absent(op) || !case.history.is_strong(op) {
            continue;
        }
        let until = op.ended.unwrap_or(op.settled());
        let Some((gone, missed)) = absences.iter().rev().find(|(_, other)| other.precedes(op)) else { continue };
        let flight_ms = case.history.conditions.flight_ms();
        if matches!(op.call, Call::Live { .. }) && op.invoked.ms <= missed.settled().ms + flight_ms {
            continue;
        }
        let created = case.creations().any(|(_, other)| other.settled() > missed.invoked && other.invoked < until);
        if !created {
            let message = "the stream was gone, nobody created it again, and it is there".to_owned();
            violations.push(case.violation(Invariant::Linear, &[*gone, index], message));
        }
    }
    violations
}

/// Nobody reads what has not been sent yet.
fn prophecies(case: &Case<'_>) -> Vec<Violation> {
    let mut sent: HashMap<usize, Moment> = HashMap::new();
    for (batch, op) in case.iter().filter_map(|(_, op)| Some((op.batch()?, op))) {
        let first = sent.entry(batch).or_insert(op.invoked);
        *first = op.invoked.min(*first);
    }
    // Each batch that was found, and when it was sent first.
    let placed: Vec<(&Placed, Option<Moment>)> =
        case.log.placed.iter().map(|placed| (placed, sent.get(&placed.batch).copied())).collect();
    let last_sent = placed.iter().filter_map(|(_, sent)| *sent).max();
    let mut violations = Vec::new();
    for page in case.log.pages.iter().filter(|page| page.units > 0 && last_sent > Some(page.shown)) {
        // The page that a 304 confirms was shown earlier.
        if case.op(page.op).status() == Some(304) {
            continue;
        }
        for (placed, sent) in placed.iter().filter(|(placed, _)| placed.start.segment == page.to.segment) {
            if placed.end <= page.to && *sent > Some(page.shown) {
                let message = format!("batch {} was read before it was sent", placed.batch);
                violations.push(case.violation(Invariant::Linear, &[page.op], message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, created, deleted, duplicate, empty, hit, page, part, run, tail, written,
    };
    use crate::judge::history::Lifetime;
    use crate::judge::history::Mode;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Linear, super::check, expected);
    }

    #[test]
    fn one_after_the_other_is_linear() {
        let mut run = run();
        run.head(tail(0, 0));
        run.append(1, acked(0, 1));
        run.head(tail(0, 1));
        run.append(1, None);
        run.head(tail(0, 1));
        run.walk(&[0, 1], page(0, 2));
        run.append(1, acked(0, 3));
        check(&run, 0);
    }

    #[test]
    fn a_later_append_does_not_stand_before_an_earlier_one() {
        let mut run = run();
        run.append(1, acked(0, 2));
        run.append(1, acked(0, 1));
        check(&run, 1);
    }

    #[test]
    fn a_later_append_does_not_stand_before_a_read_tail() {
        let mut run = run();
        run.head(tail(0, 1));
        run.append(1, acked(0, 1));
        check(&run, 1);
    }

    #[test]
    fn a_later_read_does_not_stand_before_an_earlier_one() {
        let mut run = run();
        run.head(tail(0, 1));
        run.head(tail(0, 0));
        check(&run, 1);
    }

    #[test]
    fn overlapping_requests_may_stand_in_either_order() {
        for ends in [(1, 2), (2, 1)] {
            let mut run = run();
            let first = run.begin_append(1);
            let second = run.begin_append(1);
            run.end(first, acked(0, ends.0));
            run.end(second, acked(0, ends.1));
            check(&run, 0);
        }
    }

    #[test]
    fn a_deleted_stream_stays_deleted_until_it_is_created() {
        for (creation, expected) in [(None, 1), (Some(created(1)), 0), (Some(None), 0)] {
            let mut run = run();
            run.delete(deleted());
            run.head(absent());
            if let Some(answer) = creation {
                run.create(Lifetime::Endless, answer);
            }
            run.head(tail(1, 0));
            check(&run, expected);
        }
    }

    #[test]
    fn a_copy_of_a_deleted_stream_does_not_say_that_it_is_there() {
        for (answer, expected) in [(hit(1, part(0, 1)), 0), (part(0, 1), 1)] {
            let mut run = run();
            run.append(2, acked(0, 2));
            run.delete(deleted());
            run.walk_messages(&[(0, 0)], answer);
            check(&run, expected);
        }
    }

    #[test]
    fn what_was_not_there_is_not_there_until_it_is_created() {
        for (creation, expected) in [(None, 1), (Some(created(1)), 0), (Some(None), 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(40), created(0));
            run.walk(&[], absent());
            if let Some(answer) = creation {
                run.create(Lifetime::Endless, answer);
            }
            run.head(tail(1, 0));
            check(&run, expected);
        }
    }

    #[test]
    fn a_duplicate_of_an_older_batch_is_told_the_tail() {
        for (told, expected) in [(2, 1), (3, 0)] {
            let mut run = run();
            run.produce(0, 0, written(0, 1));
            run.produce(0, 1, written(0, 2));
            run.append(1, acked(0, 3));
            run.head(tail(0, 3));
            run.retry(0, duplicate(0, told, 1));
            check(&run, expected);
        }
    }

    #[test]
    fn a_reader_may_share_a_flight_that_began_before_the_deletion() {
        for (late_ms, expected) in [(0, 0), (24_000, 0), (26_000, 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.delete(deleted());
            run.wait_ms(late_ms);
            run.poll(reader, empty(0, 0, 1_000_000));
            check(&run, expected);
        }
    }

    #[test]
    fn nothing_is_read_before_it_is_sent() {
        for (sent_first, expected) in [(true, 0), (false, 1)] {
            let mut run = run();
            if sent_first {
                let append = run.begin_append(1);
                run.walk(&[0], page(0, 1));
                run.end(append, acked(0, 1));
            } else {
                run.reserve(1);
                run.walk(&[0], page(0, 1));
                run.send_reserved(0, acked(0, 1));
            }
            // A later append that stands before a read tail is an inversion as well.
            let found = super::check(&run.case());
            assert_eq!(found.iter().any(|violation| violation.message.contains("before it was sent")), expected == 1);
        }
    }
}
