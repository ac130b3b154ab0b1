//! An invariant that does not hold.

use std::fmt;

use super::Invariant;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// The stream's path.
    pub stream: String,
    /// The operations that show it, as indices of [`History::ops`](crate::judge::history::History::ops).
    pub ops: Vec<usize>,
    /// How.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of stream {}: {}", self.invariant, self.stream, self.message)
    }
}
