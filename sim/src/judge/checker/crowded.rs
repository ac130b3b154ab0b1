//! Whether an isolate may have been full of request bodies: what proves that `busy` is a right answer.

use super::case::Case;
use super::touches::{SLOW, SLOW_STRAGGLER_MS};
use crate::judge::history::{Call, Op};
use crate::world::Harm;

/// Whether as many bodies can have been there at once, this one included, as an isolate holds. Each counts as large as a
/// body may be: the service makes room for as much where a length is not declared. Which isolate served a request, no
/// client knows.
pub(super) fn may_be_full(case: &Case<'_>, op: &Op) -> bool {
    let conditions = &case.history.conditions;
    let has_body = |other: &Op| match other.call {
        Call::Create { batch, .. } => batch.is_some(),
        Call::Append { batch, defect, .. } => batch.is_some() || defect.is_some(),
        _ => false,
    };
    // One that its client has given up may go on for a while, for longer if its messages are slow, and one whose call never
    // comes to an end for ever.
    let is_stuck = |other: &Op| case.history.harms.has(other.request, &[Harm::CallStuck]);
    let is_slow = |other: &Op| case.history.harms.has(other.request, SLOW);
    let is_over_ms = |other: &Op| match other.definite() {
        None if is_stuck(other) => u64::MAX,
        Some(_) => other.ended.map_or(u64::MAX, |ended| ended.ms),
        None => {
            let straggles_ms = conditions.straggler_ms + if is_slow(other) { SLOW_STRAGGLER_MS } else { 0 };
            other.ended.map_or(u64::MAX, |ended| ended.ms.saturating_add(straggles_ms))
        }
    };
    let ended_ms = op.ended.map_or(u64::MAX, |ended| ended.ms);
    let meanwhile = |other: &&Op| other.invoked.ms <= ended_ms && is_over_ms(other) >= op.invoked.ms;
    let bodies = case.history.ops.iter().filter(|other| has_body(other)).filter(meanwhile).count();
    has_body(op) && bodies.saturating_mul(conditions.body_bytes) > conditions.bodies_bytes
}

#[cfg(test)]
mod tests {
    use crate::judge::checker::Invariant;
    use crate::judge::checker::fixture::{Fixture, acked, coded, created};
    use crate::judge::checker::invariant::check;
    use crate::judge::history::Lifetime;
    use crate::world::Harm;

    #[test]
    fn busy_is_an_answer_only_where_so_many_bodies_can_have_been_there_at_once() {
        for (bodies_bytes, overlap, expected) in [(100, true, 0), (199, true, 0), (200, true, 1), (199, false, 1)] {
            let mut run = Fixture::json();
            run.history.conditions.body_bytes = 100;
            run.history.conditions.bodies_bytes = bodies_bytes;
            run.create(Lifetime::Endless, created(0));
            let other = run.begin_append(1);
            if !overlap {
                run.end(other, acked(0, 1));
            }
            run.wait_ms(5);
            run.append(1, coded(503, "busy"));
            if overlap {
                run.end(other, acked(0, 1));
            }
            run.check(Invariant::Answers, |case| check(Invariant::Answers, case), expected);
        }
    }

    #[test]
    fn a_body_that_its_client_has_given_up_is_there_as_long_as_its_call_may_take() {
        for (waits_ms, harm, expected) in [
            (59_000, None, 0),
            (62_000, None, 1),
            (62_000, Some(Harm::CallLost), 1),
            (62_000, Some(Harm::CallSlow), 0),
            (190_000, Some(Harm::CallSlow), 1),
            (190_000, Some(Harm::CallStuck), 0),
        ] {
            let mut run = Fixture::json();
            run.history.conditions.straggler_ms = 60_000;
            (run.history.conditions.body_bytes, run.history.conditions.bodies_bytes) = (100, 199);
            run.create(Lifetime::Endless, created(0));
            run.append(1, None);
            run.harm(&[Harm::ClientMessageLost]);
            harm.into_iter().for_each(|harm| run.harm(&[harm]));
            run.wait_ms(waits_ms);
            run.append(1, coded(503, "busy"));
            run.check(Invariant::Answers, |case| check(Invariant::Answers, case), expected);
        }
    }
}
