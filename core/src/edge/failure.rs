//! Answers to clients whose objects did not answer, or whose instance was lost.

use super::config::EdgeConfig;
use crate::protocol::{ErrorCode, Method, Refusal, Response};
use crate::runtime::CallError;

/// The answer to a client whose object did not answer. It says whether the request may have been applied.
pub(super) fn unreachable(config: &EdgeConfig, method: Method, error: &CallError) -> Response {
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
    refused(config, method, &refusal)
}

/// The answer to a request at which the instance was lost, which the host has to give: there is no task any more. The
/// host asks for it in advance.
pub fn answer_when_lost(config: &EdgeConfig) -> Response {
    lost(config, Method::Get)
}

/// The answer to a request of this method whose instance was lost.
pub(super) fn lost(config: &EdgeConfig, method: Method) -> Response {
    let message = "the service failed; the request may have been applied";
    refused(config, method, &Refusal::new(ErrorCode::InstanceLost, message))
}

/// The edge's own refusal of a request of this method, with the fields that every response has.
pub(super) fn refused(config: &EdgeConfig, method: Method, refusal: &Refusal) -> Response {
    let response = Response::refusal(refusal).with_common(config.allow_origin());
    if method == Method::Head { response.without_body() } else { response }
}
