//! The program that runs in a world: an edge and an object class.

use std::borrow::Cow;

use tailrace_core::protocol::{Headers, Method, Response};
use tailrace_core::runtime::Request;

use crate::bill::Cause;
use crate::world::edge::state::EdgeState;
use crate::world::edge::upload::Upload;
use crate::world::objects::ObjectClass;

/// A program that runs in a world.
#[allow(async_fn_in_trait)] // Futures of the platform are `!Send`.
pub trait Program: Sized + 'static {
    /// What the objects are configured with.
    type Settings: Clone + 'static;
    /// What the edge is configured with.
    type EdgeConfig: Clone + 'static;
    /// The object class.
    type Object: ObjectClass<Settings = Self::Settings>;

    /// What a client's request of that method and URL is billed for.
    fn cause(method: Method, url: &str) -> Cause;

    /// A URL as it may be written down: without what only its client may know.
    fn shown(url: &str) -> Cow<'_, str>;

    /// The answer to a client's request, of that URL and with these fields, whose task was being polled when the instance was
    /// lost.
    fn answer_when_lost(config: &Self::EdgeConfig, url: &str, headers: &Headers) -> Response;

    /// The same of the inner entrypoint.
    fn inner_when_lost() -> Response;

    /// Serves a client's request in an edge isolate.
    async fn serve(env: &EdgeState, config: &Self::EdgeConfig, request: Request<Upload>);

    /// Serves what the program itself asks of its inner entrypoint, in an edge isolate of the same datacenter.
    async fn serve_inner(env: &EdgeState, config: &Self::EdgeConfig, request: Request<Upload>);
}
