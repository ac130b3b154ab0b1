//! A superseded instance, which runs on beside its successor.

use futures_util::future::join;

use super::{PERMILLES, World, answer, ask, check_share, is_answered, run};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{Faults, Link};

fn faults(superseded_reads_fail: bool, stale_route_permille: u32) -> Faults {
    Faults::default().with(|faults| {
        faults.storage.flush = Delay::new(5, 5);
        faults.objects.superseded = Delay::new(20_000, 20_000);
        faults.objects.superseded_reads_fail = superseded_reads_fail;
        faults.objects.stale_route_permille = stale_route_permille;
    })
}

/// Sets how many of 1,000 requests reach the superseded instance: none or all.
fn route(world: &World, stale_route_permille: u32) {
    let faults = world.faults().with(|faults| faults.objects.stale_route_permille = stale_route_permille);
    world.set_faults(faults);
}

#[test]
fn its_stale_reads_escape_where_local_reads_do_not_fail_and_its_writes_never_count() {
    run(1, faults(false, 0), async |world, _| {
        answer(&world, "a", "append x").await;
        world.supersede("a");
        assert_eq!(answer(&world, "a", "append y").await, "2", "the successor goes on from what was confirmed");
        route(&world, 1000);
        assert_eq!(answer(&world, "a", "count").await, "1", "the old instance knows nothing of it");
        assert_eq!(world.marks().count(marks::SUPERSEDED_INSTANCE_ANSWERED), 1);
        let lost = ask(&world, "a", "append never").await;
        assert!(!is_answered(&lost), "its writes are never confirmed, so nobody is told of them");
        route(&world, 0);
        assert_eq!(answer(&world, "a", "count").await, "2");
    });
}

#[test]
fn after_a_write_nothing_of_it_leaves_any_more() {
    run(1, faults(false, 0), async |world, _| {
        answer(&world, "a", "append x").await;
        world.supersede("a");
        route(&world, 1000);
        let (append, read) = join(ask(&world, "a", "append never"), async {
            rt::sleep_ms(100).await;
            ask(&world, "a", "count").await
        })
        .await;
        assert_eq!((is_answered(&append), is_answered(&read)), (false, false));
        assert_eq!(world.marks().count(marks::SUPERSEDED_INSTANCE_ANSWERED), 0);
    });
}

#[test]
fn it_is_reset_by_its_first_storage_access_where_local_reads_fail() {
    run(1, faults(true, 0), async |world, _| {
        answer(&world, "a", "append x").await;
        world.supersede("a");
        answer(&world, "a", "append y").await;
        route(&world, 1000);
        assert_eq!(answer(&world, "a", "requests").await, "2", "what it answers from memory alone escapes");
        assert!(!is_answered(&ask(&world, "a", "count").await));
        assert_eq!(world.marks().count(marks::SUPERSEDED_INSTANCE_RESET), 1);
        assert_eq!(answer(&world, "a", "count").await, "2", "only the successor is left");
    });
}

#[test]
fn it_ends_when_its_time_is_up_and_at_the_calm() {
    for (wait_ms, calm, still_there) in [(19_000, false, true), (20_100, false, false), (1_000, true, false)] {
        run(1, faults(false, 0), async |world, _| {
            answer(&world, "a", "append x").await;
            world.supersede("a");
            answer(&world, "a", "append y").await;
            rt::sleep_ms(wait_ms).await;
            if calm {
                world.calm();
            }
            route(&world, 1000);
            let rows = answer(&world, "a", "count").await;
            assert_eq!(rows == "1", still_there, "after {wait_ms} ms, calm: {calm}");
        });
    }
}

#[test]
fn requests_take_the_stale_route_never_sometimes_or_always() {
    for permille in PERMILLES {
        run(1, faults(false, permille), async |world, _| {
            answer(&world, "a", "append x").await;
            world.supersede("a");
            let mut stale = 0;
            for _ in 0..100 {
                answer(&world, "a", "count").await;
                stale = world.marks().count(marks::SUPERSEDED_INSTANCE_ANSWERED);
            }
            check_share(permille, stale as usize);
        });
    }
}

#[test]
fn a_request_in_flight_ends_in_the_old_instance_and_its_late_writes_are_lost() {
    let object_link = Link { latency: Delay::new(100, 100), ..Link::default() };
    run(1, faults(false, 0).with(|faults| faults.network.object_link = object_link), async |world, _| {
        let supersede = async {
            rt::sleep_ms(150).await;
            world.supersede("a");
        };
        // It has written a row and called another object when its successor takes over.
        let (outcome, ()) = join(ask(&world, "a", "call b"), supersede).await;
        assert!(!is_answered(&outcome));
        world.calm();
        assert_eq!(
            answer(&world, "a", "count").await,
            "1",
            "the row before the call was confirmed, the one after never"
        );
        assert_eq!(answer(&world, "b", "count").await, "1");
    });
}

#[test]
fn a_successor_starts_from_a_prefix_of_what_was_written() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        run(seed, faults(false, 0).with(|faults| faults.storage.flush = Delay::new(50, 50)), async |world, _| {
            answer(&world, "a", "append x").await;
            let supersede = async {
                rt::sleep_ms(20).await;
                world.supersede("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "append y"), supersede).await;
            assert!(!is_answered(&outcome), "what waited for its write is never seen");
            seen.insert(answer(&world, "a", "count").await);
        });
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["1", "2"]);
}
