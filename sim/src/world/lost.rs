//! Why a client has no answer.

/// Why a client has no answer. Its request may have been carried out, may still be, or may never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// Nothing came within its time limit.
    TimedOut,
    /// Its connection was reset.
    Reset,
}
