//! What live readers were sent, placed in the log of the stream.

use std::collections::BTreeMap;

use super::LogPosition;
use super::derivation::{Derivation, excerpt};
use super::event_text::{base64, mapped, mapped_after_cr, open_bytes};
use super::log::{ABSURD_UNITS, Contradiction, Page, Source};
use crate::judge::history::{Arrival, Content, From, Op, Payload};

/// What an arrival holds.
enum Shown {
    Units(Vec<u32>),
    /// The event of a text: its bytes are not known from it.
    Text(String),
}

/// An event of a text, or a control event without one that moves its reader.
pub(super) struct TextEvent {
    op: usize,
    reader: usize,
    /// Whether its reader had asked for the start of the stream.
    is_first: bool,
    from: LogPosition,
    to: LogPosition,
    text: String,
    /// Whether the stream is closed where it ends.
    closed: bool,
}

/// Events of one reader that follow each other, over all its connections, and the bytes of the log under them.
struct Passage<'a> {
    events: Vec<&'a TextEvent>,
    /// Of each event, where its bytes end.
    ends: Vec<usize>,
    /// Of each event, the byte after it, if both were appended together: then it was there when the event was sent.
    followed_by: Vec<Option<u8>>,
    bytes: Vec<u8>,
    /// What stands in the log before the first event: whether that is a CR; `None` if it is not known.
    after_cr: Option<bool>,
}

impl<'a> Passage<'a> {
    /// Whether the events up to this one, all together, hold the text of the bytes under them.
    fn fits(&self, events: usize) -> bool {
        let text: String = self.events[..events].iter().map(|event| event.text.as_str()).collect();
        let bytes = &self.bytes[..events.checked_sub(1).map_or(0, |last| self.ends[last])];
        match self.after_cr {
            Some(true) => text == mapped_after_cr(bytes),
            Some(false) => text == mapped(bytes),
            None => text == mapped(bytes) || text == mapped_after_cr(bytes),
        }
    }

    /// What is wrong with the text of the whole: the first event that differs, and every one that ends inside of a code
    /// point whose rest may still come.
    fn contradictions(&self) -> Vec<Contradiction> {
        let splits = |(index, event): (usize, &&'a TextEvent)| {
            let bytes = &self.bytes[..self.ends[index]];
            let open = &bytes[bytes.len() - open_bytes(bytes)..];
            let is_split = !open.is_empty() && !event.closed && may_go_on(open, self.followed_by[index]);
            is_split.then_some(Contradiction::SplitsCodePoint { op: event.op, at: event.to })
        };
        let mut found: Vec<Contradiction> = self.events.iter().enumerate().filter_map(splits).collect();
        if !self.fits(self.events.len()) {
            let differs = (1..=self.events.len()).find(|events| !self.fits(*events)).unwrap_or(1);
            let event = self.events[differs - 1];
            let text = excerpt(event.text.as_bytes());
            found.push(Contradiction::Text { op: event.op, at: event.from, text });
        }
        found
    }
}

/// Whether the beginning of a code point may become one with what follows it, if that is known.
fn may_go_on(open: &[u8], followed_by: Option<u8>) -> bool {
    let Some(next) = followed_by else { return true };
    let more = [open, &[next]].concat();
    std::str::from_utf8(&more).map_or_else(|error| error.error_len().is_none(), |_| true)
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
                let follows = passage.as_ref().and_then(|passage| passage.events.last()).map(|last| last.to);
                let known = self.log.bytes(event.from, event.to);
                if follows != Some(event.from) || known.is_none() {
                    self.compare(passage.take());
                }
                let Some(known) = known else { continue };
                let passage = passage.get_or_insert_with(|| Passage {
                    events: Vec::new(),
                    ends: Vec::new(),
                    followed_by: Vec::new(),
                    bytes: Vec::new(),
                    after_cr: if event.is_first { Some(false) } else { self.log.follows_cr(event.from) },
                });
                passage.bytes.extend(known);
                passage.events.push(event);
                passage.ends.push(passage.bytes.len());
                passage.followed_by.push(self.appended_with(event.to));
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

    /// The byte at a position, if it is known and was appended together with the one before it.
    fn appended_with(&self, at: LogPosition) -> Option<u8> {
        let together = self.log.placed.iter().any(|placed| placed.start < at && at < placed.end);
        let after = LogPosition { index: at.index + 1, ..at };
        if together { self.log.bytes(at, after)?.first().copied() } else { None }
    }

    fn compare(&mut self, passage: Option<Passage<'_>>) {
        passage.iter().flat_map(Passage::contradictions).for_each(|contradiction| self.object(contradiction));
    }
}
