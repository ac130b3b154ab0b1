//! What happens when: one heap of records, on a clock of its own in us. The clock is moved on by what comes next and by
//! nothing else, and nothing is ever entered before it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What happens to somebody. A `turn` tells whether the record still concerns them: it is outdated once theirs has moved
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A reader comes.
    Comes { turn: u32 },
    /// A reader goes.
    Goes { turn: u32 },
    /// A reader has waited for as long as it may have had the patience for.
    LosesPatience,
    /// A reader asks.
    Asks { turn: u32 },
    /// A reader's request reaches the datacenter.
    Arrives { turn: u32 },
    /// What a reader's browser asks beside what the reader does reaches the datacenter.
    Refreshes { turn: u32 },
    /// A reader's browser waits for that no longer.
    RefreshEnds { turn: u32 },
    /// A reader has waited for another's fetch for as long as it is to.
    WaitOver { turn: u32 },
    /// A reader gets its answer, or the end of it.
    Gets { turn: u32 },
    /// A request at the edge goes on.
    Resumes { turn: u32 },
    /// A request at the edge begins.
    Begins { turn: u32 },
    /// The answer of a request at the edge, or its head, reaches whoever waits for it.
    Brings { turn: u32 },
    /// The answer of a request at the edge has come to its end.
    Ends { turn: u32 },
    /// The request at the edge has failed before it began.
    Fails { turn: u32 },
    /// Somebody writes to a stream.
    Writes,
    /// Another release is deployed.
    Deploys,
    /// Nothing goes wrong from here on.
    CalmsDown,
    /// What is of no use any more is dropped.
    TidiesUp,
}

/// A record: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at_us: u64,
    /// Of two at the same time, the one that was entered first comes first.
    sequence: u64,
    who: u32,
    what: What,
}

/// The heap and its clock.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    now_us: u64,
}

impl Agenda {
    /// The time of the record that was taken last, or to which the clock was moved on since, in us since the seed began.
    pub(super) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Enters a record. The simulation ends if its time has passed.
    pub(super) fn enter(&mut self, at_us: u64, who: u32, what: What) {
        assert!(at_us >= self.now_us, "{what:?} of {who} at {at_us}, and it is {} already", self.now_us);
        self.sequence += 1;
        self.entries.push(Reverse(Entry { at_us, sequence: self.sequence, who, what }));
    }

    /// When the next record is due.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.entries.peek().map(|Reverse(entry)| entry.at_us)
    }

    /// Takes the next record that is due by then, and moves the clock on to its time.
    pub(super) fn take(&mut self, until_us: u64) -> Option<(u32, What)> {
        if self.next_us()? > until_us {
            return None;
        }
        let Reverse(Entry { at_us, who, what, .. }) = self.entries.pop()?;
        assert!(at_us >= self.now_us);
        self.now_us = at_us;
        Some((who, what))
    }

    /// Moves the clock on. What is due before has been taken.
    pub(super) fn move_on(&mut self, now_us: u64) {
        assert!(now_us >= self.now_us && self.next_us().is_none_or(|next_us| next_us > now_us));
        self.now_us = now_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_by_time_and_then_in_the_order_in_which_they_were_entered() {
        let mut agenda = Agenda::default();
        for (at_us, who) in [(7, 1), (5, 2), (7, 3), (6, 4), (5, 5)] {
            agenda.enter(at_us, who, What::Writes);
        }
        assert_eq!((agenda.next_us(), agenda.take(4)), (Some(5), None));
        let taken: Vec<(u64, u32)> =
            std::iter::from_fn(|| agenda.take(6).map(|(who, _)| (agenda.now_us(), who))).collect();
        assert_eq!(taken, [(5, 2), (5, 5), (6, 4)]);
        assert_eq!(
            [agenda.take(9), agenda.take(9), agenda.take(9)].map(|one| one.map(|(who, _)| who)),
            [Some(1), Some(3), None]
        );
        agenda.move_on(20);
        assert_eq!((agenda.now_us(), agenda.next_us()), (20, None));
    }

    #[test]
    #[should_panic(expected = "and it is 5 already")]
    fn what_is_entered_in_the_past_ends_the_simulation() {
        let mut agenda = Agenda::default();
        agenda.move_on(5);
        agenda.enter(5, 0, What::Writes);
        agenda.enter(4, 0, What::Writes);
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Entry>() <= 40);
    }
}
