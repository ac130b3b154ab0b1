//! Calls to objects.

use std::fmt;

use bytes::Bytes;

use super::Upgrade;
use crate::protocol::Response;

/// A call as it reaches an object: an encoded message of `protocol::message`, and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The encoded message.
    pub message: String,
    /// The client's body; empty if there is none, or if the edge discarded it, which the message says.
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
    /// A socket on which the edge may wait. The host accepts it in the same turn that returns this, so that no other
    /// event runs between the two.
    Upgrade(Upgrade),
}

/// Why a call has no answer. Whether the object applied it is unknown, unless it was overloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The object was reset, or the connection to it was lost.
    Reset,
    /// The object has more to do than it can hold; nothing was applied.
    Overloaded,
    /// The object threw an exception, whose message is for operators.
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
