//! The log's primary key.

use super::SqlError;
use crate::protocol::Offset;

/// Bits of the number of a part. The largest message spans nine rows at most.
const PART_BITS: u32 = 4;

/// Bits of a position inside a segment. A position is a byte, or a message of at least one byte. Before its last append
/// a segment is below its threshold, and the body of that append is at most 8 MiB: so it has fewer than 2^24 positions,
/// however small its messages are.
const POSITION_BITS: u32 = 24;

/// Bits of the number of a segment: the rest of the 53 bits that JavaScript's numbers hold exactly.
const READ_SEQ_BITS: u32 = 53 - PART_BITS - POSITION_BITS;

/// Limit of the rows of one message.
pub const PARTS: u64 = 1 << PART_BITS;

/// Limit of the positions of one segment.
pub const POSITIONS: u64 = 1 << POSITION_BITS;

/// Limit of the segments of one URL, all its streams together. One number is left over, because a statement about a
/// segment names the first key after it.
pub const READ_SEQS: u64 = (1 << READ_SEQ_BITS) - 1;

/// The keys that the rows of one segment may have: as many integers, from a multiple of this number on.
pub const SEGMENT_KEYS: u64 = POSITIONS * PARTS;

/// The key of a row of the log: the offset of its first message, and which part of that message it holds.
///
/// It is stored as one integer instead of three columns, so that the log is a rowid table without an index: an index
/// would double the rows that the platform bills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The first position of the row.
    pub offset: Offset,
    /// The number of the part, from 0, of a message that spans rows; otherwise 0.
    pub part: u64,
}

impl RowKey {
    /// The key of the first row at an offset.
    pub fn first(offset: Offset) -> Self {
        Self { offset, part: 0 }
    }

    /// The key as an integer; integers sort as keys do. Fails if the offset is beyond the limits of a key.
    pub fn pack(self) -> Result<u64, SqlError> {
        let Offset { read_seq, position } = self.offset;
        if read_seq >= READ_SEQS || position >= POSITIONS || self.part >= PARTS {
            return Err(SqlError::new(format!("no row key for {self:?}")));
        }
        let packed = (read_seq << POSITION_BITS | position) << PART_BITS | self.part;
        debug_assert_eq!(Self::unpack(packed), self);
        Ok(packed)
    }

    /// From the integer.
    pub fn unpack(packed: u64) -> Self {
        let position = packed >> PART_BITS & (POSITIONS - 1);
        let read_seq = packed >> (PART_BITS + POSITION_BITS);
        Self { offset: Offset { read_seq, position }, part: packed & (PARTS - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::{BODY_LIMIT, ROW_LIMIT, SEGMENT_BYTES};
    use crate::storage::MAX_SAFE_INTEGER;
    use proptest::prelude::*;

    fn keys() -> impl Strategy<Value = RowKey> {
        (0..READ_SEQS, 0..POSITIONS, 0..PARTS)
            .prop_map(|(read_seq, position, part)| RowKey { offset: Offset { read_seq, position }, part })
    }

    proptest! {
        #[test]
        fn integers_round_trip_in_order(one in keys(), other in keys()) {
            let packed = one.pack().expect("in range");
            prop_assert!(packed <= MAX_SAFE_INTEGER as u64);
            prop_assert_eq!(RowKey::unpack(packed), one);
            prop_assert_eq!(packed.cmp(&other.pack().expect("in range")), one.cmp(&other));
        }
    }

    #[test]
    fn what_no_key_can_hold_is_an_error() {
        let key = |read_seq, position, part| RowKey { offset: Offset { read_seq, position }, part };
        for beyond in [key(READ_SEQS, 0, 0), key(0, POSITIONS, 0), key(0, 0, PARTS), key(u64::MAX, u64::MAX, u64::MAX)]
        {
            assert!(beyond.pack().is_err(), "{beyond:?}");
        }
    }

    #[test]
    fn the_widths_hold_the_largest_body() {
        assert!((BODY_LIMIT as u64) < PARTS * ROW_LIMIT as u64);
        assert!(SEGMENT_BYTES + (BODY_LIMIT as u64) < POSITIONS);
        assert!(READ_SEQS * SEGMENT_KEYS <= MAX_SAFE_INTEGER as u64, "the first key after the last segment");
    }
}
