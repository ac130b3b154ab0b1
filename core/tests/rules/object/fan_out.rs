//! What a write sends to the readers that wait: encoded once for all of a kind, within a budget of bytes times sockets.

use tailrace_core::object::{ColdSettings, Settings, StreamObject};
use tailrace_core::protocol::limits::{CURSOR_AHEAD_MS, EVENT_LIMIT, PUSH_LIMIT};
use tailrace_core::protocol::live::LiveMessage;
use tailrace_core::protocol::message::{Append, Live, Operation, Read};
use tailrace_core::protocol::{ContentType, Expiry, ReadFrom};

use crate::host::{Host, START_MS, ask, create, object_of, start, wait};

/// What a test lets be pushed within a second, in bytes.
const PUSHED_BYTES: usize = 100_000;

fn stream() -> (StreamObject<Host>, Host) {
    let mut settings = Settings::default();
    settings.memory.pushed_bytes = PUSHED_BYTES;
    let (object, host) = object_of(settings);
    assert_eq!(create(&object, Expiry::Never), 201);
    (object, host)
}

fn read(live: Live, cursor: Option<u64>) -> Read {
    Read { from: ReadFrom::Now, if_none_match: None, live: Some(live), cursor, from_now: true, is_kept: false }
}

/// Appends so many bytes; returns what was sent, as the number of sockets and the message.
fn append(object: &StreamObject<Host>, host: &Host, bytes: usize) -> Vec<(usize, LiveMessage)> {
    let content_type = Some(ContentType::default());
    let append = Append { content_type, producer: None, stream_seq: None, close: false };
    assert_eq!(ask(object, Operation::Append(append), "x".repeat(bytes)).status, 204);
    let decoded = |(count, message)| (count, LiveMessage::decode(message).expect("a message"));
    host.sent().into_iter().map(decoded).collect()
}

/// In short: how many sockets were sent an event or answer (`None`), or told to read over so many ms.
fn told(sent: &[(usize, LiveMessage)]) -> Vec<(usize, Option<u32>)> {
    let short = |message: &LiveMessage| match message {
        LiveMessage::Pull { spread_ms } => Some(*spread_ms),
        LiveMessage::Event { .. } | LiveMessage::Answer { .. } => None,
        other => panic!("{other:?}"),
    };
    sent.iter().map(|(count, message)| (*count, short(message))).collect()
}

#[test]
fn readers_ahead_of_the_clock_are_encoded_once_together_and_told_the_largest_of_their_cursors_plus_one() {
    for live in [Live::Sse, Live::LongPoll] {
        let (object, host) = stream();
        wait(&object, &host, &read(live, None), 3);
        let cursors = [1, CURSOR_AHEAD_MS, 500, 30_000].map(|ahead_ms| START_MS + ahead_ms);
        cursors.iter().for_each(|cursor| wait(&object, &host, &read(live, Some(*cursor)), 10));
        let sent = append(&object, &host, 5);
        let mut told: Vec<(usize, u64)> = sent
            .into_iter()
            .map(|(count, message)| match message {
                LiveMessage::Event { position, .. } | LiveMessage::Answer { position, .. } => {
                    (count, position.commit_ms)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        told.sort_unstable();
        // The time of the write for those of the clock, in one message; and one message for all others.
        assert_eq!(told, [(3, START_MS), (40, START_MS + CURSOR_AHEAD_MS + 1)], "{live:?}");
    }
}

#[test]
fn readers_of_events_ahead_of_the_clock_ask_again_after_their_object_has_slept() {
    let (object, host) = stream();
    // One that is further ahead than the others leaves while the object sleeps. What it was told they were told, too.
    wait(&object, &host, &read(Live::LongPoll, Some(START_MS + 90_000)), 1);
    wait(&object, &host, &read(Live::Sse, Some(START_MS + 30_000)), 2);
    wait(&object, &host, &read(Live::Sse, None), 3);
    append(&object, &host, 1);
    let object = start(&host, ColdSettings::default());
    assert_eq!(told(&append(&object, &host, 1)), [(3, None), (2, Some(0))]);
    // Those who have come since are known.
    wait(&object, &host, &read(Live::Sse, Some(START_MS + 30_000)), 2);
    assert_eq!(told(&append(&object, &host, 1)), [(3, None), (2, None)]);
    assert_eq!(told(&append(&object, &host, 1)), [(3, None), (2, None)]);
}

#[test]
fn what_is_pushed_within_a_second_is_bounded_by_bytes_times_sockets_and_the_rest_is_announced() {
    for live in [Live::Sse, Live::LongPoll] {
        let (object, host) = stream();
        wait(&object, &host, &read(live, None), 20);
        assert_eq!(told(&append(&object, &host, 1_000)), [(20, None)], "{live:?}");
        if live == Live::LongPoll {
            wait(&object, &host, &read(live, None), 20);
        }
        assert_eq!(told(&append(&object, &host, 4_500)), [(20, Some(20))], "{live:?}: more than is left");
        wait(&object, &host, &read(live, None), 4);
        assert_eq!(told(&append(&object, &host, 4_500)), [(4, None)], "{live:?}: for few it is enough");
        wait(&object, &host, &read(live, None), 8);
        host.pass_ms(1_000);
        let waiting = if live == Live::Sse { 12 } else { 8 };
        assert_eq!(told(&append(&object, &host, 6_000)), [(waiting, None)], "{live:?}: a second later");
    }
}

#[test]
fn few_readers_are_told_to_come_at_once_and_many_over_a_time_that_grows_with_them() {
    for (readers, spread_ms) in [(1, 0), (8, 0), (9, 9), (250, 250)] {
        let (object, host) = stream();
        wait(&object, &host, &read(Live::Sse, None), readers);
        assert_eq!(told(&append(&object, &host, PUSH_LIMIT + 1)), [(readers, Some(spread_ms))]);
    }
    // All kinds of readers count together.
    let (object, host) = stream();
    wait(&object, &host, &read(Live::Sse, None), 30);
    wait(&object, &host, &read(Live::Sse, Some(START_MS + 9)), 40);
    wait(&object, &host, &read(Live::LongPoll, None), 50);
    let sent = append(&object, &host, PUSH_LIMIT + 1);
    assert_eq!(told(&sent), [(30, Some(120)), (40, Some(120)), (50, Some(120))]);
}

#[test]
fn an_event_whose_text_is_too_long_for_one_write_is_announced() {
    let mut settings = Settings::default();
    settings.memory.pushed_bytes = 10 * EVENT_LIMIT;
    let (object, host) = object_of(settings);
    let json = || Some(ContentType::parse("application/json").expect("JSON"));
    let body = format!("[1,{}2]", "\n".repeat(PUSH_LIMIT / 2));
    let location = "https://example.test/a".to_owned();
    let create = tailrace_core::protocol::message::Create {
        location,
        content_type: json(),
        expiry: Expiry::Never,
        closed: false,
        public: false,
    };
    assert_eq!(ask(&object, Operation::Create(create), "").status, 201);
    for (content, expected) in [(format!("[{body}]"), Some(0)), ("[1]".to_owned(), None)] {
        wait(&object, &host, &read(Live::Sse, None), 2);
        let append = Append { content_type: json(), producer: None, stream_seq: None, close: false };
        assert_eq!(ask(&object, Operation::Append(append), content).status, 204);
        let sent = host.sent().into_iter().map(|(count, message)| (count, LiveMessage::decode(message).expect("one")));
        assert_eq!(told(&sent.collect::<Vec<_>>()), [(2, expected)]);
    }
}
