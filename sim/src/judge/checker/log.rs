//! The log of one stream, put together from what clients were told: which unit (a JSON message, or a byte) stands at
//! which position, and which answers contradict one another.

use std::collections::{BTreeMap, BTreeSet};

use super::LogPosition;
use super::event_text::open_bytes;
use crate::judge::history::Moment;

/// The most units that a segment can hold. An offset beyond that is an error of the service, and no table of that size
/// is built.
pub(super) const ABSURD_UNITS: u64 = 1 << 22;

/// How a unit came to be known at its position. The number is an index of the history's operations or batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By the acknowledgement of an append or a creation, whose offset is the end of its own batch.
    Ack(usize),
    /// By a page that a read showed.
    Page(usize),
    /// By another message of the same batch: batches are written whole, so the rest stands beside it.
    Batch(usize),
}

/// A page that was shown, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The read, an index of the history's operations.
    pub op: usize,
    /// When the client had it.
    pub shown: Moment,
    /// Whether it was a live read.
    pub live: bool,
    /// Whether it was an event of a text.
    pub is_text: bool,
    /// Where the read asked to begin: `None` for the start of the stream.
    pub from: Option<LogPosition>,
    /// Its next offset: the position after its last unit.
    pub to: LogPosition,
    /// How many units it showed.
    pub units: u64,
    /// Whether it reached the tail.
    pub up_to_date: bool,
}

/// A batch found in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The batch, an index of the history's batches.
    pub batch: usize,
    /// The position of its first unit.
    pub start: LogPosition,
    /// The position after its last unit.
    pub end: LogPosition,
}

/// Answers that cannot all be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// Two answers put different units at one position.
    Differs {
        /// The position.
        at: LogPosition,
        /// How the first unit came to be known there.
        first: Source,
        /// How the other one did.
        then: Source,
    },
    /// A page shows a message that nobody sent to this stream.
    Foreign {
        /// Where it begins.
        at: LogPosition,
        /// The beginning of its text.
        text: String,
    },
    /// A page holds more or fewer units than lie between the offset it was asked from and its next offset.
    Length {
        /// The read.
        op: usize,
        /// Units between the offsets.
        expected: u64,
        /// Units in the body.
        found: u64,
    },
    /// A page goes on in a later segment and leaves out units that are known to stand between.
    Skips {
        /// The read.
        op: usize,
        /// The first unit that is left out.
        over: LogPosition,
    },
    /// A page whose next offset is before the one it was asked from; or an empty one whose offsets differ; or one with
    /// content whose offsets are the same.
    Motion {
        /// The read.
        op: usize,
    },
    /// An answer that lacks its next offset, or whose offset has not the published form.
    Malformed {
        /// The operation.
        op: usize,
    },
    /// An event whose text is not what the log holds there.
    Text {
        /// The live read.
        op: usize,
        /// Where the event begins.
        at: LogPosition,
        /// The beginning of the event.
        text: String,
    },
    /// An event ends inside a code point whose rest may still come, or is in the log.
    SplitsCodePoint {
        /// The live read.
        op: usize,
        /// Where the event ends.
        at: LogPosition,
    },
    /// A body that should be a JSON array and is none, or an event that should be base64 and is not.
    Unparsable {
        /// The read.
        op: usize,
    },
}

/// What is known of the log of a stream, over all incarnations at its path.
#[derive(Debug, Default)]
pub struct Log {
    /// Of each segment, its units in order: a number that stands for the unit's content, and how it came to be known.
    pub(super) segments: BTreeMap<u64, Vec<Option<(u32, Source)>>>,
    /// The pages, in the order in which they were asked for.
    pub pages: Vec<Page>,
    /// The batches that were found, in the order in which they were sent.
    pub placed: Vec<Placed>,
    /// Answers that cannot all be true.
    pub contradictions: Vec<Contradiction>,
    /// The first segment of each incarnation that was seen to begin.
    pub starts: BTreeSet<u64>,
    /// From the segment that a page began in to the later one that it ended in: both are of one incarnation.
    pub(super) hops: BTreeMap<u64, u64>,
    /// Whether there may be incarnations that are not in `starts`, because the answer to their creation was lost.
    pub(super) hidden_starts: bool,
}

impl Log {
    /// Whether two segments are sure to belong to one incarnation.
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

    /// Where a batch was found in the log.
    pub fn holds(&self, batch: usize) -> impl Iterator<Item = &Placed> {
        self.placed.iter().filter(move |placed| placed.batch == batch)
    }

    /// Whether two positions are of one segment and every unit between them is known.
    pub fn is_whole(&self, from: LogPosition, to: LogPosition) -> bool {
        let cells = self.segments.get(&from.segment).map_or(&[][..], Vec::as_slice);
        let between = cells.get(from.index as usize..to.index as usize);
        from.segment == to.segment && between.is_some_and(|cells| cells.iter().all(Option::is_some))
    }

    /// The bytes between two positions of a stream without messages, if all of them are known. Of a segment that the
    /// first one is in and the second is not, the last byte that is known counts as the last there is.
    pub(super) fn bytes(&self, from: LogPosition, to: LogPosition) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for segment in from.segment..=to.segment {
            let cells = self.segments.get(&segment).map_or(&[][..], Vec::as_slice);
            let begin = if segment == from.segment { from.index as usize } else { 0 };
            let end = if segment == to.segment { to.index as usize } else { cells.len() };
            for cell in cells.get(begin..end)? {
                bytes.push(cell.map(|(unit, _)| unit as u8)?);
            }
        }
        Some(bytes)
    }

    /// Whether the byte before a position is a CR, if that byte is known.
    pub(super) fn follows_cr(&self, at: LogPosition) -> Option<bool> {
        if at.index == 0 && self.starts.contains(&at.segment) {
            return Some(false);
        }
        let before = at.index.checked_sub(1)?;
        self.segments.get(&at.segment)?.get(before as usize)?.map(|(unit, _)| unit == u32::from(b'\r'))
    }

    /// Whether between two positions is nothing but the beginning of a code point, which readers of events are not sent
    /// before the rest of it is there.
    pub(super) fn is_held_back(&self, from: LogPosition, to: LogPosition) -> bool {
        let held = if from < to { self.bytes(from, to) } else { None };
        held.is_some_and(|bytes| !bytes.is_empty() && open_bytes(&bytes) == bytes.len())
    }

    /// Whether any unit of a segment is known.
    pub fn is_used(&self, segment: u64) -> bool {
        self.segments.get(&segment).is_some_and(|cells| cells.iter().any(Option::is_some))
    }

    /// Notes that these units stand from `start` on; the first that differs from what is known is a contradiction.
    pub(super) fn claim(&mut self, start: LogPosition, units: impl Iterator<Item = u32>, source: Source) {
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
                    differs = Some((LogPosition { segment: start.segment, index: at }, first));
                }
                Some(_) => {}
            }
        }
        if let Some((at, first)) = differs {
            self.contradictions.push(Contradiction::Differs { at, first, then: source });
        }
    }

    /// Finds pages that went on in a later segment and left out units that are known to stand between.
    pub(super) fn check_hops(&mut self) {
        let mut skips = Vec::new();
        for page in &self.pages {
            let start = match page.from {
                Some(from) if from.segment < page.to.segment => from,
                _ => continue,
            };
            let between = self.segments.range(start.segment..page.to.segment).find_map(|(segment, cells)| {
                let from = if *segment == start.segment { start.index as usize } else { 0 };
                let end = LogPosition { segment: *segment, index: cells.len() as u64 };
                if page.is_text && *segment == start.segment && self.is_held_back(start, end) {
                    // What was held back at the end of a segment comes with what follows it.
                    return None;
                }
                let index = cells.iter().enumerate().skip(from).find(|(_, cell)| cell.is_some())?.0;
                Some(LogPosition { segment: *segment, index: index as u64 })
            });
            if let Some(over) = between {
                skips.push(Contradiction::Skips { op: page.op, over });
            }
        }
        self.contradictions.extend(skips);
    }
}
