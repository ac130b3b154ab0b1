//! Calls to objects.

use bytes::Bytes;

use super::{CallError, Response};

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

/// A namespace of objects, each addressed by its name.
pub trait ActorNamespace {
    /// Calls the object of that name, starting it if it is not running.
    async fn call(&self, object: &str, request: ObjectRequest) -> Result<Response, CallError>;
}
