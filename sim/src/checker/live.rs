//! When nothing goes wrong any more, whoever waits is told: of what is written, soon; and of the end of its stream.

use super::case::Case;
use super::{Invariant, Position, Violation};
use crate::history::{Arrival, Call, From, Lifetime, Mode, Op, Parting, Payload, Reader};

/// How long a reader may be without any progress towards what was acknowledged, in ms: far above the distances that
/// scenarios draw, far below every time-out, so that no time-out heals what was forgotten.
const WITHIN_MS: u64 = 5_000;

/// How long a request is on its way at most, in ms.
const TRAVEL_MS: u64 = 2_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, reader) in case.readers() {
        let arrivals = case.arrivals().filter(|arrival| arrival.reader == number).collect();
        let view = View { case, number, reader, arrivals };
        violations.extend(view.falls_behind());
        violations.extend(view.requests().find_map(|request| view.hangs_on(&request)));
        violations.extend(view.is_refused());
    }
    violations
}

/// One reader, and what it was sent.
struct View<'a> {
    case: &'a Case<'a>,
    number: usize,
    reader: &'a Reader,
    arrivals: Vec<&'a Arrival<'a>>,
}

/// A request, and how long it was open.
struct Request<'a> {
    index: usize,
    op: &'a Op,
    until_ms: u64,
}

impl<'a> View<'a> {
    fn settled_ms(&self) -> u64 {
        self.case.history.conditions.settled_from_ms
    }

    /// From here on for as long as it may take, the reader was there.
    fn attends(&self, begin_ms: u64) -> bool {
        begin_ms.checked_add(WITHIN_MS).is_some_and(|end_ms| self.reader.is_attentive(begin_ms, end_ms))
    }

    fn requests(&self) -> impl Iterator<Item = Request<'a>> {
        let parted_ms = self.reader.parted.map_or(u64::MAX, |(parted, _)| parted.ms);
        self.case.iter().filter_map(move |(index, op)| match op.call {
            Call::Live { mode, reader, .. } if reader == self.number => {
                let listening = self.case.history.listenings.get(&index);
                let ended = match mode {
                    Mode::Sse if op.status() == Some(200) => listening.and_then(|listening| Some(listening.end?.0)),
                    _ => op.ended,
                };
                Some(Request { index, op, until_ms: ended.map_or(parted_ms, |ended| ended.ms) })
            }
            _ => None,
        })
    }

    fn violation(&self, ops: &[usize], what: &str) -> Violation {
        self.case.violation(Invariant::Live, ops, format!("reader {} {what}", self.number))
    }

    /// A reader that attends and makes no progress for a while has what had been acknowledged before that.
    fn falls_behind(&self) -> Option<Violation> {
        let begins = self.requests().next().and_then(|request| match &request.op.call {
            Call::Live { from: From::At(text), .. } => Position::parse(text),
            _ => None,
        });
        let mut standing: Vec<(u64, Position)> =
            begins.map(|position| (self.reader.joined.ms, position)).into_iter().collect();
        for arrival in &self.arrivals {
            let position = arrival.next_offset.and_then(Position::parse);
            standing.extend(position.filter(|_| brings(arrival) || standing.is_empty()).map(|at| (arrival.at.ms, at)));
        }
        for (place, (since_ms, position)) in standing.iter().enumerate() {
            let until_ms = standing.get(place + 1).map_or(u64::MAX, |(next_ms, _)| *next_ms);
            let owed = self.case.iter().find(|(_, op)| {
                let end = self.case.offset(op).filter(|_| self.case.history.appended(op));
                let begin_ms = op.settled().ms.max(*since_ms).max(self.settled_ms());
                let is_missed = end.is_some_and(|end| {
                    *position < end && self.case.log.same_incarnation(position.segment, end.segment)
                });
                is_missed
                    && self.attends(begin_ms)
                    && until_ms.saturating_sub(WITHIN_MS) > begin_ms
                    && !may_be_gone(self.case, op, begin_ms + WITHIN_MS)
            });
            if let Some((op, _)) = owed {
                let what = format!("stands at {position} since {since_ms} ms, and is not sent what was acknowledged");
                return Some(self.violation(&[op], &what));
            }
        }
        None
    }

    /// Whether a request that was open when this became owed was open for too long, and brought nothing.
    fn hung(&self, request: &Request<'_>, owed_ms: u64) -> bool {
        let begin_ms = owed_ms.max(request.op.invoked.ms).max(self.settled_ms());
        let brings_then = |arrival: &&Arrival<'_>| {
            arrival.op == request.index && brings(arrival) && (begin_ms..=begin_ms + WITHIN_MS).contains(&arrival.at.ms)
        };
        request.until_ms.saturating_sub(WITHIN_MS) > begin_ms
            && self.attends(begin_ms)
            && !self.arrivals.iter().any(brings_then)
    }

    /// A request that waits ends soon after its stream: closed, deleted or expired. One that began nowhere in
    /// particular brings what was appended since.
    fn hangs_on(&self, request: &Request<'_>) -> Option<Violation> {
        let asked = request.op.invoked;
        let waited_for = |other: &Op| other.invoked.ms > asked.ms + TRAVEL_MS;
        let begins_nowhere = !matches!(request.op.call, Call::Live { from: From::At(_), .. });
        let hears_nothing = !self.arrivals.iter().any(|arrival| arrival.op == request.index);
        for (index, other) in self.case.iter().filter(|(_, other)| other.succeeded()) {
            let owed_ms = other.settled().ms;
            let what = match other.call {
                Call::Append { closes: true, .. } | Call::Create { closes: true, .. } => {
                    if is_created_since(self.case, other, request.until_ms) {
                        continue;
                    }
                    "waits on although its stream is closed"
                }
                Call::Delete if waited_for(other) => "waits on although its stream was deleted",
                Call::Append { .. } if begins_nowhere && hears_nothing && waited_for(other) => {
                    if may_be_gone(self.case, other, owed_ms + WITHIN_MS) {
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
        let hung = asked.ms + TRAVEL_MS < end_ms && self.hung(request, end_ms);
        hung.then(|| self.violation(&[request.index], "waits on although its stream has expired"))
    }

    /// Nothing that a reader asks is wrong, and nothing sends it round in circles.
    fn is_refused(&self) -> Option<Violation> {
        let (parted, parting) = self.reader.parted?;
        let refused = parting == Parting::Refused && parted.ms >= self.settled_ms();
        refused.then(|| self.violation(&[], "is refused"))
    }
}

fn brings(arrival: &Arrival<'_>) -> bool {
    arrival.payload != Payload::Empty
}

/// Whether another stream may have been created in the place of the one that `op` saw, before some virtual ms.
fn is_created_since(case: &Case<'_>, op: &Op, until_ms: u64) -> bool {
    case.iter().any(|(_, other)| {
        let created = matches!(other.call, Call::Create { .. }) && matches!(other.status(), None | Some(201));
        created && other.invoked != op.invoked && other.settled() > op.invoked && other.invoked.ms <= until_ms
    })
}

/// Whether the stream that an append went to may have been removed before some virtual ms.
fn may_be_gone(case: &Case<'_>, append: &Op, until_ms: u64) -> bool {
    let deleted = case.iter().any(|(_, other)| {
        let deletes = other.call == Call::Delete && matches!(other.status(), None | Some(204));
        deletes && other.settled() > append.invoked && other.invoked.ms <= until_ms
    });
    let expired = case.lifetimes(append.settled()).any(|lifetime| match lifetime {
        Lifetime::Endless => false,
        Lifetime::Until(at_ms) => at_ms <= until_ms,
        Lifetime::Ttl(seconds) => append.invoked.ms + seconds * 1_000 <= until_ms,
    });
    deleted || expired || is_created_since(case, append, until_ms)
}
