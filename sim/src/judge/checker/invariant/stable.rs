//! An emitted offset is unique, sorts in order, is never used again for other bytes and reads the same ones as long as
//! its incarnation lives; to the next incarnation it is gone, also under a reader that waits.

use std::collections::BTreeMap;

use super::exact::{is_reuse, op_of};
use crate::judge::checker::case::Case;
use crate::judge::checker::log::Contradiction;
use crate::judge::checker::{Invariant, LogPosition, Violation};
use crate::judge::history::{Call, ClientAnswer, From, Op};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        case.log.contradictions.iter().filter_map(|contradiction| judge(case, contradiction)).collect();
    violations.extend(broken_promises(case));
    violations.extend(fed_by_a_successor(case));
    violations.extend(incarnations_that_go_back(case));
    violations.extend(second_spellings(case));
    violations.extend(ambiguous_tags(case));
    violations
}

fn judge(case: &Case<'_>, contradiction: &Contradiction) -> Option<Violation> {
    match contradiction {
        Contradiction::Differs { at, first, then } if is_reuse(*first, *then) => {
            let ops: Vec<usize> = [first, then].into_iter().filter_map(|source| op_of(*source)).collect();
            Some(case.violation(Invariant::Stable, &ops, format!("{at} was used for two different things")))
        }
        Contradiction::Malformed { op } => {
            let text = case.op(*op).definite().and_then(|answer| answer.next_offset.clone());
            Some(case.violation(Invariant::Stable, &[*op], format!("{text:?} is no offset")))
        }
        _ => None,
    }
}

/// An offset that was emitted is readable, and so is every position before it in its segment, unless its incarnation
/// may have ended.
fn broken_promises(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let (Call::Read { from: From::At(text), .. } | Call::Live { from: From::At(text), .. }) = &op.call else {
            continue;
        };
        let Some(asked) = LogPosition::parse(text) else { continue };
        let mut emitted = emitted_before(case, asked, op);
        let complaint = match op.status() {
            Some(200 | 304) => {
                let read = case.offset(op).map_or(asked.segment, |offset| offset.segment);
                let next = case.log.starts.range(asked.segment + 1..).next().filter(|start| **start <= read);
                next.map(|start| format!("{asked} is of an earlier stream than the one that begins at {start}:0"))
            }
            Some(400) if case.is_refused_by_another_clock(op) => None,
            Some(400) if case.history.is_strong(op) => {
                emitted.next().map(|_| format!("{asked} was emitted, and is refused as malformed or beyond the tail"))
            }
            Some(410) if case.history.is_strong(op) => emitted
                .find(|emitter| case.history.is_strong(case.op(*emitter)) && !case.removable(*emitter, op))
                .map(|_| format!("{asked} is gone, and nobody can have removed its stream")),
            _ => None,
        };
        if let Some(complaint) = complaint {
            violations.push(case.violation(Invariant::Stable, &[index], complaint));
        }
    }
    violations
}

/// Operations that had emitted this offset, or one after it in its segment, when `op` was asked.
fn emitted_before<'a>(case: &'a Case<'_>, asked: LogPosition, op: &'a Op) -> impl Iterator<Item = usize> + 'a {
    let covers = move |text: Option<&str>| {
        text.and_then(LogPosition::parse).is_some_and(|told| told.segment == asked.segment && told.index >= asked.index)
    };
    let told = case.iter().filter(move |(_, other)| {
        other.precedes(op) && other.definite().is_some_and(|answer| covers(answer.next_offset.as_deref()))
    });
    let sent = case.arrivals().filter(move |arrival| covers(arrival.next_offset) && arrival.at.tick < op.invoked.tick);
    told.map(|(index, _)| index).chain(sent.map(|arrival| arrival.op))
}

/// A live reader of a stream that has ended is never sent what the next one at its URL holds.
fn fed_by_a_successor(case: &Case<'_>) -> Vec<Violation> {
    let fed = case.log.pages.iter().filter(|page| page.live).filter_map(|page| {
        let from = page.from?.segment;
        let start = (from < page.to.segment).then(|| case.log.starts.range(from + 1..=page.to.segment).next())??;
        Some((page.op, *start))
    });
    fed.map(|(op, start)| {
        let message = format!("a live reader of an earlier stream is sent what begins at {start}:0");
        case.violation(Invariant::Stable, &[op], message)
    })
    .collect()
}

/// A new incarnation's positions lie above all that were emitted before.
fn incarnations_that_go_back(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let created = matches!(op.call, Call::Create { .. }) && op.status() == Some(201);
        let Some(start) = case.offset(op).filter(|_| created) else { continue };
        let above = case
            .iter()
            .filter(|(_, other)| other.precedes(op))
            .find(|(_, other)| case.offset(other).is_some_and(|offset| offset.segment >= start.segment))
            .map(|(index, _)| index);
        // Texts of offsets order as the offsets do.
        let first = format!("{:016}_", start.segment);
        let sent = || {
            let mut before = case.arrivals().filter(|arrival| arrival.at.tick < op.invoked.tick);
            before.find(|arrival| arrival.next_offset.is_some_and(|next| next >= first.as_str()))
        };
        if let Some(above) = above.or_else(|| sent().map(|arrival| arrival.op)) {
            let message = format!("a new stream begins in segment {}, which had been used", start.segment);
            violations.push(case.violation(Invariant::Stable, &[above, index], message));
        }
    }
    violations
}

/// The end of a segment and the start of the next one are one position, and only the first is emitted.
fn second_spellings(case: &Case<'_>) -> Vec<Violation> {
    let second = |offset: &LogPosition| {
        offset.index == 0
            && !case.log.starts.contains(&offset.segment)
            && offset.segment > 0
            && case.log.is_used(offset.segment - 1)
            && case.log.same_incarnation(offset.segment - 1, offset.segment)
    };
    let emitted = case.iter().filter_map(|(index, op)| case.offset(op).map(|offset| (index, offset)));
    let sent = case.arrivals().filter_map(|arrival| Some((arrival.op, LogPosition::parse(arrival.next_offset?)?)));
    emitted
        .chain(sent)
        .filter(|(_, offset)| second(offset))
        .map(|(index, offset)| {
            let message = format!("{offset} is the end of the segment before it, and should be spelled so");
            case.violation(Invariant::Stable, &[index], message)
        })
        .collect()
}

/// Answers with the same `ETag` are the same.
fn ambiguous_tags(case: &Case<'_>) -> Vec<Violation> {
    let mut seen: BTreeMap<&str, (usize, &ClientAnswer)> = BTreeMap::new();
    let mut violations = Vec::new();
    for (index, op) in case.iter().filter(|(_, op)| matches!(op.call, Call::Read { .. }) && op.status() == Some(200)) {
        let Some((answer, etag)) = op.definite().and_then(|answer| Some((answer, answer.etag.as_deref()?))) else {
            continue;
        };
        let (first, known) = *seen.entry(etag).or_insert((index, answer));
        if (&known.body, &known.next_offset, known.closed) != (&answer.body, &answer.next_offset, answer.closed) {
            let message = format!("{etag} names two different answers");
            violations.push(case.violation(Invariant::Stable, &[first, index], message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, acked, created, deleted, delivery, page, part, refused, run, tagged, tail,
    };
    use crate::judge::history::{Lifetime, Mode};

    /// The event of a batch.
    fn shown(run: &Fixture, batch: usize) -> String {
        String::from_utf8_lossy(&run.json_of(&[batch])).into_owned()
    }

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Stable, super::check, expected);
    }

    #[test]
    fn the_same_offset_reads_the_same_again() {
        for (again, expected) in [(&[0, 1][..], 0), (&[1, 0], 1)] {
            let mut run = run();
            run.append(1, None);
            run.append(1, None);
            run.walk(&[0, 1], page(0, 2));
            run.walk(again, tagged("\"again\"", page(0, 2)));
            check(&run, expected);
        }
    }

    #[test]
    fn an_offset_is_not_acknowledged_twice() {
        let mut run = run();
        run.append(1, acked(0, 1));
        run.append(1, acked(0, 1));
        check(&run, 1);
    }

    #[test]
    fn an_emitted_offset_stays_readable_while_its_stream_lives() {
        for (status, deletes, expected) in
            [(400, false, 1), (410, false, 1), (410, true, 0), (404, true, 0), (400, true, 1)]
        {
            let mut run = run();
            run.append(1, acked(0, 1));
            run.walk(&[0], page(0, 1));
            if deletes {
                run.delete(deleted());
                run.create(Lifetime::Endless, created(1));
            }
            run.read_at((0, 1), refused(status));
            check(&run, expected);
        }
    }

    #[test]
    fn every_position_before_an_emitted_one_stays_readable() {
        for (at, status, expected) in [((0, 1), 400, 1), ((0, 2), 410, 1), ((0, 4), 400, 0), ((1, 0), 400, 0)] {
            let mut run = run();
            run.append(3, acked(0, 3));
            run.read_at(at, refused(status));
            check(&run, expected);
        }
    }

    #[test]
    fn an_offset_of_an_earlier_stream_reads_nothing_of_the_next() {
        let mut run = run();
        run.append(1, acked(0, 1));
        run.delete(deleted());
        run.create(Lifetime::Endless, created(1));
        run.append(1, acked(1, 1));
        run.read_at((0, 1), page(1, 1).map(|answer| ClientAnswer { body: run.json_of(&[1]), ..answer }));
        check(&run, 1);
    }

    #[test]
    fn the_next_stream_begins_above() {
        for (segment, expected) in [(1, 0), (0, 1)] {
            let mut run = run();
            run.head(tail(0, 0));
            run.delete(deleted());
            run.create(Lifetime::Endless, created(segment));
            let found = super::check(&run.case());
            // The first creation and HEAD both told segment 0; one witness is enough.
            assert_eq!(found.len(), expected, "{found:?}");
        }
    }

    #[test]
    fn the_start_of_a_later_segment_is_not_emitted() {
        for (told, expected) in [(tail(0, 1), 0), (tail(1, 0), 1)] {
            let mut run = run();
            run.append(1, acked(0, 1));
            run.head(told);
            check(&run, expected);
        }
    }

    #[test]
    fn a_tag_names_one_answer() {
        for (second, expected) in [("\"b\"", 0), ("\"a\"", 1)] {
            let mut run = run();
            run.append(2, None);
            run.walk_messages(&[(0, 0)], tagged("\"a\"", part(0, 1)));
            run.walk(&[0], tagged(second, page(0, 2)));
            check(&run, expected);
        }
    }

    #[test]
    fn what_is_no_offset_is_not_emitted() {
        let mut run = run();
        run.walk(&[], page(0, 0).map(|answer| ClientAnswer { next_offset: Some("now".into()), ..answer }));
        check(&run, 1);
    }

    #[test]
    fn a_live_reader_is_never_fed_by_the_next_stream() {
        for (next, expected) in [((0, 2), 0), ((5, 1), 1)] {
            let mut run = run();
            run.append(1, acked(0, 1));
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.deliver(reader, op, delivery(Some(&shown(&run, 0)), 0, 1, 3));
            let batch = run.append(1, acked(0, 2));
            run.delete(deleted());
            run.create(Lifetime::Endless, created(5));
            let other = run.append(1, acked(5, 1));
            let fed = shown(&run, if next.0 == 0 { batch } else { other });
            run.deliver(reader, op, delivery(Some(&fed), next.0, next.1, 4));
            check(&run, expected);
        }
    }

    #[test]
    fn what_a_live_reader_was_told_is_an_offset_to_come_back_to() {
        for (answer, expected) in [(page(0, 1), 0), (refused(400), 1)] {
            let mut run = run();
            let batch = run.append(1, None);
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.deliver(reader, op, delivery(Some(&shown(&run, batch)), 0, 1, 3));
            run.read_at((0, 1), answer);
            check(&run, expected);
        }
    }
}
