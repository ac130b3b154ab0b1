//! What caches may do with a response.

use std::fmt;

/// The value of `Cache-Control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheControl {
    /// Never stored: HEAD, `offset=now`, writes, errors, a long-poll that timed out.
    NoStore,
    /// Stored, but revalidated each time: a page that ends at the tail.
    NoCache,
    /// Events: nobody on the way may keep them, or pack them anew and hold them back for it.
    Events,
    /// Stored, and served for a while without asking.
    Public {
        /// Seconds for which it is fresh.
        max_age_s: u64,
        /// Seconds for which it may be served stale while it is fetched again, if anything is said about that.
        stale_s: Option<u64>,
    },
}

/// What stands before the seconds for which an answer is fresh.
const PUBLIC: &str = "public, max-age=";

impl CacheControl {
    /// For how many seconds an answer with this value is fresh, as we write it; `None` where no cache may serve it
    /// without asking.
    pub fn fresh_s(text: &str) -> Option<u64> {
        let rest = text.strip_prefix(PUBLIC)?;
        rest.split_once(',').map_or(rest, |(fresh, _)| fresh).parse().ok()
    }
}

impl fmt::Display for CacheControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoStore => formatter.write_str("no-store"),
            Self::NoCache => formatter.write_str("no-cache"),
            Self::Events => formatter.write_str("no-cache, no-transform"),
            Self::Public { max_age_s, stale_s: None } => write!(formatter, "{PUBLIC}{max_age_s}"),
            Self::Public { max_age_s, stale_s: Some(stale_s) } => {
                write!(formatter, "{PUBLIC}{max_age_s}, stale-while-revalidate={stale_s}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fresh_for_a_while_says_so() {
        for (value, text, fresh_s) in [
            (CacheControl::NoStore, "no-store", None),
            (CacheControl::NoCache, "no-cache", None),
            (CacheControl::Events, "no-cache, no-transform", None),
            (CacheControl::Public { max_age_s: 20, stale_s: None }, "public, max-age=20", Some(20)),
            (
                CacheControl::Public { max_age_s: 0, stale_s: Some(3) },
                "public, max-age=0, stale-while-revalidate=3",
                Some(0),
            ),
        ] {
            assert_eq!((value.to_string().as_str(), CacheControl::fresh_s(text)), (text, fresh_s));
        }
        for text in ["", "public", "public, max-age=", "public, max-age=x", "private, max-age=3"] {
            assert_eq!(CacheControl::fresh_s(text), None, "{text:?}");
        }
    }
}
