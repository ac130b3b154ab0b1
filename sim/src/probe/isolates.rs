//! Which isolate of a datacenter serves a request, and how long an isolate lives.

use futures_util::future::{join, join_all};

use super::{PERMILLES, Probe, World, answer, ask, elapsed_ms, run_configured};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{Faults, Lost, Region, WorldConfigOf, marks};

fn sharing(permille: u32) -> Faults {
    Faults::default().with(|faults| faults.edge.shares_busy_isolate_permille = permille)
}

fn run<F: Future<Output = ()>>(seed: u64, faults: Faults, isolates: usize, test: impl FnOnce(World) -> F) {
    let configure = |config: &mut WorldConfigOf<Probe>| {
        (config.isolates, config.colos) = (isolates, vec![Region::WesternEurope, Region::Oceania]);
    };
    run_configured(seed, faults, configure, |world, _| test(world));
}

/// How many of so many concurrent requests each isolate of the first datacenter serves, most first.
fn spread(seed: u64, permille: u32, requests: usize, isolates: usize) -> Vec<usize> {
    let of_isolate = |isolate: usize| {
        let mut failed = 0;
        run(seed, sharing(permille), isolates, async |world| {
            let restart = async {
                rt::sleep_ms(50).await;
                world.restart_isolate(isolate);
            };
            let asked = join_all((0..requests).map(|_| ask(&world, "a", "sleep 100")));
            let (outcomes, ()) = join(asked, restart).await;
            failed = outcomes.iter().filter(|outcome| **outcome == Err(Lost::Reset)).count();
        });
        failed
    };
    let mut served: Vec<usize> = (0..isolates).map(of_isolate).collect();
    served.sort_by_key(|count| usize::MAX - count);
    served
}

#[test]
fn concurrent_requests_have_isolates_of_their_own_or_share_one_or_something_in_between() {
    for seed in 0..20 {
        assert_eq!(spread(seed, 0, 4, 4), [1, 1, 1, 1], "each has its own");
        assert_eq!(spread(seed, 0, 3, 5), [1, 1, 1, 0, 0]);
        assert_eq!(spread(seed, 1_000, 4, 3), [4, 0, 0], "they share one");
        assert_eq!(spread(seed, 1_000, 4, 1), [4]);
        let crowded = spread(seed, 0, 5, 2);
        assert!(crowded[0] + crowded[1] == 5 && crowded[1] > 0, "beyond the last one they share: {crowded:?}");
    }
    let some: Vec<Vec<usize>> = (0..40).map(|seed| spread(seed, 300, 4, 4)).collect();
    let own = some.iter().filter(|spread| spread[..] == [1, 1, 1, 1]).count();
    assert!((1..30).contains(&own), "{some:?}");
}

#[test]
fn requests_that_come_one_after_the_other_reach_any_isolate() {
    for permille in PERMILLES {
        let faults = sharing(permille).with(|faults| faults.edge.clock_off_ms = 5_000);
        run(1, faults, 3, async |world| {
            let mut clocks = std::collections::BTreeSet::new();
            for _ in 0..30 {
                clocks.insert(off_ms(&world).await);
            }
            assert_eq!(clocks.len(), 3);
            let marks = world.marks();
            assert_eq!(marks.count(marks::ISOLATE_OF_ITS_OWN) + marks.count(marks::BUSY_ISOLATE_SHARED), 0);
        });
    }
}

#[test]
fn datacenters_have_isolates_of_their_own() {
    run(1, sharing(1_000), 2, async |world| {
        let far = world.near(1);
        let restart = async {
            rt::sleep_ms(50).await;
            world.restart_isolate(2);
            world.restart_isolate(3);
        };
        let (outcomes, ()) = join(join(ask(&world, "a", "sleep 100"), ask(&far, "a", "sleep 100")), restart).await;
        assert!(outcomes.0.is_ok());
        assert_eq!(outcomes.1, Err(Lost::Reset));
    });
}

/// By how much the clock of an isolate differs from the world's, in ms: each isolate has its own, in its memory.
async fn off_ms(world: &World) -> i64 {
    let shown_ms: u64 = answer(world, "a", "edge-now").await.parse().unwrap();
    shown_ms.cast_signed() - world.now_ms().cast_signed()
}

/// How often the only isolate dies between requests that are so far apart, of which there are 101.
fn deaths(idle: Delay, apart_ms: u64) -> u64 {
    let faults = Faults::default().with(|faults| {
        faults.edge.isolate_idle = idle;
        faults.edge.clock_off_ms = 1_000_000;
    });
    let mut died = 0;
    run(1, faults, 1, async |world| {
        let (mut changes, mut last_ms) = (0, off_ms(&world).await);
        for _ in 0..100 {
            rt::sleep_ms(apart_ms).await;
            let now_ms = off_ms(&world).await;
            changes += u64::from(now_ms != last_ms);
            last_ms = now_ms;
        }
        died = world.marks().count(marks::ISOLATE_DIED_IDLE);
        assert_eq!(changes, died, "with its memory");
    });
    died
}

#[test]
fn isolates_die_of_idleness_never_sometimes_or_always() {
    assert_eq!(deaths(Delay::NONE, 100_000), 0);
    assert_eq!(deaths(Delay::new(1_000, 1_000), 999), 0);
    assert_eq!(deaths(Delay::new(1_000, 1_000), 1_000), 100);
    let some = deaths(Delay::new(0, 2_000), 1_000);
    assert!((20..80).contains(&some), "{some}");
}

#[test]
fn an_isolate_that_serves_a_request_does_not_die() {
    let faults = sharing(1_000).with(|faults| faults.edge.isolate_idle = Delay::new(100, 100));
    run(1, faults, 1, async |world| {
        let late = async {
            rt::sleep_ms(1_000).await;
            answer(&world, "a", "sleep 1").await;
        };
        join(answer(&world, "a", "sleep 2000"), late).await;
        assert_eq!(world.marks().count(marks::ISOLATE_DIED_IDLE), 0);
        rt::sleep_ms(100).await;
        answer(&world, "a", "sleep 1").await;
        assert_eq!((world.marks().count(marks::ISOLATE_DIED_IDLE), elapsed_ms()), (1, 2_101));
    });
}

#[test]
fn an_isolate_in_which_an_object_lives_does_not_die_until_the_object_has_gone() {
    let faults = Faults::default().with(|faults| {
        faults.edge.isolate_idle = Delay::new(100, 100);
        faults.objects.shares_isolate_permille = 1_000;
    });
    run(1, faults, 1, async |world| {
        for (waits_ms, deaths) in [(1_000, 0), (1_000, 0), (11_000, 1)] {
            answer(&world, "a", "count").await;
            rt::sleep_ms(waits_ms).await;
            // It asks no object.
            answer(&world, "a", "edge-now").await;
            assert_eq!(world.marks().count(marks::ISOLATE_DIED_IDLE), deaths, "after {waits_ms} ms");
        }
    });
}
