//! The kinds of events that cause what is counted.

use crate::kernel::named::named;

named! {
    /// A kind of event that causes what is counted.
    pub enum Cause {
        /// A creation, an append, a close or a deletion.
        Write = "write";
        /// A plain read, or a HEAD.
        Read = "read";
        /// A long-poll.
        Poll = "poll";
        /// A connection with events.
        Connection = "connection";
        /// Segments that go to R2.
        Rotation = "rotation";
        /// The search for objects in R2 that nobody names, and their deletion.
        Sweep = "sweep";
        /// The end of a stream by itself.
        Expiry = "expiry";
        /// Another release: everything starts again.
        Deploy = "deploy";
        /// What is stored, whatever happens.
        Storage = "storage";
    }
}

impl Cause {
    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
