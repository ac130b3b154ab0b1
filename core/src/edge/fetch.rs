//! The way of a request over the runtime traits.

use super::body::collect;
use super::{Access, Bridge, EdgeConfig, Routed, long_poll, route, sse};
use crate::protocol::message::Live;
use crate::protocol::{ErrorCode, Refusal};
use crate::runtime::{
    ActorNamespace, CallError, EdgeEnv, Flights, Method, ObjectBody, ObjectRequest, Request, Response,
};

/// What becomes of a client's request.
pub enum Fetched<E: EdgeEnv> {
    /// An answer, complete.
    Answer(Response),
    /// An answer that goes on: the host sends the head, and runs the bridge with the body in the request's context.
    Stream {
        /// Status and fields.
        head: Response,
        /// What feeds the body.
        bridge: Box<Bridge<E>>,
    },
}

/// Answers a client's request. Fails only where the client's own body breaks off.
pub async fn fetch<E: Flights>(env: &E, config: &EdgeConfig, request: Request) -> Result<Fetched<E>, CallError> {
    let Request { method, url, headers, body } = request;
    let forward = match route(config, method, &url, &headers) {
        Routed::Answer(response) => {
            collect(body, 0).await?;
            return Ok(Fetched::Answer(response));
        }
        Routed::Forward(forward) => forward,
        Routed::Live(live) => {
            collect(body, 0).await?;
            return Ok(match live.mode {
                Live::Sse => sse::open(env, config, &live).await,
                Live::LongPoll => Fetched::Answer(long_poll::answer(env, config, &live).await),
            });
        }
    };
    let body = match forward.collect_body {
        true => collect(body, forward.body_limit).await?,
        false => {
            collect(body, 0).await?;
            ObjectBody::Empty
        }
    };
    let call = env.streams().call(&forward.object, ObjectRequest { message: forward.message, body }).await;
    Ok(Fetched::Answer(call.unwrap_or_else(|error| unreachable(config, method, &error))))
}

/// The answer where an object has none. Whether the request was applied is unknown, unless the object was overloaded.
pub fn unreachable(config: &EdgeConfig, method: Method, error: &CallError) -> Response {
    tracing::error!(%error, "an object did not answer");
    let refusal = match error {
        CallError::Overloaded => {
            Refusal::new(ErrorCode::ObjectOverloaded, "the stream is overloaded; nothing was applied")
        }
        CallError::Reset => Refusal::new(
            ErrorCode::ObjectUnavailable,
            "the stream could not be reached; the request may have been applied",
        ),
        CallError::Exception(_) => {
            Refusal::new(ErrorCode::Internal, "the stream failed; the request may have been applied")
        }
    };
    let response = Response::refusal(&refusal).with_common((config.access == Access::NoAuth).then_some("*"));
    if method == Method::Head { response.without_body() } else { response }
}
