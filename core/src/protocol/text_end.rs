//! How a text ends, as far as that decides what becomes of the bytes after it.
//!
//! An event is decoded by itself, and yet a reader is to get the text that all bytes together are. Two things can lie
//! on both sides of a cut: a CRLF, and a code point. So this is all that has to be known of what came before: whether
//! its last byte is a CR, or which bytes at its end begin a code point.

/// The end of a text: a CR, the beginning of a code point whose rest may still come, or nothing of either kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextEnd(Vec<u8>);

impl TextEnd {
    /// Of a text with these last bytes. The three last ones decide, or as many as it has.
    pub fn of(text: &[u8]) -> Self {
        match text.last() {
            Some(b'\r') => Self(b"\r".to_vec()),
            _ => Self(text.get(text.len() - open_bytes(text)..).unwrap_or_default().to_vec()),
        }
    }

    /// The end of this text once more bytes follow it.
    pub fn then(&self, more: &[u8]) -> Self {
        let last = more.get(more.len().saturating_sub(3)..).unwrap_or_default();
        if more.is_empty() { self.clone() } else { Self::of(&[self.0.as_slice(), last].concat()) }
    }

    /// The bytes that decide, at most three.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the text ends with a CR. The LF of a CRLF then is no line end of its own.
    pub fn is_cr(&self) -> bool {
        self.0 == b"\r"
    }

    /// The bytes at the end that begin a code point.
    pub fn open(&self) -> &[u8] {
        if self.is_cr() { &[] } else { &self.0 }
    }
}

/// How many bytes at the end of a text are an incomplete code point: 0 if the text ends with a complete one, or with
/// bytes that cannot begin one.
///
/// A byte that is no continuation begins anew whatever is before it. So the last such byte decides, and a text that is
/// cut before an incomplete code point decodes to the same in two pieces.
pub fn open_bytes(text: &[u8]) -> usize {
    (1..=text.len().min(3))
        .find_map(|length| {
            let end = text.get(text.len() - length..)?;
            if is_continuation(*end.first()?) {
                return None;
            }
            let is_open = std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none());
            Some(if is_open { length } else { 0 })
        })
        .unwrap_or(0)
}

/// Whether a byte continues a code point.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_code_point_has_of_its_beginning_is_counted() {
        for (text, open) in [
            (&b""[..], 0),
            (b"a", 0),
            ("aé€😀".as_bytes(), 0),
            (b"a\xc3", 1),
            (b"\xe2", 1),
            (b"\xe2\x82", 2),
            (b"a\xf0", 1),
            (b"\xf0\x9f\x98", 3),
            (b"\xf0\xf0", 1),
            // Cannot begin a code point: a continuation alone, an overlong form, a surrogate, beyond the last code
            // point.
            (b"\x80", 0),
            (b"\xc0", 0),
            (b"\xe0\x80", 0),
            (b"\xed\xa0", 0),
            (b"\xf4\x90", 0),
            (b"\xf5", 0),
            (b"\xff", 0),
        ] {
            assert_eq!(open_bytes(text), open, "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_or_the_beginning_of_a_code_point_is_an_end_and_nothing_else() {
        for (text, is_cr, open) in [
            (&b""[..], false, &b""[..]),
            (b"a", false, b""),
            (b"a\r", true, b""),
            (b"a\r\n", false, b""),
            (b"a\xf0\x9f", false, b"\xf0\x9f"),
            (b"\xe2\x82A", false, b""),
            (b"\x9f\x98", false, b""),
        ] {
            let end = TextEnd::of(text);
            assert_eq!((end.is_cr(), end.open()), (is_cr, open), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_text_in_pieces_ends_as_the_whole_does(
            pieces in prop::collection::vec(prop::collection::vec(prop::sample::select(
                &b"\r\nA\x80\x82\x98\x9f\xc3\xe2\xed\xf0\xff"[..]), 0..4), 0..8)
        ) {
            let end = pieces.iter().fold(TextEnd::default(), |end, piece| end.then(piece));
            prop_assert_eq!(&end, &TextEnd::of(&pieces.concat()));
            prop_assert!(end.as_bytes().len() <= 3);
        }

        #[test]
        fn a_text_that_is_cut_before_what_is_open_decodes_to_the_same(
            text in prop::collection::vec(prop::sample::select(&b"A\x80\x82\x98\x9f\xc3\xe2\xed\xf0\xff"[..]), 0..12),
            cut: prop::sample::Index,
        ) {
            let at = cut.index(text.len() + 1);
            let (before, after) = text.split_at(at - open_bytes(&text[..at]));
            let halves = String::from_utf8_lossy(before).into_owned() + &String::from_utf8_lossy(after);
            prop_assert_eq!(halves, String::from_utf8_lossy(&text));
        }

        #[test]
        fn a_cut_text_without_what_is_open_is_whole(text in "\\PC{1,12}", cut: prop::sample::Index) {
            let at = cut.index(text.len());
            let boundary = (0..=at).rev().find(|index| text.is_char_boundary(*index)).expect("its start is one");
            prop_assert_eq!(open_bytes(&text.as_bytes()[..at]), at - boundary);
        }
    }
}
