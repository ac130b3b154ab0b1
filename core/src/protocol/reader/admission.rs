//! What an edge has found out about the client that it asks an object for.

/// What an edge has found out about the client that it asks an object for. What else a token says stays at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The deployment is open to everybody: there are no tokens.
    Open,
    /// The client has a token that grants what it asks for.
    Granted,
    /// The client has shown nothing. It may read what is public.
    Stranger,
}

impl Admission {
    /// Whether the client may only read what is public.
    pub fn is_stranger(self) -> bool {
        self == Self::Stranger
    }

    /// Whether it matters to anybody who may be handed the answer.
    pub fn is_guarded(self) -> bool {
        self != Self::Open
    }
}
