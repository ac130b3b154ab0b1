//! What runs in a world: the edge and the object class that a deployment brings.

use tailrace_core::edge::Fetched;
use tailrace_core::runtime::{CallError, Request};

use crate::world::edge::isolate::EdgeState;
use crate::world::objects::ObjectClass;

/// A deployment.
#[allow(async_fn_in_trait)] // Futures of the platform are `!Send`.
pub trait Program: Sized + 'static {
    /// What the objects are configured with.
    type Settings: Clone + 'static;
    /// What the edge is configured with.
    type EdgeConfig: Clone + 'static;
    /// The object class.
    type Object: ObjectClass<Settings = Self::Settings>;

    /// Answers a client's request in an edge isolate. Fails only where the client's own body breaks off.
    async fn fetch(
        env: &EdgeState<Self>,
        config: &Self::EdgeConfig,
        request: Request,
    ) -> Result<Fetched<EdgeState<Self>>, CallError>;
}
