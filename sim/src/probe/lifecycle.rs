//! Cold start, hibernation, eviction.

use futures_util::future::{join, join_all};
use tailrace_core::protocol::{Headers, Method};

use super::sockets::connect;
use super::{Notes, PERMILLES, World, answer, ask, check_share, elapsed_ms, heard, is_answered, run, run_configured};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{Faults, Link, Request, RequestBody};

#[test]
fn the_first_event_waits_for_the_cold_start_and_so_do_those_that_come_meanwhile() {
    run(1, Faults::default().with(|faults| faults.objects.cold_start = Delay::new(200, 300)), async |world, _| {
        let asked = (0..4).map(|_| answer(&world, "a", "append x"));
        let mut answers = join_all(asked).await;
        answers.sort();
        assert_eq!(answers, ["1", "2", "3", "4"]);
        let started_ms = elapsed_ms();
        assert!((200..=301).contains(&started_ms), "{started_ms}");
        answer(&world, "a", "append x").await;
        assert_eq!(elapsed_ms(), started_ms, "it is running");
    });
}

#[test]
fn a_crash_during_the_cold_start_fails_what_waits_for_it() {
    run(1, Faults::default().with(|faults| faults.objects.cold_start = Delay::new(200, 200)), async |world, _| {
        let crash = async {
            rt::sleep_ms(100).await;
            world.crash("a");
        };
        let (outcome, ()) = join(ask(&world, "a", "append x"), crash).await;
        assert!(!is_answered(&outcome));
        assert_eq!(answer(&world, "a", "append x").await, "1");
    });
}

#[test]
fn an_idle_object_hibernates_after_ten_seconds_and_loses_its_memory_alone() {
    for (idle_ms, remembered, marked) in [(9_900, "2", 0), (10_100, "1", 1), (500_000, "1", 1)] {
        run(1, Faults::default(), async |world, _| {
            answer(&world, "a", "append x").await;
            rt::sleep_ms(idle_ms).await;
            assert_eq!(world.is_running("a"), marked == 0);
            assert_eq!(answer(&world, "a", "requests").await, remembered, "idle for {idle_ms} ms");
            assert_eq!(answer(&world, "a", "count").await, "1");
            assert_eq!(world.marks().count(marks::HIBERNATED_AND_RESUMED), marked);
        });
    }
}

#[test]
fn an_idle_spell_is_counted_from_the_last_event() {
    run(1, Faults::default(), async |world, _| {
        for _ in 0..10 {
            rt::sleep_ms(9_500).await;
            answer(&world, "a", "append x").await;
        }
        assert_eq!(world.starts("a"), 1);
        rt::sleep_ms(9_900).await;
        assert!(world.is_running("a"));
        rt::sleep_ms(200).await;
        assert!(!world.is_running("a"));
    });
}

#[test]
fn an_object_that_waits_for_a_call_does_not_hibernate() {
    let object_link = Link { latency: Delay::new(12_000, 12_000), ..Link::default() };
    run(1, Faults::default().with(|faults| faults.network.object_link = object_link), async |world, _| {
        let watch = async {
            rt::sleep_ms(35_000).await;
            world.is_running("a")
        };
        let (_, running) = join(ask(&world, "a", "call b"), watch).await;
        assert!(running);
        assert_eq!(world.starts("a"), 1);
    });
}

#[test]
fn an_object_that_does_not_hibernate_is_evicted_later() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| faults.objects.hibernation_missed_permille = permille);
        run(1, faults, async |world, _| {
            let mut missed = 0;
            for spell in 0..100 {
                answer(&world, "a", "append x").await;
                rt::sleep_ms(60_000).await;
                missed += usize::from(world.is_running("a"));
                rt::sleep_ms(80_100).await;
                assert!(!world.is_running("a"), "spell {spell}");
            }
            check_share(permille, missed);
            answer(&world, "a", "append x").await;
            let marks = world.marks();
            let rested = (marks.count(marks::HIBERNATED_AND_RESUMED), marks.count(marks::EVICTED_AND_RESTARTED));
            assert_eq!(rested, (100 - missed as u64, missed as u64));
        });
    }
}

#[test]
fn an_idle_object_is_evicted_on_demand_and_a_busy_one_is_not() {
    let faults = Faults::default().with(|faults| faults.storage.flush = Delay::new(100, 100));
    run(1, faults, async |world, _| {
        let evict = async {
            rt::sleep_ms(50).await;
            world.evict("a");
            world.is_running("a")
        };
        let (said, running) = join(answer(&world, "a", "append x"), evict).await;
        assert_eq!((said.as_str(), running), ("1", true), "a write that is not durable keeps it");
        world.evict("a");
        assert!(!world.is_running("a"));
        assert_eq!(answer(&world, "a", "requests").await, "1");
        assert_eq!(world.marks().count(marks::EVICTED_AND_RESTARTED), 1);
    });
}

#[test]
fn clocks_differ_and_step_back_at_restarts_as_far_as_their_knobs_say() {
    for off_ms in [0, 1_000] {
        let faults = Faults::default().with(|faults| {
            faults.objects.clock_off_ms = off_ms;
            faults.edge.clock_off_ms = off_ms;
        });
        run(1, faults, async |world, _| {
            let mut offs = std::collections::BTreeSet::new();
            for _ in 0..100 {
                for command in ["now", "edge-now"] {
                    let told: i64 = answer(&world, "a", command).await.parse().unwrap();
                    offs.insert(told - world.now_ms() as i64);
                }
                world.crash("a");
                (0..3).for_each(|isolate| world.restart_isolate(isolate));
            }
            let (most, least) = (offs.last().copied().unwrap(), offs.first().copied().unwrap());
            assert!(least >= -(off_ms as i64) && most <= off_ms as i64, "{offs:?}");
            assert_eq!(off_ms > 0, most > 500 && least < -500, "{offs:?}");
            assert_eq!(off_ms > 0, world.marks().count(marks::CLOCK_STEPPED_BACK) > 0);
        });
    }
}

#[test]
fn the_clock_of_an_object_stays_as_it_is_while_it_sleeps_with_sockets() {
    run(1, Faults::default().with(|faults| faults.objects.clock_off_ms = 1_000), async |world, _| {
        let mut offs = std::collections::BTreeSet::new();
        connect(&world, 1).await;
        for starts in 1..40 {
            let told: i64 = answer(&world, "a", "now").await.parse().unwrap();
            offs.insert(told - world.now_ms() as i64);
            assert_eq!(world.starts("a"), starts);
            rt::sleep_ms(60_000).await;
        }
        assert_eq!(offs.len(), 1, "{offs:?}");
    });
}

#[test]
fn a_deploy_restarts_every_isolate_and_object_once_and_meanwhile_releases_are_mixed() {
    run(1, Faults::default(), async |world, _| {
        for object in ["a", "b"] {
            assert_eq!(answer(&world, object, "requests").await, "1");
        }
        world.deploy(10_000);
        let mut others = 0;
        for _ in 0..1_000 {
            rt::sleep_ms(9).await;
            others += usize::from(ask(&world, "a", "count").await.is_ok_and(|response| response.status == 500));
        }
        assert_eq!(world.marks().count(marks::OTHER_RELEASE_CALLED), others as u64);
        assert!((50..1_000).contains(&others), "{others} of 1000 calls");
        rt::sleep_ms(3_000).await;
        assert_eq!((world.starts("a"), world.starts("b")), (2, 1), "b sleeps until somebody asks");
        for object in ["a", "b"] {
            assert!(is_answered(&ask(&world, object, "count").await), "all run the new release");
        }
        assert_eq!((world.starts("a"), world.starts("b")), (2, 2));
    });
}

async fn ask_with_tag(world: &World) {
    let mut headers = Headers::default();
    headers.push("if-none-match", "x");
    let (method, url, body) = (Method::Post, "a/edge-now".to_owned(), RequestBody::Empty);
    assert!(world.request(Request { method, url, headers, body }, 1_000).await.is_ok());
}

#[test]
fn a_configuration_is_deployed_isolate_by_isolate() {
    run_configured(
        1,
        Faults::default(),
        |config| config.isolates = 8,
        async |world, earlier| {
            // Each counts for the configuration of its isolate.
            let ask_all = async || join_all((0..40).map(|_| ask_with_tag(&world))).await;
            ask_all().await;
            let later = Notes::default();
            let counts = || (earlier.asked_by_tag.get(), later.asked_by_tag.get());
            assert_eq!(counts(), (40, 0));
            world.configure(later.clone(), 10_000);
            rt::sleep_ms(5_000).await;
            ask_all().await;
            let (of_earlier, of_later) = counts();
            assert!(of_earlier > 40 && of_later > 0, "{:?}", counts());
            rt::sleep_ms(6_000).await;
            ask_all().await;
            assert_eq!(counts(), (of_earlier, of_later + 40));
        },
    );
}

#[test]
fn objects_lose_their_memory_with_an_isolate_whose_core_they_share_never_sometimes_or_always() {
    for permille in PERMILLES {
        let mut lost = 0;
        for seed in 0..100 {
            let faults = Faults::default().with(|faults| faults.objects.shares_isolate_permille = permille);
            lost += run(seed, faults, async |world, _| {
                answer(&world, "a", "append x").await;
                let isolate_loses_core = world.faults().with(|faults| faults.edge.instance_lost_permille = 1000);
                world.set_faults(isolate_loses_core);
                while world.marks().count(marks::OBJECT_LOST_ITS_CORE) == 0 && elapsed_ms() < 60 {
                    _ = ask(&world, "b", "edge-now").await;
                    rt::sleep_ms(1).await;
                }
                world.calm();
                assert_eq!(answer(&world, "a", "count").await, "1", "what is stored is kept");
                let is_new = answer(&world, "a", "requests").await == "2";
                assert_eq!(is_new, world.marks().count(marks::OBJECT_LOST_ITS_CORE) > 0);
                assert_eq!(world.starts("a"), 1, "it is the same instance of the object");
                usize::from(is_new)
            });
        }
        check_share(permille, lost);
    }
}

#[test]
fn calls_and_alarms_under_way_are_answered_when_core_is_lost_and_sockets_close_before_the_next_event() {
    let faults = Faults::default().with(|faults| {
        faults.objects.shares_isolate_permille = 1000;
        // Sooner or later a request reaches the object's isolate, whatever else that serves.
        faults.edge.shares_busy_isolate_permille = 500;
        faults.bucket.get = Delay::new(500, 500);
    });
    run(1, faults, async |world, notes| {
        answer(&world, "a", "connect here").await;
        let waits = ask(&world, "a", "get key");
        let loses = async {
            rt::sleep_ms(100).await;
            world.set_faults(world.faults().with(|faults| faults.edge.instance_lost_permille = 1000));
            while world.marks().count(marks::OBJECT_LOST_ITS_CORE) == 0 {
                _ = ask(&world, "b", "edge-now").await;
            }
            world.calm();
        };
        let (outcome, ()) = join(waits, loses).await;
        assert!(elapsed_ms() < 500, "at once");
        assert_eq!(outcome.map(|response| response.status), Ok(500));
        assert_eq!(world.sockets("a"), 0);
        let socket = notes.sockets.borrow()[0].clone();
        assert_eq!(heard(&socket).await.last().map(String::as_str), Some("closed"));
    });
}
