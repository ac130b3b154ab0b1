//! What a token says.

use super::pattern::StreamPattern;
use super::scope::Scope;
use crate::protocol::members::{Members, WrongType};

/// What a token says. Others of its claims mean nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The project for which it is (`sub`).
    pub project: String,
    /// What may be done (`scope`).
    pub scope: Scope,
    /// From when on it is not valid any more (`exp`), in s since the Unix epoch.
    pub expires_s: u64,
    /// From when on it is valid (`nbf`), in s since the Unix epoch; `None` for at once.
    pub begins_s: Option<u64>,
    /// For which streams it is (`stream`); `None` for all.
    pub stream: Option<StreamPattern>,
    /// The one stream for which it is, as the earlier system's tokens have it (`stream_id`); `None` for all.
    pub stream_id: Option<String>,
}

impl Claims {
    /// From the members of the token's payload. Fails with a sentence for whoever makes tokens.
    pub(super) fn of(members: &Members<'_>) -> Result<Self, &'static str> {
        let text = |name: &str, wrong: &'static str| members.text(name).map_err(|WrongType| wrong);
        let integer = |name: &str, wrong: &'static str| members.integer(name).map_err(|WrongType| wrong);
        let scope = text("scope", "its scope is no text")?.ok_or("it has no scope")?;
        let stream = text("stream", "its stream is no text")?;
        Ok(Self {
            project: text("sub", "its sub is no text")?.ok_or("it has no sub")?,
            scope: Scope::named(&scope).ok_or("its scope is neither read nor write nor manage")?,
            expires_s: integer("exp", "its exp is no integer")?.ok_or("it has no exp")?,
            begins_s: integer("nbf", "its nbf is no integer")?,
            stream: stream.map(|stream| StreamPattern::parse(&stream).ok_or("its stream is a bare *")).transpose()?,
            stream_id: text("stream_id", "its stream_id is no text")?,
        })
    }

    /// As JSON, as a token has it.
    pub(super) fn to_json(&self) -> String {
        let mut members = serde_json::Map::new();
        members.insert("sub".to_owned(), self.project.as_str().into());
        members.insert("scope".to_owned(), self.scope.name().into());
        members.insert("exp".to_owned(), self.expires_s.into());
        for (name, value) in [
            ("nbf", self.begins_s.map(Into::into)),
            ("stream", self.stream.as_ref().map(|stream| stream.to_string().into())),
            ("stream_id", self.stream_id.as_deref().map(Into::into)),
        ] {
            members.extend(value.map(|value: serde_json::Value| (name.to_owned(), value)));
        }
        serde_json::Value::from(members).to_string()
    }

    /// Whether it is for the stream of that path, decoded. Where it names streams twice, both must hold.
    pub(super) fn admits_path(&self, path: &str) -> bool {
        self.stream.as_ref().is_none_or(|stream| stream.admits(path))
            && self.stream_id.as_deref().is_none_or(|stream_id| stream_id == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Result<Claims, &'static str> {
        Claims::of(&Members::parse(json.as_bytes()).expect("an object"))
    }

    fn least() -> Claims {
        Claims {
            project: "_default".to_owned(),
            scope: Scope::Read,
            expires_s: 9,
            begins_s: None,
            stream: None,
            stream_id: None,
        }
    }

    #[test]
    fn claims_have_their_types_and_others_mean_nothing() {
        let base = r#""sub":"_default","scope":"read","exp":9"#;
        for (json, expected) in [
            (base.to_owned(), Ok(least())),
            (format!(r#"{base},"iat":"x","aud":[null],"SUB":1"#), Ok(least())),
            (base.replace("_default", "p"), Ok(Claims { project: "p".to_owned(), ..least() })),
            (base.replace("read", "manage"), Ok(Claims { scope: Scope::Manage, ..least() })),
            (format!(r#"{base},"nbf":3"#), Ok(Claims { begins_s: Some(3), ..least() })),
            (format!(r#"{base},"stream":"a/*""#), Ok(Claims { stream: StreamPattern::parse("a/*"), ..least() })),
            (format!(r#"{base},"stream_id":"a/*""#), Ok(Claims { stream_id: Some("a/*".to_owned()), ..least() })),
            (base.replace(r#""sub""#, r#""x""#), Err("it has no sub")),
            (base.replace(r#""_default""#, "null"), Err("its sub is no text")),
            (base.replace(r#""_default""#, r#"["_default"]"#), Err("its sub is no text")),
            (base.replace(r#""scope""#, r#""x""#), Err("it has no scope")),
            (base.replace(r#""read""#, r#"["read"]"#), Err("its scope is no text")),
            (base.replace("read", "read write"), Err("its scope is neither read nor write nor manage")),
            (base.replace("read", "READ"), Err("its scope is neither read nor write nor manage")),
            (base.replace(r#""exp""#, r#""x""#), Err("it has no exp")),
            (base.replace('9', "null"), Err("its exp is no integer")),
            (base.replace('9', "9.5"), Err("its exp is no integer")),
            (base.replace('9', r#""9""#), Err("its exp is no integer")),
            (format!(r#"{base},"nbf":"3""#), Err("its nbf is no integer")),
            (format!(r#"{base},"nbf":null"#), Err("its nbf is no integer")),
            (format!(r#"{base},"stream":"*""#), Err("its stream is a bare *")),
            (format!(r#"{base},"stream":["a"]"#), Err("its stream is no text")),
            (format!(r#"{base},"stream":null"#), Err("its stream is no text")),
            (format!(r#"{base},"stream_id":7"#), Err("its stream_id is no text")),
        ] {
            assert_eq!(claims(&format!("{{{json}}}")), expected, "{json}");
        }
    }

    #[test]
    fn claims_are_read_as_they_were_written() {
        let all = Claims {
            begins_s: Some(1),
            stream: StreamPattern::parse("a \"b\"/ü/*"),
            stream_id: Some("\\".to_owned()),
            ..least()
        };
        for expected in [least(), all] {
            assert_eq!(claims(&expected.to_json()), Ok(expected));
        }
    }

    #[test]
    fn a_path_has_to_be_admitted_by_both_claims() {
        for (stream, stream_id, path, is_admitted) in [
            (None, None, "a/b", true),
            (Some("a/*"), None, "a/b", true),
            (Some("a/*"), None, "b", false),
            (None, Some("a/b"), "a/b", true),
            (None, Some("a/b"), "a/b/c", false),
            // The earlier system knew no patterns.
            (None, Some("a/*"), "a/b", false),
            (None, Some("a/*"), "a/*", true),
            (None, Some("*"), "a", false),
            (Some("a/*"), Some("a/b"), "a/b", true),
            (Some("a/*"), Some("a/b"), "a/c", false),
            (Some("a/*"), Some("b"), "b", false),
            (Some("a"), Some("b"), "a", false),
        ] {
            let stream_id = stream_id.map(str::to_owned);
            let claims = Claims { stream: stream.and_then(StreamPattern::parse), stream_id, ..least() };
            assert_eq!(claims.admits_path(path), is_admitted, "{claims:?} {path}");
        }
    }
}
