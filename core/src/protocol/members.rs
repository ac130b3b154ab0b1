//! The members of a JSON object, each of which is there once.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::limits::MAX_INTEGER;

/// The members of a JSON object by their names, each value as it is written.
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

/// A member has a value of another type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongType;

impl<'a> Members<'a> {
    /// From one JSON text; `None` if it is none, if it is no object, or if a name is repeated, however it is spelled.
    /// Readers differ in which of two members they take.
    pub(crate) fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(json).ok()?).ok()
    }

    /// Whether there is one of that name, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of that name if it is there, which has to be a text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, WrongType> {
        let parse = |value: &&RawValue| serde_json::from_str(value.get()).map_err(|_| WrongType);
        self.0.get(name).map(parse).transpose()
    }

    /// The value of that name if it is there, which has to be a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, WrongType> {
        self.0.get(name).map(|value| serde_json::from_str(value.get()).map_err(|_| WrongType)).transpose()
    }

    /// The value of that name if it is there, which has to be a list of objects.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<Self>>, WrongType> {
        self.0.get(name).map(|value| serde_json::from_str(value.get()).map_err(|_| WrongType)).transpose()
    }

    /// The value of that name if it is there, which has to be an integer from 0 to 2^53 - 1 that is written as one.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<u64>, WrongType> {
        let parse = |value: &&RawValue| {
            // JSON has no number that begins with a plus or with a zero.
            let number = value.get().parse().ok();
            number.filter(|number| *number <= MAX_INTEGER).ok_or(WrongType)
        };
        self.0.get(name).map(parse).transpose()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once(BTreeMap::new()))
    }
}

/// Takes members one after the other, each name once.
struct Once<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Visitor<'de> for Once<'de> {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object whose names are not repeated")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self::Value, A::Error> {
        while let Some((name, value)) = members.next_entry::<String, &'de RawValue>()? {
            if self.0.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is repeated"));
            }
        }
        Ok(Members(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_json_text_and_names_each_member_once() {
        for (json, is_read) in [
            ("{}", true),
            (" {\"a\" : 1 , \"b\":[{\"a\":1,\"a\":2}]} ", true),
            (r#"{"a":1,"A":1}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"b":2,"\u0061":1}"#, false),
            (r#"{"é":1,"\u00e9":1}"#, false),
            (r#"{"":1,"":1}"#, false),
            (r#"{"\ud800":1}"#, false),
            (r#"{"a":NaN}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{"a":1}{}"#, false),
            (r#"["a"]"#, false),
            ("null", false),
            ("", false),
            ("\u{feff}{}", false),
        ] {
            assert_eq!(Members::parse(json.as_bytes()).is_some(), is_read, "{json}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_none());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(2_000), "]".repeat(2_000));
        assert!(Members::parse(deep.as_bytes()).is_some_and(|members| members.has("a")));
    }

    #[test]
    fn a_text_is_a_string_and_nothing_else() {
        for (json, expected) in [
            (r#""x""#, Ok(Some("x"))),
            (r#""\u0078""#, Ok(Some("x"))),
            (r#""""#, Ok(Some(""))),
            ("1", Err(WrongType)),
            ("null", Err(WrongType)),
            ("true", Err(WrongType)),
            (r#"["x"]"#, Err(WrongType)),
            (r#""\ud800""#, Err(WrongType)),
        ] {
            let object = format!(r#"{{"a":{json}}}"#);
            let members = Members::parse(object.as_bytes()).expect("an object");
            assert_eq!(members.text("a"), expected.map(|text| text.map(str::to_owned)), "{json}");
            assert_eq!((members.has("a"), members.has("b"), members.text("b")), (true, false, Ok(None)));
        }
    }

    #[test]
    fn an_integer_is_written_as_one_and_exact_in_javascript() {
        for (json, expected) in [
            ("0", Ok(0)),
            ("1700000000", Ok(1_700_000_000)),
            ("9007199254740991", Ok(MAX_INTEGER)),
            ("9007199254740992", Err(WrongType)),
            ("99999999999999999999999", Err(WrongType)),
            ("-1", Err(WrongType)),
            ("-0", Err(WrongType)),
            ("1.0", Err(WrongType)),
            ("17e8", Err(WrongType)),
            ("1E0", Err(WrongType)),
            (r#""1""#, Err(WrongType)),
            ("null", Err(WrongType)),
            ("true", Err(WrongType)),
            ("[1]", Err(WrongType)),
        ] {
            let object = format!(r#"{{"a": {json} }}"#);
            let members = Members::parse(object.as_bytes()).expect("an object");
            assert_eq!(members.integer("a"), expected.map(Some), "{json}");
        }
        for json in ["NaN", "Infinity", "01", "+1", "1.", "0x1"] {
            assert!(Members::parse(format!(r#"{{"a":{json}}}"#).as_bytes()).is_none(), "{json}");
        }
    }
}
