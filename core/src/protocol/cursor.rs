//! The cursor that live clients echo.

use super::limits::MAX_INTEGER;
use super::{ErrorCode, Refusal};

/// Checks the value of `cursor`: a decimal of at most 2^53 - 1, of digits alone.
pub fn parse(text: &str) -> Result<u64, Refusal> {
    parse_integer(text).ok_or_else(|| Refusal::new(ErrorCode::InvalidCursor, "cursor is no decimal integer below 2^53"))
}

/// A decimal integer of the protocol: one to sixteen digits and nothing else, at most 2^53 - 1.
pub(crate) fn parse_integer(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|integer| *integer <= MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_digits_below_two_to_the_53rd() {
        for (text, value) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9007199254740991", Some(MAX_INTEGER)),
            ("9007199254740992", None),
            ("99999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("abc", None),
            ("\u{0661}", None),
        ] {
            assert_eq!(parse(text).ok(), value, "{text:?}");
        }
    }
}
