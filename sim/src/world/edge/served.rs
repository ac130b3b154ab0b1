//! An answer as it leaves an isolate.

use tailrace_core::protocol::Response;

use crate::world::edge::download::AnswerBody;

/// An answer as it leaves an isolate.
pub(crate) struct Served {
    /// The whole answer, or its head if `body` is there.
    pub(crate) response: Response,
    /// The body, if it is written piece by piece.
    pub(crate) body: Option<AnswerBody>,
}
