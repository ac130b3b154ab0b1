//! A gateway: the Worker asks its own inner entrypoint.

use futures_util::future::join_all;
use tailrace_core::protocol::{Headers, Method, Response};

use super::{PATIENCE_MS, PERMILLES, World, ask, is_answered, run_configured};
use crate::kernel::random::Delay;
use crate::world::{Faults, Link, Request, RequestBody, marks};

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
