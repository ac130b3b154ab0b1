//! Segments: what appends wrote is read again from any position on, and the range that the index names gives the same
//! page as the whole segment.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;

use crate::protocol::lengths;
use crate::protocol::segment::{ContentKind, Encoder, Frame, Head, TRAILER_BYTES, Whole};
use crate::stream::page_of_frames;

/// Messages stay short, so that a run tries many shapes instead of large ones.
const MESSAGE_BYTES: u16 = 300;

#[derive(Debug, Arbitrary)]
struct Input {
    json: bool,
    read_seq: u64,
    start: u16,
    /// Reads, each with its position and the size of its page in bytes.
    reads: [(u16, u16); 4],
    appends: Vec<Shape>,
}

/// The shape of an append: how many ms after the one before it comes, and the lengths of its messages.
#[derive(Debug, Arbitrary)]
struct Shape {
    later_ms: u8,
    lengths: Vec<u16>,
}

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let kind = if input.json { ContentKind::Json } else { ContentKind::Bytes };
    let appends: Vec<_> = input.appends.iter().filter(|append| !append.lengths.is_empty()).collect();
    let parts = parts(kind, &appends);
    let (mut first, mut commit_ms) = (u64::from(input.start), 0);
    let mut frames = Vec::new();
    for ((messages, lengths, payload), append) in parts.iter().zip(appends) {
        commit_ms += u64::from(append.later_ms);
        let frame = Frame { first, commit_ms, messages: *messages, lengths, payload };
        first += frame.positions(kind);
        frames.push(frame);
    }
    let head = Head { kind, read_seq: input.read_seq, start: input.start.into(), end: first };
    let object = encode(head, &frames);
    let Ok(whole) = Whole::decode(&object) else { return };
    for (position, page_bytes) in input.reads {
        let position = head.start + u64::from(position) % (head.end - head.start + 1);
        read(&whole, &object, position, usize::from(page_bytes).max(1));
    }
}

/// Count, packed lengths and payload of each append. The payload varies, so that a shifted range is noticed.
fn parts(kind: ContentKind, appends: &[&Shape]) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    let mut letters = (0_u32..).map(|count| (count.wrapping_mul(2_654_435_761) >> 24) as u8);
    let mut part = |append: &&Shape| {
        let lengths: Vec<_> = append.lengths.iter().map(|length| u32::from(1 + length % MESSAGE_BYTES)).collect();
        let messages: Vec<Vec<u8>> =
            lengths.iter().map(|length| letters.by_ref().take(*length as usize).collect()).collect();
        match kind {
            ContentKind::Bytes => (1, Vec::new(), messages.concat()),
            ContentKind::Json if messages.len() == 1 => (1, Vec::new(), messages.concat()),
            ContentKind::Json => (lengths.len() as u32, lengths::pack(&lengths), messages.join(&b',')),
        }
    };
    appends.iter().map(&mut part).collect()
}

/// The object that holds the frames, after a check that it decodes to them.
fn encode(head: Head, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut object = Vec::new();
    let mut encoder = Encoder::new(head, &mut object);
    for frame in frames {
        assert_eq!(encoder.frame(frame, &mut object), Ok(()));
    }
    let place = encoder.finish(&mut object);
    let length = object.len() as u64;
    assert_eq!(place.map(|place| place.bytes), Ok(length));
    assert_eq!(place.map(|place| place.index_at + place.index_bytes + TRAILER_BYTES as u64), Ok(length));
    let whole = Whole::decode(&object);
    assert_eq!(whole.map(|whole| (whole.head, whole.frames)), Ok((head, frames.to_vec())));
    object
}

/// Checks that the range that the index names gives the page that a reader of the whole segment gets.
fn read(whole: &Whole<'_>, object: &[u8], position: u64, page_bytes: usize) {
    let kind = whole.kind();
    let Some(range) = whole.index.range(kind, position, page_bytes) else {
        assert_eq!(position, whole.head.end, "no frame holds a position inside");
        return;
    };
    let fetched = object.get(range.start as usize..range.end as usize).unwrap_or_default();
    let found = page_of_frames(kind, &Bytes::copy_from_slice(fetched), position, page_bytes)
        .map(|page| (page.next, page.body.to_vec()));
    let expected = match kind {
        ContentKind::Bytes => bytes(whole, position, page_bytes),
        ContentKind::Json => array(whole, position, page_bytes),
    };
    assert_eq!(found, Ok(expected), "{page_bytes} bytes from {position} on");
}

/// So many bytes from a position on, and the position after them.
fn bytes(whole: &Whole<'_>, position: u64, page_bytes: usize) -> (u64, Vec<u8>) {
    let all = whole.frames.iter().flat_map(|frame| frame.payload);
    let page: Vec<_> = all.skip((position - whole.head.start) as usize).take(page_bytes).copied().collect();
    (position + page.len() as u64, page)
}

/// Whole messages from a position on, at least one, and the position after them.
fn array(whole: &Whole<'_>, position: u64, page_bytes: usize) -> (u64, Vec<u8>) {
    let all = whole.frames.iter().flat_map(messages);
    let mut page = Vec::new();
    let mut next = position;
    for message in all.skip((position - whole.head.start) as usize) {
        let comma = usize::from(next > position);
        if next > position && page.len() + comma + message.len() > page_bytes {
            break;
        }
        page.extend_from_slice(b",".get(..comma).unwrap_or_default());
        page.extend_from_slice(message);
        next += 1;
    }
    (next, [b"[", page.as_slice(), b"]"].concat())
}

/// The messages of a frame of JSON.
fn messages<'a>(frame: &Frame<'a>) -> Vec<&'a [u8]> {
    if frame.messages == 1 {
        return vec![frame.payload];
    }
    let mut rest = frame.payload;
    let mut messages = Vec::new();
    for length in lengths::unpack(frame.lengths).unwrap_or_default() {
        let (message, after) = rest.split_at(length as usize);
        messages.push(message);
        rest = after.strip_prefix(b",").unwrap_or(after);
    }
    messages
}
