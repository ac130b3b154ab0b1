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

/// The same where a client has come too often. Our choice: once limits, which count for a minute at most, have forgotten it.
const RETRY_AFTER_TOO_OFTEN_MS: RangeInclusive<u64> = 60_000..=90_000;

/// The comment that shows whether a client is still there.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// About how many bytes of text one answer of an object to a read of events has at most, where its pages end after
/// `page_bytes`. Our choice: what base64 makes of a page fits, and so does nearly every text.
pub fn piece_bytes(page_bytes: usize) -> usize {
    page_bytes.saturating_add(page_bytes / 2)
}

/// After how many bytes a page ends whose text fits one answer, whatever is in it: a line feed becomes six bytes.
pub fn short_page_bytes(page_bytes: usize) -> usize {
    (page_bytes / b"\ndata:".len()).max(1)
}

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

/// All of a connection that is there because its client opens too many.
pub fn retry_after_too_often(random: u64) -> Vec<u8> {
    retry_within(RETRY_AFTER_TOO_OFTEN_MS, random)
}

fn retry_within(bounds_ms: RangeInclusive<u64>, random: u64) -> Vec<u8> {
    let (shortest_ms, longest_ms) = bounds_ms.into_inner();
    format!("retry:{}\n\n", shortest_ms + random % (longest_ms - shortest_ms + 1)).into_bytes()
}

/// Writes the data event of a payload, unless that is empty, and then the control event.
pub fn write_events(out: &mut Vec<u8>, encoding: Encoding, payload: &[u8], control: &Control) {
    write_piece(out, encoding, Piece { payload, at: 0, most_bytes: usize::MAX }, control);
}

/// A piece of a data event and its control event. The pieces of an event, one after another, are the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The whole payload of the event.
    pub payload: &'a [u8],
    /// Where in the payload the piece begins: 0, or where the one before has ended.
    pub at: usize,
    /// About how many bytes of text the piece may have: it exceeds them by a line's beginning or a code point.
    pub most_bytes: usize,
}

/// Writes a piece. Returns where in the payload the next one begins; `None` if this was the last one, which ends with
/// the control event.
pub fn write_piece(out: &mut Vec<u8>, encoding: Encoding, piece: Piece<'_>, control: &Control) -> Option<usize> {
    let Piece { payload, at, most_bytes } = piece;
    if !payload.is_empty() {
        let limit = out.len().saturating_add(most_bytes);
        if at == 0 {
            out.extend_from_slice(b"event: data\ndata:");
        }
        let end = match encoding {
            Encoding::Text => write_text(out, payload, at, limit),
            Encoding::Base64 => write_base64(out, payload, at, most_bytes),
        };
        if end < payload.len() {
            return Some(end);
        }
        out.push(b'\n');
        write_id(out, control.next);
    }
    write_control(out, control);
    match payload {
        [] => write_id(out, control.next),
        _ => out.push(b'\n'),
    }
    None
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

/// Writes the text of a payload from `at` on, until `out` has about `limit` bytes: something of it in any case. Returns
/// where it has ended.
fn write_text(out: &mut Vec<u8>, payload: &[u8], begin: usize, limit: usize) -> usize {
    let mut at = begin;
    for chunk in payload.get(begin..).unwrap_or_default().utf8_chunks() {
        let valid_end = at + chunk.valid().len();
        at = write_lines(out, payload, at, valid_end, limit);
        let is_full = out.len() >= limit && at > begin;
        if at < valid_end || (is_full && at < payload.len()) {
            return at;
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
            at += chunk.invalid().len();
        }
    }
    at
}

/// Writes the lines of `payload[at..end]`, which is valid UTF-8, until `out` has about `limit` bytes: something of it
/// in any case. Returns where it has ended: at a code point's end, and not between CR and LF.
fn write_lines(out: &mut Vec<u8>, payload: &[u8], mut at: usize, end: usize, limit: usize) -> usize {
    let began = at;
    while at < end && (out.len() < limit || at == began) {
        let rest = payload.get(at..end).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|index| payload.get(index));
        let begins_line = before.is_none_or(|byte| is_line_end(*byte));
        if begins_line && rest.first() == Some(&b' ') {
            out.push(b' ');
        }
        let line = rest.iter().position(|byte| is_line_end(*byte)).unwrap_or(rest.len());
        let room = limit.saturating_sub(out.len()).max(1);
        if line > room {
            let cut = (room..line).find(|index| rest.get(*index).is_none_or(|byte| is_code_point_start(*byte)));
            let taken = cut.unwrap_or(line);
            out.extend_from_slice(rest.get(..taken).unwrap_or_default());
            at += taken;
            continue;
        }
        out.extend_from_slice(rest.get(..line).unwrap_or_default());
        at += line;
        let line_end = match rest.get(line..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([_, ..]) => 1,
            _ => 0,
        };
        if line_end > 0 && (out.len() < limit || at == began) {
            out.extend_from_slice(b"\ndata:");
            at += line_end;
        }
    }
    at
}

/// Writes a payload from `at` on, a multiple of 3, as base64 of about `most_bytes`. Returns where it has ended.
fn write_base64(out: &mut Vec<u8>, payload: &[u8], at: usize, most_bytes: usize) -> usize {
    let end = at.saturating_add((most_bytes / 4).max(1).saturating_mul(3)).min(payload.len());
    let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
    // Writing to a Vec does not fail.
    let _ = encoder.write_all(payload.get(at..end).unwrap_or_default()).and_then(|()| encoder.finish().map(drop));
    drop(encoder);
    end
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_code_point_start(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
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
        fn the_pieces_of_an_event_are_the_event_and_no_piece_is_much_longer_than_it_may_be(
            payload in prop_oneof![payloads().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 1..60)],
            most_bytes in 0..40_usize,
            is_text: bool,
        ) {
            let encoding = if is_text { Encoding::Text } else { Encoding::Base64 };
            let (mut out, mut at, mut pieces) = (Vec::new(), 0, 0);
            loop {
                let before = out.len();
                let piece = Piece { payload: &payload, at, most_bytes };
                match write_piece(&mut out, encoding, piece, &control(false)) {
                    None => break,
                    Some(next) => {
                        prop_assert!(next > at && next < payload.len(), "{} after {}", next, at);
                        let begins = if at == 0 { "event: data\ndata:".len() } else { 0 };
                        let longest = begins + most_bytes + "\ndata: ".len() + 4;
                        prop_assert!(out.len() - before <= longest, "{} of {}", out.len() - before, longest);
                        at = next;
                        pieces += 1;
                    }
                }
                prop_assert!(pieces <= payload.len());
            }
            let mut whole = Vec::new();
            write_events(&mut whole, encoding, &payload, &control(false));
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole));
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
