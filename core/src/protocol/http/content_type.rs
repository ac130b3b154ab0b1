//! Media types.

use super::field_value::is_visible;
use crate::protocol::limits::TOKEN_LIMIT;
use crate::protocol::sse::Encoding;
use crate::protocol::{ErrorCode, Refusal};

/// A media type as it was given. Compared case-insensitively and without parameters; returned as created.
#[derive(Clone, Debug)]
pub struct ContentType(String);

/// The content type of a stream that was created without one.
const DEFAULT: &str = "application/octet-stream";

impl Default for ContentType {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl ContentType {
    /// `type/subtype`, each a token of HTTP, with whatever parameters of visible ASCII and blanks; at most
    /// [`TOKEN_LIMIT`] bytes.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |message| Err(Refusal::new(ErrorCode::InvalidContentType, message));
        let text = text.trim_matches([' ', '\t']);
        if text.len() > TOKEN_LIMIT {
            return refuse("Content-Type is longer than 256 bytes");
        }
        if !is_visible(text) {
            return refuse("Content-Type holds something else than visible ASCII and blanks");
        }
        Self::from_stored(text).map_or_else(|| refuse("Content-Type is not type/subtype"), Ok)
    }

    /// From a text that was stored; `None` if it is not `type/subtype`. Earlier versions also took parameters that
    /// [`Self::parse`] refuses, and their streams stay.
    pub fn from_stored(text: &str) -> Option<Self> {
        let (kind, subtype) = essence(text).split_once('/')?;
        (is_token(kind) && is_token(subtype)).then(|| Self(text.to_owned()))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the stream is in JSON mode.
    pub fn is_json(&self) -> bool {
        essence(&self.0).eq_ignore_ascii_case("application/json")
    }

    /// How events carry content of this type (protocol, section 5.8).
    pub fn sse_encoding(&self) -> Encoding {
        let is_text = essence(&self.0).split('/').next().is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
        if is_text || self.is_json() { Encoding::Text } else { Encoding::Base64 }
    }

    /// Whether the stream's bytes arrive as text: a line end or a code point may then lie on two sides of a cut. JSON
    /// messages are never cut.
    pub fn is_bytes_of_text(&self) -> bool {
        !self.is_json() && self.sse_encoding() == Encoding::Text
    }
}

impl PartialEq for ContentType {
    fn eq(&self, other: &Self) -> bool {
        essence(&self.0).eq_ignore_ascii_case(essence(&other.0))
    }
}

impl Eq for ContentType {}

fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim_matches([' ', '\t'])
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ContentType {
        ContentType::parse(text).expect(text)
    }

    #[test]
    fn types_compare_without_case_and_parameters_and_stay_as_given() {
        assert_eq!(parsed("Text/Plain; charset=utf-8"), parsed("text/plain"));
        assert_ne!(parsed("text/plain"), parsed("text/html"));
        assert_eq!(parsed("Text/Plain ;x=1").as_str(), "Text/Plain ;x=1");
        assert_eq!(parsed(" text/plain\t").as_str(), "text/plain");
    }

    #[test]
    fn json_mode_is_the_one_type() {
        for (text, json) in [
            ("application/json", true),
            ("APPLICATION/JSON; charset=utf-8", true),
            ("application/json-seq", false),
            ("application/vnd.api+json", false),
            ("text/json", false),
        ] {
            assert_eq!(parsed(text).is_json(), json, "{text}");
        }
        assert!(!ContentType::default().is_json());
    }

    #[test]
    fn text_and_json_travel_as_they_are_in_events_and_text_alone_is_cut_anywhere() {
        for (text, encoding, is_bytes_of_text) in [
            ("text/plain", Encoding::Text, true),
            ("TEXT/html; charset=utf-8", Encoding::Text, true),
            ("application/json; charset=utf-8", Encoding::Text, false),
            ("application/ndjson", Encoding::Base64, false),
            ("application/octet-stream", Encoding::Base64, false),
            ("image/png", Encoding::Base64, false),
            ("texts/plain", Encoding::Base64, false),
        ] {
            let content_type = parsed(text);
            assert_eq!(
                (content_type.sse_encoding(), content_type.is_bytes_of_text()),
                (encoding, is_bytes_of_text),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        let long = format!("text/{}", "a".repeat(TOKEN_LIMIT));
        for text in ["", "text", "text/", "/plain", "text/plain/x", "te xt/plain", "text/plain\n", ";", "é/x", &long] {
            assert!(ContentType::parse(text).is_err(), "{text:?}");
        }
        for text in ["text/plain; x=\u{fffd}", "text/plain; x=é", "text/plain; x=\u{7f}", "text/plain; x=\n"] {
            assert!(ContentType::parse(text).is_err(), "{text:?}");
            assert!(ContentType::from_stored(text).is_some(), "{text:?}");
        }
        assert!(ContentType::from_stored("text").is_none());
    }
}
