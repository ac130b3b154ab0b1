//! JSON mode: a body is split into messages, each with its exact source bytes.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::JSON_DEPTH_LIMIT;
use super::{ErrorCode, Refusal};

/// The messages of one body, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonMessages {
    /// The messages' source bytes with one comma between any two.
    pub joined: Bytes,
    /// The length of each message, in bytes.
    pub lengths: Vec<u32>,
}

impl JsonMessages {
    /// Splits a body: an array is flattened by one level, anything else is one message.
    ///
    /// The body must be UTF-8 and one JSON text; a message nests at most [`JSON_DEPTH_LIMIT`] deep. An empty array
    /// gives no message, which a creation accepts and an append refuses.
    pub fn split(body: &Bytes) -> Result<Self, Refusal> {
        let Ok(text) = std::str::from_utf8(body) else {
            return Err(Refusal::new(ErrorCode::InvalidJson, "the body is not UTF-8"));
        };
        let mut split = Split { joined: Vec::new(), lengths: Vec::new(), too_deep: false };
        let mut parser = serde_json::Deserializer::from_str(text);
        let is_array = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[');
        let parsed = if is_array {
            split.joined.reserve(body.len());
            (&mut split).deserialize(&mut parser)
        } else {
            <&RawValue as serde::Deserialize>::deserialize(&mut parser).map(|message| split.push(message.get()))
        };
        if let Err(error) = parsed.and_then(|()| parser.end()) {
            return Err(Refusal::new(ErrorCode::InvalidJson, format!("the body is not JSON: {error}")));
        }
        if split.too_deep {
            let message = format!("a message is nested deeper than {JSON_DEPTH_LIMIT} levels");
            return Err(Refusal::new(ErrorCode::InvalidJson, message));
        }
        Ok(Self { joined: split.joined.into(), lengths: split.lengths })
    }
}

struct Split {
    joined: Vec<u8>,
    lengths: Vec<u32>,
    too_deep: bool,
}

impl Split {
    fn push(&mut self, message: &str) {
        if !self.lengths.is_empty() {
            self.joined.push(b',');
        }
        self.joined.extend_from_slice(message.as_bytes());
        // A body is far shorter than 4 GiB, see `BODY_LIMIT`.
        self.lengths.push(u32::try_from(message.len()).unwrap_or(u32::MAX));
        self.too_deep |= depth(message) > JSON_DEPTH_LIMIT;
    }
}

impl<'de> DeserializeSeed<'de> for &mut Split {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Split {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(message) = elements.next_element::<&RawValue>()? {
            self.push(message.get());
        }
        Ok(())
    }
}

/// How deep arrays and objects nest in a valid JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(body: &str, messages: Option<&[&str]>) {
        let split = JsonMessages::split(&Bytes::copy_from_slice(body.as_bytes()));
        match (split, messages) {
            (Ok(split), Some(messages)) => {
                assert_eq!(split.joined, messages.join(","), "{body}");
                let lengths: Vec<_> = messages.iter().map(|message| message.len() as u32).collect();
                assert_eq!(split.lengths, lengths, "{body}");
            }
            (Err(refusal), None) => assert_eq!(refusal.code, ErrorCode::InvalidJson, "{body}"),
            (split, _) => panic!("{body}: {split:?}"),
        }
    }

    #[test]
    fn an_array_is_flattened_by_one_level_and_source_bytes_stay() {
        check(r#"{"a": 1}"#, Some(&[r#"{"a": 1}"#]));
        check(" [ 1 ,\n[2, 3] , \"x,]\" ] ", Some(&["1", "[2, 3]", "\"x,]\""]));
        check("[[[1,2,3]]]", Some(&["[[1,2,3]]"]));
        check("[]", Some(&[]));
        check("[[]]", Some(&["[]"]));
        check("1.50e+3", Some(&["1.50e+3"]));
        check("123456789012345678901234567890", Some(&["123456789012345678901234567890"]));
        check(r#"{"a":1,"a":2}"#, Some(&[r#"{"a":1,"a":2}"#]));
        check("null", Some(&["null"]));
    }

    #[test]
    fn what_is_not_one_json_text_is_refused() {
        for body in [
            "",
            " ",
            "{",
            "[1,]",
            "[1 2]",
            "[1]x",
            "[1][2]",
            "{\"a\":}",
            "nul",
            "01",
            "'a'",
            "\u{feff}1",
            "\"a\nb\"",
            "[1,{]",
            "NaN",
            "\"\\x\"",
        ] {
            check(body, None);
        }
        let invalid = JsonMessages::split(&Bytes::from_static(b"\"\xff\""));
        assert_eq!(invalid.map_err(|refusal| refusal.code), Err(ErrorCode::InvalidJson));
    }

    #[test]
    fn a_message_nests_as_deep_as_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = nested(JSON_DEPTH_LIMIT);
        check(&format!("[{deepest}]"), Some(&[&deepest]));
        check(&format!("[{}]", nested(JSON_DEPTH_LIMIT + 1)), None);
        check(&nested(1_000_000), None);
        check(&"[{\"a\":".repeat(100_000), None);
        let brackets_in_a_string = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
        check(&brackets_in_a_string, Some(&[&brackets_in_a_string]));
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_come_back_as_they_were(values in prop::collection::vec(values(), 0..8), pretty: bool) {
            let list = serde_json::Value::Array(values.clone());
            let body = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) };
            let split = JsonMessages::split(&body.expect("serialises").into()).expect("valid");
            prop_assert_eq!(split.lengths.len(), values.len());
            let again = format!("[{}]", std::str::from_utf8(&split.joined).expect("UTF-8"));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&again).expect("valid"), list);
            let separators = values.len().saturating_sub(1);
            let total: usize = split.lengths.iter().map(|length| *length as usize).sum();
            prop_assert_eq!(total + separators, split.joined.len());
        }

        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = JsonMessages::split(&body.into());
        }

        #[test]
        fn no_text_of_json_characters_panics(body in "[\\[\\]{}\",:0-9a-z \\\\]{0,60}") {
            let agrees = serde_json::from_str::<serde_json::Value>(&body).is_ok();
            // serde_json's own reader refuses lone surrogates and huge numbers; splitting checks the grammar alone.
            prop_assert!(!agrees || JsonMessages::split(&body.into()).is_ok());
        }
    }
}
