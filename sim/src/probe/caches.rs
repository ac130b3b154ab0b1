//! The cache of a datacenter.

use futures_util::future::join_all;
use tailrace_core::protocol::Response;

use super::{LOOK_LIMIT_MS, PERMILLES, World, ask, check_share, elapsed_ms, run};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{CacheFaults, Faults, Lost, Visited, marks};

fn faults(cache: CacheFaults) -> Faults {
    Faults::default().with(|faults| faults.cache = cache)
}

/// The edge's answer to a command of the cache.
async fn edge(world: &World, command: &str) -> Response {
    ask(world, "edge", command).await.expect("an answer")
}

/// Whether the cache has the answer.
async fn has(world: &World, key: &str) -> bool {
    let answer = edge(world, &format!("look-up {key}")).await;
    assert!(answer.status == 404 || answer.body == format!("{key} is stored").as_bytes(), "{answer:?}");
    answer.status == 200
}

#[test]
fn what_is_stored_comes_back_with_its_fields_until_it_is_removed_or_its_time_is_up() {
    run(1, Faults::default(), async |world, _| {
        assert!(!has(&world, "k").await);
        edge(&world, "store k").await;
        let stored = edge(&world, "look-up k").await;
        let field = |name| stored.headers.get(name);
        assert_eq!([field("cache-control"), field("x-extra")], [Some("public, max-age=60"), Some("added")]);
        edge(&world, "remove k").await;
        assert!(!has(&world, "k").await);
        edge(&world, "store k").await;
        rt::sleep_ms(59_000).await;
        assert!(has(&world, "k").await);
        rt::sleep_ms(1_000).await;
        assert!(!has(&world, "k").await);
        assert_eq!(world.marks().count(marks::CACHE_ENTRY_ENDED), 1);
        assert!(!has(&world, "other").await);
    });
}

#[test]
fn an_answer_is_seen_a_while_after_it_was_stored_by_nobody_sooner() {
    let cache = CacheFaults { visible: Delay::new(5, 10), ..CacheFaults::default() };
    run(1, faults(cache), async |world, _| {
        let mut seen_after_ms = Vec::new();
        for number in 0..100 {
            let key = number.to_string();
            edge(&world, &format!("store {key}")).await;
            let before_ms = elapsed_ms();
            while !has(&world, &key).await {
                rt::sleep_ms(1).await;
            }
            seen_after_ms.push(elapsed_ms() - before_ms);
        }
        let (first, last) = (seen_after_ms.iter().min(), seen_after_ms.iter().max());
        assert!(first >= Some(&5) && last <= Some(&11) && first < last, "{seen_after_ms:?}");
        assert!(world.marks().count(marks::CACHE_NOT_VISIBLE_YET) > 0);
    });
}

#[test]
fn look_ups_and_puts_take_their_own_time() {
    let cache = CacheFaults { look_up: Delay::new(10, 10), put: Delay::new(20, 20), ..CacheFaults::default() };
    run(1, faults(cache), async |world, _| {
        for (command, takes_ms) in [("store k", 20), ("look-up k", 10), ("remove k", 10), ("look-up k", 10)] {
            let before_ms = elapsed_ms();
            edge(&world, command).await;
            assert_eq!(elapsed_ms() - before_ms, takes_ms, "{command}");
        }
    });
}

#[test]
fn isolates_of_one_part_see_the_same_and_those_of_others_do_not() {
    for (partitions, all) in [(0, true), (1, true), (20, false)] {
        run(1, faults(CacheFaults { partitions, ..CacheFaults::default() }), async |world, _| {
            edge(&world, "store k").await;
            let seen = join_all((0..60).map(|_| has(&world, "k"))).await;
            let share = seen.iter().filter(|seen| **seen).count();
            assert_eq!(share == 60, all, "{share} of 60 with {partitions} parts");
            assert!(share > 0);
        });
    }
}

#[test]
fn puts_are_lost_never_sometimes_or_always() {
    for put_lost_permille in PERMILLES {
        run(1, faults(CacheFaults { put_lost_permille, ..CacheFaults::default() }), async |world, _| {
            let mut lost = 0;
            for number in 0..100 {
                edge(&world, &format!("store {number}")).await;
                lost += usize::from(!has(&world, &number.to_string()).await);
            }
            check_share(put_lost_permille, lost);
            assert_eq!(world.marks().count(marks::CACHE_PUT_LOST), lost as u64);
        });
    }
}

#[test]
fn answers_are_evicted_never_sometimes_or_always_and_stay_away() {
    for evicted_permille in PERMILLES {
        run(1, faults(CacheFaults { evicted_permille, ..CacheFaults::default() }), async |world, _| {
            let mut evicted = 0;
            for number in 0..100 {
                let key = number.to_string();
                edge(&world, &format!("store {key}")).await;
                if !has(&world, &key).await {
                    evicted += 1;
                    assert!(!has(&world, &key).await);
                }
            }
            check_share(evicted_permille, evicted);
            assert_eq!(world.marks().count(marks::CACHE_EVICTED), evicted as u64);
        });
    }
}

#[test]
fn look_ups_fail_never_sometimes_or_always_and_what_is_stored_stays() {
    for permille in PERMILLES {
        run(1, Faults::default(), async |world, _| {
            edge(&world, "store k").await;
            world.set_faults(faults(CacheFaults { look_up_fails_permille: permille, ..CacheFaults::default() }));
            let mut failed = 0;
            for _ in 0..100 {
                failed += usize::from(!has(&world, "k").await);
            }
            check_share(permille, failed);
            assert_eq!(world.marks().count(marks::CACHE_LOOK_UP_FAILED), failed as u64);
            world.set_faults(Faults::default());
            assert!(has(&world, "k").await);
        });
    }
}

#[test]
fn look_ups_never_end_never_sometimes_or_always_and_whoever_looks_gives_up() {
    for permille in PERMILLES {
        run(1, Faults::default(), async |world, _| {
            edge(&world, "store k").await;
            world.set_faults(faults(CacheFaults { look_up_stuck_permille: permille, ..CacheFaults::default() }));
            let mut stuck = 0;
            for number in 0..100 {
                edge(&world, &format!("store {number}")).await;
                let before_ms = elapsed_ms();
                let has = has(&world, &number.to_string()).await;
                assert_eq!(elapsed_ms() - before_ms, if has { 0 } else { LOOK_LIMIT_MS });
                stuck += usize::from(!has);
            }
            check_share(permille, stuck);
            assert_eq!(world.marks().count(marks::CACHE_LOOK_UP_STUCK), stuck as u64);
            let visits = world.services().cache.visits();
            assert_eq!(visits.iter().filter(|visit| visit.what == Visited::Stuck).count(), stuck);
        });
    }
}

#[test]
fn a_name_without_a_zone_has_no_cache_and_nothing_fails() {
    let cache = CacheFaults { no_zone: true, look_up: Delay::new(10, 10), ..CacheFaults::default() };
    run(1, faults(cache), async |world, _| {
        assert_eq!(edge(&world, "store k").await.status, 200);
        assert!(!has(&world, "k").await);
        assert_eq!(edge(&world, "remove k").await.status, 200);
        assert_eq!((elapsed_ms(), world.services().cache.visits().len()), (0, 0));
    });
}

#[test]
fn what_was_sent_to_be_stored_is_stored_though_its_request_ends_meanwhile() {
    let ends = faults(CacheFaults { put: Delay::new(50, 50), ..CacheFaults::default() }).with(|faults| {
        faults.edge.request_vanished_permille = 1_000;
        faults.edge.request_vanishes = Delay::new(2, 2);
    });
    run(1, ends, async |world, _| {
        assert_eq!(ask(&world, "edge", "store k").await, Err(Lost::Reset));
        world.set_faults(Faults::default());
        rt::sleep_ms(100).await;
        assert!(has(&world, "k").await);
        assert_eq!(world.marks().count(marks::CACHE_PUT_OUTLIVED_ITS_REQUEST), 1);
    });
}

#[test]
fn what_came_of_each_visit_is_written_down_with_who_has_stored_what_was_found() {
    run(1, Faults::default(), async |world, _| {
        for command in ["look-up k", "store k", "store-for-no-time k", "look-up k"] {
            edge(&world, command).await;
        }
        let visits = world.services().cache.visits();
        let came: Vec<(u64, Visited)> = visits.iter().map(|visit| (visit.request, visit.what)).collect();
        let stored = |what| matches!(what, Visited::Stored { .. });
        assert!(
            matches!(&came[..], [(1, Visited::Missed), (2, what), (3, Visited::Refused), (4, Visited::Hit { by: 2 })]
            if stored(*what)),
            "{came:?}"
        );
    });
}
