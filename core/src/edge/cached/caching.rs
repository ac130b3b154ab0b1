//! How the cache of the datacenter takes part in a read: a pure function of the request.

use crate::mutant::mutated;
use crate::protocol::cache::{self, CachePolicy};
use crate::protocol::message::{Live, Read};
use crate::protocol::{Admission, Headers, header};

/// How the cache of the datacenter takes part in a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caching {
    /// Under which URL the answer is kept.
    pub key: String,
    /// Whether a kept answer will do. If not, what the object answers is kept all the same.
    pub looks_up: bool,
    /// Whether only a kept answer of a public stream will do, since the client has shown no grant.
    pub public_only: bool,
}

impl Caching {
    /// How it takes part in this read of an object's stream; `None` if it does not.
    pub(in crate::edge) fn of(
        policy: &CachePolicy,
        origin: &str,
        object: &str,
        read: &Read,
        query: &str,
        headers: &Headers,
        admission: Admission,
    ) -> Option<Self> {
        if read.live == Some(Live::Sse) || !policy.keeps_any(read.live.is_some()) {
            return None;
        }
        if asks_with(headers, "no-store") {
            return None;
        }
        let looks_up = !refuses_copies(headers);
        let (looks_up, public_only) = (looks_up || mutated!(NoCacheIgnored), admission.is_stranger());
        cache::key(origin, object, read, query).map(|key| Self { key, looks_up, public_only })
    }

    /// How it takes part in a further read of the same stream.
    pub(in crate::edge) fn of_next(&self, object: &str, read: &Read) -> Option<Self> {
        let key = cache::key(cache::origin_of(&self.key)?, object, read, "")?;
        Some(Self { key, looks_up: true, public_only: self.public_only })
    }
}

/// Whether a request's `Cache-Control` says that the client wants no copy, however new.
pub(in crate::edge) fn refuses_copies(headers: &Headers) -> bool {
    ["no-store", "no-cache", "max-age=0"].into_iter().any(|directive| asks_with(headers, directive))
}

/// Whether a request's `Cache-Control` has this directive.
fn asks_with(headers: &Headers, directive: &str) -> bool {
    let directives = headers.get(header::CACHE_CONTROL).unwrap_or_default();
    directives.split(',').any(|part| part.trim_matches([' ', '\t']).eq_ignore_ascii_case(directive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Offset, ReadFrom};

    fn of(policy: &str, live: Option<Live>, from: ReadFrom, cache_control: Option<&str>) -> Option<bool> {
        let policy = CachePolicy::named(policy).expect("a policy");
        let read =
            Read { from, if_none_match: None, live, cursor: None, from_now: from == ReadFrom::Now, is_kept: false };
        let mut headers = Headers::default();
        cache_control.into_iter().for_each(|value| headers.push(header::CACHE_CONTROL, value));
        Caching::of(&policy, "https://a.example", "_default/a", &read, "", &headers, Admission::Open)
            .map(|caching| caching.looks_up)
    }

    #[test]
    fn reads_take_part_whose_answers_the_policy_keeps() {
        let (default, poll, sse) = ("immutable-and-long-poll", Some(Live::LongPoll), Some(Live::Sse));
        let at = ReadFrom::At(Offset::start_of(0));
        for (policy, live, from, expected) in [
            (default, None, ReadFrom::Start, Some(true)),
            (default, None, at, Some(true)),
            (default, poll, at, Some(true)),
            (default, None, ReadFrom::Now, None),
            (default, poll, ReadFrom::Now, None),
            (default, sse, at, None),
            ("immutable", None, at, Some(true)),
            ("immutable", poll, at, None),
            ("nothing", None, at, None),
        ] {
            assert_eq!(of(policy, live, from, None), expected, "{policy} {live:?} {from}");
        }
    }

    #[test]
    fn a_client_that_wants_no_copy_gets_none() {
        for (cache_control, expected) in [
            ("max-age=60", Some(true)),
            ("no-cachex, only-if-cached", Some(true)),
            ("no-cache", Some(false)),
            ("No-Cache", Some(false)),
            ("max-age=0", Some(false)),
            ("max-age=9,\tno-cache", Some(false)),
            ("no-store", None),
            ("no-cache, no-store", None),
        ] {
            assert_eq!(of("immutable", None, ReadFrom::Start, Some(cache_control)), expected, "{cache_control}");
        }
    }
}
