//! Readers of a text over a boundary of segments.

use tailrace_core::object::StreamObject;
use tailrace_core::protocol::message::{Append, Create, Live, Operation, Read};
use tailrace_core::protocol::{ContentType, Expiry, Offset, ReadFrom};
use tailrace_core::runtime::ActorState;

use crate::host::{Host, ask, object, wait};

fn text() -> Option<ContentType> {
    Some(ContentType::parse("text/plain").expect("a content type"))
}

/// A text whose first segment holds two rows, and its others too.
fn text_of(rows: &[&'static [u8]]) -> (StreamObject<Host>, Host) {
    let (object, host) = object();
    let location = "https://example.test/a".to_owned();
    let create = Create { location, content_type: text(), expiry: Expiry::Never, closed: false, public: false };
    assert_eq!(ask(&object, Operation::Create(create), "").status, 201);
    rows.iter().for_each(|row| append(&object, row));
    (object, host)
}

fn append(object: &StreamObject<Host>, row: &'static [u8]) {
    let append = Append { content_type: text(), producer: None, stream_seq: None, close: false };
    assert_eq!(ask(object, Operation::Append(append), row).status, 204);
}

/// The data of the event from an offset on, and the offset after it.
fn check(rows: &[&'static [u8]], from: Offset, data: &str, next: Offset) {
    let (object, _) = text_of(rows);
    let from = ReadFrom::At(from);
    let read = Read { from, live: Some(Live::Sse), cursor: None, if_none_match: None, from_now: false, is_kept: false };
    let answer = ask(&object, Operation::Read(read), "");
    let events = String::from_utf8_lossy(&answer.body).into_owned();
    let sent = events.lines().find_map(|line| line.strip_prefix("data:")).expect("a line of data");
    assert_eq!((sent.trim_start(), answer.headers.get("stream-next-offset")), (data, Some(next.to_string().as_str())));
}

#[test]
fn what_is_held_back_at_the_end_of_a_segment_is_sent_when_no_code_point_begins_there_after_all() {
    let at = |read_seq, position| Offset { read_seq, position };
    // The first page is all held back. What follows it completes it, ends it, or is held back itself.
    check(&[b"ab", b"\xe2", b"\x82\xacc", b"d"], at(0, 2), "\u{20ac}cd", at(1, 4));
    check(&[b"ab", b"\xe2", b"c", b"d"], at(0, 2), "\u{fffd}cd", at(1, 2));
    check(&[b"ab", b"\xe2", b"\xe2\x82", b"\xac"], at(0, 2), "\u{fffd}\u{20ac}", at(1, 3));
    check(&[b"ab", b"\xe2", b"\xe2\x82"], at(0, 2), "\u{fffd}", at(0, 3));
}

#[test]
fn an_append_to_a_text_with_readers_reads_no_more_than_one_without() {
    let statements = |readers| {
        let (object, host) = text_of(&[b"ab"]);
        let read = Read {
            from: ReadFrom::Now,
            live: Some(Live::Sse),
            cursor: None,
            if_none_match: None,
            from_now: true,
            is_kept: false,
        };
        wait(&object, &host, &read, readers);
        append(&object, b"\xe2");
        let before = host.sql().steps();
        append(&object, b"\x82");
        host.sql().steps() - before
    };
    assert_eq!(statements(3), statements(0));
}
