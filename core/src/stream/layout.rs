//! Where the segments of a stream are: the first ones in R2, each named by a row, the others in the hot log.

use std::ops::ControlFlow;

use super::record::Record;
use super::tail::Tail;
use crate::mutant::mutated;
use crate::protocol::Offset;
use crate::storage::schema::{self, Tables};
use crate::storage::{LogTable, RowKey, SqlError, SqlParam, SqlStorage, Statement, log_sql, row_key};

/// How many rows are deleted at once to make room. Our choice: they take milliseconds, and most databases that are full
/// have room again.
const FREED_AT_ONCE: u64 = 1_000;

/// Which segments are hot, and in which table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first segment that is not in R2. All earlier segments of the stream are.
    pub first_hot: u64,
    /// Bytes that the rows of the segments in R2 have taken together.
    pub cold_bytes: u64,
    /// The table that takes appends, and the first segment in it; `None` if there is no table.
    active: Option<(LogTable, u64)>,
    /// Whether the other table exists too. It holds the segments before the active table's first one.
    other: bool,
}

/// Where the rows of an append go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) table: LogTable,
    /// Whether the table has to be created before.
    pub(super) is_new: bool,
}

impl Layout {
    /// The layout of a new stream: one table.
    pub(super) fn of_new_stream(first_read_seq: u64) -> Self {
        Self { first_hot: first_read_seq, cold_bytes: 0, active: Some((LogTable::Log, first_read_seq)), other: false }
    }

    /// Reads the layout and the tail from storage.
    pub(super) fn load<S: SqlStorage>(sql: &S, tables: &Tables, first_read_seq: u64) -> Result<(Self, Tail), SqlError> {
        let record = if tables.segments { Record::last(sql)? } else { None };
        let (first_hot, cold_bytes) = match &record {
            Some(record) => (record.read_seq + 1, record.tail.total),
            None => (first_read_seq, 0),
        };
        let mut ends = Vec::new();
        for table in &tables.log {
            ends.push((*table, Tail::last_row(sql, *table)?));
        }
        // The active table is the one with the later segments. A table without rows belongs to an empty stream.
        ends.sort_by_key(|(_, end)| end.as_ref().map(|tail| tail.offset.read_seq));
        let (other, last) = (ends.len() > 1, ends.pop());
        let active = match &last {
            Some((table, Some(_))) => Some((*table, first_segment(sql, *table)?.unwrap_or(first_read_seq))),
            Some((table, None)) => Some((*table, first_read_seq)),
            None => None,
        };
        let layout = Self { first_hot, cold_bytes, active, other };
        let tail = layout.tail_after(last.and_then(|(_, row)| row), first_read_seq, || Ok(record))?;
        Ok((layout, tail))
    }

    /// Reads the tail from storage: from the last row of the log, or, if that belongs to a segment in R2 or there is
    /// none, from the record of the last segment.
    pub(super) fn tail<S: SqlStorage>(&self, sql: &S, first_read_seq: u64) -> Result<Tail, SqlError> {
        let row = match self.active {
            Some((table, _)) => Tail::last_row(sql, table)?,
            None => None,
        };
        self.tail_after(row, first_read_seq, || Record::last(sql))
    }

    /// The tail after the last row of the active table, if there is one, and the record of the last segment.
    fn tail_after(
        &self,
        row: Option<Tail>,
        first_read_seq: u64,
        record: impl FnOnce() -> Result<Option<Record>, SqlError>,
    ) -> Result<Tail, SqlError> {
        if let Some(tail) = row
            && tail.offset.read_seq >= self.first_hot
        {
            return Ok(tail);
        }
        let record = if self.first_hot > first_read_seq { record()? } else { None };
        let tail = record.map_or_else(|| Tail::empty(first_read_seq), |record| record.tail);
        if mutated!(OffsetReencodedAtRotation) && tail.sealed {
            return Ok(Tail { offset: tail.next_append(), ..tail });
        }
        Ok(tail)
    }

    /// Whether a segment is in R2.
    pub fn is_cold(&self, read_seq: u64) -> bool {
        read_seq < self.first_hot
    }

    /// The table that holds the rows of a hot segment, if it has any.
    pub(super) fn table_of(&self, read_seq: u64) -> Option<LogTable> {
        match self.active {
            Some((table, first)) if read_seq >= first => Some(table),
            Some((table, _)) if self.other => Some(table.other()),
            _ => None,
        }
    }

    /// The table for an append that starts at an offset. A new segment goes into the other table if that does not
    /// exist: so the active one is dropped as a whole once its segments are in R2.
    pub(super) fn destination(&self, start: Offset) -> Destination {
        match self.active {
            None => Destination { table: LogTable::Log, is_new: true },
            Some((table, first)) if start.position == 0 && start.read_seq > first && !self.other => {
                Destination { table: table.other(), is_new: true }
            }
            Some((table, _)) => Destination { table, is_new: false },
        }
    }

    /// Takes over that an append which started at an offset was written to this destination.
    pub(super) fn appended(&mut self, start: Offset, destination: Destination) {
        if destination.is_new {
            self.other = self.active.is_some();
            self.active = Some((destination.table, start.read_seq));
        }
    }

    /// Takes over that the first hot segment was recorded: drops the tables that hold no hot segment any more; returns
    /// whether it dropped one. `tail` is the tail of the stream.
    pub(super) fn recorded<S: SqlStorage>(&mut self, sql: &S, record: &Record, tail: &Tail) -> Result<bool, SqlError> {
        self.first_hot = record.read_seq + 1;
        self.cold_bytes = record.tail.total;
        let Some((active, first)) = self.active else { return Ok(false) };
        let mut dropped = false;
        if self.other && first <= self.first_hot {
            schema::drop_log_table(sql, active.other())?;
            (self.other, dropped) = (false, true);
        }
        if tail.offset.read_seq < self.first_hot {
            schema::drop_log_table(sql, active)?;
            (self.active, dropped) = (None, true);
        }
        Ok(dropped)
    }

    /// Deletes rows of segments in R2 from the table that takes appends, [`FREED_AT_ONCE`] at most; returns whether
    /// there were any. They are left there because a deleted row is billed like a written one, and nobody reads them: a
    /// database that is full can do without them. In the other table they go with it.
    pub(super) fn free_cold_rows<S: SqlStorage>(&mut self, sql: &S) -> Result<bool, SqlError> {
        let Some((table, first)) = self.active.filter(|(_, first)| *first < self.first_hot) else { return Ok(false) };
        let delete = log_sql!(
            table,
            "DELETE FROM ",
            " WHERE key < ?1 AND key <= (SELECT max(key) FROM (SELECT key FROM ",
            " WHERE key < ?1 ORDER BY key LIMIT ?2))"
        );
        let end = SqlParam::count(keys_of(self.first_hot)?.0)?;
        sql.run(delete, &[end, SqlParam::count(FREED_AT_ONCE)?])?;
        let first_left = first_segment(sql, table)?.unwrap_or(first);
        self.active = Some((table, first_left));
        Ok(true)
    }
}

/// The first segment that has rows in a table. Reads one row.
fn first_segment<S: SqlStorage>(sql: &S, table: LogTable) -> Result<Option<u64>, SqlError> {
    let first = match mutated!(StartReadsTheLog) {
        false => log_sql!(table, "SELECT key FROM ", " ORDER BY key LIMIT 1"),
        true => log_sql!(table, "SELECT key FROM ", " ORDER BY key + 0 LIMIT 1"),
    };
    sql.first(first, &[], |row| Ok(RowKey::unpack(row.count(0)?).offset.read_seq))
}

/// The range of keys that the rows of a segment can have: the first one, and the end (exclusive).
pub(super) fn keys_of(read_seq: u64) -> Result<(u64, u64), SqlError> {
    let first = RowKey::first(Offset::start_of(read_seq)).pack()?;
    Ok((first, first + row_key::SEGMENT_KEYS))
}

/// The last row of a segment, read as if it were the tail. The table must exist.
pub(super) fn end_of_segment<S: SqlStorage>(sql: &S, table: LogTable, read_seq: u64) -> Result<Option<Tail>, SqlError> {
    let select = log_sql!(
        table,
        "SELECT key, count, commit_ms, flags, tally, stream_seq, closed_by, total, producers, segment_rows FROM ",
        " WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1"
    );
    let (first, end) = keys_of(read_seq)?;
    sql.first(select, &[SqlParam::count(first)?, SqlParam::count(end)?], Tail::from_row)
}

/// How many positions the rows of a segment hold, and how many rows there are. The table is there.
pub(super) fn counts_of<S: SqlStorage>(sql: &S, table: LogTable, read_seq: u64) -> Result<(u64, u64), SqlError> {
    let select = log_sql!(table, "SELECT count FROM ", " WHERE key >= ?1 AND key < ?2");
    let (first, end) = keys_of(read_seq)?;
    let params = [SqlParam::count(first)?, SqlParam::count(end)?];
    let (mut positions, mut rows) = (0, 0);
    sql.exec(Statement { sql: select, params: &params, byte_budget: usize::MAX }, &mut |row| {
        (positions, rows) = (positions + row.count(0)?, rows + 1);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((positions, rows))
}
