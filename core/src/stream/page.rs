//! Cutting a page: the same cut whether the messages come from rows or from a segment's frames.

use super::Stream;
use crate::protocol::segment::ContentKind;
use crate::protocol::{Offset, lengths};
use bytes::Bytes;

/// What a read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it starts.
    pub start: Offset,
    /// The position behind its last message: where the next read goes on.
    pub next: Offset,
    /// The bytes; in JSON mode an array of messages.
    pub body: Bytes,
    /// Whether it ends at the tail.
    pub up_to_date: bool,
    /// Whether it ends at the tail of a closed stream.
    pub closed: bool,
    /// Whether it ends inside what one append wrote.
    pub inside_append: bool,
    /// Commit time of its last message in ms; 0 where it holds none.
    pub commit_ms: u64,
}

/// The messages of a page of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageContent {
    /// The position behind the last message.
    pub next: u64,
    /// The bytes; in JSON mode an array of messages.
    pub body: Bytes,
    /// Whether it ends inside what one append wrote, as far as what was looked at tells.
    pub inside_append: bool,
    /// Commit time of the last message in ms; 0 where there is none.
    pub commit_ms: u64,
}

/// Messages whose lengths do not fit them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedMessages;

/// Messages that stand together: a row of the log, or a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages<'a> {
    /// The first position.
    pub(super) first: u64,
    /// How many messages there are; 1 in byte content.
    pub(super) count: u64,
    /// Their packed lengths, where there are several.
    pub(super) lengths: &'a [u8],
    /// The bytes, or the messages with a comma between any two.
    pub(super) body: &'a [u8],
    /// Commit time of their append.
    pub(super) commit_ms: u64,
}

/// Collects a page from the messages of one segment, which come in order.
#[derive(Debug)]
pub(super) struct PageBuilder {
    kind: ContentKind,
    page_bytes: usize,
    /// The position behind what was taken.
    pub(super) next: u64,
    body: Vec<u8>,
    is_full: bool,
    /// Commit time of what was taken last.
    commit_ms: u64,
    inside_append: bool,
}

impl PageBuilder {
    /// An empty page at a position.
    pub(super) fn new(kind: ContentKind, page_bytes: usize, position: u64) -> Self {
        // An array's bracket comes first, so that nothing has to be moved at the end.
        let body = if kind == ContentKind::Json { vec![b'['] } else { Vec::new() };
        Self { kind, page_bytes, next: position, body, is_full: false, commit_ms: 0, inside_append: false }
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether a message of more than so many bytes would find no room behind what was taken.
    pub(super) fn refuses(&self, bytes: usize) -> bool {
        self.kind == ContentKind::Json && self.is_started() && !self.fits(bytes)
    }

    /// Takes what fits of messages that end behind `next`.
    pub(super) fn push(&mut self, messages: &Messages<'_>) -> Result<(), MalformedMessages> {
        let skip = self.next.checked_sub(messages.first).ok_or(MalformedMessages)?;
        let (next, length) = (self.next, self.body.len());
        let taken = match self.kind {
            ContentKind::Bytes => self.bytes(messages, skip)?,
            ContentKind::Json => self.json(messages, skip)?,
        };
        match taken {
            Taken::All => self.commit_ms = messages.commit_ms,
            Taken::Some => (self.commit_ms, self.inside_append) = (messages.commit_ms, true),
            Taken::None => self.inside_append = messages.commit_ms == self.commit_ms,
        }
        self.is_full = !matches!(taken, Taken::All);
        let (positions, bytes) = (self.next - next, self.body.len() - length);
        // The other way round holds of what we store, and not of whatever a frame may claim.
        debug_assert!(positions > 0 || bytes == 0, "no bytes without a position");
        debug_assert!(self.kind == ContentKind::Json || positions == bytes as u64, "a byte is a position");
        Ok(())
    }

    fn bytes(&mut self, messages: &Messages<'_>, skip: u64) -> Result<Taken, MalformedMessages> {
        let wanted = messages.body.get(skip as usize..).unwrap_or_default();
        let room = self.page_bytes.saturating_sub(self.body.len());
        let taken = wanted.get(..room).unwrap_or(wanted);
        self.next = self.next.checked_add(taken.len() as u64).ok_or(MalformedMessages)?;
        self.body.extend_from_slice(taken);
        Ok(match taken.len() {
            0 => Taken::None,
            length if length == wanted.len() => Taken::All,
            _ => Taken::Some,
        })
    }

    fn json(&mut self, messages: &Messages<'_>, skip: u64) -> Result<Taken, MalformedMessages> {
        let whole = skip == 0 && self.fits(messages.body.len());
        let (from, bytes, count) = match whole || messages.count == 1 {
            // Where all of them are taken, nobody needs to know where one ends; one is taken whole or not at all.
            true if whole || !self.is_started() => (0, messages.body.len(), messages.count),
            true => return Ok(Taken::None),
            false => self.cut(messages, skip)?,
        };
        if count == 0 {
            return Ok(Taken::None);
        }
        let wanted = messages.body.get(from..from + bytes).ok_or(MalformedMessages)?;
        self.next = self.next.checked_add(count).ok_or(MalformedMessages)?;
        if self.is_started() {
            self.body.push(b',');
        }
        self.body.extend_from_slice(wanted);
        Ok(if skip + count == messages.count { Taken::All } else { Taken::Some })
    }

    /// Where the messages behind the first `skip` begin, how many of them fit, and their bytes.
    fn cut(&self, messages: &Messages<'_>, skip: u64) -> Result<(usize, usize, u64), MalformedMessages> {
        let lengths = lengths::unpack(messages.lengths).map_err(|_| MalformedMessages)?;
        if lengths.len() as u64 != messages.count {
            return Err(MalformedMessages);
        }
        let from = lengths.iter().take(skip as usize).map(|length| *length as usize + 1).sum();
        let (mut bytes, mut count) = (0_usize, 0_u64);
        for length in lengths.iter().skip(skip as usize) {
            let more = bytes + usize::from(count > 0) + *length as usize;
            // A page holds at least one message.
            if !self.fits(more) && (self.is_started() || count > 0) {
                break;
            }
            (bytes, count) = (more, count + 1);
        }
        Ok((from, bytes, count))
    }

    /// Whether so many bytes of messages fit behind those that are there.
    fn fits(&self, bytes: usize) -> bool {
        let comma = usize::from(self.is_started());
        // The bracket does not count.
        self.body.len() - 1 + comma + bytes <= self.page_bytes
    }

    fn is_started(&self) -> bool {
        self.body.len() > 1
    }

    /// What was collected.
    pub(super) fn finish(mut self) -> PageContent {
        if self.kind == ContentKind::Json {
            self.body.push(b']');
        }
        PageContent {
            next: self.next,
            body: self.body.into(),
            inside_append: self.inside_append,
            commit_ms: self.commit_ms,
        }
    }
}

impl Stream {
    /// What the stream's positions count.
    pub fn kind(&self) -> ContentKind {
        if self.content_type.is_json() { ContentKind::Json } else { ContentKind::Bytes }
    }

    /// A page that was asked for from `start` on, of messages of a segment.
    pub(super) fn page(&self, start: Offset, read_seq: u64, content: PageContent) -> Page {
        let next = Offset { read_seq, position: content.next };
        let up_to_date = next == self.tail.offset;
        Page {
            start,
            next,
            body: content.body,
            up_to_date,
            closed: up_to_date && self.tail.closed,
            inside_append: content.inside_append,
            commit_ms: content.commit_ms,
        }
    }
}

/// How much of some messages a page took.
enum Taken {
    All,
    Some,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of messages, a page's size and start; what the page holds and where it ends.
    fn check(kind: ContentKind, rows: &[&[&str]], page_bytes: usize, position: u64, body: &str, next: u64) {
        let mut page = PageBuilder::new(kind, page_bytes, position);
        let (mut first, mut ends) = (0, Vec::new());
        for (commit_ms, row) in (1..).zip(rows) {
            let joined = row.join(if kind == ContentKind::Json { "," } else { "" });
            let packed = match row {
                [_] => Vec::new(),
                _ => lengths::pack(&row.iter().map(|message| message.len() as u32).collect::<Vec<_>>()),
            };
            let count = if kind == ContentKind::Json { row.len() as u64 } else { 1 };
            let messages = Messages { first, count, lengths: &packed, body: joined.as_bytes(), commit_ms };
            first += if kind == ContentKind::Json { count } else { joined.len() as u64 };
            ends.push((first, commit_ms));
            if first > page.next && !page.is_full() {
                page.push(&messages).expect("messages that fit their lengths");
            }
        }
        let content = page.finish();
        assert_eq!((content.body, content.next), (Bytes::from(body.to_owned()), next), "{rows:?} {page_bytes}");
        // The time of the row that holds the last message, whether the page took all of that row or not.
        let last = ends.iter().find(|(end, _)| *end >= next).map(|(_, commit_ms)| *commit_ms);
        let commit_ms = if next > position { last } else { None };
        assert_eq!(content.commit_ms, commit_ms.unwrap_or(0), "{rows:?} {page_bytes}");
    }

    #[test]
    fn bytes_are_cut_anywhere() {
        let rows: &[&[&str]] = &[&["abc"], &["defg"]];
        for (page_bytes, position, body, next) in
            [(100, 0, "abcdefg", 7), (3, 0, "abc", 3), (4, 0, "abcd", 4), (2, 1, "bc", 3), (9, 5, "fg", 7)]
        {
            check(ContentKind::Bytes, rows, page_bytes, position, body, next);
        }
    }

    #[test]
    fn messages_are_taken_whole_and_at_least_one() {
        let rows: &[&[&str]] = &[&["1", "22"], &["333"], &["4", "5", "6"]];
        for (page_bytes, position, body, next) in [
            (100, 0, "[1,22,333,4,5,6]", 6),
            (1, 0, "[1]", 1),
            (1, 1, "[22]", 2),
            (4, 0, "[1,22]", 2),
            (7, 0, "[1,22]", 2),
            (8, 0, "[1,22,333]", 3),
            (10, 0, "[1,22,333,4]", 4),
            (1, 2, "[333]", 3),
            (5, 2, "[333,4]", 4),
            (3, 4, "[5,6]", 6),
            (1, 6, "[]", 6),
        ] {
            check(ContentKind::Json, rows, page_bytes, position, body, next);
        }
    }

    #[test]
    fn lengths_that_do_not_fit_the_messages_are_an_error() {
        let good = Messages { first: 0, count: 2, lengths: &[1, 2], body: b"1,22", commit_ms: 1 };
        for wrong in [
            Messages { count: 3, ..good },
            Messages { lengths: &[1], ..good },
            Messages { lengths: &[0x80], ..good },
            Messages { lengths: &[9, 9], ..good },
            Messages { first: 2, ..good },
        ] {
            let mut page = PageBuilder::new(ContentKind::Json, 1, 1);
            assert_eq!(page.push(&wrong), Err(MalformedMessages), "{wrong:?}");
        }
    }
}
