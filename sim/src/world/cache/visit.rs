//! What came of each look and each put, for those who judge.

use std::sync::Arc;

/// A look into a cache, or a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// When, in ms since the Unix epoch.
    pub ms: u64,
    /// The datacenter.
    pub colo: usize,
    /// The part of its cache.
    pub partition: u64,
    /// The isolate.
    pub isolate: usize,
    /// The number of the client's request.
    pub request: u64,
    /// The URL.
    pub key: Arc<str>,
    /// What came of it.
    pub what: Visited,
}

/// What came of a look, or of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visited {
    /// The answer was there.
    Hit {
        /// The number of the request that has stored it.
        by: u64,
    },
    /// Nothing was there.
    Missed,
    /// The answer was there, and could not be seen yet.
    NotVisibleYet,
    /// It was there, and its time was up.
    Ended,
    /// It was there, and was evicted.
    Evicted,
    /// The look failed.
    Failed,
    /// The look never came to an end.
    Stuck,
    /// An answer was stored.
    Stored {
        /// From when on it can be seen, in ms since the Unix epoch.
        visible_ms: u64,
    },
    /// An answer was to be stored, and was lost.
    Lost,
    /// An answer was to be stored, and the platform refused it.
    Refused,
}
