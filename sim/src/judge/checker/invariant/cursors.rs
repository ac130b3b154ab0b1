//! Cursors: strictly greater than the client's, so that nobody gets the same empty answer twice; and convergent, so
//! that readers at one position ask for the same URL within two polls (SPEC, section 4).

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::checker::case::Case;
use crate::judge::checker::invariant::leak;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::client::PAUSE_MS;
use crate::judge::history::{Arrival, Call, From, Giver, Mode, Op, Payload};

/// Polls after which the next URL is everybody's.
const POLLS: usize = 2;

/// Cursors that readers at one position may be told within one interval: time goes on meanwhile.
const PER_INTERVAL: usize = 2;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = not_greater(case);
    violations.extend(fallen(case));
    violations.extend(refused(case));
    violations.extend(empty_twice(case));
    violations.extend(divergent(case));
    violations
}

fn asked(case: &Case<'_>, arrival: &Arrival<'_>) -> Option<u64> {
    match case.op(arrival.op).call {
        Call::Live { cursor, .. } => cursor,
        _ => None,
    }
}

fn not_greater(case: &Case<'_>) -> Vec<Violation> {
    let stuck = case.arrivals().filter(|arrival| {
        let asked = asked(case, arrival);
        asked.is_some() && arrival.cursor.is_some() && arrival.cursor <= asked
    });
    stuck
        .map(|arrival| {
            let message = format!("cursor {:?} is not above the client's", arrival.cursor);
            case.violation(Invariant::Cursors, &[arrival.op], message)
        })
        .collect()
}

/// The cursors of one connection never fall: its reader comes back with the last one. They are times of the object's
/// clock, so where that steps back at a start, they may fall by as much.
fn fallen(case: &Case<'_>) -> Vec<Violation> {
    let mut last: BTreeMap<usize, u64> = BTreeMap::new();
    let mut violations = Vec::new();
    for arrival in case.arrivals() {
        let Some(cursor) = arrival.cursor else { continue };
        let before = last.insert(arrival.op, cursor);
        let back_ms = case.history.conditions.clocks_apart_ms;
        if let Some(before) = before.filter(|before| cursor + back_ms < *before) {
            let message = format!("cursor {cursor} comes after {before} on the same connection");
            violations.push(case.violation(Invariant::Cursors, &[arrival.op], message));
        }
    }
    violations
}

/// No client asks with a cursor that is too far ahead of the clock, unless it was told that one.
fn refused(case: &Case<'_>) -> Vec<Violation> {
    let refused = case
        .iter()
        .filter(|(_, op)| op.answer.as_ref().is_some_and(|answer| answer.code.as_deref() == Some("invalid_cursor")))
        .filter(|(_, op)| !case.is_refused_by_another_clock(op));
    refused
        .map(|(index, op)| {
            let message = format!("a cursor is refused that may be sent, or was told: {:?}", op.call);
            case.violation(Invariant::Cursors, &[index], message)
        })
        .collect()
}

/// Whether this is an empty answer to a long-poll, which the reader follows with another.
fn is_empty(case: &Case<'_>, arrival: &Arrival<'_>) -> bool {
    let is_poll = matches!(case.op(arrival.op).call, Call::Live { mode: Mode::LongPoll, .. });
    is_poll && arrival.payload == Payload::Empty && !arrival.closed
}

fn empty_twice(case: &Case<'_>) -> Vec<Violation> {
    let mut seen = BTreeMap::new();
    let mut violations = Vec::new();
    for arrival in case.arrivals().filter(|arrival| is_empty(case, arrival)) {
        let Call::Live { from, .. } = &case.op(arrival.op).call else { continue };
        let url = (arrival.reader, format!("{from:?}"), asked(case, arrival));
        if let Some(first) = seen.insert(url, arrival.op) {
            let message = format!("reader {} is given the same empty answer again", arrival.reader);
            violations.push(case.violation(Invariant::Cursors, &[first, arrival.op], message));
        }
    }
    violations
}

/// A cursor that readers were told after enough polls at one position.
struct Told {
    /// When the object has said so, at the latest: a cache may have kept it since.
    ms: u64,
    op: usize,
    reader: usize,
    cursor: u64,
}

/// Who has polled often enough is told what everybody is told.
fn divergent(case: &Case<'_>) -> Vec<Violation> {
    let interval_ms = case.history.conditions.waits.long_poll_ms;
    // Who is told late knows the object's time as it was when that left the object.
    let way_ms = case.history.conditions.distance_ms + case.history.conditions.answer_way_ms;
    let window_ms = interval_ms.saturating_sub(way_ms);
    let raised = raised(case);
    let mut violations = Vec::new();
    for (position, mut told) in settled_cursors(case) {
        told.sort_by_key(|told| told.ms);
        let raised = raised.get(&position).map_or(&[][..], Vec::as_slice);
        // What a long-poll is told was set when it began to wait.
        let raises = |from_ms: u64, to_ms: u64| {
            let from_ms = from_ms.saturating_sub(interval_ms + way_ms);
            raised.iter().filter(|ms| (from_ms..=to_ms).contains(ms)).count()
        };
        let crowded = told.iter().enumerate().find_map(|(index, first)| {
            let window: Vec<&Told> = told[index..].iter().take_while(|told| told.ms < first.ms + window_ms).collect();
            let cursors: BTreeSet<u64> = window.iter().map(|told| told.cursor).collect();
            let allowed = PER_INTERVAL + raises(first.ms, first.ms + window_ms);
            (cursors.len() > allowed).then(|| window.iter().map(|told| told.op).collect::<Vec<_>>())
        });
        let times = if case.history.conditions.answer_way_ms > PAUSE_MS { 3 } else { 2 };
        if let Some(ops) = crowded.or_else(|| strangers(&told, interval_ms, times, raises)) {
            let message = format!("readers at {position} never agree on the next URL");
            violations.push(case.violation(Invariant::Cursors, &ops, message));
        }
    }
    violations
}

/// Two readers that were each told so often within less than as many intervals, and never the same. Twice is enough where
/// the polls of a reader come to the object no sooner after one another than an interval. If one was longer on its way than
/// the reader pauses, the next one may come within the same interval: its reader is one ahead of all others, once. And where
/// something else has raised what readers are told meanwhile, they may have been told before and after that.
fn strangers(told: &[Told], interval_ms: u64, times: usize, raises: impl Fn(u64, u64) -> usize) -> Option<Vec<usize>> {
    let window_ms = interval_ms * (4 * times as u64 - 1) / 4;
    let calm = |(_, first): &(usize, &Told)| raises(first.ms, first.ms + window_ms) == 0;
    told.iter().enumerate().filter(calm).find_map(|(index, first)| {
        let mut by_reader: BTreeMap<usize, Vec<&Told>> = BTreeMap::new();
        for told in told[index..].iter().take_while(|told| told.ms <= first.ms + window_ms) {
            by_reader.entry(told.reader).or_default().push(told);
        }
        let own = by_reader.remove(&first.reader).filter(|own| own.len() >= times)?;
        let never = |other: &&Vec<&Told>| {
            let common = other.iter().any(|told| own.iter().any(|own| own.cursor == told.cursor));
            other.len() >= times && !common
        };
        let other = by_reader.values().find(never)?;
        Some(own.iter().chain(other).map(|told| told.op).collect())
    })
}

/// How positions are called at which readers are ahead of the clock.
fn ahead(offset: &str) -> String {
    format!("{offset}, ahead of the clock,")
}

/// By position, when readers who were ahead of the clock raised there what all are told, in ms: all who are ahead are told
/// more than the largest of their cursors. A connection with events comes with more than it was told last, as often as such
/// connections end; a long-poll may when its reader comes for the first time, since it was told nothing yet, and when the one
/// before was cut short by its token, since it comes sooner than the others.
fn raised(case: &Case<'_>) -> BTreeMap<String, Vec<u64>> {
    let apart_ms = case.history.conditions.clocks_apart_ms;
    let mut last: BTreeMap<usize, &Op> = BTreeMap::new();
    let mut raised: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (_, op) in case.iter() {
        let Call::Live { mode, reader, from: From::At(offset), cursor, .. } = &op.call else { continue };
        let before = last.insert(*reader, op);
        let is_soon = before.is_none_or(|before| leak::is_at_the_end_of_a_token(case, before));
        let is_ahead = cursor.is_some_and(|cursor| cursor + apart_ms > op.invoked.ms);
        if is_ahead && (*mode == Mode::Sse || is_soon) {
            raised.entry(ahead(offset)).or_default().push(op.invoked.ms);
        }
    }
    raised
}

/// By position, what readers were told after [`POLLS`] empty answers there, in a settled world. Readers whose cursors
/// are ahead of the clock agree among each other, until it has caught up with them.
fn settled_cursors(case: &Case<'_>) -> BTreeMap<String, Vec<Told>> {
    let mut polls: BTreeMap<usize, (String, usize)> = BTreeMap::new();
    let mut told: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    // What a browser hands out was told when that had asked for it.
    let is_told = |arrival: &&Arrival<'_>| !matches!(case.history.giver(case.op(arrival.op)), Giver::Browser { .. });
    for arrival in case.arrivals().filter(is_told) {
        let Some(offset) = arrival.next_offset else { continue };
        // By any object's clock; where these differ, a cursor may be ahead of one and not of another.
        let apart_ms = case.history.conditions.clocks_apart_ms;
        let ms = arrival.at.ms.min(case.history.given_ms(case.op(arrival.op)).1);
        let (earliest_ms, latest_ms) = (ms.saturating_sub(apart_ms), ms + apart_ms);
        let is_ahead = arrival.cursor.is_some_and(|cursor| cursor > latest_ms);
        if !is_ahead && arrival.cursor.is_some_and(|cursor| cursor > earliest_ms) {
            polls.remove(&arrival.reader);
            continue;
        }
        let position = if is_ahead { ahead(offset) } else { offset.to_owned() };
        let calm = arrival.invoked.ms >= case.history.conditions.settled_from_ms;
        // Who asks again sooner than after an interval is ahead of the others.
        let is_cut = leak::is_at_the_end_of_a_token(case, case.op(arrival.op));
        if !is_empty(case, arrival) || !calm || is_cut {
            polls.remove(&arrival.reader);
            continue;
        }
        let (at, count) = polls.entry(arrival.reader).or_insert((position.clone(), 0));
        if *at != position {
            (*at, *count) = (position.clone(), 0);
        }
        *count += 1;
        if let Some(cursor) = arrival.cursor.filter(|_| *count >= POLLS) {
            let (op, reader) = (arrival.op, arrival.reader);
            told.entry(position).or_default().push(Told { ms, op, reader, cursor });
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, coded, delivery, empty, kept, run};
    use crate::judge::history::{Handed, How};

    fn check(run: &Fixture, expected: usize) {
        run.check(Invariant::Cursors, super::check, expected);
    }

    /// Readers whose polls end one after the other, evenly over the interval, and what each is told: by its number and
    /// the count of its poll.
    fn readers(count: usize, polls: u64, cursor: impl Fn(usize, u64) -> u64) -> Fixture {
        let mut run = run();
        let readers: Vec<usize> = (0..count).map(|_| run.join(Mode::LongPoll)).collect();
        for poll in 0..polls {
            for (index, reader) in readers.iter().enumerate() {
                run.poll(*reader, empty(0, 0, cursor(index, poll)));
                run.wait_ms(20_000 / count as u64);
            }
        }
        run
    }

    #[test]
    fn readers_that_are_told_the_time_converge() {
        check(&readers(4, 6, |_, poll| 1_000 + 20 * poll), 0);
        // Some were told the next interval already.
        check(&readers(4, 6, |index, poll| 1_000 + 20 * (poll + u64::from(index > 2))), 0);
        // Whoever comes with a cursor of the future is one ahead, for two polls.
        check(&readers(2, 6, |index, poll| if index == 1 && poll == 0 { 1_005 } else { 1_000 + 20 * poll }), 0);
    }

    #[test]
    fn readers_that_count_for_themselves_are_found() {
        check(&readers(2, 6, |index, poll| 1_000 * index as u64 + poll + 1), 1);
        check(&readers(4, 4, |index, poll| 1_000 * index as u64 + poll + 1), 1);
    }

    #[test]
    fn readers_ahead_of_the_clock_have_to_agree_with_each_other_alone() {
        let day_ms = run().now_ms() + 86_400_000;
        let ahead = |own: [u64; 4]| {
            readers(
                4,
                6,
                move |index, poll| if own[index] == 0 { 1_000 + 20 * poll } else { day_ms + own[index] + poll },
            )
        };
        check(&ahead([9, 9, 0, 0]), 0);
        check(&ahead([9, 100, 0, 0]), 1);
    }

    /// Two readers of long-polls, told in turn, and between them one whose connections with events end sooner and raise the
    /// number.
    #[test]
    fn who_comes_back_for_events_ahead_of_the_clock_raises_what_all_are_told() {
        let day_ms = run().now_ms() + 86_400_000;
        for (by_events, is_ahead, expected) in [(false, true, 1), (true, true, 0), (true, false, 1)] {
            let mut run = run();
            let [first, second, listener] = [Mode::LongPoll, Mode::LongPoll, Mode::Sse].map(|mode| run.join(mode));
            for poll in 0..6 {
                run.poll(first, empty(0, 0, day_ms + 2 * poll));
                if by_events {
                    let op = run.listen(listener);
                    let cursor = if is_ahead { day_ms + 2 * poll } else { 1_000 + poll };
                    run.deliver(listener, op, delivery(None, 0, 0, cursor));
                }
                run.wait_ms(3_000);
                run.poll(second, empty(0, 0, day_ms + 2 * poll + 1));
                run.wait_ms(17_000);
            }
            check(&run, expected);
        }
    }

    /// Two readers of long-polls who agree, and between them others who come with larger cursors: each for the first time, or
    /// one of them each time, which was told less.
    #[test]
    fn who_comes_for_the_first_time_ahead_of_the_clock_raises_what_all_are_told() {
        for (is_new, is_ahead, expected) in [(true, true, 0), (false, true, 1), (true, false, 1)] {
            let mut run = run();
            let ahead_ms = run.now_ms() + if is_ahead { 86_400_000 } else { 0 };
            let [first, second] = [Mode::LongPoll; 2].map(|mode| run.join(mode));
            let mut other = run.join(Mode::LongPoll);
            for poll in 0..6 {
                run.poll(first, empty(0, 0, ahead_ms + 2 * poll));
                if is_new {
                    other = run.join(Mode::LongPoll);
                }
                let op = run.ask_live(other, None);
                if let Call::Live { cursor, .. } = &mut run.history.ops[op].call {
                    *cursor = Some(ahead_ms + 2 * poll);
                }
                run.end_live(other, op, &[], empty(0, 0, ahead_ms + 2 * poll + 1));
                run.wait_ms(3_000);
                run.poll(second, empty(0, 0, ahead_ms + 2 * poll + 1));
                run.wait_ms(17_000);
            }
            check(&run, expected);
        }
    }

    /// Two readers of long-polls who agree, and between them one whose tokens are so brief that its polls end sooner.
    #[test]
    fn who_comes_back_sooner_than_others_because_its_token_expired_raises_what_all_are_told() {
        for (is_brief, expected) in [(true, 0), (false, 1)] {
            let mut run = run().keyed(0);
            let day_ms = run.now_ms() + 86_400_000;
            let [first, second, brief] = [Mode::LongPoll; 3].map(|mode| run.join(mode));
            for poll in 0..6 {
                run.poll(first, empty(0, 0, day_ms + 2 * poll));
                let op = run.ask_live(brief, None);
                run.show_until(op, if is_brief { 1_000 } else { 90_000 });
                run.wait_ms(1_000);
                run.end_live(brief, op, &[], empty(0, 0, day_ms + 2 * poll));
                run.times(op, Some(0), 1_000);
                run.wait_ms(2_000);
                run.poll(second, empty(0, 0, day_ms + 2 * poll + 1));
                run.wait_ms(17_000);
            }
            check(&run, expected);
        }
    }

    #[test]
    fn where_clocks_differ_a_cursor_between_them_may_be_ahead_or_not() {
        let now_ms = run().now_ms();
        for (apart_ms, expected) in [(0, 1), (10_000, 1), (300_000, 0)] {
            let told = move |index, poll| if index == 0 { 1_000 + 20 * poll } else { now_ms - 30_000 + poll };
            let mut run = readers(2, 6, told);
            run.history.conditions.clocks_apart_ms = apart_ms;
            check(&run, expected);
        }
    }

    /// Three readers that are each told another cursor, two of them a third of an interval apart.
    #[test]
    fn what_is_told_within_an_interval_may_be_as_old_as_the_way_takes() {
        for (distance_ms, answer_way_ms, expected) in [(0, 0, 1), (6_000, 0, 1), (7_000, 0, 0), (0, 7_000, 0)] {
            let mut run = readers(3, 2, |index, poll| 1_000 + 100 * poll + index as u64);
            run.history.conditions.distance_ms = distance_ms;
            run.history.conditions.answer_way_ms = answer_way_ms;
            check(&run, expected);
        }
    }

    /// Two readers, one of which is one ahead of the clock for a poll, since its polls came too soon after one another.
    #[test]
    fn where_the_way_takes_longer_than_a_reader_pauses_it_may_be_ahead_for_a_poll() {
        let told = |index, poll: u64| match (index, poll) {
            (1, 2) => 1_021,
            (1, 3..) => 1_020 + 20 * (poll - 1),
            _ => 1_000 + 20 * (poll - 1),
        };
        for (answer_way_ms, polls, expected) in [(PAUSE_MS, 3, 1), (PAUSE_MS + 1, 3, 0), (PAUSE_MS + 1, 6, 0)] {
            let mut run = readers(2, polls, |index, poll| told(index, poll + 1));
            run.history.conditions.answer_way_ms = answer_way_ms;
            check(&run, expected);
        }
        let mut run = readers(2, 6, |index, poll| 1_000 * index as u64 + poll + 1);
        run.history.conditions.answer_way_ms = PAUSE_MS + 1;
        check(&run, 1);
    }

    #[test]
    fn what_a_browser_hands_out_is_not_told_again() {
        for (is_kept, expected) in [(false, 1), (true, 0)] {
            let mut run = readers(3, 2, |index, poll| 1_000 + 100 * poll + index as u64);
            let of_last = |op: &&mut Op| matches!(op.call, Call::Live { reader: 2, .. });
            for op in run.history.ops.iter_mut().filter(of_last) {
                op.answer = if is_kept { kept(1, op.answer.take()) } else { op.answer.take() };
            }
            check(&run, expected);
        }
    }

    /// Three readers, each told another cursor within one interval, the last by a cache in front.
    #[test]
    fn what_a_cache_in_front_hands_out_was_told_when_it_was_brought() {
        for (old_ms, expected) in [(0, 1), (30_000, 0)] {
            let mut run = readers(3, 2, |index, poll| 1_000 + 100 * poll + index as u64);
            let last = run.history.ops.last().expect("a poll");
            let (told, ended) = (last.request, last.ended.expect("an answer"));
            let (by, ms) = (told + 1_000, ended.ms - old_ms);
            run.fetch(run.history.ops.len() - 1, 0);
            let fetch = run.history.fronts.fetches.last_mut().expect("a fetch");
            (fetch.request, fetch.asks, fetch.from_ms, fetch.to_ms) = (by, by, ms - 20_000, Some(ms));
            let fetches = std::mem::take(&mut run.history.fronts).fetches;
            fetches.into_iter().for_each(|fetch| run.history.fronts.fetch(fetch));
            let handed = Handed { ms: ended.ms, by, confirmed_ms: None, how: How::Hit };
            run.history.fronts.handed.insert(told, handed);
            check(&run, expected);
        }
    }

    #[test]
    fn a_cursor_that_may_be_sent_is_not_refused() {
        let mut run = run();
        let reader = run.join(Mode::LongPoll);
        run.poll(reader, empty(0, 0, 5));
        run.poll(reader, coded(400, "invalid_cursor"));
        check(&run, 1);
    }

    #[test]
    fn a_cursor_that_repeats_is_found_and_so_is_the_empty_answer() {
        let mut run = run();
        let reader = run.join(Mode::LongPoll);
        for cursor in [5, 5, 5] {
            run.poll(reader, empty(0, 0, cursor));
            run.wait_ms(20_000);
        }
        // Two are not above the client's, and one URL was asked for twice.
        check(&run, 3);
    }

    #[test]
    fn the_cursors_of_one_connection_fall_no_further_than_clocks_differ() {
        for (cursors, apart_ms, expected) in
            [([50, 60], 0, 0), ([50, 50], 0, 0), ([50, 49], 0, 1), ([50, 49], 1, 0), ([50, 48], 1, 1)]
        {
            let mut run = run();
            run.history.conditions.clocks_apart_ms = apart_ms;
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            for (place, cursor) in cursors.into_iter().enumerate() {
                run.deliver(reader, op, delivery(None, 0, place as u64, cursor));
            }
            check(&run, expected);
        }
    }
}
