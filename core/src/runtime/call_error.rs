//! How a call to an object fails.

use std::fmt;

/// Why a call has no answer. Whether the object applied it is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The object or the connection to it went away.
    Reset,
    /// The object has more to do than it can hold; nothing was applied.
    Overloaded,
    /// The object threw; its words, for operators.
    Exception(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => formatter.write_str("the connection was reset"),
            Self::Overloaded => formatter.write_str("the object is overloaded"),
            Self::Exception(message) => write!(formatter, "the object threw: {message}"),
        }
    }
}

impl std::error::Error for CallError {}
