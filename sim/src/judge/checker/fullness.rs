//! Refusals for want of room: whether a stream can have been as full as they say, and whose place among the producers may
//! have been taken.

use std::collections::BTreeSet;

use tailrace_core::protocol::limits::{LOG_ROW_BYTES, RESERVE_BYTES};

use super::case::{COMMIT_AHEAD_MS, Case};
use super::touches::SLOW_STRAGGLER_MS;
use crate::judge::history::{Call, ClientAnswer, Op, Stamp};
use crate::world::{Harm, PAGE_BYTES};

/// How long R2 may take for what is sealed where nothing goes wrong, in ms.
const ROTATED_MS: u64 = 10_000;

/// How long after an alarm was given up an append that finds no room notices that at the latest, in ms: it was due a minute ago,
/// and the object looks once a minute.
const ALARM_NOTICED_MS: u64 = 120_000;

/// What a row of the log takes at most besides its bytes, with the texts that clients send here.
const ROW_BYTES: u64 = LOG_ROW_BYTES + 40;

/// What is kept free at most for the record of a segment, in bytes.
const RECORD_BYTES: u64 = 1 << 10;

impl<'a> Case<'a> {
    /// What is wrong with a refusal for want of room, if anything is.
    pub(super) fn wrongly_full(&self, op: &Op, answer: &ClientAnswer) -> Option<String> {
        if !answer.guarded {
            return Some("507 lacks fields that every response carries".to_owned());
        }
        if answer.code.as_deref() == Some("too_many_producers") {
            return self.wrongly_crowded(op);
        }
        let is_write = matches!(op.call, Call::Append { batch: Some(_), defect: None, .. } | Call::Create { .. });
        if self.is_database_said_to_be_full(op) || is_write && self.is_database_full(op) {
            return None;
        }
        if !matches!(op.call, Call::Append { batch: Some(_), defect: None, .. }) {
            return Some(format!("507 is no answer to {:?}", op.call));
        }
        if self.is_alarm_lost(op) {
            return None;
        }
        let (most, may) = (self.most_hot_bytes(op), self.history.conditions.hot_bytes);
        (most <= may).then(|| format!("the stream is full, and {most} bytes can wait at most where {may} may"))
    }

    /// Whether the platform may have given the alarm up that moves what is sealed to R2, without anybody noticing since: an
    /// append that finds no room does.
    fn is_alarm_lost(&self, op: &Op) -> bool {
        let is_full = |other: &Op| other.answer.as_ref().is_some_and(ClientAnswer::is_full);
        let is_moved = |other: &&Op| other.settled().ms.saturating_add(ROTATED_MS) <= op.invoked.ms;
        let noticed = self.sent_before(op).filter(|other| is_full(other)).filter(is_moved);
        let noticed_ms = noticed.map(|other| other.invoked.ms).max().unwrap_or_default();
        let until_ms = op.ended.unwrap_or(op.settled()).ms;
        let since_ms = noticed_ms.saturating_sub(ALARM_NOTICED_MS);
        self.history.harms.has_stream(self.stream, &[Harm::AlarmAbandoned], since_ms..=until_ms)
    }

    /// Whether a statement of the object failed meanwhile for want of room that it could not have kept.
    pub(super) fn is_database_said_to_be_full(&self, op: &Op) -> bool {
        let kinds = [Harm::DatabaseFull, Harm::DatabaseOverrun];
        let excused = if self.history.conditions.database_is_smaller { &kinds[..] } else { &kinds[..1] };
        self.is_harmed_meanwhile(op, excused)
    }

    /// Whether an append may have been undone because it found too little room. Its object may have seen it after its
    /// client has given it up.
    pub(super) fn may_have_been_undone(&self, op: &Op) -> bool {
        let until_ms = op.settled().ms;
        let kinds = [Harm::DatabaseFull, Harm::DatabaseOverrun];
        self.history.harms.has_stream(self.stream, &kinds, op.invoked.ms..=until_ms)
            || self.is_database_full_by(op, until_ms)
    }

    /// Whether the world has told the object meanwhile that so much of its database is taken that the rest is kept for
    /// the rotation of what can wait.
    fn is_database_full(&self, op: &Op) -> bool {
        self.is_database_full_by(op, op.ended.map_or(u64::MAX, |ended| ended.ms))
    }

    /// The same until a virtual ms.
    fn is_database_full_by(&self, op: &Op, until_ms: u64) -> bool {
        let Some(pages) = self.history.harms.most_pages(self.stream, op.invoked.ms..=until_ms) else { return false };
        let batches = self.sent_before(op).filter_map(|other| other.batch()).collect::<BTreeSet<_>>().len() as u64;
        let kept = RESERVE_BYTES + (batches + 1) * RECORD_BYTES;
        pages * PAGE_BYTES + kept > self.history.conditions.database_bytes
    }

    /// What of the requests before this one, and of itself, can wait for R2: all since ever while R2 may take nothing, and
    /// what was sent just now, after an open segment, where it takes all.
    fn most_hot_bytes(&self, op: &Op) -> u64 {
        let conditions = &self.history.conditions;
        let catches_up = op.invoked.ms >= conditions.full_until_ms;
        let since_ms = if catches_up { op.invoked.ms.saturating_sub(ROTATED_MS) } else { 0 };
        let open = if catches_up { 2 * conditions.segment_bytes } else { 0 };
        let lately = self.sent_before(op).filter(|other| other.ended.is_none_or(|ended| ended.ms >= since_ms));
        let sent: u64 = lately.filter(|other| self.may_have_written(other)).map(|other| self.most_bytes(other)).sum();
        open.saturating_add(sent).saturating_add(self.most_bytes(op))
    }

    /// What the rows of a request's batch take at most.
    fn most_bytes(&self, op: &Op) -> u64 {
        let messages = op.batch().and_then(|batch| self.history.batches.get(batch)).map(|batch| &batch.messages);
        // Between the messages of a batch is one byte, and the length of each takes five at most.
        let bytes: u64 = messages.into_iter().flatten().map(|message| message.len() as u64 + 6).sum();
        let rows = 2 * bytes / self.history.conditions.row_bytes.max(1) + 1;
        bytes + rows * ROW_BYTES
    }

    fn sent_before(&self, op: &Op) -> impl Iterator<Item = &'a Op> {
        let until = op.ended.unwrap_or(op.settled());
        self.iter().map(|(_, other)| other).filter(move |other| other.invoked < until)
    }

    fn may_have_written(&self, op: &Op) -> bool {
        op.definite().is_none() || self.history.appended(op)
    }

    fn stamp_of(&self, op: &Op) -> Option<&'a Stamp> {
        self.history.batches.get(op.batch()?)?.stamp.as_ref()
    }

    /// A stream has no place for another producer only as long as so many others may have appended lately as it keeps.
    /// (It looks at all of them at once: there are fewer than 256.)
    fn wrongly_crowded(&self, op: &Op) -> Option<String> {
        let conditions = &self.history.conditions;
        let Some(stamp) = self.stamp_of(op).filter(|stamp| stamp.seq == 0) else {
            return Some(format!("too many producers is no answer to {:?}", op.call));
        };
        let apart_ms = conditions.clocks_apart_ms + COMMIT_AHEAD_MS;
        let idle_since_ms = op.invoked.ms.saturating_sub(conditions.producer_idle_ms + apart_ms);
        let lately = self.sent_before(op).filter(|other| other.settled().ms >= idle_since_ms);
        let writers = lately.filter(|other| self.may_have_written(other)).filter_map(|other| self.stamp_of(other));
        let others: BTreeSet<&str> =
            writers.map(|other| other.producer.as_str()).filter(|other| *other != stamp.producer).collect();
        (others.len() < conditions.producers as usize)
            .then(|| format!("there are too many producers, and {} have appended lately: {others:?}", others.len()))
    }

    /// Whether a producer may have lost its place between two of its appends, which these batches are: more producers have
    /// appended than the stream keeps, and it was idle for long enough.
    pub(super) fn may_have_lost_place(&self, earlier: usize, later: usize) -> bool {
        let first_ms = self.carriers(earlier).map(|(_, op)| op.invoked.ms).min().unwrap_or_default();
        self.may_have_been_idle(first_ms, self.applied_by_ms(later))
    }

    /// The same of the time from an append to the end of a request.
    pub(super) fn may_have_lost_place_before(&self, earlier: usize, op: &Op) -> bool {
        let first_ms = self.carriers(earlier).map(|(_, op)| op.invoked.ms).min().unwrap_or_default();
        self.may_have_been_idle(first_ms, op.ended.unwrap_or(op.settled()).ms)
    }

    /// When a batch was written at the latest, if it ever was, in ms.
    pub(super) fn applied_by_ms(&self, batch: usize) -> u64 {
        let by_ms = |op: &Op| match op.definite() {
            Some(_) => op.settled().ms,
            None => op.invoked.ms + self.history.conditions.straggler_ms + SLOW_STRAGGLER_MS,
        };
        self.carriers(batch).map(|(_, op)| by_ms(op)).max().unwrap_or_default()
    }

    fn may_have_been_idle(&self, from_ms: u64, until_ms: u64) -> bool {
        let conditions = &self.history.conditions;
        let producers = self.iter().filter(|(_, op)| self.may_have_written(op)).filter_map(|(_, op)| self.stamp_of(op));
        let producers: BTreeSet<&str> = producers.map(|stamp| stamp.producer.as_str()).collect();
        let is_long = until_ms.saturating_sub(from_ms) + conditions.clocks_apart_ms >= conditions.producer_idle_ms;
        is_long && producers.len() as u64 > conditions.producers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, coded, run, written};

    /// Whether something is wrong with the last answer, which is a refusal.
    fn is_wrong(run: &Fixture) -> bool {
        let case = run.case();
        let (_, op) = case.iter().last().expect("a request");
        let answer = op.answer.as_ref().expect("an answer");
        assert!(answer.is_full());
        case.wrongly_full(op, answer).is_some()
    }

    #[test]
    fn a_stream_is_full_only_with_as_many_bytes_as_may_wait_sent_lately_unless_in_an_outage() {
        // A message has 39 bytes, so an append takes 133 at most.
        for (hot_bytes, outage, idle_ms, wrong) in [
            (200, true, 0, false),
            (200, true, 60_000, false),
            (3_000, true, 0, true),
            (200, false, 0, false),
            (200, false, 60_000, true),
            (140, false, 60_000, false),
            (3_000, false, 0, true),
        ] {
            let mut run = run();
            run.history.conditions.hot_bytes = hot_bytes;
            run.history.conditions.segment_bytes = 10;
            run.history.conditions.full_until_ms = if outage { u64::MAX } else { 0 };
            run.append(1, acked(0, 1));
            run.wait_ms(idle_ms);
            run.append(1, coded(507, "storage_full"));
            assert_eq!(is_wrong(&run), wrong, "{hot_bytes} {outage} {idle_ms}");
        }
        let mut run = run();
        run.history.conditions.full_until_ms = u64::MAX;
        run.close(coded(507, "storage_full"));
        assert!(is_wrong(&run), "a close without content always has room");
    }

    #[test]
    fn a_stream_stays_full_after_its_alarm_was_given_up_until_an_append_has_noticed_that() {
        for (is_given_up, refused_after_ms, moves_ms, wrong) in [
            (false, None, 60_000, true),
            (true, None, 1_000_000, false),
            (true, Some(119_000), 60_000, false),
            (true, Some(121_000), 5_000, false),
            (true, Some(121_000), 11_000, true),
        ] {
            let mut run = run();
            (run.history.conditions.hot_bytes, run.history.conditions.segment_bytes) = (200, 10);
            run.append(1, acked(0, 1));
            if is_given_up {
                let at_ms = run.now_ms();
                run.history.harms.harm_stream(0, at_ms, Harm::AlarmAbandoned);
            }
            if let Some(after_ms) = refused_after_ms {
                run.wait_ms(after_ms);
                run.append(1, coded(507, "storage_full"));
            }
            run.wait_ms(moves_ms);
            run.append(1, coded(507, "storage_full"));
            assert_eq!(is_wrong(&run), wrong, "{is_given_up} {refused_after_ms:?} {moves_ms}");
        }
    }

    #[test]
    fn a_database_is_full_only_if_the_world_says_so() {
        for (harm, wrong) in [
            (None, true),
            (Some((0, Harm::DatabaseHas { pages: 30 })), false),
            (Some((0, Harm::DatabaseHas { pages: 20 })), true),
            (Some((60_000, Harm::DatabaseHas { pages: 30 })), true),
            (Some((0, Harm::DatabaseFull)), false),
            (Some((60_000, Harm::DatabaseFull)), true),
            (Some((0, Harm::DatabaseOverrun)), true),
            (Some((0, Harm::StatementFailed)), true),
        ] {
            let mut run = run();
            run.history.conditions.hot_bytes = 1 << 30;
            run.history.conditions.database_bytes = 34 * PAGE_BYTES;
            if let Some((before_ms, harm)) = harm {
                let at_ms = run.now_ms() + 1;
                run.history.harms.harm_stream(0, at_ms, harm);
                run.wait_ms(before_ms);
            }
            run.append(1, coded(507, "storage_full"));
            assert_eq!(is_wrong(&run), wrong, "{harm:?}");
        }
    }

    #[test]
    fn there_are_too_many_producers_only_while_others_are_not_idle() {
        for (idle_ms, epoch, seq, wrong) in
            [(0, 7, 0, false), (9_000, 7, 0, false), (11_000, 7, 0, true), (0, 0, 0, true), (0, 7, 1, true)]
        {
            let mut run = run();
            run.history.conditions.producers = 1;
            run.history.conditions.producer_idle_ms = 10_000;
            run.produce(0, 0, written(0, 1));
            run.wait_ms(idle_ms);
            run.produce_as(if epoch == 7 { "q" } else { "p" }, epoch, seq, coded(507, "too_many_producers"));
            assert_eq!(is_wrong(&run), wrong, "{idle_ms} {epoch} {seq}");
        }
        let mut run = run();
        run.append(1, coded(507, "too_many_producers"));
        assert!(is_wrong(&run), "who is no producer needs no place");
    }
}
