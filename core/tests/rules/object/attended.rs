//! A stream with a sliding TTL does not expire while a reader is connected, and does soon after the last one has left.

use futures_util::FutureExt;
use tailrace_core::object::{Settings, StreamObject};
use tailrace_core::protocol::message::{Live, Operation, Read};
use tailrace_core::protocol::{Expiry, ReadFrom};
use tailrace_core::runtime::{Actor, ActorState};
use tailrace_core::storage::SqlStorage;

use crate::host::{Bucket, Host, START_MS, append, ask, create, object};

/// Who may be the first to notice that the end has come.
const NOTICES: [fn(&StreamObject<Host>, Expiry); 4] = [
    |object, _| assert_eq!(object.alarm().now_or_never(), Some(Ok(()))),
    |object, _| drop(ask(object, Operation::Head, "")),
    |object, _| assert!(matches!(append(object), 204 | 404)),
    |object, expiry| assert!(matches!(create(object, expiry), 200 | 201)),
];

fn wait(object: &StreamObject<Host>, host: &Host, live: Live) {
    let read = Read {
        from: ReadFrom::Start,
        live: Some(live),
        cursor: None,
        if_none_match: None,
        from_now: false,
        is_kept: false,
    };
    crate::host::wait(object, host, &read, 1);
}

fn ttl(seconds: u64) -> Expiry {
    Expiry::Ttl { seconds }
}

/// The first segment of the stream that is there, which tells one stream from the next; none if it has been removed.
fn stream_of(host: &Host) -> Option<String> {
    host.rows("SELECT first_read_seq || '' FROM stream WHERE incarnation IS NOT NULL").pop()
}

/// When the stream ends by what is stored, in ms after the start.
fn end_ms(host: &Host) -> u64 {
    let stored = host.rows("SELECT deadline_ms || '' FROM stream");
    stored[0].parse::<u64>().expect("a time") - START_MS
}

/// Creates a stream, lets a reader join at a time in ms after the start, and lets somebody notice that the end has come.
/// Returns until when it goes on then, in ms; none if it has been removed.
fn goes_on_until_ms(
    expiry: &Expiry,
    joins: Option<(u64, Live)>,
    restarts: bool,
    notice: fn(&StreamObject<Host>, Expiry),
) -> Option<u64> {
    let (mut object, host) = object();
    assert_eq!(create(&object, expiry.clone()), 201);
    let (first, due_ms) = (stream_of(&host), end_ms(&host));
    if let Some((at_ms, live)) = joins {
        host.pass_ms(at_ms);
        wait(&object, &host, live);
        assert_eq!(end_ms(&host), due_ms, "the reader came early enough to write nothing");
    }
    if restarts {
        object = StreamObject::new(host.clone(), Settings::default());
    }
    host.0.now_ms.set(START_MS + due_ms);
    notice(&object, expiry.clone());
    (stream_of(&host) == first).then(|| end_ms(&host)).filter(|end_ms| *end_ms > due_ms)
}

#[test]
fn it_goes_on_for_its_ttl_and_for_half_a_minute_at_least_whoever_notices_that_its_end_has_come() {
    for (seconds, until_ms) in [(1, 31_125), (10, 41_250), (26, 59_250), (30, 63_750), (40, 85_000), (60, 127_500)] {
        for live in [Live::Sse, Live::LongPoll] {
            for (notice, restarts) in NOTICES.into_iter().flat_map(|notice| [(notice, false), (notice, true)]) {
                let until = goes_on_until_ms(&ttl(seconds), Some((0, live)), restarts, notice);
                assert_eq!(until, Some(until_ms), "{seconds} s, {live:?}, restarts: {restarts}");
            }
        }
    }
}

#[test]
fn it_ends_without_a_reader_and_with_a_socket_that_no_edge_can_still_hold() {
    // An edge holds a socket for 96 s at most. The stream's end is due at 101.25 s.
    for (joins_ms, goes_on) in [(None, false), (Some(5_249), false), (Some(5_250), true)] {
        for notice in NOTICES {
            let joins = joins_ms.map(|at_ms| (at_ms, Live::Sse));
            let expected = goes_on.then_some(191_250);
            assert_eq!(goes_on_until_ms(&ttl(90), joins, false, notice), expected, "{joins_ms:?}");
        }
    }
}

#[test]
fn a_fixed_end_is_moved_by_no_reader() {
    let expiry = Expiry::At { at_ms: START_MS + 10_000, text: "2026-01-01T00:00:10Z".to_owned() };
    for notice in NOTICES {
        assert_eq!(goes_on_until_ms(&expiry, Some((0, Live::Sse)), false, notice), None);
    }
}

#[test]
fn whoever_notices_that_a_fixed_end_has_come_sends_its_readers_away() {
    let expiry = Expiry::At { at_ms: START_MS + 10_000, text: "2026-01-01T00:00:10Z".to_owned() };
    for live in [Live::Sse, Live::LongPoll] {
        for notice in NOTICES {
            let (object, host) = object();
            assert_eq!(create(&object, expiry.clone()), 201);
            wait(&object, &host, live);
            host.pass_ms(9_999);
            assert_eq!((ask(&object, Operation::Head, "").status, host.open_sockets()), (200, 1));
            host.pass_ms(1);
            notice(&object, expiry.clone());
            assert_eq!(host.open_sockets(), 0, "{live:?}");
        }
    }
}

#[test]
fn it_ends_once_the_last_reader_has_left() {
    let (object, host) = object();
    assert_eq!(create(&object, ttl(10)), 201);
    wait(&object, &host, Live::LongPoll);
    for (passes_ms, is_there) in [(11_250, true), (30_000, true), (30_000, false)] {
        if !is_there {
            host.hang_up();
        }
        host.pass_ms(passes_ms);
        assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
        assert_eq!(stream_of(&host).is_some(), is_there);
    }
}

#[test]
fn a_rotation_that_finds_its_time_up_lets_it_go_on_for_its_reader_and_else_removes_it() {
    for (reads, segments) in [(true, Some(1)), (false, None)] {
        let (object, host) = object();
        assert_eq!(create(&object, ttl(10)), 201);
        if reads {
            wait(&object, &host, Live::Sse);
        }
        assert_eq!((append(&object), append(&object)), (204, 204), "a segment is sealed");
        // The expiry has failed, and is tried again later.
        host.sql().run("UPDATE agenda SET due_ms = due_ms + 600000 WHERE kind = 1", &[]).expect("rows of a test");
        host.store().does.set(Bucket::Works);
        host.pass_ms(20_000);
        assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
        let found = stream_of(&host).map(|_| host.rows("SELECT read_seq || '' FROM segments").len());
        assert_eq!(found, segments);
        assert_eq!(stream_of(&host).map(|_| end_ms(&host) > 20_000), reads.then_some(true));
    }
}
