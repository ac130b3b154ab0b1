//! What debug headers tell of a request.

use tailrace_core::object::StreamObject;
use tailrace_core::protocol::Expiry;
use tailrace_core::protocol::message::{Create, Operation};

use crate::host::{Host, ask_debugged, object};

fn check(object: &StreamObject<Host>, operation: Operation, status: u16, rows: &str) {
    let told = format!("{operation:?}");
    let answer = ask_debugged(object, operation);
    assert_eq!((answer.status, answer.headers.get("tailrace-rows-written")), (status, Some(rows)), "{told}");
}

#[test]
fn the_rows_that_a_request_has_written_are_its_own() {
    let (object, _) = object();
    let create = |location: &str| {
        let (location, expiry) = (location.to_owned(), Expiry::Ttl { seconds: 60 });
        Operation::Create(Create { location, content_type: None, expiry, closed: false })
    };
    // The host of these tests counts alarms alone.
    check(&object, create("https://example.test/a"), 201, "1");
    check(&object, create("https://example.test/a"), 200, "0");
    check(&object, Operation::Head, 200, "0");
    check(&object, Operation::Delete, 204, "0");
}
