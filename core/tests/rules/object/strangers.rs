//! What a client without a grant is told: what is public, and otherwise the same whether there is a stream or not.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use tailrace_core::object::StreamObject;
use tailrace_core::protocol::message::{Append, Create, EventRest, Fork, Live, Message, Operation, Read};
use tailrace_core::protocol::{Admission, ContentType, Expiry, Offset, ReadFrom, Response};
use tailrace_core::runtime::{Actor, ObjectAnswer, ObjectRequest};

use crate::host::{Bucket, Host, append, ask, call_as, object};

const AT: Offset = Offset { read_seq: 0, position: 1 };

fn creation(is_public: bool, expiry: Expiry) -> Operation {
    let location = "https://example.test/a".to_owned();
    Operation::Create(Create { location, content_type: None, expiry, closed: false, public: is_public })
}

fn read(from: ReadFrom, live: Option<Live>) -> Operation {
    let from_now = from == ReadFrom::Now;
    Operation::Read(Read { from, if_none_match: Some("*".to_owned()), live, cursor: None, from_now, is_kept: true })
}

/// What reads.
fn reads() -> Vec<Operation> {
    let mut reads = vec![Operation::Head];
    for live in [None, Some(Live::LongPoll), Some(Live::Sse)] {
        reads.extend([ReadFrom::Start, ReadFrom::Now, ReadFrom::At(AT)].map(|from| read(from, live)));
    }
    reads
}

/// What else an object is asked.
fn others() -> Vec<Operation> {
    let append = |close| {
        let content_type = Some(ContentType::default());
        Operation::Append(Append { content_type, producer: None, stream_seq: None, close })
    };
    let mut others = vec![append(false), append(true), Operation::Delete, Operation::RotateReaderKey];
    others.push(Operation::Fork(Fork { offset: None, content_type: None }));
    others.extend([true, false].map(|is_public| creation(is_public, Expiry::Never)));
    others
}

/// What a stranger is told.
fn told(object: &StreamObject<Host>, operation: &Operation) -> Response {
    match call_as(Admission::Stranger, object, operation.clone(), "x") {
        ObjectAnswer::Response(response) => response,
        other => panic!("{operation:?}: {other:?}"),
    }
}

/// What the database holds.
fn stored(host: &Host) -> Vec<String> {
    let mut rows = host.rows("SELECT quote(deadline_ms) || quote(incarnation) || quote(reader_key) FROM stream");
    rows.extend(host.rows("SELECT quote(key) || quote(body) FROM log"));
    rows
}

#[test]
fn a_private_stream_an_expired_one_and_none_are_the_same_to_a_stranger_and_nothing_changes() {
    let minute = Expiry::Ttl { seconds: 60 };
    let (nothing, _) = object();
    let (private, private_host) = object();
    assert_eq!(ask(&private, creation(false, minute.clone()), "").status, 201);
    assert_eq!(append(&private), 204);
    // So late that any read would start the TTL again.
    private_host.pass_ms(50_000);
    let before = stored(&private_host);
    let expired = [false, true].map(|is_public| {
        let (object, host) = object();
        assert_eq!(ask(&object, creation(is_public, minute.clone()), "").status, 201);
        host.pass_ms(600_000);
        object
    });
    for operation in reads().iter().chain(&others()) {
        let refused = told(&nothing, operation);
        assert_eq!(refused.status, 401, "{operation:?}");
        let is_head = *operation == Operation::Head;
        let code = r#""code":"token_missing""#;
        assert_eq!(String::from_utf8_lossy(&refused.body).contains(code), !is_head, "{operation:?}");
        assert!(refused.headers.get("www-authenticate").is_some());
        for other in [&private, &expired[0], &expired[1]] {
            assert_eq!(told(other, operation), refused, "{operation:?}");
        }
    }
    assert_eq!(stored(&private_host), before);
    assert!(private_host.sent().is_empty());
}

#[test]
fn a_public_stream_is_read_by_strangers_and_changed_by_none() {
    let (object, host) = object();
    assert_eq!(ask(&object, creation(true, Expiry::Never), "").status, 201);
    assert_eq!(append(&object), 204);
    let before = stored(&host);
    for operation in reads() {
        match call_as(Admission::Stranger, &object, operation.clone(), "") {
            ObjectAnswer::Response(response) => assert!([200, 304].contains(&response.status), "{operation:?}"),
            upgrade => assert!(matches!(upgrade, ObjectAnswer::Upgrade(_)), "{operation:?}"),
        }
    }
    for operation in others() {
        assert_eq!(told(&object, &operation).status, 401, "{operation:?}");
    }
    assert_eq!(stored(&host), before);
}

/// A piece of an event that is asked for by an edge, for a client that has a part of it.
#[test]
fn the_rest_of_an_event_is_for_whom_its_beginning_was() {
    for (is_public, status) in [(true, 200), (false, 401)] {
        let (object, _) = object();
        let json = ContentType::parse("application/json").ok();
        let (location, expiry) = ("https://example.test/a".to_owned(), Expiry::Never);
        let create = Create { location, content_type: json, expiry, closed: false, public: is_public };
        let body: Bytes = Bytes::from_static(b"[\"abcdefgh\"]");
        assert_eq!(ask(&object, Operation::Create(create), body).status, 201);
        let rest = Operation::EventRest(EventRest { next: AT, at: 3, cursor: None });
        assert_eq!(told(&object, &rest).status, status);
    }
}

#[test]
fn a_url_that_is_public_no_more_is_closed_to_strangers_at_once_and_one_that_becomes_public_open() {
    let (object, _) = object();
    for is_public in [true, false, true] {
        assert_eq!(ask(&object, creation(is_public, Expiry::Never), "").status, 201);
        assert_eq!(told(&object, &read(ReadFrom::Start, None)).status, if is_public { 304 } else { 401 });
        assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    }
}

#[test]
fn who_waits_for_r2_while_a_private_stream_comes_into_the_place_of_a_public_one_is_refused() {
    let cases = [(true, true, 200), (true, false, 401), (false, false, 401)];
    for live in [None, Some(Live::LongPoll), Some(Live::Sse)] {
        for (replaces, is_public, status) in cases {
            let (object, host) = object();
            assert_eq!(ask(&object, creation(true, Expiry::Never), "").status, 201);
            (0..4).for_each(|_| assert_eq!(append(&object), 204));
            host.store().does.set(Bucket::Works);
            assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
            host.store().does.set(Bucket::Silent);
            let operation = match read(ReadFrom::Start, live) {
                Operation::Read(read) => Operation::Read(Read { if_none_match: None, ..read }),
                other => other,
            };
            let admission = Admission::Stranger;
            let message = Message { admission, debug: false, body_too_large: false, body_encoded: false, operation };
            let mut reading = Box::pin(object.call(ObjectRequest { message: message.encode(), body: Bytes::new() }));
            let mut context = Context::from_waker(Waker::noop());
            assert!(reading.as_mut().poll(&mut context).is_pending(), "the page is in R2");
            assert_eq!(ask(&object, Operation::Delete, "").status, 204);
            if replaces {
                assert_eq!(ask(&object, creation(is_public, Expiry::Never), "").status, 201);
                assert_eq!(append(&object), 204);
            }
            host.store().does.set(Bucket::Works);
            let answered = reading.as_mut().poll(&mut context);
            let Poll::Ready(ObjectAnswer::Response(answer)) = answered else { panic!("{answered:?}") };
            assert_eq!(answer.status, status, "{live:?} {replaces} {is_public}");
        }
    }
}
