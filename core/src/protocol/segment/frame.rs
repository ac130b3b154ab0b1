//! Frames: each holds what one append wrote, or one row of it.

use super::{ContentKind, Cursor, FRAME_BYTES, SegmentError, checked, seal};
use crate::protocol::lengths;

const PART: &str = "frame";

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its first position.
    pub first: u64,
    /// Commit time of its append, in ms since the Unix epoch.
    pub commit_ms: u64,
    /// How many messages it holds; 1 in byte content.
    pub messages: u32,
    /// Their packed lengths, where there are several.
    pub lengths: &'a [u8],
    /// The bytes, or the messages with a comma between any two.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// How many positions it covers.
    pub fn positions(&self, kind: ContentKind) -> u64 {
        match kind {
            ContentKind::Bytes => self.payload.len() as u64,
            ContentKind::Json => u64::from(self.messages),
        }
    }

    /// Bytes of the frame in the object.
    pub fn encoded_len(&self) -> usize {
        FRAME_BYTES + self.lengths.len() + self.payload.len()
    }

    /// Checks that its numbers fit its payload.
    pub(super) fn check(&self, kind: ContentKind) -> Result<(), SegmentError> {
        let single = self.messages == 1 && self.lengths.is_empty();
        let fits = match kind {
            ContentKind::Bytes => single,
            ContentKind::Json if single => true,
            ContentKind::Json => self.messages > 1 && self.adds_up(),
        };
        match fits && !self.payload.is_empty() {
            true => Ok(()),
            false => Err(SegmentError::Inconsistent("lengths that are not those of the messages")),
        }
    }

    fn adds_up(&self) -> bool {
        let Ok(lengths) = lengths::unpack(self.lengths) else { return false };
        let bytes: u64 = lengths.iter().map(|length| u64::from(*length) + 1).sum();
        lengths.len() as u64 == u64::from(self.messages) && bytes == self.payload.len() as u64 + 1
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| SegmentError::TooLarge("a frame"));
        let (lengths, payload) = (length(self.lengths)?, length(self.payload)?);
        let from = out.len();
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.commit_ms.to_le_bytes());
        for number in [self.messages, lengths, payload] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(self.lengths);
        out.extend_from_slice(self.payload);
        seal(out, from);
        Ok(())
    }

    /// The frame at the front of `bytes`, and what follows it.
    fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), SegmentError> {
        let mut cursor = Cursor(bytes);
        let (first, commit_ms) = (cursor.u64(PART)?, cursor.u64(PART)?);
        let messages = cursor.u32(PART)?;
        let (lengths, payload) = (cursor.u32(PART)? as usize, cursor.u32(PART)? as usize);
        let lengths = cursor.take(lengths, PART)?;
        let payload = cursor.take(payload, PART)?;
        cursor.take(4, PART)?;
        let whole = bytes.len() - cursor.0.len();
        checked(bytes.get(..whole).unwrap_or_default(), PART)?;
        Ok((Self { first, commit_ms, messages, lengths, payload }, cursor.0))
    }
}

/// Iterates over frames that follow one another, up to the end of the bytes or the first error.
#[derive(Clone, Debug)]
pub struct Frames<'a>(&'a [u8]);

impl<'a> Frames<'a> {
    /// Over bytes that hold whole frames.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        match Frame::decode(self.0) {
            Ok((frame, rest)) => {
                self.0 = rest;
                Some(Ok(frame))
            }
            Err(error) => {
                self.0 = &[];
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ContentKind, lengths: &[u32], messages: u32, payload: &[u8], fits: bool) {
        let lengths = lengths::pack(lengths);
        let frame = Frame { first: 0, commit_ms: 0, messages, lengths: &lengths, payload };
        assert_eq!(frame.check(kind).is_ok(), fits, "{frame:?}");
    }

    #[test]
    fn lengths_are_those_of_several_messages() {
        for (lengths, messages, payload, fits) in [
            (&[][..], 1, &b"ab"[..], true),
            (&[2], 1, b"ab", false),
            (&[], 0, b"ab", false),
            (&[], 2, b"a,b", false),
            (&[1, 1], 2, b"a,b", true),
            (&[1, 1], 1, b"a,b", false),
            (&[1, 1], 3, b"a,b", false),
            (&[1, 2], 2, b"a,b", false),
            (&[1], 2, b"a,b", false),
            (&[], 1, b"", false),
        ] {
            check(ContentKind::Json, lengths, messages, payload, fits);
            check(ContentKind::Bytes, lengths, messages, payload, fits && messages == 1);
        }
    }
}
