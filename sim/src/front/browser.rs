//! A browser's own cache (RFC 9111). It is private, keeps what it may keep under the URL as it was spelled, counts the age
//! that it was told and the time since it asked, and asks with the tag once an answer is stale. Within
//! `stale-while-revalidate` it hands out the stale one and asks meanwhile (RFC 5861). It has no lock: what a page asks for
//! twice at once is asked for twice.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::freshness::SECOND_US;
use super::head::Head;

/// A browser's cache.
#[derive(Debug)]
pub struct Browser<K, A> {
    entries: BTreeMap<K, Entry<A>>,
}

#[derive(Debug)]
struct Entry<A> {
    answer: A,
    tag: Option<Rc<str>>,
    /// When it was given, in us: when it was asked for, less the age that it was told.
    given_us: u64,
    fresh_s: u64,
    stale_s: u64,
}

/// What the cache has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<A> {
    /// An answer that is fresh.
    Fresh(A),
    /// An answer that may be handed out while it is asked for again with the tag.
    Stale(A, Option<Rc<str>>),
    /// An answer that has to be asked for again with the tag.
    Revalidate(A, Rc<str>),
    /// Nothing of use.
    Nothing,
}

impl<K, A> Default for Browser<K, A> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, A: Clone> Browser<K, A> {
    /// What is kept under a URL.
    pub fn look(&self, now_us: u64, key: &K) -> Look<A> {
        let Some(Entry { answer, tag, given_us, fresh_s, stale_s }) = self.entries.get(key) else {
            return Look::Nothing;
        };
        let age_us = now_us.saturating_sub(*given_us);
        match tag {
            _ if age_us < fresh_s * SECOND_US => Look::Fresh(answer.clone()),
            tag if age_us < (fresh_s + stale_s) * SECOND_US => Look::Stale(answer.clone(), tag.clone()),
            Some(tag) => Look::Revalidate(answer.clone(), tag.clone()),
            None => Look::Nothing,
        }
    }

    /// Takes the answer to what was asked for at that time; a 304 freshens what is kept, if that has its tag: another
    /// page may have brought something else meanwhile (RFC 9111, 4.3.4). `None` if there was no answer: that leaves
    /// everything as it is.
    pub fn take(&mut self, asked_us: u64, key: &K, answer: Option<(&Head, A)>) {
        let Some((head, answer)) = answer else { return };
        let Some((fresh_s, stale_s)) = lifetime_s(head) else {
            self.entries.remove(key);
            return;
        };
        let given_us = asked_us.saturating_sub(head.age_s.saturating_mul(SECOND_US));
        let tag = head.tag.clone();
        match head.status {
            // A long-poll's answer is kept as any other; that nothing came is one, too.
            200 | 204 => {
                self.entries.insert(key.clone(), Entry { answer, tag, given_us, fresh_s, stale_s });
            }
            304 => {
                if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.tag == tag) {
                    (entry.given_us, entry.fresh_s, entry.stale_s) = (given_us, fresh_s, stale_s);
                }
            }
            _ => {
                self.entries.remove(key);
            }
        }
    }
}

/// For how long an answer is fresh, and may be served stale then, in seconds; `None` if it is not kept.
fn lifetime_s(head: &Head) -> Option<(u64, u64)> {
    let control = head.control;
    match control {
        _ if control.no_store => None,
        _ if control.no_cache => Some((0, 0)),
        _ => Some((control.max_age_s.unwrap_or(0), control.stale_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    fn answer(status: u16, cache_control: &str, age_s: u64) -> Head {
        Head::new(status, cache_control).with_tag("\"t\"").with_age_s(age_s)
    }

    #[test]
    fn an_answer_is_fresh_then_stale_and_then_asked_for_again() {
        let tag = || Rc::from("\"t\"");
        let stale = || Look::Stale(3, Some(tag()));
        for (cache_control, age_s, expected) in [
            (PAGE, 0, [Look::Fresh(3), Look::Fresh(3), stale(), Look::Revalidate(3, tag())]),
            // What it was told of its age counts.
            (PAGE, 50, [Look::Fresh(3), stale(), stale(), Look::Revalidate(3, tag())]),
            (
                "private, max-age=60",
                0,
                [Look::Fresh(3), Look::Fresh(3), Look::Revalidate(3, tag()), Look::Revalidate(3, tag())],
            ),
            ("no-cache", 0, [(); 4].map(|()| Look::Revalidate(3, tag()))),
            ("no-store", 0, [(); 4].map(|()| Look::Nothing)),
        ] {
            let mut cache = Browser::default();
            cache.take(100 * SECOND_US, &"u", Some((&answer(200, cache_control, age_s), 3)));
            let looks = [100_001, 130_000, 170_000, 460_000].map(|now_ms| cache.look(now_ms * 1_000, &"u"));
            assert_eq!(looks, expected, "{cache_control} {age_s:?}");
            assert_eq!(cache.look(100 * SECOND_US, &"other"), Look::Nothing);
        }
    }

    #[test]
    fn what_answers_a_long_poll_is_kept_as_any_other() {
        for (status, cache_control, expected) in [
            (200, "public, max-age=20", Look::Fresh(3)),
            (204, "public, max-age=20", Look::Fresh(3)),
            (204, "no-store", Look::Nothing),
        ] {
            let mut cache = Browser::default();
            cache.take(0, &"u", Some((&Head::new(status, cache_control), 3)));
            assert_eq!(cache.look(19 * SECOND_US, &"u"), expected, "{status} {cache_control}");
            assert_eq!(cache.look(20 * SECOND_US, &"u"), Look::Nothing, "{status} {cache_control}");
        }
    }

    #[test]
    fn a_304_freshens_an_answer_and_a_refusal_removes_it() {
        let mut cache = Browser::default();
        cache.take(0, &"u", Some((&answer(200, PAGE, 0), 3)));
        cache.take(400 * SECOND_US, &"u", Some((&answer(304, PAGE, 10), 4)));
        assert_eq!(cache.look(450 * SECOND_US - 1, &"u"), Look::Fresh(3));
        assert!(matches!(cache.look(450 * SECOND_US, &"u"), Look::Stale(3, _)));
        cache.take(460 * SECOND_US, &"u", None);
        assert!(matches!(cache.look(460 * SECOND_US, &"u"), Look::Stale(3, _)));
        cache.take(470 * SECOND_US, &"u", Some((&answer(404, "no-store", 0), 6)));
        assert_eq!(cache.look(470 * SECOND_US, &"u"), Look::Nothing);
    }

    #[test]
    fn a_304_says_nothing_of_what_another_page_has_brought_since_it_was_asked_for() {
        for (tag, expected) in [("\"t\"", Look::Fresh(4)), ("\"u\"", Look::Revalidate(4, Rc::from("\"t\"")))] {
            let mut cache = Browser::default();
            cache.take(0, &"u", Some((&answer(200, "max-age=20", 0), 4)));
            cache.take(10 * SECOND_US, &"u", Some((&Head::new(304, "max-age=20").with_tag(tag), 5)));
            assert_eq!(cache.look(25 * SECOND_US, &"u"), expected, "{tag}");
        }
    }
}
