//! Moving sealed segments to R2.
//!
//! An instance makes one attempt at a time (`alarm`). But an instance that was superseded
//! may still be making one, and a put that nobody awaits any more may be applied minutes later. So each attempt has a
//! key of its own, and an object in R2 is part of the stream only if a row names it.

use bytes::Bytes;

use super::agenda::{Duty, Entry};
use super::failure::Failure;
use super::key::{self, Prefix};
use super::stream_object::StreamObject;
use super::sweep_duty;
use crate::mutant::mutated;
use crate::protocol::Incarnation;
use crate::protocol::segment::Place;
use crate::runtime::{ActorState, ObjectStore, PutCondition, PutOutcome, StoreError, marks};
use crate::storage::{SqlError, SqlStorage};
use crate::stream::{Encoding, SealedSegment, Slot, Stream};

/// An attempt to store a segment.
struct Attempt {
    incarnation: Incarnation,
    read_seq: u64,
    /// The last part of its key.
    name: String,
    key: String,
    place: Place,
    object: Bytes,
    /// Whether no earlier attempt may have left an object: this attempt has inserted the duty to sweep.
    is_only_attempt: bool,
}

/// Whether a segment is the first hot one of the stream of that incarnation, and sealed.
fn wanted(slot: &Slot, incarnation: &Incarnation, read_seq: u64) -> bool {
    match slot {
        Slot::Occupied(stream) if stream.incarnation == *incarnation => {
            stream.first_sealed() == Some(read_seq) || mutated!(BoundaryAtEndOfPut)
        }
        _ => false,
    }
}

impl<S: ActorState> StreamObject<S> {
    /// Tells the operator, once an instance, that a URL has few segments left.
    fn warn_of_last_segments(&self, slot: &Slot) {
        if slot.has_few_segments_left() && !self.has_warned.replace(true) {
            self.state.sometimes(marks::FEW_SEGMENTS_LEFT);
            tracing::warn!(left = slot.segments_left(), "nine tenths of the segments of a URL are used up");
        }
    }

    /// Schedules the rotation. Called in the transaction that seals a segment.
    pub(super) fn schedule_rotation(&self, now_ms: u64) -> Result<(), SqlError> {
        self.handler.look_again();
        self.agenda.insert_if_absent(&self.state, &Entry::new(Duty::Rotate, now_ms)).map(drop)
    }

    /// Moves one sealed segment to R2; if there is none, deletes the duty.
    pub(super) async fn rotate(&self, entry: &Entry) -> Result<(), Failure> {
        let Some((incarnation, mut encoding)) = self.with_slot(|slot| self.begin_rotation(slot))? else {
            return Ok(());
        };
        // In steps, because other events wait while a turn lasts. Between two steps the stream may be appended to,
        // closed, removed and created again. The content of a sealed segment never changes.
        while !self.with_slot(|slot| self.encode(slot, &incarnation, &mut encoding))? {
            self.state.sometimes(marks::SEGMENT_ENCODED_IN_STEPS);
            self.state.sleep_ms(1).await;
        }
        let attempt = self.with_slot(|slot| self.begin_put(slot, incarnation, encoding))?;
        let Some(mut attempt) = attempt else { return Ok(()) };
        let object = std::mem::take(&mut attempt.object);
        let limit_ms = self.settings.cold.change_limit_ms();
        let stored = self.state.bucket().put(&attempt.key, object, PutCondition::Absent, limit_ms).await;
        // During the put the same may have happened. If another instance has taken over, nothing that is written here
        // becomes durable.
        self.with_slot(|slot| self.end_rotation(slot, entry, &attempt, &stored))
    }

    fn begin_rotation(&self, slot: &mut Slot) -> Result<Option<(Incarnation, Encoding)>, Failure> {
        let now_ms = self.state.now_ms();
        if matches!(slot, Slot::Occupied(stream) if stream.is_expired(now_ms)) {
            // The duty to expire it has failed, or comes right after. If a reader is connected, the stream goes on.
            self.expire(slot, now_ms)?;
        }
        let encoding = match slot {
            Slot::Occupied(stream) => {
                stream.begin_encoding(self.state.sql())?.map(|encoding| (stream.incarnation.clone(), encoding))
            }
            Slot::Vacant { .. } => None,
        };
        match encoding {
            Some(_) => self.warn_of_last_segments(slot),
            None => self.end_duty(slot, Duty::Rotate, "")?,
        }
        Ok(encoding)
    }

    /// Encodes some more rows; returns whether there is nothing more to encode, since that were the last ones or the
    /// segment is not wanted any more.
    fn encode(&self, slot: &Slot, incarnation: &Incarnation, encoding: &mut Encoding) -> Result<bool, Failure> {
        match wanted(slot, incarnation, encoding.read_seq()) {
            true => Ok(encoding.step(self.state.sql(), self.settings.cold.encoding)?),
            false => Ok(true),
        }
    }

    /// Prepares the put of an encoded segment, in the turn of its last step; `None` if it is not wanted any more.
    fn begin_put(&self, slot: &Slot, incarnation: Incarnation, encoding: Encoding) -> Result<Option<Attempt>, Failure> {
        if !wanted(slot, &incarnation, encoding.read_seq()) {
            // No object was stored. If there is a segment to move, the agenda has its duty.
            self.state.sometimes(marks::ROTATION_OVERTAKEN);
            return Ok(None);
        }
        let (now_ms, settings) = (self.state.now_ms(), &self.settings.cold);
        let SealedSegment { read_seq, object, place } = encoding.finish(self.state.sql())?;
        // Durable before the put: whatever becomes of this attempt, a sweep will find the object that it left.
        let is_only_attempt = sweep_duty::schedule_sweep(&self.agenda, &self.state, settings, now_ms, read_seq)?;
        if is_only_attempt {
            // The sweep may fall due during the put.
            self.handler.look_again_after_this_turn();
        }
        let name = key::attempt(&self.state.fresh_id());
        let key = Prefix::new(self.state.id(), incarnation.as_str()).key(read_seq, &name);
        Ok(Some(Attempt { incarnation, read_seq, name, key, place, object: object.into(), is_only_attempt }))
    }

    fn end_rotation(
        &self,
        slot: &mut Slot,
        entry: &Entry,
        attempt: &Attempt,
        stored: &Result<PutOutcome, StoreError>,
    ) -> Result<(), Failure> {
        let now_ms = self.state.now_ms();
        let sql = self.state.sql();
        let is_wanted = wanted(slot, &attempt.incarnation, attempt.read_seq);
        let stream = match slot {
            Slot::Occupied(stream) if is_wanted => stream,
            _ => {
                self.state.sometimes(marks::ROTATION_OVERTAKEN);
                let Attempt { incarnation, read_seq, .. } = attempt;
                // The table of the agenda may have gone with the stream, and comes together with its first row or not
                // at all: an empty one would stay.
                return Ok(self.transaction(|| {
                    sweep_duty::schedule_orphan_check(
                        &self.agenda,
                        &self.state,
                        &self.settings.cold,
                        slot,
                        incarnation,
                        *read_seq,
                    )
                })?);
            }
        };
        if !matches!(stored, Ok(PutOutcome::Stored)) {
            tracing::warn!(key = attempt.key, ?stored, "a segment was not stored");
            self.state.sometimes(marks::ROTATION_FAILED);
            return Ok(self.back_off(entry)?);
        }
        let record = |stream: &mut Stream, frees_rows| {
            self.transaction(|| {
                let Attempt { read_seq, place, name, .. } = attempt;
                let dropped = stream.record(sql, *read_seq, *place, name, frees_rows)?;
                if attempt.is_only_attempt {
                    self.agenda.delete(&self.state, Duty::Sweep, "")?;
                }
                if stream.first_sealed().is_none() {
                    self.agenda.delete(&self.state, Duty::Rotate, "")?;
                } else if entry.failures > 0 {
                    // The count of consecutive failures starts again at zero.
                    self.agenda.upsert(&self.state, &Entry::new(Duty::Rotate, now_ms))?;
                }
                Ok::<_, SqlError>(dropped)
            })
        };
        let mut recorded = stream.clone();
        let dropped = match record(&mut recorded, false) {
            Err(error) if error.is_full => {
                self.state.sometimes(marks::ROTATION_MADE_ROOM);
                recorded = stream.clone();
                record(&mut recorded, true)?
            }
            outcome => outcome?,
        };
        *stream = recorded;
        debug_assert!(
            self.state.sql().holds(|| self.agenda.has_duties_of(&self.state, stream)),
            "a sealed segment that is left has its duty"
        );
        self.state.sometimes(marks::SEGMENT_ROTATED);
        if dropped {
            self.state.sometimes(marks::LOG_TABLE_DROPPED);
        } else {
            self.state.sometimes(marks::LOG_TABLE_SHARED);
        }
        if entry.failures > 0 {
            self.state.sometimes(marks::ROTATION_SUCCEEDED_AFTER_FAILURES);
        }
        Ok(())
    }
}
