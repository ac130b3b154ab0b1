//! What stands in front of the isolates.

use futures_util::future::{join, join_all};
use tailrace_core::protocol::{Headers, Method, Response};
use tailrace_core::runtime::{Download, EdgeEnv, Isolate};

use super::{Notes, PATIENCE_MS, PERMILLES, World, check_share, elapsed_ms, run, run_configured};
use crate::front::FrontBug;
use crate::kernel::random::Delay;
use crate::kernel::rt;
use crate::world::{
    EdgeState, Faults, FrontFaults, FrontVisited, Harm, Lost, Piece, Region, Request, RequestBody, marks,
};

/// A zone with one node in each datacenter.
const ZONE: FrontFaults = FrontFaults {
    zone: true,
    workers_cache: false,
    between: false,
    nodes: 1,
    affinity_lost_permille: 0,
    sub_request_permille: 0,
    tiered: false,
    age_from_start: false,
    keeps_no_cache: false,
    ignores_vary: true,
    lock_wait_ms: 5_000,
    lock_age_ms: 8_000,
    holds_back: false,
    predicts: 100,
    cross_version: false,
    origin_unresolved_permille: 0,
    origin_gives_up: Delay::NONE,
};

/// Commands that are answered at the edge, for caches in front to keep as they are told. Returns whether it was one.
pub(super) async fn serve(env: &EdgeState, notes: &Notes, command: &str, has_tag: bool) -> bool {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (ms, control) = rest.split_once(' ').unwrap_or((rest, ""));
    let ms = ms.parse().unwrap_or_default();
    match verb {
        // After so many ms, how many answers of this kind there were so far; or that what was asked for by its tag is
        // still right.
        "say" | "confirm" => {
            let number = notes.finished.get() + 1;
            notes.finished.set(number);
            env.sleep_ms(ms).await;
            let status = if verb == "confirm" && has_tag { 304 } else { 200 };
            let answer = Response::new(status).with("cache-control", control).with("etag", "\"t\"");
            env.answer(answer.with_body(number.to_string()));
        }
        // Three bytes, with so many ms before each.
        "tell" => {
            notes.finished.set(notes.finished.get() + 1);
            let download = env.open(Response::new(200).with("cache-control", control));
            for text in ["a", "b", "c"] {
                env.sleep_ms(ms).await;
                download.push(text.into());
            }
        }
        _ => return false,
    }
    true
}

/// Workers Cache between gateways and the inner entrypoint, with changes.
pub(super) fn between(turn: impl FnOnce(&mut FrontFaults)) -> Faults {
    let mut front = FrontFaults { zone: false, between: true, ..ZONE };
    turn(&mut front);
    faults(front)
}

fn faults(front: FrontFaults) -> Faults {
    Faults::default().with(|faults| faults.front = front)
}

/// A request for what the edge says: after so many ms, to be kept as `control` says.
pub(super) fn request(command: &str, tag: Option<&str>) -> Request {
    let mut headers = Headers::default();
    if let Some(tag) = tag {
        headers.push("if-none-match", tag);
    }
    Request { method: Method::Get, url: format!("edge/{command}"), headers, body: RequestBody::Empty }
}

async fn get(world: &World, command: &str) -> Result<Response, Lost> {
    world.request(request(command, None), PATIENCE_MS).await
}

/// Asks by way of what stands in front, and reads all that comes.
pub(super) async fn ask_front(world: &World, command: &str) {
    let _ = get(world, command).await;
}

/// The number of the answer that came.
async fn number(world: &World, command: &str) -> String {
    let response = get(world, command).await.expect("an answer");
    String::from_utf8_lossy(&response.body).into_owned()
}

/// What came of each request so far.
fn came(world: &World) -> Vec<(u64, FrontVisited)> {
    world.services().front.visits().iter().map(|visit| (visit.request, visit.what)).collect()
}

#[test]
fn without_a_cache_in_front_each_request_reaches_an_isolate() {
    run(1, Faults::default(), async |world, _| {
        for expected in ["1", "2"] {
            assert_eq!(number(&world, "say 1 max-age=60").await, expected);
        }
        assert_eq!(came(&world), []);
    });
}

#[test]
fn those_who_ask_together_have_one_answer_and_those_who_ask_later_are_told_its_age() {
    run(1, faults(ZONE), async |world, notes| {
        let together = join_all((0..20).map(|_| number(&world, "say 50 max-age=60"))).await;
        assert!(together.iter().all(|number| number == "1"), "{together:?}");
        rt::sleep_ms(3_000).await;
        let later = get(&world, "say 50 max-age=60").await.expect("an answer");
        assert_eq!((later.headers.get("age"), &later.body[..]), (Some("3"), &b"1"[..]));
        assert_eq!(notes.finished.get(), 1, "a HIT never reaches an isolate");
        let what: Vec<FrontVisited> = came(&world).into_iter().map(|(_, what)| what).collect();
        let by = what.iter().find_map(|what| if let FrontVisited::Hit { by, .. } = what { Some(*by) } else { None });
        let joined = |what: &&FrontVisited| Some(**what) == by.map(|by| FrontVisited::Joined { by, upper: false });
        assert_eq!(what.iter().filter(joined).count(), 19);
        assert_eq!((world.marks().count(marks::FRONT_JOINED), world.marks().count(marks::FRONT_HIT)), (19, 1));
        rt::sleep_ms(57_000).await;
        assert_eq!(number(&world, "say 50 max-age=60").await, "2");
    });
}

#[test]
fn what_is_uncacheable_each_asks_for_and_its_key_is_remembered() {
    run(1, faults(ZONE), async |world, notes| {
        join_all((0..10).map(|_| number(&world, "say 50 no-store"))).await;
        assert_eq!(notes.finished.get(), 10);
        // The first was waited for, the others were freed by its answer.
        assert_eq!(elapsed_ms(), 100);
        join_all((0..10).map(|_| number(&world, "say 50 no-store"))).await;
        assert_eq!((notes.finished.get(), elapsed_ms()), (20, 150));
        assert_eq!(world.marks().count(marks::FRONT_PREDICTED_UNCACHEABLE), 9 + 10);
    });
}

#[test]
fn a_visitor_that_has_the_answer_is_told_so_by_the_cache() {
    run(1, faults(ZONE), async |world, notes| {
        for expected in [304, 304, 200] {
            let tag = if expected == 304 { "\"t\"" } else { "\"u\"" };
            let response = world.request(request("say 1 max-age=60", Some(tag)), PATIENCE_MS).await.expect("an answer");
            assert_eq!((response.status, response.body.is_empty()), (expected, expected == 304));
        }
        assert_eq!(notes.finished.get(), 1);
    });
    // The cache wants the whole, whatever its visitor has.
    run(1, faults(ZONE), async |world, notes| {
        let response = world.request(request("confirm 1 max-age=60", Some("\"t\"")), PATIENCE_MS).await;
        assert_eq!((response.expect("an answer").status, notes.asked_by_tag.get()), (304, 0));
        assert_eq!(number(&world, "confirm 1 max-age=60").await, "1");
    });
}

#[test]
fn what_is_stale_is_served_while_the_cache_asks_for_itself() {
    run(1, faults(ZONE), async |world, _| {
        let control = "say 1 max-age=10, stale-while-revalidate=20";
        assert_eq!(number(&world, control).await, "1");
        rt::sleep_ms(10_000).await;
        assert_eq!((number(&world, control).await.as_str(), number(&world, control).await.as_str()), ("1", "1"));
        rt::sleep_ms(100).await;
        assert_eq!(number(&world, control).await, "2");
        assert_eq!(world.marks().count(marks::FRONT_STALE_SERVED), 2);
        // The cache's own request has a number that no client has.
        assert!(
            came(&world).iter().any(|(_, what)| matches!(what, FrontVisited::Hit { by: 3, .. })),
            "{:?}",
            came(&world)
        );
    });
}

#[test]
fn who_waits_too_long_asks_by_itself() {
    run(1, faults(FrontFaults { lock_wait_ms: 100, ..ZONE }), async |world, notes| {
        join_all((0..3).map(|_| number(&world, "say 1000 max-age=60"))).await;
        assert_eq!((notes.finished.get(), elapsed_ms()), (3, 1_100));
        assert_eq!(world.marks().count(marks::FRONT_LOCK_WAIT_OVER), 2);
        assert_eq!(world.harms().to_requests.len(), 0, "they have not waited for long");
    });
    run(1, faults(FrontFaults { lock_wait_ms: 3_000, ..ZONE }), async |world, _| {
        let leaves = async {
            rt::sleep_ms(10).await;
            world.request(request("say 5000 max-age=60", None), 2_000).await
        };
        let (_, left) = join(join_all((0..2).map(|_| number(&world, "say 5000 max-age=60"))), leaves).await;
        assert_eq!(left, Err(Lost::TimedOut));
        rt::sleep_ms(10).await;
        let harms: Vec<_> = world.harms().to_requests.into_values().collect();
        assert_eq!(
            harms,
            [[Harm::WaitedInFront], [Harm::WaitedInFront]],
            "one has waited for too long, and one has left"
        );
    });
    run(1, faults(FrontFaults { lock_age_ms: 100, ..ZONE }), async |world, notes| {
        join_all((0..3).map(|_| number(&world, "say 1000 max-age=60"))).await;
        // One takes the lock over each time that it is too old.
        assert_eq!((notes.finished.get(), elapsed_ms()), (3, 1_100 + 100));
    });
    run(1, faults(FrontFaults { lock_wait_ms: 0, ..ZONE }), async |world, notes| {
        join_all((0..3).map(|_| number(&world, "say 1000 max-age=60"))).await;
        assert_eq!((notes.finished.get(), elapsed_ms()), (3, 1_000));
    });
}

#[test]
fn a_visitor_that_leaves_takes_its_fetch_along_and_another_fetches() {
    run(1, faults(ZONE), async |world, notes| {
        let leaves = world.request(request("say 1000 max-age=60", None), 100);
        let stays = async {
            rt::sleep_ms(10).await;
            number(&world, "say 1000 max-age=60").await
        };
        let (left, stayed) = join(leaves, stays).await;
        assert_eq!((left, stayed.as_str()), (Err(Lost::TimedOut), "2"));
        assert_eq!((notes.finished.get(), elapsed_ms()), (2, 1_100));
        assert_eq!(world.marks().count(marks::FRONT_VISITOR_LEFT), 1);
    });
    // The isolate may notice.
    let noticed = faults(ZONE).with(|faults| faults.edge.client_gone_noticed_permille = 1_000);
    run(1, noticed, async |world, notes| {
        assert_eq!(world.request(request("sleep 1000", None), 100).await, Err(Lost::TimedOut));
        rt::sleep_ms(2_000).await;
        assert_eq!(notes.finished.get(), 0);
    });
    // Under the bug nobody has an answer.
    let bug = |config: &mut super::WorldConfigOf<super::Probe>| config.front_bug = Some(FrontBug::LeaverCancelsAll);
    run_configured(1, faults(ZONE), bug, async |world, _| {
        let leaves = world.request(request("say 1000 max-age=60", None), 100);
        let stays = async {
            rt::sleep_ms(10).await;
            get(&world, "say 1000 max-age=60").await
        };
        assert_eq!(join(leaves, stays).await, (Err(Lost::TimedOut), Err(Lost::Reset)));
    });
}

#[test]
fn names_of_origins_resolve_always_sometimes_or_never_and_what_failed_fills_no_cache() {
    for origin_unresolved_permille in PERMILLES {
        let front = FrontFaults { origin_unresolved_permille, origin_gives_up: Delay::new(70, 70), ..ZONE };
        run(1, faults(front), async |world, notes| {
            let mut failed = 0;
            for key in 0..100 {
                let before_ms = elapsed_ms();
                if get(&world, &format!("say 0 max-age=60, x={key}")).await == Err(Lost::Reset) {
                    failed += 1;
                    assert_eq!(elapsed_ms() - before_ms, 70);
                }
            }
            check_share(origin_unresolved_permille, failed);
            assert_eq!(world.marks().count(marks::FRONT_ORIGIN_UNRESOLVED), failed as u64);
            let harms = world.harms().to_requests;
            assert_eq!(harms.values().filter(|harms| ***harms == [Harm::OriginUnresolved]).count(), failed);
            assert_eq!(notes.finished.get(), 100 - failed);
            // It ends with the faults; what the cache is like does not.
            world.calm();
            assert!(get(&world, "say 0 max-age=60, x=0").await.is_ok());
            assert!(world.faults().front.zone);
        });
    }
}

#[test]
fn clients_keep_to_a_node_always_sometimes_or_never() {
    for affinity_lost_permille in PERMILLES {
        run(1, faults(FrontFaults { nodes: 9, affinity_lost_permille, ..ZONE }), async |world, _| {
            let mut spread = 0;
            for client in 0..100 {
                let near = world.near(client);
                join_all((0..9).map(|_| get(&near, "say 0 no-store"))).await;
                let visits = world.services().front.visits();
                let nodes = visits[visits.len() - 9..].iter().map(|visit| visit.node);
                spread += usize::from(nodes.collect::<std::collections::BTreeSet<_>>().len() > 1);
            }
            check_share(affinity_lost_permille, spread);
        });
    }
}

#[test]
fn requests_of_workers_keep_to_no_node() {
    for sub_request_permille in PERMILLES {
        run(1, faults(FrontFaults { nodes: 1_000_000, sub_request_permille, ..ZONE }), async |world, _| {
            for _ in 0..100 {
                get(&world, "say 0 no-store").await.expect("an answer");
            }
            let visits = world.services().front.visits();
            // All from outside are of one client.
            let own = visits
                .iter()
                .map(|visit| visit.node)
                .max_by_key(|node| visits.iter().filter(|visit| visit.node == *node).count());
            let spread = visits.iter().filter(|visit| Some(visit.node) != own).count();
            check_share(sub_request_permille, if sub_request_permille == 1_000 { spread + 1 } else { spread });
        });
    }
}

#[test]
fn nodes_ask_an_upper_tier_if_there_is_one() {
    for (tiered, asked) in [(false, 2), (true, 1)] {
        let colos = |config: &mut super::WorldConfigOf<super::Probe>| config.colos = vec![Region::Oceania; 2];
        run_configured(1, faults(FrontFaults { tiered, ..ZONE }), colos, async |world, notes| {
            for colo in 0..2 {
                number(&world.near(colo), "say 1 max-age=60").await;
            }
            assert_eq!(notes.finished.get(), asked);
            assert_eq!(world.marks().count(marks::FRONT_TIER_HIT), u64::from(tiered));
        });
    }
}

#[test]
fn workers_cache_is_cold_after_a_deploy_unless_it_serves_all_versions() {
    for (cross_version, asked) in [(false, 2), (true, 1)] {
        let front = FrontFaults { zone: false, workers_cache: true, cross_version, ..ZONE };
        run(1, faults(front), async |world, notes| {
            number(&world, "say 1 max-age=60").await;
            number(&world, "say 1 max-age=60").await;
            world.deploy(0);
            rt::sleep_ms(10).await;
            number(&world, "say 1 max-age=60").await;
            assert_eq!(notes.finished.get(), asked, "{cross_version}");
        });
    }
}

#[test]
fn age_is_counted_from_the_fetchs_start_or_its_end() {
    for (age_from_start, age) in [(false, "0"), (true, "2")] {
        run(1, faults(FrontFaults { age_from_start, ..ZONE }), async |world, _| {
            number(&world, "say 2000 max-age=60").await;
            let later = get(&world, "say 2000 max-age=60").await.expect("an answer");
            assert_eq!(later.headers.get("age"), Some(age));
        });
    }
}

#[test]
fn what_has_to_be_asked_for_each_time_is_kept_for_its_tag_or_not() {
    for (keeps_no_cache, revalidated) in [(false, 0), (true, 1)] {
        run(1, faults(FrontFaults { keeps_no_cache, ..ZONE }), async |world, notes| {
            number(&world, "confirm 1 no-cache").await;
            let expected = if keeps_no_cache { "1" } else { "2" };
            assert_eq!(number(&world, "confirm 1 no-cache").await, expected);
            assert_eq!(notes.finished.get(), 2);
            assert_eq!(notes.asked_by_tag.get(), revalidated);
            assert_eq!(world.marks().count(marks::FRONT_REVALIDATED), revalidated as u64);
        });
    }
}

/// All that a body brings, and whether it was whole; read after so many ms.
async fn read(world: &World, after_ms: u64, command: &str) -> (String, bool) {
    rt::sleep_ms(after_ms).await;
    let opened = world.open(world.number(), request(command, None), PATIENCE_MS).await.expect("an answer");
    let (body, mut text) = (opened.body.expect("a body that comes"), String::new());
    loop {
        match body.next().await {
            Piece::Bytes(bytes) | Piece::Part(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            end => return (text, end == Piece::End),
        }
    }
}

#[test]
fn a_body_is_shared_while_it_comes_with_all_that_came_before() {
    run(1, faults(ZONE), async |world, notes| {
        let readers = join_all([0, 1, 25].map(|after_ms| read(&world, after_ms, "tell 10 max-age=1"))).await;
        assert!(readers.iter().all(|(text, is_whole)| text == "abc" && *is_whole), "{readers:?}");
        assert_eq!((notes.finished.get(), world.marks().count(marks::FRONT_STREAMED)), (1, 3));
        assert!(elapsed_ms() < 35, "{}", elapsed_ms());
    });
    // Where bodies are not shared, those who wait have it when it is whole.
    run(1, faults(FrontFaults { holds_back: true, ..ZONE }), async |world, notes| {
        let readers = join_all([0, 1, 25].map(|after_ms| read(&world, after_ms, "tell 10 max-age=1"))).await;
        assert!(readers.iter().all(|(text, is_whole)| text == "abc" && *is_whole), "{readers:?}");
        assert_eq!((notes.finished.get(), world.marks().count(marks::FRONT_JOINED)), (1, 2));
    });
    // What may not be kept, each reads for itself.
    run(1, faults(ZONE), async |world, notes| {
        let readers = join_all([0, 1, 25].map(|after_ms| read(&world, after_ms, "tell 10 no-store"))).await;
        assert!(readers.iter().all(|(text, is_whole)| text == "abc" && *is_whole), "{readers:?}");
        assert_eq!((notes.finished.get(), world.marks().count(marks::FRONT_STREAMED)), (3, 0));
    });
}

#[test]
fn what_a_cache_hands_on_left_the_edge_when_the_isolate_wrote_it() {
    let late = faults(ZONE).with(|faults| faults.network.client_link.latency = Delay::new(50, 50));
    run(1, late, async |world, _| {
        let left_ms = join_all([0, 25].map(async |after_ms| {
            rt::sleep_ms(after_ms).await;
            let opened = world.open(world.number(), request("tell 10 max-age=1", None), PATIENCE_MS).await;
            let body = opened.expect("an answer").body.expect("a body that comes");
            let mut left_ms = Vec::new();
            while body.next().await != Piece::End {
                left_ms.push(body.left_ms());
            }
            left_ms
        }))
        .await;
        let [first, second] = &left_ms[..] else { panic!("two readers") };
        assert_eq!(first, second);
        assert!(first.windows(2).all(|pair| pair[1] - pair[0] == 10) && first.len() == 3, "{first:?}");
        // The last one was on its way twice.
        assert!(world.now_ms() - first[2] >= 100, "{first:?}");
    });
}

#[test]
fn a_body_that_breaks_off_breaks_off_for_all_who_read_it_and_is_kept_no_longer() {
    run(1, faults(ZONE).with(|faults| faults.edge.answer_cut_permille = 1_000), async |world, notes| {
        let readers = join_all([0, 1].map(|after_ms| read(&world, after_ms, "tell 10 max-age=60"))).await;
        assert!(readers.iter().all(|(_, is_whole)| !is_whole), "{readers:?}");
        let harms = world.harms().to_requests;
        assert_eq!(harms.len(), 2, "{harms:?}");
        world.set_faults(faults(ZONE));
        assert_eq!(read(&world, 0, "tell 10 max-age=60").await, ("abc".to_owned(), true));
        assert_eq!(notes.finished.get(), 2);
    });
}
