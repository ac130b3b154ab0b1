//! What requests and alarms cost: the rows that they write (each alarm that is set is one), and the calls that reach
//! their object. A budget names what is bought for it (SPEC, section 3: "Rows are money"). A table that is created costs
//! two rows, one that is dropped nothing, and what is undone is billed like what stays.
//!
//! | file | what it judges |
//! | --- | --- |
//! | `budget` | what requests may cost |
//! | `alarms` | how often alarms go off, and what they write |

mod alarms;
mod budget;

use budget::Budget;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let budget = Budget::of(case);
    let mut violations = budget.dear_requests();
    violations.extend(budget.dear_appends());
    violations.extend(budget.dear_touches());
    violations.extend(budget.unshared());
    violations.extend(alarms::check(&budget));
    let excess = case.history.excesses.get(&case.stream);
    violations.extend(excess.map(|excess| case.violation(Invariant::Bill, &[], excess.clone())));
    violations
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::CachePolicy;

    use super::budget::*;
    use crate::judge::checker::Invariant;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, coded, created, empty, hit, page, part, polled, tail, written,
    };
    use crate::judge::history::{Lifetime, Mode};
    use crate::world::{Charge, Harm};

    fn run(lifetime: Lifetime) -> Fixture {
        let mut run = Fixture::json();
        run.history.conditions.row_bytes = 100;
        run.create(lifetime, created(0));
        run
    }

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Bill, super::check, expected);
    }

    /// The last request cost so much.
    fn charge(run: &mut Fixture, calls: u64, rows: u64) {
        let request = run.history.ops.last().expect("a request").request;
        run.history.charges.insert(request, Charge { invocations: 1, calls, rows, alarms: 0 });
    }

    #[test]
    fn each_request_has_its_budget() {
        type Ask = fn(&mut Fixture);
        let asks: [(Ask, u64); 8] = [
            (|run| run.head(tail(0, 0)), 0),
            (|run| run.head(absent()), REMOVAL),
            (|run| run.walk(&[], page(0, 0)), TOUCH),
            (|run| run.walk(&[], absent()), REMOVAL),
            (
                |run| {
                    run.append(1, acked(0, 1));
                },
                SEGMENT + 1,
            ),
            (|run| run.produce(0, 0, written(0, 1)), SEGMENT + 2),
            (|run| run.produce(0, 3, coded(409, "sequence_gap")), 0),
            (|run| run.produce(0, 3, absent()), REMOVAL),
        ];
        for (number, (ask, most)) in asks.into_iter().enumerate() {
            for (calls, rows, expected) in [(1, most, 0), (1, most + 1, 1), (2, 0, 1)] {
                let mut run = run(Lifetime::Endless);
                ask(&mut run);
                charge(&mut run, calls, rows);
                let found = Budget::of(&run.case()).dear_requests();
                assert_eq!(found.len(), expected, "ask {number}, {rows} rows: {found:?}");
            }
        }
    }

    #[test]
    fn a_copy_costs_no_call() {
        for (calls, expected) in [(0, 0), (1, 1)] {
            let mut run = run(Lifetime::Endless);
            run.walk(&[], hit(1, part(0, 1)));
            charge(&mut run, calls, 0);
            let found = Budget::of(&run.case()).dear_requests();
            assert_eq!(found.len(), expected, "{found:?}");
        }
    }

    #[test]
    fn an_alarm_is_set_again_only_where_it_may_have_been_late() {
        type Happens = fn(&mut Fixture);
        let happens: [(Happens, usize); 4] = [
            (|_| (), 1),
            (|run| run.history.harms.harm_stream(0, 0, Harm::AlarmFailed), 0),
            (|run| run.history.harms.harm_stream(0, 0, Harm::ListingFailed), 1),
            (|run| run.history.conditions.clocks_apart_ms = 1, 0),
        ];
        for (number, (happens, expected)) in happens.into_iter().enumerate() {
            let mut run = run(Lifetime::Endless);
            run.head(tail(0, 0));
            charge(&mut run, 1, RESTORED);
            happens(&mut run);
            let found = Budget::of(&run.case()).dear_requests();
            assert_eq!(found.len(), expected, "{number}: {found:?}");
        }
    }

    #[test]
    fn messages_fill_rows() {
        for (row_bytes, expected) in [(10_000, 1), (100, 2), (60, 3), (20, 6)] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.row_bytes = row_bytes;
            // Each has 39 bytes.
            run.append(3, acked(0, 3));
            let case = run.case();
            assert_eq!(message_rows(&case, &case.history.batches[0]), expected, "{row_bytes}");
        }
    }

    #[test]
    fn appends_together_set_an_alarm_for_each_segment() {
        for (alarms, expected) in [(0, 0), (2, 0), (3, 1), (20, 1)] {
            let mut run = run(Lifetime::Endless);
            for index in 0..20 {
                run.append(1, acked(0, index + 1));
                let request = run.history.ops.last().expect("a request").request;
                let alarms = u64::from(index < alarms);
                run.history.charges.insert(request, Charge { invocations: 1, calls: 1, rows: 1, alarms });
            }
            check(&run, expected);
        }
    }

    #[test]
    fn appends_together_cost_their_content_and_something_for_each_segment() {
        for (extra, expected) in [(0, 0), (4, 0), (12, 0), (13, 1)] {
            let mut run = run(Lifetime::Endless);
            for index in 0..20 {
                run.append(1, acked(0, index + 1));
                charge(&mut run, 1, 1 + u64::from(index < extra));
            }
            check(&run, expected);
        }
    }

    #[test]
    fn an_append_that_finds_no_room_may_free_the_rows_of_those_that_came_before_it() {
        for (is_answered, rows, expected) in [(false, 1, 0), (false, 2, 1), (true, 1, 1)] {
            let mut run = run(Lifetime::Endless);
            run.append(1, if is_answered { acked(0, 1) } else { None });
            let request = run.history.ops.last().expect("a request").request;
            run.append(2, acked(0, 3));
            run.history.harms.harm_stream(0, run.now_ms(), Harm::DatabaseFull);
            // The messages of each fill one row.
            let once = SEGMENT + 1;
            run.history
                .charges
                .insert(request, Charge { invocations: 1, calls: 1, rows: 2 * once + rows, ..Charge::default() });
            let found = Budget::of(&run.case()).dear_requests();
            assert_eq!(found.len(), expected, "{is_answered} {rows}: {found:?}");
        }
    }

    #[test]
    fn a_deadline_moves_by_its_slack() {
        // A page that is kept for others, which is not at the tail, moves it once half of the slack is over.
        for (second, apart_ms, rows, expected) in [
            (page(0, 0), 3_000, 1, 1),
            (page(0, 0), 3_000, 0, 0),
            (page(0, 0), 5_100, 1, 0),
            (part(0, 0), 3_000, 1, 0),
            (part(0, 0), 2_000, 1, 1),
        ] {
            let mut run = run(Lifetime::Ttl(40));
            run.walk(&[], page(0, 0));
            charge(&mut run, 1, 1);
            run.wait_ms(apart_ms);
            run.walk(&[], second);
            charge(&mut run, 1, rows);
            check(&run, expected);
        }
    }

    #[test]
    fn polls_that_wait_together_share_a_call() {
        for (isolates, colos, calls, expected) in [(1, 1, 1, 1), (2, 1, 1, 0), (1, 1, 0, 0), (1, 2, 1, 0), (1, 3, 1, 0)]
        {
            let mut run = run(Lifetime::Endless);
            (run.history.conditions.isolates, run.history.conditions.colos) = (isolates, colos);
            let polls = [(); 2].map(|()| {
                let reader = run.join(Mode::LongPoll);
                (reader, run.ask_live(reader, None))
            });
            run.wait_ms(20_000);
            for (place, (reader, op)) in polls.into_iter().enumerate() {
                run.end_live(reader, op, &[], empty(0, 0, 7));
                run.history.ops[op].client = place;
                let request = run.history.ops[op].request;
                if place == 0 || calls > 0 {
                    run.history
                        .charges
                        .insert(request, Charge { invocations: 1, calls: 1, rows: 0, ..Charge::default() });
                }
            }
            check(&run, expected);
        }
    }

    #[test]
    fn a_poll_calls_the_object_for_its_wait_and_for_each_write_and_not_again_and_again() {
        const MANY: u64 = 1_000;
        type Happens = fn(&mut Fixture);
        let happens: [(Happens, u64); 4] = [
            (|_| (), POLLED),
            (
                |run| {
                    run.append(1, acked(0, 1));
                },
                POLLED + 1,
            ),
            (|run| run.history.harms.harm_stream(0, run.now_ms(), Harm::ObjectReset), MANY),
            (|run| run.history.harms.harm_stream(0, run.now_ms(), Harm::ListingFailed), POLLED),
        ];
        for (number, (happens, most)) in happens.into_iter().enumerate() {
            for (calls, expected) in [(most, 0), (most + 1, usize::from(most < MANY))] {
                let mut run = run(Lifetime::Endless);
                let reader = run.join(Mode::LongPoll);
                let op = run.ask_live(reader, None);
                run.wait_ms(10_000);
                happens(&mut run);
                run.wait_ms(10_000);
                run.end_live(reader, op, &[], empty(0, 0, 7));
                let request = run.history.ops[op].request;
                run.history.charges.insert(request, Charge { invocations: 1, calls, rows: 0, ..Charge::default() });
                let found = Budget::of(&run.case()).dear_requests();
                assert_eq!(found.len(), expected, "{number}, {calls} calls: {found:?}");
            }
        }
    }

    #[test]
    fn a_poll_with_a_tag_shares_the_call_of_one_with_the_same() {
        for (with_tag, expected) in [([false, false], 1), ([true, false], 0), ([false, true], 0), ([true, true], 1)] {
            let mut run = run(Lifetime::Endless);
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[], polled(0, 1, 7));
            let known = run.history.ops.len() - 1;
            let polls = with_tag.map(|with_tag| run.poll_again(known, with_tag, None));
            run.wait_ms(20_000);
            for op in polls {
                run.end(op, empty(0, 0, 7));
                let request = run.history.ops[op].request;
                run.history.charges.insert(request, Charge { invocations: 1, calls: 1, rows: 0, ..Charge::default() });
            }
            check(&run, expected);
        }
    }

    #[test]
    fn the_worker_is_invoked_once_and_twice_for_a_read_that_a_gateway_forwards() {
        type Ask = fn(&mut Fixture);
        let read: Ask = |run| run.walk(&[], page(0, 0));
        let head: Ask = |run| run.head(tail(0, 0));
        for (policy, ask, most) in [("immutable-and-long-poll", read, 1), ("gateway", head, 1), ("gateway", read, 2)] {
            for (invocations, expected) in [(most, 0), (most + 1, 1)] {
                let mut run = run(Lifetime::Endless);
                run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
                ask(&mut run);
                let request = run.history.ops.last().expect("a request").request;
                run.history.charges.insert(request, Charge { invocations, calls: 1, rows: 0, ..Charge::default() });
                let found = Budget::of(&run.case()).dear_requests();
                assert_eq!(found.len(), expected, "{policy}: {invocations} invocations");
            }
        }
    }

    #[test]
    fn a_statement_that_looks_at_too_much_is_dear() {
        for (excesses, expected) in [(&[(0, "too much")][..], 1), (&[(1, "of another stream")], 0), (&[], 0)] {
            let mut run = run(Lifetime::Endless);
            run.history.excesses = excesses.iter().map(|(stream, excess)| (*stream, (*excess).to_owned())).collect();
            check(&run, expected);
        }
    }
}
