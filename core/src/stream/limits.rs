//! Limits that a deployment or a simulation sets.

use crate::protocol::limits::{BODY_LIMIT, HOT_BYTES, PAGE_BYTES, ROW_LIMIT, ROWS_LIMIT, SEGMENT_BYTES, SEGMENT_ROWS};
use crate::storage::row_key::{PARTS, POSITIONS};

/// Sizes at which bodies are refused, rows split, pages end and segments are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Largest body, in bytes.
    pub body_bytes: usize,
    /// Largest body of a row, in bytes.
    pub row_bytes: usize,
    /// Bytes after which a page ends; it holds at least one message.
    pub page_bytes: usize,
    /// Rows of the log after which a segment is sealed. A row holds what one append has brought, or part of it.
    pub segment_rows: u64,
    /// Bytes after which a segment is sealed.
    pub segment_bytes: u64,
    /// Bytes of the hot log beyond which appends are refused.
    pub hot_bytes: u64,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            body_bytes: BODY_LIMIT,
            row_bytes: ROW_LIMIT,
            page_bytes: PAGE_BYTES,
            segment_rows: SEGMENT_ROWS,
            segment_bytes: SEGMENT_BYTES,
            hot_bytes: HOT_BYTES,
        }
    }
}

impl StreamLimits {
    /// A sentence on what is wrong with these limits, if anything is. With wrong ones a body might not fit the log's
    /// keys.
    pub fn problem(&self) -> Option<&'static str> {
        let positive = self.body_bytes.min(self.row_bytes).min(self.page_bytes) > 0
            && self.segment_rows.min(self.segment_bytes) > 0;
        if !positive {
            return Some("a limit is zero");
        }
        if self.row_bytes > ROW_LIMIT || self.body_bytes > BODY_LIMIT {
            return Some("the body limit is above 8 MiB or the row limit above 1 MiB");
        }
        if self.page_bytes > BODY_LIMIT {
            return Some("the page size is above 8 MiB");
        }
        if self.body_bytes as u64 >= PARTS * self.row_bytes as u64 {
            return Some("a body may need more rows than a message can have");
        }
        // A position is a byte, or a message of at least one byte, so a segment has at most as many positions as bytes.
        // Before its last append it is below its limits.
        let positions = self.segment_bytes.saturating_add(self.body_bytes as u64);
        if positions >= POSITIONS {
            return Some("a segment may hold more positions than a key can count");
        }
        if self.segment_rows > ROWS_LIMIT {
            return Some("a segment may have more rows than the index of its object in R2 should have entries");
        }
        if self.hot_bytes < self.segment_bytes.saturating_add(self.body_bytes as u64) {
            return Some("the hot log may not hold one segment and one body");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_every_key_can_hold_are_sound() {
        assert_eq!(StreamLimits::default().problem(), None);
        let changed = |change: fn(&mut StreamLimits)| {
            let mut limits = StreamLimits::default();
            change(&mut limits);
            limits.problem()
        };
        assert!(changed(|limits| limits.page_bytes = 0).is_some());
        assert!(changed(|limits| limits.page_bytes = usize::MAX).is_some());
        assert!(changed(|limits| limits.row_bytes = 1 << 19).is_some());
        assert!(changed(|limits| limits.body_bytes = usize::MAX).is_some());
        assert!(changed(|limits| limits.segment_bytes = 8 << 20).is_some());
        assert!(changed(|limits| limits.segment_rows = u64::MAX).is_some());
        assert!(changed(|limits| limits.hot_bytes = SEGMENT_BYTES).is_some());
        assert!(changed(|limits| limits.segment_rows = ROWS_LIMIT + 1).is_some());
        assert!(changed(|limits| limits.segment_rows = ROWS_LIMIT).is_none());
        assert!(changed(|limits| limits.segment_rows = 1).is_none());
    }
}
