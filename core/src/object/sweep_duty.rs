//! The duties to sweep: which events enter them, and what their payloads say.

use super::ColdSettings;
use super::agenda::{self, Duty, Entry};
use super::key::Prefix;
use crate::protocol::Incarnation;
use crate::runtime::ActorState;
use crate::storage::SqlError;
use crate::stream::{Slot, Stream};

/// What a sweep has to know: one pass over the objects from a segment on, in steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// The first segment to look at.
    pub(super) from: u64,
    /// The first segment that was hot when the last pass ended, or the duty was entered.
    pub(super) mark: u64,
    /// The first segment of which something was found that is too young to tell.
    pub(super) young: Option<u64>,
    /// Where the last step ended: what follows the prefix in its last key.
    pub(super) cursor: Option<String>,
}

impl Pass {
    pub(super) fn new(from: u64, mark: u64) -> Self {
        Self { from, mark, young: None, cursor: None }
    }

    /// What cannot be read is a pass from the beginning.
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

    /// The key behind which the next step begins.
    pub(super) fn after(&self, prefix: &Prefix) -> String {
        match &self.cursor {
            Some(cursor) => format!("{}{cursor}", prefix.as_str()),
            None => prefix.segment(self.from),
        }
    }
}

/// An attempt to store a segment begins: whatever it leaves is looked for. Whether nothing else is.
pub(super) fn schedule_sweep<S: ActorState>(
    state: &S,
    settings: &ColdSettings,
    now_ms: u64,
    read_seq: u64,
) -> Result<bool, SqlError> {
    agenda::enter_once(state, &Pass::new(read_seq, read_seq).entry(now_ms + settings.orphan_age_ms))
}

/// An attempt has ended that nobody wants any more: if no duty would find its object, one is entered.
pub(super) fn schedule_orphan_check<S: ActorState>(
    state: &S,
    settings: &ColdSettings,
    slot: &Slot,
    incarnation: &Incarnation,
    read_seq: u64,
) -> Result<(), SqlError> {
    let now_ms = state.now_ms();
    match slot {
        Slot::Occupied(stream) if stream.incarnation == *incarnation => {
            schedule_sweep(state, settings, now_ms, read_seq).map(drop)
        }
        _ => {
            let subject = incarnation.as_str().to_owned();
            agenda::enter_once(state, &Entry { subject, ..Entry::new(Duty::Remove, now_ms) }).map(drop)
        }
    }
}

/// A stream is removed: its objects will be. In the transaction that removes its rows.
pub(super) fn schedule_removal<S: ActorState>(state: &S, stream: &Stream, now_ms: u64) -> Result<(), SqlError> {
    let attempts = agenda::find(state, Duty::Sweep, "")?.is_some();
    agenda::strike_all_of_stream(state)?;
    if stream.layout.first_hot == stream.first_read_seq && !attempts {
        return Ok(());
    }
    let subject = stream.incarnation.as_str().to_owned();
    // Of a put that is still on its way, the object comes after the first listing.
    let payload = if attempts { LATE } else { "" }.to_owned();
    agenda::enter(state, &Entry { subject, payload, ..Entry::new(Duty::Remove, now_ms) })
}

/// The payload of a removal that has to look once more, later.
pub(super) const LATE: &str = "late";

/// The payload of its last look.
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
    fn a_pass_begins_with_its_first_segment_or_behind_its_last_key() {
        let prefix = Prefix::new("o", "i");
        assert_eq!(Pass::new(4, 9).after(&prefix), prefix.segment(4));
        let pass = Pass { cursor: Some("0000000004/ab".into()), ..Pass::new(1, 9) };
        assert_eq!(pass.after(&prefix), prefix.key(4, "ab"));
    }
}
