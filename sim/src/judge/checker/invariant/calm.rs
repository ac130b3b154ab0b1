//! No reader asks often: a request of one that waits brings something, or lasts. What a failing service makes its
//! clients retry is bounded by their own patience.

use tailrace_core::protocol::cache::Rule;

use crate::judge::checker::attendance::is_sent_back;
use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, End, From, Handed, How, Listening, Mode, Op};
use crate::world::Harm;

/// Requests of a reader within [`WINDOW_MS`] that may be answered and bring nothing: where a socket was lost, or the
/// connection came to its end, at most.
const FRUITLESS: usize = 3;

/// The window in ms.
const WINDOW_MS: u64 = 1_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    case.readers().filter_map(|(number, _)| hurries(case, number)).collect()
}

fn hurries(case: &Case<'_>, number: usize) -> Option<Violation> {
    let fruitless: Vec<(usize, u64)> = case
        .iter()
        .filter(|(index, op)| match op.call {
            Call::Live { mode: Mode::LongPoll, reader, .. } => {
                reader == number && (op.status() == Some(204) || leads_nowhere(op))
            }
            Call::Live { mode: Mode::Sse, reader, .. } => {
                // One that breaks is followed by another as late as the reader wants.
                reader == number
                    && case.history.listenings.get(index).is_some_and(|listening| is_fruitless(case, op, listening))
            }
            _ => false,
        })
        .map(|(index, op)| (index, op.invoked.ms))
        .collect();
    let crowded = fruitless.windows(FRUITLESS + 1).find(|window| match window {
        [(_, first_ms), .., (_, last_ms)] => last_ms - first_ms < WINDOW_MS,
        _ => false,
    })?;
    let ops: Vec<usize> = crowded.iter().map(|(op, _)| *op).collect();
    let message = format!("reader {number} is sent round {} times within {WINDOW_MS} ms, for nothing", ops.len());
    Some(case.violation(Invariant::Calm, &ops, message))
}

/// Whether a long-poll was answered, by whomever, with what leaves its reader where it was.
fn leads_nowhere(op: &Op) -> bool {
    let Call::Live { from: From::At(from), .. } = &op.call else { return false };
    op.status() == Some(200) && op.told() == Some(from)
}

fn is_fruitless(case: &Case<'_>, op: &Op, listening: &Listening) -> bool {
    // The connections of an instance end when it is lost, as if they were finished. And a superseded one that is asked for the
    // rest of an event may not know of it.
    let lost = case.is_harmed(op, &[Harm::LostInstance, Harm::InstanceTaken, Harm::Stale]);
    let is_finished = listening.end.is_some_and(|(_, end)| end == End::Finished) && !lost;
    let is_empty = listening.deliveries.iter().all(|delivery| delivery.data.is_none());
    // Each new reader key of the stream sends those back who wait.
    let is_sent_back = listening.end.is_some_and(|(end, _)| is_sent_back(case.history, case.stream, end.ms));
    is_finished && is_empty && !is_sent_back && !is_kept_by_the_policy(case, op)
}

/// Where a policy has caches in front keep events, one that ended while they may be kept is handed out again until that
/// time is over: to a reader that comes back at once, and asks nobody else.
fn is_kept_by_the_policy(case: &Case<'_>, op: &Op) -> bool {
    let Rule::Fresh { fresh_s, .. } = case.history.conditions.policy.events else { return false };
    let is_in_time = |handed: Handed| {
        let (_, given_ms) = case.history.fronts.given_ms(handed.by);
        handed.how == How::Hit && handed.ms <= given_ms.saturating_add(fresh_s * 1_000)
    };
    case.history.fronts.handed_to(op).is_some_and(is_in_time)
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::CachePolicy;

    use super::*;
    use crate::judge::checker::fixture::{Fixture, created, delivery, empty, polled};
    use crate::judge::history::Lifetime;

    /// A reader whose long-polls are answered empty, so far apart.
    fn check(apart_ms: u64, polls: usize, expected: usize) {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        let reader = run.join(Mode::LongPoll);
        for poll in 0..polls {
            run.poll(reader, empty(0, 0, poll as u64 + 1));
            run.wait_ms(apart_ms);
        }
        run.check(Invariant::Calm, super::check, expected);
    }

    #[test]
    fn a_reader_that_waits_at_each_poll_is_calm() {
        check(20_000, 10, 0);
        check(400, 10, 0);
        check(1, FRUITLESS, 0);
    }

    #[test]
    fn a_reader_that_is_sent_round_is_found() {
        check(1, FRUITLESS + 1, 1);
        check(50, 100, 1);
    }

    #[test]
    fn a_copy_that_leads_nowhere_counts_however_it_came() {
        for (apart_ms, expected) in [(1, 1), (400, 0)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            let reader = run.join(Mode::LongPoll);
            for poll in 0..10 {
                run.poll(reader, polled(0, 0, poll + 1));
                run.wait_ms(apart_ms);
            }
            run.check(Invariant::Calm, super::check, expected);
        }
    }

    #[test]
    fn events_that_have_ended_are_handed_out_again_as_long_as_the_policy_lets_them_be_kept() {
        for (policy, apart_ms, how, expected) in [
            ("collapsed-events", 50, How::Hit, 0),
            // Ten of them take 2.5 s, and may for one.
            ("collapsed-events", 250, How::Hit, 1),
            ("collapsed-events", 50, How::Joined, 1),
            ("zone", 50, How::Hit, 1),
        ] {
            let mut run = Fixture::json();
            run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
            run.create(Lifetime::Endless, created(0));
            let reader = run.join(Mode::Sse);
            let first = run.listen(reader);
            run.fetch(first, 5);
            run.hang_up(first, End::Finished);
            for _ in 0..10 {
                let op = run.listen(reader);
                run.hand_out(first, how);
                run.hang_up(op, End::Finished);
                run.wait_ms(apart_ms);
            }
            run.check(Invariant::Calm, super::check, expected);
        }
    }

    #[test]
    fn connections_that_the_server_ends_at_once_count_and_those_that_break_do_not() {
        for (end, data, expected) in
            [(End::Finished, None, 1), (End::Finished, Some("[]"), 0), (End::Cut, None, 0), (End::Abandoned, None, 0)]
        {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            let reader = run.join(Mode::Sse);
            for connection in 0..10 {
                let op = run.listen(reader);
                run.deliver(reader, op, delivery(data, 0, 0, connection));
                run.hang_up(op, end);
            }
            run.check(Invariant::Calm, super::check, expected);
            let requests: Vec<u64> = run.history.ops.iter().map(|op| op.request).collect();
            let mut untouched = run.clone();
            requests.iter().for_each(|request| untouched.history.harms.harm_request(*request, Harm::CallLost));
            untouched.check(Invariant::Calm, super::check, expected);
            for harm in [Harm::LostInstance, Harm::InstanceTaken, Harm::Stale] {
                let mut run = run.clone();
                requests.iter().for_each(|request| run.history.harms.harm_request(*request, harm));
                run.check(Invariant::Calm, super::check, 0);
            }
        }
    }
}
