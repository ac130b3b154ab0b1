//! Reading a page: from the rows of the hot log, or telling which segment in R2 holds it.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::layout::{end_of_segment, keys_of};
use super::page::{MalformedMessages, Messages, Page, PageBuilder, PageContent};
use super::record::Record;
use super::tail::{CONTINUES, Tail};
use super::{Stream, StreamLimits};
use crate::mutant::mutated;
use crate::protocol::segment::ContentKind;
use crate::protocol::{ErrorCode, Incarnation, Offset, ReadFrom, Refusal};
use crate::storage::{RowKey, SqlError, SqlParam, SqlRow, SqlStorage, Statement, log_sql, row_key};

/// The outcome of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// A page; empty at the tail.
    Page(Page),
    /// The page is in R2.
    Cold(Box<ColdRead>),
    /// Refused.
    Refused(Refusal),
}

/// A page that is in R2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdRead {
    /// The stream to which the segment belongs.
    pub incarnation: Incarnation,
    /// The start that the read asked for.
    pub start: Offset,
    /// The position in the segment from which to read; it is before the segment's end.
    pub position: u64,
    /// The segment.
    pub record: Record,
}

impl Stream {
    /// Reads the tail from storage in this very turn. An instance that has lost its storage fails here, instead of
    /// answering an old tail.
    pub fn strong_tail<S: SqlStorage>(&self, sql: &S) -> Result<Tail, SqlError> {
        self.layout.tail(sql, self.first_read_seq)
    }

    /// The offset at which a read starts. Fails if it is not an offset of this stream.
    pub fn resolve(&self, from: ReadFrom) -> Result<Offset, Refusal> {
        let tail = &self.tail;
        match from {
            ReadFrom::Start => Ok(Offset::start_of(self.first_read_seq)),
            ReadFrom::Now => Ok(tail.offset),
            ReadFrom::At(offset) if offset.read_seq < self.first_read_seq && !mutated!(EarlierOffsetIsInvalid) => {
                Err(Refusal::new(ErrorCode::OffsetGone, "the offset belongs to an earlier stream at this URL"))
            }
            // The end of a sealed segment and the start of the next one are the same position.
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
                // A statement comes first: an instance that has lost its storage must not refuse an offset that its
                // successor has.
                if !mutated!(RefusalFromMemory) {
                    self.strong_tail(sql)?;
                }
                return Ok(ReadOutcome::Refused(refusal));
            }
        };
        if from == ReadFrom::Now {
            // The page is empty, but the tail has to come from a statement in this turn.
            let tail = if mutated!(NowFromMemory) { self.tail.clone() } else { self.strong_tail(sql)? };
            return Ok(ReadOutcome::Page(self.empty_page(tail.offset)));
        }
        match self.segment(sql, limits, start, start)? {
            SegmentRead::Outcome(outcome) => Ok(outcome),
            // The end of a segment is the start of the next one.
            SegmentRead::End => match self.segment(sql, limits, start, Offset::start_of(start.read_seq + 1))? {
                SegmentRead::Outcome(outcome) => Ok(outcome),
                SegmentRead::End => Err(SqlError::new(format!("segment {} is empty", start.read_seq + 1))),
            },
        }
    }

    /// The page of one segment from `at` on, for a read that asked for `start`.
    fn segment<S: SqlStorage>(
        &self,
        sql: &S,
        limits: &StreamLimits,
        start: Offset,
        at: Offset,
    ) -> Result<SegmentRead, SqlError> {
        let page = |content| SegmentRead::Outcome(ReadOutcome::Page(self.page(start, at.read_seq, content)));
        let end = if self.layout.is_cold(at.read_seq) {
            let record = Record::of(sql, at.read_seq)?;
            let record = record.ok_or_else(|| SqlError::new(format!("segment {} has no record", at.read_seq)))?;
            if at.position < record.end() {
                let incarnation = self.incarnation.clone();
                let cold = ColdRead { incarnation, start, position: at.position, record };
                return Ok(SegmentRead::Outcome(ReadOutcome::Cold(Box::new(cold))));
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
            return Ok(SegmentRead::End);
        }
        if at.read_seq == self.tail.offset.read_seq {
            return Err(SqlError::new(format!("the log ends before its tail, at {at}")));
        }
        let refusal = Refusal::new(ErrorCode::InvalidOffset, "the offset is behind the end of its segment");
        Ok(SegmentRead::Outcome(ReadOutcome::Refused(refusal)))
    }

    fn empty_page(&self, at: Offset) -> Page {
        self.page(at, at.read_seq, PageBuilder::new(self.kind(), 1, at.position).finish())
    }

    /// The page of a cold read, from the content that was fetched for it.
    pub fn cold_page(&self, read: &ColdRead, content: PageContent) -> Page {
        self.page(read.start, read.record.read_seq, content)
    }

    /// Bytes that the rows of segments take which are not in R2.
    pub fn hot_bytes(&self) -> u64 {
        self.tail.total.saturating_sub(self.layout.cold_bytes)
    }

    /// How many segments it has had so far.
    pub(super) fn segments(&self) -> u64 {
        (self.tail.offset.read_seq + 1).saturating_sub(self.first_read_seq)
    }

    /// How many hot segments are sealed and not empty: they wait to be moved to R2.
    pub fn waiting(&self) -> u64 {
        let Tail { offset, sealed, .. } = &self.tail;
        // A stream that was closed before its first append is sealed and empty.
        let end = if *sealed && offset.position > 0 { offset.read_seq + 1 } else { offset.read_seq };
        end.saturating_sub(self.layout.first_hot)
    }

    /// The first hot segment, if it waits to be moved to R2.
    pub fn first_sealed(&self) -> Option<u64> {
        (self.waiting() > 0).then_some(self.layout.first_hot)
    }

    /// The end of a hot segment, read from its last row now; `None` if it has no row.
    pub(super) fn hot_end<S: SqlStorage>(&self, sql: &S, read_seq: u64) -> Result<Option<Tail>, SqlError> {
        match self.layout.table_of(read_seq) {
            Some(table) => end_of_segment(sql, table, read_seq),
            None => Ok(None),
        }
    }
}

/// What reading one segment gives.
enum SegmentRead {
    Outcome(ReadOutcome),
    /// The position is the end of the segment, and another segment follows.
    End,
}

/// Builds a page from the rows of one segment.
struct Scan {
    page: PageBuilder,
    from: Offset,
    /// The parts so far of a message that spans rows.
    parts: Vec<Bytes>,
    /// The end position of the last row that was looked at (exclusive).
    end: u64,
}

impl Scan {
    fn new(page: PageBuilder, from: Offset) -> Self {
        Self { page, from, parts: Vec::new(), end: 0 }
    }

    /// Reads rows, beginning with the one that holds the position, until the page is full or the segment ends.
    fn run<S: SqlStorage>(&mut self, sql: &S, stream: &Stream, limits: &StreamLimits) -> Result<(), SqlError> {
        if self.from.read_seq >= row_key::READ_SEQS || self.from.position >= row_key::POSITIONS {
            return Ok(());
        }
        let Some(table) = stream.layout.table_of(self.from.read_seq) else { return Ok(()) };
        // The first row may end where the page begins, as the last one of the log does for a read at the tail: that row
        // is read, because it tells where the segment ends, but not its body. A row that counts nothing is a part of a
        // message.
        let first_rows = log_sql!(
            table,
            "SELECT key, count, flags, commit_ms, lengths, \
             CASE WHEN key < ?3 AND (count = 0 OR key + count * ?4 > ?1) THEN body END FROM ",
            " WHERE key >= coalesce((SELECT max(key) FROM ",
            " WHERE key <= ?1), 0) AND key < ?2 ORDER BY key"
        );
        let further_rows = log_sql!(
            table,
            "SELECT key, count, flags, commit_ms, lengths, \
             CASE WHEN key < ?3 AND (count = 0 OR key + count * ?4 > ?1) THEN body END FROM ",
            " WHERE key > ?1 AND key < ?2 ORDER BY key"
        );
        let (_, end_of_segment) = keys_of(self.from.read_seq)?;
        let (end, end_of_bodies) = match stream.kind() {
            // Positions are bytes, so it is known which row is the first after a full page. That row is read, because
            // it tells whether the page ends inside an append, but not its body.
            ContentKind::Bytes => match self.from.position + limits.page_bytes as u64 {
                position if position < row_key::POSITIONS => {
                    let after = RowKey::first(Offset { position, ..self.from }).pack()?;
                    (after + 1, after)
                }
                _ => (end_of_segment, end_of_segment),
            },
            ContentKind::Json => (end_of_segment, end_of_segment),
        };
        // By how much the keys of two positions that follow each other differ.
        let key_step = SqlParam::count(row_key::PARTS)?;
        let mut select = first_rows;
        let mut at = RowKey::first(self.from).pack()?;
        loop {
            let params = [SqlParam::count(at)?, SqlParam::count(end)?, SqlParam::count(end_of_bodies)?, key_step];
            // A host may copy all that it may hand over before the first row is looked at, so it is told what the page
            // still has room for, and a byte more: a page is full once something does not fit.
            let byte_budget = self.page.room().saturating_add(1);
            let mut handed = 0_usize;
            sql.exec(Statement { sql: select, params: &params, byte_budget }, &mut |row| {
                at = row.count(0)?;
                let (lengths, body) = (row.blob(4)?, row.blob(5)?);
                handed = handed.saturating_add(lengths.len()).saturating_add(body.len());
                self.row(RowKey::unpack(at), row, &lengths, body)
            })?;
            // If the storage has handed over less than it may, there are no more rows.
            if self.page.is_full() || handed < byte_budget {
                return Ok(());
            }
            select = further_rows;
        }
    }

    fn row(&mut self, key: RowKey, row: SqlRow<'_>, lengths: &[u8], body: Bytes) -> Result<ControlFlow<()>, SqlError> {
        let (count, flags, commit_ms) = (row.count(1)?, row.count(2)?, row.count(3)?);
        if key.offset.read_seq != self.from.read_seq {
            // The last row of an earlier segment: this segment has no row at or before the position.
            return Ok(ControlFlow::Continue(()));
        }
        self.end = key.offset.position + count;
        let continues = flags & CONTINUES != 0;
        if continues || key.part > 0 {
            if key.part == 0 {
                self.parts.clear();
            }
            self.parts.push(body.clone());
        }
        let is_refused = continues && self.page.refuses(self.parts.iter().map(Bytes::len).sum());
        if (continues && !is_refused) || self.end < self.page.next || (self.end == self.page.next && !continues) {
            return Ok(ControlFlow::Continue(()));
        }
        let first = key.offset.position;
        let messages = match key.part {
            0 if !continues => Messages { first, count, lengths, body: std::slice::from_ref(&body), commit_ms },
            // A message in parts, once its last part is there, or once its parts so far are too long for the page.
            _ => Messages { first, count: 1, lengths: &[], body: &self.parts, commit_ms },
        };
        let malformed = |MalformedMessages| SqlError::new(format!("row {key:?} does not fit its lengths"));
        self.page.push(&messages).map_err(malformed)?;
        Ok(if self.page.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
