//! The calls that every cache in front has. The caller carries fetches out and reports them; the cache tells what becomes
//! of whom.

use super::arrival::{Abandoned, Answer, Arrival, Failed, Outcome, Verdict};
use super::asking::Asking;
use super::head::Head;
use super::tiers::Tiers;

/// A cache in front: it has tiers, and decides which of their nodes a request reaches. Times are in us since the Unix
/// epoch, and never go back.
pub trait Front<K: Ord + Clone, A: Answer> {
    /// A request arrives.
    fn arrive(&mut self, now_us: u64, asking: Asking<K>) -> Arrival<A>;

    /// Its tiers.
    fn tiers(&mut self) -> &mut Tiers<K, A>;

    /// The head of a fetch's answer has come, and its body is still coming: `answer` is something that can be shared
    /// while it does. Returns what becomes of those who wait, the fetch's own visitor among them, if it has one. Those
    /// who may not have it while it comes, hear by [`Front::ended`].
    fn began(&mut self, now_us: u64, fetch: u64, head: Head, answer: A, by: u64) -> Vec<(u64, Verdict<A>)> {
        self.tiers().fetched(now_us, fetch, Ok((head, answer, by)), false)
    }

    /// The body of a fetch that [`began`](Front::began) has come to its end: as a whole, or it broke off. What broke off
    /// is kept no longer.
    fn ended(&mut self, now_us: u64, fetch: u64, end: Result<(), Failed>) -> Vec<(u64, Verdict<A>)> {
        self.tiers().ended(now_us, fetch, end)
    }

    /// A fetch ends, with a whole answer or without. Returns what becomes of those who wait, the fetch's own visitor
    /// among them, if it has one. It is an error of the caller to report a fetch twice; the second report means nothing.
    fn fetched(&mut self, now_us: u64, fetch: u64, outcome: Outcome<A>) -> Vec<(u64, Verdict<A>)> {
        self.tiers().fetched(now_us, fetch, outcome, true)
    }

    /// A visitor has waited for as long as it was told to. Returns what becomes of it, and of others if it concerns
    /// them; nothing if it does not wait any more.
    fn wait_over(&mut self, now_us: u64, visitor: u64) -> Vec<(u64, Verdict<A>)> {
        self.tiers().wait_over(now_us, visitor)
    }

    /// A visitor leaves before it has its answer. `None` if that concerns nobody else.
    fn left(&mut self, now_us: u64, visitor: u64) -> Option<Abandoned<A>> {
        self.tiers().left(now_us, visitor)
    }
}
