//! Deriving a log from the answers: what each page and each acknowledgement says is at which position.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use super::LogPosition;
use super::event_text::{excerpt, mapped};
use super::log::{ABSURD_UNITS, Contradiction, Log, Page, Placed, Source};
use super::passage::TextEvent;
use crate::judge::client::message::parse_frame;
use crate::judge::history::{Call, Content, From, History};

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
    pub(super) stream: usize,
    pub(super) units: Units<'a>,
    /// Where acknowledged batches begin.
    acknowledged: Vec<LogPosition>,
    /// Events of a text: they are compared once the log is known.
    pub(super) texts: Vec<TextEvent>,
    pub(super) log: Log,
}

impl Derivation<'_> {
    pub(super) fn object(&mut self, contradiction: Contradiction) {
        self.log.contradictions.push(contradiction);
    }

    fn position(&mut self, op: usize) -> Option<LogPosition> {
        let text =
            self.history.shown(&self.history.ops[op]).or(self.history.ops[op].definite())?.next_offset.as_deref();
        match text.and_then(LogPosition::parse) {
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
                let start = LogPosition { index, ..end };
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
            From::At(text) => match LogPosition::parse(text) {
                Some(position) => Some(position),
                None => return self.object(Contradiction::Malformed { op }),
            },
            From::Start | From::Now => None,
        };
        let now = matches!(asked.call, Call::Read { from: From::Now, .. });
        let Some(to) = self.position(op) else { return };
        // The start of a segment is the end of the one before, and is told as that. Where the segment is not there yet,
        // as for an instance that was superseded, the answer is there.
        let is_end = |from: &LogPosition| from.index == 0 && from.segment.checked_sub(1) == Some(to.segment);
        let from = from.map(|from| if is_end(&from) { to } else { from });
        let Some(units) = self.parse(op, &body) else { return };
        let found = units.len() as u64;
        let start = match from {
            Some(from) if from.segment == to.segment => from,
            Some(from) if from.segment < to.segment => LogPosition { segment: to.segment, index: 0 },
            Some(_) => return self.object(Contradiction::Motion { op }),
            None if now => to,
            None => LogPosition { segment: to.segment, index: 0 },
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
        self.log.pages.push(Page { op, shown, live: false, is_text: false, from, to, units: found, up_to_date });
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
        let at = self.position(op).unwrap_or(LogPosition { segment: 0, index: 0 });
        self.elements(op, at, text, |units, element| units.numbers.get(element.as_bytes()).copied())
    }

    /// The numbers of an array's elements.
    pub(super) fn elements(
        &mut self,
        op: usize,
        at: LogPosition,
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
            let end = LogPosition { index: start.index + units.len() as u64, ..start };
            self.log.claim(start, units.into_iter(), Source::Batch(batch));
            self.log.placed.push(Placed { batch, start, end });
        }
    }

    fn find_messages(&self) -> BTreeSet<(usize, LogPosition)> {
        let mut found = BTreeSet::new();
        for (segment, cells) in &self.log.segments {
            for (index, cell) in cells.iter().enumerate() {
                let place = cell.and_then(|(unit, _)| self.units.places.get(unit as usize));
                if let Some((batch, place)) = place {
                    // A batch whose first message would lie before the segment is torn: its claim will say so.
                    let index = index.saturating_sub(*place) as u64;
                    found.insert((*batch, LogPosition { segment: *segment, index }));
                }
            }
        }
        found
    }

    fn find_frames(&mut self) -> BTreeSet<(usize, LogPosition)> {
        let starts = self.log.segments.keys().map(|segment| LogPosition { segment: *segment, index: 0 });
        let mut anchors: BTreeSet<LogPosition> = starts.chain(self.acknowledged.iter().copied()).collect();
        let mut found = BTreeSet::new();
        let mut foreign = Vec::new();
        let mut done: BTreeSet<LogPosition> = BTreeSet::new();
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
                    if let Some(index) = anchor.index.checked_sub(before) {
                        found.insert((id.batch, LogPosition { index, ..anchor }));
                        // The batch was written whole, also where what follows is known and its rest is not.
                        let units = self.history.batches[id.batch].units(self.content);
                        anchors.insert(LogPosition { index: index + units, ..anchor });
                    } else {
                        foreign.push(Contradiction::Foreign { at: anchor, text: excerpt(&known) });
                    }
                    anchors.insert(LogPosition { index: anchor.index + length as u64, ..anchor });
                }
                None => foreign.push(Contradiction::Foreign { at: anchor, text: excerpt(&known) }),
            }
        }
        self.log.contradictions.extend(foreign);
        found
    }

    /// The known bytes from a position on, as far as a frame may reach.
    fn known_bytes(&self, from: LogPosition) -> Vec<u8> {
        let cells = self.log.segments.get(&from.segment).map_or(&[][..], Vec::as_slice);
        let known = cells.iter().skip(from.index as usize).map_while(|cell| cell.map(|(unit, _)| unit as u8));
        known.collect()
    }
}
