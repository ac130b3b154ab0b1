//! A policy: its rules, and what follows from them.

use super::{AnswerKind, Bound, Collapse, Cursors, Rule};
use crate::protocol::{CacheControl, Headers, Waits, header};

/// What caches do for readers: what they are told, what the edge keeps, and how requests that miss at the same time are
/// kept from all asking the object. Edges and objects of a deployment have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Its name in configurations and reports.
    pub name: &'static str,
    /// What caches are told of a page in the middle of the log.
    pub page: Rule,
    /// What caches are told of a page that ends at the tail.
    pub tail: Rule,
    /// What caches are told of data that answers a long-poll.
    pub delivery: Rule,
    /// What caches are told of a long-poll's answer that nothing came.
    pub silence: Rule,
    /// What caches are told of events. Those that share an answer while it is written serve one connection to many.
    pub events: Rule,
    /// Which kinds of answers the edge keeps.
    pub kept: &'static [AnswerKind],
    /// Whether the default entrypoint is a gateway: it checks access, and has an inner entrypoint of the same Worker,
    /// which a cache of the platform stands in front of, answer the reads that a cache may have answers to.
    pub has_gateway: bool,
    /// How cursors are made.
    pub cursors: Cursors,
    /// How requests that miss at the same time are kept from all asking the object.
    pub collapse: Collapse,
    /// Over how many ms those are spread that wait for a message, after a first one; 0: all are told at once.
    pub stagger_ms: u64,
    /// How long live reads wait, unless the deployment says otherwise.
    pub waits: Waits,
    /// Whether all connections with events end at the same moments, instead of each at one of its own.
    pub events_end_together: bool,
    /// How often an object is asked for one key.
    pub bound: Bound,
}

impl CachePolicy {
    /// What caches are told of a kind of answer of a stream that expires in so many ms (`None`: never).
    pub fn cache_control(&self, kind: AnswerKind, remaining_ms: Option<u64>) -> CacheControl {
        match kind {
            AnswerKind::Page => self.page.cache_control(remaining_ms),
            AnswerKind::Tail => self.tail.cache_control(remaining_ms),
            AnswerKind::Delivery => self.delivery.cache_control(remaining_ms),
            AnswerKind::Silence => self.silence.cache_control(remaining_ms),
            AnswerKind::Events if self.events == Rule::Revalidate => CacheControl::Events,
            AnswerKind::Events => self.events.cache_control(remaining_ms),
        }
    }

    /// Whether the edge keeps answers to plain GETs, or to long-polls, at all.
    pub fn keeps_any(&self, is_long_poll: bool) -> bool {
        let of_polls = |kind: &AnswerKind| matches!(kind, AnswerKind::Delivery | AnswerKind::Silence);
        self.kept.iter().any(|kind| of_polls(kind) == is_long_poll)
    }

    /// Whether the edge keeps this answer to a plain GET, or to a long-poll, and for how many seconds at most. Only a
    /// whole answer of a kind that is kept, which says itself for how long it is fresh.
    pub fn admits(&self, is_long_poll: bool, status: u16, fields: &Headers) -> Option<u64> {
        let kind = match (is_long_poll, status) {
            (false, 200) if fields.get(header::STREAM_UP_TO_DATE).is_some() => AnswerKind::Tail,
            (false, 200) => AnswerKind::Page,
            (true, 200) => AnswerKind::Delivery,
            (true, 204) => AnswerKind::Silence,
            _ => return None,
        };
        if !self.kept.contains(&kind) {
            return None;
        }
        fields.get(header::CACHE_CONTROL).and_then(CacheControl::fresh_s).filter(|seconds| *seconds > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::cache::Marker;

    #[test]
    fn whatever_the_edge_keeps_caches_are_told_to_keep() {
        for policy in CachePolicy::ALL {
            for kind in policy.kept {
                let told = policy.cache_control(*kind, None).to_string();
                assert!(CacheControl::fresh_s(&told).is_some(), "{} {kind:?}: {told}", policy.name);
            }
            if let Some(Marker { pause_ms, patience_ms, stands_s, .. }) = policy.collapse.marker() {
                assert!(policy.keeps_any(true) && pause_ms > 0 && pause_ms < patience_ms && stands_s > 0);
            }
        }
    }

    #[test]
    fn the_default_is_what_the_table_of_answers_says() {
        let default = CachePolicy::default();
        for (kind, expected) in AnswerKind::ALL.into_iter().zip([
            "public, max-age=60, stale-while-revalidate=300",
            "no-cache",
            "public, max-age=20",
            "no-store",
            "no-cache, no-transform",
        ]) {
            assert_eq!(default.cache_control(kind, None).to_string(), expected, "{kind:?}");
        }
        let collapsed = CachePolicy::named("collapsed-events").expect("a policy");
        assert_eq!(collapsed.cache_control(AnswerKind::Events, None).to_string(), "public, max-age=1");
    }

    #[test]
    fn connections_last_a_minute_where_caches_share_them_and_half_an_hour_where_not() {
        for policy in CachePolicy::ALL {
            let is_shared = matches!(policy.events, Rule::Fresh { .. });
            assert_eq!(policy.waits.sse_ms, if is_shared { 60_000 } else { 1_800_000 }, "{}", policy.name);
        }
    }

    #[test]
    fn only_whole_answers_of_a_kind_that_is_kept_are_admitted_and_only_while_they_are_fresh() {
        let admits = |policy: &str, is_long_poll, status, up_to_date: bool, told: Option<&str>| {
            let mut fields = Headers::default();
            told.into_iter().for_each(|told| fields.push(header::CACHE_CONTROL, told));
            if up_to_date {
                fields.push(header::STREAM_UP_TO_DATE, header::TRUE);
            }
            CachePolicy::named(policy).expect("a policy").admits(is_long_poll, status, &fields)
        };
        let (default, fresh) = ("immutable-and-long-poll", Some("public, max-age=7"));
        for (policy, is_long_poll, status, up_to_date, told, expected) in [
            (default, false, 200, false, fresh, Some(7)),
            (default, false, 200, true, fresh, None),
            (default, false, 206, false, fresh, None),
            (default, false, 204, false, fresh, None),
            (default, false, 304, false, fresh, None),
            (default, false, 404, false, fresh, None),
            (default, false, 200, false, None, None),
            (default, false, 200, false, Some("no-store"), None),
            (default, false, 200, false, Some("public, max-age=0"), None),
            (default, true, 200, false, fresh, Some(7)),
            (default, true, 200, true, fresh, Some(7)),
            (default, true, 204, true, fresh, None),
            ("silence", true, 204, true, fresh, Some(7)),
            ("immutable", true, 200, true, fresh, None),
            ("everything", false, 200, true, fresh, Some(7)),
            ("nothing", false, 200, false, fresh, None),
            ("zone", false, 200, false, fresh, None),
        ] {
            let admitted = admits(policy, is_long_poll, status, up_to_date, told);
            assert_eq!(admitted, expected, "{policy} {is_long_poll} {status} {up_to_date} {told:?}");
        }
    }
}
