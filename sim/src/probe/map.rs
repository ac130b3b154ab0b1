//! Datacenters: the ways between them, their clocks, and where objects are.

use futures_util::future::{join, join_all};

use super::{Notes, PERMILLES, Probe, World, answer, ask, check_share, elapsed_ms, heard, run_configured};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{Faults, Link, Lost, MapFaults, Region, WorldConfigOf, marks};

/// Two datacenters that are 94 ms apart.
const COLOS: [Region; 2] = [Region::WesternEurope, Region::SouthAmerica];

fn with(turn: impl FnOnce(&mut MapFaults)) -> Faults {
    Faults::default().with(|faults| turn(&mut faults.map))
}

/// Runs `test` with worlds as clients near each of the datacenters use them.
fn run<F: Future<Output = ()>>(seed: u64, faults: Faults, test: impl FnOnce([World; 2], Notes) -> F) {
    let configure = |config: &mut WorldConfigOf<Probe>| config.colos = COLOS.to_vec();
    run_configured(seed, faults, configure, |world, notes| test([world.near(0), world.near(1)], notes));
}

async fn took_ms(world: &World, object: &str, command: &str) -> u64 {
    let began_ms = elapsed_ms();
    answer(world, object, command).await;
    elapsed_ms() - began_ms
}

#[test]
fn calls_from_another_datacenter_take_the_way_there_and_back() {
    for (permille, round_trip_ms) in [(0, 0), (500, 94), (1_000, 188)] {
        run(1, with(|map| map.distance_permille = permille), async |[here, there], _| {
            assert_eq!(took_ms(&here, "a", "append x").await, 0, "it is placed where it is first called");
            assert_eq!(took_ms(&there, "a", "append x").await, round_trip_ms);
            assert_eq!(took_ms(&there, "b", "append x").await, 0);
            assert_eq!(took_ms(&here, "b", "append x").await, round_trip_ms);
            assert_eq!(took_ms(&here.near(2), "a", "count").await, 0, "beyond the last one they begin again");
            assert_eq!(here.marks().count(marks::OTHER_COLO_CALLED), 2);
        });
    }
}

#[test]
fn a_way_takes_the_latency_of_its_link_besides_and_stays_when_the_faults_end() {
    let object_link = Link { latency: Delay::new(10, 10), ..Link::default() };
    let faults = with(|map| map.distance_permille = 1_000).with(|faults| faults.network.object_link = object_link);
    run(1, faults, async |[here, there], _| {
        assert_eq!(took_ms(&here, "a", "count").await, 20);
        here.calm();
        assert_eq!(took_ms(&there, "a", "count").await, 208);
    });
}

#[test]
fn an_object_is_placed_where_it_is_called_first_though_the_call_is_lost() {
    run(1, with(|map| map.distance_permille = 1_000), async |[here, there], _| {
        let lossy = Link { request_loss_permille: 1_000, ..Link::default() };
        here.set_network(Link::default(), lossy);
        assert_eq!(ask(&there, "a", "count").await.map(|response| response.status), Ok(503));
        here.set_network(Link::default(), Link::default());
        assert_eq!(took_ms(&here, "a", "count").await, 188);
        assert_eq!(took_ms(&there, "a", "count").await, 0);
    });
}

#[test]
fn an_object_that_is_called_by_another_one_is_placed_near_that() {
    run(1, with(|map| map.distance_permille = 1_000), async |[here, there], _| {
        assert_eq!(took_ms(&there, "a", "call b").await, 0);
        assert_eq!(took_ms(&there, "b", "count").await, 0);
        assert_eq!(took_ms(&here, "c", "call b").await, 188);
    });
}

#[test]
fn objects_are_placed_elsewhere_never_sometimes_or_always() {
    for permille in PERMILLES {
        let faults = with(|map| (map.distance_permille, map.object_elsewhere_permille) = (1_000, permille));
        run(1, faults, async |[here, there], _| {
            let mut elsewhere = 0;
            for number in 0..100 {
                let object = format!("object {number}");
                let is_far = took_ms(&here, &object, "count").await > 0;
                elsewhere += usize::from(is_far);
                assert_eq!(took_ms(&there, &object, "count").await > 0, !is_far, "and stays there");
            }
            check_share(permille, elsewhere);
            assert_eq!(here.marks().count(marks::OBJECT_PLACED_ELSEWHERE), elsewhere as u64);
        });
    }
}

#[test]
fn messages_on_a_socket_take_the_way_and_so_does_its_end() {
    for (permille, way_ms) in [(0, 0), (500, 47), (1_000, 94)] {
        run(1, with(|map| map.distance_permille = permille), async |[here, there], notes| {
            answer(&here, "a", "count").await;
            answer(&there, "a", "connect x").await;
            rt::sleep_ms(way_ms).await;
            let socket = notes.sockets.borrow()[0].clone();
            assert_eq!(heard(&socket).await, ["hello"]);
            answer(&here, "a", "broadcast y").await;
            if way_ms > 0 {
                rt::sleep_ms(way_ms - 1).await;
                assert_eq!(heard(&socket).await, [""; 0]);
                rt::sleep_ms(1).await;
            }
            assert_eq!(heard(&socket).await, ["y"]);
            notes.sockets.take();
            drop(socket);
            if way_ms > 0 {
                rt::sleep_ms(way_ms - 1).await;
                assert_eq!(here.sockets("a"), 1);
            }
            rt::sleep_ms(1).await;
            assert_eq!(here.sockets("a"), 0);
        });
    }
}

#[test]
fn the_clocks_of_a_datacenter_are_off_together() {
    let off_ms = async |world: &World, object: &str, command: &str| {
        let shown_ms: u64 = answer(world, object, command).await.parse().unwrap();
        shown_ms.cast_signed() - world.now_ms().cast_signed()
    };
    let mut colos_ms = std::collections::BTreeSet::new();
    for (colo_ms, machine_ms) in [(0_u64, 0_u64), (5_000, 0), (5_000, 100)] {
        let faults = with(|map| map.clock_off_ms = colo_ms).with(|faults| {
            faults.edge.clock_off_ms = machine_ms;
            faults.objects.clock_off_ms = machine_ms;
        });
        run(1, faults, async |worlds, _| {
            for (colo, world) in worlds.iter().enumerate() {
                let (mut least_ms, mut most_ms) = (i64::MAX, i64::MIN);
                for number in 0..20 {
                    for command in ["edge-now", "now"] {
                        let object = format!("object {colo} {number}");
                        let off_ms = off_ms(world, &object, command).await;
                        (least_ms, most_ms) = (least_ms.min(off_ms), most_ms.max(off_ms));
                    }
                }
                assert!(most_ms.abs_diff(least_ms) <= 2 * machine_ms, "{colo}: {least_ms} to {most_ms}");
                assert!(machine_ms == 0 || most_ms > least_ms, "{colo}: {least_ms} to {most_ms}");
                assert!(least_ms.unsigned_abs().max(most_ms.unsigned_abs()) <= colo_ms + machine_ms);
                colos_ms.insert((colo_ms > 0 && machine_ms == 0, most_ms));
            }
        });
    }
    assert_eq!(colos_ms.iter().filter(|(is_off, _)| *is_off).count(), 2, "each by another time: {colos_ms:?}");
}

#[test]
fn a_host_fails_with_the_isolates_and_objects_of_its_datacenter_and_no_others() {
    for (failing, expected) in [(0, [true, false]), (1, [false, true]), (2, [true, false])] {
        run(1, Faults::default(), async |worlds, notes| {
            let objects = ["a", "b"];
            for (world, object) in worlds.iter().zip(objects) {
                answer(world, object, "connect x").await;
                answer(world, object, "append x").await;
            }
            let fails = async {
                rt::sleep_ms(50).await;
                worlds[0].fail_host(failing);
            };
            let asked = join_all(worlds.iter().map(|world| ask(world, "c", "sleep 100")));
            let (outcomes, ()) = join(asked, fails).await;
            assert_eq!([&outcomes[0], &outcomes[1]].map(|outcome| *outcome == Err(Lost::Reset)), expected);
            for (place, fails) in expected.into_iter().enumerate() {
                let world = &worlds[place];
                assert_eq!(world.is_running(objects[place]), !fails);
                assert_eq!(world.sockets(objects[place]), usize::from(!fails));
                let socket = notes.sockets.borrow()[place].clone();
                assert_eq!(heard(&socket).await.contains(&"closed".to_owned()), fails);
                assert_eq!(answer(world, objects[place], "count").await, "1", "what is durable is kept");
                assert_eq!(world.starts(objects[place]), if fails { 2 } else { 1 });
            }
            assert_eq!(worlds[0].marks().count(marks::HOST_FAILED), 1);
        });
    }
}

#[test]
fn nothing_passes_between_a_datacenter_that_is_cut_off_and_the_others_for_as_long() {
    for for_ms in [0, 50, 1_000] {
        for cut_off in [0, 1] {
            run(1, Faults::default(), async |[here, there], _| {
                answer(&here, "a", "append x").await;
                here.cut_off(cut_off, for_ms);
                let (mut lost, mut rows) = (0, 1);
                for _ in 0..100 {
                    rt::sleep_ms(1).await;
                    answer(&here, "a", "append x").await;
                    let is_lost = ask(&there, "a", "append x").await.map(|response| response.status) == Ok(503);
                    lost += usize::from(is_lost);
                    rows += if is_lost { 1 } else { 2 };
                }
                assert_eq!(lost, for_ms.saturating_sub(1).min(100) as usize);
                assert_eq!(here.marks().count(marks::LOST_BETWEEN_COLOS), lost as u64);
                here.calm();
                assert_eq!(answer(&there, "a", "count").await, rows.to_string(), "calls that are lost never happened");
            });
        }
    }
}

#[test]
fn a_socket_outlives_a_cut_unless_something_is_sent_on_it() {
    for sends in [false, true] {
        run(1, Faults::default(), async |[here, there], notes| {
            answer(&here, "a", "connect near").await;
            answer(&there, "a", "connect far").await;
            here.cut_off(1, 100);
            if sends {
                answer(&here, "a", "broadcast x").await;
            }
            rt::sleep_ms(100).await;
            answer(&here, "a", "broadcast y").await;
            let (near, far) = (notes.sockets.borrow()[0].clone(), notes.sockets.borrow()[1].clone());
            assert_eq!(heard(&near).await.last().map(String::as_str), Some("y"));
            assert_eq!(heard(&far).await.last().map(String::as_str), Some(if sends { "closed" } else { "y" }));
            assert_eq!(here.marks().count(marks::SOCKET_BROKEN_BETWEEN_COLOS), u64::from(sends));
        });
    }
}

#[test]
fn an_object_is_not_told_of_the_end_of_a_socket_while_it_is_cut_off() {
    for (for_ms, sockets) in [(0, 0), (100, 1)] {
        run(1, Faults::default(), async |[here, there], notes| {
            answer(&here, "a", "count").await;
            answer(&there, "a", "connect x").await;
            here.cut_off(0, for_ms);
            notes.sockets.take();
            rt::sleep_ms(1_000).await;
            assert_eq!(here.sockets("a"), sockets);
        });
    }
}
