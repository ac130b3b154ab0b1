//! The edge isolate's bindings.

use super::{ActorNamespace, Isolate};

/// What an edge isolate can reach.
pub trait EdgeEnv: Isolate {
    /// The namespace of stream objects.
    type Streams: ActorNamespace;

    /// The stream objects.
    fn streams(&self) -> &Self::Streams;
}
