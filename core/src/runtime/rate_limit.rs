//! Limits of how often a client may do something.

/// A limit that a deployment may have. The host counts what each client does, in each location by itself and not at once:
/// such a limit keeps a client from doing something much too often, and is no exact count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateLimit {
    /// Of what a client opens: streams that it creates, and connections with events.
    Openings,
    /// Of requests that are refused because nobody knows whose they are.
    Failures,
}

impl RateLimit {
    /// All limits.
    pub const ALL: &[Self] = &[Self::Openings, Self::Failures];

    /// The name of its binding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Openings => "OPENINGS",
            Self::Failures => "FAILURES",
        }
    }
}
