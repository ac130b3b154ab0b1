//! A page of the log.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::tail::{CONTINUES, SELECT_TAIL, Tail};
use super::{Stream, StreamLimits};
use crate::protocol::limits::ROW_LIMIT;
use crate::protocol::{ErrorCode, Offset, ReadFrom, Refusal};
use crate::storage::{RowKey, SqlError, SqlParam, SqlRow, SqlStorage, Statement, lengths, row_key};

/// What a read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it starts.
    pub start: Offset,
    /// The position behind its last message: where the next read goes on.
    pub next: Offset,
    /// The bytes; in JSON mode an array of messages.
    pub body: Bytes,
    /// Whether it ends at the tail.
    pub up_to_date: bool,
    /// Whether it ends at the tail of a closed stream.
    pub closed: bool,
    /// Whether it ends inside what one append wrote.
    pub inside_append: bool,
    /// Commit time of its last message in ms; 0 where it holds none.
    pub commit_ms: u64,
}

/// How a read ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// A page; empty at the tail.
    Page(Page),
    /// Refused.
    Refused(Refusal),
}

impl Stream {
    /// The tail, read from storage in this very turn: an instance that has lost its storage cannot answer it.
    pub fn strong_tail<S: SqlStorage>(&self, sql: &S) -> Result<Tail, SqlError> {
        let tail = sql.first(SELECT_TAIL, &[], Tail::from_row)?;
        Ok(tail.unwrap_or_else(|| Tail::empty(self.first_read_seq)))
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
                // A statement here too: an instance that has lost its storage must not deny what its successor holds.
                self.strong_tail(sql)?;
                return Ok(ReadOutcome::Refused(refusal));
            }
        };
        let mut scan = Scan {
            json: self.content_type.is_json(),
            page_bytes: limits.page_bytes,
            from: start,
            next: start,
            body: Vec::new(),
            parts: 0,
            found: false,
            commit_ms: 0,
            inside_append: false,
            end: None,
        };
        if from == ReadFrom::Now {
            // An empty page, and yet a statement in this turn.
            let tail = self.strong_tail(sql)?;
            return Ok(ReadOutcome::Page(self.page(tail.offset, scan, tail.offset)));
        }
        scan.segment(sql)?;
        if scan.end.is_none() && scan.next == start && start < self.tail.offset {
            // Nothing more in this segment: its end is the start of the next one.
            let after = Offset::start_of(start.read_seq + 1);
            (scan.from, scan.next) = (after, after);
            scan.segment(sql)?;
            if scan.next == after {
                return Ok(match self.tail.offset.read_seq > start.read_seq {
                    true => ReadOutcome::Refused(Refusal::new(ErrorCode::InvalidOffset, "the offset is no position")),
                    false => {
                        return Err(SqlError::new(format!("the log ends before its tail, at {start}")));
                    }
                });
            }
        }
        let next = scan.next;
        Ok(ReadOutcome::Page(self.page(start, scan, next)))
    }

    fn page(&self, start: Offset, scan: Scan, next: Offset) -> Page {
        let up_to_date = next == self.tail.offset;
        let body = match scan.json {
            true => [b"[", scan.body.as_slice(), b"]"].concat(),
            false => scan.body,
        };
        Page {
            start,
            next,
            body: body.into(),
            up_to_date,
            closed: up_to_date && self.tail.closed,
            inside_append: scan.inside_append,
            commit_ms: scan.commit_ms,
        }
    }
}

/// Collects a page from the rows of one segment.
struct Scan {
    json: bool,
    page_bytes: usize,
    from: Offset,
    next: Offset,
    body: Vec<u8>,
    /// Bytes of the parts of a message that is not complete yet.
    parts: usize,
    /// Whether a row of the range was seen.
    found: bool,
    commit_ms: u64,
    inside_append: bool,
    end: Option<PageEnd>,
}

/// The page is full.
struct PageEnd;

impl Scan {
    /// Reads the rows of the segment of `self.from` from the one that holds that position on.
    fn segment<S: SqlStorage>(&mut self, sql: &S) -> Result<(), SqlError> {
        const SELECT: &str = "SELECT key, count, flags, commit_ms, lengths, body FROM log \
                              WHERE key >= coalesce((SELECT max(key) FROM log WHERE key <= ?1), 0) \
                              AND key < ?2 ORDER BY key";
        if self.from.read_seq >= row_key::READ_SEQS || self.from.position >= row_key::POSITIONS {
            return Ok(());
        }
        let first = RowKey::first(self.from).pack()?;
        let segment = RowKey::first(Offset::start_of(self.from.read_seq)).pack()?;
        let behind = segment + row_key::POSITIONS * row_key::PARTS;
        // A row before the position may be skipped, so the storage may need one row more than the page holds; a
        // message in parts is followed to its end whatever it takes, in steps of the budget.
        let byte_budget = self.page_bytes.saturating_add(ROW_LIMIT);
        let mut at = first;
        loop {
            let params = [SqlParam::count(at)?, SqlParam::count(behind)?];
            let (mut last, mut rows) = (at, 0_usize);
            let statement = Statement { sql: SELECT, params: &params, byte_budget };
            sql.exec(statement, &mut |row| {
                let key = row.count(0)?;
                // A further step starts behind the row where the last one stopped.
                if rows == 0 && self.found && key <= at {
                    last = key;
                    return Ok(ControlFlow::Continue(()));
                }
                rows += 1;
                last = key;
                self.row(RowKey::unpack(key), row)
            })?;
            // The budget suffices for a page; what may be missing is the rest of a message in parts.
            if self.end.is_some() || self.parts == 0 || rows == 0 {
                return Ok(());
            }
            at = last;
        }
    }

    fn row(&mut self, key: RowKey, row: SqlRow<'_>) -> Result<ControlFlow<()>, SqlError> {
        let (count, flags, commit_ms) = (row.count(1)?, row.count(2)?, row.count(3)?);
        if key.offset.read_seq != self.from.read_seq {
            // The last row of an earlier segment, where this one has none at or before the position.
            return Ok(ControlFlow::Continue(()));
        }
        let behind = Offset { position: key.offset.position + count, ..key.offset };
        let is_part = key.part > 0 || flags & CONTINUES != 0;
        if behind <= self.next && !(is_part && key.offset >= self.next) {
            return Ok(ControlFlow::Continue(()));
        }
        self.found = true;
        let started = !self.body.is_empty();
        let body = row.blob(5)?;
        let taken = match (is_part, self.json) {
            (true, _) => self.part(key, flags, &body, started),
            (false, true) => self.messages(key, count, &row.blob(4)?, &body, started)?,
            (false, false) => self.bytes(key, &body),
        };
        match taken {
            Taken::All => self.commit_ms = commit_ms,
            Taken::Some => {
                self.commit_ms = commit_ms;
                self.inside_append = true;
            }
            Taken::None => self.inside_append = commit_ms == self.commit_ms,
        }
        if matches!(taken, Taken::All) {
            return Ok(ControlFlow::Continue(()));
        }
        self.end = Some(PageEnd);
        Ok(ControlFlow::Break(()))
    }

    fn bytes(&mut self, key: RowKey, body: &Bytes) -> Taken {
        let skip = (self.next.position - key.offset.position) as usize;
        let wanted = body.get(skip..).unwrap_or_default();
        let room = self.page_bytes.saturating_sub(self.body.len());
        if room == 0 {
            return Taken::None;
        }
        let taken = wanted.get(..room).unwrap_or(wanted);
        self.body.extend_from_slice(taken);
        self.next.position += taken.len() as u64;
        if taken.len() == wanted.len() { Taken::All } else { Taken::Some }
    }

    fn messages(
        &mut self,
        key: RowKey,
        count: u64,
        packed: &Bytes,
        body: &Bytes,
        started: bool,
    ) -> Result<Taken, SqlError> {
        let lengths = if count > 1 { lengths::unpack(packed)? } else { vec![body.len() as u32] };
        let skip = (self.next.position - key.offset.position) as usize;
        let skipped: usize = lengths.iter().take(skip).map(|length| *length as usize + 1).sum();
        let (mut bytes, mut messages) = (0_usize, 0_u64);
        for length in lengths.iter().skip(skip) {
            let more = bytes + usize::from(bytes > 0) + *length as usize;
            let full = self.body.len() + usize::from(started) + more > self.page_bytes;
            if full && (started || messages > 0) {
                break;
            }
            bytes = more;
            messages += 1;
        }
        if messages == 0 {
            return Ok(Taken::None);
        }
        if started {
            self.body.push(b',');
        }
        let Some(wanted) = body.get(skipped..skipped + bytes) else {
            return Err(SqlError::new(format!("the lengths of row {key:?} are longer than its body")));
        };
        self.body.extend_from_slice(wanted);
        self.next.position += messages;
        Ok(if skip as u64 + messages == count { Taken::All } else { Taken::Some })
    }

    /// A message in parts is taken whole, whatever the page's size, if it is the page's first.
    fn part(&mut self, key: RowKey, flags: u64, body: &Bytes, started: bool) -> Taken {
        if key.part == 0 && started {
            return Taken::None;
        }
        self.body.extend_from_slice(body);
        self.parts += body.len();
        if flags & CONTINUES == 0 {
            self.parts = 0;
            self.next.position += 1;
        }
        Taken::All
    }
}

/// How much of a row a page took.
enum Taken {
    All,
    Some,
    None,
}
