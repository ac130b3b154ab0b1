//! Segments in R2: encoding one from the rows of the hot log, recording it, and reading a page from its frames.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use super::Stream;
use super::layout::keys_of;
use super::page::{MalformedMessages, Messages, PageBuilder, PageContent};
use super::record::Record;
use super::tail::{CONTINUES, Tail};
use crate::mutant::mutated;
use crate::protocol::limits::{BODY_LIMIT, SEGMENT_BYTES};
use crate::protocol::segment::{
    ContentKind, ENTRY_BYTES, Encoder, FRAME_BYTES, Frame, Frames, HEADER_BYTES, Head, INDEX_BYTES, Index, Place,
    SegmentError, TRAILER_BYTES,
};
use crate::storage::{LogTable, RowKey, SqlError, SqlParam, SqlRow, SqlStorage, Statement, log_sql};

/// The most bytes that are reserved for an object: those of the largest segment whose messages are of one byte, each
/// with a comma and a length.
const OBJECT_BYTES: u64 = 2 * (SEGMENT_BYTES + BODY_LIMIT as u64);

/// A sealed segment, encoded for R2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// The segment.
    pub read_seq: u64,
    /// The encoded object, as `protocol::segment` describes it.
    pub object: Vec<u8>,
    /// The length of the object, and where its index is.
    pub place: Place,
}

fn unfit(error: SegmentError) -> SqlError {
    SqlError::new(error.to_string())
}

/// The encoding of the first hot segment, in steps. What a sealed segment holds never changes, so anything may happen
/// between two steps but its removal.
#[derive(Debug)]
pub struct Encoding {
    read_seq: u64,
    table: LogTable,
    kind: ContentKind,
    encoder: Encoder,
    object: Vec<u8>,
    /// The key after the last row that was read.
    at: u64,
    /// The end of the segment's keys (exclusive).
    end: u64,
    /// The parts so far of a message that spans rows.
    parts: Vec<u8>,
}

/// How much of a segment one step of its encoding reads. A step reads at least a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingStep {
    /// Rows at most.
    pub rows: u64,
    /// Bytes; the row that reaches them is the last one.
    pub bytes: usize,
}

impl Encoding {
    /// The segment.
    pub fn read_seq(&self) -> u64 {
        self.read_seq
    }

    /// Encodes some more rows; returns whether these were the last. Writes nothing.
    pub fn step<S: SqlStorage>(&mut self, sql: &S, step: EncodingStep) -> Result<bool, SqlError> {
        let select = log_sql!(
            self.table,
            "SELECT key, count, flags, commit_ms, lengths, body FROM ",
            " WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
        );
        let params = [SqlParam::count(self.at)?, SqlParam::count(self.end)?, SqlParam::count(step.rows)?];
        let (mut rows, mut handed) = (0, 0_usize);
        sql.exec(Statement { sql: select, params: &params, byte_budget: step.bytes }, &mut |row| {
            rows += 1;
            handed = handed.saturating_add(self.row(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        // If the storage has handed over less than it may, there are no more rows.
        Ok(rows < step.rows && handed < step.bytes)
    }

    /// Encodes a row; returns its bytes.
    fn row(&mut self, row: SqlRow<'_>) -> Result<usize, SqlError> {
        let (key, count, flags, commit_ms) = (row.count(0)?, row.count(1)?, row.count(2)?, row.count(3)?);
        let (lengths, body) = (row.blob(4)?, row.blob(5)?);
        let handed = lengths.len().saturating_add(body.len());
        self.at = key + 1;
        let RowKey { offset, part } = RowKey::unpack(key);
        if flags & CONTINUES != 0 || part > 0 {
            self.parts.extend_from_slice(&body);
        }
        // The row of an append that only closed the stream has no content.
        if flags & CONTINUES != 0 || count == 0 {
            return Ok(handed);
        }
        let messages = match self.kind {
            ContentKind::Bytes => 1,
            ContentKind::Json => u32::try_from(count).map_err(|_| SqlError::new("too many messages"))?,
        };
        let payload: &[u8] = if part > 0 { &self.parts } else { &body };
        let frame = Frame { first: offset.position, commit_ms, messages, lengths: &lengths, payload };
        self.encoder.frame(&frame, &mut self.object).map_err(unfit)?;
        self.parts.clear();
        Ok(handed)
    }

    /// The object, once the last step is done. Writes nothing.
    pub fn finish<S: SqlStorage>(mut self, sql: &S) -> Result<SealedSegment, SqlError> {
        let place = self.encoder.finish(&mut self.object).map_err(unfit)?;
        if mutated!(RowsDroppedBeforeRecord) {
            let all_but_last = log_sql!(self.table, "DELETE FROM ", " WHERE key >= ?1 AND key < ?2 - 1");
            sql.run(all_but_last, &[SqlParam::count(keys_of(self.read_seq)?.0)?, SqlParam::count(self.at)?])?;
        }
        Ok(SealedSegment { read_seq: self.read_seq, object: self.object, place })
    }
}

impl Stream {
    /// Begins to encode the first hot segment, if it is sealed. Writes nothing.
    pub fn begin_encoding<S: SqlStorage>(&self, sql: &S) -> Result<Option<Encoding>, SqlError> {
        let Some(read_seq) = self.first_sealed() else { return Ok(None) };
        let missing = || SqlError::new(format!("segment {read_seq} has no rows"));
        let table = self.layout.table_of(read_seq).ok_or_else(missing)?;
        let end = self.hot_end(sql, read_seq)?.ok_or_else(missing)?;
        let kind = self.kind();
        let mut object = Vec::with_capacity(self.object_bytes(&end));
        let head = Head { kind, read_seq, start: 0, end: end.offset.position };
        let encoder = Encoder::new(head, &mut object);
        let (at, end) = keys_of(read_seq)?;
        Ok(Some(Encoding { read_seq, table, kind, encoder, object, at, end, parts: Vec::new() }))
    }

    /// Bytes of the object of the first hot segment, which ends so: as many, or a little more. If memory had to grow with
    /// the object, it would take up to three times as much.
    fn object_bytes(&self, end: &Tail) -> usize {
        let positions = end.offset.position;
        let (content, lengths) = match self.kind() {
            ContentKind::Bytes => (positions, 0),
            // A length takes a byte, and one more at most for each 128 bytes of its message.
            ContentKind::Json => (end.tally, positions + end.tally / 128),
        };
        let bytes = content + lengths + end.rows * (FRAME_BYTES + ENTRY_BYTES) as u64;
        // What storage tells is not trusted: it was written by whatever version.
        bytes.min(OBJECT_BYTES) as usize + HEADER_BYTES + INDEX_BYTES + TRAILER_BYTES
    }

    /// Records the object of the first hot segment, and drops the tables that hold no hot segment any more; returns
    /// whether it dropped one. The caller holds the transaction. Tables go before the record comes, so that it has room
    /// where they were. If no table can go, `frees_rows` deletes rows that are in R2, each of which is billed: for a
    /// database that is full.
    ///
    /// The segment's last row is read again, because the stream may have been closed since the object was encoded.
    pub fn record<S: SqlStorage>(
        &mut self,
        sql: &S,
        read_seq: u64,
        place: Place,
        attempt: &str,
        frees_rows: bool,
    ) -> Result<bool, SqlError> {
        let missing = || SqlError::new(format!("segment {read_seq} is not the first one to go to R2"));
        if self.first_sealed() != Some(read_seq) {
            return Err(missing());
        }
        let end = match mutated!(BoundaryAtEndOfPut) {
            true => Some(Tail { offset: self.tail.offset, ..self.tail.clone() }),
            false => self.hot_end(sql, read_seq)?,
        };
        let tail = end.ok_or_else(missing)?;
        let read_seq = if mutated!(BoundaryAtEndOfPut) { tail.offset.read_seq } else { read_seq };
        let text_end = match self.content_type.is_bytes_of_text() {
            true => self.text_end(sql, tail.offset)?.known(),
            false => None,
        };
        let record = Record { read_seq, attempt: attempt.to_owned(), place, tail, text_end };
        debug_assert!(sql.holds(|| self.record_fits(sql, &record)), "a record tells what the rows hold: {record:?}");
        let dropped = self.layout.recorded(sql, &record, &self.tail)?;
        if frees_rows && !dropped {
            self.layout.free_cold_rows(sql)?;
        }
        crate::storage::schema::create_segments_table(sql)?;
        record.insert(sql)?;
        if self.layout.is_cold(self.tail.offset.read_seq) {
            self.tail = self.strong_tail(sql)?;
        }
        debug_assert!(sql.holds(|| self.log_is_stored(sql)), "a start of the object finds what is left of the log");
        Ok(dropped)
    }

    /// The recorded attempt of each segment of a range that is in R2.
    pub fn attempts<S: SqlStorage>(&self, sql: &S, segments: Range<u64>) -> Result<BTreeMap<u64, String>, SqlError> {
        const SELECT: &str = "SELECT read_seq, attempt FROM segments WHERE read_seq >= ?1 AND read_seq < ?2 \
                              ORDER BY read_seq";
        let mut attempts = BTreeMap::new();
        if self.layout.first_hot == self.first_read_seq {
            // There is no table before the first record.
            return Ok(attempts);
        }
        let params = [SqlParam::count(segments.start)?, SqlParam::count(segments.end)?];
        let statement = Statement { sql: SELECT, params: &params, byte_budget: usize::MAX };
        sql.exec(statement, &mut |row| {
            attempts.insert(row.count(0)?, row.text(1)?.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(attempts)
    }
}

/// Reads the page from a position on. `frames` are those that the index of the segment gives for it.
pub fn page_of_frames(
    kind: ContentKind,
    frames: &Bytes,
    position: u64,
    page_bytes: usize,
) -> Result<PageContent, SegmentError> {
    let mut page = PageBuilder::new(kind, page_bytes, position);
    let mut next = None;
    for frame in Frames::new(frames) {
        let frame = frame?;
        let end = frame.first.saturating_add(frame.positions(kind));
        if next.is_some_and(|next| next != frame.first) {
            return Err(SegmentError::Inconsistent("a frame that does not begin where the last one ended"));
        }
        next = Some(end);
        if end <= page.next {
            continue;
        }
        let Frame { first, commit_ms, messages, lengths, payload } = frame;
        let body = [frames.slice_ref(payload)];
        let messages = Messages { first, count: u64::from(messages), lengths, body: &body, commit_ms };
        let malformed = |MalformedMessages| SegmentError::Inconsistent("a frame that does not fit its lengths");
        page.push(&messages).map_err(malformed)?;
        if page.is_full() {
            break;
        }
    }
    match page.next > position {
        true => Ok(page.finish()),
        false => Err(SegmentError::Inconsistent("frames that do not hold the position")),
    }
}

/// Decodes an index, and checks that it belongs to the segment of the record.
pub fn index_of(record: &Record, bytes: &[u8]) -> Result<Index, SegmentError> {
    let index = Index::decode(bytes, record.place.index_at)?;
    match (index.read_seq(), index.end()) == (record.read_seq, record.end()) {
        true => Ok(index),
        false => Err(SegmentError::Inconsistent("an index of another segment")),
    }
}
