//! Removing objects that no row names: those of removed streams, and those of attempts that were not recorded.
//!
//! An instance that has lost its storage may hold a table that is no longer true, so it must never delete: before each
//! deletion a row is written, and the deletion leaves the object only once that is durable. The row counts what is
//! being removed.
//!
//! A put may land late, but at most `orphan_age_ms` after it was sent. So a sweep looks back over two of its periods:
//! an attempt begun before the last sweep has landed by this one.

use super::agenda::{self, Duty, Entry};
use super::failure::Failure;
use super::key::Prefix;
use super::stream_object::StreamObject;
use super::sweep_duty::{LAST, LATE, Pass};
use crate::mutant::mutated;
use crate::runtime::{ActorState, Listed, Listing, ObjectStore, StoreError};
use crate::storage::{SqlError, SqlParam, SqlStorage};
use crate::stream::{Slot, Stream};

impl<S: ActorState> StreamObject<S> {
    /// One step over the objects of the stream: those that no row names and that are old enough are removed.
    pub(super) async fn sweep(&self, entry: Entry) -> Result<(), Failure> {
        let mut pass = Pass::parse(&entry.payload);
        let Some(prefix) = self.with_slot(|slot| self.living_prefix(slot))? else { return Ok(()) };
        let (after, limit) = (pass.after(&prefix), self.settings.cold.sweep_page);
        let listing = self.state.bucket().list(prefix.as_str(), Some(&after), limit).await;
        // Meanwhile the stream may have been removed, and segments of it recorded: the listing is held against the
        // table as it is now. What is listed and too young may be recorded yet.
        let orphans = self.with_slot(|slot| match (self.owner(slot, &prefix), &listing) {
            (Some(stream), Ok(listing)) => self.orphans(stream, &prefix, listing, &mut pass),
            _ => Ok(Vec::new()),
        })?;
        let deleted = self.delete_objects(&orphans).await;
        // Meanwhile the same; but what no row names after so long, none ever will.
        self.with_slot(|slot| {
            let is_done = self.settle(&deleted)?;
            match (self.owner(slot, &prefix), listing) {
                // Whoever removed the stream has left its objects to another duty.
                (None, _) => Ok(()),
                (Some(stream), Ok(listing)) if is_done => Ok(self.end_step(stream, &prefix, pass, &listing)?),
                (Some(_), _) => Ok(agenda::enter(&self.state, &Entry { due_ms: self.later_ms(), ..entry })?),
            }
        })
    }

    fn living_prefix(&self, slot: &Slot) -> Result<Option<Prefix>, Failure> {
        match slot {
            Slot::Occupied(stream) => Ok(Some(Prefix::new(self.state.id(), stream.incarnation.as_str()))),
            Slot::Vacant { .. } => {
                agenda::strike(&self.state, Duty::Sweep, "")?;
                Ok(None)
            }
        }
    }

    /// The stream, if the keys are still its own.
    fn owner<'a>(&self, slot: &'a Slot, prefix: &Prefix) -> Option<&'a Stream> {
        match slot {
            Slot::Occupied(stream) if Prefix::new(self.state.id(), stream.incarnation.as_str()) == *prefix => {
                Some(stream)
            }
            _ => None,
        }
    }

    /// The keys of a listing that no row names and that are old enough.
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
                // Nothing of ours has such a name; what it is, an operator has to say.
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
        self.announce(orphans.len())?;
        if !orphans.is_empty() {
            self.state.sometimes("orphan_found");
        }
        Ok(orphans)
    }

    /// A step is done: the next one follows at once, the next pass later, or none is needed.
    fn end_step(&self, stream: &Stream, prefix: &Prefix, pass: Pass, listing: &Listing) -> Result<(), SqlError> {
        let now_ms = self.state.now_ms();
        if listing.more {
            let last = listing.objects.last().and_then(|object| object.key.strip_prefix(prefix.as_str()));
            let cursor = last.map(str::to_owned).or(pass.cursor);
            return agenda::enter(&self.state, &Pass { cursor, ..pass }.entry(self.next_step_ms(listing)));
        }
        let first_hot = stream.layout.first_hot;
        let rotates = agenda::find(&self.state, Duty::Rotate, "")?.is_some();
        if pass.young.is_none() && first_hot == pass.mark && !rotates {
            // No attempt was begun since the last pass, and what was begun before has landed.
            return agenda::strike(&self.state, Duty::Sweep, "");
        }
        let from = pass.young.map_or(pass.mark, |young| young.min(pass.mark));
        agenda::enter(&self.state, &Pass::new(from, first_hot).entry(now_ms + self.settings.cold.orphan_age_ms))
    }

    /// When the next step comes, of a listing that goes on. Behind one that holds nothing the same is asked again, and not
    /// at once: each time is billed.
    fn next_step_ms(&self, listing: &Listing) -> u64 {
        if listing.objects.is_empty() { self.later_ms() } else { self.state.now_ms() }
    }

    /// When to try again what R2 has refused.
    fn later_ms(&self) -> u64 {
        self.state.now_ms() + self.settings.cold.retry_max_ms
    }

    /// One step over the objects of a removed stream.
    pub(super) async fn remove_objects(&self, entry: Entry) -> Result<(), Failure> {
        if mutated!(DeletionForgottenAtCrash) {
            agenda::strike(&self.state, Duty::Remove, &entry.subject)?;
        }
        let prefix = Prefix::new(self.state.id(), &entry.subject);
        let limit = self.settings.cold.sweep_page;
        let listing = self.state.bucket().list(prefix.as_str(), None, limit).await;
        // An incarnation that was removed is never there again: no row can name what was listed.
        let keys: Vec<_> =
            listing.iter().flat_map(|listing| &listing.objects).map(|object| object.key.clone()).collect();
        self.with_slot(|_| Ok(self.announce(keys.len())?))?;
        let deleted = self.delete_objects(&keys).await;
        self.with_slot(|_| Ok(self.end_removal(&entry, &listing, &deleted)?))
    }

    fn end_removal(
        &self,
        entry: &Entry,
        listing: &Result<Listing, StoreError>,
        deleted: &Result<usize, StoreError>,
    ) -> Result<(), SqlError> {
        let now_ms = self.state.now_ms();
        let again = |due_ms, payload: &str| {
            let payload = payload.to_owned();
            agenda::enter(&self.state, &Entry { due_ms, payload, ..entry.clone() })
        };
        self.settle(deleted)?;
        let (Ok(listing), Ok(removed)) = (listing, deleted) else { return again(self.later_ms(), &entry.payload) };
        if listing.more {
            return again(self.next_step_ms(listing), &entry.payload);
        }
        // What has landed late may not have been alone.
        if entry.payload == LATE || (entry.payload == LAST && *removed > 0) {
            return again(now_ms + self.settings.cold.orphan_age_ms, LAST);
        }
        self.state.sometimes("removed_stream_swept");
        agenda::strike(&self.state, Duty::Remove, &entry.subject)
    }

    /// Writes down how many objects are about to be removed. That this becomes durable is what allows it.
    fn announce(&self, count: usize) -> Result<(), SqlError> {
        if count == 0 {
            return Ok(());
        }
        self.state.sql().run("UPDATE stream SET unswept = ?1 WHERE id = 0", &[SqlParam::count(count as u64)?])
    }

    async fn delete_objects(&self, keys: &[String]) -> Result<usize, StoreError> {
        if !keys.is_empty() {
            self.state.bucket().delete(keys).await?;
        }
        Ok(keys.len())
    }

    /// Writes down what became of a deletion. Whether it was done.
    fn settle(&self, deleted: &Result<usize, StoreError>) -> Result<bool, SqlError> {
        const UPDATE: &str = "UPDATE stream SET unswept = 0, swept = swept + ?1 WHERE id = 0";
        match deleted {
            Ok(0) => {}
            Ok(count) => self.state.sql().run(UPDATE, &[SqlParam::count(*count as u64)?])?,
            Err(error) => {
                tracing::warn!(%error, "objects were not removed");
                self.state.sometimes("sweep_failed");
            }
        }
        Ok(deleted.is_ok())
    }
}
