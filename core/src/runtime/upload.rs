//! The body of a client's request, which the edge never looks into.

use std::fmt;

/// How much of a body there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it is kept.
    Whole,
    /// It is larger than the limit.
    Beyond,
}

/// A client's body that has broken off: its connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadBroken;

impl fmt::Display for UploadBroken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body of a request broke off")
    }
}

impl std::error::Error for UploadBroken {}

/// A client's body as it arrives. Its bytes stay with the host.
pub trait Upload: 'static {
    /// Reads to its end and keeps what comes, or until more than `limit` bytes have come. `None` is for a body whose
    /// length its client has declared: its connection lets no more through, so that nobody has to count.
    async fn read(&self, limit: Option<usize>) -> Result<Extent, UploadBroken>;

    /// Drops what is kept, and reads and drops the rest. A client that goes away meanwhile is no failure.
    async fn drain(&self);
}
