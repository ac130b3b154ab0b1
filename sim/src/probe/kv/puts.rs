//! Puts: the output gate, refusals, and what is applied though it fails.

use futures_util::future::join;
use tailrace_core::runtime::KV_SETTLES_MS;

use super::{answer, billed, fails, faults, harmed, keys, texts};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::probe::{PERMILLES, ask, check_share, elapsed_ms, is_answered, run};
use crate::world::{Faults, Harm, KvFaults, Lost, marks};

#[test]
fn puts_are_applied_though_they_fail_never_sometimes_or_always() {
    for permille in PERMILLES {
        let kv = KvFaults { error_after_permille: permille, ..KvFaults::default() };
        run(1, faults(kv), async |world, _| {
            let mut failed = 0;
            for number in 0..100 {
                failed += usize::from(fails(&world, &format!("kv-put {number} x"), "stored").await);
            }
            check_share(permille, failed);
            let newest = world.services().kv.newest();
            assert_eq!(newest.len(), 100, "all are stored");
            assert_eq!(newest.iter().filter(|(_, put)| put.seems_failed).count(), failed);
            assert_eq!(world.marks().count(marks::KV_PUT_FAILED_THOUGH_STORED), failed as u64);
            assert_eq!((harmed(&world, Harm::KvFailed), billed(&world)), ((0, failed), [0, 100, 0]));
        });
    }
}

#[test]
fn puts_come_late_never_sometimes_or_always_and_within_90_s_however_late_they_are_to_come() {
    for permille in PERMILLES {
        for (late, from_ms) in [(Delay::new(60_000, 80_000), 60_000), (Delay::new(85_000, 500_000), 85_000)] {
            let kv = KvFaults { put: Delay::new(0, 9_000), late_permille: permille, late, ..KvFaults::default() };
            run(1, faults(kv), async |world, _| {
                let (mut failed, mut last_ms) = (0, 0);
                for number in 0..100 {
                    failed += usize::from(fails(&world, &format!("kv-put {number} x"), "stored").await);
                    last_ms = elapsed_ms();
                }
                check_share(permille, failed);
                assert_eq!(harmed(&world, Harm::KvFailed), (0, failed), "when the caller is told");
                rt::sleep_ms(KV_SETTLES_MS).await;
                assert!(elapsed_ms() >= last_ms + KV_SETTLES_MS);
                let took_ms = world.services().kv.newest().into_iter().map(|(_, put)| put.applied_ms - put.sent_ms);
                let mut took_ms: Vec<u64> = took_ms.collect();
                took_ms.sort_unstable();
                assert_eq!(took_ms.len(), 100, "all are there after 90 s");
                let is_late = |took_ms: &&u64| (from_ms..=KV_SETTLES_MS).contains(took_ms);
                assert_eq!(took_ms.iter().filter(is_late).count(), failed, "{took_ms:?}");
                assert!(took_ms.iter().filter(|took_ms| **took_ms > 9_000).count() == failed, "{took_ms:?}");
                assert_eq!(world.marks().count(marks::KV_PUT_LANDED_LATE), failed as u64);
            });
        }
    }
}

#[test]
fn a_put_reaches_the_store_within_90_s_however_long_it_takes() {
    let slow = KvFaults { put: Delay::new(500_000, 500_000), ..KvFaults::default() };
    for seed in 0..20 {
        run(seed, faults(slow), async |world, _| {
            assert_eq!(answer(&world, "a", "kv-put k x").await, "KV: no answer in time");
            rt::sleep_ms(KV_SETTLES_MS - elapsed_ms()).await;
            assert_eq!(texts(&world, "k"), ["x"]);
        });
    }
}

#[test]
fn a_late_put_comes_after_one_that_was_sent_later_and_wins() {
    let late = KvFaults { late_permille: 1_000, late: Delay::new(30_000, 30_000), ..KvFaults::default() };
    run(1, faults(late), async |world, _| {
        assert!(fails(&world, "kv-put k old", "stored").await);
        world.set_faults(Faults::default());
        rt::sleep_ms(20_000).await;
        assert!(!fails(&world, "kv-put k new", "stored").await);
        assert_eq!(answer(&world, "a", "edge kv-get k").await, "new");
        assert_eq!(world.marks().count(marks::KV_PUT_OVERTAKEN), 0);
        rt::sleep_ms(10_000).await;
        assert_eq!(answer(&world, "a", "edge kv-get k").await, "old");
        assert_eq!(
            (texts(&world, "k"), world.marks().count(marks::KV_PUT_OVERTAKEN)),
            (vec!["new".into(), "old".into()], 1)
        );
        assert_eq!(harmed(&world, Harm::KvStale), (0, 0), "it is what the store has");
    });
}

#[test]
fn a_put_within_a_second_of_another_one_of_its_key_is_refused() {
    for (wait_ms, key, expected) in [
        (0, "k", "KV: put failed: 429 Too Many Requests"),
        (999, "k", "KV: put failed: 429 Too Many Requests"),
        (1_000, "k", "stored"),
        (0, "l", "stored"),
    ] {
        run(1, Faults::default(), async |world, _| {
            answer(&world, "a", "kv-put k one").await;
            rt::sleep_ms(wait_ms).await;
            assert_eq!(answer(&world, "b", &format!("kv-put {key} two")).await, expected, "{key} after {wait_ms} ms");
            let stored = expected == "stored";
            assert_eq!(texts(&world, key).contains(&"two".to_owned()), stored);
            assert_eq!(world.marks().count(marks::KV_PUT_REFUSED), u64::from(!stored));
            assert_eq!(billed(&world), [0, 1 + u64::from(stored), 0], "nothing was written");
            assert_eq!(world.harms(), Default::default(), "the platform is so");
            // The refused one counts for nothing: the next one may come a second after the first.
            rt::sleep_ms(1_000).await;
            assert_eq!(answer(&world, "b", &format!("kv-put {key} three")).await, "stored");
        });
    }
}

#[test]
fn a_put_that_is_refused_after_one_that_seemed_to_fail_is_harmed() {
    let after = KvFaults { error_after_permille: 1_000, ..KvFaults::default() };
    run(1, faults(after), async |world, _| {
        assert!(fails(&world, "kv-put k one", "").await);
        assert_eq!(harmed(&world, Harm::KvFailed), (0, 1));
        assert_eq!(answer(&world, "a", "kv-put k two").await, "KV: put failed: 429 Too Many Requests");
        assert_eq!(harmed(&world, Harm::KvFailed), (0, 2));
    });
}

#[test]
fn a_put_waits_for_the_writes_before_it_and_is_never_made_if_they_are_lost() {
    let slow = Faults::default().with(|faults| faults.storage.flush = Delay::new(50, 50));
    run(1, slow, async |world, _| {
        let (told, early) = join(answer(&world, "a", "kv-keep k x"), async {
            rt::sleep_ms(49).await;
            keys(&world)
        })
        .await;
        assert_eq!((told.as_str(), early.len(), keys(&world).len()), ("stored", 0, 1));
        let put = &world.services().kv.puts("k")[0];
        assert_eq!(put.applied_ms, put.sent_ms, "it is sent when it leaves");
    });
    for seed in 0..20 {
        run(seed, slow, async |world, _| {
            let crash = async {
                rt::sleep_ms(20).await;
                world.crash("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "kv-keep k x"), crash).await;
            assert!(!is_answered(&outcome));
            rt::sleep_ms(KV_SETTLES_MS).await;
            assert_eq!(keys(&world), [""; 0], "also where the crash kept the write");
        });
    }
}

#[test]
fn a_put_on_its_way_is_applied_though_its_object_crashes() {
    for seed in 0..20 {
        run(seed, faults(KvFaults { put: Delay::new(100, 100), ..KvFaults::default() }), async |world, _| {
            let crash = async {
                rt::sleep_ms(1).await;
                world.crash("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "kv-put k x"), crash).await;
            assert!(!is_answered(&outcome));
            rt::sleep_ms(100).await;
            assert_eq!(keys(&world), ["k"]);
        });
    }
}

#[test]
fn a_superseded_instance_puts_nothing_after_a_write() {
    let faults = Faults::default().with(|faults| {
        faults.objects.superseded = Delay::new(20_000, 20_000);
        faults.objects.superseded_reads_fail = false;
        faults.objects.stale_route_permille = 1_000;
    });
    run(1, faults, async |world, _| {
        answer(&world, "a", "append x").await;
        world.supersede("a");
        assert_eq!(answer(&world, "a", "kv-put old x").await, "stored", "it does not know yet");
        assert!(!is_answered(&ask(&world, "a", "kv-keep never x").await));
        rt::sleep_ms(KV_SETTLES_MS).await;
        assert_eq!(keys(&world), ["old"], "its write is never confirmed, so its put never leaves");
    });
}

#[test]
fn a_put_of_the_edge_goes_on_though_its_request_has_ended() {
    let ends = faults(KvFaults { put: Delay::new(50, 50), ..KvFaults::default() }).with(|faults| {
        faults.edge.request_vanished_permille = 1_000;
        faults.edge.request_vanishes = Delay::NONE;
    });
    run(1, ends, async |world, _| {
        assert_eq!(ask(&world, "a", "edge kv-put k x").await, Err(Lost::Reset));
        assert_eq!(keys(&world), [""; 0]);
        rt::sleep_ms(50).await;
        assert_eq!(keys(&world), ["k"]);
    });
}
