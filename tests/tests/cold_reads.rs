//! How many gets a read from R2 takes, and what events hold if a code point lies across two segments.

use bytes::Bytes;
use futures_util::future::join_all;
use tailrace_core::object::Settings;
use tailrace_core::protocol::{Method, Response};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::bill::Meter;
use tailrace_sim::kernel::random::Delay;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::{BucketFaults, Faults, Piece};
use tailrace_tests::stream_client::StreamClient;

/// How long R2 takes for a get, in ms.
const GET_MS: u64 = 50;

/// By then every sealed segment has moved to R2, in ms.
const MOVED_MS: u64 = 1_000;

const STREAM: StreamClient = StreamClient { path: "s", fields: &[("content-type", "text/plain")], patience_ms: 60_000 };

async fn ask(world: &World, method: Method, query: &str, body: impl Into<Bytes>) -> Response {
    STREAM.ask(world, method, query, &[], body).await
}

/// A world with a stream of text whose segments hold that many appends; all sealed ones are in R2.
async fn world(segment_rows: u64, appends: &[&'static [u8]]) -> World {
    let limits = StreamLimits { segment_rows, ..StreamLimits::default() };
    let bucket = BucketFaults { get: Delay::new(GET_MS, GET_MS), ..BucketFaults::default() };
    let world = World::new(WorldConfig {
        faults: Faults::default().with(|faults| faults.bucket = bucket),
        // So that concurrent requests meet in the object, and not in an isolate.
        isolates: 20,
        ..WorldConfig::of(Settings { limits, ..Settings::default() })
    });
    assert_eq!(ask(&world, Method::Put, "", "").await.status, 201);
    for append in appends {
        assert_eq!(ask(&world, Method::Post, "", *append).await.status, 204);
    }
    rt::sleep_ms(MOVED_MS).await;
    assert_eq!(world.services().bucket.objects().len() as u64, appends.len() as u64 / segment_rows);
    world
}

/// How many gets of R2 there were since the count was `before`.
fn gets(world: &World, before: u64) -> u64 {
    world.usage().total(Meter::R2ClassB) - before
}

#[test]
fn a_read_from_the_middle_takes_two_gets_and_one_once_the_index_is_known() {
    rt::block_on(1, async {
        let world = world(4, &[b"a", b"b", b"c", b"d"]).await;
        for (offset, body, expected) in [(2, "cd", 2), (1, "bcd", 1), (0, "abcd", 1)] {
            let before = world.usage().total(Meter::R2ClassB);
            let page = ask(&world, Method::Get, &format!("?offset={:016}_{offset:016}", 0), "").await;
            assert_eq!((page.status, page.body.as_ref()), (200, body.as_bytes()));
            assert_eq!(gets(&world, before), expected, "from {offset}");
        }
    });
}

#[test]
fn identical_reads_at_one_time_share_their_gets() {
    rt::block_on(1, async {
        let world = world(4, &[b"a", b"b", b"c", b"d"]).await;
        let before = world.usage().total(Meter::R2ClassB);
        let query = format!("?offset={:016}_{:016}", 0, 1);
        let pages = join_all((0..20).map(|_| ask(&world, Method::Get, &query, ""))).await;
        assert!(pages.iter().all(|page| page.status == 200 && page.body.as_ref() == b"bcd"));
        assert_eq!(gets(&world, before), 2, "one of the index, one of the page");
    });
}

/// Checks the payloads of the events from the start of a stream. Each append is a segment, and the last closes the
/// stream.
fn check_events(appends: &[&'static [u8]], expected: &[&str]) {
    rt::block_on(1, async {
        let world = world(1, appends).await;
        let close = STREAM.request(Method::Post, "", &[("stream-closed", "true")], "");
        assert_eq!(world.request(close, 1_000).await.expect("an answer").status, 204);
        let opened = STREAM.open(&world, "?live=sse&offset=-1").await;
        let body = opened.body.expect("events");
        let mut data = Vec::new();
        while let Piece::Bytes(bytes) = body.next().await {
            let text = String::from_utf8(bytes.to_vec()).expect("events are text");
            let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
            data.extend(lines.filter(|line| !line.contains("streamNextOffset")).map(str::to_owned));
        }
        assert_eq!(data, expected, "{appends:?}");
    });
}

#[test]
fn a_code_point_across_segments_arrives_whole_and_half_of_one_does_not_wait_for_ever() {
    // The euro sign is e2 82 ac.
    check_events(&[b"a\xe2\x82", b"\xacb"], &["a", "\u{20ac}b"]);
    check_events(&[b"a\xe2", b"\x82", b"\xac"], &["a", "\u{20ac}"]);
    check_events(&[b"\xe2\x82", b"b"], &["\u{fffd}b"]);
    check_events(&[b"a\xe2\x82"], &["a\u{fffd}"]);
}
