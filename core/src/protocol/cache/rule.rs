//! What caches are told of a kind of answer.

use crate::protocol::CacheControl;

/// What caches are told of a kind of answer, in `Cache-Control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// They keep nothing.
    Never,
    /// They may keep it, and ask each time whether it still holds.
    Revalidate,
    /// They may serve it for `fresh_s` seconds, those that several clients share for `shared_s` instead, if that is said, and
    /// the others for `stale_s` seconds more while they fetch it again, if anything is said about that.
    Fresh {
        /// Seconds.
        fresh_s: u64,
        /// Seconds.
        shared_s: Option<u64>,
        /// Seconds.
        stale_s: Option<u64>,
    },
}

impl Rule {
    /// What caches are told of an answer of a stream that expires in so many ms (`None`: never). No copy outlives its
    /// stream.
    pub fn cache_control(self, remaining_ms: Option<u64>) -> CacheControl {
        match self {
            Self::Never => CacheControl::NoStore,
            Self::Revalidate => CacheControl::NoCache,
            Self::Fresh { fresh_s, shared_s, stale_s } => {
                let remaining_s = remaining_ms.map_or(u64::MAX, |remaining_ms| remaining_ms / 1_000);
                let max_age_s = remaining_s.min(fresh_s);
                let stale_s = stale_s.map(|stale_s| stale_s.min(remaining_s - max_age_s));
                let shared_s = shared_s.map(|shared_s| shared_s.min(remaining_s));
                CacheControl::Public { max_age_s, shared_s, stale_s }
            }
        }
    }

    /// For how many seconds a copy may be served at most, fresh or stale; `None` if no copy is served without asking.
    pub fn longest_s(self) -> Option<u64> {
        match self {
            Self::Never | Self::Revalidate => None,
            Self::Fresh { fresh_s, shared_s, stale_s } => {
                Some((fresh_s + stale_s.unwrap_or(0)).max(shared_s.unwrap_or(0)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_copy_outlives_its_stream() {
        let page = Rule::Fresh { fresh_s: 60, shared_s: None, stale_s: Some(300) };
        let poll = Rule::Fresh { fresh_s: 20, shared_s: None, stale_s: None };
        let tiered = Rule::Fresh { fresh_s: 600, shared_s: Some(60), stale_s: None };
        for (rule, remaining_ms, expected) in [
            (page, None, "public, max-age=60, stale-while-revalidate=300"),
            (page, Some(3_600_000), "public, max-age=60, stale-while-revalidate=300"),
            (page, Some(360_000), "public, max-age=60, stale-while-revalidate=300"),
            (page, Some(100_999), "public, max-age=60, stale-while-revalidate=40"),
            (page, Some(60_000), "public, max-age=60, stale-while-revalidate=0"),
            (page, Some(2_999), "public, max-age=2, stale-while-revalidate=0"),
            (page, Some(0), "public, max-age=0, stale-while-revalidate=0"),
            (poll, None, "public, max-age=20"),
            (poll, Some(3_600_000), "public, max-age=20"),
            (poll, Some(19_999), "public, max-age=19"),
            (poll, Some(999), "public, max-age=0"),
            (tiered, None, "public, max-age=600, s-maxage=60"),
            (tiered, Some(100_000), "public, max-age=100, s-maxage=60"),
            (tiered, Some(9_000), "public, max-age=9, s-maxage=9"),
            (Rule::Never, None, "no-store"),
            (Rule::Revalidate, Some(5), "no-cache"),
        ] {
            assert_eq!(rule.cache_control(remaining_ms).to_string(), expected);
        }
    }

    #[test]
    fn what_is_asked_again_each_time_has_no_longest_time() {
        for (rule, expected) in [
            (Rule::Never, None),
            (Rule::Revalidate, None),
            (Rule::Fresh { fresh_s: 60, shared_s: None, stale_s: Some(300) }, Some(360)),
            (Rule::Fresh { fresh_s: 20, shared_s: None, stale_s: None }, Some(20)),
            (Rule::Fresh { fresh_s: 20, shared_s: Some(50), stale_s: Some(1) }, Some(50)),
        ] {
            assert_eq!(rule.longest_s(), expected, "{rule:?}");
        }
    }
}
