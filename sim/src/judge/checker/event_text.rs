//! What a text of the log looks like in an event, written independently of core (SPEC, section 3).

/// Text of the log as an event's data: CR and CRLF arrive as LF, invalid bytes as U+FFFD.
pub(super) fn mapped(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// The beginning of a text, for people.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
}

/// The bytes of base64 text (RFC 4648, section 4) that may be broken into lines.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for group in digits[..digits.len() - padding].chunks(4) {
        let mut value = 0_u32;
        for digit in group {
            value = value << 6 | sextet(*digit)?;
        }
        value <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&value.to_be_bytes()[1..group.len()]);
        // The bits after the last byte are zero.
        if value & (0xff_ffff >> (8 * (group.len() - 1))) != 0 {
            return None;
        }
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// How many bytes at the end are the beginning of a code point whose rest may still come.
pub(super) fn open_bytes(bytes: &[u8]) -> usize {
    let begins = |at: usize| match std::str::from_utf8(&bytes[at..]) {
        // The first byte that does not fit is this one, and nothing is wrong with it but that the bytes end.
        Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
        Ok(_) => false,
    };
    (bytes.len().saturating_sub(3)..bytes.len()).find(|at| begins(*at)).map_or(0, |at| bytes.len() - at)
}

/// Text of the log that follows a CR, as data of events: the LF of a CRLF is no line end of its own.
pub(super) fn mapped_after_cr(bytes: &[u8]) -> String {
    mapped(bytes.strip_prefix(b"\n").unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_lf_and_invalid_bytes_the_replacement() {
        for (bytes, text) in [
            (&b"a\rb\r\nc\nd"[..], "a\nb\nc\nd"),
            (b"\r\r\n\n", "\n\n\n"),
            (b"a\xffb\xc3", "a\u{fffd}b\u{fffd}"),
            ("é€😀".as_bytes(), "é€😀"),
        ] {
            assert_eq!(mapped(bytes), text);
        }
    }

    #[test]
    fn base64_is_read_and_nothing_else_is() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9v\nYg==\r\n", Some(b"foob")),
            ("+/+/", Some(b"\xfb\xff\xbf")),
            ("Zg=", None),
            ("Zg", None),
            ("Z===", None),
            ("Zh==", None),
            ("Zm9=", None),
            ("Zm-_", None),
            ("Zg==Zg==", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_may_still_become_a_code_point_is_open() {
        let text = "a€b😀".as_bytes();
        let open: Vec<usize> = (0..=text.len()).map(|at| open_bytes(&text[..at])).collect();
        assert_eq!(open, [0, 0, 1, 2, 0, 0, 1, 2, 3, 0]);
        for (bytes, open) in [
            (&b"\x80\x80\x80"[..], 0),
            (b"\xe2\x82A", 0),
            (b"\xf0\xf0", 1),
            (b"\xe2\x82\xf0\x9f", 2),
            (b"\xff", 0),
            (b"\xe0\x80", 0),
            (b"\xed\xa0", 0),
            (b"\xf4\x90", 0),
        ] {
            assert_eq!(open_bytes(bytes), open, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_feed_after_a_carriage_return_ends_no_line() {
        for (bytes, text) in [(&b"\nb"[..], "b"), (b"\n\nb", "\nb"), (b"b\n", "b\n"), (b"\n", "")] {
            assert_eq!(mapped_after_cr(bytes), text);
        }
    }
}
