//! What debug headers tell of a request.

use tailrace_core::object::StreamObject;
use tailrace_core::protocol::message::{Create, Operation, Read};
use tailrace_core::protocol::{Expiry, ReadFrom, Response};

use crate::host::{Host, ask, ask_debugged, create, object};

fn check(object: &StreamObject<Host>, operation: Operation, status: u16, rows: &str) {
    let told = format!("{operation:?}");
    let answer = ask_debugged(object, operation);
    assert_eq!((answer.status, answer.headers.get("tailrace-rows-written")), (status, Some(rows)), "{told}");
}

#[test]
fn what_is_told_about_an_instance_is_kept_by_no_cache() {
    let (object, _) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    let read = || {
        let (from, if_none_match, live, cursor) = (ReadFrom::Start, None, None, None);
        Operation::Read(Read { from, if_none_match, live, cursor, from_now: false, is_kept: false })
    };
    let told = |answer: Response| {
        let field = |name| answer.headers.get(name).map(str::to_owned);
        (field("cache-control"), field("tailrace-instance").is_some())
    };
    assert_eq!(told(ask_debugged(&object, read())), (Some("no-store".to_owned()), true));
    assert_eq!(told(ask(&object, read(), "")), (Some("no-cache".to_owned()), false));
}

#[test]
fn the_rows_that_a_request_has_written_are_its_own() {
    let (object, _) = object();
    let create = |location: &str| {
        let (location, expiry) = (location.to_owned(), Expiry::Ttl { seconds: 60 });
        Operation::Create(Create { location, content_type: None, expiry, closed: false, public: false })
    };
    // The host of these tests counts alarms alone.
    check(&object, create("https://example.test/a"), 201, "1");
    check(&object, create("https://example.test/a"), 200, "0");
    check(&object, Operation::Head, 200, "0");
    check(&object, Operation::Delete, 204, "0");
}
