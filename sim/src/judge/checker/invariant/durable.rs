//! An acknowledged append is in every later strong read until the stream is deleted or expires.

use std::collections::BTreeMap;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, From, Lifetime, Op};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = tails_behind_acknowledgements(case);
    violations.extend(unexplained_absences(case));
    violations.extend(batches_missing_in_walks(case));
    violations
}

/// Positions grow over all incarnations of a URL, so the end of the log is never before an acknowledged append.
fn tails_behind_acknowledgements(case: &Case<'_>) -> Vec<Violation> {
    let sights = case.sights();
    let mut violations = Vec::new();
    for seen in sights.iter().filter(|sight| !sight.writes) {
        let Some(tail) = seen.before else { continue };
        let reader = case.op(seen.op);
        let lost = sights.iter().find(|sight| sight.writes && sight.after > tail && case.op(sight.op).precedes(reader));
        if let Some(append) = lost {
            let message =
                format!("the log ends at {tail}, but an append up to {} was acknowledged before", append.after);
            violations.push(case.violation(Invariant::Durable, &[append.op, seen.op], message));
        }
    }
    violations
}

/// A stream that never ends by itself is gone only if somebody may have deleted it.
fn unexplained_absences(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let endless = case.lifetimes(op.ended.unwrap_or(op.settled())).all(|lifetime| lifetime == Lifetime::Endless);
        if let Some(before) = endless.then(|| unexplained(case, op)).flatten() {
            let message = "the stream is gone, and nobody deleted it".to_owned();
            violations.push(case.violation(Invariant::Durable, &[before, index], message));
        }
    }
    violations
}

/// The last answer that saw the stream before `op` did not, if nothing can have removed it in between. What a waiting
/// reader was told may be older than its request: it is none.
pub(super) fn unexplained(case: &Case<'_>, op: &Op) -> Option<usize> {
    if !case.was_absent(op) || !case.history.is_strong(op) {
        return None;
    }
    let seen = case
        .iter()
        .filter(|(_, other)| other.precedes(op) && case.was_present(other) && case.history.is_strong(other))
        .filter(|(_, other)| !matches!(other.call, Call::Live { .. }))
        .max_by_key(|(_, other)| other.invoked)?;
    if case.removable(seen.0, op) { None } else { Some(seen.0) }
}

/// A walk from the start to the tail shows all that was acknowledged before it began.
fn batches_missing_in_walks(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let acknowledged: Vec<(usize, usize)> = case
        .iter()
        .filter(|(_, op)| case.history.acknowledged(op))
        .filter_map(|(index, op)| op.batch().map(|batch| (index, batch)))
        .collect();
    for walk in walks(case) {
        let (Some(first), Some(last)) = (walk.first().map(|op| case.op(*op)), walk.last()) else { continue };
        let end = case.op(*last);
        let (Some(begin), Some(tail)) = (case.offset(first), case.offset(end)) else { continue };
        for (ack, batch) in acknowledged.iter().filter(|(ack, _)| case.op(*ack).precedes(first)) {
            let held = case.log.holds(*batch).any(|placed| placed.start.segment >= begin.segment && placed.end <= tail);
            // A duplicate may have been written by the first request that carried it.
            let sent = case.carriers(*batch).map(|(index, _)| index).min().unwrap_or(*ack);
            if !held && !case.removable(sent, end) {
                let message = format!("batch {batch} was acknowledged, and a read of the whole stream lacks it");
                violations.push(case.violation(Invariant::Durable, &[*ack, *last], message));
            }
        }
    }
    violations
}

/// Walks that went from the start to the tail, all strong.
fn walks(case: &Case<'_>) -> Vec<Vec<usize>> {
    let mut walks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, op) in case.iter() {
        if let Call::Read { walk, .. } = op.call {
            walks.entry(walk).or_default().push(index);
        }
    }
    let complete = |ops: &Vec<usize>| {
        let from_start =
            ops.first().is_some_and(|op| matches!(case.op(*op).call, Call::Read { from: From::Start, .. }));
        let to_tail = ops.last().and_then(|op| case.history.shown(case.op(*op))).is_some_and(|shown| shown.up_to_date);
        let whole =
            ops.iter().all(|op| case.history.shown(case.op(*op)).is_some() && case.history.is_true(case.op(*op)));
        // Pages before the tail never change, whoever has kept them.
        from_start && to_tail && whole && ops.last().is_some_and(|op| case.history.is_strong(case.op(*op)))
    };
    walks.into_values().filter(complete).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, absent, acked, created, deleted, hit, page, part, tail};
    use crate::world::Harm;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Durable, super::check, expected);
    }

    #[test]
    fn an_acknowledged_append_that_is_read_is_durable() {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        run.walk(&[0], page(0, 2));
        run.head(tail(0, 2));
        check(&run, 0);
    }

    #[test]
    fn an_acknowledged_append_must_be_read() {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(1, acked(0, 1));
        run.append(1, acked(0, 2));
        run.walk(&[0], page(0, 1));
        check(&run, 2);
    }

    #[test]
    fn a_walk_by_way_of_copies_shows_all_that_was_acknowledged_if_its_end_is_none() {
        for (end, expected) in [(page(0, 2), 2), (hit(1, page(0, 2)), 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            run.append(1, acked(0, 3));
            run.walk_messages(&[(0, 0)], hit(1, part(0, 1)));
            let second = run.json_of(&[0]).len();
            run.follow_bytes(&run.clone().json_of(&[0])[..second], end);
            check(&run, expected);
        }
    }

    #[test]
    fn a_lost_append_may_be_missing_and_may_be_there() {
        for shown in [&[0][..], &[0, 1]] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(1, acked(0, 1));
            run.append(1, None);
            run.walk(shown, page(0, shown.len() as u64));
            check(&run, 0);
        }
    }

    #[test]
    fn a_tail_before_an_acknowledged_append_is_a_loss() {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        run.head(tail(0, 1));
        check(&run, 1);
    }

    #[test]
    fn a_superseded_instance_may_show_an_earlier_tail_where_its_reads_do_not_fail() {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        run.head(tail(0, 1));
        check(&run, 1);
        let request = run.history.ops.last().expect("HEAD").request;
        run.history.harms.harm_request(request, Harm::Stale);
        check(&run, 0);
    }

    #[test]
    fn a_batch_of_an_expired_stream_is_not_missed_in_the_next() {
        for creation in [created(1), None] {
            let mut run = Fixture::json();
            run.create(Lifetime::Ttl(2), created(0));
            run.append(1, acked(0, 1));
            run.wait_ms(3_000);
            run.create(Lifetime::Ttl(2), creation);
            run.walk(&[], page(1, 0));
            run.walk(&[], page(1, 0));
            check(&run, 0);
        }
    }

    #[test]
    fn a_stream_is_gone_only_if_somebody_may_have_deleted_it() {
        for (deletion, expected) in [(Some(deleted()), 0), (Some(None), 0), (Some(absent()), 2), (None, 1)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            if let Some(answer) = deletion {
                run.delete(answer);
            }
            run.head(absent());
            check(&run, expected);
        }
    }
}
