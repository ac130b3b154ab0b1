//! Offsets: their text, and the key of a row of the log.

use arbitrary::{Arbitrary, Unstructured};

use crate::protocol::{ErrorCode, Offset, ReadFrom};
use crate::storage::{RowKey, row_key};

/// How many numbers one half of an offset's text can hold: it has sixteen digits.
const HALVES: u64 = 10_000_000_000_000_000;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    one: (u64, u64, u64),
    other: (u64, u64, u64),
    text: &'a str,
}

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    text(input.text);
    let [one, other] = [input.one, input.other].map(|(read_seq, position, _)| emitted(read_seq, position));
    assert_eq!(
        one.to_string().cmp(&other.to_string()),
        one.cmp(&other),
        "{one} and {other} do not sort as their texts"
    );
    let [one, other] = [input.one, input.other].map(key);
    if let (Some(one), Some(other)) = (one, other) {
        assert_eq!(one.1.cmp(&other.1), one.0.cmp(&other.0), "{one:?} and {other:?} do not sort as their integers");
    }
}

/// A text is a sentinel, or an offset whose text it is, or is refused.
fn text(text: &str) {
    let expected = match text {
        "-1" => Some(ReadFrom::Start),
        "now" => Some(ReadFrom::Now),
        _ => halves(text).map(|(read_seq, position)| ReadFrom::At(Offset { read_seq, position })),
    };
    match ReadFrom::parse(Some(text)) {
        Ok(from) => {
            assert_eq!(Some(from), expected, "{text:?}");
            assert_eq!(from.to_string(), text);
        }
        Err(refusal) => {
            assert_eq!(expected, None, "{text:?} is refused");
            assert_eq!(refusal.code, ErrorCode::InvalidOffset);
        }
    }
}

/// Two halves of sixteen ASCII digits, read by the standard library.
fn halves(text: &str) -> Option<(u64, u64)> {
    let (read_seq, position) = text.split_once('_')?;
    let half = |digits: &str| {
        let plain = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    Some((half(read_seq)?, half(position)?))
}

/// An offset that has a text; that text parses as the offset.
fn emitted(read_seq: u64, position: u64) -> Offset {
    let offset = Offset { read_seq: read_seq % HALVES, position: position % HALVES };
    assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
    offset
}

/// A row's key and its integer; `None` if a part of the key does not fit.
fn key((read_seq, position, part): (u64, u64, u64)) -> Option<(RowKey, u64)> {
    let key = RowKey { offset: Offset { read_seq, position }, part };
    let fits = read_seq < row_key::READ_SEQS && position < row_key::POSITIONS && part < row_key::PARTS;
    let packed = key.pack().ok();
    assert_eq!(packed.is_some(), fits, "{key:?}");
    let packed = packed?;
    assert!(packed < 1 << 53, "{key:?} does not survive JavaScript");
    assert_eq!(RowKey::unpack(packed), key);
    Some((key, packed))
}
