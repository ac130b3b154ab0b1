//! Offsets: positions in a stream, their text, and where a read starts.

use std::fmt;

use super::{ErrorCode, Refusal};

/// Digits of each half of an offset's text: the decimal width of 2^53.
const DIGITS: usize = 16;

/// A position: `read_seq` counts segments, `position` counts inside the segment (messages in JSON mode, bytes
/// otherwise).
///
/// Its text is `{read_seq:016}_{position:016}`: fixed width, so that the order of texts is the order of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset {
    /// The segment.
    pub read_seq: u64,
    /// The position inside the segment.
    pub position: u64,
}

impl Offset {
    /// The first position of a segment.
    pub fn start_of(read_seq: u64) -> Self {
        Self { read_seq, position: 0 }
    }

    /// From exactly the text that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 2 * DIGITS + 1 || bytes.get(DIGITS) != Some(&b'_') {
            return None;
        }
        Some(Self { read_seq: decimal(bytes.get(..DIGITS)?)?, position: decimal(bytes.get(DIGITS + 1..)?)? })
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => Some(value * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:0width$}_{:0width$}", self.read_seq, self.position, width = DIGITS)
    }
}

/// Where a read starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// `-1`, or no offset: the start of the stream.
    Start,
    /// `now`: the tail.
    Now,
    /// A position that the server emitted.
    At(Offset),
}

impl ReadFrom {
    /// From the value of `offset`.
    pub fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("-1") => Ok(Self::Start),
            Some("now") => Ok(Self::Now),
            Some(text) => Offset::parse(text)
                .map(Self::At)
                .ok_or_else(|| Refusal::new(ErrorCode::InvalidOffset, "offset is neither -1, now nor one we emitted")),
        }
    }
}

impl fmt::Display for ReadFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => formatter.write_str("-1"),
            Self::Now => formatter.write_str("now"),
            Self::At(offset) => offset.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::MAX_INTEGER;
    use proptest::prelude::*;

    fn offsets() -> impl Strategy<Value = Offset> {
        (0..=MAX_INTEGER, 0..=MAX_INTEGER).prop_map(|(read_seq, position)| Offset { read_seq, position })
    }

    proptest! {
        #[test]
        fn text_round_trips(offset in offsets()) {
            prop_assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
        }

        #[test]
        fn texts_sort_as_positions_do(one in offsets(), other in offsets()) {
            prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
        }

        #[test]
        fn whatever_parses_is_what_would_be_emitted(text in "[0-9_+ -]{0,40}") {
            if let Some(offset) = Offset::parse(&text) {
                prop_assert_eq!(offset.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = ReadFrom::parse(Some(&text));
        }
    }

    #[test]
    fn malformed_offsets_are_refused() {
        for text in [
            "",
            "0",
            "-2",
            "NOW",
            "0,1",
            "0 1",
            "0000000000000000_000000000000000",
            "0000000000000000_00000000000000000",
            " 0000000000000000_0000000000000000",
            "0000000000000000-0000000000000000",
            "000000000000000+_0000000000000000",
            "0000000000000000_000000000000000\u{0660}",
        ] {
            assert!(ReadFrom::parse(Some(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sentinels_are_read_and_written() {
        assert_eq!(ReadFrom::parse(None), Ok(ReadFrom::Start));
        for text in ["-1", "now", "0000000000000001_0000000000000002"] {
            assert_eq!(ReadFrom::parse(Some(text)).map(|from| from.to_string()), Ok(text.to_owned()));
        }
    }
}
