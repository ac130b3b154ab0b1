//! An object's reply on its way through the edge, and answers that are plain data.

use crate::protocol::Response;

/// An object's reply.
pub trait Reply: 'static {
    /// Status and fields.
    fn head(&self) -> Response;
}

/// A complete answer as plain data.
pub trait Kept: Clone + 'static {
    /// Its status.
    fn status(&self) -> u16;
}
