//! When requests have called objects, and when their answers have left the edge.

use std::collections::BTreeMap;

/// When a request was at the edge, in ms since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeTimes {
    /// When it has called an object last.
    pub called_ms: Option<u64>,
    /// When its answer has left, or the head of one that is written piece by piece.
    pub left_ms: Option<u64>,
}

/// Those of all requests, by their numbers.
pub type Times = BTreeMap<u64, EdgeTimes>;
