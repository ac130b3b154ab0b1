//! Turns, the output gate, and crashes.

use futures_util::future::{join, join_all};

use super::{PERMILLES, answer, ask, check_share, elapsed_ms, is_answered, run, run_mutated};
use crate::bill::Meter;
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{Faults, HostMutant, Link};

/// Writes take 40 to 60 ms to be durable; nothing else goes wrong.
fn slow_flush() -> Faults {
    Faults::default().with(|faults| faults.storage.flush = Delay::new(40, 60))
}

#[test]
fn an_answer_waits_for_the_writes_before_it_and_one_without_writes_does_not() {
    run(1, slow_flush(), async |world, _| {
        answer(&world, "a", "count").await;
        assert_eq!((elapsed_ms(), world.marks().count(marks::GATE_HELD_ANSWER)), (0, 0));
        answer(&world, "a", "append x").await;
        assert!((40..=61).contains(&elapsed_ms()), "{}", elapsed_ms());
        assert_eq!(world.marks().count(marks::GATE_HELD_ANSWER), 1);
        // A read that sees an unconfirmed write waits until it is confirmed.
        let before_ms = elapsed_ms();
        let (_, read) = join(answer(&world, "a", "append y"), async {
            rt::sleep_ms(1).await;
            answer(&world, "a", "count").await
        })
        .await;
        assert_eq!(read, "2");
        assert!(elapsed_ms() >= before_ms + 40);
    });
}

#[test]
fn a_crash_before_the_flush_takes_the_answer_and_some_writes_with_it() {
    let outcomes: Vec<_> = (0..40)
        .map(|seed| {
            run(seed, slow_flush(), async |world, _| {
                let crash = async {
                    rt::sleep_ms(20).await;
                    world.crash("a");
                };
                let (outcome, ()) = join(ask(&world, "a", "append x"), crash).await;
                assert_eq!(outcome.map(|response| response.status), Ok(503));
                assert_eq!(elapsed_ms(), 20, "the caller learns of the crash and of nothing else");
                let rows = answer(&world, "a", "count").await;
                let marks = world.marks();
                let (lost, kept) = (
                    marks.count(marks::CRASH_LOST_UNCONFIRMED_WRITE),
                    marks.count(marks::CRASH_KEPT_UNCONFIRMED_WRITE),
                );
                assert_eq!((lost, kept), if rows == "0" { (1, 0) } else { (0, 1) });
                rows
            })
        })
        .collect();
    assert!(outcomes.contains(&"0".to_owned()) && outcomes.contains(&"1".to_owned()), "{outcomes:?}");
}

#[test]
fn what_one_turn_writes_stays_or_goes_together() {
    for seed in 0..60 {
        run(seed, slow_flush().with(|faults| faults.objects.crash_permille = 300), async |world, _| {
            join_all((0..5).map(|_| ask(&world, "a", "pair"))).await;
            world.calm();
            let rows: u64 = answer(&world, "a", "count").await.parse().unwrap();
            assert_eq!(rows % 2, 0, "seed {seed}");
        });
    }
}

#[test]
fn a_crash_between_two_turns_of_one_event_may_keep_the_first_alone() {
    let latency = Link { latency: Delay::new(50, 50), ..Link::default() };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        run(seed, slow_flush().with(|faults| faults.network.object_link = latency), async |world, _| {
            let crash = async {
                rt::sleep_ms(50 + seed * 6).await;
                world.crash("a");
            };
            drop(join(ask(&world, "a", "call b"), crash).await);
            world.calm();
            seen.insert(answer(&world, "a", "count").await);
        });
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn a_call_of_another_object_waits_for_the_writes_before_it() {
    run(1, slow_flush(), async |world, _| {
        let called = async {
            rt::sleep_ms(39).await;
            let too_early = world.stored("b").rows("rows");
            rt::sleep_ms(23).await;
            (too_early, world.stored("b").rows("rows"))
        };
        let (said, rows) = join(answer(&world, "a", "call b"), called).await;
        assert_eq!((said.as_str(), rows), ("called", (0, 1)));
    });
    for seed in 0..20 {
        run(seed, slow_flush(), async |world, _| {
            let crash = async {
                rt::sleep_ms(30).await;
                world.crash("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "call b"), crash).await;
            assert!(!is_answered(&outcome));
            rt::sleep_ms(1000).await;
            assert_eq!(world.stored("b").rows("rows"), 0, "a call that waited is never made");
        });
    }
}

#[test]
fn turns_crash_never_sometimes_or_always() {
    for permille in PERMILLES {
        run(1, slow_flush().with(|faults| faults.objects.crash_permille = permille), async |world, _| {
            let mut failed = 0;
            for _ in 0..100 {
                failed += usize::from(!is_answered(&ask(&world, "a", "append x").await));
            }
            check_share(permille, failed);
            world.calm();
            assert!(is_answered(&ask(&world, "a", "append x").await), "calm ends all crashes");
        });
    }
}

#[test]
fn events_that_await_something_crash_never_sometimes_or_always_and_others_do_not() {
    for permille in PERMILLES {
        run(1, slow_flush().with(|faults| faults.objects.crash_awaiting_permille = permille), async |world, _| {
            let (mut awaiting, mut others) = (0, 0);
            for _ in 0..100 {
                awaiting += usize::from(!is_answered(&ask(&world, "a", "keep k").await));
                others += usize::from(!is_answered(&ask(&world, "a", "append x").await));
            }
            check_share(permille, awaiting);
            assert_eq!(others, 0);
            assert_eq!(world.usage().total(Meter::R2ClassA), 100, "each put had left before the crash");
        });
    }
}

#[test]
fn objects_crash_while_an_answer_is_held_never_sometimes_or_always() {
    for permille in PERMILLES {
        run(1, slow_flush().with(|faults| faults.objects.crash_held_permille = permille), async |world, _| {
            let mut failed = 0;
            for _ in 0..100 {
                failed += usize::from(!is_answered(&ask(&world, "a", "append x").await));
            }
            check_share(permille, failed);
            let marks = world.marks();
            let crashed =
                marks.count(marks::CRASH_LOST_UNCONFIRMED_WRITE) + marks.count(marks::CRASH_KEPT_UNCONFIRMED_WRITE);
            assert_eq!(crashed, failed as u64, "each crash took or kept the one write that was held");
            assert!(is_answered(&ask(&world, "a", "count").await), "nothing is held, nothing crashes");
        });
    }
}

/// The number of seeds, of 40, in which an acknowledged append is gone.
fn seeds_that_lose_an_acknowledged_append(mutant: Option<HostMutant>) -> usize {
    let loses = |seed: &u64| {
        let faults = slow_flush().with(|faults| faults.objects.crash_permille = 200);
        run_mutated(*seed, faults, mutant, async |world, _| {
            let mut acknowledged = 0;
            for _ in 0..10 {
                let asked = (0..3).map(|_| ask(&world, "a", "append x"));
                acknowledged += join_all(asked).await.iter().filter(|outcome| is_answered(outcome)).count();
            }
            world.calm();
            let rows: usize = answer(&world, "a", "count").await.parse().unwrap();
            rows < acknowledged
        })
    };
    (0..40).filter(loses).count()
}

#[test]
fn an_acknowledged_append_survives_every_crash_unless_answers_leave_before_the_gate() {
    assert_eq!(seeds_that_lose_an_acknowledged_append(None), 0);
    assert!(seeds_that_lose_an_acknowledged_append(Some(HostMutant::AnswerBeforeGate)) > 20);
}

#[test]
fn rows_are_counted_as_billed_with_each_alarm_as_one() {
    run(1, Faults::default(), async |world, _| {
        answer(&world, "a", "append x").await;
        answer(&world, "a", "append x").await;
        answer(&world, "a", "alarm 1900000000000").await;
        let stored = world.stored("a");
        assert_eq!(stored.tables, [("rows".to_owned(), 2)]);
        assert_eq!((stored.rows_written, stored.alarm_ms), (4, Some(1_900_000_000_000)));
        assert_eq!(world.stored("never asked for"), crate::world::StoredSummary::default());
    });
}
