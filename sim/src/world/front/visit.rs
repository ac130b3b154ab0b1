//! What came of each request that has reached a cache in front, for those who judge.

use std::sync::Arc;

/// A request that a cache in front has served, or has brought to its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontVisit {
    /// When, in ms since the Unix epoch.
    pub ms: u64,
    /// The datacenter.
    pub colo: usize,
    /// The node of a zone within it; 0 in Workers Cache.
    pub node: u64,
    /// The number of the request: a client's, or the cache's own, by which it freshens what it serves stale.
    pub request: u64,
    /// The URL, as it was spelled.
    pub key: Arc<str>,
    /// What came of it.
    pub what: FrontVisited,
}

/// What came of a request. `by` is the number of the request whose fetch has brought the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrontVisited {
    /// It was served what was kept, by the tier of its datacenter or by the upper one.
    Hit {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether the upper tier had it.
        upper: bool,
    },
    /// It has waited for the fetch that `by` has made.
    Joined {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether it has waited at the upper tier.
        upper: bool,
    },
    /// It was served what was stale.
    Stale {
        /// Whose fetch has brought the bytes.
        by: u64,
        /// Whether the upper tier had it.
        upper: bool,
    },
    /// It was served what was kept, after a 304 has told that it is still right.
    Revalidated {
        /// Whose fetch has brought the bytes.
        by: u64,
    },
    /// It was fetched for it, and may be kept.
    Fetched,
    /// It was fetched for it alone.
    Passed,
    /// It has waited too long for another's fetch, and asks by itself or takes the lock over.
    WaitOver,
    /// It has no answer: the fetch was lost.
    Failed,
    /// It has left before it had an answer.
    Left,
}

/// The place of an upper tier, which all datacenters share.
pub const UPPER_TIER: &str = "upper";

/// A request that a cache in front has sent to its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontFetch {
    /// The number of the request.
    pub request: u64,
    /// The number of the client's request that it asks the same as: itself, but where it is the cache's own.
    pub asks: u64,
    /// Which cache, and under which key. Caches at different places know nothing of each other.
    pub place: (Arc<str>, Arc<str>),
    /// When it was sent, in ms since the Unix epoch.
    pub from_ms: u64,
    /// When its answer had come as a whole, or its head where others read it while it comes; `None` if it was lost.
    pub to_ms: Option<u64>,
    /// When nothing more came of it, in ms since the Unix epoch: its answer was whole, or it was lost or given up.
    pub over_ms: Option<u64>,
    /// Whether it was given up.
    pub is_given_up: bool,
    /// Why it was sent.
    pub why: FetchedFor,
}

/// Why a cache in front has sent a request to its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchedFor {
    /// It had nothing, and nobody was asking: others wait for the answer.
    Miss,
    /// It asks whether what it has is still right, or for something fresher.
    Freshness,
    /// One that had waited for the answer of another fetch asks: it has taken that one's lock over, or asks alone.
    Waiter,
    /// One that may not wait, or for which there is no lock, asks alone.
    Loner,
    /// It remembers that others have no use for the answer.
    Uncacheable,
}
