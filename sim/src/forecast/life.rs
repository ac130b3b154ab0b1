//! The life of a stream that is created, gets a message, and expires.

use tailrace_core::protocol::{Headers, Method, header};

use crate::bill::{Slice, with_unsimulated};
use crate::kernel::random::Seeds;
use crate::kernel::rt;
use crate::tailrace::{Settings, World, WorldConfig};
use crate::world::{Request, RequestBody};

/// How many streams live in a slice.
const STREAMS: usize = 10;
/// For how long they live, in s, after the message.
const LIVES_S: u64 = 60;
/// After how long everything of them is gone, in ms: the sweep for objects in R2 waits longest.
const GONE_MS: u64 = 24 * 3_600 * 1_000;
/// How long a client waits for its answer, in ms.
const PATIENCE_MS: u64 = 10_000;

/// A slice with as many cycles as streams.
pub(super) fn slice(seed: u64) -> Slice {
    let usage = in_world(seed, async |world| {
        begin(&world).await;
        rt::sleep_ms(GONE_MS).await;
        world.usage()
    });
    Slice { usage: with_unsimulated(&usage), cycles: STREAMS as f64 }
}

/// Bytes that the database of such a stream takes while it lives.
#[cfg(test)]
pub(super) fn database_bytes() -> u64 {
    const PAGES: &str = "SELECT CAST(page_count AS TEXT) FROM pragma_page_count";
    in_world(1, async |world| {
        begin(&world).await;
        let object = world.objects().pop().expect("an object");
        let pages: u64 = world.texts(&object, PAGES).pop().expect("a number").parse().expect("a number");
        pages * 4_096
    })
}

/// Runs in a world in which nothing goes wrong.
fn in_world<T: 'static>(seed: u64, act: impl AsyncFnOnce(World) -> T + 'static) -> T {
    let seeds = Seeds::of(seed);
    let config = WorldConfig { seeds, ..WorldConfig::of(Settings::default()) };
    rt::block_on(seeds.schedule, rt::apart(async move { act(World::new(config)).await }))
}

/// Creates the streams, and writes a message to each.
async fn begin(world: &World) {
    for stream in 0..STREAMS {
        for method in [Method::Put, Method::Post] {
            let mut headers = Headers::default();
            headers.push(header::CONTENT_TYPE, "text/plain");
            let body = match method {
                Method::Put => {
                    headers.push(header::STREAM_TTL, LIVES_S.to_string());
                    RequestBody::Empty
                }
                _ => RequestBody::of("a message".to_owned()),
            };
            let url = format!("https://tailrace.test/v1/stream/life{stream}");
            let answer = world.request(Request { method, url, headers, body }, PATIENCE_MS).await;
            assert!(answer.is_ok_and(|answer| answer.status < 300), "a world without faults answers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Cause, Meter};

    #[test]
    fn a_life_is_two_requests_and_an_alarm_or_two() {
        let Slice { usage, cycles } = slice(1);
        let a_life = |cause, meter| usage.of(cause, meter) as f64 / cycles;
        assert_eq!(a_life(Cause::Write, Meter::WorkerRequests), 2.0);
        assert_eq!(a_life(Cause::Write, Meter::ObjectRequests), 2.0);
        let alarms: f64 = [Cause::Expiry, Cause::Sweep].iter().map(|cause| a_life(*cause, Meter::ObjectRequests)).sum();
        assert!((1.0..=3.0).contains(&alarms), "{alarms}");
        assert!(a_life(Cause::Write, Meter::RowsWritten) >= 2.0);
    }
}
