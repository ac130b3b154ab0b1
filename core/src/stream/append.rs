//! Appending and closing.

use bytes::Bytes;

use super::log::{AppendPlan, Content, Marks};
use super::producer::{self, Verdict};
use super::{Stream, StreamLimits};
use crate::mutant::mutated;
use crate::protocol::json::JsonMessages;
use crate::protocol::message::Append;
use crate::protocol::{ErrorCode, Offset, ProducerStamp, Refusal};
use crate::storage::{SqlError, SqlStorage};

/// The outcome of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// The log holds it.
    Appended {
        /// The end of what was appended (exclusive): where the next append starts.
        next: Offset,
        /// How many rows of the log it wrote.
        rows: usize,
        /// What it added, as the log stores it: bytes, or messages with a comma between any two. Empty if it only
        /// closed the stream.
        content: Bytes,
    },
    /// The log holds the producer's append already: nothing was written.
    Duplicate {
        /// The end of the producer's last append (exclusive) if that is the repeated one, otherwise the tail.
        next: Offset,
        /// The highest sequence number accepted in this epoch.
        last_seq: u64,
    },
    /// The stream was closed before, and the request only closes it: nothing was written.
    AlreadyClosed,
    /// The stream is closed: nothing was written.
    Closed,
    /// The producer's epoch is older than the one that the stream knows: nothing was written.
    StaleEpoch {
        /// The epoch that the stream knows.
        current: u64,
    },
    /// The producer skipped sequence numbers: nothing was written.
    SequenceGap {
        /// The sequence number that would have been accepted.
        expected: u64,
    },
    /// Refused for another reason: nothing was written.
    Refused(Refusal),
}

impl Stream {
    /// Appends a body, closes the stream, or both, in one atomic transaction. An empty body only closes.
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
        let looks_sound = || append.content_type.as_ref().is_none_or(|sent| *sent == self.content_type);
        if self.tail.closed && (looks_sound() || !mutated!(ContentTypeBeforeClosure)) {
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
                    if !mutated!(DuplicateDoesNotTouch) {
                        self.touch(sql, now_ms)?;
                    }
                    return Ok(AppendOutcome::Duplicate { next: offset.unwrap_or(self.tail.offset), last_seq });
                }
                Verdict::StaleEpoch { current } => {
                    return Ok(AppendOutcome::StaleEpoch { current });
                }
                Verdict::EpochMustStartAtZero => {
                    let refusal = Refusal::new(ErrorCode::EpochMustStartAtZero, "a new epoch starts at sequence 0");
                    return Ok(AppendOutcome::Refused(refusal));
                }
                Verdict::Gap { expected } if mutated!(RefusalTouches) => {
                    self.touch(sql, now_ms)?;
                    return Ok(AppendOutcome::SequenceGap { expected });
                }
                Verdict::Gap { expected } => return Ok(AppendOutcome::SequenceGap { expected }),
            }
        }
        let is_equal = append.stream_seq == self.tail.stream_seq;
        if append.stream_seq.is_some()
            && append.stream_seq <= self.tail.stream_seq
            && !(is_equal && mutated!(StreamSeqMayRepeat))
        {
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
            && self.is_closing_append(sql, stamp)?
        {
            self.touch(sql, now_ms)?;
            return Ok(AppendOutcome::Duplicate { next: self.tail.offset, last_seq: stamp.seq });
        }
        if append.close && body.is_empty() {
            if !mutated!(CloseAgainDoesNotTouch) {
                self.touch(sql, now_ms)?;
            }
            return Ok(AppendOutcome::AlreadyClosed);
        }
        Ok(AppendOutcome::Closed)
    }

    /// Whether a stamp is that of the append that closed the stream. Nothing follows a close, so this is the last
    /// append of the producer that closed it.
    fn is_closing_append<S: SqlStorage>(&self, sql: &S, stamp: &ProducerStamp) -> Result<bool, SqlError> {
        if mutated!(ClosingTupleForgotten) {
            return Ok(false);
        }
        let is_last = mutated!(ClosingProducerAlwaysRepeats) || producer::is_last_append(sql, stamp)?;
        Ok(self.tail.closed_by.as_deref() == Some(stamp.id.as_str()) && is_last)
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
        let Some(plan) = AppendPlan::plan(self, limits, now_ms, content, &marks) else {
            let refusal = Refusal::new(ErrorCode::StreamFull, "the offsets of this URL are used up");
            return Ok(AppendOutcome::Refused(refusal));
        };
        let (next, rows) = (plan.tail.offset, plan.row_count());
        let seals = plan.tail.sealed && next.position > 0 && !self.layout.is_cold(next.read_seq);
        match &append.producer {
            // One statement is atomic by itself. A transaction around it would cost a call to the host.
            None if plan.is_one_statement() && !seals => plan.write(sql)?,
            stamp => {
                let write = || {
                    plan.write(sql)?;
                    if let Some(stamp) = stamp {
                        producer::record(sql, stamp, next)?;
                    }
                    if seals { sealed() } else { Ok(()) }
                };
                if mutated!(AppendInParts) { write()? } else { sql.transaction(write)? }
            }
        }
        let opens_table = plan.opens_table();
        plan.apply(self);
        debug_assert!(self.tail_is_stored(sql), "the last row tells the tail");
        debug_assert!(!opens_table || self.log_is_stored(sql), "a new table is found by a start of the object");
        debug_assert!(
            !matches!(&append.producer, Some(stamp) if producer::is_last_append(sql, stamp) == Ok(false)),
            "the producer's row tells its last append"
        );
        Ok(AppendOutcome::Appended { next, rows, content: content.bytes().clone() })
    }
}
