//! Appending and closing.

use bytes::Bytes;

use super::log::{Batch, Content, Marks};
use super::producer::{self, Verdict};
use super::{Stream, StreamLimits};
use crate::protocol::json::JsonMessages;
use crate::protocol::message::Append;
use crate::protocol::{ErrorCode, Offset, ProducerStamp, Refusal};
use crate::storage::{SqlError, SqlStorage};

/// How an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is in the log.
    Appended {
        /// The position behind its last message.
        next: Offset,
        /// How many rows of the log it wrote.
        rows: usize,
        /// What it added, as the log holds it: bytes, or messages with a comma between any two. Empty where it only
        /// closed the stream.
        content: Bytes,
    },
    /// The producer's batch was in the log before.
    Duplicate {
        /// The position behind the producer's last batch, or the tail where that is not the one repeated.
        next: Offset,
        /// The highest sequence number accepted in this epoch.
        last_seq: u64,
    },
    /// The stream was closed before, and the request asks for no more than that.
    AlreadyClosed,
    /// The stream is closed: nothing was written.
    Closed,
    /// The producer's epoch is behind: nothing was written.
    StaleEpoch {
        /// The epoch that the stream knows.
        current: u64,
    },
    /// The producer skipped sequence numbers: nothing was written.
    SequenceGap {
        /// The next one.
        expected: u64,
    },
    /// Refused for another reason: nothing was written.
    Refused(Refusal),
}

impl Stream {
    /// Appends a body, closes, or both: one atomic transaction. An empty body is for closing alone.
    ///
    /// Rows written: one for content that fits a row, one for a producer's stamp; two for the table of a new segment.
    /// `sealed` runs in the same transaction if the append seals a segment that has content.
    pub fn append<S: SqlStorage>(
        &mut self,
        sql: &S,
        limits: &StreamLimits,
        now_ms: u64,
        append: &Append,
        body: &Bytes,
        sealed: impl FnOnce() -> Result<(), SqlError>,
    ) -> Result<AppendOutcome, SqlError> {
        if self.tail.closed {
            return self.append_to_closed(sql, now_ms, append, body);
        }
        let content = match self.content(append, body) {
            Ok(content) => content,
            Err(refusal) => return Ok(AppendOutcome::Refused(refusal)),
        };
        if let Some(stamp) = &append.producer {
            match producer::judge(sql, stamp)? {
                Verdict::Accept => {}
                Verdict::Duplicate { last_seq, offset } => {
                    self.touch(sql, now_ms)?;
                    return Ok(AppendOutcome::Duplicate { next: offset.unwrap_or(self.tail.offset), last_seq });
                }
                Verdict::StaleEpoch { current } => {
                    return Ok(AppendOutcome::StaleEpoch { current });
                }
                Verdict::EpochMustStartAtZero => {
                    let refusal = Refusal::new(ErrorCode::EpochMustStartAtZero, "a new epoch starts at sequence 0");
                    return Ok(AppendOutcome::Refused(refusal));
                }
                Verdict::Gap { expected } => return Ok(AppendOutcome::SequenceGap { expected }),
            }
        }
        if append.stream_seq.is_some() && append.stream_seq <= self.tail.stream_seq {
            let refusal = Refusal::new(ErrorCode::StreamSeqRegression, "Stream-Seq is not above the last one");
            return Ok(AppendOutcome::Refused(refusal));
        }
        if !content.is_empty() && self.hot_bytes() + content.bytes().len() as u64 > limits.hot_bytes {
            let message = "too much of the stream waits to be moved to cold storage; try again later";
            return Ok(AppendOutcome::Refused(Refusal::new(ErrorCode::StorageFull, message)));
        }
        self.write(sql, limits, now_ms, append, &content, sealed)
    }

    fn append_to_closed<S: SqlStorage>(
        &mut self,
        sql: &S,
        now_ms: u64,
        append: &Append,
        body: &Bytes,
    ) -> Result<AppendOutcome, SqlError> {
        if let Some(stamp) = &append.producer
            && self.is_closing_batch(sql, stamp)?
        {
            self.touch(sql, now_ms)?;
            return Ok(AppendOutcome::Duplicate { next: self.tail.offset, last_seq: stamp.seq });
        }
        if append.close && body.is_empty() {
            self.touch(sql, now_ms)?;
            return Ok(AppendOutcome::AlreadyClosed);
        }
        Ok(AppendOutcome::Closed)
    }

    /// Nothing follows a close, so the closing producer's last batch is the closing one.
    fn is_closing_batch<S: SqlStorage>(&self, sql: &S, stamp: &ProducerStamp) -> Result<bool, SqlError> {
        Ok(self.tail.closed_by.as_deref() == Some(stamp.id.as_str()) && producer::is_last_batch(sql, stamp)?)
    }

    fn content(&self, append: &Append, body: &Bytes) -> Result<Content, Refusal> {
        if body.is_empty() {
            return Ok(Content::Bytes(Bytes::new()));
        }
        if append.content_type.as_ref() != Some(&self.content_type) {
            let message = format!("the stream's content type is {}", self.content_type.as_str());
            return Err(Refusal::new(ErrorCode::ContentTypeMismatch, message));
        }
        if !self.content_type.is_json() {
            return Ok(Content::Bytes(body.clone()));
        }
        let messages = JsonMessages::split(body)?;
        if messages.lengths.is_empty() {
            return Err(Refusal::new(ErrorCode::EmptyArray, "an empty array appends nothing"));
        }
        Ok(Content::Json(messages))
    }

    fn write<S: SqlStorage>(
        &mut self,
        sql: &S,
        limits: &StreamLimits,
        now_ms: u64,
        append: &Append,
        content: &Content,
        sealed: impl FnOnce() -> Result<(), SqlError>,
    ) -> Result<AppendOutcome, SqlError> {
        let closed_by = append.producer.as_ref().map(|stamp| &stamp.id).filter(|_| append.close);
        let marks = Marks { stream_seq: append.stream_seq.as_deref(), close: append.close, closed_by };
        let Some(batch) = Batch::plan(self, limits, now_ms, content, &marks) else {
            let refusal = Refusal::new(ErrorCode::StreamFull, "the offsets of this URL are used up");
            return Ok(AppendOutcome::Refused(refusal));
        };
        let (next, rows) = (batch.tail.offset, batch.row_count());
        let seals = batch.tail.sealed && next.position > 0 && !self.layout.is_cold(next.read_seq);
        match &append.producer {
            // One statement is atomic by itself, and saves the crossing of a transaction.
            None if batch.is_one_statement() && !seals => batch.write(sql)?,
            stamp => sql.transaction(|| {
                batch.write(sql)?;
                if let Some(stamp) = stamp {
                    producer::record(sql, stamp, next)?;
                }
                if seals { sealed() } else { Ok(()) }
            })?,
        }
        let opens_table = batch.opens_table();
        batch.apply(self);
        debug_assert!(self.tail_is_stored(sql), "the last row tells the tail");
        debug_assert!(!opens_table || self.log_is_stored(sql), "a new table is found by a start of the object");
        debug_assert!(
            !matches!(&append.producer, Some(stamp) if producer::is_last_batch(sql, stamp) == Ok(false)),
            "the producer's row tells its last batch"
        );
        Ok(AppendOutcome::Appended { next, rows, content: content.bytes().clone() })
    }
}
