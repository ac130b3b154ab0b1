//! When a stream expires, and its removal.
//!
//! A sliding TTL costs few rows. The persisted deadline is later than the exact one by up to a slack, and a read writes
//! a row only when the exact deadline has moved past the persisted one. An append needs no such row: the commit time in
//! its own row counts. So a stream may live a little longer than its TTL, and never shorter.

use super::{Slot, Stream};
use crate::mutant::mutated;
use crate::protocol::Expiry;
use crate::protocol::expiry::slack_ms;
use crate::storage::{SqlError, SqlParam, SqlStorage, row_key, schema};

/// For how long, at least, a stream goes on that has a connected reader when its sliding TTL has run out, in ms (SPEC,
/// section 3). So a short TTL costs few rows while somebody reads.
const LEAST_STAY_MS: u64 = 30_000;

/// The deadline to persist, in ms since the Unix epoch, for a stream that is created or touched now.
pub(super) fn deadline_ms(expiry: &Expiry, now_ms: u64) -> Option<u64> {
    match *expiry {
        Expiry::Never => None,
        Expiry::At { at_ms, .. } => Some(at_ms),
        Expiry::Ttl { seconds } => Some(now_ms + seconds * 1_000 + slack_ms(seconds)),
    }
}

impl Stream {
    /// When it expires if nobody touches it, in ms since the Unix epoch; `None` for never.
    pub fn ends_ms(&self) -> Option<u64> {
        match self.expiry {
            Expiry::Ttl { seconds } if !mutated!(ExpiryBeforeLastTouch) => {
                self.deadline_ms.max(Some(self.tail.commit_ms + seconds * 1_000))
            }
            _ => self.deadline_ms,
        }
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.ends_ms().is_some_and(|ends_ms| now_ms >= ends_ms)
    }

    /// Milliseconds until it expires; `None` for never.
    pub fn remaining_ms(&self, now_ms: u64) -> Option<u64> {
        self.ends_ms().map(|ends_ms| ends_ms.saturating_sub(now_ms))
    }

    /// A read or a write that comes by this time, in ms since the Unix epoch, need not start a sliding TTL again: the
    /// stream lives long enough for it. The end of time for a stream without one.
    pub fn touched_until_ms(&self) -> u64 {
        match (&self.expiry, self.ends_ms()) {
            (Expiry::Ttl { seconds }, Some(ends_ms)) => ends_ms.saturating_sub(seconds * 1_000),
            _ => u64::MAX,
        }
    }

    /// Lets a stream live on whose sliding TTL has run out while a reader is connected: for its TTL, but at least for
    /// [`LEAST_STAY_MS`]. Writes one row. Returns whether it has a sliding TTL.
    pub fn stay<S: SqlStorage>(&mut self, sql: &S, now_ms: u64) -> Result<bool, SqlError> {
        let Expiry::Ttl { seconds } = self.expiry else { return Ok(false) };
        self.persist_deadline(sql, now_ms + (seconds * 1_000).max(LEAST_STAY_MS))?;
        debug_assert!(!self.is_expired(now_ms), "a stream with a connected reader does not expire");
        Ok(true)
    }

    fn persist_deadline<S: SqlStorage>(&mut self, sql: &S, deadline_ms: u64) -> Result<(), SqlError> {
        sql.run("UPDATE stream SET deadline_ms = ?1 WHERE id = 0", &[SqlParam::count(deadline_ms)?])?;
        self.deadline_ms = Some(deadline_ms);
        Ok(())
    }

    /// Starts a sliding TTL again, after a read or a write. Writes one row, and only if the exact deadline has moved
    /// past the persisted one.
    pub fn touch<S: SqlStorage>(&mut self, sql: &S, now_ms: u64) -> Result<(), SqlError> {
        self.touch_at_least(sql, now_ms, |_| 0)
    }

    /// The same after a read whose answer is kept for others: those who come within half a slack, at least, need not
    /// start the TTL again ([`Self::touched_until_ms`]). The whole slack would cost a row for each such read.
    pub fn touch_ahead<S: SqlStorage>(&mut self, sql: &S, now_ms: u64) -> Result<(), SqlError> {
        self.touch_at_least(sql, now_ms, |seconds| slack_ms(seconds) / 2)
    }

    fn touch_at_least<S: SqlStorage>(
        &mut self,
        sql: &S,
        now_ms: u64,
        ahead_ms: impl Fn(u64) -> u64,
    ) -> Result<(), SqlError> {
        let Expiry::Ttl { seconds } = self.expiry else {
            return Ok(());
        };
        let least_ms = now_ms + seconds * 1_000 + ahead_ms(seconds);
        let is_late = self.ends_ms() < Some(least_ms) || mutated!(EachTouchWritesARow);
        if !is_late || mutated!(ExpiryBeforeLastTouch) {
            return Ok(());
        }
        self.persist_deadline(sql, now_ms + seconds * 1_000 + slack_ms(seconds))?;
        debug_assert!(self.ends_ms() >= Some(least_ms), "a stream never ends before its TTL");
        Ok(())
    }
}

const BURY: &str = "UPDATE stream SET first_read_seq = ?1, incarnation = NULL, content_type = NULL, ttl_s = NULL, \
                    expires_at = NULL, deadline_ms = NULL, looked_at = NULL, public = 0, reader_key = NULL \
                    WHERE id = 0";

impl Slot {
    /// The first segment of the next stream at this URL: later than all that were used before.
    ///
    /// One is left out. The end of a stream has a second spelling, the begin of the segment that follows, which must
    /// not be the begin of the next stream: an instance that was superseded before that stream came would take the
    /// position for its own stream's end.
    pub(super) fn next_read_seq(&self) -> u64 {
        match self {
            Self::Vacant { next_read_seq } => *next_read_seq,
            Self::Occupied(stream) if mutated!(RecreatedStreamReusesObjects) => stream.first_read_seq,
            Self::Occupied(stream) => stream.tail.offset.read_seq + 2,
        }
    }

    /// How many segments this stream, or those after it at this URL, may still begin.
    pub fn segments_left(&self) -> u64 {
        let next = match self {
            Self::Vacant { next_read_seq } => *next_read_seq,
            Self::Occupied(stream) => stream.tail.offset.read_seq + 1,
        };
        row_key::READ_SEQS.saturating_sub(next)
    }

    /// Whether nine tenths of the segments of this URL are used up.
    pub fn has_few_segments_left(&self) -> bool {
        self.segments_left() < row_key::READ_SEQS / 10
    }

    /// Removes the stream, if there is one, and leaves a tombstone, from which the next stream at this URL knows its
    /// first segment. Writes one row.
    pub fn remove<S: SqlStorage>(&mut self, sql: &S) -> Result<(), SqlError> {
        if matches!(self, Self::Vacant { .. }) {
            return Ok(());
        }
        let next_read_seq = self.next_read_seq();
        sql.transaction(|| {
            schema::drop_stream_content(sql)?;
            sql.run(BURY, &[SqlParam::count(next_read_seq)?])
        })?;
        *self = Self::Vacant { next_read_seq };
        debug_assert!(sql.holds(|| self.is_stored(sql)), "the tombstone tells the next segment");
        Ok(())
    }
}
