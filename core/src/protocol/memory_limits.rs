//! What may be in the memory of one isolate at a time, in bytes.
//!
//! An isolate has 128 MB (Cloudflare, Workers and Durable Objects limits), which edge and objects may share. The sum of
//! these limits is below that, with as much again for copies on the way between runtime and core.

/// Bytes that may be held at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// The bodies of requests that an isolate holds. Whoever comes with another one is told to come again.
    pub bodies_bytes: usize,
    /// What one object sends at once, all copies for its sockets together: what it sends within a second counts. More
    /// is not pushed but announced, and read from the log.
    pub pushed_bytes: usize,
    /// What waits for all clients of an isolate whose answers are written piece by piece. Where it is more, nobody is sent
    /// more who has not taken what was sent before, and whoever has not read for longest loses its connection.
    pub clients_bytes: usize,
}

impl Default for MemoryLimits {
    /// Our choice: a quarter of what an isolate has, each.
    fn default() -> Self {
        Self { bodies_bytes: 32 << 20, pushed_bytes: 32 << 20, clients_bytes: 32 << 20 }
    }
}
