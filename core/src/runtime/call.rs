//! Calls to objects.

use std::fmt;

use bytes::Bytes;

use super::Upgrade;
use crate::protocol::Response;

/// What reaches an object: a message of `protocol::message`, encoded, and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The encoded message.
    pub message: String,
    /// The client's body; empty where there is none, or where it was discarded, which the message tells.
    pub body: Bytes,
}

impl ObjectRequest {
    /// A message without a body.
    pub fn of(message: String) -> Self {
        Self { message, body: Bytes::new() }
    }
}

/// What an object answers a call with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectAnswer {
    /// A response.
    Response(Response),
    /// A socket on which the edge may wait. The host accepts it in the very turn that returns this, so that no other
    /// event comes between.
    Upgrade(Upgrade),
}

/// Why a call has no answer. Whether the object applied it is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The object or the connection to it went away.
    Reset,
    /// The object has more to do than it can hold; nothing was applied.
    Overloaded,
    /// The object threw; its words, for operators.
    Exception(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => formatter.write_str("the connection was reset"),
            Self::Overloaded => formatter.write_str("the object is overloaded"),
            Self::Exception(message) => write!(formatter, "the object threw: {message}"),
        }
    }
}

impl std::error::Error for CallError {}
