//! Requests as clients send them.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::LocalBoxStream;
use tailrace_core::protocol::{Headers, Method};

/// The body of a client's request.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// The whole body at once; its length is declared.
    Bytes(Bytes),
    /// Chunks as they come; the length of the body is not declared. An error is a connection that breaks.
    Chunks(LocalBoxStream<'static, Result<Bytes, Broken>>),
}

/// The connection of a client broke while it sent its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl RequestBody {
    /// A body of these bytes; without any bytes there is no body.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Bytes(bytes) }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Chunks(_) => formatter.write_str("Chunks"),
        }
    }
}

/// A client's request.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Absolute URL, percent-encoded.
    pub url: String,
    /// Header fields, their names in lower case, without `content-length`, which the client's library adds. A value is
    /// a string of bytes, as scripts of browsers write it: each character is one byte, U+00FF at most.
    pub headers: Headers,
    /// The body.
    pub body: RequestBody,
}

impl Request {
    /// The request as the platform hands it to the program: the bytes of each header value are decoded as UTF-8, with
    /// U+FFFD for those that are none, and without the blanks around it. So two values may become one.
    pub(crate) fn received(self) -> Self {
        let mut headers = Headers::default();
        for (name, value) in self.headers.iter() {
            headers.push(name.to_owned(), decoded(value.trim_matches([' ', '\t'])));
        }
        Self { headers, ..self }
    }
}

fn decoded(value: &str) -> String {
    if value.is_ascii() {
        return value.to_owned();
    }
    let byte = |letter| u8::try_from(u32::from(letter)).expect("a character of a header value is one byte");
    let bytes: Vec<u8> = value.chars().map(byte).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_header_values_are_decoded_as_utf_8_so_that_two_values_may_become_one() {
        let received = |value: &str| {
            let mut headers = Headers::default();
            headers.push("producer-id", value);
            let request = Request { method: Method::Post, url: String::new(), headers, body: RequestBody::Empty };
            request.received().headers.get("producer-id").map(str::to_owned)
        };
        for (sent, expected) in [
            ("a b", "a b"),
            (" \t a\t", "a"),
            ("j\u{fc}rgen", "j\u{fffd}rgen"),
            ("j\u{f6}rgen", "j\u{fffd}rgen"),
            ("j\u{c3}\u{bc}rgen", "j\u{fc}rgen"),
        ] {
            assert_eq!(received(sent).as_deref(), Some(expected), "{sent:?}");
        }
    }
}
