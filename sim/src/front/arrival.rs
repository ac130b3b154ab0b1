//! What becomes of a request that has reached a cache in front.

use std::rc::Rc;

use super::head::Head;

/// What becomes of a request at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival<A> {
    /// It is served from the cache. If `refresh` is there, the caller carries that fetch out as well, for nobody
    /// (stale-while-revalidate), and reports it as any other.
    Serve {
        /// What it is served.
        served: Served<A>,
        /// The fetch that freshens what was served.
        refresh: Option<Fetch>,
    },
    /// The caller carries this fetch out for this visitor, and reports how it ends.
    Fetch(Fetch),
    /// It waits for another visitor's fetch. If it still waits at `until_us`, the caller calls
    /// [`super::Front::wait_over`].
    Wait {
        /// Until when, in us since the Unix epoch.
        until_us: u64,
    },
}

/// A fetch that the caller carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Its number, by which the caller reports it. Fetches are counted apart from visitors.
    pub number: u64,
    /// Asks whether what is kept under this entity tag is still right (`If-None-Match`). Without a tag it asks for the
    /// whole, whatever the visitor has said.
    pub tag: Option<Rc<str>>,
    /// Whether others wait for it, or may come to.
    pub holds_lock: bool,
    /// Whether the cache takes no part: the visitor's own request goes on as it is, with its own `If-None-Match`, and its
    /// answer goes to it alone.
    pub passes: bool,
}

/// An answer out of a cache, or through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<A> {
    /// The answer.
    pub answer: A,
    /// How old it is, in seconds: what the cache says in `Age`.
    pub age_s: u64,
    /// The number of the request whose fetch has brought the bytes.
    pub by: u64,
    /// How it came about.
    pub how: How,
    /// Which tier had it, or fetched it.
    pub tier: Tier,
}

/// How a visitor came by its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It was kept, and fresh.
    Hit,
    /// It was kept, and is being fetched again.
    Stale,
    /// It was fetched for another visitor, for which this one has waited.
    Joined,
    /// It was kept, and was found to be still right when it was asked for (304).
    Revalidated,
    /// It was fetched for this visitor, and may be kept.
    Fetched,
    /// It was fetched for this visitor, and may not be kept.
    Passed,
}

/// A tier of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The one of the visitor's datacenter.
    Lower,
    /// The one that is one for all datacenters.
    Upper,
}

/// What becomes of a visitor that has waited, or has fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<A> {
    /// It is served.
    Serve(Served<A>),
    /// The caller carries this fetch out for it: alone, or for all that go on waiting.
    Fetch(Fetch),
    /// It goes on waiting, until then at most.
    Wait {
        /// Until when, in us since the Unix epoch.
        until_us: u64,
    },
    /// There is no answer.
    Failed,
}

/// A fetch that ended without an answer: the origin could not be reached, or its connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// What comes of it that a visitor leaves for which something was fetched: the fetch is given up, and nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned<A> {
    /// The fetch: the caller ends it, and does not report it. `None` if the visitor's cache has waited for another
    /// tier.
    pub fetch: Option<u64>,
    /// What becomes of those who had waited for it.
    pub others: Vec<(u64, Verdict<A>)>,
}

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
