//! What was acknowledged: by the order of its offsets, the log.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::MESSAGE_BYTES;

/// Acknowledged messages, each by its end offset (exclusive). The texts of offsets sort as their positions do.
#[derive(Default)]
pub(super) struct Ledger(BTreeMap<String, (u64, u64)>);

impl Ledger {
    /// Enters an acknowledgement. No two messages end at one offset.
    pub(super) fn enter(&mut self, next: &str, producer: u64, seq: u64) -> Result<()> {
        match self.0.insert(next.to_owned(), (producer, seq)) {
            None => Ok(()),
            Some(other) => bail!("{next} was told to {other:?} and to {:?}", (producer, seq)),
        }
    }

    /// How many are acknowledged.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All offsets, in order.
    pub(super) fn offsets(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The page from `from` to the end offset `to` (exclusive): an array of the messages between.
    pub(super) fn page(&self, from: &str, to: &str) -> Vec<u8> {
        let messages = self.0.iter().filter(|(next, _)| next.as_str() > from && next.as_str() <= to);
        let messages: Vec<_> = messages.map(|(_, (producer, seq))| message(*producer, *seq)).collect();
        [b"[".as_slice(), &messages.join(b",".as_slice()), b"]"].concat()
    }
}

/// A message of a producer. It differs from every other, and each part of it from the others.
pub(super) fn message(producer: u64, seq: u64) -> Vec<u8> {
    let mut text = format!("{{\"producer\":{producer},\"seq\":{seq},\"numbers\":[0");
    let mut number = producer << 32 | seq | 1;
    while text.len() < MESSAGE_BYTES - 40 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!(",{}", number >> 20));
    }
    text.push_str("],\"end\":\"");
    text.extend(std::iter::repeat_n('.', MESSAGE_BYTES - 2 - text.len()));
    text.push_str("\"}");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_of_one_length_and_json() {
        for (producer, seq) in [(0, 0), (7, 124), (1, 0)] {
            let message = message(producer, seq);
            assert_eq!(message.len(), MESSAGE_BYTES);
            let json: serde_json::Value = serde_json::from_slice(&message).unwrap();
            assert_eq!((json["producer"].as_u64(), json["seq"].as_u64()), (Some(producer), Some(seq)));
        }
    }

    #[test]
    fn a_page_is_what_was_acknowledged_between_its_ends() {
        let mut ledger = Ledger::default();
        for (next, seq) in [("1_0", 3), ("0_1", 0), ("0_2", 1)] {
            ledger.enter(next, 5, seq).unwrap();
        }
        let one = |seq| String::from_utf8(message(5, seq)).unwrap();
        assert_eq!(ledger.page("0_1", "1_0"), format!("[{},{}]", one(1), one(3)).into_bytes());
        assert_eq!(ledger.page("1_0", "1_0"), b"[]");
        assert_eq!(ledger.offsets(), ["0_1", "0_2", "1_0"]);
        assert!(ledger.enter("0_1", 6, 0).is_err());
    }
}
