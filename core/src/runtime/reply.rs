//! An object's reply on its way through the edge, and kept answers.

use crate::protocol::Response;

/// A handle of an object's reply: its head is there, its body may still be on its way.
pub trait Reply: 'static {
    /// The status and the header fields; the body is empty.
    fn head(&self) -> Response;
}

/// A kept answer: complete, and plain data, so that it may cross from one request to another.
pub trait Kept: Clone + 'static {
    /// Its status.
    fn status(&self) -> u16;

    /// Its status and its header fields; the body is empty.
    fn head(&self) -> Response;
}
