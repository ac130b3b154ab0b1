//! A page of the log: from rows, or which segment in R2 holds it.

use std::ops::ControlFlow;

use super::layout::{end_of_segment, keys_of};
use super::page::{MalformedMessages, Messages, Page, PageBuilder, PageContent};
use super::record::Record;
use super::tail::{CONTINUES, Tail};
use super::{Stream, StreamLimits};
use crate::protocol::limits::ROW_LIMIT;
use crate::protocol::{ErrorCode, Incarnation, Offset, ReadFrom, Refusal};
use crate::storage::{RowKey, SqlError, SqlParam, SqlRow, SqlStorage, Statement, log_sql, row_key};

/// How a read ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// A page; empty at the tail.
    Page(Page),
    /// The page is in R2.
    Cold(ColdRead),
    /// Refused.
    Refused(Refusal),
}

/// A page that is in R2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdRead {
    /// Whose segment it is.
    pub incarnation: Incarnation,
    /// Where the read was asked to start.
    pub start: Offset,
    /// The position in the segment, which holds it.
    pub position: u64,
    /// The segment.
    pub record: Record,
}

impl Stream {
    /// The tail, read from storage in this very turn: an instance that has lost its storage cannot answer it.
    pub fn strong_tail<S: SqlStorage>(&self, sql: &S) -> Result<Tail, SqlError> {
        self.layout.tail(sql, self.first_read_seq)
    }

    /// Where a read starts, if the offset is one of this stream's.
    pub fn resolve(&self, from: ReadFrom) -> Result<Offset, Refusal> {
        let tail = &self.tail;
        match from {
            ReadFrom::Start => Ok(Offset::start_of(self.first_read_seq)),
            ReadFrom::Now => Ok(tail.offset),
            ReadFrom::At(offset) if offset.read_seq < self.first_read_seq => {
                Err(Refusal::new(ErrorCode::OffsetGone, "the offset belongs to an earlier stream at this URL"))
            }
            // The end of a sealed segment and the start of the next are one position.
            ReadFrom::At(offset) if tail.sealed && offset == tail.next_append() => Ok(tail.offset),
            ReadFrom::At(offset) if offset <= tail.offset => Ok(offset),
            ReadFrom::At(_) => Err(Refusal::new(ErrorCode::InvalidOffset, "the offset is beyond the tail")),
        }
    }

    /// A page from a position on. It never crosses a segment, and in JSON mode holds whole messages.
    pub fn read<S: SqlStorage>(&self, sql: &S, limits: &StreamLimits, from: ReadFrom) -> Result<ReadOutcome, SqlError> {
        let start = match self.resolve(from) {
            Ok(start) => start,
            Err(refusal) => {
                // A statement comes before it: an instance that has lost its storage must not deny a position of its
                // successor's.
                self.strong_tail(sql)?;
                return Ok(ReadOutcome::Refused(refusal));
            }
        };
        if from == ReadFrom::Now {
            // An empty page, and yet a statement in this turn.
            let tail = self.strong_tail(sql)?;
            return Ok(ReadOutcome::Page(self.empty_page(tail.offset)));
        }
        match self.segment(sql, limits, start, start)? {
            Found::Outcome(outcome) => Ok(outcome),
            // Its end is the start of the next one.
            Found::End => match self.segment(sql, limits, start, Offset::start_of(start.read_seq + 1))? {
                Found::Outcome(outcome) => Ok(outcome),
                Found::End => Err(SqlError::new(format!("segment {} is empty", start.read_seq + 1))),
            },
        }
    }

    /// The page of one segment from `at` on, for a read that was asked to start at `start`.
    fn segment<S: SqlStorage>(
        &self,
        sql: &S,
        limits: &StreamLimits,
        start: Offset,
        at: Offset,
    ) -> Result<Found, SqlError> {
        let page = |content| Found::Outcome(ReadOutcome::Page(self.page(start, at.read_seq, content)));
        let end = if self.layout.is_cold(at.read_seq) {
            let record = Record::of(sql, at.read_seq)?;
            let record = record.ok_or_else(|| SqlError::new(format!("segment {} has no record", at.read_seq)))?;
            if at.position < record.end() {
                let incarnation = self.incarnation.clone();
                let cold = ColdRead { incarnation, start, position: at.position, record };
                return Ok(Found::Outcome(ReadOutcome::Cold(cold)));
            }
            record.end()
        } else {
            let mut scan = Scan::new(PageBuilder::new(self.kind(), limits.page_bytes, at.position), at);
            scan.run(sql, self, limits)?;
            if scan.page.next > at.position {
                debug_assert!(self.ends_by_its_tail(at, scan.page.next), "no row is after the tail");
                return Ok(page(scan.page.finish()));
            }
            scan.end
        };
        if at == self.tail.offset {
            return Ok(page(PageBuilder::new(self.kind(), limits.page_bytes, at.position).finish()));
        }
        if at.position == end && at.read_seq < self.tail.offset.read_seq {
            return Ok(Found::End);
        }
        if at.read_seq == self.tail.offset.read_seq {
            return Err(SqlError::new(format!("the log ends before its tail, at {at}")));
        }
        let refusal = Refusal::new(ErrorCode::InvalidOffset, "the offset is behind the end of its segment");
        Ok(Found::Outcome(ReadOutcome::Refused(refusal)))
    }

    fn empty_page(&self, at: Offset) -> Page {
        self.page(at, at.read_seq, PageBuilder::new(self.kind(), 1, at.position).finish())
    }

    /// The page that a cold read asked for, once its content is there.
    pub fn cold_page(&self, read: &ColdRead, content: PageContent) -> Page {
        self.page(read.start, read.record.read_seq, content)
    }

    /// Bytes in the hot log.
    pub fn hot_bytes(&self) -> u64 {
        self.tail.total.saturating_sub(self.layout.cold_bytes)
    }

    /// How many hot segments take no further content and have some: they can go to R2.
    pub fn waiting(&self) -> u64 {
        let Tail { offset, sealed, .. } = &self.tail;
        // A stream that was closed before its first append is sealed and empty.
        let end = if *sealed && offset.position > 0 { offset.read_seq + 1 } else { offset.read_seq };
        end.saturating_sub(self.layout.first_hot)
    }

    /// The first of them.
    pub fn first_sealed(&self) -> Option<u64> {
        (self.waiting() > 0).then_some(self.layout.first_hot)
    }

    /// The end of a hot segment, as its last row tells it now.
    pub(super) fn hot_end<S: SqlStorage>(&self, sql: &S, read_seq: u64) -> Result<Option<Tail>, SqlError> {
        match self.layout.table_of(read_seq) {
            Some(table) => end_of_segment(sql, table, read_seq),
            None => Ok(None),
        }
    }
}

/// What a segment has for a read.
enum Found {
    Outcome(ReadOutcome),
    /// Nothing: the position is its end, and another one follows.
    End,
}

/// Hands the rows of one segment to a page.
struct Scan {
    page: PageBuilder,
    from: Offset,
    /// The parts of a message that is not complete yet.
    parts: Vec<u8>,
    /// The position behind the last row that was looked at.
    end: u64,
}

impl Scan {
    fn new(page: PageBuilder, from: Offset) -> Self {
        Self { page, from, parts: Vec::new(), end: 0 }
    }

    /// Reads the rows of the segment from the one that holds the position on, until the page is full.
    fn run<S: SqlStorage>(&mut self, sql: &S, stream: &Stream, limits: &StreamLimits) -> Result<(), SqlError> {
        if self.from.read_seq >= row_key::READ_SEQS || self.from.position >= row_key::POSITIONS {
            return Ok(());
        }
        let Some(table) = stream.layout.table_of(self.from.read_seq) else { return Ok(()) };
        let select = log_sql!(
            table,
            "SELECT key, count, flags, commit_ms, lengths, body FROM ",
            " WHERE key >= coalesce((SELECT max(key) FROM ",
            " WHERE key <= ?1), 0) AND key < ?2 ORDER BY key"
        );
        let (_, behind) = keys_of(self.from.read_seq)?;
        // A row before the position may be skipped, so the storage may need one row more than the page holds.
        let byte_budget = limits.page_bytes.saturating_add(ROW_LIMIT);
        let mut at = RowKey::first(self.from).pack()?;
        let mut done = None;
        loop {
            let params = [SqlParam::count(at)?, SqlParam::count(behind)?];
            let mut handed = 0_usize;
            sql.exec(Statement { sql: select, params: &params, byte_budget }, &mut |row| {
                let key = row.count(0)?;
                let (lengths, body) = (row.blob(4)?, row.blob(5)?);
                handed = handed.saturating_add(lengths.len()).saturating_add(body.len());
                // A further step begins with the row where the last one stopped.
                if done.is_some_and(|done| key <= done) {
                    return Ok(ControlFlow::Continue(()));
                }
                done = Some(key);
                self.row(RowKey::unpack(key), row, &lengths, &body)
            })?;
            // Where the storage has handed over less than it may, there is no more.
            match done {
                Some(key) if handed >= byte_budget && !self.page.is_full() => at = key,
                _ => return Ok(()),
            }
        }
    }

    fn row(&mut self, key: RowKey, row: SqlRow<'_>, lengths: &[u8], body: &[u8]) -> Result<ControlFlow<()>, SqlError> {
        let (count, flags, commit_ms) = (row.count(1)?, row.count(2)?, row.count(3)?);
        if key.offset.read_seq != self.from.read_seq {
            // The last row of an earlier segment, where this one has none at or before the position.
            return Ok(ControlFlow::Continue(()));
        }
        self.end = key.offset.position + count;
        let continues = flags & CONTINUES != 0;
        if continues || key.part > 0 {
            if key.part == 0 {
                self.parts.clear();
            }
            self.parts.extend_from_slice(body);
        }
        let is_refused = continues && self.page.refuses(self.parts.len());
        if (continues && !is_refused) || self.end < self.page.next || (self.end == self.page.next && !continues) {
            return Ok(ControlFlow::Continue(()));
        }
        let first = key.offset.position;
        let messages = match key.part {
            0 if !continues => Messages { first, count, lengths, body, commit_ms },
            // A message in parts is as any other once its last part is there, or once it is too long.
            _ => Messages { first, count: 1, lengths: &[], body: &self.parts, commit_ms },
        };
        let malformed = |MalformedMessages| SqlError::new(format!("row {key:?} does not fit its lengths"));
        self.page.push(&messages).map_err(malformed)?;
        Ok(if self.page.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
