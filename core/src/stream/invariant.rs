//! What must hold between memory and storage. It is asserted where debug assertions are on, and reads storage for it:
//! writes nothing, and takes a statement that fails for one that proves nothing.

use super::layout::{Layout, counts_of};
use super::record::Record;
use super::{Slot, Stream};
use crate::mutant::mutated;
use crate::protocol::Offset;
use crate::storage::{SqlStorage, schema};

/// Whether a known bug is on that breaks one of these: checkers have to find it from outside.
pub(crate) fn has_known_bug() -> bool {
    mutated!(
        TailNotMoved
            | OffsetReusedAfterCrash
            | OffsetReencodedAtRotation
            | RowsDroppedBeforeRecord
            | BoundaryAtEndOfPut
            | RecreatedStreamReusesObjects
            | MemoryKeptAfterFailedStatement
            | AppendInParts
            | CommitTimeForgottenAtRotation
            | StreamSeqForgottenAtRotation
            | CloseForgottenAtRotation
            | ClosingProducerForgottenAtStart
            | StaleColdPageTaken
            | EachTouchWritesARow
    )
}

impl Stream {
    /// Whether the last row of the log, or the record of the last segment, tells the tail that memory has.
    pub(super) fn tail_is_stored<S: SqlStorage>(&self, sql: &S) -> bool {
        has_known_bug() || !matches!(self.strong_tail(sql), Ok(tail) if tail != self.tail)
    }

    /// Whether a start of the object would find tail and layout as memory has them.
    pub(super) fn log_is_stored<S: SqlStorage>(&self, sql: &S) -> bool {
        let differs = |(layout, tail): (Layout, _)| layout != self.layout || tail != self.tail;
        has_known_bug()
            || !schema::tables(sql)
                .and_then(|tables| Layout::load(sql, &tables, self.first_read_seq))
                .is_ok_and(differs)
    }

    /// Whether what was read of a segment from `at` on ends at the tail or before it.
    pub(super) fn ends_by_its_tail(&self, at: Offset, next: u64) -> bool {
        has_known_bug() || Offset { position: next, ..at } <= self.tail.offset
    }

    /// Whether a record of a hot segment tells what the segment's rows hold, which are still there.
    pub(super) fn record_fits<S: SqlStorage>(&self, sql: &S, record: &Record) -> bool {
        let Some(table) = self.layout.table_of(record.read_seq) else { return has_known_bug() };
        let is_inside = record.place.index_at.saturating_add(record.place.index_bytes) <= record.place.bytes;
        // What an earlier version has sealed does not tell its rows.
        let counted = |rows: u64| record.tail.rows == rows || record.tail.rows == 0;
        let differs = |(positions, rows)| positions != record.end() || !counted(rows);
        has_known_bug() || is_inside && !counts_of(sql, table, record.read_seq).is_ok_and(differs)
    }
}

impl Slot {
    /// Whether a start of the object would find what memory has.
    pub(super) fn is_stored<S: SqlStorage>(&self, sql: &S) -> bool {
        has_known_bug() || !Self::load(sql).is_ok_and(|loaded| loaded != *self)
    }
}
