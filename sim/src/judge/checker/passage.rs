//! The events of a text that one reader was sent, and whether they are together the text of the bytes under them.

use super::LogPosition;
use super::event_text::{excerpt, mapped, mapped_after_cr, open_bytes};
use super::log::Contradiction;

/// An event of a text, or a control event without one that moves its reader.
pub(super) struct TextEvent {
    pub(super) op: usize,
    pub(super) reader: usize,
    /// Whether its reader had asked for the start of the stream.
    pub(super) is_first: bool,
    pub(super) from: LogPosition,
    pub(super) to: LogPosition,
    pub(super) text: String,
    /// Whether the stream is closed where it ends.
    pub(super) closed: bool,
}

/// Events of one reader that follow each other, over all its connections, and the bytes of the log under them.
pub(super) struct Passage<'a> {
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
    pub(super) fn new(after_cr: Option<bool>) -> Self {
        Self { events: Vec::new(), ends: Vec::new(), followed_by: Vec::new(), bytes: Vec::new(), after_cr }
    }

    /// Adds an event with the bytes under it.
    pub(super) fn push(&mut self, event: &'a TextEvent, bytes: Vec<u8>, followed_by: Option<u8>) {
        self.bytes.extend(bytes);
        self.events.push(event);
        self.ends.push(self.bytes.len());
        self.followed_by.push(followed_by);
    }

    /// Where the last event ends.
    pub(super) fn end(&self) -> Option<LogPosition> {
        self.events.last().map(|last| last.to)
    }

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
    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Events of one segment, each with its text, its bytes and the byte that was appended with them; how many of them
    /// are wrong.
    fn check(after_cr: Option<bool>, events: &[(&str, &[u8], Option<u8>)], closed: bool, expected: usize) {
        let at = |index: usize| LogPosition { segment: 0, index: index as u64 };
        let mut ends = vec![0];
        events.iter().for_each(|(_, bytes, _)| ends.push(ends.last().unwrap_or(&0) + bytes.len()));
        let text_event = |(number, (text, _, _)): (usize, &(&str, &[u8], Option<u8>))| TextEvent {
            op: number,
            reader: 0,
            is_first: false,
            from: at(ends[number]),
            to: at(ends[number + 1]),
            text: (*text).to_owned(),
            closed: closed && number + 1 == events.len(),
        };
        let texts: Vec<TextEvent> = events.iter().enumerate().map(text_event).collect();
        let mut passage = Passage::new(after_cr);
        for (event, (_, bytes, followed_by)) in texts.iter().zip(events) {
            passage.push(event, bytes.to_vec(), *followed_by);
        }
        let found = passage.contradictions();
        assert_eq!(found.len(), expected, "{events:?}: {found:?}");
    }

    #[test]
    fn the_events_are_the_text_of_all_bytes_together() {
        check(Some(false), &[("a\n", b"a\r", None), ("b", b"\nb", None)], false, 0);
        check(Some(false), &[("a\n", b"a\r", None), ("\nb", b"\nb", None)], false, 1);
        check(Some(false), &[("a\n", b"a\r", None), ("", b"\n", None), ("\n", b"\n", None)], false, 0);
        check(Some(false), &[("a", b"a", None), ("😀", "😀".as_bytes(), None)], false, 0);
        check(Some(false), &[("a", b"a", None), ("b", b"c", None)], false, 1);
        check(Some(false), &[("\u{fffd}b", b"\xe2b", None)], false, 0);
    }

    #[test]
    fn what_was_before_the_first_event_counts_where_it_is_known() {
        for (after_cr, with, without) in [(Some(true), 1, 0), (Some(false), 0, 1), (None, 0, 0)] {
            check(after_cr, &[("\nb", b"\nb", None)], false, with);
            check(after_cr, &[("b", b"\nb", None)], false, without);
        }
    }

    #[test]
    fn an_event_that_ends_inside_of_a_code_point_is_found_unless_its_rest_cannot_come() {
        let halves: &[(&str, &[u8], Option<u8>)] = &[("a\u{fffd}", b"a\xe2", None), ("\u{fffd}", b"\x82", None)];
        // The first event splits, the whole text differs, and the second one splits as well.
        check(Some(false), halves, false, 3);
        check(Some(false), &halves[..1], false, 1);
        check(Some(false), &halves[..1], true, 0);
        check(Some(false), &[("\u{fffd}", b"\xe2", Some(b'A'))], false, 0);
        check(Some(false), &[("\u{fffd}", b"\xe2", Some(0x82))], false, 1);
    }
}
