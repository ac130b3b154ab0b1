//! The log of one stream as the answers describe it: every unit (a JSON message, or a byte) that a page showed or an
//! acknowledgement placed, at its position, and every contradiction found on the way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::Position;
use super::event_text::mapped;
use crate::client::message::parse_frame;
use crate::history::{Call, Content, From, History, Moment};

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
    hidden_starts: bool,
}

impl Log {
    /// Reads one stream's history.
    pub fn derive(history: &History, stream: usize) -> Self {
        let content = history.streams.get(stream).map_or(Content::Bytes, |info| info.content);
        let units = Units::index(history, stream);
        let log = Self::default();
        let mut making =
            Derivation { history, content, stream, units, acknowledged: Vec::new(), texts: Vec::new(), log };
        for (index, op) in history.of_stream(stream) {
            match op.call {
                Call::Read { .. } => making.page(index),
                Call::Live { .. } => {}
                _ => making.acknowledgement(index),
            }
        }
        for arrival in history.arrivals(stream) {
            making.arrival(&arrival);
        }
        making.find_batches();
        making.compare_texts();
        let mut log = making.log;
        log.check_hops();
        log
    }

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

    fn check_hops(&mut self) {
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

/// Numbers for the units of one stream.
#[derive(Default)]
pub(super) struct Units<'a> {
    /// Each batch's first message number.
    first: HashMap<usize, u32>,
    /// Each message's number, by its bytes.
    numbers: HashMap<&'a [u8], u32>,
    /// The same, by what it looks like in an event.
    pub(super) mapped: HashMap<String, u32>,
    /// Each number's batch and place in it.
    places: Vec<(usize, usize)>,
}

impl<'a> Units<'a> {
    fn index(history: &'a History, stream: usize) -> Self {
        let mut units = Self::default();
        for (number, batch) in history.batches.iter().enumerate().filter(|(_, batch)| batch.stream == stream) {
            units.first.insert(number, units.places.len() as u32);
            for (place, message) in batch.messages.iter().enumerate() {
                units.numbers.insert(message, units.places.len() as u32);
                units.mapped.insert(mapped(message), units.places.len() as u32);
                units.places.push((number, place));
            }
        }
        units
    }
}

/// A log in the making.
pub(super) struct Derivation<'a> {
    pub(super) history: &'a History,
    pub(super) content: Content,
    stream: usize,
    pub(super) units: Units<'a>,
    /// Where acknowledged batches begin.
    acknowledged: Vec<Position>,
    /// Events of a text, each with where it begins and ends: they are compared once the log is known.
    pub(super) texts: Vec<(usize, Position, Position, String)>,
    pub(super) log: Log,
}

impl Derivation<'_> {
    pub(super) fn object(&mut self, contradiction: Contradiction) {
        self.log.contradictions.push(contradiction);
    }

    fn position(&mut self, op: usize) -> Option<Position> {
        let text =
            self.history.shown(&self.history.ops[op]).or(self.history.ops[op].definite())?.next_offset.as_deref();
        match text.and_then(Position::parse) {
            Some(position) if position.index <= ABSURD_UNITS => Some(position),
            _ => {
                self.object(Contradiction::Malformed { op });
                None
            }
        }
    }

    fn batch_units(&self, batch: usize) -> Vec<u32> {
        let messages = &self.history.batches[batch].messages;
        match (self.content, self.units.first.get(&batch)) {
            (Content::Json, Some(first)) => (0..messages.len() as u32).map(|place| first + place).collect(),
            (Content::Json, None) => Vec::new(),
            (Content::Bytes | Content::Text, _) => messages.iter().flatten().map(|byte| u32::from(*byte)).collect(),
        }
    }

    fn acknowledgement(&mut self, op: usize) {
        let asked = &self.history.ops[op];
        let creates = matches!(asked.call, Call::Create { .. });
        if creates && asked.definite().is_none() {
            self.log.hidden_starts = true;
        }
        let created = creates && asked.status() == Some(201);
        if !created && !self.history.appended(asked) {
            return;
        }
        let batch = asked.batch();
        let Some(end) = self.position(op) else { return };
        if created {
            self.log.starts.insert(end.segment);
        }
        let Some(batch) = batch else { return };
        let units = self.batch_units(batch);
        match end.index.checked_sub(units.len() as u64) {
            Some(index) => {
                let start = Position { index, ..end };
                self.acknowledged.push(start);
                self.log.claim(start, units.into_iter(), Source::Ack(op));
            }
            None => self.object(Contradiction::Motion { op }),
        }
    }

    fn page(&mut self, op: usize) {
        let asked = &self.history.ops[op];
        let Some(shown) = self.history.shown(asked) else { return };
        let (body, up_to_date) = (shown.body.clone(), shown.up_to_date);
        let Call::Read { from, .. } = &asked.call else { return };
        let from = match from {
            From::At(text) => match Position::parse(text) {
                Some(position) => Some(position),
                None => return self.object(Contradiction::Malformed { op }),
            },
            From::Start | From::Now => None,
        };
        let now = matches!(asked.call, Call::Read { from: From::Now, .. });
        let Some(to) = self.position(op) else { return };
        let Some(units) = self.parse(op, &body) else { return };
        let found = units.len() as u64;
        let start = match from {
            Some(from) if from.segment == to.segment => from,
            Some(from) if from.segment < to.segment => Position { segment: to.segment, index: 0 },
            Some(_) => return self.object(Contradiction::Motion { op }),
            None if now => to,
            None => Position { segment: to.segment, index: 0 },
        };
        let expected = match to.index.checked_sub(start.index) {
            Some(expected) => expected,
            None => return self.object(Contradiction::Motion { op }),
        };
        if expected != found {
            return self.object(Contradiction::Length { op, expected, found });
        }
        // A page that ends before the tail moves on; an empty one stands where it was asked for.
        let moved = from.is_some_and(|from| from != to) || (from.is_none() && !now && to.index > 0);
        if found == 0 && (moved || !up_to_date) {
            self.object(Contradiction::Motion { op });
        }
        match from {
            None if !now => {
                self.log.starts.insert(to.segment);
            }
            Some(from) if from.segment < to.segment => {
                self.log.hops.insert(from.segment, to.segment);
            }
            _ => {}
        }
        if !now {
            self.log.claim(start, units.into_iter(), Source::Page(op));
        }
        let from = if now { Some(to) } else { from };
        let shown = asked.ended.unwrap_or(asked.settled());
        self.log.pages.push(Page { op, shown, live: false, from, to, units: found, up_to_date });
    }

    /// The units of a body. What nobody sent is objected to and gets a number of its own.
    pub(super) fn parse(&mut self, op: usize, body: &Bytes) -> Option<Vec<u32>> {
        if self.content != Content::Json {
            return Some(body.iter().map(|byte| u32::from(*byte)).collect());
        }
        let Some(text) = std::str::from_utf8(body).ok() else {
            self.object(Contradiction::Unparsable { op });
            return None;
        };
        let at = self.position(op).unwrap_or(Position { segment: 0, index: 0 });
        self.elements(op, at, text, |units, element| units.numbers.get(element.as_bytes()).copied())
    }

    /// The numbers of an array's elements.
    pub(super) fn elements(
        &mut self,
        op: usize,
        at: Position,
        text: &str,
        number: impl Fn(&Units<'_>, &str) -> Option<u32>,
    ) -> Option<Vec<u32>> {
        let elements: Vec<&serde_json::value::RawValue> = match serde_json::from_str(text) {
            Ok(elements) => elements,
            Err(_) => {
                self.object(Contradiction::Unparsable { op });
                return None;
            }
        };
        let mut units = Vec::with_capacity(elements.len());
        for element in elements {
            let number = number(&self.units, element.get());
            if number.is_none() {
                self.object(Contradiction::Foreign { at, text: excerpt(element.get().as_bytes()) });
            }
            units.push(number.unwrap_or(u32::MAX));
        }
        Some(units)
    }

    fn find_batches(&mut self) {
        let found = match self.content {
            Content::Json => self.find_messages(),
            Content::Bytes | Content::Text => self.find_frames(),
        };
        for (batch, start) in found {
            let units = self.batch_units(batch);
            let end = Position { index: start.index + units.len() as u64, ..start };
            self.log.claim(start, units.into_iter(), Source::Batch(batch));
            self.log.placed.push(Placed { batch, start, end });
        }
    }

    fn find_messages(&self) -> BTreeSet<(usize, Position)> {
        let mut found = BTreeSet::new();
        for (segment, cells) in &self.log.segments {
            for (index, cell) in cells.iter().enumerate() {
                let place = cell.and_then(|(unit, _)| self.units.places.get(unit as usize));
                if let Some((batch, place)) = place {
                    // A batch whose first message would lie before the segment is torn: its claim will say so.
                    let index = index.saturating_sub(*place) as u64;
                    found.insert((*batch, Position { segment: *segment, index }));
                }
            }
        }
        found
    }

    fn find_frames(&mut self) -> BTreeSet<(usize, Position)> {
        let starts = self.log.segments.keys().map(|segment| Position { segment: *segment, index: 0 });
        let mut anchors: BTreeSet<Position> = starts.chain(self.acknowledged.iter().copied()).collect();
        let mut found = BTreeSet::new();
        let mut foreign = Vec::new();
        let mut done: BTreeSet<Position> = BTreeSet::new();
        while let Some(anchor) = anchors.pop_first() {
            if !done.insert(anchor) {
                continue;
            }
            let known = self.known_bytes(anchor);
            if !known.contains(&b'>') && known.len() < 80 {
                continue;
            }
            let frame = parse_frame(&known).filter(|(id, length)| {
                let sent = self.history.batches.get(id.batch).and_then(|batch| batch.messages.get(id.index));
                let fits = sent
                    .is_some_and(|sent| sent.len() == *length && sent.starts_with(&known[..known.len().min(*length)]));
                id.stream == self.stream && fits
            });
            match frame {
                Some((id, length)) => {
                    let before: u64 = self.history.batches[id.batch]
                        .messages
                        .iter()
                        .take(id.index)
                        .map(|message| message.len() as u64)
                        .sum();
                    if before <= anchor.index {
                        found.insert((id.batch, Position { index: anchor.index - before, ..anchor }));
                    } else {
                        foreign.push(Contradiction::Foreign { at: anchor, text: excerpt(&known) });
                    }
                    anchors.insert(Position { index: anchor.index + length as u64, ..anchor });
                }
                None => foreign.push(Contradiction::Foreign { at: anchor, text: excerpt(&known) }),
            }
        }
        self.log.contradictions.extend(foreign);
        found
    }

    /// The known bytes from a position on, as far as a frame may reach.
    fn known_bytes(&self, from: Position) -> Vec<u8> {
        let cells = self.log.segments.get(&from.segment).map_or(&[][..], Vec::as_slice);
        let known = cells.iter().skip(from.index as usize).map_while(|cell| cell.map(|(unit, _)| unit as u8));
        known.collect()
    }
}

pub(super) fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
}
