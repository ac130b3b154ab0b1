//! Building a page from messages: in the same way from rows of the log and from frames of a segment in R2.

use super::Stream;
use crate::protocol::segment::ContentKind;
use crate::protocol::{Offset, lengths};
use bytes::Bytes;

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its start, as the read asked for it.
    pub start: Offset,
    /// Its end (exclusive): where the next read goes on.
    pub next: Offset,
    /// The bytes; in JSON mode an array of messages.
    pub body: Bytes,
    /// Whether it ends at the tail.
    pub up_to_date: bool,
    /// Whether it ends at the tail of a closed stream.
    pub closed: bool,
    /// Whether it ends between two messages, or bytes, of one append.
    pub inside_append: bool,
    /// Commit time of its last message in ms; 0 if it is empty.
    pub commit_ms: u64,
}

/// The messages of a page of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageContent {
    /// The end position (exclusive).
    pub next: u64,
    /// The bytes; in JSON mode an array of messages.
    pub body: Bytes,
    /// Whether it ends between two messages, or bytes, of one append, as far as the messages that were looked at tell.
    pub inside_append: bool,
    /// Commit time of the last message in ms; 0 if there is none.
    pub commit_ms: u64,
}

/// The lengths of messages that are stored together do not add up to their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedMessages;

/// Messages that are stored together: those of a row of the log, or of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages<'a> {
    /// The first position.
    pub(super) first: u64,
    /// How many messages there are; 1 in byte content.
    pub(super) count: u64,
    /// Their packed lengths if there are several.
    pub(super) lengths: &'a [u8],
    /// The bytes, or the messages with a comma between any two. Several pieces
    /// together are one message.
    pub(super) body: &'a [Bytes],
    /// Commit time of their append.
    pub(super) commit_ms: u64,
}

impl Messages<'_> {
    fn body_bytes(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}

/// Collects a page from the messages of one segment, which come in order.
///
/// Bytes are copied once, when the page is complete and its pieces are joined. A single piece is not copied.
#[derive(Debug)]
pub(super) struct PageBuilder {
    kind: ContentKind,
    page_bytes: usize,
    /// The end position of what was taken (exclusive).
    pub(super) next: u64,
    /// What was taken, in order. Each piece shares the memory of its row or frame.
    pieces: Vec<Bytes>,
    /// Bytes of the pieces together.
    taken_bytes: usize,
    is_full: bool,
    /// Commit time of what was taken last.
    commit_ms: u64,
    inside_append: bool,
}

impl PageBuilder {
    /// An empty page at a position.
    pub(super) fn new(kind: ContentKind, page_bytes: usize, position: u64) -> Self {
        Self {
            kind,
            page_bytes,
            next: position,
            pieces: Vec::new(),
            taken_bytes: 0,
            is_full: false,
            commit_ms: 0,
            inside_append: false,
        }
    }

    /// Whether something did not fit: the page is complete.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many more bytes it has room for.
    pub(super) fn room(&self) -> usize {
        self.page_bytes.saturating_sub(self.taken_bytes)
    }

    /// Whether a message of at least so many bytes would not fit after what was taken.
    pub(super) fn refuses(&self, bytes: usize) -> bool {
        self.kind == ContentKind::Json && self.is_started() && !self.fits(bytes)
    }

    /// Takes as many of the messages as fit. They end after `next`.
    pub(super) fn push(&mut self, messages: &Messages<'_>) -> Result<(), MalformedMessages> {
        let skip = self.next.checked_sub(messages.first).ok_or(MalformedMessages)?;
        let (next, taken_bytes) = (self.next, self.taken_bytes);
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
        let (positions, bytes) = (self.next - next, self.taken_bytes - taken_bytes);
        // The other way round holds of what we store, and not of whatever a frame may claim.
        debug_assert!(positions > 0 || bytes == 0, "no bytes without a position");
        debug_assert!(self.kind == ContentKind::Json || positions == bytes as u64, "a byte is a position");
        Ok(())
    }

    fn bytes(&mut self, messages: &Messages<'_>, skip: u64) -> Result<Taken, MalformedMessages> {
        let wanted = messages.body_bytes().saturating_sub(usize::try_from(skip).unwrap_or(usize::MAX));
        let taken = wanted.min(self.room());
        self.next = self.next.checked_add(taken as u64).ok_or(MalformedMessages)?;
        if taken == 0 {
            return Ok(Taken::None);
        }
        self.take(messages.body, skip as usize, taken);
        Ok(if taken == wanted { Taken::All } else { Taken::Some })
    }

    fn json(&mut self, messages: &Messages<'_>, skip: u64) -> Result<Taken, MalformedMessages> {
        let whole = skip == 0 && self.fits(messages.body_bytes());
        let (from, bytes, count) = match whole || messages.count == 1 {
            // If all are taken, it does not matter where one ends. A single one is taken whole or not at all.
            true if whole || !self.is_started() => (0, messages.body_bytes(), messages.count),
            true => return Ok(Taken::None),
            false => self.cut(messages, skip)?,
        };
        if count == 0 {
            return Ok(Taken::None);
        }
        if from.checked_add(bytes).is_none_or(|end| end > messages.body_bytes()) {
            return Err(MalformedMessages);
        }
        self.next = self.next.checked_add(count).ok_or(MalformedMessages)?;
        if self.is_started() {
            self.pieces.push(Bytes::from_static(b","));
            self.taken_bytes += 1;
        }
        self.take(messages.body, from, bytes);
        Ok(if skip + count == messages.count { Taken::All } else { Taken::Some })
    }

    /// Takes `bytes` bytes of a body after its first `skip`. The body holds as many.
    fn take(&mut self, body: &[Bytes], skip: usize, bytes: usize) {
        let (mut skip, mut left) = (skip, bytes);
        for piece in body {
            let from = skip.min(piece.len());
            let taken = left.min(piece.len() - from);
            if taken > 0 {
                self.pieces.push(piece.slice(from..from + taken));
            }
            (skip, left) = (skip - from, left - taken);
        }
        debug_assert_eq!(left, 0, "a body holds what is taken of it");
        self.taken_bytes += bytes;
    }

    /// Of the messages after the first `skip`: where they begin, how many bytes of them fit, and how many messages.
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

    /// Whether so many bytes of messages fit after those that were taken.
    fn fits(&self, bytes: usize) -> bool {
        let comma = usize::from(self.is_started());
        // The brackets of the array do not count.
        self.taken_bytes + comma + bytes <= self.page_bytes
    }

    fn is_started(&self) -> bool {
        self.taken_bytes > 0
    }

    /// The collected page.
    pub(super) fn finish(mut self) -> PageContent {
        let body = match (self.kind, self.pieces.len()) {
            (ContentKind::Bytes, 0 | 1) => self.pieces.pop().unwrap_or_default(),
            (ContentKind::Bytes, _) => self.pieces.concat().into(),
            (ContentKind::Json, _) => {
                let mut array = Vec::with_capacity(self.taken_bytes + 2);
                array.push(b'[');
                self.pieces.iter().for_each(|piece| array.extend_from_slice(piece));
                array.push(b']');
                array.into()
            }
        };
        PageContent { next: self.next, body, inside_append: self.inside_append, commit_ms: self.commit_ms }
    }
}

impl Stream {
    /// What the stream's positions count.
    pub fn kind(&self) -> ContentKind {
        if self.content_type.is_json() { ContentKind::Json } else { ContentKind::Bytes }
    }

    /// The page of a read that asked for `start`, with content of a segment.
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

    /// Reads a page of this size and start from these rows, and compares what it holds and where it ends.
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
            // In pieces, as a message that spans rows is.
            let (one, other) = joined.split_at(joined.len() / 2);
            let body = [one, other].map(|piece| Bytes::from(piece.to_owned()));
            let messages = Messages { first, count, lengths: &packed, body: &body, commit_ms };
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
    fn a_page_that_is_one_piece_shares_its_memory() {
        let row = Bytes::from_static(b"abcdef");
        let messages = Messages { first: 0, count: 6, lengths: &[], body: std::slice::from_ref(&row), commit_ms: 1 };
        for (page_bytes, position, from) in [(100, 0, 0), (3, 2, 2)] {
            let mut page = PageBuilder::new(ContentKind::Bytes, page_bytes, position);
            page.push(&messages).expect("messages that fit their lengths");
            assert_eq!(page.finish().body.as_ptr(), row.slice(from..).as_ptr());
        }
    }

    #[test]
    fn lengths_that_do_not_fit_the_messages_are_an_error() {
        let body = [Bytes::from_static(b"1,22")];
        let good = Messages { first: 0, count: 2, lengths: &[1, 2], body: &body, commit_ms: 1 };
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
