//! When nothing goes wrong any more, whoever waits is told: of what is written, soon; and of the end of its stream.

use std::collections::BTreeMap;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, LogPosition, Violation};
use crate::judge::history::{Arrival, Call, Content, From, Lifetime, Mode, Moment, Op, Parting, Payload, Reader};

/// How long a reader near its stream may be without any progress towards what was acknowledged, in ms: far above the
/// latencies that scenarios draw, far below every time-out, so that no time-out heals what was forgotten.
const WITHIN_MS: u64 = 5_000;

/// How long a request is on its way at most to a stream that is near, in ms.
const TRAVEL_MS: u64 = 2_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let appended = case.iter().filter(|(_, op)| case.history.appended(op));
    let appends: Vec<(usize, LogPosition)> =
        appended.filter_map(|(index, op)| Some((index, case.offset(op)?))).collect();
    let mut views: BTreeMap<usize, View<'_>> = case
        .readers()
        .map(|(number, reader)| {
            (number, View { case, appends: &appends, number, reader, arrivals: Vec::new(), requests: Vec::new() })
        })
        .collect();
    for arrival in case.arrivals() {
        views.entry(arrival.reader).and_modify(|view| view.arrivals.push(arrival));
    }
    for (index, op) in case.iter() {
        let Call::Live { reader, .. } = op.call else { continue };
        views.entry(reader).and_modify(|view| view.requests.push(view.request(index, op)));
    }
    let mut violations = Vec::new();
    for view in views.values() {
        violations.extend(view.falls_behind());
        violations.extend(view.requests.iter().find_map(|request| view.hangs_on(request)));
        violations.extend(view.is_refused());
    }
    violations
}

/// One reader, and what it was sent.
struct View<'a> {
    case: &'a Case<'a>,
    /// Acknowledged appends, each with the end of its batch.
    appends: &'a [(usize, LogPosition)],
    number: usize,
    reader: &'a Reader,
    arrivals: Vec<&'a Arrival<'a>>,
    requests: Vec<Request<'a>>,
}

/// A request, and how long it was open.
struct Request<'a> {
    index: usize,
    op: &'a Op,
    until_ms: u64,
}

impl<'a> View<'a> {
    /// How long the reader may be without any progress, in ms: from a stream that may be far.
    fn within_ms(&self) -> u64 {
        WITHIN_MS + self.case.history.conditions.round_trip_ms()
    }

    /// How long a request is on its way at most, in ms.
    fn travel_ms(&self) -> u64 {
        TRAVEL_MS + self.case.history.conditions.round_trip_ms()
    }

    /// Whether between two virtual ms is more time than the reader may be without any progress.
    fn is_long(&self, from_ms: u64, until_ms: u64) -> bool {
        until_ms.saturating_sub(self.within_ms()) > from_ms
    }

    fn settled_ms(&self) -> u64 {
        self.case.history.conditions.settled_from_ms
    }

    /// From here on for as long as it may take, the reader was there.
    fn attends(&self, begin_ms: u64) -> bool {
        begin_ms.checked_add(self.within_ms()).is_some_and(|end_ms| self.reader.is_attentive(begin_ms, end_ms))
    }

    fn request(&self, index: usize, op: &'a Op) -> Request<'a> {
        let parted_ms = self.reader.parted.map_or(u64::MAX, |(parted, _)| parted.ms);
        let listening = self.case.history.listenings.get(&index);
        let ended = match op.call {
            Call::Live { mode: Mode::Sse, .. } if op.status() == Some(200) => {
                listening.and_then(|listening| Some(listening.end?.0))
            }
            _ => op.ended,
        };
        Request { index, op, until_ms: ended.map_or(parted_ms, |ended| ended.ms) }
    }

    fn violation(&self, ops: &[usize], what: &str) -> Violation {
        self.case.violation(Invariant::Live, ops, format!("reader {} {what}", self.number))
    }

    /// When a piece of an event came that was not its last one, in virtual ms.
    fn pieces_ms(&self) -> impl Iterator<Item = u64> {
        let listenings = &self.case.history.listenings;
        let heard = self.requests.iter().filter_map(|request| listenings.get(&request.index));
        heard.flat_map(|heard| heard.pieces_ms.iter().copied())
    }

    /// When it asked again after it had broken its connection itself, in virtual ms: then its answer takes its time anew.
    fn returns_ms(&self) -> impl Iterator<Item = u64> {
        let listenings = &self.case.history.listenings;
        let has_cut =
            |request: &Request<'_>| listenings.get(&request.index).is_some_and(|heard| heard.is_cut_by_client);
        let later = self.requests.iter().skip(1);
        self.requests
            .iter()
            .zip(later)
            .filter(move |(earlier, _)| has_cut(earlier))
            .map(|(_, later)| later.op.invoked.ms)
    }

    /// A reader that attends and makes no progress for a while has what had been acknowledged before that.
    fn falls_behind(&self) -> Option<Violation> {
        let begins = self.requests.first().and_then(|request| match &request.op.call {
            Call::Live { from: From::At(text), .. } => LogPosition::parse(text),
            _ => None,
        });
        let mut standing: Vec<(u64, LogPosition)> =
            begins.map(|position| (self.reader.joined.ms, position)).into_iter().collect();
        for arrival in &self.arrivals {
            let position = arrival.next_offset.and_then(LogPosition::parse);
            standing.extend(position.filter(|_| brings(arrival) || standing.is_empty()).map(|at| (arrival.at.ms, at)));
        }
        // A large event comes in pieces, each of which is progress.
        for waits_ms in self.pieces_ms().chain(self.returns_ms()) {
            let place = standing.partition_point(|(since_ms, _)| *since_ms <= waits_ms);
            if let Some((_, position)) = place.checked_sub(1).and_then(|before| standing.get(before)).copied() {
                standing.insert(place, (waits_ms, position));
            }
        }
        for (place, (since_ms, position)) in standing.iter().enumerate() {
            let until_ms = standing.get(place + 1).map_or(u64::MAX, |(next_ms, _)| *next_ms);
            if !self.is_long(self.settled_ms().max(*since_ms), until_ms) {
                continue;
            }
            let owed = self.appends.iter().filter(|(_, end)| position < end).find(|(index, end)| {
                let op = self.case.op(*index);
                let begin_ms = op.settled().ms.max(*since_ms).max(self.settled_ms());
                self.is_long(begin_ms, until_ms)
                    && self.attends(begin_ms)
                    && self.case.log.same_incarnation(position.segment, end.segment)
                    && !self.is_held_back(*position, *end)
                    && !may_be_gone(self.case, op, begin_ms + self.within_ms())
            });
            if let Some((op, _)) = owed {
                let what = format!("stands at {position} since {since_ms} ms, and is not sent what was acknowledged");
                return Some(self.violation(&[*op], &what));
            }
        }
        None
    }

    /// Whether a reader of events is not sent this yet, because it is half a code point: then it stands at the tail.
    fn is_held_back(&self, from: LogPosition, to: LogPosition) -> bool {
        let is_text = self.case.history.streams[self.case.stream].content == Content::Text;
        is_text && self.reader.mode == Mode::Sse && self.case.log.is_held_back(from, to)
    }

    /// Whether a request that was open when this became owed was open for too long, and brought nothing.
    fn hung(&self, request: &Request<'_>, owed_ms: u64) -> bool {
        let begin_ms = owed_ms.max(request.op.invoked.ms).max(self.settled_ms());
        let brings_then = |arrival: &&Arrival<'_>| {
            arrival.op == request.index
                && brings(arrival)
                && (begin_ms..=begin_ms + self.within_ms()).contains(&arrival.at.ms)
        };
        self.is_long(begin_ms, request.until_ms)
            && self.attends(begin_ms)
            && !self.arrivals.iter().any(brings_then)
            && !self.pieces_ms().any(|piece_ms| (begin_ms..=begin_ms + self.within_ms()).contains(&piece_ms))
    }

    /// A request that waits ends soon after its stream: closed, deleted or expired. One that began nowhere in
    /// particular brings what was appended since.
    fn hangs_on(&self, request: &Request<'_>) -> Option<Violation> {
        let asked = request.op.invoked;
        if !self.is_long(asked.ms.max(self.settled_ms()), request.until_ms) {
            return None;
        }
        let waited_for = |other: &Op| other.invoked.ms > asked.ms + self.travel_ms();
        // `now` is when a request comes to the Worker: it may have waited in front, and may never have come there.
        let begun_ms = self.case.history.fronts.came_ms(request.op);
        let begun_before = |other: &Op| begun_ms.is_some_and(|begun_ms| other.invoked.ms > begun_ms + self.travel_ms());
        let begins_nowhere = !matches!(request.op.call, Call::Live { from: From::At(_), .. });
        let hears_nothing = |until_ms: u64| {
            !self.arrivals.iter().any(|arrival| arrival.op == request.index && arrival.at.ms <= until_ms)
        };
        // A superseded instance may confirm the close of an earlier stream.
        let is_sure = |other: &Op| other.succeeded() && self.case.history.is_strong(other);
        for (index, other) in self.case.iter().filter(|(_, other)| is_sure(other)) {
            let owed_ms = other.settled().ms;
            if !self.is_long(owed_ms, request.until_ms) {
                continue;
            }
            let what = match other.call {
                Call::Append { closes: true, .. } | Call::Create { closes: true, .. } => {
                    if is_created_since(self.case, other, request.until_ms) {
                        continue;
                    }
                    "waits on although its stream is closed"
                }
                // Who begins nowhere in particular may wait for the next stream at the URL.
                Call::Delete
                    if begins_nowhere
                        && is_created_since(self.case, other, owed_ms.saturating_add(self.within_ms())) =>
                {
                    continue;
                }
                Call::Delete if waited_for(other) => "waits on although its stream was deleted",
                Call::Append { .. } if begins_nowhere && hears_nothing(owed_ms) && begun_before(other) => {
                    if may_be_gone(self.case, other, owed_ms + self.within_ms())
                        || was_sent_before(self.case, other, asked)
                    {
                        continue;
                    }
                    "is not sent what was acknowledged since it began to wait"
                }
                _ => continue,
            };
            if self.hung(request, owed_ms) {
                return Some(self.violation(&[index, request.index], what));
            }
        }
        let mut until = asked;
        (until.tick, until.ms) = (u64::MAX, request.until_ms);
        let late_ms = self.case.history.conditions.alarm_late_ms;
        let end_ms = self.case.latest_end_ms(None, until)?.saturating_add(late_ms);
        let connection_ms = self.case.history.conditions.connection_ms() + self.within_ms() + self.travel_ms();
        // Where the alarm was given up, nobody wakes the object until it is asked again: when the connection ends.
        let is_abandoned = self.case.was_alarm_abandoned(end_ms) && request.until_ms <= asked.ms + connection_ms;
        let hung = asked.ms + self.travel_ms() < end_ms && !is_abandoned && self.hung(request, end_ms);
        hung.then(|| self.violation(&[request.index], "waits on although its stream has expired"))
    }

    /// Nothing that a reader asks is wrong, and nothing sends it round in circles.
    fn is_refused(&self) -> Option<Violation> {
        let (parted, parting) = self.reader.parted?;
        let last = self.requests.last();
        if last.is_some_and(|last| self.case.is_refused_by_another_clock(last.op)) {
            return None;
        }
        let refused = parting == Parting::Refused && parted.ms >= self.settled_ms();
        refused.then(|| self.violation(&[], "is refused"))
    }
}

fn brings(arrival: &Arrival<'_>) -> bool {
    arrival.payload != Payload::Empty
}

/// Whether another stream may have been created in the place of the one that `op` saw, before some virtual ms.
fn is_created_since(case: &Case<'_>, op: &Op, until_ms: u64) -> bool {
    case.creations()
        .any(|(_, other)| other.invoked != op.invoked && other.settled() > op.invoked && other.invoked.ms <= until_ms)
}

/// Whether the stream that an append went to may have been removed before some virtual ms.
fn may_be_gone(case: &Case<'_>, append: &Op, until_ms: u64) -> bool {
    let deleted = case.deletions().any(|(_, other)| other.settled() > append.invoked && other.invoked.ms <= until_ms);
    let latest_ms = until_ms + case.history.conditions.clocks_apart_ms;
    let expired = case.lifetimes(append.settled()).any(|lifetime| match lifetime {
        Lifetime::Endless => false,
        Lifetime::Until(at_ms) => at_ms <= latest_ms,
        Lifetime::Ttl(seconds) => append.invoked.ms + seconds * 1_000 <= latest_ms,
    });
    deleted || expired || is_created_since(case, append, until_ms)
}

/// Whether the append's batch was sent before that moment, too: what the append was told may be a duplicate's answer.
fn was_sent_before(case: &Case<'_>, append: &Op, moment: Moment) -> bool {
    append.batch().is_some() && case.iter().any(|(_, other)| other.batch() == append.batch() && other.invoked < moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, closed, created, deleted, delivery, empty, polled, run};
    use crate::judge::history::{Delivery, End, Unserved};
    use crate::world::Harm;

    fn check(run: &Fixture, expected: usize) {
        run.check(Invariant::Live, super::check, expected);
    }

    #[test]
    fn a_long_poll_that_is_answered_soon_after_a_write_is_live_and_one_that_is_not_is_found() {
        for (late_ms, distance_ms, expected) in
            [(0, 0, 0), (4_000, 0, 0), (9_000, 0, 1), (5_100, 0, 1), (5_100, 100, 0), (5_100, 20, 1)]
        {
            let mut run = run();
            run.history.conditions.distance_ms = distance_ms;
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.wait_ms(3_000);
            run.append(1, acked(0, 1));
            run.wait_ms(late_ms);
            run.end_live(reader, op, &[0], polled(0, 1, 7));
            run.poll(reader, empty(0, 1, 9));
            check(&run, expected);
        }
    }

    #[test]
    fn whoever_stalls_or_leaves_is_owed_nothing() {
        for (stalls, leaves, expected) in [(false, false, 1), (true, false, 0), (false, true, 0)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.append(1, acked(0, 1));
            if stalls {
                let now_ms = run.now_ms();
                run.history.readers[reader].stalls.push((now_ms, now_ms + 60_000));
            }
            if leaves {
                run.part(reader, Parting::Left);
            } else {
                run.wait_ms(20_000);
                run.end_live(reader, op, &[0], polled(0, 1, 7));
            }
            check(&run, expected);
        }
    }

    #[test]
    fn before_the_world_has_settled_nothing_is_owed() {
        for (settled, expected) in [(true, 1), (false, 0)] {
            let mut run = run();
            run.history.conditions.settled_from_ms = if settled { 0 } else { u64::MAX };
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.append(1, acked(0, 1));
            run.wait_ms(20_000);
            run.end_live(reader, op, &[0], polled(0, 1, 7));
            check(&run, expected);
        }
    }

    #[test]
    fn events_that_stay_away_are_found_and_each_of_them_gives_time_for_the_next() {
        for (last, expected) in [(3, 0), (2, 1)] {
            let mut run = run();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.append(3, acked(0, 3));
            for index in 1..=last {
                run.wait_ms(4_000);
                run.deliver(reader, op, delivery(Some("[]"), 0, index, index));
            }
            run.wait_ms(30_000);
            run.hang_up(op, End::Finished);
            check(&run, expected);
        }
    }

    #[test]
    fn an_event_may_take_longer_in_pieces_as_long_as_they_come() {
        for (pieces, expected) in [(2, 0), (1, 1), (0, 1)] {
            let mut run = run();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.append(1, acked(0, 1));
            for piece in 0..2 {
                run.wait_ms(4_000);
                if piece < pieces {
                    let now_ms = run.now_ms();
                    run.history.listening(op).pieces_ms.push(now_ms);
                }
            }
            run.wait_ms(4_000);
            run.deliver(reader, op, delivery(Some("[]"), 0, 1, 1));
            run.hang_up(op, End::Finished);
            check(&run, expected);
        }
    }

    #[test]
    fn who_breaks_its_own_connection_is_given_time_anew_when_it_has_come_back() {
        for (is_cut_by_client, answers_ms, expected) in [(true, 4_000, 0), (true, 6_000, 1), (false, 4_000, 1)] {
            let mut run = run();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.append(1, acked(0, 1));
            run.wait_ms(4_000);
            run.hang_up(op, End::Cut);
            run.history.listening(op).is_cut_by_client = is_cut_by_client;
            let again = run.listen(reader);
            run.wait_ms(answers_ms);
            run.deliver(reader, again, delivery(Some("[]"), 0, 1, 1));
            run.hang_up(again, End::Finished);
            check(&run, expected);
        }
    }

    #[test]
    fn a_reader_that_begins_at_the_tail_is_owed_what_comes_after_it_asked() {
        for (wait_ms, expected) in [(100, 0), (3_000, 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, Some(From::Now));
            // Within a moment of its request, the write may have come before it.
            run.wait_ms(wait_ms);
            run.append(1, acked(0, 1));
            run.wait_ms(20_000);
            run.end_live(reader, op, &[], empty(0, 1, 7));
            check(&run, expected);
        }
    }

    #[test]
    fn a_reader_that_begins_at_the_tail_begins_when_its_request_comes_to_the_worker() {
        type InFront = fn(&mut Fixture, usize);
        let waits_until_it_leaves: InFront = |run, op| {
            let request = run.history.ops[op].request;
            let place = ("1/0".into(), "key".into());
            run.history.fronts.in_vain.push(Unserved { request, ms: run.now_ms(), place });
        };
        let cases: [(InFront, usize); 3] =
            [(|_, _| (), 1), (waits_until_it_leaves, 0), (|run, op| run.fetch(op, 23_000), 1)];
        for (number, (in_front, expected)) in cases.into_iter().enumerate() {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, Some(From::Now));
            run.wait_ms(3_000);
            run.append(1, acked(0, 1));
            run.wait_ms(20_000);
            run.end_live(reader, op, &[], empty(0, 1, 7));
            in_front(&mut run, op);
            let found = run.case();
            let found = super::check(&found);
            assert_eq!(found.len(), expected, "{number}: {found:?}");
        }
    }

    #[test]
    fn the_close_the_deletion_and_the_expiry_end_every_wait() {
        for (end, late_ms, expected) in [
            ("close", 1_000, 0),
            ("close", 19_000, 1),
            ("delete", 1_000, 0),
            ("delete", 19_000, 1),
            ("expire", 1_000, 0),
            ("expire", 19_000, 1),
        ] {
            let mut run = Fixture::json();
            let until = Lifetime::Until(run.now_ms() + 11_000);
            run.create(if end == "expire" { until } else { Lifetime::Endless }, created(0));
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.wait_ms(3_000);
            match end {
                "close" => run.close(closed(acked(0, 0))),
                "delete" => run.delete(deleted()),
                _ => run.wait_ms(8_000),
            }
            run.wait_ms(late_ms);
            if end == "close" {
                let last = Delivery { closed: true, ..delivery(None, 0, 0, 3) };
                run.deliver(reader, op, last);
            }
            run.hang_up(op, End::Finished);
            run.part(reader, if end == "close" { Parting::Closed } else { Parting::Gone });
            check(&run, expected);
        }
    }

    #[test]
    fn a_close_that_a_superseded_instance_confirms_ends_no_wait() {
        for (harm, expected) in [(None, 1), (Some(Harm::Stale), 0)] {
            let mut run = run();
            let reader = run.join(Mode::Sse);
            let op = run.listen(reader);
            run.wait_ms(3_000);
            run.close(closed(acked(0, 0)));
            let close = run.history.ops.last().expect("the close").request;
            harm.into_iter().for_each(|harm| run.history.harms.harm_request(close, harm));
            run.wait_ms(19_000);
            run.hang_up(op, End::Finished);
            run.part(reader, Parting::Left);
            check(&run, expected);
        }
    }

    #[test]
    fn a_close_of_the_stream_before_says_nothing_about_the_next() {
        let mut run = run();
        run.close(closed(acked(0, 0)));
        run.delete(deleted());
        run.create(Lifetime::Endless, created(1));
        let reader = run.join(Mode::LongPoll);
        let op = run.ask_live(reader, Some(From::Now));
        run.wait_ms(20_000);
        run.end_live(reader, op, &[], empty(1, 0, 7));
        check(&run, 0);
    }

    #[test]
    fn a_reader_that_is_refused_is_found() {
        for (parting, expected) in [(Parting::Refused, 1), (Parting::Gone, 0), (Parting::Left, 0)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.part(reader, parting);
            check(&run, expected);
        }
    }
}
