//! What a shared cache may keep, and for how long (RFC 9111, 3 and 4.2).
//!
//! - `no-store` and `private` are never kept, nor is what varies by `*`, a part of something (206) or a 304.
//! - What answers a request with `Authorization` is kept only if it says `public`, `must-revalidate` or `s-maxage`
//!   (RFC 9111, 3.5).
//! - It is fresh for `s-maxage`, else for `max-age`, else for as long as the cache assumes where nothing is said, which
//!   may be not at all.
//! - `no-cache`, and what is fresh for no time, is kept only to be asked for by its tag, if the cache does that; nobody is
//!   served it without asking, not even those who have waited for it.
//! - `stale-while-revalidate` begins where it ceases to be fresh (RFC 5861, 3), unless it must be revalidated;
//!   `s-maxage` says that, too (RFC 9111, 5.2.2.10).
//! - Its age is what it says, and the time since it came; or, as RFC 9111 has it, since it was asked for.

use super::bug::FrontBug;
use super::head::{Head, Vary};
use super::knobs::{AgeFrom, FreshnessKnobs};

/// us of a second.
pub(super) const SECOND_US: u64 = 1_000_000;

/// For how long an answer may be served, counted from when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// Without asking, in us.
    pub(super) fresh_us: u64,
    /// While it is asked for again, in us after that.
    pub(super) stale_us: u64,
}

/// What a shared cache goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    pub(super) knobs: FreshnessKnobs,
    pub(super) bug: Option<FrontBug>,
}

impl Freshness {
    /// For how long an answer may be kept; `None` if it may not.
    pub(super) fn lifetime(&self, head: &Head, has_authorization: bool) -> Option<Lifetime> {
        let control = head.control;
        let is_private = control.private && self.bug != Some(FrontBug::PrivateStored);
        if control.no_store || is_private || head.vary == Vary::Any || matches!(head.status, 100..200 | 206 | 304) {
            return None;
        }
        if has_authorization && !(control.public || control.must_revalidate || control.s_maxage_s.is_some()) {
            return None;
        }
        let unsaid_s =
            (self.knobs.unsaid_s > 0 && matches!(head.status, 200 | 203 | 204)).then_some(self.knobs.unsaid_s);
        let fresh_s = match control.no_cache {
            true => 0,
            false => control.s_maxage_s.or(control.max_age_s).or(unsaid_s)?,
        };
        let must_ask = control.no_cache || control.must_revalidate || control.s_maxage_s.is_some();
        let stale_s = if must_ask { 0 } else { control.stale_s };
        if fresh_s + stale_s == 0 && !(self.knobs.keeps_no_cache && head.tag.is_some()) {
            return None;
        }
        let us = |seconds: u64| seconds.saturating_mul(SECOND_US);
        Some(Lifetime { fresh_us: us(fresh_s), stale_us: us(stale_s) })
    }

    /// When an answer was given, by its age, in us since the Unix epoch: it was asked for at one time, and came at the
    /// other.
    pub(super) fn given_us(&self, asked_us: u64, came_us: u64, age_s: u64) -> u64 {
        let counts_from_start = self.knobs.age_from == AgeFrom::Start;
        let from_us = match counts_from_start != (self.bug == Some(FrontBug::AgeFromWrongEnd)) {
            true => asked_us,
            false => came_us,
        };
        from_us.saturating_sub(age_s.saturating_mul(SECOND_US))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(knobs: FreshnessKnobs) -> Freshness {
        Freshness { knobs, bug: None }
    }

    /// The seconds that an answer is fresh, and may be stale.
    fn seconds(rules: Freshness, head: &Head, has_authorization: bool) -> Option<(u64, u64)> {
        let lifetime = rules.lifetime(head, has_authorization)?;
        Some((lifetime.fresh_us / SECOND_US, lifetime.stale_us / SECOND_US))
    }

    #[test]
    fn what_says_for_how_long_is_kept_and_what_belongs_to_one_client_is_not() {
        let rules = rules(FreshnessKnobs::default());
        for (status, control, expected) in [
            (200, "public, max-age=60, stale-while-revalidate=300", Some((60, 300))),
            (200, "max-age=60, s-maxage=5", Some((5, 0))),
            (404, "max-age=1", Some((1, 0))),
            (204, "public, max-age=20", Some((20, 0))),
            (200, "max-age=60, stale-while-revalidate=300, must-revalidate", Some((60, 0))),
            (200, "s-maxage=60, stale-while-revalidate=300", Some((60, 0))),
            (200, "max-age=0, stale-while-revalidate=30", Some((0, 30))),
            (200, "max-age=0", None),
            (200, "no-cache", None),
            (200, "public", None),
            (200, "", None),
            (200, "no-store, max-age=60", None),
            (200, "private, max-age=60", None),
            (206, "max-age=60", None),
            (304, "max-age=60", None),
        ] {
            assert_eq!(seconds(rules, &Head::new(status, control), false), expected, "{status} {control}");
        }
        let private = Freshness { bug: Some(FrontBug::PrivateStored), ..rules };
        assert_eq!(seconds(private, &Head::new(200, "private, max-age=60"), false), Some((60, 0)));
    }

    #[test]
    fn what_has_to_be_asked_for_each_time_is_kept_for_its_tag_if_the_cache_does_that() {
        for (keeps_no_cache, control, tag, expected) in [
            (true, "no-cache", Some("\"t\""), Some((0, 0))),
            (true, "max-age=0", Some("\"t\""), Some((0, 0))),
            (true, "no-cache, max-age=60, stale-while-revalidate=9", Some("\"t\""), Some((0, 0))),
            (true, "no-cache", None, None),
            (false, "no-cache", Some("\"t\""), None),
        ] {
            let rules = rules(FreshnessKnobs { keeps_no_cache, ..FreshnessKnobs::default() });
            let head = Head { tag: tag.map(Into::into), ..Head::new(200, control) };
            assert_eq!(seconds(rules, &head, false), expected, "{keeps_no_cache} {control} {tag:?}");
        }
    }

    #[test]
    fn what_answers_an_authorized_request_is_kept_only_if_it_says_that_it_may_be() {
        let rules = rules(FreshnessKnobs::default());
        for (control, expected) in [
            ("max-age=60", None),
            ("public, max-age=60", Some((60, 0))),
            ("max-age=60, must-revalidate", Some((60, 0))),
            ("s-maxage=5", Some((5, 0))),
        ] {
            assert_eq!(seconds(rules, &Head::new(200, control), true), expected, "{control}");
        }
    }

    #[test]
    fn what_varies_by_more_than_the_request_is_never_kept() {
        for honours_vary in [false, true] {
            let rules = rules(FreshnessKnobs { honours_vary, ..FreshnessKnobs::default() });
            for (vary, is_kept) in [("*", false), ("origin, *", false), ("origin", true)] {
                let head = Head::new(200, "max-age=60").with_vary(vary);
                assert_eq!(rules.lifetime(&head, false).is_some(), is_kept, "{vary}");
            }
        }
    }

    #[test]
    fn where_nothing_is_said_the_cache_assumes_a_time_for_some_answers() {
        let rules = rules(FreshnessKnobs { unsaid_s: 7_200, ..FreshnessKnobs::default() });
        for (status, control, expected) in [
            (200, "", Some((7_200, 0))),
            (203, "", Some((7_200, 0))),
            (204, "", Some((7_200, 0))),
            (404, "", None),
            (200, "max-age=5", Some((5, 0))),
            (200, "no-store", None),
        ] {
            assert_eq!(seconds(rules, &Head::new(status, control), false), expected, "{status} {control}");
        }
    }

    #[test]
    fn age_is_counted_from_the_start_of_the_fetch_or_from_its_end() {
        let (asked_us, came_us) = (10 * SECOND_US, 14 * SECOND_US);
        for (age_from, bug, age_s, expected_s) in [
            (AgeFrom::Start, None, 0, 10),
            (AgeFrom::End, None, 0, 14),
            (AgeFrom::Start, None, 3, 7),
            (AgeFrom::End, None, 3, 11),
            (AgeFrom::End, None, 100, 0),
            (AgeFrom::Start, Some(FrontBug::AgeFromWrongEnd), 0, 14),
            (AgeFrom::End, Some(FrontBug::AgeFromWrongEnd), 0, 10),
        ] {
            let rules = Freshness { knobs: FreshnessKnobs { age_from, ..FreshnessKnobs::default() }, bug };
            assert_eq!(
                rules.given_us(asked_us, came_us, age_s),
                expected_s * SECOND_US,
                "{age_from:?} {bug:?} {age_s}"
            );
        }
    }
}
