//! Requests at the edge: their contexts, and requests that the platform ends without telling them.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use tailrace_core::protocol::{Headers, Method};

use super::sockets::{connect, socket};
use super::{PERMILLES, ask, check_resets, check_share, elapsed_ms, heard, run};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{Faults, Link, Lost, Request, RequestBody, marks};

#[test]
fn a_socket_is_refused_to_the_task_of_another_request_and_keeps_what_has_arrived() {
    run(1, Faults::default(), async |world, notes| {
        connect(&world, 1).await;
        let borrowed = ask(&world, "a", "borrow").await.expect("an answer");
        assert_eq!(borrowed.body, "closed");
        assert_eq!(world.marks().count(marks::OTHER_REQUEST_REFUSED), 1);
        assert_eq!(heard(&socket(&notes, 0)).await, ["hello"]);
    });
}

#[test]
fn requests_are_ended_by_the_platform_never_sometimes_or_always() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| {
            faults.edge.request_vanished_permille = permille;
            faults.edge.request_vanishes = Delay::new(0, 30);
            faults.network.object_link = Link { latency: Delay::new(40, 60), ..Link::default() };
        });
        check_resets(permille, faults, marks::REQUEST_VANISHED);
    }
}

#[test]
fn instances_are_lost_never_sometimes_or_always_and_no_call_is_made_twice() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| {
            faults.edge.instance_lost_permille = permille;
            faults.network.object_link = Link { latency: Delay::new(40, 60), ..Link::default() };
        });
        run(1, faults, async |world, _| {
            let commands: Vec<String> = (0..100).map(|index| format!("append text {index}")).collect();
            let outcomes = join_all(commands.iter().map(|command| ask(&world, "a", command))).await;
            let statuses: Vec<_> = outcomes.iter().flatten().map(|response| response.status).collect();
            assert_eq!(statuses.len(), 100, "each is answered");
            check_share(permille, statuses.iter().filter(|status| **status == 500).count());
            // The object may have no table: if each request loses the instance before it calls.
            let texts = if permille < 1000 { world.texts("a", "SELECT text FROM rows") } else { Vec::new() };
            let applied = texts.iter().collect::<BTreeSet<_>>().len();
            assert_eq!(texts.len(), applied, "each is applied at most once");
            assert!(applied >= statuses.iter().filter(|status| **status == 200).count());
        });
    }
}

#[test]
fn requests_whose_instance_another_one_loses_are_served_anew_and_have_the_outcome_of_their_earlier_call() {
    let link = Link { latency: Delay::new(40, 60), ..Link::default() };
    let calm = Faults::default().with(|faults| faults.network.object_link = link);
    run(1, calm, async |world, _| {
        let waiting = join_all((0..24).map(|_| ask(&world, "a", "append x")));
        let lose = async {
            rt::sleep_ms(20).await;
            world.set_faults(calm.with(|faults| faults.edge.instance_lost_permille = 200));
            while world.marks().count(marks::SERVED_ANEW) == 0 {
                ask(&world, "a", "sleep 0").await.expect("an answer");
            }
            world.set_faults(calm);
        };
        let (outcomes, ()) = join(waiting, lose).await;
        assert_eq!(world.stored("a").rows("rows"), 24, "each call is made once");
        let statuses: Vec<_> = outcomes.iter().flatten().map(|response| response.status).collect();
        let told: BTreeSet<_> = outcomes.iter().flatten().map(|response| response.body.clone()).collect();
        let served = statuses.iter().filter(|status| **status == 200).count();
        let lost = statuses.iter().filter(|status| **status == 500).count();
        let anew = world.marks().count(marks::SERVED_ANEW) as usize;
        assert_eq!((served + lost, rt::now_ns() / 1_000_000 < 200), (24, true));
        assert_eq!(told.len(), served + usize::from(lost > 0), "each has the outcome of its own call");
        assert!(lost < 4 && anew > lost, "{served} served, {lost} lost, {anew} times anew");
    });
}

#[test]
fn replies_break_off_never_sometimes_or_always() {
    for permille in PERMILLES {
        run(1, Faults::default().with(|faults| faults.edge.reply_broken_permille = permille), async |world, _| {
            let outcomes = join_all((0..100).map(|_| ask(&world, "a", "append x"))).await;
            check_share(permille, outcomes.iter().filter(|outcome| **outcome == Err(Lost::Reset)).count());
            assert_eq!(world.stored("a").rows("rows"), 100, "each was applied");
        });
    }
}

#[test]
fn those_who_join_a_flight_share_its_answer_unless_it_is_lost() {
    for permille in PERMILLES {
        run(1, Faults::default().with(|faults| faults.edge.flight_lost_permille = permille), async |world, _| {
            let mut lost = 0;
            for key in 0..100 {
                let command = format!("share {key}");
                let told = join_all((0..6).map(|_| ask(&world, "a", &command))).await;
                let statuses: Vec<_> = told.iter().flatten().map(|response| response.status).collect();
                assert_eq!(statuses.len(), 6);
                lost += usize::from(statuses.contains(&503));
            }
            check_share(permille, lost);
        });
    }
}

/// How many of 100 requests whose clients leave after 10 ms are served to their end within a minute.
fn finished(noticed_permille: u32, command: &str) -> usize {
    let faults = Faults::default().with(|faults| faults.edge.client_gone_noticed_permille = noticed_permille);
    run(1, faults, async |world, notes| {
        let url = format!("a/{command}");
        let request =
            || Request { method: Method::Get, url: url.clone(), headers: Headers::default(), body: RequestBody::Empty };
        let asked = join_all((0..100).map(|_| world.request(request(), 10))).await;
        assert!(asked.iter().all(|outcome| *outcome == Err(Lost::TimedOut)));
        rt::sleep_ms(60_000 - elapsed_ms()).await;
        notes.finished.get()
    })
}

#[test]
fn a_request_whose_client_has_gone_ends_if_the_platform_notices() {
    for permille in PERMILLES {
        check_share(1000 - permille, finished(permille, "sleep 5000"));
    }
}

#[test]
fn a_request_that_outlives_its_client_goes_on_for_thirty_seconds_more() {
    assert_eq!(finished(1000, "outlive 5000"), 100);
    assert_eq!(finished(1000, "outlive 29000"), 100);
    assert_eq!(finished(1000, "outlive 31000"), 0);
}
