//! Readers cannot tell whether a page comes from rows or from R2: every answer about a stream is the same before and
//! after its segments have moved.

use proptest::prelude::*;
use tailrace_core::object::Settings;
use tailrace_core::protocol::Offset;
use tailrace_core::protocol::{Method, Response};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::random::Delay;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::Faults;
use tailrace_tests::stream_client::StreamClient;

/// How late alarms are, in ms: until then nothing is in R2.
const LATE_MS: u64 = 60_000;

/// A stream: the lengths of the messages of each append, its limits, and whether the last append closes it.
#[derive(Clone, Debug)]
struct Case {
    json: bool,
    appends: Vec<Vec<usize>>,
    row_bytes: usize,
    page_bytes: usize,
    segment_rows: u64,
    closed: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let appends = prop::collection::vec(prop::collection::vec(1..60_usize, 1..6), 1..9);
    (any::<bool>(), appends, 10..120_usize, 1..200_usize, 1..9_u64, any::<bool>()).prop_map(
        |(json, appends, row_bytes, page_bytes, segment_rows, closed)| Case {
            json,
            appends,
            row_bytes,
            page_bytes,
            segment_rows,
            closed,
        },
    )
}

impl Case {
    fn body(&self, lengths: &[usize]) -> String {
        let message = |length: &usize| "0123456789".chars().cycle().take(*length).collect::<String>();
        let strings: Vec<_> = lengths.iter().map(|length| format!("\"{}\"", message(length))).collect();
        if self.json { format!("[{}]", strings.join(" , ")) } else { strings.concat() }
    }

    fn content_type(&self) -> &'static str {
        if self.json { "application/json" } else { "text/plain" }
    }
}

const STREAM: StreamClient = StreamClient { path: "a", fields: &[], patience_ms: 10_000 };

/// The answers to reads from every valid position and from some invalid ones, and to HEAD.
async fn all_answers(world: &World, tail: Offset, positions: u64) -> Vec<(String, Response)> {
    let mut answers = vec![("HEAD".to_owned(), STREAM.ask(world, Method::Head, "", &[], "").await)];
    let offsets = (0..=tail.read_seq + 1)
        .flat_map(|read_seq| (0..=positions).map(move |position| Offset { read_seq, position }.to_string()));
    for from in offsets.chain(["-1".to_owned(), "now".to_owned()]) {
        let answer = STREAM.ask(world, Method::Get, &format!("?offset={from}"), &[], "").await;
        answers.push((from, answer));
    }
    answers
}

async fn check(case: &Case) -> Result<(), TestCaseError> {
    let limits = StreamLimits {
        body_bytes: 14 * case.row_bytes,
        row_bytes: case.row_bytes,
        page_bytes: case.page_bytes,
        segment_rows: case.segment_rows,
        ..StreamLimits::default()
    };
    let world = World::new(WorldConfig {
        faults: Faults::default().with(|faults| faults.alarm.late = Delay::new(LATE_MS, LATE_MS)),
        ..WorldConfig::of(Settings { limits, ..Settings::default() })
    });
    let content_type = ("content-type", case.content_type());
    prop_assert_eq!(STREAM.ask(&world, Method::Put, "", &[content_type], "").await.status, 201);
    for (index, lengths) in case.appends.iter().enumerate() {
        let close = case.closed && index + 1 == case.appends.len();
        let fields = [content_type, ("stream-closed", if close { "true" } else { "false" })];
        let appended = STREAM.ask(&world, Method::Post, "", &fields, case.body(lengths)).await;
        prop_assert!([204, 413].contains(&appended.status));
    }
    let head = STREAM.ask(&world, Method::Head, "", &[], "").await;
    let tail = head.headers.get("stream-next-offset").and_then(Offset::parse).expect("an offset");
    let positions = if case.json { 30 } else { 120 };
    prop_assert_eq!(world.services().bucket.objects().len(), 0);
    let hot = all_answers(&world, tail, positions).await;
    rt::sleep_ms(3 * LATE_MS).await;
    let sealed = world.services().bucket.objects().len() as u64;
    prop_assert!(sealed >= tail.read_seq, "{} of {} segments are in R2", sealed, tail.read_seq);
    let cold = all_answers(&world, tail, positions).await;
    for (before, after) in hot.iter().zip(&cold) {
        prop_assert_eq!(before, after);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_same_before_and_after_the_segments_have_moved(case in cases()) {
        let mut outcome = Ok(());
        // The executor needs a new thread for each seed.
        std::thread::scope(|scope| {
            scope.spawn(|| outcome = rt::block_on(1, check(&case)));
        });
        outcome?;
    }
}
