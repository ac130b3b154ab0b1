//! Moving sealed segments to R2.
//!
//! One alarm at a time runs in an object, so an instance makes one attempt at a time; but an instance that was
//! superseded may be in the middle of one too, and a put that nobody waits for any more may land minutes later. So each
//! attempt has a key of its own, and only what a row names exists.

use bytes::Bytes;

use super::agenda::{self, Duty, Entry};
use super::key::{self, Prefix};
use super::stream_object::{Failure, StreamObject, random_id};
use super::sweep;
use crate::mutant::mutated;
use crate::protocol::Incarnation;
use crate::protocol::segment::Place;
use crate::runtime::{ActorState, ObjectStore, PutCondition, PutOutcome, StoreError};
use crate::storage::{SqlError, SqlStorage};
use crate::stream::{SealedSegment, Slot, Stream};

/// An attempt to store a segment.
struct Attempt {
    incarnation: Incarnation,
    read_seq: u64,
    /// The last part of its key.
    name: String,
    key: String,
    place: Place,
    object: Bytes,
    /// Whether nothing before this attempt is left to sweep.
    is_alone: bool,
}

impl<S: ActorState> StreamObject<S> {
    /// Enters the duty to move sealed segments, in the transaction that seals one.
    pub(super) fn enter_rotation(&self, now_ms: u64) -> Result<(), SqlError> {
        agenda::enter_once(&self.state, &Entry::new(Duty::Rotate, now_ms)).map(drop)
    }

    /// Moves one sealed segment, or finds that there is none.
    pub(super) async fn rotate(&self, entry: Entry) -> Result<(), Failure> {
        let Some(mut attempt) = self.with_slot(|slot| self.begin_rotation(slot))? else { return Ok(()) };
        let object = std::mem::take(&mut attempt.object);
        let stored = self.state.bucket().put(&attempt.key, object, PutCondition::Absent).await;
        // Meanwhile the stream may have been appended to, closed, removed, and created anew; the segment is as it was,
        // unless another instance has taken over and recorded its own attempt: then nothing written here counts.
        self.with_slot(|slot| self.end_rotation(slot, &entry, &attempt, &stored))
    }

    fn begin_rotation(&self, slot: &Slot) -> Result<Option<Attempt>, Failure> {
        let now_ms = self.state.now_ms();
        let (sql, settings) = (self.state.sql(), &self.settings.cold);
        let sealed = match slot {
            Slot::Occupied(stream) if !stream.is_expired(now_ms) => {
                stream.encode_sealed(sql)?.map(|sealed| (&stream.incarnation, sealed))
            }
            _ => None,
        };
        let Some((incarnation, SealedSegment { read_seq, object, place })) = sealed else {
            agenda::strike(&self.state, Duty::Rotate, "")?;
            return Ok(None);
        };
        // Durable before the put: whatever becomes of this attempt, somebody will look for what it left.
        let is_alone = sweep::expect(&self.state, settings, now_ms, read_seq)?;
        let name = key::attempt(&random_id(&self.state));
        let key = Prefix::new(self.state.id(), incarnation.as_str()).key(read_seq, &name);
        let incarnation = incarnation.clone();
        Ok(Some(Attempt { incarnation, read_seq, name, key, place, object: object.into(), is_alone }))
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
        let wanted = |stream: &Stream| {
            stream.incarnation == attempt.incarnation
                && (stream.first_sealed() == Some(attempt.read_seq) || mutated!(BoundaryAtEndOfPut))
        };
        let stream = match slot {
            Slot::Occupied(stream) if wanted(stream) => stream,
            _ => {
                self.state.sometimes("rotation_overtaken");
                let Attempt { incarnation, read_seq, .. } = attempt;
                return Ok(sweep::disown(&self.state, &self.settings.cold, slot, incarnation, *read_seq)?);
            }
        };
        if !matches!(stored, Ok(PutOutcome::Stored)) {
            tracing::warn!(key = attempt.key, ?stored, "a segment was not stored");
            self.state.sometimes("rotation_failed");
            return Ok(self.retry_rotation(entry, now_ms)?);
        }
        let dropped = sql.transaction(|| {
            let dropped = stream.record(sql, attempt.read_seq, attempt.place, &attempt.name)?;
            if attempt.is_alone {
                agenda::strike(&self.state, Duty::Sweep, "")?;
            }
            if stream.first_sealed().is_none() {
                agenda::strike(&self.state, Duty::Rotate, "")?;
            } else if !entry.payload.is_empty() {
                // It works again.
                agenda::enter(&self.state, &Entry::new(Duty::Rotate, now_ms))?;
            }
            Ok::<_, SqlError>(dropped)
        })?;
        debug_assert!(agenda::has_duties_of(&self.state, stream), "a sealed segment that is left has its duty");
        self.state.sometimes("segment_rotated");
        if dropped {
            self.state.sometimes("log_table_dropped");
        } else {
            self.state.sometimes("log_table_shared");
        }
        if !entry.payload.is_empty() {
            self.state.sometimes("rotation_succeeded_after_failures");
        }
        Ok(())
    }

    /// Tries again later: twice as late after each failure, and not at the same moment as every other stream.
    fn retry_rotation(&self, entry: &Entry, now_ms: u64) -> Result<(), SqlError> {
        let settings = &self.settings.cold;
        let failures = entry.payload.parse::<u32>().unwrap_or(0);
        let factor = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
        let wait_ms = settings.retry_min_ms.saturating_mul(factor).min(settings.retry_max_ms);
        let mut random = [0; 2];
        self.state.fill_random(&mut random);
        let jitter_ms = wait_ms * u64::from(u16::from_le_bytes(random)) / (4 << 16);
        let again = Entry {
            payload: failures.saturating_add(1).to_string(),
            ..Entry::new(Duty::Rotate, now_ms + wait_ms + jitter_ms)
        };
        agenda::enter(&self.state, &again)
    }
}
