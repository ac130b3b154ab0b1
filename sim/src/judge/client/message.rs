//! Payloads that say what they are: every byte that is read can be traced to the append that wrote it.

use bytes::Bytes;

use crate::judge::history::{Content, Stamp};

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MessageId {
    /// The stream, an index of the history's streams.
    pub(crate) stream: usize,
    /// The batch, an index of the history's batches.
    pub(crate) batch: usize,
    /// The place in the batch.
    pub(crate) index: usize,
}

/// The messages of one batch: `count` of them, each padded with `pad_bytes` bytes.
pub(crate) fn messages(
    content: Content,
    stream: usize,
    batch: usize,
    stamp: Option<&Stamp>,
    count: usize,
    pad_bytes: usize,
) -> Vec<Bytes> {
    let pad: Vec<u8> = (b'a'..=b'z').cycle().take(pad_bytes).collect();
    let by = stamp.map_or_else(String::new, |stamp| format!("{}/{}/{}", stamp.producer, stamp.epoch, stamp.seq));
    let space = SPACES[batch % SPACES.len()];
    let frame = |index: usize, pad: &[u8]| {
        let length = by.len() + 1 + pad.len();
        [format!("<{stream}.{batch}.{index}:{length}>{by}|").as_bytes(), pad].concat()
    };
    let message = |index: usize| match content {
        // The spaces are there to be kept: nothing may be re-serialised.
        Content::Json => {
            let (space, pad) = json_padding(batch, space, &String::from_utf8_lossy(&pad));
            format!(r#"{{"id": "{stream}.{batch}.{index}", "by":"{by}"{space}, "pad":"{pad}"}}"#).into_bytes()
        }
        Content::Bytes => frame(index, &pad),
        Content::Text => {
            // The last half counts as padding, and stands where there is room for it.
            let (begin, end) = (half_before(batch, index), half_after(batch, index, count));
            let end = if pad_bytes >= end.len() { end } else { &[] };
            let room = pad_bytes - end.len();
            let text = match batch % KINDS {
                LINE_FEEDS => vec![b'\n'; room],
                CONTROLS => (0..b' ').cycle().take(room).collect(),
                INVALID => vec![0xff; room],
                _ => nasty(batch * 7 + index * 3, room),
            };
            let text = [text.as_slice(), end].concat();
            [begin, frame(index, &text).as_slice()].concat()
        }
    };
    (0..count).map(message).map(Bytes::from).collect()
}

/// What two neighbours may have between them, in two halves: a line end, or a code point. Each append of a text ends
/// with a first half, and begins with the second half for the batch before it. Whether that one stands before it in the
/// log is up to chance: where another does, the bytes are invalid.
const HALVES: [(&[u8], &[u8]); 7] = [
    (b"", b""),
    (b"\xf0\x9f", b"\x98\x80"),
    (b"\r", b"\n"),
    (b"\xe2\x82", b"\xac"),
    (b"\xf0", b"\x9f\x98\x80"),
    (b"\xc3", b"\xa9"),
    (b"\xf0\x9f\x98", b"\x80"),
];

/// The half with which a message begins: in the first one of a batch, the rest of what the batch before ends with.
fn half_before(batch: usize, index: usize) -> &'static [u8] {
    match (batch.checked_sub(1), index.checked_sub(1)) {
        (_, Some(before)) => HALVES[(batch + before + 1) % HALVES.len()].1,
        (Some(before), None) => HALVES[before % HALVES.len()].1,
        (None, None) => &[],
    }
}

/// The half with which a message ends.
fn half_after(batch: usize, index: usize, count: usize) -> &'static [u8] {
    let kind = if index + 1 == count { batch } else { batch + index + 1 };
    HALVES[kind % HALVES.len()].0
}

/// Every so many batches one is padded with line feeds alone, one with control characters, and one with what is no
/// UTF-8: their texts as events are much longer than they are.
const KINDS: usize = 7;
const LINE_FEEDS: usize = 3;
const CONTROLS: usize = 5;
const INVALID: usize = 6;

/// The padding of a JSON message: what is white space, and what is in a string. As many bytes as `pad` in all.
fn json_padding(batch: usize, space: &str, pad: &str) -> (String, String) {
    const ESCAPED: &str = "\\u0007";
    match batch % KINDS {
        LINE_FEEDS => (format!("{space}{}", "\n".repeat(pad.len())), String::new()),
        CONTROLS => {
            let escapes = ESCAPED.repeat(pad.len() / ESCAPED.len());
            (space.to_owned(), format!("{escapes}{}", &pad[escapes.len()..]))
        }
        _ => (space.to_owned(), pad.to_owned()),
    }
}

/// White space inside a JSON message: a line end in it looks like one of an event.
const SPACES: [&str; 5] = [" ", "\n", "\r", "\r\n", "\n\n"];

/// A text that would forge events wherever its line ends were taken for those of an event, and whose code points are
/// of every length.
const NASTY: &str = "a\rb\r\nc\n\nevent: control\ndata: {\"streamNextOffset\":\"x\"}\r\r: é€😀\u{2028}\u{feff} :d";

/// So many bytes of it, from anywhere: they may begin and end inside a code point.
fn nasty(from: usize, length: usize) -> Vec<u8> {
    NASTY.bytes().cycle().skip(from % NASTY.len()).take(length).collect()
}

/// The request body of a batch. One JSON message travels bare, or as an array of one.
pub(crate) fn body(content: Content, messages: &[Bytes]) -> Bytes {
    match (content, messages) {
        (Content::Json, [single]) if single.len() % 2 == 0 => single.clone(),
        (Content::Json, _) => {
            let joined: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
            Bytes::from([b"[".as_slice(), &joined.join(b" , ".as_slice()), b"]"].concat())
        }
        (Content::Bytes | Content::Text, _) => Bytes::from(messages.concat()),
    }
}

/// A frame at the front of `bytes`: whose it is and how long it is. `None` if it is none, or not all of its header is
/// there. Before its header a text may have the second half of something.
pub(crate) fn parse_frame(bytes: &[u8]) -> Option<(MessageId, usize)> {
    let end = bytes.iter().take(80).position(|byte| *byte == b'>')?;
    let begin = bytes.iter().take(3).take_while(|byte| **byte == b'\n' || **byte & 0xc0 == 0x80).count();
    let header = std::str::from_utf8(bytes.get(begin..end)?).ok()?.strip_prefix('<')?;
    let (id, length) = header.split_once(':')?;
    let mut numbers = id.split('.').map(str::parse::<usize>);
    let (stream, batch, index) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let length: usize = length.parse().ok()?;
    Some((MessageId { stream, batch, index }, end + 1 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_names_its_append_and_its_length() {
        let stamp = Stamp { producer: "p1".into(), epoch: 2, seq: 3 };
        for (content, batch) in [(Content::Bytes, 5)].into_iter().chain((0..9).map(|batch| (Content::Text, batch))) {
            for (index, message) in messages(content, 4, batch, Some(&stamp), 3, 70).iter().enumerate() {
                let followed = [message.as_ref(), b"<rest"].concat();
                let expected = (MessageId { stream: 4, batch, index }, message.len());
                assert_eq!(parse_frame(&followed), Some(expected));
            }
        }
        for text in ["", "<", "x<1.2.3:4>", "<1.2:4>", "<1.2.3:4", "<1.2.3:x>"] {
            assert_eq!(parse_frame(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn texts_hold_line_ends_code_points_of_every_length_and_invalid_bytes() {
        let texts: Vec<u8> =
            (0..40).flat_map(|batch| messages(Content::Text, 0, batch, None, 1, 30).concat()).collect();
        for piece in [&b"\r\n"[..], b"\n\n", b"\r\r", "é".as_bytes(), "€".as_bytes(), "😀".as_bytes()] {
            assert!(texts.windows(piece.len()).any(|window| window == piece), "{piece:?}");
        }
        for (first, second) in HALVES {
            let batch = |number| messages(Content::Text, 0, number, None, 2, 30).concat();
            let cut = |number| batch(number).ends_with(first) && batch(number + 1).starts_with(second);
            assert!((0..40).any(cut), "{first:?} {second:?}");
        }
        assert!(std::str::from_utf8(&texts).is_err());
    }

    #[test]
    fn some_batches_are_nothing_but_line_feeds_control_characters_or_invalid_bytes() {
        let padded = |content, batch| messages(content, 0, batch, None, 1, 60).concat();
        for content in [Content::Json, Content::Text] {
            let count = |batch| padded(content, batch).iter().filter(|byte| **byte == b'\n').count();
            assert!(count(LINE_FEEDS) > 50 && count(0) < 20, "{content:?}");
        }
        let invalid = padded(Content::Text, INVALID);
        assert!(invalid.iter().filter(|byte| **byte == 0xff).count() > 50);
        assert!(padded(Content::Text, CONTROLS).contains(&7));
        assert!(padded(Content::Json, CONTROLS).windows(6).any(|window| window == b"\\u0007"));
        assert_eq!(padded(Content::Json, CONTROLS).len(), padded(Content::Json, 0).len());
    }

    #[test]
    fn a_json_body_is_one_text_whose_elements_are_the_messages() {
        for count in 1..4 {
            let messages = messages(Content::Json, 0, 1, None, count, 9);
            let body = body(Content::Json, &messages);
            let text = std::str::from_utf8(&body).expect("UTF-8");
            let elements: Vec<&serde_json::value::RawValue> = match serde_json::from_str(text) {
                Ok(elements) => elements,
                Err(_) => vec![serde_json::from_str(text).expect("one message")],
            };
            let found: Vec<&[u8]> = elements.iter().map(|element| element.get().as_bytes()).collect();
            assert_eq!(found, messages.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>());
        }
    }
}
