//! Server-Sent Events: the text in which a live reader gets data and control events.
//!
//! A line of data has no space after its colon, unless the line itself begins with one: parsers remove the first space.
//! CR and CRLF end a line like LF, so that no payload can forge an event, and arrive as LF. Bytes that are not UTF-8
//! become U+FFFD. Content types that are not text are sent as base64.
//!
//! A browser's `EventSource` comes back by itself after a cut and says which `id` it has seen last: the offset after
//! the last event that arrived whole. A data event has one after its data, so that a cut before its control event
//! loses nothing. A control event has one where no data event is before it.

use std::io::Write;
use std::ops::RangeInclusive;

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;

use super::Offset;

/// The shortest and the longest time after which a browser comes back once its connection has ended, in ms. Our choice:
/// soon enough that nobody waits, and spread, so that readers which were cut off together do not come back together.
const RETRY_MS: RangeInclusive<u64> = 200..=1_000;

/// The same where something has failed. Our choice: late enough that a service which fails is not asked often.
const RETRY_AFTER_FAILURE_MS: RangeInclusive<u64> = 600..=1_000;

/// The comment that shows whether a client is still there.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// How payloads are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are: `text/*` and JSON.
    Text,
    /// As base64: everything else (protocol, section 5.8).
    Base64,
}

/// A control event: it follows the data, or comes without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The offset at which to go on.
    pub next: Offset,
    /// The cursor for the client to echo; `None` if the stream is closed.
    pub cursor: Option<u64>,
    /// Whether that offset is the tail.
    pub up_to_date: bool,
    /// Whether the stream is closed, so that nothing follows.
    pub closed: bool,
}

/// How a connection begins: with the time after which a browser comes back once it has ended.
pub fn retry(random: u64) -> Vec<u8> {
    retry_within(RETRY_MS, random)
}

/// All of a connection that is there because something has failed.
pub fn retry_after_failure(random: u64) -> Vec<u8> {
    retry_within(RETRY_AFTER_FAILURE_MS, random)
}

fn retry_within(bounds_ms: RangeInclusive<u64>, random: u64) -> Vec<u8> {
    let (shortest_ms, longest_ms) = bounds_ms.into_inner();
    format!("retry:{}\n\n", shortest_ms + random % (longest_ms - shortest_ms + 1)).into_bytes()
}

/// Writes the data event of a payload, unless that is empty, and then the control event.
pub fn write_events(out: &mut Vec<u8>, encoding: Encoding, payload: &[u8], control: &Control) {
    if !payload.is_empty() {
        out.extend_from_slice(b"event: data\n");
        match encoding {
            Encoding::Text => write_lines(out, &String::from_utf8_lossy(payload)),
            Encoding::Base64 => {
                out.extend_from_slice(b"data:");
                let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
                // Writing to a Vec does not fail.
                let _ = encoder.write_all(payload).and_then(|()| encoder.finish().map(drop));
                drop(encoder);
                out.push(b'\n');
            }
        }
        write_id(out, control.next);
    }
    write_control(out, control);
    match payload {
        [] => write_id(out, control.next),
        _ => out.push(b'\n'),
    }
}

/// Ends an event with its id.
fn write_id(out: &mut Vec<u8>, next: Offset) {
    out.extend_from_slice(b"id:");
    out.extend_from_slice(next.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

fn write_control(out: &mut Vec<u8>, control: &Control) {
    let Control { next, cursor, up_to_date, closed } = control;
    out.extend_from_slice(b"event: control\ndata:{\"streamNextOffset\":\"");
    out.extend_from_slice(next.to_string().as_bytes());
    out.push(b'"');
    if let Some(cursor) = cursor {
        out.extend_from_slice(format!(",\"streamCursor\":\"{cursor}\"").as_bytes());
    }
    if *up_to_date {
        out.extend_from_slice(b",\"upToDate\":true");
    }
    if *closed {
        out.extend_from_slice(b",\"streamClosed\":true");
    }
    out.extend_from_slice(b"}\n");
}

fn write_lines(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let end = rest.find(['\r', '\n']);
        let (line, after) = end.map_or((rest, None), |index| {
            let (line, after) = rest.split_at(index);
            (line, after.strip_prefix("\r\n").or_else(|| after.get(1..)))
        });
        out.extend_from_slice(if line.starts_with(' ') { b"data: " } else { b"data:" });
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        match after {
            Some(after) => rest = after,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;

    /// The events of a text as the HTML standard parses it, each a type and its data, and the id that a reader has once
    /// it is there.
    fn parsed_with_ids(text: &str) -> Vec<(String, String, String)> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut events = Vec::new();
        let (mut kind, mut data, mut id) = (String::new(), None::<String>, String::new());
        for line in text.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                _ if line.is_empty() => {
                    if let Some(data) = data.take() {
                        events.push((std::mem::take(&mut kind), data, id.clone()));
                    }
                }
                "event" => kind = value.to_owned(),
                "id" => id = value.to_owned(),
                "data" => {
                    data = Some(data.map_or_else(|| value.to_owned(), |data| format!("{data}\n{value}")));
                }
                _ => assert!(["", "retry"].contains(&field), "no other field is written"),
            }
        }
        events
    }

    fn parsed(text: &str) -> Vec<(String, String)> {
        parsed_with_ids(text).into_iter().map(|(kind, data, _)| (kind, data)).collect()
    }

    fn control(closed: bool) -> Control {
        let next = Offset { read_seq: 1, position: 2 };
        Control { next, cursor: (!closed).then_some(7), up_to_date: true, closed }
    }

    fn written(encoding: Encoding, payload: &[u8]) -> String {
        let mut out = Vec::new();
        write_events(&mut out, encoding, payload, &control(false));
        String::from_utf8(out).expect("events are text")
    }

    #[test]
    fn events_are_written_as_clients_expect_them() {
        const ID: &str = "id:0000000000000001_0000000000000002\n";
        const CONTROL: &str = "event: control\ndata:{\"streamNextOffset\":\"0000000000000001_0000000000000002\",\
                               \"streamCursor\":\"7\",\"upToDate\":true}\n";
        for (encoding, payload, data) in [
            (Encoding::Text, "", ""),
            (Encoding::Text, "a", "event: data\ndata:a\n"),
            (Encoding::Text, " a\n  b\n", "event: data\ndata:  a\ndata:   b\ndata:\n"),
            (Encoding::Text, "a\r\nb\rc\n\rd", "event: data\ndata:a\ndata:b\ndata:c\ndata:\ndata:d\n"),
            (Encoding::Base64, "", ""),
            (Encoding::Base64, "f", "event: data\ndata:Zg==\n"),
            (Encoding::Base64, "fo", "event: data\ndata:Zm8=\n"),
            (Encoding::Base64, "foobar", "event: data\ndata:Zm9vYmFy\n"),
        ] {
            let expected = match data {
                "" => format!("{CONTROL}{ID}\n"),
                data => format!("{data}{ID}\n{CONTROL}\n"),
            };
            assert_eq!(written(encoding, payload.as_bytes()), expected, "{payload:?}");
        }
        let mut out = Vec::new();
        write_events(&mut out, Encoding::Text, b"", &control(true));
        let expected = "event: control\ndata:{\"streamNextOffset\":\"0000000000000001_0000000000000002\",\
                        \"upToDate\":true,\"streamClosed\":true}\nid:0000000000000001_0000000000000002\n\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert_eq!(parsed(&String::from_utf8_lossy(KEEP_ALIVE)), []);
    }

    #[test]
    fn a_browser_comes_back_within_a_second_and_not_all_at_once() {
        for (random, expected) in [(0, "retry:200\n\n"), (800, "retry:1000\n\n"), (801, "retry:200\n\n")] {
            assert_eq!(retry(random), expected.as_bytes());
        }
        for (random, expected) in [(0, "retry:600\n\n"), (400, "retry:1000\n\n"), (401, "retry:600\n\n")] {
            assert_eq!(retry_after_failure(random), expected.as_bytes());
        }
        assert_eq!(parsed("retry:200\n\n"), []);
    }

    /// Payloads with lines that look like fields of an event.
    fn payloads() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "\r",
            "\n",
            "\r\n",
            " ",
            ":",
            "data:",
            "data: ",
            "event: control",
            "id:7",
            "\u{feff}",
            "é",
            "😀",
            "x",
            "\0",
        ]);
        prop::collection::vec(parts, 1..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_payload_arrives_as_one_event_with_its_line_ends_as_lf(text in payloads()) {
            let events = parsed(&written(Encoding::Text, text.as_bytes()));
            prop_assert_eq!(events.len(), 2);
            let expected = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(&events[0], &("data".to_owned(), expected));
            prop_assert_eq!(&events[1].0, "control");
        }

        #[test]
        fn each_event_that_arrives_leaves_the_reader_with_the_offset_after_it(text in payloads(), is_empty: bool) {
            let payload = if is_empty { "" } else { text.as_str() };
            let events = parsed_with_ids(&written(Encoding::Text, payload.as_bytes()));
            prop_assert_eq!(events.len(), if is_empty { 1 } else { 2 });
            for (_, _, id) in events {
                prop_assert_eq!(Offset::parse(&id), Some(Offset { read_seq: 1, position: 2 }));
            }
        }

        #[test]
        fn invalid_bytes_arrive_as_replacement_characters(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
            let events = parsed(&written(Encoding::Text, &bytes));
            let expected = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(&events[0].1, &expected);
        }

        #[test]
        fn binary_payloads_arrive_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
            let events = parsed(&written(Encoding::Base64, &bytes));
            prop_assert_eq!(STANDARD.decode(&events[0].1), Ok(bytes));
        }

        #[test]
        fn a_control_event_is_json(cursor: Option<u64>, up_to_date: bool, closed: bool) {
            let next = Offset { read_seq: 3, position: 4 };
            let mut out = Vec::new();
            write_events(&mut out, Encoding::Text, b"", &Control { next, cursor, up_to_date, closed });
            let events = parsed(&String::from_utf8_lossy(&out));
            let json: serde_json::Value = serde_json::from_str(&events[0].1).expect("JSON");
            let mut expected = serde_json::json!({ "streamNextOffset": next.to_string() });
            if let Some(cursor) = cursor {
                expected["streamCursor"] = cursor.to_string().into();
            }
            for (name, holds) in [("upToDate", up_to_date), ("streamClosed", closed)] {
                if holds {
                    expected[name] = true.into();
                }
            }
            prop_assert_eq!(json, expected);
        }
    }
}
