//! Offsets as clients may read them: the published text form (SPEC, section 2), parsed independently of core.

use std::fmt;

/// A position in a stream. Positions order as their texts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The segment.
    pub segment: u64,
    /// Messages (JSON) or bytes before it in its segment.
    pub index: u64,
}

impl LogPosition {
    /// From `{segment:016}_{index:016}` and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (segment, index) = text.as_bytes().split_at_checked(16)?;
        let number = |digits: &[u8]| {
            let fits = digits.len() == 16 && digits.iter().all(u8::is_ascii_digit);
            fits.then(|| digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
        };
        Some(Self { segment: number(segment)?, index: number(index.strip_prefix(b"_")?)? })
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_published_form_is_an_offset() {
        let parsed = LogPosition::parse("0000000000000012_0000000000000345");
        assert_eq!(parsed, Some(LogPosition { segment: 12, index: 345 }));
        for text in ["", "-1", "now", "12_345", "0000000000000012_000000000000345", "0000000000000012-0000000000000345"]
        {
            assert_eq!(LogPosition::parse(text), None, "{text}");
        }
    }
}
