//! R2 is down for an hour. Appends go on up to the bound and are then refused with 507; a failing rotation is tried
//! after longer and longer waits. Afterwards everything acknowledged moves to R2 and is read back, and appends go on.

use bytes::Bytes;
use tailrace_core::object::Settings;
use tailrace_core::protocol::limits::LOG_ROW_BYTES;
use tailrace_core::protocol::{Method, Response};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::marks;
use tailrace_tests::stream_client::StreamClient;

const HOUR_MS: u64 = 3_600_000;
/// Bytes of a body; one is appended each second.
const BODY: usize = 1_000;
/// Room for so many rows.
const ROWS: u64 = 400;
const HOT_BYTES: u64 = ROWS * (BODY as u64 + LOG_ROW_BYTES);
const SEGMENT_BYTES: u64 = 16_000;

fn world() -> World {
    let limits = StreamLimits {
        body_bytes: 8 * BODY,
        segment_bytes: SEGMENT_BYTES,
        hot_bytes: HOT_BYTES,
        ..StreamLimits::default()
    };
    World::new(WorldConfig::of(Settings { limits, ..Settings::default() }))
}

const STREAM: StreamClient = StreamClient {
    path: "a",
    fields: &[("content-type", "application/octet-stream"), ("tailrace-debug", "1")],
    patience_ms: 10_000,
};

async fn ask(world: &World, method: Method, query: &str, body: Bytes) -> Response {
    STREAM.ask(world, method, query, &[], body).await
}

/// A body that no other append has.
fn body(number: u64) -> Bytes {
    Bytes::from(format!("{number:0BODY$}"))
}

/// A number of the header `tailrace-cold`.
async fn cold(world: &World, name: &str) -> u64 {
    let head = ask(world, Method::Head, "", Bytes::new()).await;
    let text = head.headers.get("tailrace-cold").expect("a summary").to_owned();
    let value = text.split("; ").find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {text}"))
}

/// The whole stream, page after page.
async fn read_all(world: &World) -> Vec<u8> {
    let (mut all, mut from) = (Vec::new(), "-1".to_owned());
    loop {
        let page = ask(world, Method::Get, &format!("?offset={from}"), Bytes::new()).await;
        assert_eq!(page.status, 200, "from {from}");
        all.extend_from_slice(&page.body);
        if page.headers.get("stream-up-to-date") == Some("true") {
            return all;
        }
        from = page.headers.get("stream-next-offset").expect("an offset").to_owned();
    }
}

#[test]
fn an_hour_without_r2_refuses_appends_beyond_the_bound_and_loses_none_that_was_acknowledged() {
    rt::block_on(1, async {
        let world = world();
        assert_eq!(ask(&world, Method::Put, "", Bytes::new()).await.status, 201);
        world.services().bucket.go_down(HOUR_MS);
        let (mut acknowledged, mut refused) = (Vec::new(), 0);
        for number in 0..HOUR_MS / 1_000 - 10 {
            let answer = ask(&world, Method::Post, "", body(number)).await;
            match answer.status {
                204 => acknowledged.extend_from_slice(&body(number)),
                507 => {
                    let text = String::from_utf8_lossy(&answer.body).into_owned();
                    assert!(text.contains("storage_full"), "{text}");
                    refused += 1;
                }
                status => panic!("{status} to append {number}"),
            }
            assert_eq!(answer.status == 204, refused == 0, "nothing is taken once the bound is reached");
            rt::sleep_ms(1_000).await;
        }
        assert_eq!(acknowledged.len() as u64, ROWS * BODY as u64, "as much is taken as may wait");
        assert_eq!((cold(&world, "hot-bytes").await, cold(&world, "segments").await), (HOT_BYTES, 0));
        assert_eq!(read_all(&world).await, acknowledged, "reads go on");
        let attempts = world.marks().count(marks::BUCKET_WAS_DOWN);
        assert!((5..=30).contains(&attempts), "{attempts} attempts in an hour");

        // The longest wait between two attempts is 300 s plus a quarter of that.
        rt::sleep_ms(10_000 + 375_000).await;
        assert_eq!(cold(&world, "waiting").await, 0, "every sealed segment has gone to R2");
        assert_eq!(cold(&world, "segments").await, world.services().bucket.objects().len() as u64);
        assert!(cold(&world, "hot-bytes").await < SEGMENT_BYTES);
        assert_eq!(ask(&world, Method::Post, "", body(9)).await.status, 204, "appends go on");
        acknowledged.extend_from_slice(&body(9));
        assert_eq!(read_all(&world).await, acknowledged);
    });
}

#[test]
fn a_full_stream_is_still_closed_and_deleted() {
    rt::block_on(1, async {
        let world = world();
        assert_eq!(ask(&world, Method::Put, "", Bytes::new()).await.status, 201);
        world.services().bucket.go_down(HOUR_MS);
        while ask(&world, Method::Post, "", body(1)).await.status == 204 {}
        let closed = STREAM.ask(&world, Method::Post, "", &[("stream-closed", "true")], "").await;
        assert_eq!(closed.status, 204);
        assert_eq!(ask(&world, Method::Delete, "", Bytes::new()).await.status, 204);
        rt::sleep_ms(3 * HOUR_MS).await;
        let rows: u64 = world.stored("_default/a").tables.iter().map(|(_, rows)| rows).sum();
        assert_eq!((rows, world.services().bucket.objects().len()), (1, 0), "a tombstone is left, and nothing in R2");
    });
}
