//! A browser's own cache (RFC 9111). It is private, keeps what it may keep under the
//! URL as it was spelled, counts the age that it was told, and asks with the tag once an answer is stale. Within
//! `stale-while-revalidate` it hands out the stale one and asks meanwhile (RFC 5861).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::judge::history::ClientAnswer;

/// A browser's cache.
#[derive(Debug, Default)]
pub(super) struct BrowserCache {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The request that brought the body: an index of the history's operations.
    op: usize,
    tag: Option<String>,
    /// When it was given, in ms: when it was asked for, less the age that it was told.
    given_ms: u64,
    fresh_s: u64,
    stale_s: u64,
}

/// What the cache has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// This request's answer, which is fresh.
    Fresh(usize),
    /// This request's answer, which may be handed out while it is asked for again with the tag.
    Stale(usize, Option<String>),
    /// This request's answer, which has to be asked for again with the tag.
    Revalidate(usize, String),
    /// Nothing of use.
    Nothing,
}

impl BrowserCache {
    pub(super) fn look(&self, now_ms: u64, url: &str) -> Look {
        let Some(Entry { op, tag, given_ms, fresh_s, stale_s }) = self.entries.get(url) else { return Look::Nothing };
        let age_ms = now_ms.saturating_sub(*given_ms);
        match tag {
            _ if age_ms < fresh_s * 1_000 => Look::Fresh(*op),
            tag if age_ms < (fresh_s + stale_s) * 1_000 => Look::Stale(*op, tag.clone()),
            Some(tag) => Look::Revalidate(*op, tag.clone()),
            None => Look::Nothing,
        }
    }

    /// Takes the answer that a request has brought which was asked for at that time: a 304 freshens what is kept.
    pub(super) fn take(&mut self, asked_ms: u64, url: &str, op: usize, answer: Option<&ClientAnswer>) {
        let Some(answer) = answer else { return };
        let Some((fresh_s, stale_s)) = lifetime_s(answer.cache_control.as_deref().unwrap_or_default()) else {
            self.entries.remove(url);
            return;
        };
        let given_ms = asked_ms.saturating_sub(answer.age_s.unwrap_or(0) * 1_000);
        let tag = answer.etag.clone();
        match answer.status {
            200 => {
                self.entries.insert(url.to_owned(), Entry { op, tag, given_ms, fresh_s, stale_s });
            }
            304 => {
                if let Some(entry) = self.entries.get_mut(url) {
                    *entry = Entry { op: entry.op, tag: entry.tag.take(), given_ms, fresh_s, stale_s };
                }
            }
            _ => {
                self.entries.remove(url);
            }
        }
    }
}

/// For how long an answer is fresh, and may be served stale then, in seconds; `None` if it is not kept.
fn lifetime_s(cache_control: &str) -> Option<(u64, u64)> {
    let directives = || cache_control.split(',').map(str::trim);
    if directives().any(|directive| directive == "no-store") {
        return None;
    }
    let seconds = |name: &str| directives().find_map(|directive| directive.strip_prefix(name)?.parse().ok());
    match directives().any(|directive| directive == "no-cache") {
        true => Some((0, 0)),
        false => Some((seconds("max-age=").unwrap_or(0), seconds("stale-while-revalidate=").unwrap_or(0))),
    }
}

/// The browser's cache of a client, which what asks along shares.
pub(super) type Browser = Rc<RefCell<BrowserCache>>;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    fn answer(status: u16, cache_control: &str, age_s: Option<u64>) -> ClientAnswer {
        ClientAnswer {
            status,
            age_s,
            cache_control: Some(cache_control.to_owned()),
            etag: Some("\"t\"".to_owned()),
            ..ClientAnswer::default()
        }
    }

    #[test]
    fn an_answer_is_fresh_then_stale_and_then_asked_for_again() {
        let tag = || Some("\"t\"".to_owned());
        for (cache_control, age_s, expected) in [
            (PAGE, None, [Look::Fresh(3), Look::Fresh(3), Look::Stale(3, tag()), Look::Revalidate(3, "\"t\"".into())]),
            // What it was told of its age counts.
            (
                PAGE,
                Some(50),
                [Look::Fresh(3), Look::Stale(3, tag()), Look::Stale(3, tag()), Look::Revalidate(3, "\"t\"".into())],
            ),
            ("no-cache", None, [(); 4].map(|()| Look::Revalidate(3, "\"t\"".into()))),
            ("no-store", None, [(); 4].map(|()| Look::Nothing)),
        ] {
            let mut cache = BrowserCache::default();
            cache.take(100_000, "u", 3, Some(&answer(200, cache_control, age_s)));
            let looks = [100_001, 130_000, 170_000, 460_000].map(|now_ms| cache.look(now_ms, "u"));
            assert_eq!(looks, expected, "{cache_control} {age_s:?}");
            assert_eq!(cache.look(100_001, "other"), Look::Nothing);
        }
    }

    #[test]
    fn a_304_freshens_an_answer_and_a_refusal_removes_it() {
        let mut cache = BrowserCache::default();
        cache.take(0, "u", 3, Some(&answer(200, PAGE, None)));
        cache.take(400_000, "u", 4, Some(&answer(304, PAGE, Some(10))));
        assert_eq!(cache.look(449_999, "u"), Look::Fresh(3));
        assert!(matches!(cache.look(450_000, "u"), Look::Stale(3, _)));
        cache.take(460_000, "u", 5, None);
        assert!(matches!(cache.look(460_000, "u"), Look::Stale(3, _)));
        cache.take(470_000, "u", 6, Some(&answer(404, "no-store", None)));
        assert_eq!(cache.look(470_000, "u"), Look::Nothing);
    }
}
