//! What live readers were sent, placed in the log of the stream.

use std::collections::BTreeMap;

use super::LogPosition;
use super::derivation::Derivation;
use super::event_text::{base64, open_bytes};
use super::log::{ABSURD_UNITS, Contradiction, Page, Source};
use super::passage::{Passage, TextEvent};
use crate::judge::history::{Arrival, Content, From, Op, Payload};

/// What an arrival holds.
enum Shown {
    Units(Vec<u32>),
    /// The event of a text: its bytes are not known from it.
    Text(String),
}

impl Derivation<'_> {
    pub(super) fn arrival(&mut self, arrival: &Arrival<'_>) {
        let op = arrival.op;
        let position = |text: &str| LogPosition::parse(text).filter(|position| position.index <= ABSURD_UNITS);
        let Some(to) = arrival.next_offset.and_then(position) else {
            return self.object(Contradiction::Malformed { op });
        };
        let from = match &arrival.from {
            From::At(text) => match position(text) {
                Some(position) => Some(position),
                None => return self.object(Contradiction::Malformed { op }),
            },
            From::Start | From::Now => None,
        };
        let Some(shown) = self.shown(arrival, to, from) else { return };
        let found = match &shown {
            Shown::Units(units) => Some(units.len() as u64),
            Shown::Text(_) => None,
        };
        let start = match (from, found) {
            (Some(from), _) if from.segment == to.segment => from,
            (Some(from), _) if from.segment > to.segment => return self.object(Contradiction::Motion { op }),
            (None, Some(found)) if arrival.from == From::Now => match to.index.checked_sub(found) {
                Some(index) => LogPosition { index, ..to },
                None => return self.object(Contradiction::Motion { op }),
            },
            // Where a reader that began at the tail had stood is told by nothing else.
            (None, None) if arrival.from == From::Now => return,
            _ => LogPosition { segment: to.segment, index: 0 },
        };
        let Some(expected) = to.index.checked_sub(start.index) else {
            return self.object(Contradiction::Motion { op });
        };
        if let Some(found) = found.filter(|found| *found != expected) {
            return self.object(Contradiction::Length { op, expected, found });
        }
        let is_body = matches!(arrival.payload, Payload::Body(_));
        if expected == 0 && (is_body || from.is_some_and(|from| from != to)) {
            self.object(Contradiction::Motion { op });
        }
        match from {
            None if arrival.from == From::Start => {
                self.log.starts.insert(to.segment);
            }
            Some(from) if from.segment < to.segment => {
                self.log.hops.insert(from.segment, to.segment);
            }
            _ => {}
        }
        match shown {
            Shown::Units(units) => self.log.claim(start, units.into_iter(), Source::Page(op)),
            Shown::Text(text) => self.texts.push(TextEvent {
                op,
                reader: arrival.reader,
                is_first: arrival.from == From::Start,
                from: from.unwrap_or(start),
                to,
                text,
                closed: arrival.closed || arrival.is_cut_short && self.is_closed_at(to),
            }),
        }
        let (shown, up_to_date) = (arrival.at, arrival.up_to_date);
        let from = if arrival.from == From::Now { Some(start) } else { from };
        let is_text = found.is_none();
        self.log.pages.push(Page { op, shown, live: true, is_text, from, to, units: expected, up_to_date });
    }

    fn shown(&mut self, arrival: &Arrival<'_>, to: LogPosition, from: Option<LogPosition>) -> Option<Shown> {
        let op = arrival.op;
        let units = match (arrival.payload, self.content) {
            // The LF of a CRLF whose CR the reader has had is no text.
            (Payload::Empty, Content::Text) if from.is_some_and(|from| from != to) => {
                return Some(Shown::Text(String::new()));
            }
            (Payload::Empty, _) => Vec::new(),
            (Payload::Body(body), _) => self.parse(op, body)?,
            (Payload::Text(text), Content::Json) => {
                self.elements(op, to, text, |units, element| units.mapped.get(element).copied())?
            }
            (Payload::Text(text), Content::Bytes) => match base64(text) {
                Some(bytes) => bytes.into_iter().map(u32::from).collect(),
                None => {
                    self.object(Contradiction::Unparsable { op });
                    return None;
                }
            },
            (Payload::Text(text), Content::Text) => return Some(Shown::Text(text.to_owned())),
        };
        Some(Shown::Units(units))
    }

    /// Holds the events of a text against the log, as far as that is known: the whole text that a reader was sent, over
    /// all its connections.
    pub(super) fn compare_texts(&mut self) {
        let texts = std::mem::take(&mut self.texts);
        let mut of_readers: BTreeMap<usize, Vec<&TextEvent>> = BTreeMap::new();
        for event in &texts {
            of_readers.entry(event.reader).or_default().push(event);
        }
        for events in of_readers.values() {
            let mut passage: Option<Passage<'_>> = None;
            for event in events {
                let follows = passage.as_ref().and_then(Passage::end);
                let known = self.log.bytes(event.from, event.to);
                if follows != Some(event.from) || known.is_none() {
                    self.compare(passage.take());
                }
                let Some(known) = known else { continue };
                let passage = passage.get_or_insert_with(|| {
                    Passage::new(if event.is_first { Some(false) } else { self.log.follows_cr(event.from) })
                });
                let followed_by = if open_bytes(&known) > 0 { self.appended_with(event.to) } else { None };
                passage.push(event, known, followed_by);
            }
            self.compare(passage);
        }
    }

    /// Whether anybody was told that the stream is closed at a position.
    fn is_closed_at(&self, at: LogPosition) -> bool {
        let told = |(_, op): (usize, &Op)| {
            let answer = op.definite().filter(|answer| answer.closed)?;
            answer.next_offset.as_deref().and_then(LogPosition::parse)
        };
        self.history.of_stream(self.stream).filter_map(told).any(|closed| closed == at)
    }

    /// The byte at a position, if it is known and may have been appended together with the one before it: no append is
    /// known to begin or to end there. One whose answer was lost has no known place where its beginning was read as
    /// events alone.
    fn appended_with(&self, at: LogPosition) -> Option<u8> {
        let apart = self.log.placed.iter().any(|placed| placed.start == at || at == placed.end);
        let after = LogPosition { index: at.index + 1, ..at };
        if apart { None } else { self.log.bytes(at, after)?.first().copied() }
    }

    fn compare(&mut self, passage: Option<Passage<'_>>) {
        passage.iter().flat_map(Passage::contradictions).for_each(|contradiction| self.object(contradiction));
    }
}
