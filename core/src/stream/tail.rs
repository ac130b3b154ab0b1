//! The end of the log, as its last row or the record of its last segment tells it.

use crate::mutant::mutated;
use crate::protocol::Offset;
use crate::storage::{LogTable, RowKey, SqlError, SqlRow, SqlStorage, log_sql};

/// The row is a part of a message that goes on in the next row.
pub(super) const CONTINUES: u64 = 1;

/// The row's append sealed its segment: the next one starts another.
pub(super) const SEALED: u64 = 2;

/// The row's append closed the stream.
pub(super) const CLOSED: u64 = 4;

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The end offset (exclusive), in the segment of the last message.
    pub offset: Offset,
    /// Whether the segment is sealed: the next append starts another one.
    pub sealed: bool,
    /// Whether the stream is closed: there is no next append.
    pub closed: bool,
    /// Commit time of the last append in ms; 0 before the first.
    pub commit_ms: u64,
    /// How many bytes the segment holds; 0 if it is in R2.
    pub tally: u64,
    /// How many rows the segment has; 0 if it is in R2.
    pub rows: u64,
    /// The last `Stream-Seq`.
    pub stream_seq: Option<String>,
    /// The producer that closed the stream, if one did.
    pub closed_by: Option<String>,
    /// How many bytes all rows of the stream so far have taken in the hot log.
    pub total: u64,
    /// How many producers the stream keeps.
    pub producers: u64,
}

impl Tail {
    /// The end of a log without rows.
    pub(super) fn empty(first_read_seq: u64) -> Self {
        Self {
            offset: Offset::start_of(first_read_seq),
            sealed: false,
            closed: false,
            commit_ms: 0,
            tally: 0,
            rows: 0,
            stream_seq: None,
            closed_by: None,
            total: 0,
            producers: 0,
        }
    }

    /// Reads the last row of a table, which must exist.
    pub(super) fn last_row<S: SqlStorage>(sql: &S, table: LogTable) -> Result<Option<Self>, SqlError> {
        let select = log_sql!(
            table,
            "SELECT key, count, commit_ms, flags, tally, stream_seq, closed_by, total, producers, segment_rows FROM ",
            " ORDER BY key DESC LIMIT 1"
        );
        sql.first(select, &[], Self::from_row)
    }

    /// From the columns key, count, commit_ms, flags, tally, stream_seq, closed_by, total, producers, segment_rows of a row.
    pub(super) fn from_row(row: SqlRow<'_>) -> Result<Self, SqlError> {
        let start = RowKey::unpack(row.count(0)?).offset;
        let count = if mutated!(OffsetReusedAfterCrash) { 0 } else { row.count(1)? };
        let flags = row.count(3)?;
        Ok(Self {
            offset: Offset { read_seq: start.read_seq, position: start.position + count },
            sealed: flags & SEALED != 0,
            closed: flags & CLOSED != 0,
            commit_ms: row.count(2)?,
            tally: row.count(4)?,
            stream_seq: row.optional_text(5)?.map(str::to_owned),
            closed_by: row.optional_text(6)?.filter(|_| !mutated!(ClosingProducerForgottenAtStart)).map(str::to_owned),
            total: row.count(7)?,
            producers: row.count(8)?,
            rows: row.count(9)?,
        })
    }

    /// Where the next append starts.
    pub fn next_append(&self) -> Offset {
        if self.sealed { Offset::start_of(self.offset.read_seq + 1) } else { self.offset }
    }
}
