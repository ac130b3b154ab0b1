//! What requests may cost, by what each does.

use std::collections::{BTreeSet, HashMap};

use tailrace_core::protocol::cache::AnswerKind;

use crate::judge::checker::case::{Case, slack_ms};
use crate::judge::checker::invariant::leak;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, Content, From, Lifetime, Mode, Moment, Op, SentBatch};
use crate::world::{Charge, Harm};

/// The first request after a start sets an alarm again that the platform has given up.
pub(super) const RESTORED: u64 = 1;

/// A sliding deadline moves, because of a read or a write.
pub(super) const TOUCH: u64 = 1;

/// It moves because its time has come and a reader is connected.
pub(super) const STAY: u64 = 1;

/// A stream gets another reader key.
pub(super) const NEW_KEY: u64 = 1;

/// A look for an idle producer that has found none is remembered.
pub(super) const LOOK: u64 = 1;

/// A stream is removed: its tombstone; the entries of its three duties go (to expire, rotate and sweep), and the alarm is
/// set to what is left if it was overdue; the duty to remove its objects comes, and the alarm for it.
pub(super) const REMOVAL: u64 = 1 + 3 + 1 + 1 + 1;

/// An append opens a table of the log, and seals its segment: the table; the duty to rotate with its alarm, and before
/// it, where nothing was to be done yet, the table of duties.
pub(super) const SEGMENT: u64 = 2 + 2 + 1 + 1;

/// A stream comes: four tables (itself, log, producers, duties) and its row; its end with the alarm for it, and, if it is
/// closed from the start, the duty to rotate with an earlier alarm.
pub(super) const CREATION: u64 = 4 * 2 + 1 + 2 + 2;

/// How long a request to a stream near by and its answer are on their way at most, in ms.
pub(super) const TRAVEL_MS: u64 = 2_000;

/// How often a stream goes on for its readers at most: each time for so many ms at least (SPEC, section 3).
pub(super) const LEAST_STAY_MS: u64 = 30_000;

/// How often a long-poll calls the object of a stream to which nobody writes.
pub(super) const POLLED: u64 = 2;

/// How many rows an append that finds no room frees at most.
pub(super) const FREED: u64 = 1_000;

/// What a stream's requests may cost.
pub(super) struct Budget<'a> {
    pub(super) case: &'a Case<'a>,
    /// Whether it has a sliding lifetime.
    pub(super) has_ttl: bool,
    /// Whether it may go on for its readers: it has a sliding lifetime, and readers.
    may_stay: bool,
    /// Whether more producers have sent something than it keeps.
    is_crowded: bool,
    /// How many segments the answers tell of.
    pub(super) segments: u64,
    /// What it costs that an alarm is set again: nothing, if none can have been a minute late.
    restored: u64,
}

impl<'a> Budget<'a> {
    pub(super) fn of(case: &'a Case<'a>) -> Self {
        let ever = Moment { tick: u64::MAX, ms: u64::MAX };
        let has_ttl = case.lifetimes(ever).any(|lifetime| matches!(lifetime, Lifetime::Ttl(_)));
        let stamps = case.iter().filter_map(|(_, op)| case.history.batches.get(op.batch()?)?.stamp.as_ref());
        let producers: BTreeSet<&str> = stamps.map(|stamp| stamp.producer.as_str()).collect();
        Self {
            case,
            has_ttl,
            may_stay: has_ttl && case.iter().any(|(_, op)| matches!(op.call, Call::Live { .. })),
            is_crowded: producers.len() as u64 > case.history.conditions.producers,
            segments: case.iter().filter_map(|(_, op)| case.offset(op)).map(|at| at.segment + 1).max().unwrap_or(0),
            restored: match case.history.conditions.clocks_apart_ms {
                0 if !case.history.harms.has_stream(case.stream, &[Harm::AlarmFailed], 0..=u64::MAX) => 0,
                _ => RESTORED,
            },
        }
    }

    /// The requests that reached an isolate, and what each has cost.
    fn charged(&self) -> impl Iterator<Item = (usize, &'a Op, Charge)> {
        let charges = &self.case.history.charges;
        self.case.iter().filter_map(|(index, op)| Some((index, op, *charges.get(&op.request)?)))
    }

    pub(super) fn dear_requests(&self) -> Vec<Violation> {
        let dear = self.charged().filter_map(|(index, op, charge)| Some((index, self.complaint(op, charge)?)));
        dear.map(|(index, message)| self.case.violation(Invariant::Bill, &[index], message)).collect()
    }

    fn complaint(&self, op: &Op, Charge { invocations, calls, rows, .. }: Charge) -> Option<String> {
        let most_invocations = self.invocations(op);
        if invocations > most_invocations {
            return Some(format!("the Worker was invoked {invocations} times, where {most_invocations} do"));
        }
        if calls > 0 && self.case.history.giver(op).is_cache() {
            return Some("a call of the object, and the answer is a copy".to_owned());
        }
        if calls > 1 && !matches!(op.call, Call::Live { .. }) {
            return Some(format!("{calls} calls of the object, where one does"));
        }
        if let Some(most_calls) = self.calls_of_poll(op).filter(|most_calls| calls > *most_calls) {
            return Some(format!("a long-poll called the object {calls} times, where {most_calls} do"));
        }
        // The object may have been called again, and have written again.
        let most_rows = self.rows_of_call(op) * calls;
        (rows > most_rows).then(|| format!("{rows} rows were written, where {most_rows} do"))
    }

    /// How often a long-poll may call the object: to wait there, once more where it is ahead of the clock, and after each
    /// write that it is told to read, or that ends a wait before it began. `None` for one to which something was done, or
    /// to the object meanwhile: it asks again until that has passed.
    fn calls_of_poll(&self, op: &Op) -> Option<u64> {
        let Call::Live { mode: Mode::LongPoll, .. } = op.call else { return None };
        let Case { history, stream, .. } = self.case;
        let since_ms = op.invoked.ms.saturating_sub(TRAVEL_MS);
        let settled_ms = op.definite().and(op.ended)?.ms;
        if history.harms.has_any(op.request) || history.harms.has_any_of_stream(*stream, since_ms..=settled_ms) {
            return None;
        }
        // Those that wait come again when their stream has another reader key.
        let writes = |other: &Op| {
            matches!(other.call, Call::Create { .. } | Call::Append { .. } | Call::Delete | Call::NewReaderKey)
        };
        let meanwhile = |other: &Op| other.invoked < op.settled() && other.settled() > op.invoked;
        let writes = self.case.iter().filter(|(_, other)| writes(other) && meanwhile(other)).count() as u64;
        Some(POLLED + writes)
    }

    /// How often the Worker may be invoked for a request: once, and a second time where a gateway forwards it.
    fn invocations(&self, op: &Op) -> u64 {
        let is_forwarded = matches!(op.call, Call::Read { .. } | Call::Live { mode: Mode::LongPoll, .. });
        1 + u64::from(is_forwarded && self.case.history.conditions.policy.has_gateway)
    }

    /// The rows that each call of a request may write. A read that waits for R2 may find at first that its stream goes on
    /// for its readers, and then that it is over.
    fn rows_of_call(&self, op: &Op) -> u64 {
        let is_done = op.succeeded() || op.status() == Some(304);
        let own = match (&op.call, op.status()) {
            (Call::Create { .. }, None | Some(201 | 507)) => REMOVAL + CREATION + self.content_rows(op),
            (Call::Create { .. }, Some(200)) => TOUCH,
            (Call::Create { .. }, _) => REMOVAL,
            (Call::Append { .. }, None | Some(507)) => REMOVAL.max(LOOK).max(self.appended_rows(op)),
            (Call::Append { .. }, Some(404)) => REMOVAL,
            (Call::Append { .. }, Some(400..)) => 0,
            (Call::Append { .. }, _) => self.appended_rows(op).max(TOUCH),
            (Call::Read { .. }, _) if is_done => TOUCH,
            (Call::Head, _) if is_done => 0,
            (Call::NewReaderKey, _) if is_done => NEW_KEY,
            (Call::NewReaderKey, _) => REMOVAL.max(NEW_KEY),
            (Call::Read { .. } | Call::Head | Call::Delete, _) => REMOVAL,
            (Call::Live { .. }, _) => TOUCH + REMOVAL,
        };
        self.restored + if self.may_stay { STAY } else { 0 } + own
    }

    /// The rows of an append: its content, and what belongs to a segment. One that finds no room is undone, may free rows
    /// that are in R2, and tries once more.
    fn appended_rows(&self, op: &Op) -> u64 {
        let closes = matches!(op.call, Call::Append { closes: true, .. });
        let once = SEGMENT + self.content_rows(op).max(u64::from(closes));
        if !self.case.may_have_been_undone(op) {
            return once;
        }
        // One that was never answered may come at any later time.
        let may_be_before = |other: &Op| other.request != op.request && other.invoked < op.settled();
        let before = self.case.iter().filter(|(_, other)| may_be_before(other));
        2 * once + before.map(|(_, other)| self.content_rows(other)).sum::<u64>().min(FREED)
    }

    /// The rows of a batch: those that its messages fill, that of its producer, and that of the one whose place it takes.
    pub(super) fn content_rows(&self, op: &Op) -> u64 {
        let Some(batch) = op.batch().and_then(|batch| self.case.history.batches.get(batch)) else { return 0 };
        let producer = batch.stamp.as_ref().map_or(0, |stamp| 1 + u64::from(stamp.seq == 0 && self.is_crowded));
        message_rows(self.case, batch) + producer
    }

    /// How often the stream can have gone on for its readers within so many ms.
    pub(super) fn stays(&self, within_ms: u64) -> u64 {
        if self.may_stay { within_ms / LEAST_STAY_MS + 1 } else { 0 }
    }

    /// All appends together: only the first one of a segment opens a table, and only the last one seals it, and sets an
    /// alarm.
    pub(super) fn dear_appends(&self) -> Option<Violation> {
        let appended = self
            .charged()
            .filter(|(_, op, _)| {
                matches!(op.call, Call::Append { batch: Some(_), .. }) && self.case.history.appended(op)
            })
            .filter(|(_, op, _)| !self.case.may_have_been_undone(op));
        let (mut rows, mut content, mut alarms) = (0, 0, 0);
        let (mut first_ms, mut last_ms) = (u64::MAX, 0);
        for (_, op, charge) in appended {
            (rows, content) = (rows + charge.rows, content + self.content_rows(op));
            alarms += charge.alarms;
            (first_ms, last_ms) = (first_ms.min(op.invoked.ms), op.settled().ms);
        }
        let harms = self.case.history.harms.times_of_stream(self.case.stream).count() as u64;
        let stays = self.stays(last_ms.saturating_sub(first_ms));
        let beside = self.restored * (harms + 1) + STAY * stays;
        let most = content + SEGMENT * (self.segments + 1) + beside;
        // One that seals a segment has it moved to R2.
        let most_alarms = self.segments + 1 + beside;
        let message = if rows > most {
            format!("the appends wrote {rows} rows, where {content} hold their content, and {most} do")
        } else if alarms > most_alarms {
            format!("the appends set {alarms} alarms, where {most_alarms} do")
        } else {
            return None;
        };
        Some(self.case.violation(Invariant::Bill, &[], message))
    }

    /// A sliding deadline moves by its slack at least, so reads that move it are that far apart. Where it has moved because a
    /// reader was connected, it has no slack, and one more may move it.
    pub(super) fn dear_touches(&self) -> Option<Violation> {
        let is_fair = self.case.history.conditions.clocks_apart_ms == 0;
        let ttl = match self.case.iter().find_map(|(_, op)| self.case.lifetimes(op.settled()).next()) {
            Some(Lifetime::Ttl(seconds)) if is_fair => seconds,
            _ => return None,
        };
        let is_same = |lifetime| lifetime == Lifetime::Ttl(ttl);
        let touching: Vec<(usize, &Op)> = self
            .charged()
            .filter(|(_, op, charge)| {
                matches!(op.call, Call::Read { .. }) && op.succeeded() && charge.rows > self.restored
            })
            .filter(|(_, op, _)| self.case.history.is_strong(op))
            .map(|(index, op, _)| (index, op))
            .collect();
        let most = if self.may_stay { 2 } else { 1 };
        // Whoever reads what is kept for others starts the TTL again for half a slack more.
        let keeps = self.case.history.conditions.policy.kept.contains(&AnswerKind::Page);
        let is_kept = |op: &Op| keeps && self.case.history.shown(op).is_some_and(|shown| !shown.up_to_date);
        let apart_ms = |op: &Op| if is_kept(op) { slack_ms(ttl) / 2 } else { slack_ms(ttl) };
        touching.windows(most + 1).find_map(|moved| {
            let ((first, before), (second, after)) = (*moved.first()?, *moved.last()?);
            let ended = after.ended?;
            let is_near = before.precedes(after) && ended.ms < before.invoked.ms + apart_ms(after);
            let is_one_stream = self.case.lifetimes(ended).all(is_same) && !self.case.removable(first, after);
            let message = || format!("a deadline moved {} times within {} ms", most + 1, ended.ms - before.invoked.ms);
            (is_near && is_one_stream).then(|| self.case.violation(Invariant::Bill, &[first, second], message()))
        })
    }

    /// Identical long-polls that wait at one time, and in vain, share the call of one of them, at each isolate of the
    /// datacenter that they reach: one with a tag, to which 304 may be the answer, only with those that have the same.
    /// Whoever comes later than the flight has touched a sliding TTL for asks by itself.
    pub(super) fn unshared(&self) -> Vec<Violation> {
        if self.has_ttl {
            return Vec::new();
        }
        // Each with when it came to the Worker: it may have waited in front.
        type Polls<'a> = Vec<(u64, usize, &'a Op)>;
        // From where, with which cursor and which tag, and from which datacenter.
        type Asked<'a> = (&'a From, Option<u64>, Option<&'a str>, usize);
        let came_ms = |op: &Op| self.case.history.fronts.came_ms(op).unwrap_or(op.invoked.ms);
        let conditions = &self.case.history.conditions;
        let mut identical: HashMap<Asked<'_>, Polls<'_>> = HashMap::new();
        for (index, op, _) in self.charged().filter(|(.., charge)| charge.calls > 0) {
            if let Call::Live { mode: Mode::LongPoll, from: from @ From::At(_), cursor, .. } = &op.call
                && op.invoked.ms >= conditions.settled_from_ms
                && op.status() == Some(204)
                // One that leaves a flight with its token asks once more by itself.
                && !leak::is_at_the_end_of_a_token(self.case, op)
            {
                let asked = (from, *cursor, self.case.history.known_tag(op), conditions.colo(op.client));
                identical.entry(asked).or_default().push((came_ms(op), index, op));
            }
        }
        let isolates = conditions.isolates.max(1);
        let mut violations = Vec::new();
        for ((from, ..), mut polls) in identical {
            polls.sort_unstable_by_key(|(came_ms, index, _)| (*came_ms, *index));
            for (place, (came_ms, index, _)) in polls.iter().enumerate() {
                let waits_ms = came_ms + TRAVEL_MS + conditions.round_trip_ms();
                let still_waits =
                    |(_, _, other): &&(u64, usize, &Op)| other.ended.is_some_and(|ended| ended.ms > waits_ms);
                let waiting = polls[..place].iter().filter(still_waits).count();
                if waiting >= isolates {
                    let message =
                        format!("{} identical polls wait from {from:?}, each with a call of its own", waiting + 1);
                    violations.push(self.case.violation(Invariant::Bill, &[*index], message));
                    break;
                }
            }
        }
        violations
    }
}

/// How many rows hold the messages of a batch.
pub(super) fn message_rows(case: &Case<'_>, batch: &SentBatch) -> u64 {
    let most = case.history.conditions.row_bytes.max(1) as usize;
    if case.history.streams[case.stream].content != Content::Json {
        return batch.messages.iter().map(|message| message.len()).sum::<usize>().div_ceil(most) as u64;
    }
    let (mut rows, mut room) = (0, 0);
    for length in batch.messages.iter().map(|message| message.len()) {
        // Between two messages of a row is a comma.
        if length < room {
            room -= length + 1;
        } else {
            rows += length.div_ceil(most).max(1);
            room = most.saturating_sub(length);
        }
    }
    rows as u64
}
