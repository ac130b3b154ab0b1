//! What faults leave behind as proof, and the faults that a client sees as nothing but a failure or a long wait.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{PATIENCE_MS, PERMILLES, World, answer, ask, check_share, elapsed_ms, is_answered, run};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{Faults, Harm, Link, PAGE_BYTES, marks};

/// How often each harm was done to requests.
fn counts(world: &World) -> BTreeMap<Harm, usize> {
    let mut counts = BTreeMap::new();
    for harm in world.harms().to_requests.values().flatten() {
        *counts.entry(*harm).or_default() += 1;
    }
    counts
}

/// How many of 100 requests that are made at once have no right answer under these faults, which do this one harm.
fn failures(faults: Faults, harm: Harm) -> usize {
    run(1, faults, async |world, _| {
        let outcomes = join_all((0..100).map(|_| ask(&world, "a", "append x"))).await;
        let failed = outcomes.iter().filter(|outcome| !is_answered(outcome)).count();
        let expected = if failed == 0 { BTreeMap::new() } else { BTreeMap::from([(harm, failed)]) };
        assert_eq!(counts(&world), expected, "each failure has its proof, and nothing else is harmed");
        world.calm();
        assert!(is_answered(&ask(&world, "a", "count").await), "the calm ends it");
        failed
    })
}

#[test]
fn objects_are_overloaded_calls_never_end_and_clients_leave_never_sometimes_or_always() {
    for permille in PERMILLES {
        let faults = |turn: fn(&mut Faults, u32)| Faults::default().with(|faults| turn(faults, permille));
        let overloaded = faults(|faults, permille| faults.objects.overloaded_permille = permille);
        check_share(permille, failures(overloaded, Harm::Overloaded));
        let stuck = faults(|faults, permille| faults.network.call_stuck_permille = permille);
        check_share(permille, failures(stuck, Harm::CallStuck));
        let leaving = faults(|faults, permille| {
            faults.network.client_link.latency = Delay::new(10, 10);
            faults.network.client_leaves_permille = permille;
            faults.network.client_leaves = Delay::new(0, 19);
        });
        check_share(permille, failures(leaving, Harm::ClientLeft));
    }
}

#[test]
fn an_overloaded_object_has_done_nothing_and_a_call_that_never_ends_is_carried_out() {
    for (permille, rows) in [(0, "1"), (1000, "2")] {
        let faults = Faults::default().with(|faults| {
            faults.objects.overloaded_permille = 1000 - permille;
            faults.network.call_stuck_permille = permille;
        });
        run(1, faults, async |world, _| {
            assert!(!is_answered(&ask(&world, "a", "append x").await));
            world.calm();
            assert_eq!(answer(&world, "a", "append y").await, rows);
        });
    }
}

#[test]
fn messages_are_slow_never_sometimes_or_always_and_say_so() {
    for permille in PERMILLES {
        let link = Link { slow_permille: permille, slow: Delay::new(1_500, 2_000), ..Link::default() };
        for (client_link, harm) in [(true, Harm::ClientMessageSlow), (false, Harm::CallSlow)] {
            let faults = Faults::default().with(|faults| match client_link {
                true => faults.network.client_link = link,
                false => faults.network.object_link = link,
            });
            run(1, faults, async |world, _| {
                let mut slow = 0;
                for _ in 0..100 {
                    let before_ms = elapsed_ms();
                    answer(&world, "a", "count").await;
                    // Of the two messages that it takes, none, one or both.
                    slow += (elapsed_ms() - before_ms) / 1_500;
                }
                let most = if permille == 1000 { 200 } else { slow };
                assert_eq!(slow, most);
                assert_eq!(permille == 0, slow == 0);
                assert_eq!(counts(&world).get(&harm).copied().unwrap_or_default() as u64, slow);
                assert_eq!(world.marks().count(marks::MESSAGE_SLOW), slow);
            });
        }
    }
}

#[test]
fn statements_fail_never_sometimes_or_always_and_change_nothing() {
    for permille in [0, 30, 1000] {
        let faults = Faults::default().with(|faults| faults.storage.statement_fails_permille = permille);
        run(1, faults, async |world, _| {
            let mut failed = 0;
            for _ in 0..100 {
                failed += usize::from(ask(&world, "a", "append x").await.is_ok_and(|response| response.status == 500));
            }
            check_share(permille, failed);
            let harms = world.harms().to_objects;
            assert_eq!(harms.len() as u64, world.marks().count(marks::STATEMENT_FAILED));
            assert!(harms.len() >= failed && harms.iter().all(|(_, name, _)| name.as_ref() == "a"));
            world.calm();
            let rows: usize = answer(&world, "a", "count").await.parse().unwrap();
            // An append whose own count failed had been written before.
            assert!((100 - failed..=100).contains(&rows), "{rows} rows, {failed} failed");
            assert_eq!(permille == 1000, rows == 0);
        });
    }
}

#[test]
fn databases_are_said_to_be_full_never_sometimes_or_always_and_change_nothing() {
    for permille in [0, 100, 1000] {
        let faults = Faults::default().with(|faults| faults.storage.statement_full_permille = permille);
        run(1, faults, async |world, _| {
            let mut failed = 0;
            for _ in 0..100 {
                let response = ask(&world, "a", "append x").await.expect("an answer");
                failed += usize::from(response.status == 500);
                assert!(response.status == 200 || response.body.starts_with(b"database or disk is full"));
                assert_eq!(ask(&world, "a", "count").await.map(|response| response.status), Ok(200), "reads go on");
            }
            check_share(permille, failed);
            let harms = world.harms().to_objects;
            assert_eq!((harms.len(), world.marks().count(marks::DATABASE_FULL)), (failed, failed as u64));
            assert!(harms.iter().all(|(_, name, harm)| name.as_ref() == "a" && *harm == Harm::DatabaseFull));
            world.calm();
            assert!(is_answered(&ask(&world, "a", "append x").await), "the calm ends it");
            assert_eq!(answer(&world, "a", "count").await, (101 - failed).to_string());
        });
    }
}

#[test]
fn a_database_has_as_many_pages_as_the_world_gives_it_and_what_makes_it_no_larger_goes_on() {
    for pages in [0, 10, 40] {
        let faults = Faults::default().with(|faults| faults.storage.database_pages = pages);
        run(1, faults, async |world, _| {
            let mut written = 0;
            for _ in 0..60 {
                let response = ask(&world, "a", "fill 3000").await.expect("an answer");
                written += usize::from(response.status == 200);
                assert!(response.status == 200 || response.body.starts_with(b"database or disk is full"));
            }
            // A page each, besides those of the schema and of the tree.
            let expected = if pages == 0 { 60 } else { pages as usize - 2 };
            assert!(written.abs_diff(expected) <= 1, "{written} rows in {pages} pages");
            assert_eq!(answer(&world, "a", "count").await, written.to_string());
            let bytes: u64 = answer(&world, "a", "bytes").await.parse().unwrap();
            assert!(pages == 0 || bytes <= pages * PAGE_BYTES);
            let has = world.harms().to_objects.into_iter().filter(|(_, _, harm)| *harm != Harm::DatabaseOverrun);
            let told = (pages > 0).then_some(Harm::DatabaseHas { pages: bytes / PAGE_BYTES });
            assert_eq!(has.map(|(_, _, harm)| harm).collect::<Vec<_>>(), told.into_iter().collect::<Vec<_>>());
            world.calm();
            let full = ask(&world, "a", "fill 3000").await.expect("an answer");
            assert_eq!(full.status == 500, pages > 0, "the calm makes nothing larger");
            answer(&world, "a", "clear").await;
            assert_eq!(answer(&world, "a", "fill 3000").await, "1");
        });
    }
}

#[test]
fn a_request_that_shares_a_flight_shares_what_was_done_to_the_first() {
    let faults = Faults::default().with(|faults| {
        faults.network.client_link = Link { slow_permille: 1000, slow: Delay::new(1_000, 1_000), ..Link::default() };
    });
    run(1, faults, async |world, _| {
        let asked = (0..12).map(|_| ask(&world, "a", "share k"));
        assert!(join_all(asked).await.iter().all(is_answered));
        let harms = world.harms().to_requests;
        // Each is slow on its way, to and fro; those who joined were slow before they did, and so was the first.
        let is_slow = |harm: &&Harm| **harm == Harm::ClientMessageSlow;
        let shared = harms.values().filter(|harms| harms.iter().filter(is_slow).count() == 3);
        assert!(shared.clone().count() >= 3, "{harms:?}");
        assert!(shared.into_iter().all(|harms| harms.contains(&Harm::FlightLost)), "{harms:?}");
    });
}

#[test]
fn a_flight_that_is_lost_harms_those_who_have_joined_it() {
    for permille in [0, 1_000] {
        run(1, Faults::default().with(|faults| faults.edge.flight_lost_permille = permille), async |world, _| {
            join_all((0..12).map(|_| ask(&world, "a", "share k"))).await;
            let harms = world.harms().to_requests;
            // One in each of the isolates flies.
            assert_eq!(harms.len(), if permille == 0 { 0 } else { 9 }, "{harms:?}");
            assert!(harms.values().all(|harms| *harms == [Harm::FlightLost]), "{harms:?}");
        });
    }
}

#[test]
fn an_isolate_that_restarts_harms_every_request_that_it_serves() {
    run(1, Faults::default(), async |world, _| {
        let asked = join_all((0..30).map(|_| ask(&world, "a", "sleep 500")));
        let restart = async {
            rt::sleep_ms(50).await;
            (0..3).for_each(|isolate| world.restart_isolate(isolate));
        };
        let (outcomes, ()) = futures_util::future::join(asked, restart).await;
        assert!(outcomes.iter().all(Result::is_err) && elapsed_ms() < PATIENCE_MS);
        assert_eq!(counts(&world), BTreeMap::from([(Harm::IsolateRestarted, 30)]));
    });
}

#[test]
fn what_a_superseded_instance_answers_is_stale_and_calls_that_it_never_answers_are_harmed() {
    for (reads_fail, expected) in [(false, Some(Harm::Stale)), (true, None)] {
        let faults = Faults::default().with(|faults| {
            faults.storage.flush = Delay::new(5, 5);
            faults.objects.superseded = Delay::new(20_000, 20_000);
            faults.objects.superseded_reads_fail = reads_fail;
            faults.objects.stale_route_permille = 1000;
        });
        run(1, faults, async |world, _| {
            answer(&world, "a", "append x").await;
            world.supersede("a");
            // Answered from memory alone: where reads fail, nothing excuses that.
            answer(&world, "a", "requests").await;
            let stale = counts(&world).keys().copied().find(|harm| *harm == Harm::Stale);
            assert_eq!(stale, expected);
            assert_eq!(counts(&world).get(&Harm::ObjectSuperseded), Some(&1));
        });
    }
}
