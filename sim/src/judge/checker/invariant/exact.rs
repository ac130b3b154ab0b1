//! What is read between two offsets is exactly what the log holds there: no gap, no duplicate, no reorder, and nothing
//! that nobody sent.

use crate::judge::checker::case::Case;
use crate::judge::checker::log::{Contradiction, Source};
use crate::judge::checker::{Invariant, LogPosition, Page, Violation};
use crate::judge::history::{Call, Mode, Moment, Op};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations: Vec<Violation> =
        case.log.contradictions.iter().filter_map(|contradiction| judge(case, contradiction)).collect();
    violations.extend(duplicates(case));
    violations.extend(hidden_tails(case));
    violations.extend(torn(case));
    violations
}

/// A page that ends where the log ends says so: its reader would else come again for nothing.
fn hidden_tails(case: &Case<'_>) -> Vec<Violation> {
    let units = |batch: usize| case.history.batches[batch].units(case.history.streams[case.stream].content);
    let may_have_written = |op: &Op| match op.definite() {
        None => true,
        Some(_) => case.history.appended(op),
    };
    // For each request that may have written, the end of all that was written by then; none if a place is not known.
    let mut ends: Vec<(Moment, Option<LogPosition>)> = Vec::new();
    let mut end = Some(LogPosition { segment: 0, index: 0 });
    let is_replaced = case.log.starts.len() > 1 || case.log.hidden_starts;
    for (_, op) in case.iter() {
        let Some(batch) = op.batch().filter(|batch| units(*batch) > 0 && may_have_written(op)) else { continue };
        // What was given up may come to the next stream at the URL, too, and be written there once more.
        let may_be_elsewhere = op.definite().is_none() && is_replaced;
        let of_batch = case.log.holds(batch).map(|placed| placed.end).max().filter(|_| !may_be_elsewhere);
        end = end.zip(of_batch).map(|(end, of_batch)| end.max(of_batch));
        ends.push((op.invoked, end));
    }
    let hides = |page: &&Page| {
        let op = case.op(page.op);
        let ended = op.ended.unwrap_or(op.settled());
        let before = ends.partition_point(|(invoked, _)| *invoked < ended);
        let at_tail = before.checked_sub(1).is_some_and(|last| ends[last].1.is_some_and(|end| end <= page.to));
        is_answered_whole(op) && op.status() == Some(200) && !page.up_to_date && at_tail && case.history.is_true(op)
    };
    let hidden = case.log.pages.iter().filter(hides);
    let message = |page: &Page| format!("a page ends at {}, which is the tail, and does not say so", page.to);
    hidden.map(|page| case.violation(Invariant::Exact, &[page.op], message(page))).collect()
}

/// Whether the request is answered with pages as they are; readers of a text in events stand before half a code point.
fn is_answered_whole(op: &Op) -> bool {
    matches!(op.call, Call::Read { .. } | Call::Live { mode: Mode::LongPoll, .. })
}

/// The messages of an append are there together: no page reaches the tail in the middle of them.
fn torn(case: &Case<'_>) -> Vec<Violation> {
    let is_inside = |page: &Page| {
        let at = case.log.placed.partition_point(|placed| placed.start < page.to);
        case.log.placed[..at].iter().rev().take(1).any(|placed| page.to < placed.end)
    };
    let is_at_tail = |page: &&Page| page.up_to_date && is_answered_whole(case.op(page.op));
    let torn = case.log.pages.iter().filter(is_at_tail).filter(|page| is_inside(page));
    let message = |page: &Page| format!("the log ends at {}, in the middle of an append", page.to);
    torn.map(|page| case.violation(Invariant::Exact, &[page.op], message(page))).collect()
}

fn judge(case: &Case<'_>, contradiction: &Contradiction) -> Option<Violation> {
    let (ops, message) = match contradiction {
        Contradiction::Differs { at, first, then } if !is_reuse(*first, *then) => {
            let ops: Vec<usize> = [first, then].into_iter().filter_map(|source| op_of(*source)).collect();
            (ops, format!("{first:?} and {then:?} disagree about what is at {at}"))
        }
        Contradiction::Differs { .. } | Contradiction::Malformed { .. } => return None,
        Contradiction::Foreign { at, text } => (Vec::new(), format!("at {at} is what nobody sent there: {text:?}")),
        Contradiction::Length { op, expected, found } => {
            (vec![*op], format!("a page of {expected} positions by its offsets holds {found}"))
        }
        Contradiction::Skips { op, over } => (vec![*op], format!("a page passes over what is at {over}")),
        Contradiction::Motion { op } => (vec![*op], "an answer's offset does not fit what it holds".to_owned()),
        Contradiction::Text { op, at, text } => {
            (vec![*op], format!("with the event at {at} the text is not what the log holds: {text:?}"))
        }
        Contradiction::SplitsCodePoint { op, at } => {
            (vec![*op], format!("an event ends at {at}, inside a code point whose rest may still come"))
        }
        Contradiction::Unparsable { op } => (vec![*op], "a page of a JSON stream is no array".to_owned()),
    };
    Some(case.violation(Invariant::Exact, &ops, message))
}

/// Two acknowledgements, or two pages, that disagree: an offset was used twice, which is for `stable` to judge.
pub(super) fn is_reuse(first: Source, then: Source) -> bool {
    matches!((first, then), (Source::Ack(_), Source::Ack(_)) | (Source::Page(_), Source::Page(_)))
}

pub(super) fn op_of(source: Source) -> Option<usize> {
    match source {
        Source::Ack(op) | Source::Page(op) => Some(op),
        Source::Batch(_) => None,
    }
}

/// A batch without a producer is sent once: it is in the log once. Those with one are for `once` to judge.
fn duplicates(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, placed) in case.log.placed.iter().enumerate() {
        let plain = case.history.batches[placed.batch].stamp.is_none();
        let same = |other: &&crate::judge::checker::Placed| {
            other.batch == placed.batch && case.log.same_incarnation(other.start.segment, placed.start.segment)
        };
        if let Some(other) = case.log.placed[..index].iter().find(same).filter(|_| plain) {
            let message = format!("batch {} is in the log at {} and at {}", placed.batch, other.start, placed.start);
            violations.push(case.violation(Invariant::Exact, &[], message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, acked, created, delivery, empty, page, part, polled, tagged, unchanged,
    };
    use crate::judge::history::{ClientAnswer, Lifetime};

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Exact, super::check, expected);
    }

    #[test]
    fn what_is_confirmed_again_and_again_is_what_was_read_at_first() {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        run.walk(&[0], tagged("\"a\"", page(0, 2)));
        for _ in 0..2 {
            let unchanged = tagged("\"a\"", page(0, 2)).map(|answer| ClientAnswer { status: 304, ..answer });
            run.revalidate_with(unchanged);
            check(&run, 0);
        }
    }

    #[test]
    fn what_is_confirmed_to_a_long_poll_has_arrived_again_with_another_cursor() {
        for (shown, expected) in [(&[0][..], 0), (&[], 2)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, shown, polled(0, 2, 7));
            let known = run.history.ops.len() - 1;
            let told = |answer| ClientAnswer { cursor: Some(9), ..answer };
            run.poll_again(known, true, unchanged(run.told(known)).map(told));
            let cursors: Vec<_> = run.case().arrivals().map(|arrival| arrival.cursor).collect();
            assert_eq!(cursors, [Some(7), Some(9)]);
            check(&run, expected);
        }
    }

    #[test]
    fn a_page_at_the_tail_says_so_unless_more_may_be_there() {
        for (lost, answer, expected) in
            [(false, page(0, 2), 0), (false, part(0, 2), 1), (false, part(0, 1), 0), (true, part(0, 2), 0)]
        {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            if lost {
                run.append(1, None);
            }
            let shown = if answer == part(0, 1) { &[(0, 0)][..] } else { &[(0, 0), (0, 1)] };
            run.walk_messages(shown, answer);
            check(&run, expected);
        }
    }

    #[test]
    fn the_log_never_ends_in_the_middle_of_an_append() {
        for (answer, expected) in [(page(0, 1), 1), (part(0, 1), 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(2, None);
            run.walk_messages(&[(0, 0)], answer);
            check(&run, expected);
        }
    }

    fn written() -> Fixture {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(1, acked(0, 1));
        run.append(1, acked(0, 2));
        run.append(1, acked(0, 3));
        run
    }

    #[test]
    fn pages_that_show_the_log_are_exact() {
        let mut run = written();
        run.walk(&[0], part(0, 1));
        run.follow(&[1], part(0, 2));
        run.follow(&[2], page(0, 3));
        check(&run, 0);
    }

    #[test]
    fn gaps_duplicates_and_reorders_are_found() {
        for shown in [&[0, 2, 1][..], &[0, 0, 1], &[0, 2], &[0, 1, 1, 2]] {
            let mut run = written();
            run.walk(shown, page(0, shown.len() as u64));
            let found = super::check(&run.case());
            assert!(!found.is_empty(), "{shown:?}");
        }
    }

    #[test]
    fn a_page_shorter_or_longer_than_its_offsets_say_is_found() {
        for (shown, end) in [(&[0, 1][..], 3), (&[0, 1, 2], 2)] {
            let mut run = written();
            run.walk(shown, page(0, end));
            check(&run, 1);
        }
    }

    #[test]
    fn a_read_of_the_start_of_a_segment_that_is_not_there_yet_is_at_the_end_of_the_one_before() {
        for (from, expected) in [((1, 0), 0), ((1, 1), 1), ((2, 0), 1)] {
            let mut run = written();
            run.read_at(from, page(0, 3).map(|answer| ClientAnswer { body: "[]".into(), ..answer }));
            check(&run, expected);
        }
    }

    #[test]
    fn what_nobody_sent_is_found() {
        for text in ["[1]", "nothing"] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.walk_text(text, page(0, 1));
            check(&run, 1);
        }
    }

    #[test]
    fn a_page_may_pass_to_the_next_segment_and_over_nothing() {
        for (first_page_end, expected) in [(2, 0), (1, 1)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            run.append(1, acked(1, 1));
            let messages: Vec<(usize, usize)> = (0..first_page_end).map(|index| (0, index)).collect();
            run.walk_messages(&messages, part(0, first_page_end as u64));
            run.follow(&[1], page(1, 1));
            check(&run, expected);
        }
    }

    #[test]
    fn bytes_are_traced_through_pages_that_end_inside_an_append() {
        let mut run = Fixture::bytes();
        run.create(Lifetime::Endless, created(0));
        let first = run.append(2, None);
        let length = run.history.batches[first].messages.concat().len() as u64;
        run.append(1, None);
        let all = [run.history.batches[0].messages.concat(), run.history.batches[1].messages.concat()].concat();
        for cut in [1, 5, length as usize, length as usize + 3] {
            let mut run = run.clone();
            run.walk_bytes(&all[..cut], part(0, cut as u64));
            run.follow_bytes(&all[cut..], page(0, all.len() as u64));
            check(&run, 0);
            assert_eq!(run.case().log.placed.len(), 2);
        }
    }

    #[test]
    fn bytes_that_are_cut_off_or_repeated_are_found() {
        let mut run = Fixture::bytes();
        run.create(Lifetime::Endless, created(0));
        run.append(1, None);
        let sent = run.history.batches[0].messages.concat();
        for shown in [sent[3..].to_vec(), [sent.clone(), sent].concat()] {
            let mut run = run.clone();
            run.walk_bytes(&shown, page(0, shown.len() as u64));
            assert!(!super::check(&run.case()).is_empty());
        }
    }

    /// What an event of a text stream that holds one batch may say: the batch's text, changed.
    fn check_text(change: fn(&str) -> String, expected: usize) {
        let mut run = Fixture::text();
        run.create(Lifetime::Endless, created(0));
        let batch = run.reserve_text(b"a\rb\r\n\n\xffc");
        let bytes = run.history.batches[batch].messages.concat();
        run.send_reserved(batch, acked(0, bytes.len() as u64));
        let reader = run.join(Mode::Sse);
        let op = run.listen(reader);
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
        run.deliver(reader, op, delivery(Some(&change(&text)), 0, bytes.len() as u64, 3));
        check(&run, expected);
    }

    #[test]
    fn events_of_a_text_are_its_bytes_after_the_mapping() {
        check_text(str::to_owned, 0);
        check_text(|text| text.replace('\n', "\r"), 1);
        check_text(|text| text.replace("\n\n", "\n"), 1);
        check_text(|text| text[1..].to_owned(), 1);
    }

    /// The beginning of a batch is known by an event alone, so its place is not known unless it was acknowledged; a read
    /// shows the rest, which begins with `next`.
    #[test]
    fn an_event_may_end_where_what_follows_shows_that_the_code_point_has_no_rest() {
        for (is_acknowledged, next, expected) in [(true, b'A', 0), (false, b'A', 0), (true, 0x82, 1), (false, 0x82, 1)]
        {
            let mut run = Fixture::text();
            run.create(Lifetime::Endless, created(0));
            let batch = run.reserve_text(&[b"a\xe2".as_slice(), &[next], b"b"].concat());
            let bytes = run.history.batches[batch].messages.concat();
            let (end, cut) = (bytes.len() as u64, bytes.len() - 2);
            run.send_reserved(batch, if is_acknowledged { acked(0, end) } else { None });
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            let event = |range: std::ops::Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
            run.deliver(reader, op, delivery(Some(&event(0..3)), 0, 3, 3));
            run.deliver(reader, op, delivery(Some(&event(3..cut)), 0, cut as u64, 4));
            run.read_at((0, 3), page(0, end).map(|answer| ClientAnswer { body: bytes[3..].to_vec().into(), ..answer }));
            check(&run, expected);
        }
    }

    #[test]
    fn events_of_json_and_of_bytes_are_units_of_the_log() {
        for (shown, end, expected) in [(&[0, 1][..], 2, 0), (&[1, 0], 2, 1), (&[0], 2, 1), (&[0, 0], 2, 1), (&[], 1, 1)]
        {
            let mut run = written();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            let event = String::from_utf8_lossy(&run.json_of(shown)).into_owned();
            run.deliver(reader, op, delivery(Some(&event), 0, end, 3));
            let found = super::check(&run.case()).len() + super::super::stable::check(&run.case()).len();
            assert_eq!(usize::from(found > 0), expected, "{shown:?}");
        }
        for (text, expected) in [("YWI=", 0), ("YWI", 1), ("YWJj", 1)] {
            let mut run = Fixture::bytes();
            run.create(Lifetime::Endless, created(0));
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.deliver(reader, op, delivery(Some(text), 0, 2, 3));
            let found = super::check(&run.case());
            let foreign = found.iter().filter(|violation| !violation.message.contains("nobody sent")).count();
            assert_eq!(foreign, expected, "{text}: {found:?}");
        }
    }

    #[test]
    fn a_long_poll_skips_nothing_and_an_empty_one_stays() {
        for (shown, told, expected) in [
            (&[0, 1, 2][..], polled(0, 3, 7), 0),
            (&[1, 2], polled(0, 3, 7), 1),
            (&[], empty(0, 0, 7), 0),
            (&[], empty(0, 3, 7), 1),
            (&[], polled(0, 0, 7), 1),
        ] {
            let mut run = written();
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, shown, told);
            assert_eq!(usize::from(!super::check(&run.case()).is_empty()), expected, "{shown:?}");
        }
    }
}
