//! Requests of clients and responses to them.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use futures_util::stream::LocalBoxStream;

use super::CallError;
use crate::protocol::live::Answer;
use crate::protocol::{CacheControl, Refusal, header};

/// A request method. What is none of the known ones is kept as `Other`: it is answered with 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Options,
    Other,
}

impl Method {
    /// From the request line's token; methods are case-sensitive.
    pub fn from_token(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// Header fields: lower-case names in the order in which they were set, so that every host shows the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    /// The value of the first field of that (lower-case) name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }
}

/// A client's body as it arrives.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// All of it, buffered.
    Bytes(Bytes),
    /// Chunks as they come, of unknown total length.
    Stream(LocalBoxStream<'static, Result<Bytes, CallError>>),
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

/// A client's request.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Absolute URL: scheme, authority, path and query as they were sent (percent-encoded).
    pub url: String,
    /// The fields the host picked; at least those of `edge::PICKED_HEADERS` that the request has.
    pub headers: Headers,
    /// The body.
    pub body: RequestBody,
}

/// An answer to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The body; empty where the status allows none.
    pub body: Bytes,
}

impl Response {
    /// A response without fields and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: Bytes::new() }
    }

    /// Adds a field.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Adds a field if there is a value.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// The parts in which an answer travels.
impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let fields = response.headers.0.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        Self { status: response.status, fields, body: response.body }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let headers = Headers(answer.fields.into_iter().map(|(name, value)| (name.into(), value)).collect());
        Self { status: answer.status, headers, body: answer.body }
    }
}

impl Response {
    /// The answer to a refused request; never stored by a cache.
    pub fn refusal(refusal: &Refusal) -> Self {
        Self::new(refusal.code.status())
            .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
            .with(header::CONTENT_TYPE, "application/json")
            .with_body(refusal.to_json())
    }

    /// Adds what every response carries, and what lets a browser's script of that origin read it.
    pub fn with_common(self, allow_origin: Option<&str>) -> Self {
        self.with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .with(header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")
            .with_some(header::ACCESS_CONTROL_ALLOW_ORIGIN, allow_origin)
            .with_some(header::ACCESS_CONTROL_EXPOSE_HEADERS, allow_origin.map(|_| EXPOSED_HEADERS))
    }

    /// The answer to HEAD: the fields alone.
    pub fn without_body(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }
}

/// The response headers that scripts of other origins may read: all of the protocol's.
const EXPOSED_HEADERS: &str = "ETag, Location, Producer-Epoch, Producer-Expected-Seq, Producer-Received-Seq, \
                               Producer-Seq, Stream-Closed, Stream-Cursor, Stream-Expires-At, Stream-Next-Offset, \
                               Stream-SSE-Data-Encoding, Stream-TTL, Stream-Up-To-Date";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_other_origins_may_read_every_header_that_tells_about_a_stream() {
        for name in [
            header::ETAG,
            header::LOCATION,
            header::PRODUCER_EPOCH,
            header::PRODUCER_EXPECTED_SEQ,
            header::PRODUCER_RECEIVED_SEQ,
            header::PRODUCER_SEQ,
            header::STREAM_CLOSED,
            header::STREAM_CURSOR,
            header::STREAM_EXPIRES_AT,
            header::STREAM_NEXT_OFFSET,
            header::STREAM_SSE_DATA_ENCODING,
            header::STREAM_TTL,
            header::STREAM_UP_TO_DATE,
        ] {
            assert!(EXPOSED_HEADERS.split(", ").any(|exposed| exposed.eq_ignore_ascii_case(name)), "{name}");
        }
    }
}
