//! Of several reasons to refuse an append, its object tells the first: what is wrong with the request itself, then that
//! there is no stream, then the rest.

use bytes::Bytes;
use futures_util::FutureExt;
use tailrace_core::protocol::message::{Append, Message, Operation};
use tailrace_core::protocol::{Admission, ContentType, Expiry};
use tailrace_core::runtime::{Actor, ObjectAnswer, ObjectRequest};

use crate::host::{create, object};

/// What is wrong with an append besides.
#[derive(Clone, Copy)]
enum Wrong {
    Nothing,
    TooLarge,
    Encoded,
}

fn check(wrong: Wrong, is_typed: bool, body: &'static str, expected: [&str; 2]) {
    for (has_stream, expected) in [(true, expected[0]), (false, expected[1])] {
        let (object, _host) = object();
        assert!(!has_stream || create(&object, Expiry::Never) == 201);
        let content_type = is_typed.then(ContentType::default);
        let message = Message {
            admission: Admission::Open,
            debug: false,
            body_too_large: matches!(wrong, Wrong::TooLarge),
            body_encoded: matches!(wrong, Wrong::Encoded),
            operation: Operation::Append(Append { content_type, producer: None, stream_seq: None, close: false }),
        };
        let request = ObjectRequest { message: message.encode(), body: Bytes::from_static(body.as_bytes()) };
        let Some(ObjectAnswer::Response(response)) = object.call(request).now_or_never() else { panic!("no answer") };
        let told = String::from_utf8_lossy(&response.body);
        let code = told.split_once(r#""code":""#).and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
        assert_eq!(format!("{} {code}", response.status), expected, "{told}");
    }
}

#[test]
fn a_request_that_is_wrong_in_itself_is_told_so_wherever_it_goes() {
    check(Wrong::Nothing, true, "", ["400 empty_body", "400 empty_body"]);
    for wrong in [Wrong::Nothing, Wrong::TooLarge, Wrong::Encoded] {
        check(wrong, false, "x", ["400 invalid_content_type", "400 invalid_content_type"]);
    }
}

#[test]
fn that_there_is_no_stream_is_told_before_what_is_wrong_with_the_body() {
    check(Wrong::Nothing, true, "x", ["204 ", "404 stream_not_found"]);
    check(Wrong::TooLarge, true, "x", ["413 body_too_large", "404 stream_not_found"]);
    check(Wrong::Encoded, true, "x", ["415 unsupported_content_encoding", "404 stream_not_found"]);
}
