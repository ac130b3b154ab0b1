//! What live readers were sent, placed in the log of the stream.

use super::LogPosition;
use super::derivation::{Derivation, excerpt};
use super::event_text::{base64, mapped, splits_code_point};
use super::log::{ABSURD_UNITS, Contradiction, Page, Source};
use crate::judge::history::{Arrival, Content, From, Payload};

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
        let Some(shown) = self.shown(arrival, to) else { return };
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
            Shown::Text(text) => self.texts.push((op, start, to, text)),
        }
        let (shown, up_to_date) = (arrival.at, arrival.up_to_date);
        let from = if arrival.from == From::Now { Some(start) } else { from };
        self.log.pages.push(Page { op, shown, live: true, from, to, units: expected, up_to_date });
    }

    fn shown(&mut self, arrival: &Arrival<'_>, to: LogPosition) -> Option<Shown> {
        let op = arrival.op;
        let units = match (arrival.payload, self.content) {
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

    /// Holds the events of a text against the log, where that is known.
    pub(super) fn compare_texts(&mut self) {
        for (op, start, end, text) in std::mem::take(&mut self.texts) {
            let Some(bytes) = self.known(start, end) else { continue };
            if mapped(&bytes) != text {
                self.object(Contradiction::Text { op, at: start, text: excerpt(text.as_bytes()) });
            }
            let inside = self.log.placed.iter().find(|placed| placed.start < end && end < placed.end).copied();
            let split = inside.and_then(|placed| {
                let bytes = self.known(placed.start, placed.end)?;
                Some(splits_code_point(&bytes, (end.index - placed.start.index) as usize))
            });
            if split == Some(true) {
                self.object(Contradiction::SplitsCodePoint { op, at: end });
            }
        }
    }

    /// The bytes between two positions, if all of them are known.
    fn known(&self, start: LogPosition, end: LogPosition) -> Option<Vec<u8>> {
        let cells = self.log.segments.get(&start.segment)?;
        let between = cells.get(start.index as usize..end.index as usize)?;
        between.iter().map(|cell| cell.map(|(unit, _)| unit as u8)).collect()
    }
}
