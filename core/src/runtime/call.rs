//! Calls to objects.

use std::fmt;

use bytes::Bytes;

use super::Response;

/// The body that travels with a message to an object: the edge has collected it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectBody {
    /// There is none, or it is empty.
    Empty,
    /// All of it, at most `protocol::BODY_LIMIT` bytes.
    Bytes(Bytes),
    /// It passed the limit and was discarded; the object refuses it once it has looked at what comes first.
    TooLarge,
}

/// What reaches an object: a message of `protocol::message`, encoded, and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The encoded message.
    pub message: String,
    /// The collected body.
    pub body: ObjectBody,
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

/// A namespace of objects, each addressed by its name.
pub trait ActorNamespace {
    /// Calls the object of that name, starting it if it is not running.
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError>;
}
