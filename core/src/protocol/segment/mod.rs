//! The format of a sealed segment in R2: one object, which is written once and never changed.
//!
//! All integers are little-endian. Each checksum is the CRC-32 (IEEE) of the bytes before it in its part.
//!
//! | part | bytes | what |
//! | --- | --- | --- |
//! | header | 4 | magic `TRSG` |
//! | | 1 | version, [`VERSION`] |
//! | | 1 | content: 0 bytes, 1 JSON messages |
//! | | 2 | zero |
//! | | 8 | segment, the offset's `read_seq` |
//! | | 8 | first position |
//! | | 8 | end position (exclusive) |
//! | | 4 | checksum |
//! | frame, one an append | 8 | first position |
//! | | 8 | commit time in ms since the Unix epoch |
//! | | 4 | messages; 1 in byte content |
//! | | 4 | bytes of the packed lengths, L |
//! | | 4 | bytes of the payload, P |
//! | | L | lengths of the messages as [`super::lengths`] packs them, where there are several |
//! | | P | the payload: bytes, or the messages with a comma between any two |
//! | | 4 | checksum |
//! | index | 4 | magic `TRSI` |
//! | | 4 | frames, N |
//! | | 8 | segment |
//! | | 8 | end position (exclusive) |
//! | | 12 N | for each frame 4 bytes each: first position, place in the object, bytes of all payloads before |
//! | | 4 | checksum |
//! | trailer | 4 | place of the index in the object |
//! | | 4 | magic `TRSE` |
//!
//! An append that fills several rows of the log has a frame for each row. These frames share a commit time, which no
//! other append has. Frames end between messages; a message is never split. So a reader fetches little more than it
//! needs, and finds any position with one search in the index, whose place is in the record of the segment. The trailer
//! is for a reader without that record.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `encoder` | writing, frame by frame |
//! | `frame` | frames, and reading them one after another |
//! | `index` | the index, and which bytes a page needs |
//! | `whole` | an object read from end to end |

mod encoder;
mod frame;
mod index;
mod whole;

use crate::mutant::mutated;
use std::fmt;

pub use encoder::{Encoder, Place};
pub use frame::{Frame, Frames};
pub use index::Index;
pub use whole::Whole;

/// The version of the format.
pub const VERSION: u8 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 36;

/// Bytes of a frame beside lengths and payload.
pub const FRAME_BYTES: usize = 32;

/// Bytes of the index beside its entries.
pub const INDEX_BYTES: usize = 28;

/// Bytes of an entry of the index.
pub const ENTRY_BYTES: usize = 12;

/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 8;

const HEADER_MAGIC: [u8; 4] = *b"TRSG";
const INDEX_MAGIC: [u8; 4] = *b"TRSI";
const TRAILER_MAGIC: [u8; 4] = *b"TRSE";

/// What a segment's messages are, and so what its positions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Bytes; a position is a byte.
    Bytes,
    /// JSON messages; a position is a message.
    Json,
}

/// Which segment an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What its messages are.
    pub kind: ContentKind,
    /// The offset's `read_seq`.
    pub read_seq: u64,
    /// The first position.
    pub start: u64,
    /// The end position (exclusive).
    pub end: u64,
}

/// Why bytes are not a segment, or messages cannot be encoded as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// A part is shorter or longer than its numbers say.
    Length(&'static str),
    /// A part does not begin with its magic number.
    Magic(&'static str),
    /// It was written by another version.
    Version(u8),
    /// A part does not match its checksum.
    Checksum(&'static str),
    /// Numbers contradict each other.
    Inconsistent(&'static str),
    /// A number is larger than the format holds.
    TooLarge(&'static str),
}

impl fmt::Display for SegmentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(part) => write!(formatter, "segment: the {part} has another length"),
            Self::Magic(part) => write!(formatter, "segment: there is no {part}"),
            Self::Version(version) => write!(formatter, "segment: version {version} is not {VERSION}"),
            Self::Checksum(part) => write!(formatter, "segment: the {part} was changed"),
            Self::Inconsistent(what) => write!(formatter, "segment: {what}"),
            Self::TooLarge(what) => write!(formatter, "segment: {what} beyond what the format holds"),
        }
    }
}

impl std::error::Error for SegmentError {}

/// Reads integers one after another.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], SegmentError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SegmentError::Length(part))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], SegmentError> {
        self.take(N, part)?.try_into().map_err(|_| SegmentError::Length(part))
    }

    fn u8(&mut self, part: &'static str) -> Result<u8, SegmentError> {
        self.array(part).map(u8::from_le_bytes)
    }

    fn u16(&mut self, part: &'static str) -> Result<u16, SegmentError> {
        self.array(part).map(u16::from_le_bytes)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, SegmentError> {
        self.array(part).map(u32::from_le_bytes)
    }

    fn u64(&mut self, part: &'static str) -> Result<u64, SegmentError> {
        self.array(part).map(u64::from_le_bytes)
    }
}

/// The bytes of a part before its checksum, once that is verified.
fn checked<'a>(bytes: &'a [u8], part: &'static str) -> Result<&'a [u8], SegmentError> {
    let split = bytes.len().checked_sub(4).ok_or(SegmentError::Length(part))?;
    let (content, checksum) = bytes.split_at(split);
    if crc32fast::hash(content).to_le_bytes() != checksum && !mutated!(ChecksumIgnored) {
        return Err(SegmentError::Checksum(part));
    }
    Ok(content)
}

/// Appends the checksum of the bytes from `from` on.
fn seal(out: &mut Vec<u8>, from: usize) {
    let checksum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
}

impl Head {
    fn encode(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&HEADER_MAGIC);
        out.extend_from_slice(&[VERSION, matches!(self.kind, ContentKind::Json) as u8, 0, 0]);
        for number in [self.read_seq, self.start, self.end] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal(out, from);
    }

    /// From an object's first [`HEADER_BYTES`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        const PART: &str = "header";
        let bytes = bytes.get(..HEADER_BYTES).ok_or(SegmentError::Length(PART))?;
        let mut cursor = Cursor(bytes);
        if cursor.array(PART)? != HEADER_MAGIC {
            return Err(SegmentError::Magic(PART));
        }
        match cursor.u8(PART)? {
            VERSION => {}
            version => return Err(SegmentError::Version(version)),
        }
        checked(bytes, PART)?;
        let kind = match cursor.u8(PART)? {
            0 => ContentKind::Bytes,
            1 => ContentKind::Json,
            _ => return Err(SegmentError::Inconsistent("unknown content")),
        };
        if cursor.u16(PART)? != 0 {
            return Err(SegmentError::Inconsistent("bytes that are reserved"));
        }
        let head = Self { kind, read_seq: cursor.u64(PART)?, start: cursor.u64(PART)?, end: cursor.u64(PART)? };
        if head.start > head.end {
            return Err(SegmentError::Inconsistent("a range that ends before it begins"));
        }
        Ok(head)
    }
}
