//! Writing a segment frame by frame. Only the index has to stay in memory until the end.

use super::index::Entry;
use super::{ENTRY_BYTES, Frame, HEADER_BYTES, Head, INDEX_BYTES, Index, SegmentError, TRAILER_BYTES, TRAILER_MAGIC};

/// Where the index of an object is, and how long the object is. Stored in the record of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the index begins, which is where the frames end.
    pub index_at: u64,
    /// The length of the index.
    pub index_bytes: u64,
    /// The length of the object.
    pub bytes: u64,
}

/// Writes a segment. Each call appends to `out`, which the caller may empty between calls.
#[derive(Debug)]
pub struct Encoder {
    head: Head,
    next: u64,
    written: u64,
    payload: u64,
    entries: Vec<Entry>,
}

impl Encoder {
    /// Begins with the header.
    pub fn new(head: Head, out: &mut Vec<u8>) -> Self {
        head.encode(out);
        Self { head, next: head.start, written: HEADER_BYTES as u64, payload: 0, entries: Vec::new() }
    }

    /// Adds a frame that begins where the last one ended.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        frame.check(self.head.kind)?;
        if frame.first != self.next {
            return Err(SegmentError::Inconsistent("a frame that does not begin where the last one ended"));
        }
        let entry =
            Entry { first: short(frame.first)?, place: short(self.written)?, payload_before: short(self.payload)? };
        frame.encode(out)?;
        self.entries.push(entry);
        self.next += frame.positions(self.head.kind);
        self.written += frame.encoded_len() as u64;
        self.payload += frame.payload.len() as u64;
        Ok(())
    }

    /// Ends with index and trailer.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<Place, SegmentError> {
        if self.next != self.head.end {
            return Err(SegmentError::Inconsistent("frames that do not end where the segment does"));
        }
        let index_at = short(self.written)?;
        let index_bytes = (INDEX_BYTES + ENTRY_BYTES * self.entries.len()) as u64;
        Index { read_seq: self.head.read_seq, end: self.head.end, entries: self.entries, index_at }.encode(out)?;
        out.extend_from_slice(&index_at.to_le_bytes());
        out.extend_from_slice(&TRAILER_MAGIC);
        let bytes = self.written + index_bytes + TRAILER_BYTES as u64;
        Ok(Place { index_at: self.written, index_bytes, bytes })
    }
}

/// Positions and places fit 32 bits: a segment holds less than 2^24 bytes and messages (`storage::row_key`).
fn short(number: u64) -> Result<u32, SegmentError> {
    u32::try_from(number).map_err(|_| SegmentError::TooLarge("a position or a place"))
}
