//! Appending and closing.

use bytes::Bytes;

use super::log::{AppendPlan, Content, Marks};
use super::producer::{self, Look, Verdict};
use super::{Stream, StreamLimits};
use crate::mutant::mutated;
use crate::protocol::json::JsonMessages;
use crate::protocol::message::Append;
use crate::protocol::{ErrorCode, Offset, ProducerStamp, Refusal};
use crate::storage::{SqlError, SqlParam, SqlStorage};

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
        /// Whether its producer has taken the place of another one.
        took_place: bool,
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

/// Where the producer of an append is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Where it is, if it is one.
    Kept,
    /// Where nobody is.
    Free,
    /// In the place of this one, which is idle.
    Of(String),
}

/// What an append adds once nothing is wrong with it.
struct Addition {
    content: Content,
    /// That of its producer.
    place: Place,
}

impl Stream {
    /// Appends a body, closes the stream, or both, in one atomic transaction. An empty body only closes.
    ///
    /// Rows written: one for content that fits a row, one for a producer's stamp, and one more if that takes the place of
    /// another; two for the table of a new segment.
    /// `sealed` runs in the same transaction if the append seals a segment that has content. Content that leaves no room
    /// for the rotation is refused, or fails with [`SqlError::is_full`].
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
        let mut is_new_producer = false;
        if let Some(stamp) = &append.producer {
            match producer::judge(sql, stamp)? {
                Verdict::Accept { is_new } => is_new_producer = is_new,
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
        let mut place = Place::Kept;
        if is_new_producer {
            place = match self.place_for_producer(sql, limits, now_ms)? {
                Some(place) => place,
                None => {
                    let message = "the stream keeps as many producers as it may; try again later, or as one of them";
                    return Ok(AppendOutcome::Refused(Refusal::new(ErrorCode::TooManyProducers, message)));
                }
            };
        }
        self.write(sql, limits, now_ms, append, &Addition { content, place }, sealed)
    }

    /// The place that a new producer gets; `None` if there is none. If a look at some of the producers has found no idle
    /// one, the next look goes on after them, also after a start of the object: that writes one row.
    fn place_for_producer<S: SqlStorage>(
        &self,
        sql: &S,
        limits: &StreamLimits,
        now_ms: u64,
    ) -> Result<Option<Place>, SqlError> {
        const LAST: &str = "SELECT looked_at FROM stream WHERE id = 0";
        const KEEP: &str = "UPDATE stream SET looked_at = ?1 WHERE id = 0";
        if self.tail.producers < limits.producers || mutated!(ProducersUnlimited) {
            return Ok(Some(Place::Free));
        }
        let until_ms = now_ms.saturating_sub(limits.producer_idle_ms);
        let until_ms = if mutated!(ActiveProducerForgotten) { now_ms } else { until_ms };
        let last = sql.first(LAST, &[], |row| Ok(row.optional_text(0)?.map(str::to_owned)))?.flatten();
        match producer::find_idle(sql, last.as_deref(), until_ms)? {
            Look::Idle(id) => Ok(Some(Place::Of(id))),
            Look::NoneAtAll => Ok(None),
            Look::NoneUntil(id) => {
                sql.run(KEEP, &[SqlParam::Text(&id)])?;
                Ok(None)
            }
        }
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
        Addition { content, place }: &Addition,
        sealed: impl FnOnce() -> Result<(), SqlError>,
    ) -> Result<AppendOutcome, SqlError> {
        let closed_by = append.producer.as_ref().map(|stamp| &stamp.id).filter(|_| append.close);
        let (stream_seq, adds_producer) = (append.stream_seq.as_deref(), *place == Place::Free);
        let marks = Marks { stream_seq, close: append.close, closed_by, adds_producer };
        let Some(plan) = AppendPlan::plan(self, limits, now_ms, content, &marks) else {
            let refusal = Refusal::new(ErrorCode::StreamFull, "the offsets of this URL are used up");
            return Ok(AppendOutcome::Refused(refusal));
        };
        let hot_bytes = plan.tail.total.saturating_sub(self.layout.cold_bytes);
        if !content.is_empty() && hot_bytes > limits.hot_bytes {
            let message = "too much of the stream waits to be moved to cold storage; try again later";
            return Ok(AppendOutcome::Refused(Refusal::new(ErrorCode::StorageFull, message)));
        }
        let may_fill = !content.is_empty() && !limits.never_fill(self.segments());
        let (next, rows) = (plan.tail.offset, plan.row_count());
        let seals = plan.tail.sealed && next.position > 0 && !self.layout.is_cold(next.read_seq);
        match &append.producer {
            // One statement is atomic by itself. A transaction around it would cost a call to the host.
            None if plan.is_one_statement() && !seals && !may_fill => plan.write(sql)?,
            stamp => {
                let write = || {
                    plan.write(sql)?;
                    if let Some(stamp) = stamp {
                        if let Place::Of(idle) = place {
                            producer::forget(sql, idle)?;
                        }
                        producer::record(sql, stamp, next, plan.tail.commit_ms)?;
                    }
                    if seals {
                        sealed()?;
                    }
                    if may_fill { self.keep_room(sql, limits) } else { Ok(()) }
                };
                if mutated!(AppendInParts) { write()? } else { sql.transaction(write)? }
            }
        }
        let opens_table = plan.opens_table();
        plan.apply(self);
        debug_assert!(sql.holds(|| self.tail_is_stored(sql)), "the last row tells the tail");
        debug_assert!(
            !opens_table || sql.holds(|| self.log_is_stored(sql)),
            "a new table is found by a start of the object"
        );
        debug_assert!(
            append
                .producer
                .as_ref()
                .is_none_or(|stamp| sql.holds(|| producer::is_last_append(sql, stamp) != Ok(false))),
            "the producer's row tells its last append"
        );
        let took_place = matches!(place, Place::Of(_));
        Ok(AppendOutcome::Appended { next, rows, content: content.bytes().clone(), took_place })
    }

    /// Fails if what was written leaves too little room in the database for the rotation that frees it. The caller
    /// holds the transaction, which the failure undoes.
    pub(super) fn keep_room<S: SqlStorage>(&self, sql: &S, limits: &StreamLimits) -> Result<(), SqlError> {
        let bytes = sql.database_bytes()?;
        let has_texts = self.tail.stream_seq.is_some();
        if limits.is_filled_by(bytes, self.waiting() + 1, has_texts) && !mutated!(NoRoomKept) {
            return Err(SqlError::full(format!("{bytes} bytes of {} are taken", limits.database_bytes)));
        }
        Ok(())
    }

    /// Makes room in a database that is full, if there is something that nobody needs any more; returns whether there
    /// was.
    pub fn make_room<S: SqlStorage>(&mut self, sql: &S) -> Result<bool, SqlError> {
        let freed = self.layout.free_cold_rows(sql)?;
        debug_assert!(sql.holds(|| self.log_is_stored(sql)), "what is left of the log is where memory has it");
        Ok(freed)
    }
}
