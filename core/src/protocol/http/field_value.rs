//! Values of header fields that are stored, compared or told again: visible ASCII and blanks alone.
//!
//! A host decodes the bytes of a value as UTF-8, with U+FFFD for those that are none (Cloudflare's runtime, and the
//! Fetch standard's "UTF-8 decode"). So two values of a client may arrive as one, and two producers would share a
//! state.

use crate::protocol::limits::TOKEN_LIMIT;

/// Whether a value is visible ASCII and blanks.
pub fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// Whether a value is one that rows hold: not empty, at most [`TOKEN_LIMIT`] bytes, visible ASCII and blanks.
pub fn is_token(text: &str) -> bool {
    (1..=TOKEN_LIMIT).contains(&text.len()) && is_visible(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_short_and_of_visible_ascii_and_blanks() {
        let longest = "t".repeat(TOKEN_LIMIT);
        let all: String = (' '..='~').collect();
        for text in ["a", " ", "a\tb", &longest, &all] {
            assert!(is_token(text), "{text:?}");
        }
        let too_long = "t".repeat(TOKEN_LIMIT + 1);
        for text in ["", &too_long, "j\u{fffd}rgen", "jürgen", "a\u{7f}", "a\u{1}b", "a\nb", "a\rb", "\u{0}"] {
            assert!(!is_token(text), "{text:?}");
        }
        assert!(is_visible(""));
        assert!(is_visible(&too_long));
    }
}
