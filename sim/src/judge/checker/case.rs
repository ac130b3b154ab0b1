//! One stream's history, prepared for the checkers: its log, and what may explain that it was there or was not.

use std::cell::LazyCell;
use std::collections::HashMap;

use tailrace_core::protocol::limits::CURSOR_AHEAD_MS;

use super::attendance::{self, live_travel_ms};
use super::publicity::Publicities;
use super::reader_keys::ReaderKeys;
use super::touches::{SLOW, Touches};
use super::{Invariant, Log, LogPosition, Violation};
use crate::judge::history::{Arrival, Call, From, Giver, History, Lifetime, Mode, Moment, Op, Reader, Trespass};
use crate::world::Harm;

/// By how much commit times may run ahead of the clock, in ms: they increase with every append, so a burst within one
/// millisecond borrows from the next ones.
pub(super) const COMMIT_AHEAD_MS: u64 = 100;

/// For how long a stream goes on at least that has a connected reader when its sliding TTL has run out, in ms (SPEC,
/// section 3).
pub(super) const LEAST_STAY_MS: u64 = 30_000;

/// One stream of a history.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    pub(super) stream: usize,
    pub(super) log: Log,
    /// Indices of the stream's operations.
    pub(super) ops: Vec<usize>,
    arrivals: Vec<Arrival<'a>>,
    /// The offset that each answer carries, by the tick of its request.
    offsets: HashMap<u64, LogPosition>,
    /// The keys by which caches in front share what is not public.
    pub(super) reader_keys: ReaderKeys<'a>,
    /// Which streams at the URL everybody may read.
    pub(super) publicities: Publicities,
    /// Requests that may have started a sliding TTL anew.
    touches: Touches,
    /// Creations that may have made the stream anew, and deletions that may have removed it: indices of operations.
    creations: Vec<usize>,
    deletions: Vec<usize>,
    /// Creations that may have given the stream its lifetime, in the order in which they were made.
    lifetimes: Vec<(Moment, Lifetime)>,
}

/// What an answer says about the end of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The operation.
    pub(super) op: usize,
    /// When it was asked for.
    pub(super) invoked: Moment,
    /// When it was certainly true.
    pub(super) settled: Moment,
    /// Whether the end was told to be that of a closed stream.
    pub(super) closed: bool,
    /// Whether it moved the end itself.
    pub(super) writes: bool,
    /// The end was here when it took effect, or when it began to write; `None` if it was this far or farther.
    pub(super) before: Option<LogPosition>,
    /// The end was at least here afterwards.
    pub(super) after: LogPosition,
}

impl<'a> Case<'a> {
    pub(super) fn new(history: &'a History, stream: usize) -> Self {
        let ops = history.of_stream(stream).map(|(index, _)| index).collect();
        let log = Log::derive(history, stream);
        let arrivals: Vec<Arrival<'_>> = history.arrivals(stream).collect();
        let touches = Touches::of(history, stream, &arrivals);
        let offset = |op: &Op| history.shown(op).or(op.definite())?.next_offset.as_deref().and_then(LogPosition::parse);
        let told = |(_, op): (usize, &Op)| Some((op.invoked.tick, offset(op)?));
        let offsets = history.of_stream(stream).filter_map(told).collect();
        let lifetime = |(_, op): (usize, &Op)| match op.call {
            Call::Create { lifetime, .. } if matches!(op.status(), None | Some(201)) => Some((op.invoked, lifetime)),
            _ => None,
        };
        let lifetimes = history.of_stream(stream).filter_map(lifetime).collect();
        let made = |op: &Op| matches!((&op.call, op.status()), (Call::Create { .. }, None | Some(201)));
        let removed = |op: &Op| matches!((&op.call, op.status()), (Call::Delete, None | Some(204)));
        let those = |is: &dyn Fn(&Op) -> bool| {
            history.of_stream(stream).filter(|(_, op)| is(op)).map(|(index, _)| index).collect()
        };
        let (creations, deletions) = (those(&made), those(&removed));
        let reader_keys = ReaderKeys::of(history, stream);
        let publicities = Publicities::of(history, stream);
        Self {
            history,
            stream,
            log,
            ops,
            arrivals,
            offsets,
            reader_keys,
            publicities,
            touches,
            creations,
            deletions,
            lifetimes,
        }
    }

    /// What was asked of the stream without a grant.
    pub(super) fn strangers(&self) -> impl Iterator<Item = &'a Trespass> {
        let stream = self.stream;
        self.history.strangers.iter().filter(move |trespass| trespass.stream == stream)
    }

    /// Creations that may have made the stream anew: those that did, and those that nobody knows of.
    pub(super) fn creations(&self) -> impl Iterator<Item = (usize, &'a Op)> {
        self.creations.iter().map(|index| (*index, &self.history.ops[*index]))
    }

    /// Deletions that may have removed the stream: those that did, and those that nobody knows of.
    pub(super) fn deletions(&self) -> impl Iterator<Item = (usize, &'a Op)> {
        self.deletions.iter().map(|index| (*index, &self.history.ops[*index]))
    }

    /// Whether the request was refused because its cursor was told, or allowed, by the clock of another isolate than
    /// the one that refuses it.
    pub(super) fn is_refused_by_another_clock(&self, op: &Op) -> bool {
        let Call::Live { cursor: Some(cursor), .. } = op.call else { return false };
        let is_refused = op.answer.as_ref().is_some_and(|answer| answer.code.as_deref() == Some("invalid_cursor"));
        let apart_ms = self.history.conditions.edges_apart_ms;
        is_refused && apart_ms > 0 && cursor + apart_ms >= op.invoked.ms + CURSOR_AHEAD_MS
    }

    /// Whether a fault has harmed the request in one of these ways, or the one by which a cache in front has its answer.
    pub(super) fn is_harmed(&self, op: &Op, harms: &[Harm]) -> bool {
        let brought_by = self.history.fronts.handed_to(op).map(|handed| handed.by);
        self.history.harms.has(op.request, harms) || brought_by.is_some_and(|by| self.history.harms.has(by, harms))
    }

    /// Whether a fault has harmed the stream's object in one of these ways while the request was under way.
    pub(super) fn is_harmed_meanwhile(&self, op: &Op, harms: &[Harm]) -> bool {
        let ended_ms = op.ended.map_or(u64::MAX, |ended| ended.ms);
        self.history.harms.has_stream(self.stream, harms, op.invoked.ms..=ended_ms)
    }

    /// Whether a read of R2 by the stream's object failed while the request was under way, or never came to an end: a
    /// reader that comes as long as the object waits shares that.
    pub(super) fn is_r2_failing(&self, op: &Op) -> bool {
        let since_ms = op.invoked.ms.saturating_sub(self.history.conditions.read_limit_ms);
        let ended_ms = op.ended.map_or(u64::MAX, |ended| ended.ms);
        self.is_harmed_meanwhile(op, &[Harm::GetFailed])
            || self.history.harms.has_stream(self.stream, &[Harm::BucketStuck], since_ms..=ended_ms)
    }

    /// Whether the platform has given an alarm of the stream's object up before this virtual ms.
    pub(super) fn was_alarm_abandoned(&self, before_ms: u64) -> bool {
        self.history.harms.has_stream(self.stream, &[Harm::AlarmAbandoned], 0..=before_ms)
    }

    pub(super) fn op(&self, index: usize) -> &'a Op {
        &self.history.ops[index]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'a Op)> {
        self.ops.iter().map(|index| (*index, &self.history.ops[*index]))
    }

    /// What the stream's live readers were sent.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = &Arrival<'a>> {
        self.arrivals.iter()
    }

    /// The stream's live readers, with their numbers.
    pub(super) fn readers(&self) -> impl Iterator<Item = (usize, &'a Reader)> {
        self.history.readers.iter().enumerate().filter(|(_, reader)| reader.stream == self.stream)
    }

    pub(super) fn violation(&self, invariant: Invariant, ops: &[usize], message: String) -> Violation {
        let stream = self.history.streams[self.stream].name.clone();
        Violation { invariant, stream, ops: ops.to_vec(), message }
    }

    /// The offset that an answer carries, if it is one.
    pub(super) fn offset(&self, op: &Op) -> Option<LogPosition> {
        self.offsets.get(&op.invoked.tick).copied()
    }

    /// The operations that carry a batch.
    pub(super) fn carriers(&self, batch: usize) -> impl Iterator<Item = (usize, &'a Op)> {
        self.iter().filter(move |(_, op)| op.batch() == Some(batch))
    }

    /// Whether the answer says that the stream was there.
    pub(super) fn was_present(&self, op: &Op) -> bool {
        match (&op.call, op.status()) {
            (Call::Create { .. }, Some(200 | 201 | 409))
            | (Call::Append { .. }, Some(200 | 204 | 403 | 409))
            | (Call::Read { .. }, Some(200 | 304))
            | (Call::Live { .. }, Some(200 | 204 | 304))
            | (Call::Head | Call::NewReaderKey, Some(200)) => true,
            // Unless a statement said so, which may be one that removes an expired stream.
            (Call::Append { .. }, Some(507)) => !self.is_database_said_to_be_full(op),
            _ => false,
        }
    }

    /// Whether the answer says that the stream was not there, if only until this request.
    pub(super) fn was_absent(&self, op: &Op) -> bool {
        match op.call {
            Call::Create { .. } => op.status() == Some(201),
            _ => op.status() == Some(404),
        }
    }

    /// The lifetimes that the stream may have had before `until`.
    pub(super) fn lifetimes(&self, until: Moment) -> impl Iterator<Item = Lifetime> {
        self.lifetimes.iter().filter(move |(invoked, _)| *invoked < until).map(|(_, lifetime)| *lifetime)
    }

    /// Whether the answer says that this request started a sliding TTL anew, or that whoever has filled the cache did so
    /// for it. The caches of browsers do not count.
    fn touched(&self, op: &Op) -> bool {
        match self.history.giver(op) {
            Giver::Object => {}
            Giver::Browser { .. } | Giver::Front(_) => return false,
            // What was kept of an earlier stream at the URL is no touch of the next one.
            Giver::Edge { .. } | Giver::Flight if self.may_be_of_an_earlier_stream(op) => return false,
            Giver::Edge { .. } | Giver::Flight => {}
        }
        match op.call {
            Call::Head | Call::Delete | Call::NewReaderKey => false,
            Call::Read { .. } => matches!(op.status(), Some(200 | 304)),
            Call::Live { .. } => matches!(op.status(), Some(200 | 204 | 304)),
            Call::Create { .. } | Call::Append { .. } => op.succeeded(),
        }
    }

    /// Whether the stream that an answer is of may have been replaced since the answer was given.
    fn may_be_of_an_earlier_stream(&self, op: &Op) -> bool {
        let (given_ms, _) = self.history.given_ms(op);
        let until = op.ended.unwrap_or(op.settled());
        let meanwhile = |other: &Op| other.settled().ms >= given_ms && other.invoked < until;
        self.creations().chain(self.deletions()).any(|(_, other)| meanwhile(other))
    }

    /// Whether the stream may have been deleted between two moments.
    pub(super) fn deletion_between(&self, after: Moment, until: Moment) -> bool {
        self.deletions().any(|(_, op)| op.settled() > after && op.invoked < until)
    }

    /// Since when what an answer tells may have been known: a waiting reader may share a flight that began before.
    fn known_since(&self, op: &Op) -> Moment {
        if !matches!(op.call, Call::Live { .. }) {
            return op.invoked;
        }
        let since_ms = op.invoked.ms.saturating_sub(self.history.conditions.flight_ms());
        let first = self.history.ops.partition_point(|other| other.invoked.ms < since_ms);
        self.history.ops.get(first).map_or(op.invoked, |other| other.invoked.min(op.invoked))
    }

    /// Whether the stream that `seen` saw may have been gone at some moment before `op` was answered: it may have been
    /// deleted, or have come to its end, or it was certainly created anew in between.
    pub(super) fn removable(&self, seen: usize, op: &Op) -> bool {
        let after = self.known_since(self.op(seen));
        let until = op.ended.unwrap_or(op.settled());
        let batch = self.op(seen).batch();
        let between = |index: usize, other: &Op| {
            // A retry of what was seen is the same creation, unless its message took so long that it may have come
            // after the stream's end.
            let is_retry = batch.is_some() && other.batch() == batch && !self.is_harmed(other, SLOW);
            let is_seen = index == seen || is_retry;
            !is_seen && other.invoked != op.invoked && other.settled() > after && other.invoked < until
        };
        let mut creations = self.creations().filter(|(index, other)| between(*index, other));
        // A creation whose answer was lost may have been of another stream, which is then the one touched since.
        self.deletion_between(after, until)
            || self.may_have_expired(op, until)
            || creations.any(|(_, other)| other.succeeded() || self.may_have_expired(other, until))
    }

    /// Whether the stream may have come to its end by itself until then, for all touches that were over before `op`
    /// was asked.
    fn may_have_expired(&self, op: &Op, until: Moment) -> bool {
        let touch_ms = LazyCell::new(|| {
            let touches = self.iter().filter(|(_, other)| other.precedes(op) && self.touched(other));
            touches
                .filter(|(_, other)| self.history.is_true(other))
                .map(|(_, other)| self.touched_since_ms(other))
                .max()
        });
        let apart_ms = self.history.conditions.clocks_apart_ms;
        let latest_ms = until.ms + apart_ms;
        self.lifetimes(until).any(|lifetime| match lifetime {
            Lifetime::Endless => false,
            Lifetime::Until(at_ms) => latest_ms >= at_ms,
            Lifetime::Ttl(seconds) => touch_ms.is_none_or(|touch_ms| {
                let end_ms = touch_ms + seconds * 1_000;
                latest_ms >= end_ms
                    && !attendance::is_attended(self.history, self.stream, end_ms.saturating_sub(apart_ms), latest_ms)
            }),
        })
    }

    /// Since when the stream is certain to have been touched, in ms, by a request of which the answer says that it
    /// touched the stream. What is there at once is brought to a long-poll by a flight that may have begun before it
    /// came; who waits has a flight that touched the stream for it.
    fn touched_since_ms(&self, op: &Op) -> u64 {
        let waited = op.status() == Some(204) && op.definite().is_some_and(|answer| !answer.closed);
        match op.call {
            Call::Live { mode: Mode::LongPoll, .. } if !waited && self.is_harmed(op, SLOW) => {
                op.invoked.ms.saturating_sub(self.history.conditions.flight_ms())
            }
            Call::Live { mode: Mode::LongPoll, .. } if !waited => {
                op.invoked.ms.saturating_sub(live_travel_ms(self.history))
            }
            // By the clock of the isolate that answers, which may show less than that of the one that has stored the answer.
            _ if self.history.giver(op).is_cache() => {
                op.invoked.ms.saturating_sub(self.history.conditions.edges_apart_ms)
            }
            _ => op.invoked.ms,
        }
    }

    /// The latest virtual time in ms at which the stream can have come to its end, were it not for `op` itself; `None`
    /// if it has none.
    pub(super) fn latest_end_ms(&self, op: Option<usize>, until: Moment) -> Option<u64> {
        if self.lifetimes(until).any(|lifetime| lifetime == Lifetime::Endless) {
            return None;
        }
        let last_touch_ms = self.touches.last_ms(until, op)?;
        let last_socket_ms = self.touches.last_live_ms(until, op);
        let stays_until_ms = last_socket_ms.map_or(0, |ms| ms + self.history.conditions.waits.longest_ms());
        let mut latest = None;
        for lifetime in self.lifetimes(until) {
            let end_ms = match lifetime {
                Lifetime::Endless => return None,
                Lifetime::Until(at_ms) => at_ms,
                Lifetime::Ttl(seconds) => {
                    let ttl_ms = seconds * 1_000;
                    let alone_ms = last_touch_ms + ttl_ms + slack_ms(seconds) + COMMIT_AHEAD_MS;
                    alone_ms.max(stays_until_ms + ttl_ms.max(LEAST_STAY_MS))
                }
            };
            latest = latest.max(Some(end_ms + self.history.conditions.clocks_apart_ms));
        }
        latest
    }

    /// What the answers say about the end of the log, strong ones alone.
    pub(super) fn sights(&self) -> Vec<Sight> {
        let answered = self.iter().filter(|(_, op)| self.history.is_true(op));
        // What has been kept was there when it was given, and stays there. It does not say that there is no more.
        let sight = |(index, op): (usize, &Op)| {
            let sight = self.sight(index, op)?;
            Some(if self.history.is_strong(op) { sight } else { Sight { before: None, closed: false, ..sight } })
        };
        answered.filter_map(sight).chain(self.live_sights()).collect()
    }

    /// What a live reader was sent was there, and stays there. It may have been on its way for a while, so it does not
    /// say that there was no more.
    fn live_sights(&self) -> impl Iterator<Item = Sight> {
        let strong = self.arrivals().filter(|arrival| self.history.is_true(self.op(arrival.op)));
        strong.filter_map(|arrival| {
            Some(Sight {
                op: arrival.op,
                invoked: arrival.invoked,
                settled: arrival.at,
                closed: arrival.closed,
                writes: false,
                before: None,
                after: LogPosition::parse(arrival.next_offset?)?,
            })
        })
    }

    fn sight(&self, index: usize, op: &Op) -> Option<Sight> {
        let after = self.offset(op)?;
        let closed = self.history.shown(op).or(op.definite()).is_some_and(|answer| answer.closed);
        let (invoked, settled) = (op.invoked, op.settled());
        let read = |before| Some(Sight { op: index, invoked, settled, closed, writes: false, before, after });
        if self.history.appended(op) || (op.status() == Some(201) && matches!(op.call, Call::Create { .. })) {
            let content = self.history.streams[self.stream].content;
            let units =
                op.batch().and_then(|batch| self.history.batches.get(batch)).map_or(0, |batch| batch.units(content));
            let before = LogPosition { index: after.index.checked_sub(units)?, ..after };
            return Some(Sight { op: index, invoked, settled, closed, writes: true, before: Some(before), after });
        }
        match (&op.call, op.status()) {
            (Call::Create { .. }, Some(200)) | (Call::Head, Some(200)) => read(Some(after)),
            (Call::Append { batch: None, .. }, Some(204)) => read(Some(after)),
            // A duplicate of a batch that is not its producer's last one is told the tail.
            (Call::Append { batch: Some(batch), .. }, Some(204)) => {
                let sent = self.history.batches[*batch].stamp.as_ref().map(|stamp| stamp.seq);
                let last = op.definite().and_then(|answer| answer.producer_seq);
                read((last > sent).then_some(after))
            }
            (Call::Append { .. }, Some(409)) if op.definite().is_some_and(|answer| answer.closed) => read(Some(after)),
            (Call::Read { from, .. }, Some(200 | 304)) => {
                let at_tail = *from == From::Now || self.history.shown(op)?.up_to_date;
                read(at_tail.then_some(after))
            }
            _ => None,
        }
    }
}

/// By how much a stream may outlive its sliding TTL, in ms (SPEC, section 3): an eighth of it, at most 60 s, and at
/// most 5 s for a TTL under a minute.
pub(super) fn slack_ms(ttl_s: u64) -> u64 {
    let most_ms = if ttl_s < 60 { 5_000 } else { 60_000 };
    (ttl_s * 125).min(most_ms)
}
