//! Header fields as one string: names and values in turn, each ended by a line feed. Neither can hold one.

use tailrace_core::runtime::Headers;

/// The fields of a response.
pub(crate) fn encode(headers: &Headers) -> String {
    let mut encoded = String::with_capacity(512);
    for (name, value) in headers.iter() {
        encoded.push_str(name);
        encoded.push('\n');
        encoded.push_str(value);
        encoded.push('\n');
    }
    encoded
}

/// The fields of a request; a name without a value at the end is left out.
pub(crate) fn decode<'a>(mut lines: impl Iterator<Item = &'a str>) -> Headers {
    let mut headers = Headers::default();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        headers.push(name.to_owned(), value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_in_order_with_empty_values_and_without_a_torn_end() {
        let check = |text: &str, fields: &[(&str, &str)]| {
            let headers = decode(text.split_terminator('\n'));
            assert_eq!(headers.iter().collect::<Vec<_>>(), fields, "{text:?}");
        };
        check("", &[]);
        check("etag\n\"1\"\nvary\n\n", &[("etag", "\"1\""), ("vary", "")]);
        check("etag\n\"1\"\nvary", &[("etag", "\"1\"")]);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut headers = Headers::default();
        headers.push("cache-control", "no-store");
        headers.push("stream-next-offset", "");
        headers.push("vary", "origin");
        assert_eq!(decode(encode(&headers).split_terminator('\n')), headers);
    }
}
