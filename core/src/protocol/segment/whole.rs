//! An object read from end to end.

use super::{
    ContentKind, Cursor, Frame, Frames, HEADER_BYTES, Head, Index, SegmentError, TRAILER_BYTES, TRAILER_MAGIC,
};

/// All that an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole<'a> {
    /// Which segment it is.
    pub head: Head,
    /// Its frames.
    pub frames: Vec<Frame<'a>>,
    /// Its index.
    pub index: Index,
}

impl<'a> Whole<'a> {
    /// Reads an object and checks all of it: every checksum, and that the parts fit one another.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, SegmentError> {
        const PART: &str = "trailer";
        let head = Head::decode(bytes)?;
        let split = bytes.len().checked_sub(TRAILER_BYTES).ok_or(SegmentError::Length(PART))?;
        let (before, trailer) = bytes.split_at(split);
        let mut cursor = Cursor(trailer);
        let index_at = cursor.u32(PART)?;
        if cursor.array(PART)? != TRAILER_MAGIC {
            return Err(SegmentError::Magic(PART));
        }
        let (before, index) = before.split_at_checked(index_at as usize).ok_or(SegmentError::Length("index"))?;
        let index = Index::decode(index, u64::from(index_at))?;
        let frames = before.get(HEADER_BYTES..).ok_or(SegmentError::Length("frame"))?;
        let frames = Frames::new(frames).collect::<Result<Vec<_>, _>>()?;
        let whole = Self { head, frames, index };
        whole.check()?;
        Ok(whole)
    }

    fn check(&self) -> Result<(), SegmentError> {
        let Self { head, frames, index } = self;
        if (index.read_seq, index.end) != (head.read_seq, head.end) || index.entries.len() != frames.len() {
            return Err(SegmentError::Inconsistent("an index of another segment"));
        }
        let (mut next, mut place, mut payload) = (head.start, HEADER_BYTES as u64, 0_u64);
        let mut commit_ms = 0;
        for (frame, entry) in frames.iter().zip(&index.entries) {
            frame.check(head.kind)?;
            let found = (u64::from(entry.first), u64::from(entry.place), u64::from(entry.payload_before));
            if frame.first != next || found != (next, place, payload) {
                return Err(SegmentError::Inconsistent("a frame that is not where the index says"));
            }
            if frame.commit_ms < commit_ms {
                return Err(SegmentError::Inconsistent("commit times that go back"));
            }
            let positions = frame.positions(head.kind);
            next = next.checked_add(positions).ok_or(SegmentError::TooLarge("a position"))?;
            place += frame.encoded_len() as u64;
            payload += frame.payload.len() as u64;
            commit_ms = frame.commit_ms;
        }
        match next == head.end {
            true => Ok(()),
            false => Err(SegmentError::Inconsistent("frames that do not end where the segment does")),
        }
    }

    /// What its messages are.
    pub fn kind(&self) -> ContentKind {
        self.head.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::lengths;
    use crate::protocol::segment::{ENTRY_BYTES, Encoder, INDEX_BYTES, Place};
    use proptest::prelude::*;

    /// An append: messages of these lengths, and by how much its commit time is later than that of the append before.
    type Append = (Vec<usize>, u64);

    /// Lengths and payload of each append.
    fn parts(kind: ContentKind, appends: &[Append]) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
        let message = |length: &usize| (0..*length).map(|index| b'a' + (index % 23) as u8).collect::<Vec<_>>();
        let part = |(messages, _): &Append| match (kind, messages.as_slice()) {
            (ContentKind::Bytes, _) => (1, Vec::new(), messages.iter().flat_map(message).collect()),
            (ContentKind::Json, [single]) => (1, Vec::new(), message(single)),
            (ContentKind::Json, several) => {
                let packed = several.iter().map(|length| *length as u32).collect::<Vec<_>>();
                let payload = several.iter().map(message).collect::<Vec<_>>().join(&b',');
                (several.len() as u32, lengths::pack(&packed), payload)
            }
        };
        appends.iter().map(part).collect()
    }

    fn encode(kind: ContentKind, start: u64, appends: &[Append]) -> (Vec<u8>, Place) {
        let parts = parts(kind, appends);
        let mut frames = Vec::new();
        let (mut first, mut commit_ms) = (start, 1);
        for ((messages, lengths, payload), (_, later_ms)) in parts.iter().zip(appends) {
            commit_ms += later_ms;
            let frame = Frame { first, commit_ms, messages: *messages, lengths, payload };
            first += frame.positions(kind);
            frames.push(frame);
        }
        let mut object = Vec::new();
        let mut out = Vec::new();
        let mut encoder = Encoder::new(Head { kind, read_seq: 7, start, end: first }, &mut out);
        for frame in &frames {
            object.append(&mut out);
            encoder.frame(frame, &mut out).expect("a frame that follows");
        }
        let place = encoder.finish(&mut out).expect("the end");
        object.append(&mut out);
        let whole = Whole::decode(&object).expect("what was encoded");
        assert_eq!(whole.frames, frames);
        assert_eq!(whole.head, Head { kind, read_seq: 7, start, end: first });
        (object, place)
    }

    fn kinds() -> impl Strategy<Value = ContentKind> {
        prop_oneof![Just(ContentKind::Bytes), Just(ContentKind::Json)]
    }

    fn appends() -> impl Strategy<Value = Vec<Append>> {
        prop::collection::vec((prop::collection::vec(1..300_usize, 1..6), 0..3_u64), 1..12)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_the_index_is_where_the_encoder_says(
            kind in kinds(), start in 0..1_000_u64, appends in appends()
        ) {
            let (object, place) = encode(kind, start, &appends);
            prop_assert_eq!(object.len() as u64, place.bytes);
            let index = &object[place.index_at as usize..(place.index_at + place.index_bytes) as usize];
            let whole = Whole::decode(&object).expect("what was encoded");
            prop_assert_eq!(Index::decode(index, place.index_at), Ok(whole.index));
        }

        #[test]
        fn a_range_holds_whole_frames_from_the_position_on_and_enough_for_a_page(
            kind in kinds(), appends in appends(), position in 0..2_000_u64, page_bytes in 1..900_usize
        ) {
            let (object, _) = encode(kind, 0, &appends);
            let whole = Whole::decode(&object).expect("what was encoded");
            let Some(range) = whole.index.range(kind, position, page_bytes) else {
                prop_assert!(position >= whole.head.end);
                return Ok(());
            };
            let bytes = &object[range.start as usize..range.end as usize];
            let frames: Vec<_> = Frames::new(bytes).collect::<Result<_, _>>().expect("whole frames");
            let first = frames.first().expect("a frame");
            prop_assert!((first.first..first.first + first.positions(kind)).contains(&position));
            let last = frames.last().expect("a frame");
            let covered: usize = frames.iter().map(|frame| frame.payload.len()).sum();
            let ends = last.first + last.positions(kind) == whole.head.end;
            // What is skipped of the first frame does not count.
            let passed = match kind {
                ContentKind::Bytes => (position - first.first) as usize,
                ContentKind::Json if position == first.first => 0,
                ContentKind::Json => first.payload.len(),
            };
            prop_assert!(ends || covered - passed >= page_bytes, "{covered} bytes for {page_bytes}");
        }

        #[test]
        fn whatever_is_changed_or_cut_off_is_noticed(
            kind in kinds(), appends in appends(), at in any::<prop::sample::Index>(), flip in 1..=255_u8
        ) {
            let (mut object, _) = encode(kind, 0, &appends);
            let at = at.index(object.len());
            prop_assert!(Whole::decode(&object[..at]).is_err());
            object[at] ^= flip;
            prop_assert!(Whole::decode(&object).is_err(), "byte {at}");
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), index_at: u64) {
            let _ = Whole::decode(&bytes);
            let _ = Index::decode(&bytes, index_at);
            let _ = Frames::new(&bytes).count();
        }
    }

    #[test]
    fn an_object_has_exactly_the_documented_length() {
        let (object, place) = encode(ContentKind::Json, 0, &[(vec![2, 3], 1), (vec![5], 1)]);
        let frames = (32 + 2 + 6) + (32 + 5);
        assert_eq!(place.index_at as usize, HEADER_BYTES + frames);
        assert_eq!(place.index_bytes as usize, INDEX_BYTES + 2 * ENTRY_BYTES);
        assert_eq!(object.len(), HEADER_BYTES + frames + INDEX_BYTES + 2 * ENTRY_BYTES + TRAILER_BYTES);
    }

    #[test]
    fn a_length_that_no_input_backs_allocates_nothing_and_is_refused() {
        let mut frame = vec![0; 28];
        frame[20..28].copy_from_slice(&[0xff; 8]);
        assert_eq!(Frames::new(&frame).next(), Some(Err(SegmentError::Length("frame"))));
        let mut index = Vec::new();
        index.extend_from_slice(b"TRSI");
        index.extend_from_slice(&u32::MAX.to_le_bytes());
        index.extend_from_slice(&[0; 16]);
        super::super::seal(&mut index, 0);
        assert_eq!(Index::decode(&index, 40), Err(SegmentError::Length("index")));
    }

    #[test]
    fn the_encoder_refuses_what_no_segment_is() {
        let mut out = Vec::new();
        let head = Head { kind: ContentKind::Json, read_seq: 0, start: 0, end: 2 };
        let mut encoder = Encoder::new(head, &mut out);
        let frame = Frame { first: 0, commit_ms: 1, messages: 1, lengths: &[], payload: b"1" };
        for wrong in [
            Frame { first: 1, ..frame },
            Frame { messages: 2, ..frame },
            Frame { messages: 2, lengths: &[1, 1], ..frame },
            Frame { payload: b"", ..frame },
        ] {
            assert!(encoder.frame(&wrong, &mut out).is_err(), "{wrong:?}");
        }
        encoder.frame(&frame, &mut out).expect("the first frame");
        assert!(encoder.finish(&mut out).is_err(), "it ends too early");
    }
}
