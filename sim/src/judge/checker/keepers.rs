//! Who may keep what an answer says of a stream: of one that is not public, whoever has been asked for a URL with the reader
//! key that held then.

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::cache::Rule;

use super::case::Case;
use super::publicity::Publicity;
use super::reader_keys::Held;
use crate::judge::history::{Call, Giver, Handed, Op};
use crate::world::Visited;

/// Who may keep what an answer says, of those who stand before the edge of a deployment with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keepers {
    /// Whoever may by the policy.
    All,
    /// Who has been asked for a URL with the reader key.
    Holders(Held),
    /// It may be either.
    Unknown(Held),
}

impl Case<'_> {
    /// Who may keep the answer to a request, by what its object knew.
    pub(super) fn keepers(&self, op: &Op) -> Keepers {
        let (until, segment) = (op.ended.unwrap_or(op.settled()), self.offset(op).map(|at| at.segment));
        let held = self.reader_key_held(op);
        match self.publicities.of_segment(segment, until) {
            Publicity::Public => Keepers::All,
            Publicity::Private => Keepers::Holders(held),
            Publicity::Unknown => Keepers::Unknown(held),
        }
    }

    /// Whether the reader key in the URL of a request was the stream's when its object answered: that may be the answer to
    /// another request, which was kept, or shared.
    fn reader_key_held(&self, op: &Op) -> Held {
        // A superseded instance may not know that the stream has another one.
        let is_known = self.history.is_true(op);
        match self.reader_keys.held(op.reader_key.as_deref(), self.answered_ms(op)) {
            Held::Never if op.reader_key.is_none() => Held::Never,
            _ if !is_known => Held::Perhaps,
            held => held,
        }
    }

    /// From when to when, in virtual ms, the object can have given what an answer says, or confirmed it.
    fn answered_ms(&self, op: &Op) -> (u64, u64) {
        let conditions = &self.history.conditions;
        let (given_ms, to_ms) = self.history.given_ms(op);
        let flight_ms = if matches!(op.call, Call::Live { .. }) { conditions.flight_ms() } else { 0 };
        match self.history.giver(op) {
            // What was brought to a cache in front may be a copy of the edge's.
            Giver::Front(Handed { confirmed_ms, .. }) => {
                let kept_ms = longest_fresh_s(&conditions.policy) * 1_000 + conditions.edges_apart_ms;
                (given_ms.saturating_sub(flight_ms + kept_ms), to_ms.max(confirmed_ms.unwrap_or(0)))
            }
            // The age of a copy counts from when it was asked for, and that may have waited for R2.
            Giver::Edge { .. } => (given_ms.saturating_sub(flight_ms), to_ms.max(self.brought_ms(op).unwrap_or(0))),
            _ => (given_ms.saturating_sub(flight_ms), to_ms),
        }
    }

    /// When the answer came, in virtual ms, that the edge's cache has handed out to a request.
    fn brought_ms(&self, op: &Op) -> Option<u64> {
        let by = self.history.visits.iter().find_map(|visit| match visit.what {
            Visited::Hit { by } if visit.request == op.request => Some(by),
            _ => None,
        })?;
        let stored = self.history.ops.iter().find(|other| other.request == by)?;
        // Whose client has gone may have been answered at any time before that was handed out.
        Some(stored.settled().min(op.settled()).ms)
    }
}

/// For how many seconds a policy has caches keep an answer at most.
pub(super) fn longest_fresh_s(policy: &CachePolicy) -> u64 {
    let rules = [policy.page, policy.tail, policy.delivery, policy.silence, policy.events];
    let fresh = rules.into_iter().filter_map(|rule| match rule {
        Rule::Fresh { fresh_s, shared_s, .. } => Some(fresh_s.max(shared_s.unwrap_or(0))),
        Rule::Never | Rule::Revalidate => None,
    });
    fresh.max().unwrap_or(0)
}
