//! The calls that every cache in front has. The caller carries fetches out and reports them; the cache tells what becomes
//! of whom.

use super::arrival::{Abandoned, Arrival, Failed, Verdict};
use super::asking::Asking;
use super::head::Head;

/// What a cache keeps and hands out.
pub trait Answer: Clone {
    /// What is kept, with the fields of the 304 that has found it to be still right (RFC 9111, 3.2).
    fn freshened(self, not_modified: Self) -> Self;
}

/// A number that stands for an answer.
impl Answer for u64 {
    fn freshened(self, _: Self) -> Self {
        self
    }
}

/// How a fetch ends: with an answer, its head, and the number of the request that has brought it.
pub type Outcome<A> = Result<(Head, A, u64), Failed>;

/// A cache in front. Times are in us since the Unix epoch, and never go back.
pub trait Front<K, A> {
    /// A request arrives.
    fn arrive(&mut self, now_us: u64, asking: Asking<K>) -> Arrival<A>;

    /// The head of a fetch's answer has come, and its body is still coming: `answer` is something that can be shared
    /// while it does. Returns what becomes of those who wait, the fetch's own visitor among them, if it has one. Those
    /// who may not have it while it comes, hear by [`Front::ended`].
    fn began(&mut self, now_us: u64, fetch: u64, head: Head, answer: A, by: u64) -> Vec<(u64, Verdict<A>)>;

    /// The body of a fetch that [`began`](Front::began) has come to its end: as a whole, or it broke off. What broke off
    /// is kept no longer.
    fn ended(&mut self, now_us: u64, fetch: u64, end: Result<(), Failed>) -> Vec<(u64, Verdict<A>)>;

    /// A fetch ends, with a whole answer or without. Returns what becomes of those who wait, the fetch's own visitor
    /// among them, if it has one. It is an error of the caller to report a fetch twice; the second report means nothing.
    fn fetched(&mut self, now_us: u64, fetch: u64, outcome: Outcome<A>) -> Vec<(u64, Verdict<A>)>;

    /// A visitor has waited for as long as it was told to. Returns what becomes of it, and of others if it concerns
    /// them; nothing if it does not wait any more.
    fn wait_over(&mut self, now_us: u64, visitor: u64) -> Vec<(u64, Verdict<A>)>;

    /// A visitor leaves before it has its answer. `None` if that concerns nobody else.
    fn left(&mut self, now_us: u64, visitor: u64) -> Option<Abandoned<A>>;
}
