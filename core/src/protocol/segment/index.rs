//! The index of a segment: where each frame is.

use std::ops::Range;

use super::{ContentKind, Cursor, ENTRY_BYTES, INDEX_BYTES, INDEX_MAGIC, SegmentError, checked, seal};

const PART: &str = "index";

/// The entry of a frame: its first position, its place in the object, and the bytes of all payloads before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first: u32,
    pub(super) place: u32,
    pub(super) payload_before: u32,
}

/// The index of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub(super) read_seq: u64,
    pub(super) end: u64,
    pub(super) entries: Vec<Entry>,
    /// Where the frames end.
    pub(super) index_at: u32,
}

impl Index {
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let from = out.len();
        let count = u32::try_from(self.entries.len()).map_err(|_| SegmentError::TooLarge("the count of frames"))?;
        out.extend_from_slice(&INDEX_MAGIC);
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&self.read_seq.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        for entry in &self.entries {
            for number in [entry.first, entry.place, entry.payload_before] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        seal(out, from);
        Ok(())
    }

    /// From exactly the bytes of an index that is at `index_at` in its object.
    pub fn decode(bytes: &[u8], index_at: u64) -> Result<Self, SegmentError> {
        let mut cursor = Cursor(checked(bytes, PART)?);
        if cursor.array(PART)? != INDEX_MAGIC {
            return Err(SegmentError::Magic(PART));
        }
        let count = cursor.u32(PART)? as usize;
        let (read_seq, end) = (cursor.u64(PART)?, cursor.u64(PART)?);
        if Some(cursor.0.len()) != count.checked_mul(ENTRY_BYTES) {
            return Err(SegmentError::Length(PART));
        }
        // The count is not trusted: there is room for as many entries as there are bytes.
        let mut entries = Vec::with_capacity(cursor.0.len() / ENTRY_BYTES);
        while !cursor.0.is_empty() {
            let entry = Entry { first: cursor.u32(PART)?, place: cursor.u32(PART)?, payload_before: cursor.u32(PART)? };
            entries.push(entry);
        }
        let index_at = u32::try_from(index_at).map_err(|_| SegmentError::TooLarge("the place of the index"))?;
        let ascending = entries.windows(2).all(|pair| match pair {
            [one, other] => {
                one.first < other.first && one.place < other.place && one.payload_before < other.payload_before
            }
            _ => false,
        });
        let ends = entries.last().is_none_or(|last| last.place < index_at && u64::from(last.first) < end);
        if !ascending || !ends {
            return Err(SegmentError::Inconsistent("an index that does not ascend"));
        }
        Ok(Self { read_seq, end, entries, index_at })
    }

    /// The segment.
    pub fn read_seq(&self) -> u64 {
        self.read_seq
    }

    /// The end position of the segment (exclusive).
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        INDEX_BYTES + ENTRY_BYTES * self.entries.len()
    }

    /// The range of bytes of the object that a page of `page_bytes` from a position on may need: whole frames. `None`
    /// if no frame holds the position.
    pub fn range(&self, kind: ContentKind, position: u64, page_bytes: usize) -> Option<Range<u64>> {
        if position >= self.end {
            return None;
        }
        let at = self.entries.partition_point(|entry| u64::from(entry.first) <= position).checked_sub(1)?;
        let entry = self.entries.get(at)?;
        let rest = self.entries.get(at + 1..)?;
        let base = match kind {
            ContentKind::Bytes => {
                // Positions are bytes, so it is known how much of the frame is skipped.
                u64::from(entry.payload_before) + (position - u64::from(entry.first))
            }
            ContentKind::Json if position == u64::from(entry.first) => u64::from(entry.payload_before),
            // How much of the frame is skipped is not known before it is read. It may be nearly all of it.
            ContentKind::Json => rest.first().map_or(u64::MAX, |next| u64::from(next.payload_before)),
        };
        let enough = base.saturating_add(page_bytes as u64);
        let after = rest.partition_point(|next| u64::from(next.payload_before) < enough);
        let end = rest.get(after).map_or(self.index_at, |next| next.place);
        Some(u64::from(entry.place)..u64::from(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of a segment of 10 positions, whose frames end at byte 90.
    fn check(entries: [(u32, u32, u32); 2], is_sound: bool) {
        let entries = entries.map(|(first, place, payload_before)| Entry { first, place, payload_before });
        let index = Index { read_seq: 3, end: 10, entries: entries.to_vec(), index_at: 90 };
        let mut bytes = Vec::new();
        index.encode(&mut bytes).unwrap();
        let inconsistent = SegmentError::Inconsistent("an index that does not ascend");
        let expected = if is_sound { Ok(index) } else { Err(inconsistent) };
        assert_eq!(Index::decode(&bytes, 90), expected, "{entries:?}");
    }

    #[test]
    fn an_index_ascends_and_ends_before_its_segment_does() {
        check([(0, 8, 0), (5, 50, 30)], true);
        check([(0, 8, 0), (9, 89, 1)], true);
        for (first, place, payload_before) in
            [(0, 50, 30), (5, 8, 30), (5, 50, 0), (10, 50, 30), (11, 50, 30), (5, 90, 30), (5, 91, 30)]
        {
            check([(0, 8, 0), (first, place, payload_before)], false);
        }
    }
}
