//! Keys of objects in R2: `segments/{object}/{incarnation}/{segment}/{attempt}`.
//!
//! The id of the Durable Object separates streams, the incarnation separates the streams that were created one after
//! another at one URL, and the attempt separates one put from another: a put that is applied late gets a key of its own
//! and never overwrites an object that a row names. A listing returns the segments in order.

use crate::mutant::mutated;
use crate::protocol::Incarnation;

/// First part of the key of every segment; the bucket may hold other things.
const ROOT: &str = "segments";

/// The common prefix of the keys of one incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    pub(super) fn new(object: &str, incarnation: &str) -> Self {
        let incarnation = if mutated!(RecreatedStreamReusesObjects) { "any" } else { incarnation };
        Self(format!("{ROOT}/{object}/{incarnation}/"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of an attempt to store a segment.
    pub(super) fn key(&self, read_seq: u64, attempt: &str) -> String {
        format!("{}{attempt}", self.segment(read_seq))
    }

    /// The common prefix of the keys of a segment. It sorts before all of them, and after all keys of earlier segments.
    pub(super) fn segment(&self, read_seq: u64) -> String {
        format!("{}{read_seq:010}/", self.0)
    }

    /// The segment and the attempt of a key; `None` if it is not a key of this incarnation.
    pub(super) fn parse<'a>(&self, key: &'a str) -> Option<(u64, &'a str)> {
        let (read_seq, attempt) = key.strip_prefix(&self.0)?.split_once('/')?;
        Some((read_seq.parse().ok()?, attempt))
    }
}

/// The name of an attempt, from a fresh random id.
pub(super) fn attempt(random: &Incarnation) -> String {
    match mutated!(KeyWithoutAttempt) {
        true => "only".to_owned(),
        false => random.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::MAX_INTEGER;
    use crate::runtime::KEY_LIMIT;

    #[test]
    fn a_key_tells_segment_and_attempt_and_keys_sort_as_segments_do() {
        let prefix = Prefix::new(&"f".repeat(64), &"a".repeat(32));
        let keys: Vec<_> =
            [0, 9, 10, (1 << 25) - 1].iter().map(|read_seq| prefix.key(*read_seq, &"0".repeat(32))).collect();
        assert!(keys.is_sorted());
        for (key, read_seq) in keys.iter().zip([0, 9, 10, (1 << 25) - 1]) {
            assert_eq!(prefix.parse(key), Some((read_seq, "0".repeat(32).as_str())));
            assert!(prefix.segment(read_seq) < *key && *key < prefix.segment(read_seq + 1));
        }
        assert!(prefix.key(MAX_INTEGER, &"0".repeat(32)).len() < KEY_LIMIT);
    }

    #[test]
    fn what_is_no_key_of_the_incarnation_is_none() {
        let prefix = Prefix::new("o", "i");
        for key in ["segments/o/j/0000000001/a", "segments/o/i/x/a", "segments/o/i/0000000001", "", "segments/o/i/"] {
            assert_eq!(prefix.parse(key), None, "{key}");
        }
    }
}
