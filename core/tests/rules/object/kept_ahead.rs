//! A read whose answer the edge keeps starts a sliding TTL again for those who are served the copy, and tells for how
//! long.

use tailrace_core::object::Settings;
use tailrace_core::protocol::message::{Live, Operation, Read};
use tailrace_core::protocol::{Expiry, ReadFrom, header};

use crate::host::{append, ask, create, object_of};

const LONG_POLL: Option<Live> = Some(Live::LongPoll);

/// Reads after so many ms from a stream with a TTL of 60 s (whose slack is 7.5 s) and two messages, one a page. What
/// the edge is told about copies, and how long after the read the stream ends, both in ms.
fn check(after_ms: u64, read: (ReadFrom, Option<Live>, bool), ahead_ms: Option<&str>, lives_ms: u64) {
    let mut settings = Settings::default();
    settings.limits.page_bytes = 1;
    let (object, host) = object_of(settings);
    assert_eq!(create(&object, Expiry::Ttl { seconds: 60 }), 201);
    assert_eq!((append(&object), append(&object)), (204, 204));
    host.pass_ms(after_ms);
    let (from, live, is_kept) = read;
    let from_now = from == ReadFrom::Now;
    let answer =
        ask(&object, Operation::Read(Read { from, if_none_match: None, live, cursor: None, from_now, is_kept }), "");
    assert_eq!(answer.headers.get(header::TAILRACE_AHEAD), ahead_ms, "{after_ms} {read:?}");
    for (ms, status) in [(lives_ms - 1, 200), (1, 404)] {
        host.pass_ms(ms);
        assert_eq!(ask(&object, Operation::Head, "").status, status, "{after_ms} {read:?}: {lives_ms}");
    }
}

#[test]
fn a_copy_may_be_served_as_long_as_its_readers_need_not_touch_the_stream() {
    let (page, tail) =
        (ReadFrom::Start, ReadFrom::parse(Some("0000000000000000_0000000000000001")).expect("an offset"));
    for (after_ms, read, ahead_ms, lives_ms) in [
        // Half the slack is left, and serves.
        (0, (page, None, true), Some("7500"), 67_500),
        (3_750, (page, None, true), Some("3750"), 63_750),
        // Less is left: the whole slack is given anew, and no more.
        (3_751, (page, None, true), Some("7500"), 67_500),
        (60_000, (page, None, true), Some("7500"), 67_500),
        (3_751, (page, LONG_POLL, true), Some("7500"), 67_500),
        // Nobody is served a copy of these.
        (3_751, (page, None, false), None, 63_749),
        (3_751, (page, LONG_POLL, false), None, 63_749),
        (3_751, (tail, None, true), None, 63_749),
        (3_751, (ReadFrom::Now, None, false), None, 63_749),
    ] {
        check(after_ms, read, ahead_ms, lives_ms);
    }
}

#[test]
fn of_a_stream_without_a_sliding_ttl_nothing_is_told() {
    for expiry in [Expiry::Never, Expiry::parse(None, Some("2026-01-01T01:00:00Z")).expect("an end")] {
        let mut settings = Settings::default();
        settings.limits.page_bytes = 1;
        let (object, _) = object_of(settings);
        assert_eq!(create(&object, expiry), 201);
        assert_eq!((append(&object), append(&object)), (204, 204));
        for live in [None, LONG_POLL] {
            let read =
                Read { from: ReadFrom::Start, if_none_match: None, live, cursor: None, from_now: false, is_kept: true };
            assert_eq!(ask(&object, Operation::Read(read), "").headers.get(header::TAILRACE_AHEAD), None);
        }
    }
}
