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
    /// Header fields, their names in lower case, without `content-length`, which the client's library adds.
    pub headers: Headers,
    /// The body.
    pub body: RequestBody,
}
