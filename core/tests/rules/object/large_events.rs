//! Events whose text is longer than one answer may be: shorter pages are read, and a large message leaves in pieces.

use futures_util::FutureExt;
use tailrace_core::object::{Settings, StreamObject};
use tailrace_core::protocol::message::{Append, Create, EventRest, Live, Operation, Read};
use tailrace_core::protocol::sse::{self, Control, Encoding, Piece};
use tailrace_core::protocol::{ContentType, Expiry, Offset, ReadFrom, Response, header};

use tailrace_core::runtime::{Actor, ActorState};

use crate::host::{Bucket, Host, ask, object_of};

/// Bytes after which a page ends in these tests.
const PAGE_BYTES: usize = 60;

/// How much longer than it may be the text of an answer is at most: its control event, the id, and one line's beginning.
const BESIDE_BYTES: usize = 250;

/// A stream of that type that holds these bodies.
fn stream_of(content_type: &str, bodies: &[&str]) -> StreamObject<Host> {
    hosted_stream_of(content_type, bodies).0
}

/// The same, and its host.
fn hosted_stream_of(content_type: &str, bodies: &[&str]) -> (StreamObject<Host>, Host) {
    let mut settings = Settings::default();
    settings.limits.page_bytes = PAGE_BYTES;
    let (object, host) = object_of(settings);
    let content_type = Some(ContentType::parse(content_type).expect("a content type"));
    let location = "https://example.test/a".to_owned();
    let create =
        Create { location, content_type: content_type.clone(), expiry: Expiry::Never, closed: false, public: false };
    assert_eq!(ask(&object, Operation::Create(create), "").status, 201);
    for body in bodies {
        append(&object, content_type.clone(), body);
    }
    (object, host)
}

fn append(object: &StreamObject<Host>, content_type: Option<ContentType>, body: &str) {
    let append = Append { content_type, producer: None, stream_seq: None, close: false };
    assert_eq!(ask(object, Operation::Append(append), body.to_owned()).status, 204);
}

fn read(object: &StreamObject<Host>, from: Offset) -> Response {
    let read = Read {
        from: ReadFrom::At(from),
        if_none_match: None,
        live: Some(Live::Sse),
        cursor: Some(5),
        from_now: false,
        is_kept: false,
    };
    ask(object, Operation::Read(read), "")
}

fn rest_of(object: &StreamObject<Host>, next: Offset, at: usize) -> Response {
    ask(object, Operation::EventRest(EventRest { next, at, cursor: Some(5) }), "")
}

fn next(response: &Response) -> Offset {
    response.headers.get(header::STREAM_NEXT_OFFSET).and_then(Offset::parse).expect("an offset")
}

/// Where in the payload the next piece begins.
fn rest(response: &Response) -> Option<usize> {
    response.headers.get(header::TAILRACE_EVENT_REST).map(|at| at.parse().expect("a number"))
}

fn text(response: &Response) -> String {
    assert_eq!(response.status, 200);
    let longest = sse::piece_bytes(PAGE_BYTES) + BESIDE_BYTES;
    assert!(response.body.len() <= longest, "{} bytes of text, at most {longest}", response.body.len());
    String::from_utf8(response.body.to_vec()).expect("text")
}

/// The lines of data of events, without their fields.
fn data(events: &str) -> Vec<&str> {
    events.lines().filter_map(|line| line.strip_prefix("data:")).filter(|line| !line.starts_with("{\"stream")).collect()
}

/// Reads all events, each of which fits one answer. Returns their data, and how many there were.
fn read_all(object: &StreamObject<Host>, end: Offset) -> (String, usize) {
    let (mut at, mut all, mut answers) = (Offset { read_seq: 0, position: 0 }, Vec::new(), 0);
    while at < end {
        let response = read(object, at);
        assert_eq!(rest(&response), None);
        all.push(data(&text(&response)).join("\n"));
        (at, answers) = (next(&response), answers + 1);
    }
    (all.concat(), answers)
}

#[test]
fn a_page_ends_where_its_text_would_be_too_long() {
    let feeds = "\n".repeat(4 * PAGE_BYTES);
    for (content_type, body) in
        [("text/plain", feeds.as_str()), ("text/plain", &"a\r\n".repeat(70)), ("text/plain", &"x".repeat(300))]
    {
        let object = stream_of(content_type, &[body]);
        let (all, answers) = read_all(&object, Offset { read_seq: 0, position: body.len() as u64 });
        assert_eq!(all, body.replace("\r\n", "\n"), "{content_type}");
        let is_long = body.contains('\n');
        assert_eq!(answers > body.len().div_ceil(PAGE_BYTES), is_long, "{answers} answers for {} bytes", body.len());
    }
}

#[test]
fn a_page_in_r2_whose_text_is_too_long_is_fetched_once() {
    let (object, host) = hosted_stream_of("text/plain", &[&"\n".repeat(4 * PAGE_BYTES)]);
    let close = Append { content_type: None, producer: None, stream_seq: None, close: true };
    assert_eq!(ask(&object, Operation::Append(close), "").status, 204);
    host.bucket().does.set(Bucket::Works);
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
    let gets = || host.bucket().calls.borrow().iter().filter(|(name, _)| *name == "get").count();
    assert_eq!(gets(), 0);
    let first = read(&object, Offset { read_seq: 0, position: 0 });
    let short = sse::short_page_bytes(PAGE_BYTES) as u64;
    assert_eq!((next(&first).position, gets()), (short, 2), "its index, and the frames of the whole page");
    // The next one begins with a line feed: whether the byte before it is a CR is another fetch.
    assert_eq!((next(&read(&object, next(&first))).position, gets()), (2 * short, 4));
}

#[test]
fn a_page_of_many_messages_ends_where_its_text_would_be_too_long() {
    let message = "1,\n\n\n\n";
    let body = format!("[{}\n2]", message.repeat(40));
    let object = stream_of("application/json", &[&body]);
    let (all, answers) = read_all(&object, Offset { read_seq: 0, position: 41 });
    let messages: Vec<u8> = all.replace("][", ",").bytes().filter(|byte| byte.is_ascii_digit()).collect();
    assert_eq!((messages.len(), answers > 1), (41, true));
}

#[test]
fn a_large_message_is_one_event_that_leaves_in_pieces_of_bounded_text() {
    for filling in ["\n".repeat(1_000), " \r\n\t".repeat(300), format!("\"{}\",\n", "é".repeat(700)), " ".repeat(999)]
    {
        let message = format!("[1,{filling}2]");
        let object = stream_of("application/json", &[&format!("[{message}]"), "[3]"]);
        let start = Offset { read_seq: 0, position: 0 };
        let first = read(&object, start);
        let end = next(&first);
        assert_eq!(end.position, 1, "one message alone");
        let (mut events, mut at, mut pieces) = (text(&first), rest(&first), 1);
        while let Some(from) = at {
            // Whatever is appended meanwhile: the pieces are those of one event.
            append(&object, Some(ContentType::parse("application/json").expect("JSON")), "[4]");
            let piece = rest_of(&object, end, from);
            assert_eq!(next(&piece), end);
            assert_eq!(text(&piece), text(&rest_of(&object, end, from)), "it may be asked for again");
            events.push_str(&text(&piece));
            (at, pieces) = (rest(&piece), pieces + 1);
        }
        assert!(pieces > 7, "{pieces} pieces");
        let mut expected = Vec::new();
        let control = Control { next: end, cursor: None, up_to_date: false, closed: false };
        let payload = format!("[{message}]");
        sse::write_piece(
            &mut expected,
            Encoding::Text,
            Piece { payload: payload.as_bytes(), at: 0, most_bytes: usize::MAX },
            &control,
        );
        let expected = String::from_utf8(expected).expect("text");
        let (event, control) = events.split_once("event: control\n").expect("a control event");
        assert_eq!(Some(event), expected.split_once("event: control\n").map(|(event, _)| event));
        assert!(control.contains("streamNextOffset"), "{control}");
    }
}

#[test]
fn no_piece_is_answered_of_what_is_no_large_event() {
    let object = stream_of("application/json", &[&format!("[\"{}\"]", "x".repeat(300))]);
    let offset = |read_seq, position| Offset { read_seq, position };
    assert_eq!(rest_of(&object, offset(0, 1), 100).status, 200);
    for (next, at) in
        [(offset(0, 1), 304), (offset(0, 1), usize::MAX), (offset(0, 0), 1), (offset(0, 2), 1), (offset(9, 1), 1)]
    {
        assert_eq!(rest_of(&object, next, at).status, 400, "{next} {at}");
    }
    let object = stream_of("text/plain", &["abc"]);
    assert_eq!(rest_of(&object, offset(0, 1), 0).status, 400);
}
