//! Thousands of readers wait while their stream's object sleeps, and the next write reaches each of them once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tailrace_core::object::Settings;
use tailrace_core::protocol::Method;
use tailrace_sim::kernel::random::Delay;
use tailrace_sim::kernel::rt::{self, Node};
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::{Faults, Link, Piece};
use tailrace_tests::stream_client::StreamClient;

/// How many readers of each kind.
const READERS: usize = 1_000;

/// How many edge isolates: few enough that some long-polls share flights, many enough that most do not.
const ISOLATES: usize = 400;

/// When the write comes, in ms: the object sleeps by then (after 10 s), and no long-poll has ended yet (after 20 s).
const WRITE_MS: u64 = 16_000;

const OBJECT: &str = "_default/s";

const STREAM: StreamClient = StreamClient { path: "s", fields: &[("content-type", "text/plain")], patience_ms: 60_000 };

/// What readers were sent, once for each time that it came.
#[derive(Clone, Default)]
struct Sent {
    long_polls: Rc<RefCell<Vec<String>>>,
    events: Rc<RefCell<Vec<String>>>,
    waiting: Rc<Cell<usize>>,
}

async fn long_poll(world: World, sent: Sent) {
    let response = STREAM.ask(&world, Method::Get, "?live=long-poll&offset=now", &[], "").await;
    let body = String::from_utf8_lossy(&response.body).into_owned();
    sent.long_polls.borrow_mut().push(format!("{} {body}", response.status));
}

async fn listen(world: World, sent: Sent) {
    let opened = STREAM.open(&world, "?live=sse&offset=now").await;
    let body = opened.body.expect("events");
    sent.waiting.set(sent.waiting.get() + 1);
    while let Piece::Bytes(bytes) = body.next().await {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let data = lines.filter(|line| !line.contains("streamNextOffset"));
        sent.events.borrow_mut().extend(data.map(str::to_owned));
    }
}

#[test]
fn thousands_wait_while_the_object_sleeps_and_the_next_write_reaches_each_once() {
    let link = Link { latency: Delay::new(1, 40), ..Link::default() };
    let faults = Faults::default().with(|faults| {
        faults.network.client_link = link;
        faults.network.object_link = link;
        faults.objects.cold_start = Delay::new(50, 50);
    });
    rt::block_on(1, async {
        let world = World::new(WorldConfig { faults, isolates: ISOLATES, ..WorldConfig::of(Settings::default()) });
        let created = world.request(STREAM.request(Method::Put, "", &[], ""), 1_000).await.expect("an answer");
        assert_eq!(created.status, 201);
        let (sent, node) = (Sent::default(), Node::new());
        for _ in 0..READERS {
            node.spawn(long_poll(world.clone(), sent.clone()));
            node.spawn(listen(world.clone(), sent.clone()));
        }
        rt::sleep_ms(WRITE_MS).await;
        assert_eq!((world.starts(OBJECT), world.is_running(OBJECT)), (1, false), "it sleeps, whoever waits");
        assert_eq!(sent.waiting.get(), READERS);
        // Every reader of events has a socket of its own. Identical long-polls of an isolate share one, but those from
        // `now` never do.
        assert_eq!(world.sockets(OBJECT), 2 * READERS);
        let billed_ms: u64 = world.spells(OBJECT).iter().map(|spell| spell.end_ms - spell.begin_ms).sum();
        assert!(billed_ms < 1_000, "{billed_ms} ms for {} readers that wait", 2 * READERS);

        let written = world.request(STREAM.request(Method::Post, "", &[], "hello"), 1_000).await.expect("an answer");
        assert_eq!((written.status, world.starts(OBJECT)), (204, 2), "it hibernated, and the write woke it");
        rt::sleep_ms(500).await;
        assert_eq!(*sent.long_polls.borrow(), vec!["200 hello"; READERS]);
        assert_eq!(*sent.events.borrow(), vec!["hello"; READERS]);
        // Nothing comes twice, up to and over the end of every connection.
        rt::sleep_ms(90_000).await;
        assert_eq!((sent.long_polls.borrow().len(), sent.events.borrow().len()), (READERS, READERS));
        assert_eq!(world.sockets(OBJECT), 0, "and no socket is left");
    });
}
