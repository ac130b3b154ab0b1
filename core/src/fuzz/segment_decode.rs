//! Segments: bytes of any kind are read without a panic, and what is read is written again as the same bytes.

use bytes::Bytes;

use crate::protocol::segment::{
    ContentKind, Encoder, FRAME_BYTES, Frame, Frames, HEADER_BYTES, Head, Index, SegmentError, TRAILER_BYTES, Whole,
};
use crate::stream::page_of_frames;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    decode(bytes);
    let mut repaired = bytes.to_vec();
    repair(&mut repaired);
    decode(&repaired);
}

fn decode(bytes: &[u8]) {
    let frames = bytes.get(HEADER_BYTES..).unwrap_or_default();
    assert!(Frames::new(frames).count() <= bytes.len() / FRAME_BYTES + 1, "more frames than there are bytes for");
    if let Some(Ok(Frame { first, .. })) = Frames::new(frames).next() {
        pages(frames, first);
    }
    if let Ok(index) = Index::decode(bytes, u64::from(u32::MAX)) {
        assert!(index.memory_bytes() <= bytes.len(), "an index larger than its bytes");
    }
    let Ok(whole) = Whole::decode(bytes) else { return };
    assert_eq!(encode(&whole).as_deref(), Ok(bytes));
    ranges(&whole, bytes);
}

/// A page of frames that nobody has checked is a page, or an error.
fn pages(frames: &[u8], first: u64) {
    for kind in [ContentKind::Bytes, ContentKind::Json] {
        for position in [first, first.saturating_add(1)] {
            if let Ok(page) = page_of_frames(kind, &Bytes::copy_from_slice(frames), position, 64) {
                assert!(page.next > position, "a page that does not go on from {position}");
                assert!(page.body.len() <= frames.len() + 2, "a page larger than its frames");
            }
        }
    }
}

fn encode(whole: &Whole<'_>) -> Result<Vec<u8>, SegmentError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(whole.head, &mut out);
    whole.frames.iter().try_for_each(|frame| encoder.frame(frame, &mut out))?;
    encoder.finish(&mut out)?;
    Ok(out)
}

/// From the first position of each frame on, the index leads to that frame.
fn ranges(whole: &Whole<'_>, bytes: &[u8]) {
    let Head { kind, end, .. } = whole.head;
    for frame in &whole.frames {
        let range = whole.index.range(kind, frame.first, 1).map(|range| range.start as usize..range.end as usize);
        let first = range.and_then(|range| Frames::new(bytes.get(range)?).next());
        assert_eq!(first, Some(Ok(*frame)));
    }
    assert_eq!(whole.index.range(kind, end, 1), None);
}

/// Corrects the checksums of all parts whose lengths fit, so that decoding gets beyond them.
fn repair(bytes: &mut [u8]) {
    seal(bytes, 0, HEADER_BYTES);
    let number = |bytes: &[u8], at: usize| {
        let four: Option<[u8; 4]> = bytes.get(at..at.checked_add(4)?)?.try_into().ok();
        four.map(|four| u32::from_le_bytes(four) as usize)
    };
    let end = bytes.len().saturating_sub(TRAILER_BYTES);
    let index_at = number(bytes, end).unwrap_or(end).min(end);
    let mut at = HEADER_BYTES;
    // In a frame, the sizes of lengths and payload come after first position, commit time and count of messages.
    while let (Some(lengths), Some(payload)) = (number(bytes, at + 20), number(bytes, at + 24)) {
        let length = FRAME_BYTES + lengths + payload;
        if at + length > index_at {
            break;
        }
        seal(bytes, at, length);
        at += length;
    }
    seal(bytes, index_at, end - index_at);
}

/// Writes the checksum of a part into its last four bytes.
fn seal(bytes: &mut [u8], from: usize, length: usize) {
    let Some(part) = bytes.get_mut(from..from + length) else { return };
    if let Some((content, checksum)) = part.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(content).to_le_bytes();
    }
}
