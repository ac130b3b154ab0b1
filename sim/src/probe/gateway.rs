//! A gateway: the Worker asks its own inner entrypoint.

use futures_util::future::join_all;
use tailrace_core::protocol::{Headers, Method, Response};

use super::fronts::{between, request};
use super::{PATIENCE_MS, PERMILLES, World, ask, elapsed_ms, is_answered, run, run_configured};
use crate::front::FrontBug;
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{Faults, FrontVisited, Harm, Link, Lost, Region, Request, RequestBody, UPPER_TIER, marks};

/// Sends a command as the request of that number, which must be answered.
async fn ask_as(world: &World, number: u64, command: &str) -> Response {
    let (headers, body) = (Headers::default(), RequestBody::Empty);
    let request = Request { method: Method::Post, url: format!("a/{command}"), headers, body };
    world.request_as(number, request, PATIENCE_MS).await.expect("an answer")
}

#[test]
fn the_inner_entrypoint_is_billed_to_the_request_that_asks() {
    for isolates in [1, 3] {
        run_configured(
            1,
            Faults::default(),
            |config| config.isolates = isolates,
            async |world, _| {
                for (command, invocations) in [("append x", 1), ("inner append x", 2), ("inner inner append x", 3)] {
                    let number = world.number();
                    assert_eq!(ask_as(&world, number, command).await.status, 200, "{command}");
                    let charge = world.charges().of_requests[&number];
                    assert_eq!((charge.invocations, charge.calls), (invocations, 1), "{command}");
                }
                assert_eq!(world.marks().count(marks::INNER_ENTRYPOINT_ASKED), 3);
            },
        );
    }
}

#[test]
fn what_befalls_the_inner_entrypoint_befalls_the_request_and_the_gateway_is_told() {
    for permille in PERMILLES {
        let faults = Faults::default().with(|faults| {
            faults.edge.request_vanished_permille = permille;
            faults.edge.request_vanishes = Delay::new(0, 30);
            faults.network.object_link = Link { latency: Delay::new(40, 60), ..Link::default() };
        });
        run_configured(
            1,
            faults,
            |config| config.isolates = 50,
            async |world, _| {
                let outcomes = join_all((0..100).map(|_| ask(&world, "a", "inner append x"))).await;
                let told = outcomes.iter().flatten().filter(|answer| answer.status == 503).count() as u64;
                let failed = world.marks().count(marks::INNER_ENTRYPOINT_FAILED);
                assert_eq!((failed > 0, told > 0), (permille > 0, permille > 0), "{permille}");
                assert!(told <= failed, "the others have ended before");
                let unanswered = outcomes.iter().filter(|outcome| !is_answered(outcome)).count();
                assert_eq!(unanswered, world.harms().to_requests.len(), "{permille}");
            },
        );
    }
}

#[test]
fn a_gateway_that_ends_leaves_the_inner_entrypoint() {
    for (noticed, finished) in [(1_000, 0), (0, 1)] {
        let faults = Faults::default().with(|faults| faults.edge.client_gone_noticed_permille = noticed);
        run_configured(
            1,
            faults,
            |config| config.isolates = 2,
            async |world, notes| {
                let (headers, body) = (Headers::default(), RequestBody::Empty);
                let request = Request { method: Method::Post, url: "a/inner sleep 1000".to_owned(), headers, body };
                assert!(world.request(request, 100).await.is_err(), "the client leaves");
                crate::kernel::rt::sleep_ms(5_000).await;
                assert_eq!(notes.finished.get(), finished, "{noticed}");
            },
        );
    }
}

/// What the inner entrypoint says, through the gateway.
async fn inner(world: &World, command: &str) -> Result<Response, Lost> {
    world.request(request(&format!("inner {command}"), None), PATIENCE_MS).await
}

/// The number of the answer that came.
async fn number(world: &World, command: &str) -> String {
    let response = inner(world, command).await.expect("an answer");
    String::from_utf8_lossy(&response.body).into_owned()
}

#[test]
fn a_cache_between_serves_what_gateways_ask_and_nothing_that_clients_do() {
    run_configured(
        1,
        between(|_| {}),
        |config| config.isolates = 8,
        async |world, _| {
            let together = join_all((0..5).map(|_| number(&world, "say 50 max-age=60"))).await;
            assert!(together.iter().all(|number| number == "1"), "{together:?}");
            rt::sleep_ms(3_000).await;
            let later = inner(&world, "say 50 max-age=60").await.expect("an answer");
            assert_eq!((later.headers.get("age"), &later.body[..]), (Some("3"), &b"1"[..]));
            assert_eq!(world.marks().count(marks::INNER_ENTRYPOINT_SPARED), 1);
            // Each visitor and each fetch has the number of the client's request.
            let visits: Vec<_> =
                world.services().front.visits().iter().map(|visit| (visit.request, visit.what)).collect();
            let by = |what: FrontVisited| visits.iter().filter(|visit| visit.1 == what).count();
            let fetches = world.services().front.fetches();
            let fetched = fetches[0].request;
            assert_eq!((fetches.len(), &*fetches[0].place.0), (1, UPPER_TIER));
            assert_eq!(by(FrontVisited::Fetched), 1);
            assert_eq!(by(FrontVisited::Joined { by: fetched, upper: false }), 4);
            assert_eq!(by(FrontVisited::Hit { by: fetched, upper: false }), 1);
            let charges = world.charges().of_requests;
            assert_eq!(charges[&fetched].invocations, 2, "gateway and inner entrypoint");
            let spared = charges.iter().filter(|(number, _)| **number != fetched);
            assert!(spared.into_iter().all(|(_, charge)| charge.invocations == 1), "{charges:?}");
            // What a client asks for reaches the gateway each time.
            for expected in ["2", "3"] {
                let answer = world.request(request("say 1 max-age=60", None), PATIENCE_MS).await.expect("an answer");
                assert_eq!(&answer.body[..], expected.as_bytes());
            }
        },
    );
    // Where something stands in front of clients, nothing stands between.
    run(1, between(|front| front.zone = true), async |world, notes| {
        for expected in [1, 1] {
            inner(&world, "say 1 max-age=60").await.expect("an answer");
            assert_eq!(notes.finished.get(), expected, "the zone has the second one");
        }
        assert_eq!(world.marks().count(marks::INNER_ENTRYPOINT_ASKED), 1);
    });
}

#[test]
fn datacenters_share_the_upper_tier_between_and_releases_share_nothing() {
    let colos = |config: &mut super::WorldConfigOf<super::Probe>| config.colos = vec![Region::Oceania; 2];
    for (cross_version, asked) in [(false, 2), (true, 1)] {
        run_configured(1, between(|front| front.cross_version = cross_version), colos, async |world, notes| {
            for colo in 0..2 {
                number(&world.near(colo), "say 1 max-age=60").await;
            }
            assert_eq!((notes.finished.get(), world.marks().count(marks::FRONT_TIER_HIT)), (1, 1));
            world.deploy(0);
            rt::sleep_ms(10).await;
            number(&world, "say 1 max-age=60").await;
            assert_eq!(notes.finished.get(), asked, "{cross_version}");
        });
    }
}

#[test]
fn a_fetch_that_is_lost_between_is_told_to_the_gateway_and_another_one_fetches() {
    for permille in PERMILLES {
        let faults = between(|_| {}).with(|faults| {
            faults.edge.request_vanished_permille = permille;
            faults.edge.request_vanishes = Delay::new(0, 30);
        });
        run_configured(
            1,
            faults,
            |config| config.isolates = 200,
            async |world, _| {
                // Five ask together for each of twenty things.
                let commands: Vec<String> =
                    (0..100).map(|place| format!("say 40 max-age=60, x={}", place / 5)).collect();
                let outcomes = join_all(commands.iter().map(|command| inner(&world, command))).await;
                let told = outcomes.iter().flatten().filter(|answer| answer.status == 503).count();
                let harms = world.harms().to_requests;
                let lost = harms.values().filter(|harms| harms.contains(&Harm::InnerLost)).count();
                assert!(told <= lost, "{permille}: {told} {lost}");
                assert_eq!(lost > 0, permille > 0, "{permille}");
                // Who is told that there is no answer has lost its own fetch.
                assert!(
                    harms.values().all(|harms| !harms.contains(&Harm::InnerLost) || harms.contains(&Harm::Vanished))
                );
                let answered = outcomes.iter().flatten().filter(|answer| answer.status == 200).count();
                assert_eq!((answered == 100, answered == 0), (permille == 0, permille == 1_000), "{permille}");
            },
        );
    }
}

#[test]
fn a_gateway_that_ends_leaves_the_cache_between_and_another_one_fetches() {
    let noticed = |config: &mut super::WorldConfigOf<super::Probe>| {
        config.isolates = 8;
        config.faults.edge.client_gone_noticed_permille = 1_000;
    };
    for (bug, stayed, fetched) in [(None, 200, 2), (Some(FrontBug::LeaverCancelsAll), 503, 1)] {
        let configure = |config: &mut super::WorldConfigOf<super::Probe>| {
            noticed(config);
            config.front_bug = bug;
        };
        run_configured(1, between(|_| {}), configure, async |world, _| {
            let leaves = world.request(request("inner say 1000 max-age=60", None), 100);
            let stays = async {
                rt::sleep_ms(10).await;
                inner(&world, "say 1000 max-age=60").await.expect("an answer").status
            };
            assert_eq!(futures_util::future::join(leaves, stays).await, (Err(Lost::TimedOut), stayed));
            assert_eq!(world.services().front.fetches().len(), fetched);
            assert_eq!(world.marks().count(marks::FRONT_VISITOR_LEFT), 1);
            let harms = world.harms().to_requests;
            assert!(!harms.values().flatten().any(|harm| *harm == Harm::InnerLost), "nothing was lost: {harms:?}");
        });
    }
}

#[test]
fn who_has_waited_between_for_long_has_the_harm_whether_its_gateway_notices_that_it_leaves_or_not() {
    for noticed in [0, 1_000] {
        let configure = |config: &mut super::WorldConfigOf<super::Probe>| {
            config.isolates = 8;
            config.faults.edge.client_gone_noticed_permille = noticed;
        };
        run_configured(1, between(|front| front.lock_wait_ms = 9_000), configure, async |world, _| {
            let first = inner(&world, "say 5000 max-age=60");
            let leaves = async |after_ms, patience_ms| {
                rt::sleep_ms(after_ms).await;
                let number = world.number();
                let asked = request("inner say 5000 max-age=60", None);
                assert_eq!(world.request_as(number, asked, patience_ms).await, Err(Lost::TimedOut));
                rt::sleep_ms(10).await;
                world.harms().to_requests.get(&number).is_some_and(|harms| harms.contains(&Harm::WaitedInFront))
            };
            let (_, long, short) = futures_util::future::join3(first, leaves(10, 2_000), leaves(10, 500)).await;
            assert_eq!((long, short), (true, false), "{noticed}");
            assert!(elapsed_ms() < 6_000);
        });
    }
}
