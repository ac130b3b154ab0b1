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
use crate::protocol::limits::{BODY_LIMIT, ROW_LIMIT, SEGMENT_BYTES};
use crate::protocol::segment::{ContentKind, Encoder, Frame, Frames, Head, Index, Place, SegmentError};
use crate::storage::{RowKey, SqlError, SqlParam, SqlStorage, Statement, log_sql};

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

impl Stream {
    /// Encodes the first hot segment, if it is sealed. Writes nothing. The content of a sealed segment never changes.
    pub fn encode_sealed<S: SqlStorage>(&self, sql: &S) -> Result<Option<SealedSegment>, SqlError> {
        let Some(read_seq) = self.first_sealed() else { return Ok(None) };
        let missing = || SqlError::new(format!("segment {read_seq} has no rows"));
        let table = self.layout.table_of(read_seq).ok_or_else(missing)?;
        let end = self.hot_end(sql, read_seq)?.ok_or_else(missing)?;
        let select = log_sql!(
            table,
            "SELECT key, count, flags, commit_ms, lengths, body FROM ",
            " WHERE key >= ?1 AND key < ?2 ORDER BY key"
        );
        let kind = self.kind();
        // Room for the content, whose length is known, and for headers, index and checksums.
        let content = end.total.saturating_sub(self.layout.cold_bytes).min(2 * SEGMENT_BYTES + BODY_LIMIT as u64);
        let mut object = Vec::with_capacity(content as usize + ROW_LIMIT / 8);
        let head = Head { kind, read_seq, start: 0, end: end.offset.position };
        let mut encoder = Encoder::new(head, &mut object);
        let (mut at, end_key) = keys_of(read_seq)?;
        let mut parts = Vec::new();
        loop {
            let params = [SqlParam::count(at)?, SqlParam::count(end_key)?];
            let mut handed = 0_usize;
            // In steps, so that memory holds the rows of one step at a time.
            sql.exec(Statement { sql: select, params: &params, byte_budget: ROW_LIMIT }, &mut |row| {
                let (key, count, flags, commit_ms) = (row.count(0)?, row.count(1)?, row.count(2)?, row.count(3)?);
                let (lengths, body) = (row.blob(4)?, row.blob(5)?);
                handed = handed.saturating_add(lengths.len()).saturating_add(body.len());
                at = key + 1;
                let RowKey { offset, part } = RowKey::unpack(key);
                if flags & CONTINUES != 0 || part > 0 {
                    parts.extend_from_slice(&body);
                }
                // The row of an append that only closed the stream has no content.
                if flags & CONTINUES != 0 || count == 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                let messages = match kind {
                    ContentKind::Bytes => 1,
                    ContentKind::Json => u32::try_from(count).map_err(|_| SqlError::new("too many messages"))?,
                };
                let payload: &[u8] = if part > 0 { &parts } else { &body };
                let frame = Frame { first: offset.position, commit_ms, messages, lengths: &lengths, payload };
                encoder.frame(&frame, &mut object).map_err(unfit)?;
                parts.clear();
                Ok(ControlFlow::Continue(()))
            })?;
            if handed < ROW_LIMIT {
                break;
            }
        }
        let place = encoder.finish(&mut object).map_err(unfit)?;
        if mutated!(RowsDroppedBeforeRecord) {
            let all_but_last = log_sql!(table, "DELETE FROM ", " WHERE key >= ?1 AND key < ?2 - 1");
            sql.run(all_but_last, &[SqlParam::count(keys_of(read_seq)?.0)?, SqlParam::count(at)?])?;
        }
        Ok(Some(SealedSegment { read_seq, object, place }))
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
        debug_assert!(self.record_fits(sql, &record), "a record tells what the rows hold: {record:?}");
        let dropped = self.layout.recorded(sql, &record, &self.tail)?;
        if frees_rows && !dropped {
            self.layout.free_cold_rows(sql)?;
        }
        crate::storage::schema::create_segments_table(sql)?;
        record.insert(sql)?;
        if self.layout.is_cold(self.tail.offset.read_seq) {
            self.tail = self.strong_tail(sql)?;
        }
        debug_assert!(self.log_is_stored(sql), "a start of the object finds what is left of the log");
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
