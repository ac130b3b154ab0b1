//! Deleting objects that no row names: those of removed streams, and those of attempts that were not recorded.
//!
//! An instance that has lost its storage may read a table that is no longer true, so it must never delete. Therefore a
//! row is written before each deletion, and the deletion is sent only once that row is durable. The row counts the
//! objects that are being deleted.
//!
//! A put may be applied late, but at most `orphan_age_ms` after it was sent. So a sweep covers the segments of two of
//! its periods: what was sent before the last sweep has been applied by this one.

use super::agenda::{Duty, Entry};
use super::failure::Failure;
use super::key::Prefix;
use super::stream_object::StreamObject;
use super::sweep_duty::{LAST, LATE, Pass};
use crate::mutant::mutated;
use crate::runtime::{ActorState, Listed, Listing, ObjectStore, StoreError, marks};
use crate::storage::{SqlError, SqlParam, SqlStorage};
use crate::stream::{Slot, Stream};

impl<S: ActorState> StreamObject<S> {
    /// Performs one step of a pass over the objects of the stream: deletes those that no row names and that are old
    /// enough.
    pub(super) async fn sweep(&self, entry: &Entry) -> Result<(), Failure> {
        let mut pass = Pass::parse(&entry.payload);
        let Some(prefix) = self.with_slot(|slot| self.prefix_of_living_stream(slot))? else { return Ok(()) };
        let cold = &self.settings.cold;
        let after = pass.after(&prefix);
        let listing =
            self.state.bucket().list(prefix.as_str(), Some(&after), cold.sweep_page, cold.read_limit_ms()).await;
        // During the listing the stream may have been removed, and segments recorded: so the listing is compared with
        // the table as it is now. Objects that are too young may still be recorded.
        let orphans = self.with_slot(|slot| match (self.stream_of_prefix(slot, &prefix), &listing) {
            (Some(stream), Ok(listing)) => self.orphans(stream, &prefix, listing, &mut pass),
            _ => Ok(Vec::new()),
        })?;
        let deleted = self.delete_objects(&orphans).await;
        // During the deletion the same may have happened. But no row will ever name an object that was old enough.
        self.with_slot(|slot| {
            let is_done = self.record_deletion_result(&deleted)?;
            if self.agenda.find(&self.state, Duty::Sweep, "")?.as_ref() != Some(entry) {
                // The rotation whose attempts this sweep was for has recorded the only one, or has entered the next
                // sweep.
                return Ok(());
            }
            match (self.stream_of_prefix(slot, &prefix), listing) {
                // The removal of the stream has scheduled the deletion of its objects.
                (None, _) => Ok(()),
                (Some(stream), Ok(listing)) if is_done => Ok(self.end_step(stream, &prefix, pass, &listing)?),
                (Some(_), _) => Ok(self.back_off(entry)?),
            }
        })
    }

    fn prefix_of_living_stream(&self, slot: &Slot) -> Result<Option<Prefix>, Failure> {
        match slot {
            Slot::Occupied(stream) => Ok(Some(Prefix::new(self.state.id(), stream.incarnation.as_str()))),
            Slot::Vacant { .. } => {
                self.end_duty(slot, Duty::Sweep, "")?;
                Ok(None)
            }
        }
    }

    /// The stream, if it still is the one whose keys have this prefix.
    fn stream_of_prefix<'a>(&self, slot: &'a Slot, prefix: &Prefix) -> Option<&'a Stream> {
        match slot {
            Slot::Occupied(stream) if Prefix::new(self.state.id(), stream.incarnation.as_str()) == *prefix => {
                Some(stream)
            }
            _ => None,
        }
    }

    /// The keys of a listing that no row names and that are old enough. Notes in `pass` the first segment of an object
    /// that is too young.
    fn orphans(
        &self,
        stream: &Stream,
        prefix: &Prefix,
        listing: &Listing,
        pass: &mut Pass,
    ) -> Result<Vec<String>, Failure> {
        let names = |object: &Listed| prefix.parse(&object.key).map(|(read_seq, _)| read_seq);
        let first = listing.objects.iter().find_map(names).unwrap_or(0);
        let last = listing.objects.iter().rev().find_map(names).unwrap_or(first);
        let mut recorded = stream.attempts(self.state.sql(), first..last + 1)?;
        if mutated!(SweepRemovesLiveObject) {
            recorded.pop_last();
        }
        let old_ms = self.state.now_ms().saturating_sub(self.settings.cold.orphan_age_ms);
        let mut orphans = Vec::new();
        for object in &listing.objects {
            let Some((read_seq, attempt)) = prefix.parse(&object.key) else {
                // No version of this program gives such a key, so it is left for an operator to look at.
                tracing::warn!(key = object.key, "an object with a strange key");
                continue;
            };
            if recorded.get(&read_seq).is_some_and(|named| named == attempt) {
                continue;
            }
            match object.uploaded_ms > old_ms {
                true => pass.young = Some(pass.young.map_or(read_seq, |young| young.min(read_seq))),
                false => orphans.push(object.key.clone()),
            }
        }
        self.record_pending_deletions(orphans.len())?;
        if !orphans.is_empty() {
            self.state.sometimes(marks::ORPHAN_FOUND);
        }
        Ok(orphans)
    }

    /// Schedules what follows a step: the next step at once, the next pass later, or nothing.
    fn end_step(&self, stream: &Stream, prefix: &Prefix, pass: Pass, listing: &Listing) -> Result<(), SqlError> {
        let now_ms = self.state.now_ms();
        if listing.more {
            let last = listing.objects.last().and_then(|object| object.key.strip_prefix(prefix.as_str()));
            let cursor = last.map(str::to_owned).or(pass.cursor);
            return self.agenda.upsert(&self.state, &Pass { cursor, ..pass }.entry(self.next_step_at_ms(listing)));
        }
        let first_hot = stream.layout.first_hot;
        if mutated!(SweepGoesOn) && pass.from < first_hot + 400 {
            let further = Pass::new(pass.from.max(first_hot) + 1, first_hot);
            return self.agenda.upsert(&self.state, &further.entry(now_ms + self.settings.cold.orphan_age_ms));
        }
        let rotates = self.agenda.find(&self.state, Duty::Rotate, "")?.is_some();
        if mutated!(SweepEndsAtOnce) || pass.young.is_none() && first_hot == pass.mark && !rotates {
            // No attempt was begun since the last pass, and the puts of all earlier attempts have been applied.
            return self.agenda.delete(&self.state, Duty::Sweep, "");
        }
        let from = pass.young.map_or(pass.mark, |young| young.min(pass.mark));
        self.agenda.upsert(&self.state, &Pass::new(from, first_hot).entry(now_ms + self.settings.cold.orphan_age_ms))
    }

    /// When the next step of a listing that goes on is due. After a page without objects the same request is repeated,
    /// so not at once, because each listing is billed.
    fn next_step_at_ms(&self, listing: &Listing) -> u64 {
        let wait_ms = if listing.objects.is_empty() { self.settings.cold.retry_max_ms } else { 0 };
        self.state.now_ms() + wait_ms
    }

    /// Performs one step of the deletion of all objects of a removed stream.
    pub(super) async fn remove_objects(&self, entry: &Entry) -> Result<(), Failure> {
        if mutated!(DeletionForgottenAtCrash) {
            self.agenda.delete(&self.state, Duty::Remove, &entry.subject)?;
        }
        let prefix = Prefix::new(self.state.id(), &entry.subject);
        let cold = &self.settings.cold;
        let listing = self.state.bucket().list(prefix.as_str(), None, cold.sweep_page, cold.read_limit_ms()).await;
        // A removed incarnation never comes back, so no row can name any of these objects.
        let keys: Vec<_> =
            listing.iter().flat_map(|listing| &listing.objects).map(|object| object.key.clone()).collect();
        self.with_slot(|_| Ok(self.record_pending_deletions(keys.len())?))?;
        let deleted = self.delete_objects(&keys).await;
        self.with_slot(|slot| Ok(self.end_removal(slot, entry, &listing, &deleted)?))
    }

    fn end_removal(
        &self,
        slot: &Slot,
        entry: &Entry,
        listing: &Result<Listing, StoreError>,
        deleted: &Result<usize, StoreError>,
    ) -> Result<(), SqlError> {
        let now_ms = self.state.now_ms();
        let again = |due_ms, payload: &str| {
            let payload = payload.to_owned();
            self.agenda.upsert(&self.state, &Entry { due_ms, payload, failures: 0, ..entry.clone() })
        };
        self.record_deletion_result(deleted)?;
        let (Ok(listing), Ok(removed)) = (listing, deleted) else { return self.back_off(entry) };
        if listing.more {
            return again(self.next_step_at_ms(listing), &entry.payload);
        }
        // A put that was under way may have been applied after this listing: list once more, later.
        if entry.payload == LATE && !mutated!(RemovalLooksOnce) || (entry.payload == LAST && *removed > 0) {
            return again(now_ms + self.settings.cold.orphan_age_ms, LAST);
        }
        self.state.sometimes(marks::REMOVED_STREAM_SWEPT);
        self.end_duty(slot, Duty::Remove, &entry.subject)
    }

    /// Records how many objects are about to be deleted. The deletion waits until this is durable.
    fn record_pending_deletions(&self, count: usize) -> Result<(), SqlError> {
        if count == 0 || mutated!(SweepWithoutProof) {
            return Ok(());
        }
        self.state.sql().run("UPDATE stream SET unswept = ?1 WHERE id = 0", &[SqlParam::count(count as u64)?])
    }

    async fn delete_objects(&self, keys: &[String]) -> Result<usize, StoreError> {
        if !keys.is_empty() {
            self.state.bucket().delete(keys, self.settings.cold.change_limit_ms()).await?;
        }
        Ok(keys.len())
    }

    /// Records the result of a deletion; returns whether it succeeded.
    fn record_deletion_result(&self, deleted: &Result<usize, StoreError>) -> Result<bool, SqlError> {
        const UPDATE: &str = "UPDATE stream SET unswept = 0, swept = swept + ?1 WHERE id = 0";
        match deleted {
            Ok(0) => {}
            Ok(count) => self.state.sql().run(UPDATE, &[SqlParam::count(*count as u64)?])?,
            Err(error) => {
                tracing::warn!(%error, "objects were not removed");
                self.state.sometimes(marks::SWEEP_FAILED);
            }
        }
        Ok(deleted.is_ok())
    }
}
