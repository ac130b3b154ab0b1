//! The record of a segment that is in R2: its row in the table of segments.

use super::tail::{CLOSED, SEALED, Tail};
use crate::mutant::mutated;
use crate::protocol::segment::Place;
use crate::protocol::{Offset, TextEnd};
use crate::storage::{SqlError, SqlParam, SqlRow, SqlStorage};

/// A segment in R2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The segment.
    pub read_seq: u64,
    /// The attempt that stored the object: the last part of its key.
    pub attempt: String,
    /// Lengths of object and index, and where the index is.
    pub place: Place,
    /// The end of the segment, and what else its last row in the log held.
    pub tail: Tail,
    /// How the text of the stream ends there. `None` in a stream that is no text, and where an earlier version did not
    /// note it.
    pub text_end: Option<TextEnd>,
}

/// The columns that [`Record::from_row`] reads.
macro_rules! record_sql {
    ($rest:literal) => {
        concat!(
            "SELECT read_seq, attempt, end, bytes, index_at, index_bytes, commit_ms, flags, stream_seq, closed_by, ",
            "total, text_end, producers FROM segments ",
            $rest
        )
    };
}

impl Record {
    fn from_row(row: SqlRow<'_>) -> Result<Self, SqlError> {
        let read_seq = row.count(0)?;
        let end = Offset { read_seq, position: row.count(2)? };
        let flags = row.count(7)?;
        Ok(Self {
            read_seq,
            attempt: row.text(1)?.to_owned(),
            place: Place { bytes: row.count(3)?, index_at: row.count(4)?, index_bytes: row.count(5)? },
            tail: Tail {
                offset: end,
                sealed: true,
                closed: flags & CLOSED != 0 && !mutated!(CloseForgottenAtRotation),
                commit_ms: if mutated!(CommitTimeForgottenAtRotation) { 0 } else { row.count(6)? },
                tally: 0,
                rows: 0,
                stream_seq: row
                    .optional_text(8)?
                    .filter(|_| !mutated!(StreamSeqForgottenAtRotation))
                    .map(str::to_owned),
                closed_by: row.optional_text(9)?.map(str::to_owned),
                total: row.count(10)?,
                producers: row.count(12)?,
            },
            text_end: row.optional_blob(11)?.map(|bytes| TextEnd::of(&bytes)),
        })
    }

    /// The end position of the segment (exclusive).
    pub fn end(&self) -> u64 {
        self.tail.offset.position
    }

    /// Reads the record of the last segment in R2. The table must exist.
    pub(super) fn last<S: SqlStorage>(sql: &S) -> Result<Option<Self>, SqlError> {
        sql.first(record_sql!("ORDER BY read_seq DESC LIMIT 1"), &[], Self::from_row)
    }

    /// Reads the record of a segment, if it is in R2. The table must exist.
    pub(super) fn of<S: SqlStorage>(sql: &S, read_seq: u64) -> Result<Option<Self>, SqlError> {
        sql.first(record_sql!("WHERE read_seq = ?1"), &[SqlParam::count(read_seq)?], Self::from_row)
    }

    /// Writes the row.
    pub(super) fn insert<S: SqlStorage>(&self, sql: &S) -> Result<(), SqlError> {
        const INSERT: &str = "INSERT INTO segments (read_seq, attempt, end, bytes, index_at, index_bytes, commit_ms, \
                              flags, stream_seq, closed_by, total, text_end, producers) \
                              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let Tail { offset, closed, commit_ms, stream_seq, closed_by, total, producers, .. } = &self.tail;
        let params = [
            SqlParam::count(self.read_seq)?,
            SqlParam::Text(&self.attempt),
            SqlParam::count(offset.position)?,
            SqlParam::count(self.place.bytes)?,
            SqlParam::count(self.place.index_at)?,
            SqlParam::count(self.place.index_bytes)?,
            SqlParam::count(*commit_ms)?,
            SqlParam::count(SEALED | if *closed { CLOSED } else { 0 })?,
            SqlParam::text_or_null(stream_seq.as_deref()),
            SqlParam::text_or_null(closed_by.as_deref()),
            SqlParam::count(*total)?,
            self.text_end.as_ref().map_or(SqlParam::Null, |end| SqlParam::Blob(end.as_bytes())),
            SqlParam::count(*producers)?,
        ];
        sql.run(INSERT, &params)
    }

    /// Closes a stream whose last segment is in R2. Updates one row.
    pub(super) fn close<S: SqlStorage>(sql: &S, tail: &Tail) -> Result<(), SqlError> {
        const UPDATE: &str = "UPDATE segments SET flags = ?2, commit_ms = ?3, stream_seq = ?4, closed_by = ?5, \
                              producers = ?6 WHERE read_seq = ?1";
        let params = [
            SqlParam::count(tail.offset.read_seq)?,
            SqlParam::count(SEALED | CLOSED)?,
            SqlParam::count(tail.commit_ms)?,
            SqlParam::text_or_null(tail.stream_seq.as_deref()),
            SqlParam::text_or_null(tail.closed_by.as_deref()),
            SqlParam::count(tail.producers)?,
        ];
        sql.run(UPDATE, &params)
    }
}
