//! The answer to a client whose object did not answer.

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
    let response = Response::refusal(&refusal).with_common(config.allow_origin());
    if method == Method::Head { response.without_body() } else { response }
}
