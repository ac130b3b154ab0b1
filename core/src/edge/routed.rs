//! Where a request goes, as a value.

use super::cached::Caching;
use super::live::LiveRead;
use crate::protocol::Response;
use crate::protocol::message::{Message, Operation};
use crate::protocol::project::ProjectMessage;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is answered at the edge. A body is to be read and dropped first.
    Answer(Response),
    /// An object answers it.
    Forward(Forward),
    /// It is a live read: an object answers it, or it waits. A body is to be read and dropped first.
    Live(LiveRead),
    /// The object of a project answers it.
    Project(ProjectForward),
    /// It is answered with what KV lists. A body is to be read and dropped first.
    Projects {
        /// Where the page of the listing begins; `None` for the first one.
        cursor: Option<String>,
    },
}

/// A call of a project's object, whose answer goes to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectForward {
    /// The message.
    pub message: ProjectMessage,
    /// Whether the body goes along. If not, it is to be read and dropped.
    pub takes_body: bool,
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
    /// The URL of which the inner entrypoint is asked by a gateway; `None` if a gateway would serve it by itself.
    pub inner_url: Option<String>,
}

impl Routed {
    /// For a read that a gateway forwards: the URL of which the inner entrypoint is asked, and the entity tags of what
    /// the client has.
    pub(super) fn forwarded(&self) -> Option<(&str, Option<&str>)> {
        let (url, read) = match self {
            Self::Live(live) => (&live.inner_url, &live.read),
            Self::Forward(Forward { inner_url, message: Message { operation: Operation::Read(read), .. }, .. }) => {
                (inner_url, read)
            }
            Self::Answer(_) | Self::Forward(_) | Self::Project(_) | Self::Projects { .. } => return None,
        };
        Some((url.as_deref()?, read.if_none_match.as_deref()))
    }
}
