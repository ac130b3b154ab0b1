//! Streams that are gone: readers that wait while one expires and its alarm is late, and what a removal costs.

use tailrace_core::object::Settings;
use tailrace_core::protocol::Method;
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::random::Delay;
use tailrace_sim::kernel::rt::{self, Node};
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::{Faults, Piece};
use tailrace_tests::stream_client::StreamClient;

/// How late the alarm is, in ms: later than everything that happens here.
const LATE_MS: u64 = 600_000;

const STREAM: StreamClient = StreamClient { path: "s", fields: &[("content-type", "text/plain")], patience_ms: 60_000 };

#[test]
fn a_stream_created_where_one_has_expired_sends_the_readers_of_that_one_away_and_feeds_them_nothing() {
    rt::block_on(1, async {
        let faults = Faults::default().with(|faults| faults.alarm.late = Delay::new(LATE_MS, LATE_MS));
        let world = World::new(WorldConfig { faults, ..WorldConfig::of(Settings::default()) });
        let created = STREAM.ask(&world, Method::Put, "", &[("stream-expires-at", "2026-01-01T00:00:02Z")], "").await;
        assert_eq!(created.status, 201);
        let sse = STREAM.request(Method::Get, "?live=sse&offset=-1", &[], "");
        let opened = world.open(world.number(), sse, 1_000).await.expect("an answer");
        let body = opened.body.expect("events");
        let node = Node::new();
        let poll = world.clone();
        let polled = std::rc::Rc::new(std::cell::Cell::new(None));
        let answered = polled.clone();
        node.spawn(async move {
            let query = "?live=long-poll&offset=0000000000000000_0000000000000000";
            let response = STREAM.ask(&poll, Method::Get, query, &[], "").await;
            answered.set(Some(response.status));
        });
        rt::sleep_ms(5_000).await;
        assert_eq!((world.sockets("_default/s"), polled.get()), (2, None), "both wait, and the alarm has not come");

        let again = STREAM.ask(&world, Method::Put, "", &[], "new").await;
        assert_eq!(again.status, 201);
        rt::sleep_ms(1_000).await;
        assert_eq!(polled.get(), Some(410), "the position is of an earlier stream");
        let mut told = String::new();
        let ended = rt::within_ms(1_000, async {
            while let Piece::Bytes(bytes) = body.next().await {
                told.push_str(&String::from_utf8_lossy(&bytes));
            }
        });
        assert!(ended.await.is_some(), "the connection ends");
        assert!(!told.contains("new") && !told.contains("streamClosed"), "{told}");
    });
}

#[test]
fn a_removal_costs_two_rows_and_four_more_where_segments_are_in_r2() {
    for (segments, most) in [(0, 2), (1, 6), (7, 6)] {
        rt::block_on(1, async {
            let limits = StreamLimits { segment_rows: 1, ..StreamLimits::default() };
            let world = World::new(WorldConfig::of(Settings { limits, ..Settings::default() }));
            assert_eq!(STREAM.ask(&world, Method::Put, "", &[("stream-ttl", "60")], "").await.status, 201);
            for _ in 0..segments {
                assert_eq!(STREAM.ask(&world, Method::Post, "", &[], "x").await.status, 204);
                rt::sleep_ms(1_000).await;
            }
            assert_eq!(world.services().bucket.objects().len(), segments);
            let before = world.stored("_default/s");
            rt::sleep_ms(100_000).await;
            let after = world.stored("_default/s");
            assert_eq!(after.tables, [("stream".to_owned(), 1)], "one row is left, and no other table");
            assert!(world.services().bucket.objects().is_empty());
            assert_eq!(after.rows_written - before.rows_written, most, "{segments} segments");
        });
    }
}
