//! The duties that delete objects from R2: which events schedule them, and what their payloads hold.

use super::ColdSettings;
use super::agenda::{Agenda, Duty, Entry};
use super::key::Prefix;
use crate::protocol::Incarnation;
use crate::runtime::ActorState;
use crate::storage::SqlError;
use crate::stream::{Slot, Stream};

/// One pass over the objects of a stream from a segment on, in steps: the payload of [`Duty::Sweep`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// The first segment of the pass.
    pub(super) from: u64,
    /// The first segment that was hot when the last pass ended, or when the duty was inserted.
    pub(super) mark: u64,
    /// The first segment with an unnamed object that is too young to be deleted.
    pub(super) young: Option<u64>,
    /// Where the last step ended: the last key that it listed, without the prefix.
    pub(super) cursor: Option<String>,
}

impl Pass {
    pub(super) fn new(from: u64, mark: u64) -> Self {
        Self { from, mark, young: None, cursor: None }
    }

    /// From a payload. One that cannot be read gives a pass from the first segment on.
    pub(super) fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (from, mark, young) = (number().unwrap_or(0), number().unwrap_or(0), number());
        Self { from, mark, young, cursor: words.next().map(str::to_owned).filter(|cursor| !cursor.is_empty()) }
    }

    pub(super) fn entry(&self, due_ms: u64) -> Entry {
        let Self { from, mark, young, cursor } = self;
        let young = young.map_or_else(|| "-".to_owned(), |young| young.to_string());
        let payload = format!("{from} {mark} {young} {}", cursor.as_deref().unwrap_or_default());
        Entry { payload, ..Entry::new(Duty::Sweep, due_ms) }
    }

    /// The key after which the next step lists.
    pub(super) fn after(&self, prefix: &Prefix) -> String {
        match &self.cursor {
            Some(cursor) => format!("{}{cursor}", prefix.as_str()),
            None => prefix.segment(self.from),
        }
    }
}

/// Schedules a sweep for what an attempt to store a segment may leave, if none is scheduled; returns whether it did.
pub(super) fn schedule_sweep<S: ActorState>(
    agenda: &Agenda,
    state: &S,
    settings: &ColdSettings,
    now_ms: u64,
    read_seq: u64,
) -> Result<bool, SqlError> {
    agenda.insert_if_absent(state, &Pass::new(read_seq, read_seq).entry(now_ms + settings.orphan_age_ms))
}

/// Makes sure that a duty will find the object of an attempt whose segment is not wanted any more: a sweep if its
/// stream is still there, otherwise a removal.
pub(super) fn schedule_orphan_check<S: ActorState>(
    agenda: &Agenda,
    state: &S,
    settings: &ColdSettings,
    slot: &Slot,
    incarnation: &Incarnation,
    read_seq: u64,
) -> Result<(), SqlError> {
    let now_ms = state.now_ms();
    match slot {
        Slot::Occupied(stream) if stream.incarnation == *incarnation => {
            schedule_sweep(agenda, state, settings, now_ms, read_seq).map(drop)
        }
        _ => {
            let subject = incarnation.as_str().to_owned();
            agenda.insert_if_absent(state, &Entry { subject, ..Entry::new(Duty::Remove, now_ms) }).map(drop)
        }
    }
}

/// What follows the removal of a stream.
pub(super) struct Removal {
    /// The deletion of its objects, if there may be any.
    deletion: Option<Entry>,
    /// Whether there is an agenda already.
    has_agenda: bool,
}

/// What has to follow the removal of a stream. Called in the transaction that removes its rows, before they go.
pub(super) fn removal<S: ActorState>(
    agenda: &Agenda,
    state: &S,
    stream: &Stream,
    now_ms: u64,
) -> Result<Removal, SqlError> {
    let has_agenda = agenda.is_there(state.sql())?;
    let attempts = has_agenda && agenda.find(state, Duty::Sweep, "")?.is_some();
    if stream.layout.first_hot == stream.first_read_seq && !attempts {
        return Ok(Removal { deletion: None, has_agenda });
    }
    let subject = stream.incarnation.as_str().to_owned();
    // The object of a put that is still under way may appear after the first listing.
    let payload = if attempts { LATE } else { "" }.to_owned();
    let deletion = Some(Entry { subject, payload, ..Entry::new(Duty::Remove, now_ms) });
    Ok(Removal { deletion, has_agenda })
}

impl Removal {
    /// Enters it in place of the duties that concern the stream itself. Called in the same transaction. Returns whether
    /// there is an agenda that may be empty.
    pub(super) fn schedule<S: ActorState>(&self, agenda: &Agenda, state: &S, now_ms: u64) -> Result<bool, SqlError> {
        if self.has_agenda {
            agenda.delete_all_of_stream(state, now_ms)?;
        }
        match &self.deletion {
            Some(entry) => agenda.upsert(state, entry).map(|()| false),
            None => Ok(self.has_agenda),
        }
    }
}

/// The payload of a removal that has to list once more, `orphan_age_ms` after its first look.
pub(super) const LATE: &str = "late";

/// The payload of a removal that lists for the last time.
pub(super) const LAST: &str = "last";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_round_trips_through_the_agenda() {
        for pass in [
            Pass::new(0, 0),
            Pass { young: Some(7), ..Pass::new(3, 9) },
            Pass { cursor: Some("0000000004/ab".into()), ..Pass::new(3, 9) },
            Pass { young: Some(0), cursor: Some("0000000004/ab".into()), ..Pass::new(3, 9) },
        ] {
            assert_eq!(Pass::parse(&pass.entry(1).payload), pass);
        }
        for text in ["", "x", "- - - -"] {
            assert_eq!((Pass::parse(text).from, Pass::parse(text).mark), (0, 0), "{text:?}");
        }
    }

    #[test]
    fn a_pass_begins_with_its_first_segment_or_after_its_last_key() {
        let prefix = Prefix::new("o", "i");
        assert_eq!(Pass::new(4, 9).after(&prefix), prefix.segment(4));
        let pass = Pass { cursor: Some("0000000004/ab".into()), ..Pass::new(1, 9) };
        assert_eq!(pass.after(&prefix), prefix.key(4, "ab"));
    }
}
