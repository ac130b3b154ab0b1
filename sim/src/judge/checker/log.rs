//! The log of one stream as the answers describe it: every unit (a JSON message, or a byte) that a page showed or an
//! acknowledgement placed, at its position, and every contradiction found on the way.

use std::collections::{BTreeMap, BTreeSet};

use super::Position;
use crate::judge::history::Moment;

/// Units that a segment may hold before its offsets are taken for nonsense.
pub(super) const ABSURD_UNITS: u64 = 1 << 22;

/// Who says what is at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An acknowledged append or creation: the answer's offset is the end of its own batch.
    Ack(usize),
    /// A page of a read.
    Page(usize),
    /// A batch is written whole: one of its messages was found, so the others are beside it.
    Batch(usize),
}

/// A page that was shown, placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The read.
    pub op: usize,
    /// When it was shown.
    pub shown: Moment,
    /// Whether a live reader was shown it.
    pub live: bool,
    /// Where the read asked to begin: `None` for the start of the stream.
    pub from: Option<Position>,
    /// Its next offset.
    pub to: Position,
    /// How many units it showed.
    pub units: u64,
    /// Whether it reached the tail.
    pub up_to_date: bool,
}

/// A batch found in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The batch.
    pub batch: usize,
    /// Its first position.
    pub start: Position,
    /// Behind its last.
    pub end: Position,
}

/// Answers that cannot all be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// Two answers put different units at one position.
    Differs {
        /// The position.
        at: Position,
        /// Who was first.
        first: Source,
        /// Who contradicts.
        then: Source,
    },
    /// A page shows what nobody sent to this stream.
    Foreign {
        /// Where.
        at: Position,
        /// An excerpt.
        text: String,
    },
    /// A page holds more or fewer units than its two offsets say.
    Length {
        /// The read.
        op: usize,
        /// By the offsets.
        expected: u64,
        /// In the body.
        found: u64,
    },
    /// A page passes from one segment to another over units that are known to lie between.
    Skips {
        /// The read.
        op: usize,
        /// A unit that is passed over.
        over: Position,
    },
    /// A page ends before it begins, or is empty and moves, or is not and does not.
    Motion {
        /// The read.
        op: usize,
    },
    /// An answer without an offset, or with one that is none.
    Malformed {
        /// The operation.
        op: usize,
    },
    /// An event whose text is not what the log holds there.
    Text {
        /// The live read.
        op: usize,
        /// Where the event begins.
        at: Position,
        /// An excerpt of the event.
        text: String,
    },
    /// An event that ends inside a code point whose rest is in the log.
    SplitsCodePoint {
        /// The live read.
        op: usize,
        /// Where the event ends.
        at: Position,
    },
    /// A body that is no array, or an event that is no base64.
    Unparsable {
        /// The read.
        op: usize,
    },
}

/// What is known of a stream's log.
#[derive(Debug, Default)]
pub struct Log {
    pub(super) segments: BTreeMap<u64, Vec<Option<(u32, Source)>>>,
    /// The pages, in the order in which they were asked for.
    pub pages: Vec<Page>,
    /// The batches, by position.
    pub placed: Vec<Placed>,
    /// What does not fit.
    pub contradictions: Vec<Contradiction>,
    /// First segments of incarnations.
    pub starts: BTreeSet<u64>,
    /// Segments that a page joined: the one it began in to the one it ended in.
    pub(super) hops: BTreeMap<u64, u64>,
    /// A creation whose answer was lost may have begun an incarnation that nobody saw begin.
    pub(super) hidden_starts: bool,
}

impl Log {
    /// Whether two segments certainly belong to one incarnation.
    pub fn same_incarnation(&self, one: u64, other: u64) -> bool {
        let (low, high) = (one.min(other), one.max(other));
        if low == high {
            return true;
        }
        if self.starts.range(low + 1..=high).next().is_some() {
            return false;
        }
        if !self.hidden_starts {
            return true;
        }
        let mut reached = low;
        while reached < high {
            match self.hops.get(&reached) {
                Some(next) => reached = *next,
                None => return false,
            }
        }
        reached == high
    }

    /// Whether a batch is known to lie in the log.
    pub fn holds(&self, batch: usize) -> impl Iterator<Item = &Placed> {
        self.placed.iter().filter(move |placed| placed.batch == batch)
    }

    /// Whether everything between two positions of one segment is known.
    pub fn is_whole(&self, from: Position, to: Position) -> bool {
        let cells = self.segments.get(&from.segment).map_or(&[][..], Vec::as_slice);
        let between = cells.get(from.index as usize..to.index as usize);
        from.segment == to.segment && between.is_some_and(|cells| cells.iter().all(Option::is_some))
    }

    /// Whether anything is known to lie in a segment.
    pub fn is_used(&self, segment: u64) -> bool {
        self.segments.get(&segment).is_some_and(|cells| cells.iter().any(Option::is_some))
    }

    pub(super) fn claim(&mut self, start: Position, units: impl Iterator<Item = u32>, source: Source) {
        let cells = self.segments.entry(start.segment).or_default();
        let mut differs = None;
        for (at, unit) in (start.index..).zip(units) {
            let Ok(place) = usize::try_from(at) else { return };
            if cells.len() <= place {
                cells.resize(place + 1, None);
            }
            match cells[place] {
                None => cells[place] = Some((unit, source)),
                Some((known, first)) if known != unit && differs.is_none() => {
                    differs = Some((Position { segment: start.segment, index: at }, first));
                }
                Some(_) => {}
            }
        }
        if let Some((at, first)) = differs {
            self.contradictions.push(Contradiction::Differs { at, first, then: source });
        }
    }

    pub(super) fn check_hops(&mut self) {
        let mut skips = Vec::new();
        for page in &self.pages {
            let behind = match page.from {
                Some(from) if from.segment < page.to.segment => from,
                _ => continue,
            };
            let between = self.segments.range(behind.segment..page.to.segment).find_map(|(segment, cells)| {
                let from = if *segment == behind.segment { behind.index as usize } else { 0 };
                let index = cells.iter().enumerate().skip(from).find(|(_, cell)| cell.is_some())?.0;
                Some(Position { segment: *segment, index: index as u64 })
            });
            if let Some(over) = between {
                skips.push(Contradiction::Skips { op: page.op, over });
            }
        }
        self.contradictions.extend(skips);
    }
}
