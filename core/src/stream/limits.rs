//! Limits that a deployment or a simulation sets.

use crate::protocol::limits::{
    BODY_LIMIT, DATABASE_BYTES, HOT_BYTES, LOG_ROW_BYTES, PAGE_BYTES, PRODUCER_IDLE_MS, PRODUCERS, RESERVE_BYTES,
    ROW_LIMIT, ROWS_LIMIT, SEGMENT_BYTES, SEGMENT_ROWS,
};
use crate::storage::row_key::{PARTS, POSITIONS};

/// By how much the pages of the hot log may exceed what is counted of its rows: a row that does not fill its pages takes
/// up to twice as much, and the rows of segments in R2 stay until their table is dropped, as many again at most.
const PAGES_OF_ROWS: u64 = 4;

/// The most that the row of a segment takes, in bytes: two texts of 256 bytes, a name, numbers, and unused parts of pages.
const RECORD_BYTES: u64 = 1 << 10;

/// The same of a segment without texts.
const PLAIN_RECORD_BYTES: u64 = 192;

/// The most that the row of a producer takes, in bytes: its name of 256 bytes, numbers, and unused parts of pages, which
/// are up to a half of each.
const PRODUCER_BYTES: u64 = 1 << 10;

/// What the schema, the tables' first pages, the row of the stream and its duties take at most, in bytes.
const OTHER_BYTES: u64 = 48 << 10;

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
    /// Bytes that rows may take in the hot log; beyond, appends are refused.
    pub hot_bytes: u64,
    /// Bytes that the platform lets the database take.
    pub database_bytes: u64,
    /// Producers that a stream keeps.
    pub producers: u64,
    /// How long a producer has not appended, in ms, before its place may be taken.
    pub producer_idle_ms: u64,
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
            database_bytes: DATABASE_BYTES,
            producers: PRODUCERS,
            producer_idle_ms: PRODUCER_IDLE_MS,
        }
    }
}

impl StreamLimits {
    /// A sentence on what is wrong with these limits, if anything is. With wrong ones a body might not fit the log's
    /// keys.
    pub fn problem(&self) -> Option<&'static str> {
        let positive = self.body_bytes.min(self.row_bytes).min(self.page_bytes) > 0
            && self.segment_rows.min(self.segment_bytes).min(self.producers) > 0;
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
        let segment = self.largest_segment();
        if self.hot_bytes < segment {
            return Some("the hot log may not hold one segment and one body");
        }
        if self.database_bytes < self.least_database_bytes() {
            return Some("the database may not hold one segment and one body");
        }
        None
    }

    /// How large a database has to be so that a stream can go on in it whenever R2 takes segments, in bytes.
    pub fn least_database_bytes(&self) -> u64 {
        // Rows take up to twice what is counted of them.
        self.largest_segment().saturating_mul(2).saturating_add(OTHER_BYTES + RESERVE_BYTES)
    }

    /// What the rows of one segment and of the body that seals it take at most, as [`LOG_ROW_BYTES`] counts it.
    pub fn largest_segment(&self) -> u64 {
        let bytes = self.segment_bytes.saturating_add(self.body_bytes as u64);
        // Before the last append there are fewer rows than seal the segment. Of two rows that this one adds in a row, the
        // second one holds what did not fit the first.
        let added = (bytes / self.row_bytes.max(1) as u64).saturating_mul(2).saturating_add(1);
        let rows = self.segment_rows.saturating_add(added);
        bytes.saturating_add(rows.saturating_mul(LOG_ROW_BYTES))
    }

    /// Whether the database of a stream of so many segments has room whatever else is in it. If not, its size has to be
    /// looked at.
    pub(super) fn never_fill(&self, segments: u64) -> bool {
        let log = self.hot_bytes.saturating_mul(PAGES_OF_ROWS);
        let records = segments.saturating_mul(RECORD_BYTES);
        let producers = self.producers.saturating_mul(PRODUCER_BYTES);
        let rows = log.saturating_add(records).saturating_add(producers);
        rows.saturating_add(OTHER_BYTES + RESERVE_BYTES) <= self.database_bytes
    }

    /// Whether a database of this size has less room than is kept for the rotation of so many segments.
    pub(super) fn is_filled_by(&self, bytes: u64, waiting: u64, has_texts: bool) -> bool {
        let records = waiting.saturating_mul(if has_texts { RECORD_BYTES } else { PLAIN_RECORD_BYTES });
        bytes.saturating_add(records).saturating_add(RESERVE_BYTES) > self.database_bytes
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
        let too_large = Some("the body limit is above 8 MiB or the row limit above 1 MiB");
        assert_eq!(changed(|limits| limits.row_bytes = ROW_LIMIT + 1), too_large);
        assert_eq!(changed(|limits| limits.body_bytes = BODY_LIMIT + 1), too_large);
        assert!(changed(|limits| limits.page_bytes = 0).is_some());
        assert!(changed(|limits| limits.page_bytes = usize::MAX).is_some());
        assert!(changed(|limits| limits.row_bytes = 1 << 19).is_some());
        assert!(changed(|limits| limits.body_bytes = usize::MAX).is_some());
        assert!(changed(|limits| limits.segment_bytes = 8 << 20).is_some());
        assert!(changed(|limits| limits.segment_rows = u64::MAX).is_some());
        assert!(changed(|limits| limits.hot_bytes = SEGMENT_BYTES).is_some());
        assert!(changed(|limits| limits.database_bytes = 4 * SEGMENT_BYTES).is_some());
        assert!(changed(|limits| limits.segment_rows = ROWS_LIMIT + 1).is_some());
        assert!(changed(|limits| limits.segment_rows = ROWS_LIMIT).is_none());
        assert!(changed(|limits| limits.segment_rows = 1).is_none());
        assert!(changed(|limits| limits.hot_bytes = limits.largest_segment()).is_none());
        assert!(changed(|limits| limits.hot_bytes = limits.largest_segment() - 1).is_some());
        assert!(changed(|limits| limits.database_bytes = limits.least_database_bytes()).is_none());
        assert!(changed(|limits| limits.database_bytes = limits.least_database_bytes() - 1).is_some());
    }

    #[test]
    fn a_database_need_not_be_looked_at_before_it_has_millions_of_segments() {
        let limits = StreamLimits::default();
        assert!(limits.never_fill(5_000_000));
        assert!(!limits.never_fill(6_000_000));
        assert!(!StreamLimits { database_bytes: 2 * HOT_BYTES, ..limits }.never_fill(0));
    }
}
