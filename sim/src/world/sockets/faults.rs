//! What goes wrong with sockets between edge isolates and objects.

/// The knobs of sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketFaults {
    /// Of 1,000 sockets whose one end goes away (the edge's by itself or with its isolate, the object's with a reset),
    /// those whose other end is never told: it stays open, and what is sent on it is lost.
    pub half_dead_permille: u32,
}

impl SocketFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self::default()
    }
}
