//! Answers that a cache has kept, as they tell by themselves, what they show, and what an answer is worth.

use super::{Call, ClientAnswer, Handed, History, Mode, Op};
use crate::world::Harm;

/// How much longer than its own time a flight of plain reads lasts at most, in ms: how long who has joined it waits.
const PAGE_FLIGHT_MS: u64 = 3_000;

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The object, when it was asked.
    Object,
    /// The object, when an identical plain read asked that was under way.
    Flight,
    /// The edge's cache, which was given it so many seconds ago.
    Edge {
        /// `Age`; 0 if it does not tell.
        age_s: u64,
    },
    /// A cache in front of the Worker.
    Front(Handed),
    /// The client's own browser, which was given it by this request.
    Browser {
        /// An index of [`History::ops`].
        by: usize,
    },
}

impl Giver {
    /// Whether what it says may have been true only some time before it was asked.
    pub fn is_cache(self) -> bool {
        matches!(self, Self::Edge { .. } | Self::Front(_) | Self::Browser { .. })
    }
}

impl History {
    /// Who gave the answer to a request.
    pub fn giver(&self, op: &Op) -> Giver {
        let Some(answer) = &op.answer else { return Giver::Object };
        if let Some(by) = answer.from_browser {
            return Giver::Browser { by };
        }
        if let Some(handed) = self.fronts.handed_to(op).filter(|_| !self.is_gateways_own(op, answer)) {
            return Giver::Front(handed);
        }
        match (answer.x_cache.as_deref(), &op.call) {
            (Some("HIT"), _) => Giver::Edge { age_s: answer.age_s.unwrap_or(0) },
            (Some("MISS"), Call::Read { .. }) if answer.status == 200 && !self.has_called(op) => Giver::Flight,
            _ => Giver::Object,
        }
    }

    /// Whether a gateway has answered by itself, whatever the cache between it and the inner entrypoint had handed to it: it
    /// has lost its instance.
    fn is_gateways_own(&self, op: &Op, answer: &ClientAnswer) -> bool {
        self.conditions.policy.has_gateway
            && answer.code.as_deref() == Some("instance_lost")
            && self.harms.has(op.request, &[Harm::LostInstance, Harm::InstanceTaken])
    }

    /// What a read or a long-poll showed: its own answer, or, for a 304, the answer whose tag it confirmed.
    pub fn shown<'a>(&'a self, op: &'a Op) -> Option<&'a ClientAnswer> {
        let answer = op.definite()?;
        match (&op.call, answer.status) {
            (Call::Read { .. } | Call::Live { mode: Mode::LongPoll, .. }, 200) => Some(answer),
            // The answer whose tag it confirmed may itself have confirmed an earlier one.
            (_, 304) => self.shown(self.ops.get(op.revalidates()?)?),
            _ => None,
        }
    }

    /// The tag that a request sends because its client has the answer.
    pub fn known_tag(&self, op: &Op) -> Option<&str> {
        self.ops.get(op.revalidates()?)?.definite()?.etag.as_deref()
    }

    /// Whether an answer is as strong as a confirmed write: it needed one, or no superseded instance has given it. What a
    /// cache has kept, or another one's flight has brought to a plain read, is older than the request.
    pub fn is_strong(&self, op: &Op) -> bool {
        let is_late = match op.call {
            Call::Read { .. } => self.giver(op) != Giver::Object,
            _ => self.giver(op).is_cache(),
        };
        self.is_true(op) && !is_late
    }

    /// Whether what an answer says was certainly true when it was given: no superseded instance has given it, or it needed
    /// a confirmed write.
    pub fn is_true(&self, op: &Op) -> bool {
        if let Giver::Browser { by } = self.giver(op) {
            // What a browser was given by a request was not given by a browser.
            return self.ops.get(by).is_some_and(|by| by.invoked < op.invoked && self.is_true(by));
        }
        if let Giver::Front(Handed { by, .. }) = self.giver(op) {
            return !self.harms.has(by, &[Harm::Stale]);
        }
        let wrote = match &op.call {
            Call::Create { .. } => op.status() == Some(201),
            Call::Append { .. } => self.appended(op),
            Call::Delete => op.status() == Some(204),
            Call::NewReaderKey => op.status() == Some(200),
            Call::Read { .. } | Call::Live { .. } | Call::Head => false,
        };
        wrote || !self.harms.has(op.request, &[Harm::Stale])
    }

    /// Whether the request itself reached an object.
    pub fn has_called(&self, op: &Op) -> bool {
        self.charges.get(&op.request).is_some_and(|charge| charge.calls > 0)
    }

    /// From when to when, in virtual ms, the object can have given the answer.
    pub fn given_ms(&self, op: &Op) -> (u64, u64) {
        let ended_ms = op.ended.map_or(u64::MAX, |ended| ended.ms);
        let apart_ms = self.conditions.edges_apart_ms;
        match self.giver(op) {
            Giver::Object => (op.invoked.ms, ended_ms),
            Giver::Flight => (op.invoked.ms.saturating_sub(PAGE_FLIGHT_MS), ended_ms),
            Giver::Edge { age_s } => (
                op.invoked.ms.saturating_sub(age_s * 1_000 + 1_000 + apart_ms),
                (ended_ms + apart_ms).saturating_sub(age_s * 1_000),
            ),
            Giver::Front(Handed { by, .. }) => {
                let (from_ms, to_ms) = self.fronts.given_ms(by);
                (from_ms, to_ms.min(ended_ms))
            }
            // What a browser was given by a request was not given by a browser.
            Giver::Browser { by } if self.ops.get(by).is_some_and(|by| by.invoked < op.invoked) => {
                self.given_ms(&self.ops[by])
            }
            Giver::Browser { .. } => (0, ended_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::CachePolicy;

    use super::*;
    use crate::judge::history::{Conditions, From, How};
    use crate::world::Charge;

    #[test]
    fn what_a_browser_hands_out_is_as_true_as_what_it_was_given() {
        for (harm, expected) in [(Harm::Stale, false), (Harm::CallSlow, true)] {
            let mut history = History::new(Vec::new(), Conditions::default());
            for from_browser in [None, Some(0)] {
                let op = history.invoke(0, 0, Call::Head, 5);
                history.complete(op, Some(ClientAnswer { from_browser, ..ClientAnswer::default() }), 5);
            }
            history.harms.harm_request(history.ops[0].request, harm);
            assert_eq!(history.is_true(&history.ops[1]), expected);
        }
    }

    #[test]
    fn what_a_gateway_answers_by_itself_is_not_from_the_cache_before_the_inner_entrypoint() {
        for (policy, code, harm, is_from_front) in [
            ("gateway", Some("instance_lost"), Some(Harm::InstanceTaken), false),
            ("gateway", Some("instance_lost"), Some(Harm::LostInstance), false),
            // Another one's failure was handed to it.
            ("gateway", Some("instance_lost"), None, true),
            ("gateway", None, Some(Harm::InstanceTaken), true),
            ("zone", Some("instance_lost"), Some(Harm::InstanceTaken), true),
        ] {
            let policy = CachePolicy::named(policy).expect("a policy");
            let mut history = History::new(Vec::new(), Conditions { policy, ..Conditions::default() });
            let op = history.invoke(0, 0, Call::Head, 5);
            let status = if code.is_some() { 500 } else { 200 };
            let answer = ClientAnswer { status, code: code.map(str::to_owned), ..ClientAnswer::default() };
            history.complete(op, Some(answer), 5);
            let request = history.ops[op].request;
            harm.into_iter().for_each(|harm| history.harms.harm_request(request, harm));
            let handed = Handed { ms: 5, by: 7, confirmed_ms: None, how: How::Joined };
            history.fronts.handed.insert(request, handed);
            let giver = history.giver(&history.ops[op]);
            assert_eq!(matches!(giver, Giver::Front(_)), is_from_front, "{code:?} {harm:?}");
        }
    }

    #[test]
    fn an_answer_tells_who_gave_it_and_when() {
        let mut history = History::new(Vec::new(), Conditions { edges_apart_ms: 10, ..Conditions::default() });
        let mut ask = |x_cache: Option<&str>, age_s, from_browser, calls| {
            let call = Call::Read { from: From::Start, revalidates: None, walk: 0, manner: None };
            let op = history.invoke(0, 0, call, 100_000);
            let x_cache = x_cache.map(str::to_owned);
            let answer = ClientAnswer { status: 200, x_cache, age_s, from_browser, ..ClientAnswer::default() };
            history.complete(op, Some(answer), 100_005);
            history.charges.insert(history.ops[op].request, Charge { calls, ..Charge::default() });
            (history.giver(&history.ops[op]), history.given_ms(&history.ops[op]))
        };
        assert_eq!(ask(Some("HIT"), Some(7), None, 0), (Giver::Edge { age_s: 7 }, (91_990, 93_015)));
        assert_eq!(ask(Some("MISS"), None, None, 1), (Giver::Object, (100_000, 100_005)));
        assert_eq!(ask(Some("MISS"), None, None, 0), (Giver::Flight, (97_000, 100_005)));
        assert_eq!(ask(Some("BYPASS"), None, None, 1), (Giver::Object, (100_000, 100_005)));
        assert_eq!(ask(None, None, Some(0), 0), (Giver::Browser { by: 0 }, (91_990, 93_015)));
    }
}
