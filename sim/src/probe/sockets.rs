//! Upgrades, hibernating sockets and what cuts them, the time that is billed.

use std::rc::Rc;

use futures_util::future::{join, join_all};
use tailrace_core::runtime::{EdgeSocket, SocketEvent};

use super::{Notes, PERMILLES, World, answer, ask, check_share, elapsed_ms, heard, is_answered, run, run_mutated};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{EdgeEnd, Faults, HostMutant, Link};

/// The edge's end of an accepted socket, counted from the last one back, which is 0.
pub(super) fn socket(notes: &Notes, back: usize) -> Rc<EdgeEnd> {
    notes.sockets.borrow().iter().rev().nth(back).expect("a socket").clone()
}

fn slow_flush() -> Faults {
    Faults::default().with(|faults| faults.storage.flush = Delay::new(40, 60))
}

pub(super) async fn connect(world: &World, count: usize) {
    for number in 0..count {
        answer(world, "a", &format!("connect {number}")).await;
    }
}

#[test]
fn a_greeting_comes_first_and_messages_come_in_order_with_the_latency_of_their_link() {
    let object_link = Link { latency: Delay::new(5, 40), ..Link::default() };
    run(1, Faults::default().with(|faults| faults.network.object_link = object_link), async |world, notes| {
        connect(&world, 1).await;
        let socket = socket(&notes, 0);
        let texts: Vec<String> = (0..10).map(|number| format!("broadcast {number}")).collect();
        for text in &texts {
            answer(&world, "a", text).await;
        }
        let sent_ms = elapsed_ms();
        rt::sleep_ms(100).await;
        assert_eq!(heard(&socket).await, ["hello", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        answer(&world, "a", "broadcast late").await;
        let asked_ms = elapsed_ms();
        assert_eq!(socket.next(1_000).await, SocketEvent::Message("late".into()));
        assert!(elapsed_ms() <= asked_ms + 40 && elapsed_ms() >= sent_ms + 100);
        assert_eq!(socket.next(70).await, SocketEvent::TimedOut);
    });
}

#[test]
fn a_message_waits_for_the_writes_before_it_and_for_no_later_one() {
    run(1, slow_flush(), async |world, notes| {
        connect(&world, 1).await;
        let socket = socket(&notes, 0);
        assert_eq!(heard(&socket).await, ["hello"]);
        let seen = async {
            rt::sleep_ms(30).await;
            let at_once = heard(&socket).await;
            (at_once, socket.next(1_000).await, socket.next(1_000).await, elapsed_ms())
        };
        let (_, (at_once, message, close, at_ms)) = join(answer(&world, "a", "send late"), seen).await;
        assert_eq!(at_once, ["soon"]);
        assert_eq!((message, close), (SocketEvent::Message("late".into()), SocketEvent::Closed));
        assert!(at_ms >= 40, "{at_ms}");
        assert_eq!((answer(&world, "a", "attachments").await, world.sockets("a")), (String::new(), 0));
        assert!(world.marks().count(marks::GATE_HELD_MESSAGE) > 0);
    });
}

#[test]
fn a_message_whose_write_is_lost_is_never_seen_unless_messages_leave_before_the_gate() {
    let seen_and_lost = |mutant| {
        (0..40)
            .filter(|seed| {
                run_mutated(*seed, slow_flush(), mutant, async |world, notes| {
                    connect(&world, 1).await;
                    let crash = async {
                        rt::sleep_ms(20).await;
                        world.crash("a");
                    };
                    let (outcome, ()) = join(ask(&world, "a", "broadcast x"), crash).await;
                    assert!(!is_answered(&outcome));
                    let heard = heard(&socket(&notes, 0)).await;
                    heard.contains(&"x".to_owned()) && answer(&world, "a", "count").await == "0"
                })
            })
            .count()
    };
    assert_eq!(seen_and_lost(None), 0);
    assert!(seen_and_lost(Some(HostMutant::MessageBeforeGate)) > 5);
}

#[test]
fn hibernation_keeps_sockets_with_what_is_attached_and_a_message_wakes_nobody_else() {
    for (mutant, kept) in [(None, true), (Some(HostMutant::SocketsForgottenAtHibernation), false)] {
        run_mutated(1, Faults::default(), mutant, async |world, notes| {
            connect(&world, 2).await;
            rt::sleep_ms(60_000).await;
            assert!(!world.is_running("a"), "who waits on a socket keeps nobody awake");
            assert_eq!(world.marks().count(marks::HIBERNATED_WITH_SOCKETS), 1);
            let told = answer(&world, "a", "broadcast x").await;
            assert_eq!(told, if kept { "2" } else { "0" });
            assert_eq!(answer(&world, "a", "attachments").await, if kept { "0,1" } else { "" });
            let expected: &[&str] = if kept { &["hello", "x"] } else { &["hello"] };
            for back in [0, 1] {
                assert_eq!(heard(&socket(&notes, back)).await, expected);
            }
            assert_eq!(world.marks().count(marks::WOKEN_AND_SENT), u64::from(kept));
            assert_eq!(world.starts("a"), 2);
        });
    }
}

#[test]
fn an_edge_that_drops_its_end_wakes_the_object_which_forgets_the_socket() {
    run(1, Faults::default(), async |world, notes| {
        connect(&world, 3).await;
        rt::sleep_ms(60_000).await;
        notes.sockets.borrow_mut().remove(1);
        rt::sleep_ms(1).await;
        assert_eq!((world.starts("a"), world.is_running("a"), world.sockets("a")), (2, true, 2));
        assert_eq!(answer(&world, "a", "attachments").await, "0,2");
        assert_eq!(world.marks().count(marks::SOCKET_CLOSED_BY_EDGE), 1);
    });
}

#[test]
fn a_reset_cuts_every_socket_of_sleeping_objects_too_unless_one_is_left_half_dead() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| faults.sockets.half_dead_permille = permille);
        for supersede in [false, true] {
            run(1, faults, async |world, notes| {
                connect(&world, 100).await;
                if supersede {
                    world.supersede("a");
                } else {
                    world.crash("a");
                }
                assert_eq!(world.sockets("a"), 0, "the object knows none of them any more");
                let mut noticed = 0;
                for back in 0..100 {
                    noticed += usize::from(heard(&socket(&notes, back)).await == ["hello", "closed"]);
                }
                check_share(1000 - permille, noticed);
                let marks = world.marks();
                assert_eq!(marks.count(marks::SOCKET_CUT), noticed as u64);
                assert_eq!(marks.count(marks::SOCKET_HALF_DEAD), 100 - noticed as u64);
            });
        }
    }
}

#[test]
fn a_deploy_cuts_the_sockets_of_an_object_that_sleeps() {
    run(1, Faults::default(), async |world, notes| {
        connect(&world, 1).await;
        rt::sleep_ms(60_000).await;
        assert!(!world.is_running("a"));
        world.crash("a");
        assert_eq!(heard(&socket(&notes, 0)).await, ["hello", "closed"]);
        assert_eq!(world.sockets("a"), 0);
    });
}

#[test]
fn an_isolate_that_restarts_closes_its_sockets_unless_the_object_is_not_told() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| faults.sockets.half_dead_permille = permille);
        run(1, faults, async |world, _| {
            let listening = join_all((0..100).map(|_| ask(&world, "a", "listen x")));
            let restart = async {
                rt::sleep_ms(100).await;
                assert_eq!(world.sockets("a"), 100);
                (0..3).for_each(|index| world.restart_isolate(index));
                rt::sleep_ms(1).await;
                world.sockets("a")
            };
            let (outcomes, left) = join(listening, restart).await;
            assert!(outcomes.iter().all(|outcome| !is_answered(outcome)));
            check_share(permille, left);
            // What is sent on the sockets that are left is lost.
            assert_eq!(answer(&world, "a", "broadcast x").await, left.to_string());
        });
    }
}

#[test]
fn an_upgrade_whose_answer_is_lost_leaves_a_socket_that_is_closed_and_a_lost_request_none() {
    for permille in PERMILLES {
        let link = Link { latency: Delay::new(3, 3), ..Link::default() };
        let requests = Link { request_loss_permille: permille, ..link };
        let answers = Link { response_loss_permille: permille, ..link };
        for (object_link, accepted) in [(requests, 0), (answers, 1)] {
            run(1, Faults::default().with(|faults| faults.network.object_link = object_link), async |world, notes| {
                let mut lost = 0;
                for _ in 0..100 {
                    lost += usize::from(!is_answered(&ask(&world, "a", "connect x").await));
                }
                check_share(permille, lost);
                rt::sleep_ms(100).await;
                assert_eq!((world.sockets("a"), notes.sockets.borrow().len()), (100 - lost, 100 - lost));
                assert_eq!(world.marks().count(marks::SOCKET_CLOSED_BY_EDGE), (lost * accepted) as u64);
            });
        }
    }
}

#[test]
fn an_upgrade_that_the_gate_holds_back_is_lost_with_its_write() {
    run(1, slow_flush(), async |world, notes| {
        let crash = async {
            rt::sleep_ms(20).await;
            world.crash("a");
        };
        let late = async {
            rt::sleep_ms(1).await;
            ask(&world, "a", "connect x").await
        };
        let (_, outcome, ()) = futures_util::future::join3(ask(&world, "a", "append x"), late, crash).await;
        assert!(!is_answered(&outcome));
        assert!(notes.sockets.borrow().is_empty());
        assert_eq!(world.sockets("a"), 0);
    });
}

#[test]
fn what_a_superseded_instance_accepts_is_not_its_successors_and_ends_with_it() {
    let faults = Faults::default().with(|faults| {
        faults.objects.superseded = Delay::new(20_000, 20_000);
        faults.objects.superseded_reads_fail = false;
        faults.objects.stale_route_permille = 1000;
    });
    run(1, faults, async |world, notes| {
        answer(&world, "a", "append x").await;
        world.supersede("a");
        connect(&world, 1).await;
        world.set_faults(faults.with(|faults| faults.objects.stale_route_permille = 0));
        assert_eq!(answer(&world, "a", "broadcast y").await, "0");
        assert_eq!(heard(&socket(&notes, 0)).await, ["hello"]);
        rt::sleep_ms(21_000).await;
        assert_eq!(heard(&socket(&notes, 0)).await, ["closed"]);
    });
}

#[test]
fn a_socket_that_the_platform_does_not_accept_is_answered_otherwise() {
    run(1, Faults::default(), async |world, _| {
        let refused = ask(&world, "a", "connect tag too long").await.expect("an answer");
        assert_eq!((refused.status, world.sockets("a")), (500, 0));
        assert_eq!(refused.body, "no socket");
    });
}

#[test]
fn an_object_is_billed_while_it_has_work_and_with_a_waiting_reader_only_if_that_is_the_bug() {
    for (mutant, billed) in [(None, 60..180), (Some(HostMutant::WaiterKeepsAwake), 60_000..60_200)] {
        run_mutated(1, slow_flush(), mutant, async |world, notes| {
            answer(&world, "a", "append x").await;
            connect(&world, 1).await;
            rt::sleep_ms(60_000).await;
            assert_eq!(world.is_running("a"), mutant.is_some());
            answer(&world, "a", "append x").await;
            notes.sockets.borrow_mut().clear();
            rt::sleep_ms(60_000).await;
            assert!(!world.is_running("a"));
            let spells = world.spells("a");
            let billed_ms: u64 = spells.iter().map(|spell| spell.end_ms - spell.begin_ms).sum();
            assert!(billed.contains(&billed_ms), "{billed_ms}: {spells:?}");
            assert_eq!(spells.iter().map(|spell| spell.events).sum::<u64>(), 4);
        });
    }
}
