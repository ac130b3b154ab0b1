//! What a text of the log looks like in an event, written independently of core (SPEC, section 3).

/// Text of the log as an event's data: CR and CRLF arrive as LF, invalid bytes as U+FFFD.
pub(super) fn mapped(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
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

/// Whether a code point of these bytes lies on both sides of `at`.
pub(super) fn splits_code_point(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    let lead = before.iter().rposition(|byte| byte & 0xc0 != 0x80);
    let Some(lead) = lead.filter(|lead| before.len() - lead < 4) else { return false };
    let length = match bytes[lead] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return false,
    };
    let whole = bytes.get(lead..lead + length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    whole.is_some() && lead + length > at
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
    fn a_code_point_is_split_between_its_bytes_alone() {
        let text = "a€b😀".as_bytes();
        let split: Vec<usize> = (0..=text.len()).filter(|at| splits_code_point(text, *at)).collect();
        assert_eq!(split, [2, 3, 6, 7, 8]);
        assert!(!splits_code_point(b"\xe2\x82", 1), "its rest is not there");
        assert!(!splits_code_point(b"\x80\x80\x80\x80\x80", 4));
    }
}
