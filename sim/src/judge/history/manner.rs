//! How a reader asks, beside where it begins.

/// How a reader asks, beside where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// It wants no stored answer: `Cache-Control: no-cache`.
    NoCache,
    /// It spells the path in another way, and the parameters in another order, with one more that means nothing.
    Reordered,
    /// It asks about the instance that answers: `Tailrace-Debug`.
    Debugged,
    /// It has some answer, and any will do: `If-None-Match: *`.
    AnyTag,
    /// It asks by way of its browser's cache.
    Browser,
}
