//! Query strings, as the URL standard's form encoding reads them.

use super::percent::decode_lossily;
use crate::protocol::{ErrorCode, Refusal};

/// The parameters of a URL in order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// From the text after `?`.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The values of a parameter, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may be present once.
    pub fn single(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refusal::new(ErrorCode::InvalidQuery, format!("{name} is repeated"))),
            (value, None) => Ok(value),
        }
    }
}

/// Decodes a part of a query, in which a plus is a blank. What is no UTF-8 becomes U+FFFD, which no parameter accepts.
fn decode(text: &str) -> String {
    if text.contains('+') { decode_lossily(&text.replace('+', " ")) } else { decode_lossily(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_decoded_and_may_not_repeat() {
        let query = Query::parse("offset=0%2C1&live&x=a+b&&=&y=%zz&y2=%4&twice=1&twice=2");
        for (name, value) in [
            ("offset", Some("0,1")),
            ("live", Some("")),
            ("x", Some("a b")),
            ("y", Some("%zz")),
            ("y2", Some("%4")),
            ("absent", None),
        ] {
            assert_eq!(query.single(name), Ok(value), "{name}");
        }
        assert_eq!(query.single("twice").map_err(|refusal| refusal.code), Err(ErrorCode::InvalidQuery));
    }

    proptest! {
        #[test]
        fn what_is_percent_encoded_comes_back(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn no_query_panics(text in any::<String>()) {
            let _ = Query::parse(&text);
        }
    }
}
