//! What an answer is, as far as caches are concerned.

/// The kinds of answers that a policy has a rule for. Whatever else is answered (HEAD, `offset=now`, writes, refusals)
/// no cache may keep, under any policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A page that a plain GET reads in the middle of the log: it never changes.
    Page,
    /// A page that a plain GET reads and that ends at the tail, or at the end of a closed stream.
    Tail,
    /// Data that answers a long-poll.
    Delivery,
    /// A long-poll's answer that nothing came.
    Silence,
    /// Events.
    Events,
}

impl AnswerKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Page, Self::Tail, Self::Delivery, Self::Silence, Self::Events];
}
