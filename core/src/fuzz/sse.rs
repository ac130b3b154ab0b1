//! Server-Sent Events: whatever is written, a reader that follows the HTML standard gets the payloads and the control
//! events, and nothing else.

use arbitrary::{Arbitrary, Unstructured};

use crate::protocol::Offset;
use crate::protocol::sse::{Control, Encoding, KEEP_ALIVE, write_events};
use crate::protocol::text_end::open_bytes;

/// How many numbers one half of an offset's text can hold: it has sixteen digits.
const HALVES: u64 = 10_000_000_000_000_000;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    base64: bool,
    up_to_date: bool,
    closed: bool,
    cursor: Option<u64>,
    next: (u64, u64),
    /// Where the payload of the first event ends and that of the second begins.
    cut: u16,
    payloads: &'a [u8],
}

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let next = Offset { read_seq: input.next.0 % HALVES, position: input.next.1 % HALVES };
    let control = Control { next, cursor: input.cursor, up_to_date: input.up_to_date, closed: input.closed };
    let encoding = if input.base64 { Encoding::Base64 } else { Encoding::Text };
    let (first, second) = input.payloads.split_at(usize::from(input.cut).min(input.payloads.len()));
    let mut out = Vec::new();
    write_events(&mut out, encoding, first, &control);
    out.extend_from_slice(KEEP_ALIVE);
    write_events(&mut out, encoding, second, &control);

    let text = std::str::from_utf8(&out);
    assert!(text.is_ok(), "events that are not UTF-8: {out:?}");
    let mut events = parse(text.unwrap_or_default()).into_iter();
    for payload in [first, second] {
        if !payload.is_empty() {
            let (kind, data, id) = events.next().unwrap_or_default();
            assert_eq!((kind.as_str(), Offset::parse(&id)), ("data", Some(next)));
            match encoding {
                Encoding::Text => assert_eq!(data, arriving(payload)),
                Encoding::Base64 => assert_eq!(decode(&data).as_deref(), Some(payload)),
            }
        }
        let (kind, data, id) = events.next().unwrap_or_default();
        assert_eq!((kind.as_str(), Offset::parse(&id)), ("control", Some(next)));
        check_control(&data, &control);
    }
    assert_eq!(events.next(), None);
    cut(input.payloads, first.len());
}

/// The events of a stream, each its type, its data, and the id that a reader has by then (HTML standard, 9.2.6).
fn parse(stream: &str) -> Vec<(String, String, String)> {
    let mut events = Vec::new();
    let (mut kind, mut data, mut id) = (String::new(), String::new(), String::new());
    for line in stream.replace("\r\n", "\n").replace('\r', "\n").split_terminator('\n') {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                events.push((kind.clone(), data.to_owned(), id.clone()));
            }
            kind.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => {}
            "event" => value.clone_into(&mut kind),
            "id" => value.clone_into(&mut id),
            "data" => data.extend([value, "\n"]),
            other => assert_eq!(other, "data", "a field that clients do not expect"),
        }
    }
    assert_eq!(data, "", "an event that does not end");
    events
}

/// A payload as text, as it arrives: line ends become LF, and bytes that are not UTF-8 become U+FFFD.
fn arriving(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).replace("\r\n", "\n").replace('\r', "\n")
}

/// The bytes of padded base64 (RFC 4648, section 4).
fn decode(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    (text.len().is_multiple_of(4) && padding < 3).then_some(())?;
    let (mut bytes, mut value, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits.bytes() {
        value = value << 6 | ALPHABET.iter().position(|letter| *letter == digit)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits) as u8);
            value &= (1 << bits) - 1;
        }
    }
    // The bits that are left over must be zero, and as many as the padding leaves.
    (value == 0 && bits as usize == 2 * padding).then_some(bytes)
}

fn check_control(data: &str, control: &Control) {
    let Control { next, cursor, up_to_date, closed } = control;
    let mut expected = serde_json::Map::new();
    expected.insert("streamNextOffset".to_owned(), next.to_string().into());
    if let Some(cursor) = cursor {
        expected.insert("streamCursor".to_owned(), cursor.to_string().into());
    }
    for (name, holds) in [("upToDate", *up_to_date), ("streamClosed", *closed)] {
        if holds {
            expected.insert(name.to_owned(), true.into());
        }
    }
    let json = serde_json::from_str::<serde_json::Value>(data).ok();
    assert_eq!(json, Some(expected.into()));
}

/// Checks the two halves of a text that is cut anywhere: cut again before the code point that is then incomplete, both
/// halves together decode to what the whole does.
fn cut(text: &[u8], at: usize) {
    let (before, _) = text.split_at(at);
    let open = open_bytes(before);
    assert!(open <= 3);
    let (before, after) = text.split_at(at - open);
    let halves = String::from_utf8_lossy(before).into_owned() + &String::from_utf8_lossy(after);
    assert_eq!(halves, String::from_utf8_lossy(text), "{after:?} follows {before:?}");
}
