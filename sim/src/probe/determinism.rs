//! The same seed does the same.

use futures_util::future::join_all;
use tailrace_core::runtime::Mark;

use super::fronts::ask_front;
use super::{PATIENCE_MS, World, ask, run_configured};
use crate::kernel::marks::Marks;
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{BucketFaults, CacheFaults, EPOCH_MS, Faults, FrontFaults, KvFaults, Link, Region, marks};

/// Faults under which everything goes wrong from time to time.
fn all_faults() -> Faults {
    let link = Link {
        latency: Delay::new(0, 30),
        request_loss_permille: 30,
        response_loss_permille: 30,
        slow_permille: 20,
        slow: Delay::new(1_000, 60_000),
    };
    Faults::default().with(|faults| {
        faults.network.client_link = link;
        faults.network.object_link = link;
        faults.map.distance_permille = 500;
        faults.map.object_elsewhere_permille = 500;
        faults.map.clock_off_ms = 3_000;
        faults.network.call_stuck_permille = 20;
        faults.network.client_leaves_permille = 30;
        faults.network.client_leaves = Delay::new(0, 50);
        faults.objects.overloaded_permille = 20;
        faults.objects.clock_off_ms = 5_000;
        faults.objects.shares_isolate_permille = 500;
        faults.edge.clock_off_ms = 5_000;
        faults.storage.statement_fails_permille = 10;
        faults.edge.shares_busy_isolate_permille = 500;
        faults.edge.isolate_idle = Delay::new(0, 5_000);
        faults.edge.isolate_restart_permille = 20;
        faults.edge.instance_lost_permille = 20;
        faults.edge.request_vanished_permille = 20;
        faults.edge.request_vanishes = Delay::new(0, 40);
        faults.edge.answer_in_pieces_permille = 300;
        faults.edge.answer_pause = Delay::new(0, 20);
        faults.edge.reply_broken_permille = 20;
        faults.edge.flight_lost_permille = 300;
        faults.edge.client_gone_noticed_permille = 500;
        faults.objects.crash_permille = 30;
        faults.objects.crash_held_permille = 50;
        faults.storage.flush = Delay::new(0, 40);
        faults.objects.cold_start = Delay::new(0, 50);
        faults.objects.hibernation_missed_permille = 300;
        faults.objects.superseded = Delay::new(0, 30_000);
        faults.objects.superseded_reads_fail = false;
        faults.objects.stale_route_permille = 300;
        faults.sockets.half_dead_permille = 200;
        faults.alarm.late = Delay::new(0, 500);
        faults.alarm.early_permille = 200;
        faults.alarm.early = Delay::new(0, 2_000);
        faults.alarm.duplicate_permille = 200;
        faults.alarm.reject_permille = 200;
        faults.bucket = BucketFaults {
            get: Delay::new(0, 50),
            put: Delay::new(0, 4_000),
            delete: Delay::new(0, 50),
            list: Delay::new(0, 50),
            error_before_permille: 50,
            error_after_permille: 200,
            late_permille: 100,
            late: Delay::new(0, 60_000),
            short_page_permille: 200,
            damaged_permille: 200,
            stuck_permille: 30,
        };
        faults.cache = CacheFaults {
            partitions: 2,
            look_up: Delay::new(0, 5),
            put: Delay::new(0, 20),
            visible: Delay::new(5, 10),
            put_lost_permille: 100,
            evicted_permille: 100,
            look_up_fails_permille: 100,
            look_up_stuck_permille: 30,
            no_zone: false,
        };
        faults.front = FrontFaults {
            zone: true,
            nodes: 2,
            affinity_lost_permille: 200,
            sub_request_permille: 200,
            tiered: true,
            keeps_no_cache: true,
            lock_wait_ms: 60,
            lock_age_ms: 100,
            holds_back: false,
            predicts: 3,
            origin_unresolved_permille: 50,
            origin_gives_up: Delay::new(0, 50),
            ..FrontFaults::default()
        };
        faults.kv = KvFaults {
            get: Delay::new(0, 25_000),
            put: Delay::new(0, 2_000),
            list: Delay::new(0, 50),
            lag: Delay::new(0, 10_000),
            kept: Delay::new(0, 60_000),
            page_keys: 1,
            error_before_permille: 50,
            error_after_permille: 200,
            late_permille: 200,
            late: Delay::new(0, 60_000),
        };
        faults.storage.statement_full_permille = 20;
        faults.storage.database_pages = 40;
    })
}

/// A run in which everything happens: the hash of its trace, its text if it is kept, its marks.
fn workload(seed: u64, keep: bool) -> (u64, String, Marks) {
    let hibernate_after_ms = [10_000, 4_000, 11_000][seed as usize % 3];
    let faults = all_faults().with(|faults| {
        faults.objects.hibernate_after_ms = hibernate_after_ms;
        faults.cache.no_zone = seed % 8 == 7;
        faults.front.workers_cache = seed.is_multiple_of(3);
        faults.front.zone = seed % 3 == 1;
        faults.front.between = seed % 3 == 2;
    });
    let colos = [Region::WesternEurope, Region::Oceania, Region::WesternEurope];
    run_configured(
        seed,
        faults,
        |config| config.colos = colos.to_vec(),
        async move |world, notes| {
            let guard = keep.then(|| world.trace().keep("tailrace_core"));
            for round in 0..6_u64 {
                let commands = [
                    "append x",
                    "pair",
                    "count",
                    "inner append x",
                    "call b",
                    "connect x",
                    "listen x",
                    "share k",
                    "borrow",
                    "broadcast z",
                    "send y",
                    "keep k",
                    "put l",
                    "put m",
                    "get k",
                    "list ",
                    "delete k l m",
                    "store k",
                    "look-up k",
                    "remove l",
                    "kv-keep k x",
                    "edge kv-get k",
                    "edge kv-list",
                ];
                let alarm = format!("alarm {}", EPOCH_MS + rt::now_ns() / 1_000_000 + 3_000);
                let commands = (0..3).flat_map(|_| commands).chain([alarm.as_str()]).enumerate();
                let near: Vec<World> = (0..colos.len()).map(|colo| world.near(colo)).collect();
                if round % 4 == 2 {
                    world.cut_off(1, 100);
                }
                join_all(commands.map(|(place, command)| ask(&near[place % near.len()], "a", command))).await;
                let kept = [
                    "say 20 max-age=1, stale-while-revalidate=60",
                    "say 5 no-store",
                    "confirm 5 no-cache",
                    "tell 5 max-age=1",
                    "inner say 20 max-age=60",
                ];
                let in_front = (0..24).map(|place| ask_front(&near[place % near.len()], kept[place % kept.len()]));
                join_all(in_front).await;
                match round % 4 {
                    0 => world.supersede("a"),
                    3 => {
                        world.configure(notes.clone(), 50);
                        world.fail_host(0);
                    }
                    1 => {
                        world.crash("b");
                        world.services().bucket.go_down(20_000);
                        world.services().kv.go_down(20_000);
                    }
                    _ => world.evict("a"),
                }
                rt::sleep_ms(PATIENCE_MS * round / 2).await;
            }
            drop(guard);
            (world.trace().hash(), world.trace().text(), world.marks())
        },
    )
}

#[test]
fn a_seed_leaves_the_same_trace_on_every_thread_and_another_seed_another() {
    for seed in 0..10 {
        let (hash, text, marks) = workload(seed, true);
        assert!(text.lines().count() > 100);
        let again = std::thread::spawn(move || workload(seed, true)).join().unwrap();
        if again.1 != text {
            let difference = text.lines().zip(again.1.lines()).find(|(first, second)| first != second);
            panic!("seed {seed} differs: {difference:?}");
        }
        assert_eq!(again, (hash, text, marks.clone()));
        assert_eq!(workload(seed, false), (hash, String::new(), marks), "keeping the text changes nothing");
        assert_ne!(workload(seed + 1, false).0, hash);
    }
}

/// Marks that this workload cannot reach: the probe streams no answers and asks for no bounded statement, reads of
/// superseded instances do not fail, and the platform gives up no alarm.
const OUT_OF_REACH: [Mark; 7] = [
    marks::ANSWER_IN_PIECES,
    marks::ANSWER_CUT,
    marks::ANSWER_LOST,
    marks::ISOLATE_RESTARTED_STREAMING,
    marks::SUPERSEDED_INSTANCE_RESET,
    marks::ALARM_ABANDONED,
    marks::STATEMENT_IN_STEPS,
];

#[test]
fn every_mark_of_the_host_is_reached() {
    let mut reached = Marks::default();
    for seed in 0..100 {
        reached.merge(&workload(seed, false).2);
    }
    for mark in marks::ALL.iter().filter(|mark| !OUT_OF_REACH.contains(mark)) {
        assert!(reached.count(mark) > 0, "{} never happened: {reached:?}", mark.name);
    }
}
