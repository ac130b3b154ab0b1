//! When a stream expires, and its removal.
//!
//! A sliding TTL costs few rows. The persisted deadline is later than the exact one by up to a slack, and a read writes
//! a row only when the exact deadline has moved past the persisted one. An append needs no such row: the commit time in
//! its own row counts. So a stream may live a little longer than its TTL, and never shorter.

use super::{Slot, Stream};
use crate::mutant::mutated;
use crate::protocol::Expiry;
use crate::protocol::expiry::slack_ms;
use crate::storage::{SqlError, SqlParam, SqlStorage, schema};

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

    /// Starts a sliding TTL again, after a read or a write. Writes one row, and only if the exact deadline has moved
    /// past the persisted one.
    pub fn touch<S: SqlStorage>(&mut self, sql: &S, now_ms: u64) -> Result<(), SqlError> {
        let Expiry::Ttl { seconds } = self.expiry else {
            return Ok(());
        };
        let is_late = self.ends_ms() < Some(now_ms + seconds * 1_000) || mutated!(EachTouchWritesARow);
        if !is_late || mutated!(ExpiryBeforeLastTouch) {
            return Ok(());
        }
        let deadline_ms = deadline_ms(&self.expiry, now_ms);
        sql.run("UPDATE stream SET deadline_ms = ?1 WHERE id = 0", &[SqlParam::count_or_null(deadline_ms)?])?;
        self.deadline_ms = deadline_ms;
        debug_assert!(self.ends_ms() >= Some(now_ms + seconds * 1_000), "a stream never ends before its TTL");
        Ok(())
    }
}

const BURY: &str = "UPDATE stream SET first_read_seq = ?1, incarnation = NULL, content_type = NULL, ttl_s = NULL, \
                    expires_at = NULL, deadline_ms = NULL WHERE id = 0";

impl Slot {
    /// The first segment of the next stream at this URL: later than all that were used before.
    pub(super) fn next_read_seq(&self) -> u64 {
        match self {
            Self::Vacant { next_read_seq } => *next_read_seq,
            Self::Occupied(stream) if mutated!(RecreatedStreamReusesObjects) => stream.first_read_seq,
            Self::Occupied(stream) => stream.tail.offset.read_seq + 1,
        }
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
        debug_assert!(self.is_stored(sql), "the tombstone tells the next segment");
        Ok(())
    }
}
