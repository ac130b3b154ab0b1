//! What caches in front of the Worker have done, as the world knows it: whose bytes each of them has handed to whom, and
//! when those had been asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Op;

/// What caches in front have done in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// What was handed out, by the number of the request that has it.
    pub handed: BTreeMap<u64, Handed>,
    /// What was asked of the Worker, by the number of the request that was sent to it.
    pub fetches: BTreeMap<u64, Fetch>,
}

/// An answer that a cache in front has handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    /// When, in virtual ms.
    pub ms: u64,
    /// The number of the request to the Worker that has brought the bytes.
    pub by: u64,
    /// The number of the latest one that was told by the Worker that they still hold, if there is one.
    pub confirmed: Option<u64>,
    /// How it came to have them.
    pub how: How,
}

/// How a cache in front came to have an answer for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It had been stored, and was fresh.
    Hit,
    /// It had been stored, was fresh no more, and is asked for again meanwhile.
    Stale,
    /// Another request had asked for it already.
    Joined,
}

/// A request that a cache in front has sent to the Worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The number of the client's request that it asks the same as.
    pub asks: u64,
    /// Which cache, and under which key: caches know nothing of each other.
    pub place: (Arc<str>, Arc<str>),
    /// When it was sent, in virtual ms.
    pub from_ms: u64,
    /// When its answer came, in virtual ms; none if it never came, or was lost.
    pub to_ms: Option<u64>,
    /// Why it was sent.
    pub why: Why,
}

/// Why a cache in front has sent a request to the Worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It had nothing, and nobody else was asking: others wait for the answer.
    Missed,
    /// What it had was fresh no more.
    Refresh,
    /// It has waited too long for the answer of another one, or that was lost, or of no use to others.
    Alone,
    /// It knows, or has learnt, that the answer is of no use to others.
    Uncacheable,
}

impl Fronts {
    /// What was handed to a request that no request of its own was sent to the Worker for.
    pub fn handed_to(&self, op: &Op) -> Option<Handed> {
        self.handed.get(&op.request).copied()
    }

    /// From when to when the bytes of that request to the Worker may have been given, in virtual ms.
    pub fn given_ms(&self, by: u64) -> (u64, u64) {
        self.fetches.get(&by).map_or((0, u64::MAX), |fetch| (fetch.from_ms, fetch.to_ms.unwrap_or(u64::MAX)))
    }
}
