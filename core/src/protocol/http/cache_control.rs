//! What caches may do with a response.

use std::fmt;

/// The value of `Cache-Control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheControl {
    /// Never stored: HEAD, `offset=now`, writes, errors, a long-poll that timed out.
    NoStore,
    /// Never stored, and of nobody else's concern: whatever answers a URL with a token.
    Private,
    /// The same of events.
    PrivateEvents,
    /// Stored, but revalidated each time: a page that ends at the tail.
    NoCache,
    /// Events: nobody on the way may keep them, or pack them anew and hold them back for it.
    Events,
    /// Stored, and served for a while without asking.
    Public {
        /// Seconds for which it is fresh.
        max_age_s: u64,
        /// Seconds for which it is fresh in caches that several clients share, if these are told another number. They then
        /// serve nothing stale (RFC 9111, 5.2.2.10).
        shared_s: Option<u64>,
        /// Seconds for which it may be served stale while it is fetched again, if anything is said about that.
        stale_s: Option<u64>,
    },
}

/// What stands before the seconds for which an answer is fresh.
const PUBLIC: &str = "public, max-age=";
/// What is stored, but revalidated each time, begins with it.
const REVALIDATED: &str = "no-cache";
/// What stands before those for which it is in shared caches.
const SHARED: &str = "s-maxage=";
/// What stands before those for which it is served stale, at the end.
const STALE: &str = ", stale-while-revalidate=";

impl CacheControl {
    /// For how many seconds an answer with this value is fresh in a shared cache, as we write it; `None` where no cache may
    /// serve it without asking.
    pub fn fresh_s(text: &str) -> Option<u64> {
        let mut parts = text.strip_prefix(PUBLIC)?.split(", ");
        let fresh_s = parts.next()?.parse().ok()?;
        match parts.find_map(|part| part.strip_prefix(SHARED)) {
            Some(shared) => shared.parse().ok(),
            None => Some(fresh_s),
        }
    }
}

impl CacheControl {
    /// The same value, as we write it, for the browser of who has asked alone; `None` where nobody keeps it anyway. A shared
    /// cache may keep also what it has to revalidate each time, and then hand it out with the fields of who has asked first.
    pub fn unshared(text: &str) -> Option<String> {
        if text.starts_with(REVALIDATED) {
            return Some(format!("private, {text}"));
        }
        let parts = text.strip_prefix(PUBLIC)?.split(", ").filter(|part| !part.starts_with(SHARED));
        Some(format!("private, max-age={}", parts.collect::<Vec<_>>().join(", ")))
    }
}

impl CacheControl {
    /// The same value, as we write it, but served for no longer than it is fresh; `None` where it says nothing else anyway.
    pub fn never_stale(text: &str) -> Option<String> {
        text.split_once(STALE).map(|(fresh, _)| fresh.to_owned())
    }

    /// What is told instead of this value, as we write it, where nobody may keep the answer; `None` where it says so.
    pub fn kept_by_nobody(text: &str) -> Option<Self> {
        match text {
            "no-store" | "private, no-store" | "private, no-store, no-transform" => None,
            _ if text.contains("no-transform") => Some(Self::PrivateEvents),
            _ => Some(Self::Private),
        }
    }
}

impl fmt::Display for CacheControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoStore => formatter.write_str("no-store"),
            Self::Private => formatter.write_str("private, no-store"),
            Self::PrivateEvents => formatter.write_str("private, no-store, no-transform"),
            Self::NoCache => formatter.write_str("no-cache"),
            Self::Events => formatter.write_str("no-cache, no-transform"),
            Self::Public { max_age_s, shared_s, stale_s } => {
                write!(formatter, "{PUBLIC}{max_age_s}")?;
                shared_s.map_or(Ok(()), |shared_s| write!(formatter, ", {SHARED}{shared_s}"))?;
                stale_s.map_or(Ok(()), |stale_s| write!(formatter, "{STALE}{stale_s}"))
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
            (CacheControl::Private, "private, no-store", None),
            (CacheControl::PrivateEvents, "private, no-store, no-transform", None),
            (CacheControl::NoCache, "no-cache", None),
            (CacheControl::Events, "no-cache, no-transform", None),
            (CacheControl::Public { max_age_s: 20, shared_s: None, stale_s: None }, "public, max-age=20", Some(20)),
            (
                CacheControl::Public { max_age_s: 0, shared_s: None, stale_s: Some(3) },
                "public, max-age=0, stale-while-revalidate=3",
                Some(0),
            ),
            (
                CacheControl::Public { max_age_s: 9, shared_s: Some(5), stale_s: Some(3) },
                "public, max-age=9, s-maxage=5, stale-while-revalidate=3",
                Some(5),
            ),
        ] {
            assert_eq!((value.to_string().as_str(), CacheControl::fresh_s(text)), (text, fresh_s));
        }
        for (text, unshared) in [
            ("public, max-age=20", Some("private, max-age=20")),
            (
                "public, max-age=9, s-maxage=5, stale-while-revalidate=3",
                Some("private, max-age=9, stale-while-revalidate=3"),
            ),
            ("no-cache", Some("private, no-cache")),
            ("no-cache, no-transform", Some("private, no-cache, no-transform")),
            ("no-store", None),
            ("private, no-store", None),
        ] {
            assert_eq!(CacheControl::unshared(text).as_deref(), unshared);
        }
        for (text, never_stale) in [
            ("public, max-age=20", None),
            ("public, max-age=20, stale-while-revalidate=3", Some("public, max-age=20")),
            ("public, max-age=9, s-maxage=5, stale-while-revalidate=3", Some("public, max-age=9, s-maxage=5")),
            ("no-cache", None),
            ("no-store", None),
        ] {
            assert_eq!(CacheControl::never_stale(text).as_deref(), never_stale);
        }
        for (text, kept_by_nobody) in [
            ("public, max-age=20", Some(CacheControl::Private)),
            ("private, max-age=20", Some(CacheControl::Private)),
            ("no-cache", Some(CacheControl::Private)),
            ("", Some(CacheControl::Private)),
            ("no-cache, no-transform", Some(CacheControl::PrivateEvents)),
            ("no-store", None),
            ("private, no-store", None),
            ("private, no-store, no-transform", None),
        ] {
            assert_eq!(CacheControl::kept_by_nobody(text), kept_by_nobody);
        }
        for text in [
            "",
            "public",
            "public, max-age=",
            "public, max-age=x",
            "private, max-age=3",
            "public, max-age=3, s-maxage=x",
        ] {
            assert_eq!(CacheControl::fresh_s(text), None, "{text:?}");
        }
    }
}
