//! Where a request goes, as a value.

use super::cached::Caching;
use super::live::LiveRead;
use crate::protocol::Response;
use crate::protocol::message::Message;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is answered at the edge. A body is to be read and dropped first.
    Answer(Response),
    /// An object answers it.
    Forward(Forward),
    /// It is a live read: an object answers it, or it waits. A body is to be read and dropped first.
    Live(LiveRead),
}

/// A call of an object, whose answer goes to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The object's name.
    pub object: String,
    /// The message.
    pub message: Message,
    /// Whether the body goes along. If not, it is to be read and dropped.
    pub takes_body: bool,
    /// The largest body that goes along, in bytes. Instead of a larger one, the message says that it was too large.
    pub body_limit: usize,
    /// How the cache of the datacenter takes part, if it does.
    pub caching: Option<Caching>,
}
