//! Nothing is deleted without a write before it, which proves that the instance owns the storage.
//! What a row names is in R2 at any time. Soon after all has become calm, every sealed segment is there. Once all is
//! quiet, nothing else is, whatever was retried, came late, was deleted or expired, and no sweep is left to do.

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Holding, Stage};
use crate::world::Harm;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let of_stream = case.history.holdings.iter().filter(|holding| holding.stream == case.stream);
    let told = |holding: &Holding| {
        let at_ms = holding.at.ms;
        complaints(holding, case.was_alarm_abandoned(at_ms), is_kept_in_memory(case, at_ms))
    };
    let complaints = of_stream.flat_map(|holding| told(holding).into_iter().map(|text| (holding.at.ms, text)));
    let unproven = case.history.unproven.iter().filter(|(stream, _)| *stream == case.stream);
    let without = |(_, at_ms): &(usize, u64)| (*at_ms, "objects were deleted by a turn that wrote nothing".to_owned());
    let complaints = complaints.chain(unproven.map(without));
    complaints.map(|(at_ms, text)| case.violation(Invariant::Cold, &[], format!("at {at_ms} ms {text}"))).collect()
}

/// For how long a call of R2 that never ends keeps its object in memory, in ms (Cloudflare, Durable Objects lifecycle).
const KEPT_MS: u64 = 15 * 60 * 1_000;

/// How long what is left to do takes once an object has noticed it, in ms.
const NOTICED_MS: u64 = 60_000;

/// Whether a call of R2 may have kept the object in memory when it was asked last before that virtual time, early enough
/// for what is left to do.
fn is_kept_in_memory(case: &Case<'_>, at_ms: u64) -> bool {
    let early = |asked_ms: &u64| asked_ms + NOTICED_MS <= at_ms;
    let asked = case.iter().map(|(_, op)| op.invoked.ms).filter(early).max().unwrap_or(at_ms);
    case.history.harms.has_stream(case.stream, &[Harm::BucketStuck], asked.saturating_sub(KEPT_MS)..=at_ms)
}

/// What is wrong. Where the platform gave the object's alarm up, what is left to do waits until somebody asks; and where
/// a call has kept the object in memory besides, until somebody asks after that, since an object notices when it starts.
fn complaints(holding: &Holding, was_alarm_abandoned: bool, is_kept: bool) -> Vec<String> {
    let mut complaints = Vec::new();
    if let Some(key) = holding.missing.first() {
        complaints.push(format!("{} objects that rows name are not there: {key}", holding.missing.len()));
    }
    if holding.stage >= Stage::CaughtUp && holding.waiting > 0 && !(was_alarm_abandoned && is_kept) {
        complaints.push(format!("{} sealed segments are not in R2", holding.waiting));
    }
    if holding.stage < Stage::Settled || was_alarm_abandoned {
        return complaints;
    }
    if let Some(key) = holding.unnamed.first() {
        complaints.push(format!("{} objects are there that no row names: {key}", holding.unnamed.len()));
    }
    if holding.sweeps > 0 {
        complaints.push(format!("{} sweeps are still to be done", holding.sweeps));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, created};
    use crate::judge::history::{Lifetime, Moment};

    #[test]
    fn a_deletion_needs_a_write() {
        for (stream, expected) in [(0, 1), (1, 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            run.history.unproven.push((stream, 1_000_000));
            run.check(Invariant::Cold, super::check, expected);
        }
    }

    type Change = fn(&mut Holding);

    fn holding(stage: Stage) -> Holding {
        let at = Moment { tick: 9, ms: 1_000_000 };
        Holding { stream: 0, at, stage, missing: Vec::new(), unnamed: Vec::new(), waiting: 0, sweeps: 0 }
    }

    #[test]
    fn what_rows_name_is_there_at_any_time_what_is_sealed_soon_and_the_rest_is_settled_once_all_is_quiet() {
        let changes: [(Change, [usize; 3]); 6] = [
            (|_| {}, [0, 0, 0]),
            (|holding| holding.missing.push("k".into()), [1, 1, 1]),
            (|holding| holding.waiting = 1, [0, 1, 1]),
            (|holding| holding.unnamed.push("k".into()), [0, 0, 1]),
            (|holding| holding.sweeps = 1, [0, 0, 1]),
            (|holding| (holding.stream, holding.waiting) = (1, 1), [0, 0, 0]),
        ];
        for (number, (change, expected)) in changes.into_iter().enumerate() {
            for (stage, expected) in [Stage::Calm, Stage::CaughtUp, Stage::Settled].into_iter().zip(expected) {
                let mut run = Fixture::json();
                run.create(Lifetime::Endless, created(0));
                let mut holding = holding(stage);
                change(&mut holding);
                run.history.holdings.push(holding);
                let found = check(&run.case());
                assert_eq!(found.len(), expected, "change {number}, {stage:?}: {found:#?}");
                assert!(found.iter().all(|violation| violation.invariant == Invariant::Cold));
            }
        }
    }

    #[test]
    fn what_is_sealed_may_wait_where_the_alarm_was_given_up_and_a_call_kept_the_object_until_nobody_asked_any_more() {
        for (abandoned, stuck_before_ms, expected) in [
            (true, Some(0), 0),
            (true, Some(KEPT_MS), 0),
            (true, Some(KEPT_MS + 1), 1),
            (true, None, 1),
            (false, Some(0), 1),
        ] {
            let mut run = Fixture::json();
            run.wait_ms(2 * KEPT_MS);
            run.create(Lifetime::Endless, created(0));
            let asked_ms = run.history.ops[0].invoked.ms;
            if abandoned {
                run.history.harms.harm_stream(0, asked_ms, Harm::AlarmAbandoned);
            }
            if let Some(before_ms) = stuck_before_ms {
                run.history.harms.harm_stream(0, asked_ms - before_ms, Harm::BucketStuck);
            }
            let at = Moment { tick: 9, ms: asked_ms + 10 * KEPT_MS };
            run.history.holdings.push(Holding { at, waiting: 1, ..holding(Stage::CaughtUp) });
            run.check(Invariant::Cold, super::check, expected);
        }
    }
}
