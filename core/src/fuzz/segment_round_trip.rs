//! Segments: what appends wrote is read again from any position on, and the range that the index tells gives the same
//! page as the whole segment.

use arbitrary::{Arbitrary, Unstructured};

use crate::protocol::lengths;
use crate::protocol::segment::{ContentKind, Encoder, Frame, Frames, Head, TRAILER_BYTES, Whole};

/// Messages stay short, so that a run tries many shapes instead of large ones.
const MESSAGE_BYTES: u16 = 300;

#[derive(Debug, Arbitrary)]
struct Input {
    json: bool,
    read_seq: u64,
    start: u16,
    /// Reads, each from a position and with the bytes of a page.
    reads: [(u16, u16); 4],
    appends: Vec<Shape>,
}

/// The shape of an append: by how much it is later than the one before, and the lengths of its messages.
#[derive(Debug, Arbitrary)]
struct Shape {
    later_ms: u8,
    lengths: Vec<u16>,
}

/// The target's body.
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

/// Count, packed lengths and payload of each append. No two bytes near each other are alike.
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

/// The object that holds the frames: it reads as what was written.
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

/// A page out of the range that the index tells is the page out of all frames.
fn read(whole: &Whole<'_>, object: &[u8], position: u64, page_bytes: usize) {
    let kind = whole.kind();
    let range = whole.index.range(kind, position, page_bytes).unwrap_or_default();
    let fetched = object.get(range.start as usize..range.end as usize).unwrap_or_default();
    let fetched: Result<Vec<_>, _> = Frames::new(fetched).collect();
    let found = fetched.map(|frames| page(kind, &frames, position, page_bytes));
    let expected = page(kind, &whole.frames, position, page_bytes);
    assert_eq!(found, Ok(expected), "{page_bytes} bytes from {position} on");
}

/// What a reader gets: whole messages up to the size of a page and at least one, or so many bytes.
fn page<'a>(kind: ContentKind, frames: &[Frame<'a>], position: u64, page_bytes: usize) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let mut room = page_bytes;
    for frame in frames {
        let skipped = position.saturating_sub(frame.first) as usize;
        if kind == ContentKind::Bytes {
            let bytes = frame.payload.get(skipped..).unwrap_or_default();
            let bytes = bytes.get(..room).unwrap_or(bytes);
            room -= bytes.len();
            found.push(bytes);
            continue;
        }
        for message in messages(frame).into_iter().skip(skipped) {
            let taken = message.len() + usize::from(!found.is_empty());
            if taken > room && !found.is_empty() {
                return found;
            }
            room = room.saturating_sub(taken);
            found.push(message);
        }
    }
    found.retain(|part| !part.is_empty());
    found
}

/// The messages of a frame of JSON.
fn messages<'a>(frame: &Frame<'a>) -> Vec<&'a [u8]> {
    if frame.messages == 1 {
        return vec![frame.payload];
    }
    let mut rest = frame.payload;
    let mut messages = Vec::new();
    for length in lengths::unpack(frame.lengths).unwrap_or_default() {
        let (message, behind) = rest.split_at(length as usize);
        messages.push(message);
        rest = behind.strip_prefix(b",").unwrap_or(behind);
    }
    messages
}
