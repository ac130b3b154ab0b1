//! The body of a client's request. Core never looks into it at the edge.

use std::fmt;

/// How a body's size compares with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It is within the limit: the host has all of it, and keeps it.
    Whole,
    /// It is larger than the limit. What has come is kept until the rest is drained, or read with a larger limit.
    Beyond,
    /// An earlier task of the request has drained it, and it was not larger than the limit.
    Dropped,
}

/// A client's body broke off: its connection is gone, or what it sends is no HTTP. The platform does not say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadBroken;

impl fmt::Display for UploadBroken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body of a request broke off")
    }
}

impl std::error::Error for UploadBroken {}

/// A handle of a client's body as it arrives. Its bytes stay with the host.
///
/// What was read is not read twice: if the request is served anew ([`super::Past`]), an operation goes on where its
/// first call is, or returns what that has returned.
pub trait Upload: 'static {
    /// Reads and keeps the body, or stops once more than `limit` bytes have come; another read with a larger limit goes
    /// on there. `None` is for a body whose declared length is within the limit: HTTP delivers no more than the declared
    /// length, so nobody has to count. What takes longer than `within_ms` has broken off; `None` has no such limit.
    async fn read(&self, limit: Option<usize>, within_ms: Option<u64>) -> Result<Extent, UploadBroken>;

    /// Drops what is kept, and reads and drops the rest of the body. It is no failure if the client goes away
    /// meanwhile.
    async fn drain(&self);
}
