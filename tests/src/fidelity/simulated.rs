//! Asking the simulator.

use bytes::Bytes;
use futures_util::StreamExt;
use tailrace_core::edge::PICKED_HEADERS;
use tailrace_core::object::Settings;
use tailrace_core::protocol::{Headers, Method};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::{Request, RequestBody};

use super::{Answer, Ask, BucketCalls, PAUSE_MS, Payload, SEGMENT_ROWS, Step, Variables, WAITS, check_expectation};

/// Where the simulated clients send their requests.
const ORIGIN: &str = "http://simulated.test";

/// How long a client waits, in ms: longer than a long-poll and than a connection of events.
const PATIENCE_MS: u64 = 120_000;

/// For how long the alarms have time to end what the script has begun, in ms.
const SETTLES_MS: u64 = 60_000;

/// The answers of a simulated world without faults.
pub fn run_simulated(steps: &[Step]) -> Vec<Answer> {
    run_billed(steps).0
}

/// The answers of a simulated world without faults, and the calls of R2 that it has made once its alarms are done.
pub fn run_billed(steps: &[Step]) -> (Vec<Answer>, BucketCalls) {
    rt::block_on(1, async {
        let limits = StreamLimits { segment_rows: SEGMENT_ROWS, ..StreamLimits::default() };
        let world = World::new(WorldConfig::of(Settings { limits, waits: WAITS, ..Settings::default() }));
        let mut variables = Variables::default();
        let mut answers = Vec::new();
        for step in steps {
            match step {
                Step::Sleep(ms) => rt::sleep_ms(*ms).await,
                Step::Ask(ask) => {
                    let late_ms = world.now_ms() + ask.within_ms;
                    answers.push(loop {
                        let answer = asked(&world, ask, &mut variables).await;
                        if world.now_ms() >= late_ms || check_expectation(ask, &answer).is_none() {
                            break answer;
                        }
                        rt::sleep_ms(PAUSE_MS).await;
                    });
                }
            }
        }
        rt::sleep_ms(SETTLES_MS).await;
        (answers, BucketCalls::of(&world.usage()))
    })
}

async fn asked(world: &World, ask: &Ask, variables: &mut Variables) -> Answer {
    variables.now_ms = world.now_ms();
    let request = request(ask, variables);
    let response = world.request(request, PATIENCE_MS).await.expect("a world without faults answers");
    let headers: Vec<_> = response.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer::new(variables, ORIGIN, response.status, headers.into_iter(), response.body.to_vec())
}

fn request(ask: &Ask, variables: &Variables) -> Request {
    let mut headers = Headers::default();
    for (name, value) in &ask.headers {
        // A host hands over only the fields that core picks.
        if PICKED_HEADERS.contains(&name.as_str()) {
            // A simulated client writes a header value byte by byte.
            let value: String = variables.value(value).into_iter().map(char::from).collect();
            headers.push(name.clone(), value);
        }
    }
    if ask.cached.is_none() {
        headers.push("tailrace-debug", "1");
    }
    let url = format!("{ORIGIN}{}", variables.fill(&ask.target));
    Request { method: Method::from_token(&ask.method), url, headers, body: body(&ask.payload) }
}

fn body(payload: &Payload) -> RequestBody {
    /// Bytes of a chunk: about what one read of a socket returns.
    const CHUNK: usize = 64 << 10;
    match payload {
        Payload { bytes, .. } if bytes.is_empty() => RequestBody::Empty,
        Payload { bytes, chunked: false } => RequestBody::Bytes(Bytes::from(bytes.clone())),
        Payload { bytes, chunked: true } => {
            let chunks: Vec<_> = bytes.chunks(CHUNK).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            RequestBody::Chunks(futures_util::stream::iter(chunks).boxed_local())
        }
    }
}
