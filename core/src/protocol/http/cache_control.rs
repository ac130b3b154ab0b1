//! What caches may do with a response.

use std::fmt;

/// Seconds for which a page in the middle of a stream is fresh: it never changes.
const PAGE_MAX_AGE_S: u64 = 60;

/// Seconds for which such a page may be served stale while it is fetched again.
const PAGE_STALE_S: u64 = 300;

/// Seconds for which the data of a long-poll is fresh. The same URL always has this data, but later readers should get
/// newer data with it.
const LONG_POLL_MAX_AGE_S: u64 = 20;

/// The value of `Cache-Control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheControl {
    /// Never stored: HEAD, `offset=now`, writes, errors, a long-poll that timed out.
    NoStore,
    /// Stored, but revalidated each time: a page that ends at the tail.
    NoCache,
    /// Events: nobody on the way may keep them, or pack them anew and hold them back for it.
    Events,
    /// Data that a long-poll answers, at the tail or not. If the stream expires, no copy may outlive it.
    LongPoll {
        /// Milliseconds until the stream expires, if it does.
        remaining_ms: Option<u64>,
    },
    /// A page in the middle of a stream. If the stream expires, no copy may outlive it.
    Page {
        /// Milliseconds until the stream expires, if it does.
        remaining_ms: Option<u64>,
    },
}

impl fmt::Display for CacheControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoStore => formatter.write_str("no-store"),
            Self::NoCache => formatter.write_str("no-cache"),
            Self::Events => formatter.write_str("no-cache, no-transform"),
            Self::LongPoll { remaining_ms } => {
                let remaining_s = remaining_ms.map_or(LONG_POLL_MAX_AGE_S, |remaining_ms| remaining_ms / 1_000);
                write!(formatter, "public, max-age={}", remaining_s.min(LONG_POLL_MAX_AGE_S))
            }
            Self::Page { remaining_ms: None } => {
                write!(formatter, "public, max-age={PAGE_MAX_AGE_S}, stale-while-revalidate={PAGE_STALE_S}")
            }
            Self::Page { remaining_ms: Some(remaining_ms) } => {
                let remaining_s = remaining_ms / 1_000;
                let max_age_s = remaining_s.min(PAGE_MAX_AGE_S);
                let stale_s = (remaining_s - max_age_s).min(PAGE_STALE_S);
                write!(formatter, "public, max-age={max_age_s}, stale-while-revalidate={stale_s}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_fresh_for_a_minute_and_never_outlives_its_stream() {
        for (remaining_ms, expected) in [
            (None, "public, max-age=60, stale-while-revalidate=300"),
            (Some(3_600_000), "public, max-age=60, stale-while-revalidate=300"),
            (Some(360_000), "public, max-age=60, stale-while-revalidate=300"),
            (Some(100_999), "public, max-age=60, stale-while-revalidate=40"),
            (Some(60_000), "public, max-age=60, stale-while-revalidate=0"),
            (Some(2_999), "public, max-age=2, stale-while-revalidate=0"),
            (Some(0), "public, max-age=0, stale-while-revalidate=0"),
        ] {
            assert_eq!(CacheControl::Page { remaining_ms }.to_string(), expected);
        }
        assert_eq!(CacheControl::NoStore.to_string(), "no-store");
        assert_eq!(CacheControl::NoCache.to_string(), "no-cache");
        assert_eq!(CacheControl::Events.to_string(), "no-cache, no-transform");
    }

    #[test]
    fn a_long_polls_data_is_fresh_for_twenty_seconds_and_never_outlives_its_stream() {
        for (remaining_ms, max_age) in
            [(None, 20), (Some(3_600_000), 20), (Some(20_000), 20), (Some(19_999), 19), (Some(999), 0)]
        {
            let expected = format!("public, max-age={max_age}");
            assert_eq!(CacheControl::LongPoll { remaining_ms }.to_string(), expected);
        }
    }
}
