//! A policy: its rules, and what follows from them.

use super::policies::POLICIES;
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
    /// Which kinds of answers the edge keeps.
    pub kept: &'static [AnswerKind],
    /// How cursors are made.
    pub cursors: Cursors,
    /// How requests that miss at the same time are kept from all asking the object.
    pub collapse: Collapse,
    /// Over how many ms those are spread that wait for a message, after a first one; 0: all are told at once.
    pub stagger_ms: u64,
    /// How long live reads wait, unless the deployment says otherwise.
    pub waits: Waits,
    /// How often an object is asked for one key.
    pub bound: Bound,
}

impl Default for CachePolicy {
    fn default() -> Self {
        super::policies::IMMUTABLE_AND_LONG_POLL
    }
}

impl CachePolicy {
    /// All policies.
    pub const ALL: &[Self] = POLICIES;

    /// The policy of that name.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.iter().find(|policy| policy.name == name).copied()
    }

    /// From the deployment's variable `TAILRACE_CACHE_POLICY`, the name of a policy. Fails with a sentence for the
    /// operator where there is none of that name.
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        match variable("TAILRACE_CACHE_POLICY") {
            None => Ok(Self::default()),
            Some(name) => Self::named(name).ok_or_else(|| "TAILRACE_CACHE_POLICY names no cache policy".to_owned()),
        }
    }

    /// What caches are told of a kind of answer of a stream that expires in so many ms (`None`: never).
    pub fn cache_control(&self, kind: AnswerKind, remaining_ms: Option<u64>) -> CacheControl {
        match kind {
            AnswerKind::Page => self.page.cache_control(remaining_ms),
            AnswerKind::Tail => self.tail.cache_control(remaining_ms),
            AnswerKind::Delivery => self.delivery.cache_control(remaining_ms),
            AnswerKind::Silence => self.silence.cache_control(remaining_ms),
            AnswerKind::Events => CacheControl::Events,
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
