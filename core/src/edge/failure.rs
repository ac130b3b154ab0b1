//! Answers to clients whose objects did not answer, or whose instance was lost.

use crate::protocol::{ErrorCode, Method, Refusal, Response};
use crate::runtime::CallError;

/// The answer to a client whose object did not answer. It says whether the request may have been applied.
pub(super) fn unreachable(method: Method, error: &CallError) -> Response {
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
    refused(method, &refusal)
}

/// The answer to a request of this method whose instance was lost.
pub(super) fn lost(method: Method) -> Response {
    let message = "the service failed; the request may have been applied";
    refused(method, &Refusal::new(ErrorCode::InstanceLost, message))
}

/// The edge's own refusal of a request of this method, with the fields that every response has.
pub(super) fn refused(method: Method, refusal: &Refusal) -> Response {
    let response = Response::refusal(refusal).with_common();
    if method == Method::Head { response.without_body() } else { response }
}
