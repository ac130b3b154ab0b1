//! Percent-encoding (RFC 3986, section 2.1).

/// Decodes; `None` if a `%` is not followed by two hexadecimal digits, or if the bytes are no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let (bytes, is_sound) = bytes_of(text);
    if is_sound { String::from_utf8(bytes).ok() } else { None }
}

/// Decodes whatever it is: what is no `%` with two hexadecimal digits stays, and what is no UTF-8 then becomes U+FFFD.
pub(crate) fn decode_lossily(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    String::from_utf8_lossy(&bytes_of(text).0).into_owned()
}

/// A path in ASCII, as URLs have it: what may stand in a segment of a path stays (RFC 3986, section 3.3), and every
/// other byte is encoded.
pub fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    encoded
}

/// The bytes, and whether each `%` was followed by two hexadecimal digits.
fn bytes_of(text: &str) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut is_sound = true;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            _ => {
                is_sound &= byte != b'%';
                bytes.push(byte);
            }
        }
    }
    (bytes, is_sound)
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

fn digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_malformed_or_no_utf_8_is_none_and_only_that() {
        for (text, decoded) in [
            ("a+b", Some("a+b")),
            ("%41%c3%A4+", Some("Aä+")),
            ("ä%20", Some("ä ")),
            ("%25%32%35", Some("%25")),
            ("%EF%BF%BD", Some("\u{fffd}")),
            ("%", None),
            ("a%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%FF", None),
            ("%C3", None),
            ("%ED%A0%80", None),
            ("%C0%AF", None),
        ] {
            assert_eq!(decode(text).as_deref(), decoded, "{text:?}");
        }
        assert_eq!(decode_lossily("%zz%C3%4"), "%zz\u{fffd}%4");
    }

    #[test]
    fn what_may_stand_in_a_path_is_not_encoded() {
        assert_eq!(encode_path("a/b-._~!$&'()*+,;=:@"), "a/b-._~!$&'()*+,;=:@");
        assert_eq!(encode_path("ä %\"<>[]\\^`{|}#?\u{7f}"), "%C3%A4%20%25%22%3C%3E%5B%5D%5C%5E%60%7B%7C%7D%23%3F%7F");
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in any::<String>()) {
            let all: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(&all), Some(text.clone()));
            prop_assert_eq!(decode_lossily(&all), text.clone());
            let path = encode_path(&text);
            prop_assert!(path.bytes().all(|byte| matches!(byte, b'!'..=b'~')));
            prop_assert_eq!(decode(&path), Some(text));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), ascii in "[%0-9a-fG]{0,12}") {
            for text in [text, ascii] {
                let _ = (decode(&text), decode_lossily(&text));
            }
        }
    }
}
