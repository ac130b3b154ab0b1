//! R2.

use futures_util::future::{join, join_all};

use super::{PERMILLES, World, answer, ask, check_share, elapsed_ms, is_answered, run};
use crate::bill::Meter;
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{BucketFaults, Faults};

fn faults(bucket: BucketFaults) -> Faults {
    Faults::default().with(|faults| faults.bucket = bucket)
}

fn keys(world: &World) -> Vec<String> {
    world.services().bucket.objects().into_iter().map(|object| object.key).collect()
}

const OPERATIONS: [Meter; 3] = [Meter::R2ClassA, Meter::R2ClassB, Meter::R2Deletions];

/// How many calls the store has seen.
fn operations(world: &World) -> u64 {
    OPERATIONS.map(|meter| world.usage().total(meter)).into_iter().sum()
}

#[test]
fn what_is_stored_is_read_listed_and_deleted_by_every_object_from_then_on() {
    run(1, Faults::default(), async |world, _| {
        for (object, command, expected) in [
            ("a", "get k/1", "none"),
            ("a", "put k/1", "stored"),
            ("b", "get k/1", "k/1"),
            ("b", "put-new k/1", "refused"),
            ("b", "put-new k/22", "stored"),
            ("a", "get k/22", "k/2"),
            ("a", "put l/1", "stored"),
            ("a", "list k/", "k/1 k/22"),
            ("a", "list ", "k/1 k/22 l/1"),
            ("b", "put m", "stored"),
            ("a", "list ", "k/1 k/22 l/1 and more"),
            ("a", "delete k/1 nothing l/1", "deleted"),
            ("b", "list ", "k/22 m"),
        ] {
            assert_eq!(answer(&world, object, command).await, expected, "{object} {command}");
        }
        assert_eq!(elapsed_ms(), 0);
        let operations = OPERATIONS.map(|meter| world.usage().total(meter));
        assert_eq!(operations, [9, 3, 3]);
    });
}

#[test]
fn keys_have_at_most_1024_bytes_and_deletions_at_most_1000_keys() {
    run(1, Faults::default(), async |world, _| {
        for (bytes, expected) in [(1_024, "stored"), (1_025, "not applied")] {
            let key = "k".repeat(bytes);
            assert_eq!(answer(&world, "a", &format!("put {key}")).await, expected, "{bytes} bytes");
        }
        for (count, expected) in [(1_000, "deleted"), (1_001, "not applied")] {
            let keys = vec!["k"; count].join(" ");
            assert_eq!(answer(&world, "a", &format!("delete {keys}")).await, expected, "{count} keys");
        }
    });
}

#[test]
fn each_kind_of_call_takes_its_own_time() {
    let bucket = BucketFaults {
        get: Delay::new(10, 10),
        put: Delay::new(20, 20),
        delete: Delay::new(30, 30),
        list: Delay::new(40, 40),
        ..BucketFaults::default()
    };
    run(1, faults(bucket), async |world, _| {
        for (command, takes_ms) in [("put k", 20), ("get k", 10), ("list k", 40), ("delete k", 30)] {
            let before_ms = elapsed_ms();
            answer(&world, "a", command).await;
            assert_eq!(elapsed_ms() - before_ms, takes_ms, "{command}");
        }
    });
    run(1, faults(BucketFaults { put: Delay::new(5, 50), ..BucketFaults::default() }), async |world, _| {
        let mut times = Vec::new();
        for _ in 0..100 {
            let before_ms = elapsed_ms();
            answer(&world, "a", "put k").await;
            times.push(elapsed_ms() - before_ms);
        }
        times.sort_unstable();
        assert!(times[0] < 10 && times[99] > 45 && times[99] <= 50, "{times:?}");
    });
}

#[test]
fn calls_fail_before_the_store_never_sometimes_or_always() {
    for permille in PERMILLES {
        for command in ["put", "get", "delete", "list"] {
            run(1, Faults::default(), async |world, _| {
                answer(&world, "a", "put k").await;
                world.set_faults(faults(BucketFaults { error_before_permille: permille, ..BucketFaults::default() }));
                let (before, mut failed) = (operations(&world), 0);
                for _ in 0..100 {
                    failed += usize::from(answer(&world, "a", &format!("{command} k")).await == "unknown");
                }
                check_share(permille, failed);
                let seen = operations(&world) - before;
                let expected = 100 - failed as u64;
                assert_eq!(seen, expected, "{command}: the store sees nothing of a call that fails before it");
            });
        }
    }
}

#[test]
fn bytes_are_damaged_never_sometimes_or_always_and_what_is_stored_stays() {
    for permille in PERMILLES {
        run(1, faults(BucketFaults { damaged_permille: permille, ..BucketFaults::default() }), async |world, _| {
            answer(&world, "a", "put key").await;
            let mut damaged = 0;
            for _ in 0..100 {
                let response = ask(&world, "a", "get key").await.expect("an answer");
                damaged += usize::from(response.body != "key");
            }
            check_share(permille, damaged);
            assert_eq!(world.harms().to_objects.len(), damaged, "each has its proof");
            world.calm();
            assert_eq!(answer(&world, "a", "get key").await, "key");
        });
    }
}

#[test]
fn puts_are_stored_though_they_fail_never_sometimes_or_always() {
    for permille in PERMILLES {
        let bucket = BucketFaults { error_after_permille: permille, ..BucketFaults::default() };
        run(1, faults(bucket), async |world, _| {
            let mut failed = 0;
            for number in 0..100 {
                failed += usize::from(answer(&world, "a", &format!("put {number}")).await == "unknown");
            }
            check_share(permille, failed);
            assert_eq!(keys(&world).len(), 100, "all are stored");
            assert_eq!(world.marks().count(marks::PUT_FAILED_THOUGH_STORED), failed as u64);
        });
    }
}

#[test]
fn deletions_that_fail_may_have_deleted_some_keys_or_all() {
    let mut left = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let after = BucketFaults { error_after_permille: 1_000, ..BucketFaults::default() };
        run(seed, Faults::default(), async |world, _| {
            for key in ["1", "2", "3"] {
                answer(&world, "a", &format!("put {key}")).await;
            }
            world.set_faults(faults(after));
            assert_eq!(answer(&world, "a", "delete 1 2 3").await, "unknown");
            left.insert(keys(&world).len());
        });
    }
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn puts_and_deletions_come_late_never_sometimes_or_always() {
    for permille in PERMILLES {
        let late =
            BucketFaults { late_permille: permille, late: Delay::new(60_000, 90_000), ..BucketFaults::default() };
        run(1, faults(late), async |world, _| {
            let mut failed = 0;
            for number in 0..100 {
                failed += usize::from(answer(&world, "a", &format!("put {number}")).await == "unknown");
            }
            check_share(permille, failed);
            rt::sleep_ms(59_999).await;
            assert_eq!(keys(&world).len(), 100 - failed, "none of them is there a minute later");
            rt::sleep_ms(30_001).await;
            assert_eq!(keys(&world).len(), 100, "all of them are there after 90 s");
            assert_eq!(world.marks().count(marks::PUT_LANDED_LATE), failed as u64);
            let told = answer(&world, "a", "delete 0").await;
            assert_eq!(keys(&world).contains(&"0".to_owned()), told == "unknown");
            rt::sleep_ms(90_000).await;
            assert!(!keys(&world).contains(&"0".to_owned()));
        });
    }
}

#[test]
fn listings_come_short_never_sometimes_or_always_and_say_that_more_follows() {
    for permille in PERMILLES {
        let short = BucketFaults { short_page_permille: permille, ..BucketFaults::default() };
        run(1, faults(short), async |world, _| {
            for key in ["1", "2", "3"] {
                answer(&world, "a", &format!("put {key}")).await;
            }
            let mut came_short = 0;
            for _ in 0..100 {
                let listed = answer(&world, "a", "list ").await;
                assert_eq!(listed.ends_with(" and more"), listed != "1 2 3", "{listed}");
                came_short += usize::from(listed != "1 2 3");
            }
            check_share(permille, came_short);
            assert_eq!(world.marks().count(marks::LISTING_CAME_SHORT), came_short as u64);
        });
    }
}

#[test]
fn an_outage_fails_every_call_until_it_is_over_or_the_calm_ends_it() {
    for (wait_ms, calm, down) in [(0, false, true), (59_000, false, true), (60_000, false, false), (1_000, true, false)]
    {
        run(1, Faults::default(), async |world, _| {
            answer(&world, "a", "put k").await;
            world.services().bucket.go_down(60_000);
            rt::sleep_ms(wait_ms).await;
            if calm {
                world.calm();
            }
            for command in ["put l", "get k", "list k", "delete k"] {
                let failed = answer(&world, "a", command).await == "unknown";
                assert_eq!(failed, down, "{command} after {wait_ms} ms");
            }
            assert_eq!(keys(&world), [if down { "k" } else { "l" }]);
            assert_eq!(world.marks().count(marks::BUCKET_WAS_DOWN), if down { 4 } else { 0 });
        });
    }
}

#[test]
fn a_put_waits_for_the_writes_before_it_and_is_never_made_if_they_are_lost() {
    let slow = Faults::default().with(|faults| faults.storage.flush = Delay::new(50, 50));
    run(1, slow, async |world, _| {
        let (told, early) = join(answer(&world, "a", "keep k"), async {
            rt::sleep_ms(49).await;
            keys(&world)
        })
        .await;
        assert_eq!((told.as_str(), early.len(), keys(&world).len()), ("stored", 0, 1));
    });
    for seed in 0..20 {
        run(seed, slow, async |world, _| {
            let crash = async {
                rt::sleep_ms(20).await;
                world.crash("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "keep k"), crash).await;
            assert!(!is_answered(&outcome));
            rt::sleep_ms(1_000).await;
            assert_eq!(keys(&world), [""; 0], "also where the crash kept the write");
        });
    }
}

#[test]
fn a_put_on_its_way_is_stored_though_its_object_crashes() {
    for seed in 0..20 {
        run(seed, faults(BucketFaults { put: Delay::new(100, 100), ..BucketFaults::default() }), async |world, _| {
            let crash = async {
                rt::sleep_ms(1).await;
                world.crash("a");
            };
            let (outcome, ()) = join(ask(&world, "a", "put k"), crash).await;
            assert!(!is_answered(&outcome));
            rt::sleep_ms(1_000).await;
            assert_eq!(keys(&world), ["k"]);
            assert_eq!(world.marks().count(marks::PUT_OUTLIVED_ITS_CALLER), 1, "seed {seed}");
        });
    }
}

#[test]
fn a_superseded_instance_stores_nothing_after_a_write_and_may_be_putting_beside_its_successor() {
    let bucket = BucketFaults { put: Delay::new(200, 200), ..BucketFaults::default() };
    let faults = faults(bucket).with(|faults| {
        faults.objects.superseded = Delay::new(20_000, 20_000);
        faults.objects.superseded_reads_fail = false;
    });
    run(1, faults, async |world, _| {
        answer(&world, "a", "append x").await;
        let take_over = async {
            rt::sleep_ms(20).await;
            world.supersede("a");
            answer(&world, "a", "put new").await
        };
        let (old, _) = join(answer(&world, "a", "put old"), take_over).await;
        assert_eq!((old.as_str(), keys(&world)), ("stored", vec!["new".to_owned(), "old".to_owned()]));
        assert_eq!(world.marks().count(marks::TWO_INSTANCES_PUT_AT_ONCE), 1);
        world.set_faults(world.faults().with(|faults| faults.objects.stale_route_permille = 1_000));
        let kept = join_all([ask(&world, "a", "keep never"), ask(&world, "a", "delete old")]).await;
        assert!(!is_answered(&kept[0]));
        rt::sleep_ms(30_000).await;
        assert!(!keys(&world).contains(&"never".to_owned()), "its write is never confirmed, so its put never leaves");
    });
}

#[test]
fn calls_never_come_to_an_end_never_sometimes_or_always_and_each_fails_when_its_time_is_up() {
    for permille in PERMILLES {
        for command in ["put", "get", "delete", "list"] {
            run(1, faults(BucketFaults { stuck_permille: permille, ..BucketFaults::default() }), async |world, _| {
                let mut stuck = 0;
                for number in 0..100 {
                    let before_ms = elapsed_ms();
                    let failed = answer(&world, "a", &format!("{command} {number}")).await == "unknown";
                    assert_eq!(elapsed_ms() - before_ms, if failed { 20_000 } else { 0 }, "{command}");
                    stuck += usize::from(failed);
                }
                check_share(permille, stuck);
                assert_eq!(world.marks().count(marks::BUCKET_CALL_STUCK), stuck as u64);
                if command == "put" {
                    let applied = keys(&world).len() - (100 - stuck);
                    assert!(stuck == 0 || (1..stuck).contains(&applied), "{applied} of {stuck} are stored");
                }
            });
        }
    }
}

#[test]
fn a_call_that_never_comes_to_an_end_keeps_its_object_in_memory_for_fifteen_minutes() {
    for permille in PERMILLES {
        run(1, faults(BucketFaults { stuck_permille: permille, ..BucketFaults::default() }), async |world, _| {
            let mut kept = 0;
            for number in 0..100 {
                let object = format!("object-{number}");
                let is_stuck = answer(&world, &object, "get k").await == "unknown";
                rt::sleep_ms(14 * 60_000).await;
                assert_eq!(world.is_running(&object), is_stuck, "an idle object hibernates");
                rt::sleep_ms(2 * 60_000).await;
                assert!(!world.is_running(&object));
                let spells = world.spells(&object);
                let lasted_ms = spells.iter().map(|spell| spell.end_ms - spell.begin_ms).max();
                assert_eq!(lasted_ms, Some(if is_stuck { 15 * 60_000 } else { 0 }), "it is billed for that time");
                kept += usize::from(is_stuck);
            }
            check_share(permille, kept);
            assert_eq!(world.marks().count(marks::CALL_OUTLIVED_ITS_CALLER), kept as u64);
        });
    }
}
