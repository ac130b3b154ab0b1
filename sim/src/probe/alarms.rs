//! The alarm service.

use futures_util::future::join;

use super::{Notes, PERMILLES, World, answer, ask, check_share, is_answered, run, run_mutated};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{EPOCH_MS, Faults, HostMutant};

/// Sets an object's alarm, in ms since the seed began.
async fn set(world: &World, at_ms: u64) {
    answer(world, "a", &format!("alarm {}", EPOCH_MS + at_ms)).await;
}

fn rang(notes: &Notes) -> Vec<u64> {
    notes.alarms_ms.borrow().clone()
}

#[test]
fn an_alarm_goes_off_once_at_its_time_and_starts_the_object() {
    for (at_ms, starts) in [(5_000, 1), (60_000, 2)] {
        run(1, Faults::default(), async |world, notes| {
            set(&world, at_ms).await;
            assert_eq!(world.stored("a").alarm_ms, Some(EPOCH_MS + at_ms));
            rt::sleep_ms(300_000).await;
            assert_eq!(rang(&notes), [at_ms]);
            assert_eq!(world.stored("a").alarm_ms, None);
            assert_eq!(world.starts("a"), starts);
            assert_eq!(world.marks().count(marks::ALARM_STARTED_OBJECT), starts - 1);
        });
    }
}

#[test]
fn an_alarm_replaces_the_one_before_it_and_a_past_one_goes_off_at_once() {
    run(1, Faults::default(), async |world, notes| {
        set(&world, 5_000).await;
        set(&world, 9_000).await;
        rt::sleep_ms(20_000).await;
        assert_eq!(rang(&notes), [9_000]);
        set(&world, 1).await;
        rt::sleep_ms(1_000).await;
        assert_eq!(rang(&notes), [9_000, 20_000]);
    });
}

#[test]
fn a_setting_that_the_service_rejects_resets_the_object_and_undoes_its_turn() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| faults.alarm.reject_permille = permille);
        run(1, faults, async |world, _| {
            let mut rejected = 0;
            for count in 1..=100 {
                let at_ms = EPOCH_MS + 1_000_000 + count;
                let before = world.stored("a").alarm_ms;
                let outcome = ask(&world, "a", &format!("alarm {at_ms}")).await;
                rejected += usize::from(!is_answered(&outcome));
                let expected = if is_answered(&outcome) { Some(at_ms) } else { before };
                assert_eq!(world.stored("a").alarm_ms, expected);
            }
            check_share(permille, rejected);
            assert_eq!(world.marks().count(marks::ALARM_REJECTED), rejected as u64);
        });
    }
    // The epoch itself is never accepted.
    run(1, Faults::default(), async |world, notes| {
        assert!(!is_answered(&ask(&world, "a", "alarm 0").await));
        rt::sleep_ms(60_000).await;
        assert_eq!((world.stored("a").alarm_ms, rang(&notes).len()), (None, 0));
        assert!(is_answered(&ask(&world, "a", "alarm 1").await));
        rt::sleep_ms(60_000).await;
        assert_eq!(rang(&notes).len(), 1);
    });
}

#[test]
fn an_alarm_set_by_the_handler_goes_off_as_well() {
    run(1, Faults::default(), async |world, notes| {
        notes.next_alarm_ms.set(Some(EPOCH_MS + 8_000));
        set(&world, 5_000).await;
        rt::sleep_ms(60_000).await;
        assert_eq!(rang(&notes), [5_000, 8_000]);
    });
}

#[test]
fn a_handler_that_fails_is_tried_again_six_times_with_back_off_and_then_no_more() {
    let seconds = |notes: &Notes| rang(notes).iter().map(|ms| ms / 1_000).collect::<Vec<_>>();
    for (failing, expected, abandoned) in [
        (0, &[5][..], 0),
        (1, &[5, 7], 0),
        (3, &[5, 7, 11, 19], 0),
        (6, &[5, 7, 11, 19, 35, 67, 131], 0),
        (9, &[5, 7, 11, 19, 35, 67, 131], 1),
    ] {
        run(1, Faults::default(), async |world, notes| {
            notes.failing_alarms.set(failing);
            set(&world, 5_000).await;
            rt::sleep_ms(1_000_000).await;
            assert_eq!(seconds(&notes), expected);
            let marks = world.marks();
            assert_eq!(marks.count(marks::ALARM_RETRIED), expected.len() as u64 - 1);
            assert_eq!((marks.count(marks::ALARM_ABANDONED), world.stored("a").alarm_ms), (abandoned, None));
        });
    }
}

#[test]
fn a_handler_that_is_cut_off_is_tried_again_until_it_succeeds() {
    for seed in 0..30 {
        run(seed, Faults::default().with(|faults| faults.storage.flush = Delay::new(10, 30)), async |world, notes| {
            set(&world, 5_000).await;
            // The handler has run, and the removal of its alarm is not durable yet.
            rt::sleep_ms(4_970).await;
            world.crash("a");
            rt::sleep_ms(60_000).await;
            assert!(!rang(&notes).is_empty(), "seed {seed}");
            assert_eq!(world.stored("a").alarm_ms, None);
        });
    }
    run(
        1,
        Faults::default().with(|faults| {
            faults.objects.crash_permille = 700;
            faults.storage.flush = Delay::new(10, 30);
        }),
        async |world, notes| {
            world.set_faults(Faults::default());
            set(&world, 5_000).await;
            world.set_faults(Faults::default().with(|faults| faults.objects.crash_permille = 1000));
            rt::sleep_ms(400_000).await;
            assert!(world.marks().count(marks::ALARM_RETRIED) > 6, "being cut off is no failure that counts");
            world.calm();
            rt::sleep_ms(400_000).await;
            assert!(!rang(&notes).is_empty());
            assert_eq!(world.stored("a").alarm_ms, None);
        },
    );
}

#[test]
fn how_often_a_handler_is_tried_again_is_a_knob_and_so_is_whether_being_cut_off_counts() {
    for (limit, failing, rings, abandoned) in [(0, 1, 1, 1), (2, 2, 3, 0), (2, 3, 3, 1)] {
        run(1, Faults::default().with(|faults| faults.alarm.retry_limit = limit), async |world, notes| {
            notes.failing_alarms.set(failing);
            set(&world, 5_000).await;
            rt::sleep_ms(1_000_000).await;
            assert_eq!(rang(&notes).len(), rings, "limit {limit}, {failing} fail");
            assert_eq!(world.marks().count(marks::ALARM_ABANDONED), abandoned);
        });
    }
    for (fails, abandoned) in [(false, 0), (true, 1)] {
        run(1, Faults::default(), async |world, _| {
            set(&world, 5_000).await;
            let faults = Faults::default().with(|faults| {
                faults.alarm.retry_limit = 1;
                faults.alarm.cut_off_fails = fails;
            });
            world.set_faults(faults.with(|faults| faults.objects.crash_permille = 1000));
            rt::sleep_ms(60_000).await;
            world.set_faults(faults);
            rt::sleep_ms(400_000).await;
            assert_eq!(world.marks().count(marks::ALARM_ABANDONED), abandoned);
            assert_eq!(world.stored("a").alarm_ms, None, "it was given up, or it went off after all");
        });
    }
}

#[test]
fn an_alarm_set_while_another_waits_to_be_tried_again_comes_in_its_stead() {
    run(1, Faults::default(), async |world, notes| {
        notes.failing_alarms.set(3);
        set(&world, 5_000).await;
        // It has failed at 5, 7 and 11 s, and would be tried again at 19 s.
        rt::sleep_ms(12_000).await;
        set(&world, 14_000).await;
        rt::sleep_ms(60_000).await;
        assert_eq!(rang(&notes).last(), Some(&14_000));
        assert_eq!((rang(&notes).len(), world.stored("a").alarm_ms), (4, None));
    });
}

#[test]
fn an_alarm_that_comes_due_before_the_service_knows_of_the_handlers_end_goes_off_after_it() {
    for seed in 0..40 {
        run(seed, Faults::default().with(|faults| faults.storage.flush = Delay::new(40, 40)), async |world, notes| {
            // The service learns of the handler's end and of the alarm that it set in the same ms, in either order.
            notes.next_alarm_ms.set(Some(EPOCH_MS));
            set(&world, 5_000).await;
            rt::sleep_ms(60_000).await;
            assert_eq!(rang(&notes), [5_000, 5_040], "seed {seed}");
            assert_eq!(world.stored("a").alarm_ms, None);
        });
    }
}

#[test]
fn an_alarm_is_durable_with_the_writes_of_its_turn_or_not_at_all() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..30 {
        run(seed, Faults::default().with(|faults| faults.storage.flush = Delay::new(50, 50)), async |world, notes| {
            let crash = async {
                rt::sleep_ms(20).await;
                world.crash("a");
            };
            let alarm = format!("alarm {}", EPOCH_MS + 5_000);
            let (outcome, ()) = join(ask(&world, "a", &alarm), crash).await;
            assert!(!is_answered(&outcome));
            let kept = world.stored("a").alarm_ms.is_some();
            rt::sleep_ms(60_000).await;
            assert_eq!(rang(&notes).len(), usize::from(kept), "seed {seed}");
            seen.insert(kept);
        });
    }
    assert_eq!(seen.len(), 2, "some crashes keep it, some do not");
}

#[test]
fn alarms_are_late_early_or_twice_by_their_knobs() {
    let alarm_late = Delay::new(100, 900);
    run(1, Faults::default().with(|faults| faults.alarm.late = alarm_late), async |world, notes| {
        set(&world, 5_000).await;
        rt::sleep_ms(60_000).await;
        assert!((5_100..=5_901).contains(&rang(&notes)[0]), "{:?}", rang(&notes));
    });
    for permille in PERMILLES {
        let rings = |faults: Faults| {
            (0..100).map(move |seed| {
                run(seed, faults, async |world, notes| {
                    set(&world, 5_000).await;
                    rt::sleep_ms(9_000).await;
                    rang(&notes)
                })
            })
        };
        let alarm_early = Delay::new(100, 4_000);
        let early = Faults::default().with(|faults| {
            faults.alarm.early_permille = permille;
            faults.alarm.early = alarm_early;
        });
        check_share(permille, rings(early).filter(|rang| rang[0] < 5_000).count());
        let twice = Faults::default().with(|faults| faults.alarm.duplicate_permille = permille);
        check_share(permille, rings(twice).filter(|rang| rang.len() == 2).count());
    }
}

#[test]
fn a_duplicate_does_not_take_away_an_alarm_set_meanwhile() {
    run(1, Faults::default().with(|faults| faults.alarm.duplicate_permille = 1000), async |world, notes| {
        notes.next_alarm_ms.set(Some(EPOCH_MS + 30_000));
        set(&world, 5_000).await;
        rt::sleep_ms(20_000).await;
        assert_eq!(rang(&notes).len(), 2);
        assert_eq!(world.stored("a").alarm_ms, Some(EPOCH_MS + 30_000));
        rt::sleep_ms(60_000).await;
        assert_eq!(rang(&notes).len(), 4);
    });
}

#[test]
fn a_duplicate_does_not_take_the_place_of_an_alarm_that_waits_for_the_handler() {
    for seed in 0..20 {
        run(seed, Faults::default().with(|faults| faults.alarm.duplicate_permille = 1000), async |world, notes| {
            set(&world, 5_000).await;
            rt::sleep_ms(5_050).await;
            // The first one comes once more within a second. Meanwhile the second one takes long, and the third comes due.
            set(&world, 5_100).await;
            notes.alarm_lasts_ms.set(3_000);
            rt::sleep_ms(100).await;
            set(&world, 5_200).await;
            rt::sleep_ms(60_000).await;
            assert_eq!(world.stored("a").alarm_ms, None, "seed {seed}: {:?}", rang(&notes));
        });
    }
}

#[test]
fn an_alarm_outlives_hibernation_and_eviction_unless_that_is_the_bug() {
    let rings = |mutant, evict: bool| {
        run_mutated(1, Faults::default(), mutant, async |world, notes| {
            set(&world, 60_000).await;
            if evict {
                world.evict("a");
            }
            rt::sleep_ms(100_000).await;
            rang(&notes).len()
        })
    };
    for evict in [false, true] {
        assert_eq!(rings(None, evict), 1);
        assert_eq!(rings(Some(HostMutant::AlarmLostAtEviction), evict), 0);
    }
}

#[test]
fn an_alarm_that_a_superseded_instance_handles_goes_off_at_its_successor() {
    let faults = Faults::default().with(|faults| {
        faults.storage.flush = Delay::new(40, 40);
        faults.objects.superseded = Delay::new(5_000, 5_000);
    });
    run(1, faults, async |world, notes| {
        set(&world, 5_000).await;
        rt::sleep_ms(4_980).await;
        // The handler has run, and the removal of its alarm is not durable.
        assert_eq!(rang(&notes), [5_000]);
        world.supersede("a");
        rt::sleep_ms(60_000).await;
        assert_eq!(world.stored("a").alarm_ms, None);
        assert!(rang(&notes).len() <= 2);
    });
}
