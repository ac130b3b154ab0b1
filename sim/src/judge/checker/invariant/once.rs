//! A producer's (epoch, seq) is in the log at most once; a stale epoch writes nothing; a refused batch leaves no trace. A
//! stream keeps so many producers at most, and one that has been idle for long may lose its place: then it begins anew.

use std::collections::BTreeMap;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, LogPosition, Placed, Violation};
use crate::judge::history::{Call, Stamp};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = traces_of_refusals(case);
    violations.extend(false_duplicates(case));
    violations.extend(repeated_tuples(case));
    violations.extend(producers_out_of_order(case));
    violations.extend(stream_seqs_out_of_order(case));
    violations.extend(too_many_producers(case));
    violations
}

/// As many producers as a stream keeps have appended lately, and another one had no place.
fn too_many_producers(case: &Case<'_>) -> Vec<Violation> {
    let conditions = &case.history.conditions;
    let mut violations = Vec::new();
    // Each producer with its latest append that is certainly later than the one before.
    let mut kept: BTreeMap<&str, (&Placed, u64)> = BTreeMap::new();
    for placed in in_order(case) {
        let Some(stamp) = &case.history.batches[placed.batch].stamp else { continue };
        let invoked_ms = case.carriers(placed.batch).map(|(_, op)| op.invoked.ms).min().unwrap_or_default();
        let is_recent = |(other, since_ms): &(&Placed, u64)| {
            case.log.same_incarnation(other.start.segment, placed.start.segment)
                && case.applied_by_ms(placed.batch) + conditions.clocks_apart_ms
                    < since_ms + conditions.producer_idle_ms
        };
        let others = kept.iter().filter(|(name, last)| **name != stamp.producer && is_recent(last)).count();
        let is_kept = kept.get(stamp.producer.as_str()).is_some_and(is_recent);
        if others as u64 >= conditions.producers && !is_kept {
            let message = format!("{stamp:?} at {} has the place of a producer that is not idle", placed.start);
            violations.push(case.violation(Invariant::Once, &[], message));
        }
        kept.insert(&stamp.producer, (placed, invoked_ms));
    }
    violations
}

/// What is in the log was put there by a request that was not refused.
fn traces_of_refusals(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for placed in &case.log.placed {
        let refused =
            |(_, op): (usize, &crate::judge::history::Op)| op.definite().is_some() && !case.history.acknowledged(op);
        if case.carriers(placed.batch).all(refused) {
            let ops: Vec<usize> = case.carriers(placed.batch).map(|(index, _)| index).collect();
            let message = format!("batch {} was refused and is in the log at {}", placed.batch, placed.start);
            violations.push(case.violation(Invariant::Once, &ops, message));
        }
    }
    violations
}

/// A duplicate was written by another request, and is answered the place of its batch if it is its producer's last.
fn false_duplicates(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let Some((batch, stamp)) =
            op.batch().and_then(|batch| Some((batch, case.history.batches[batch].stamp.as_ref()?)))
        else {
            continue;
        };
        if op.status() != Some(204) || !matches!(op.call, Call::Append { .. }) {
            continue;
        }
        let writer = case.carriers(batch).any(|(other, carrier)| {
            let may_have_written = carrier.definite().is_none() || case.history.appended(carrier);
            other != index && may_have_written && carrier.invoked < op.ended.unwrap_or(op.settled())
        });
        if !writer {
            let message = format!("{stamp:?} was taken for a duplicate, and nothing before it can have written it");
            violations.push(case.violation(Invariant::Once, &[index], message));
        }
        let last = op.definite().is_some_and(|answer| answer.producer_seq == Some(stamp.seq));
        // Where the batch lies in another stream of this URL says nothing about this one.
        let told = case.offset(op);
        let same = |end: &LogPosition| told.is_some_and(|told| case.log.same_incarnation(end.segment, told.segment));
        let mut places = case.log.holds(batch).map(|placed| placed.end).filter(same).peekable();
        // Whose place was taken may have written the batch once more, where nobody has read it.
        let is_known = places.peek().is_some() && !case.may_have_lost_place_before(batch, op);
        if last && is_known && !places.any(|end| Some(end) == told) {
            let message = format!("the duplicate {stamp:?} was answered an offset that is not its batch's end");
            violations.push(case.violation(Invariant::Once, &[index], message));
        }
    }
    violations
}

fn repeated_tuples(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, placed) in case.log.placed.iter().enumerate() {
        let Some(stamp) = &case.history.batches[placed.batch].stamp else { continue };
        let again = case.log.placed[..index].iter().find(|other| {
            case.history.batches[other.batch].stamp.as_ref() == Some(stamp)
                && case.log.same_incarnation(other.start.segment, placed.start.segment)
                && !case.may_have_lost_place(other.batch, placed.batch)
        });
        if let Some(first) = again {
            let message = format!("{stamp:?} is in the log at {} and at {}", first.start, placed.start);
            violations.push(case.violation(Invariant::Once, &[], message));
        }
    }
    violations
}

/// In the order of the log, a producer's epochs never go back, and its sequence numbers grow by one from 0.
fn producers_out_of_order(case: &Case<'_>) -> Vec<Violation> {
    let mut last: BTreeMap<&str, (&Placed, &Stamp)> = BTreeMap::new();
    let mut violations = Vec::new();
    for placed in in_order(case) {
        let Some(stamp) = &case.history.batches[placed.batch].stamp else { continue };
        let before = last.insert(&stamp.producer, (placed, stamp));
        let before = before.filter(|(other, _)| case.log.same_incarnation(other.start.segment, placed.start.segment));
        let first = LogPosition { segment: placed.start.segment, index: 0 };
        if before.is_none()
            && stamp.seq != 0
            && case.log.starts.contains(&first.segment)
            && case.log.is_whole(first, placed.start)
        {
            let message = format!("{stamp:?} at {} is its producer's first in this incarnation", placed.start);
            violations.push(case.violation(Invariant::Once, &[], message));
        }
        let wrong = match before {
            Some((_, before)) if before.epoch == stamp.epoch => stamp.seq != before.seq + 1 && stamp.seq != before.seq,
            Some((_, before)) => stamp.epoch < before.epoch || stamp.seq != 0,
            None => false,
        };
        let gap_is_seen = before.is_some_and(|(other, before)| {
            let went_back = (before.epoch, before.seq) > (stamp.epoch, stamp.seq);
            went_back || case.log.is_whole(other.end, placed.start)
        });
        let begins_anew =
            stamp.seq == 0 && before.is_some_and(|(other, _)| case.may_have_lost_place(other.batch, placed.batch));
        if wrong && gap_is_seen && !begins_anew {
            let message = format!("{stamp:?} at {} follows {:?}", placed.start, before.map(|(_, before)| before));
            violations.push(case.violation(Invariant::Once, &[], message));
        }
    }
    violations
}

fn stream_seqs_out_of_order(case: &Case<'_>) -> Vec<Violation> {
    let mut last: Option<(&Placed, &String)> = None;
    let mut violations = Vec::new();
    for placed in in_order(case) {
        let Some(seq) = &case.history.batches[placed.batch].stream_seq else { continue };
        let before = last.replace((placed, seq));
        let before = before.filter(|(other, _)| case.log.same_incarnation(other.start.segment, placed.start.segment));
        if let Some((_, before)) = before.filter(|(_, before)| *before >= seq) {
            let message = format!("Stream-Seq {seq} at {} follows {before}", placed.start);
            violations.push(case.violation(Invariant::Once, &[], message));
        }
    }
    violations
}

fn in_order<'a>(case: &'a Case<'_>) -> Vec<&'a Placed> {
    let mut placed: Vec<&Placed> = case.log.placed.iter().collect();
    placed.sort_by_key(|placed| placed.start);
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    use crate::judge::checker::fixture::{
        Fixture, acked, created, deleted, duplicate, page, part, refused, run, written,
    };
    use crate::judge::history::{ClientAnswer, Content, Lifetime};

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Once, super::check, expected);
    }

    #[test]
    fn a_retry_of_a_lost_append_is_a_duplicate() {
        let mut run = run();
        run.produce(0, 0, None);
        run.retry(0, duplicate(0, 1, 0));
        run.walk(&[0], page(0, 1));
        check(&run, 0);
    }

    #[test]
    fn a_retry_that_is_written_again_is_found() {
        let mut run = run();
        run.produce(0, 0, None);
        run.retry(0, written(0, 2));
        run.walk(&[0, 0], page(0, 2));
        check(&run, 1);
    }

    /// A run in which a stream keeps one producer, which may lose its place after 10 s.
    fn crowded() -> Fixture {
        let mut run = run();
        run.history.conditions.producers = 1;
        run.history.conditions.producer_idle_ms = 10_000;
        run
    }

    #[test]
    fn a_producer_that_was_idle_among_too_many_may_begin_anew() {
        for (producers, idle_ms, expected) in [(1, 11_000, 0), (2, 11_000, 1), (1, 4_000, 1)] {
            let mut run = crowded();
            run.history.conditions.producers = producers;
            run.produce(3, 0, written(0, 1));
            run.wait_ms(11_000);
            run.produce_as("q", 0, 0, written(0, 2));
            run.wait_ms(idle_ms);
            run.retry(0, written(0, 3));
            run.walk(&[0, 1, 0], page(0, 3));
            check(&run, expected);
        }
        let mut run = crowded();
        run.produce(3, 0, written(0, 1));
        run.wait_ms(11_000);
        run.produce_as("q", 0, 0, written(0, 2));
        run.wait_ms(11_000);
        run.produce(1, 0, written(0, 3));
        run.walk(&[0, 1, 2], page(0, 3));
        check(&run, 0);
    }

    #[test]
    fn a_producer_that_may_have_begun_anew_may_be_told_a_place_that_nobody_has_read() {
        for (producers, idle_ms, expected) in [(1, 11_000, 0), (1, 4_000, 1), (2, 11_000, 1)] {
            let mut run = crowded();
            run.history.conditions.producers = producers;
            run.produce(0, 0, written(0, 1));
            run.walk(&[0], page(0, 1));
            run.wait_ms(idle_ms);
            run.produce_as("q", 0, 0, None);
            run.retry(0, None);
            run.retry(0, duplicate(0, 3, 0));
            check(&run, expected);
        }
    }

    #[test]
    fn a_producer_that_takes_the_place_of_one_that_is_not_idle_is_found() {
        for (idle_ms, expected) in [(0, 1), (9_000, 1), (11_000, 0)] {
            let mut run = crowded();
            run.produce(0, 0, written(0, 1));
            run.wait_ms(idle_ms);
            run.produce_as("q", 0, 0, written(0, 2));
            run.walk(&[0, 1], page(0, 2));
            check(&run, expected);
        }
    }

    #[test]
    fn a_new_epoch_that_is_taken_for_a_duplicate_is_found() {
        let mut run = run();
        run.produce(0, 0, written(0, 1));
        run.produce(1, 0, duplicate(0, 1, 0));
        check(&run, 1);
    }

    #[test]
    fn a_duplicate_of_an_earlier_stream_is_not_held_against_the_next() {
        for (told, expected) in [((0, 1), 0), ((1, 1), 0), ((1, 7), 1)] {
            let mut run = run();
            run.produce(0, 0, None);
            if told.0 == 0 {
                run.retry(0, duplicate(0, 1, 0));
            }
            run.delete(deleted());
            run.create(Lifetime::Endless, created(1));
            run.retry(0, written(1, 1));
            if told.0 == 1 {
                run.retry(0, duplicate(1, told.1, 0));
            }
            check(&run, expected);
        }
    }

    #[test]
    fn a_duplicate_is_told_the_end_of_its_own_batch() {
        for (told, expected) in [(1, 0), (2, 1)] {
            let mut run = run();
            run.produce(0, 0, written(0, 1));
            run.append(1, acked(0, 2));
            run.retry(0, duplicate(0, told, 0));
            check(&run, expected);
        }
    }

    #[test]
    fn a_refused_batch_leaves_no_trace_and_a_lost_one_may() {
        for (answer, expected) in [(refused(400), 1), (None, 0), (acked(0, 1), 0)] {
            let mut run = run();
            run.append(1, answer);
            run.walk(&[0], page(0, 1));
            check(&run, expected);
        }
    }

    #[test]
    fn a_stale_epoch_and_a_gap_in_the_log_are_found() {
        for (second, expected) in [((0, 1), 0), ((1, 0), 0), ((0, 2), 1), ((1, 1), 1)] {
            let mut run = run();
            run.produce(0, 0, written(0, 1));
            run.produce(second.0, second.1, written(0, 2));
            check(&run, expected);
        }
        let mut run = run();
        run.produce(1, 0, written(0, 1));
        run.produce(0, 0, written(0, 2));
        check(&run, 1);
        // The first batch of epoch 1 is somewhere in between, and no answer told where.
        let mut unseen = self::run();
        unseen.produce(0, 7, written(0, 9));
        unseen.produce(1, 1, written(1, 1));
        check(&unseen, 0);
    }

    #[test]
    fn a_producer_begins_at_zero() {
        for (seq, expected) in [(0, 0), (1, 1)] {
            let mut run = run();
            run.append(1, acked(0, 1));
            run.produce(0, seq, written(0, 2));
            check(&run, expected);
        }
    }

    #[test]
    fn a_batch_is_found_after_one_of_which_a_part_is_known() {
        for (seq, expected) in [(1, 0), (2, 1)] {
            let mut run = Fixture::bytes();
            run.create(Lifetime::Endless, created(0));
            run.append(2, None);
            run.produce(0, 0, None);
            run.produce(0, seq, None);
            let bytes: Vec<u8> = run.history.batches.iter().flat_map(|batch| batch.messages.concat()).collect();
            let (known, rest) = (20, run.history.batches[0].units(Content::Bytes) - 3);
            run.walk_bytes(&bytes[..known], part(0, known as u64));
            let body = Bytes::copy_from_slice(&bytes[rest as usize..]);
            let last = page(0, bytes.len() as u64).map(|answer| ClientAnswer { body, ..answer });
            run.read_at((0, rest), last);
            check(&run, expected);
        }
    }

    #[test]
    fn stream_seqs_grow() {
        for (second, expected) in [("b", 0), ("a", 1), ("A", 1)] {
            let mut run = run();
            run.append_with_seq("a", acked(0, 1));
            run.append_with_seq(second, acked(0, 2));
            check(&run, expected);
        }
    }

    #[test]
    fn the_next_incarnation_knows_no_producer() {
        let mut run = run();
        run.produce(0, 0, None);
        run.delete(refused(204));
        run.create(Lifetime::Endless, created(1));
        run.retry(0, written(1, 1));
        run.walk(&[0], page(1, 1));
        check(&run, 0);
    }
}
