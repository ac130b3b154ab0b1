//! Latency, loss, isolates that restart.

use futures_util::future::join_all;

use super::{PATIENCE_MS, PERMILLES, World, answer, ask, check_resets, check_share, elapsed_ms, is_answered, run};
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::marks;
use crate::world::{Faults, Link, Lost};

/// Which message a knob loses.
#[derive(Clone, Copy, Debug)]
enum Loses {
    ClientRequest,
    ClientResponse,
    ObjectRequest,
    ObjectResponse,
}

impl Loses {
    fn faults(self, permille: u32) -> Faults {
        let requests = Link { request_loss_permille: permille, ..Link::default() };
        let responses = Link { response_loss_permille: permille, ..Link::default() };
        match self {
            Self::ClientRequest => Faults::default().with(|faults| faults.network.client_link = requests),
            Self::ClientResponse => Faults::default().with(|faults| faults.network.client_link = responses),
            Self::ObjectRequest => Faults::default().with(|faults| faults.network.object_link = requests),
            Self::ObjectResponse => Faults::default().with(|faults| faults.network.object_link = responses),
        }
    }
}

async fn hundred_appends(world: &World) -> usize {
    let asked = (0..100).map(|number| ask(world, "a", if number % 2 == 0 { "append even" } else { "append odd" }));
    join_all(asked).await.iter().filter(|outcome| !is_answered(outcome)).count()
}

#[test]
fn a_lost_request_never_happened_a_lost_response_did_and_no_client_can_tell() {
    for loses in [Loses::ClientRequest, Loses::ClientResponse, Loses::ObjectRequest, Loses::ObjectResponse] {
        for permille in PERMILLES {
            run(1, loses.faults(permille), async |world, _| {
                let lost = hundred_appends(&world).await;
                check_share(permille, lost);
                world.calm();
                let rows: usize = answer(&world, "a", "count").await.parse().unwrap();
                let happened = match loses {
                    Loses::ClientRequest | Loses::ObjectRequest => 100 - lost,
                    Loses::ClientResponse | Loses::ObjectResponse => 100,
                };
                assert_eq!(rows, happened, "{loses:?} at {permille} permille");
                let marks = world.marks();
                assert_eq!(marks.count(marks::REQUEST_LOST) + marks.count(marks::RESPONSE_LOST), lost as u64);
            });
        }
    }
}

#[test]
fn a_client_notices_a_loss_by_its_time_out_and_the_edge_at_once() {
    run(1, Loses::ClientRequest.faults(1000), async |world, _| {
        assert_eq!(ask(&world, "a", "count").await, Err(Lost::TimedOut));
        assert_eq!(elapsed_ms(), PATIENCE_MS);
    });
    run(1, Loses::ObjectRequest.faults(1000), async |world, _| {
        assert_eq!(ask(&world, "a", "count").await.map(|response| response.status), Ok(503));
        assert_eq!(elapsed_ms(), 0);
    });
}

#[test]
fn each_of_the_four_legs_takes_its_latency() {
    let client_link = Link { latency: Delay::new(10, 20), ..Link::default() };
    let object_link = Link { latency: Delay::new(1, 3), ..Link::default() };
    let mut took = std::collections::BTreeSet::new();
    for seed in 0..100 {
        run(
            seed,
            Faults::default().with(|faults| {
                faults.network.client_link = client_link;
                faults.network.object_link = object_link;
            }),
            async |world, _| {
                answer(&world, "a", "append x").await;
                took.insert(elapsed_ms());
            },
        );
    }
    assert!(took.iter().all(|ms| (22..=46).contains(ms)), "{took:?}");
    assert!(took.len() > 10, "{took:?}");
}

#[test]
fn requests_overtake_one_another_where_latency_varies() {
    let overtakes = |max_ms| {
        let client_link = Link { latency: Delay::new(0, max_ms), ..Link::default() };
        let overtaken = |seed: &u64| {
            run(*seed, Faults::default().with(|faults| faults.network.client_link = client_link), async |world, _| {
                let late = async {
                    rt::sleep_ms(5).await;
                    answer(&world, "a", "append later").await
                };
                let (sooner, later) = futures_util::future::join(answer(&world, "a", "append sooner"), late).await;
                (sooner.as_str(), later.as_str()) == ("2", "1")
            })
        };
        (0..100).filter(overtaken).count()
    };
    assert_eq!(overtakes(0), 0);
    assert!((10..60).contains(&overtakes(30)), "{}", overtakes(30));
}

#[test]
fn an_isolate_restarts_with_what_it_serves() {
    for permille in PERMILLES {
        let object_link = Link { latency: Delay::new(40, 60), ..Link::default() };
        let faults = Faults::default().with(|faults| {
            faults.edge.isolate_restart_permille = permille;
            faults.network.object_link = object_link;
        });
        check_resets(permille, faults, marks::ISOLATE_RESTARTED_BUSY);
    }
}

#[test]
fn a_restarted_isolate_fails_what_it_serves_and_serves_what_comes() {
    let object_link = Link { latency: Delay::new(100, 100), ..Link::default() };
    run(1, Faults::default().with(|faults| faults.network.object_link = object_link), async |world, _| {
        let restart = async {
            rt::sleep_ms(50).await;
            (0..3).for_each(|index| world.restart_isolate(index));
        };
        let (outcome, ()) = futures_util::future::join(ask(&world, "a", "append x"), restart).await;
        assert_eq!(outcome, Err(Lost::Reset));
        assert_eq!(answer(&world, "a", "append x").await, "2", "the first was on its way and arrived");
    });
}

#[test]
fn a_window_of_loss_opens_and_closes() {
    run(1, Faults::default(), async |world, _| {
        answer(&world, "a", "append x").await;
        world.set_network(Loses::ClientRequest.faults(1000).network.client_link, Link::default());
        assert_eq!(ask(&world, "a", "append x").await, Err(Lost::TimedOut));
        world.set_network(Link::default(), Link::default());
        assert_eq!(answer(&world, "a", "append x").await, "2");
    });
}
