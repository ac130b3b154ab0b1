//! A project's record: what the edge knows of the project, as KV holds it and the project's object keeps it.
//!
//! It is JSON: `{"version":1,"keys":[{"id":"..","secret":"..","created":..}],"origins":[".."]}`, the newest key first, or
//! `{"version":2,"deleted":true}`. A secret is base64url without padding, and a time is in ms since the Unix epoch.
//!
//! The earlier system's records are read, too: `{"signingSecret":".."}` and `{"signingSecrets":[".."],"corsOrigins":[".."]}`.
//! There a key is the text's own bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{KeyRing, Origins};
use crate::protocol::members::{Members, WrongType};

/// A key of a project.
#[derive(Clone, PartialEq, Eq)]
pub struct ProjectKey {
    /// Its id, which tokens name.
    pub id: String,
    /// Its bytes.
    pub secret: Vec<u8>,
    /// When it was made, in ms since the Unix epoch; 0 if that is not known.
    pub created_ms: u64,
}

impl ProjectKey {
    /// Its bytes as operators are told them: base64url without padding.
    pub fn secret_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.secret)
    }
}

/// Tells nothing of its bytes: it may get into a log.
impl fmt::Debug for ProjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProjectKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is known of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectRecord {
    /// How often it has changed. 0 for a record of the earlier system.
    pub version: u64,
    /// Its keys, the newest first. All verify.
    pub keys: Vec<ProjectKey>,
    /// The origins whose scripts may read its streams, as [`Origins::parse`] takes them.
    pub origins: Vec<String>,
    /// Whether the project is no more.
    pub is_deleted: bool,
}

impl ProjectRecord {
    /// As KV holds it.
    pub fn encode(&self) -> String {
        if self.is_deleted {
            return format!(r#"{{"version":{},"deleted":true}}"#, self.version);
        }
        // An id needs no escape.
        let key = |key: &ProjectKey| {
            format!(r#"{{"id":"{}","secret":"{}","created":{}}}"#, key.id, key.secret_text(), key.created_ms)
        };
        let keys: Vec<String> = self.keys.iter().map(key).collect();
        let origins = serde_json::Value::from(self.origins.clone());
        format!(r#"{{"version":{},"keys":[{}],"origins":{origins}}}"#, self.version, keys.join(","))
    }

    /// From what KV holds; `None` if it is no record that this version knows.
    pub fn decode(text: &str) -> Option<Self> {
        let members = Members::parse(text.as_bytes())?;
        Self::of(&members).ok()?
    }

    fn of(members: &Members<'_>) -> Result<Option<Self>, WrongType> {
        let Some(version) = members.integer("version")? else { return Self::imported(members) };
        if members.has("deleted") {
            return Ok(Some(Self { version, is_deleted: true, ..Self::default() }));
        }
        let Some(listed) = members.list("keys")? else { return Ok(None) };
        let mut keys = Vec::with_capacity(listed.len());
        for key in listed {
            let (id, secret) = (key.text("id")?.ok_or(WrongType)?, key.text("secret")?.ok_or(WrongType)?);
            let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| WrongType)?;
            keys.push(ProjectKey { id, secret, created_ms: key.integer("created")?.unwrap_or_default() });
        }
        let origins = members.texts("origins")?.unwrap_or_default();
        Ok(Some(Self { version, keys, origins, is_deleted: false }))
    }

    /// A record of the earlier system.
    fn imported(members: &Members<'_>) -> Result<Option<Self>, WrongType> {
        let mut secrets: Vec<String> = members.text("signingSecret")?.into_iter().collect();
        secrets.extend(members.texts("signingSecrets")?.unwrap_or_default());
        if secrets.is_empty() {
            return Ok(None);
        }
        let key = |(number, secret): (usize, String)| ProjectKey {
            id: format!("imported-{number}"),
            secret: secret.into_bytes(),
            created_ms: 0,
        };
        let keys = (1..).zip(secrets).map(key).collect();
        let origins = members.texts("corsOrigins")?.unwrap_or_default();
        Ok(Some(Self { version: 0, keys, origins, is_deleted: false }))
    }

    /// Its keys as a ring; `None` if nothing verifies.
    pub fn key_ring(&self) -> Option<KeyRing> {
        KeyRing::of(self.keys.iter().map(|key| (key.id.as_str(), key.secret.as_slice())))
    }

    /// The origins whose scripts may read its streams. Those of the earlier system are not all as browsers write them.
    pub fn origins(&self, front_varies: bool) -> Origins {
        Origins::lenient(self.origins.clone(), front_varies)
    }

    /// Whether there is a project.
    pub fn is_there(&self) -> bool {
        !self.is_deleted && !self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &[u8], created_ms: u64) -> ProjectKey {
        ProjectKey { id: id.to_owned(), secret: secret.to_vec(), created_ms }
    }

    fn record(version: u64, keys: &[ProjectKey], origins: &[&str]) -> ProjectRecord {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        ProjectRecord { version, keys: keys.to_vec(), origins, is_deleted: false }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for (record, text) in [
            (
                record(3, &[key("b", &[255; 3], 7), key("a", b"", 0)], &["https://a.test"]),
                r#"{"version":3,"keys":[{"id":"b","secret":"____","created":7},{"id":"a","secret":"","created":0}],"origins":["https://a.test"]}"#,
            ),
            (record(1, &[], &[]), r#"{"version":1,"keys":[],"origins":[]}"#),
            (
                ProjectRecord { version: 9, is_deleted: true, ..ProjectRecord::default() },
                r#"{"version":9,"deleted":true}"#,
            ),
        ] {
            assert_eq!(record.encode(), text);
            assert_eq!(ProjectRecord::decode(text), Some(record));
        }
    }

    #[test]
    fn records_of_the_earlier_system_keep_verifying() {
        for (text, expected) in [
            (r#"{"signingSecret":"short"}"#, record(0, &[key("imported-1", b"short", 0)], &[])),
            (
                r#"{"signingSecrets":["é","b"],"corsOrigins":["*"],"other":1}"#,
                record(0, &[key("imported-1", "é".as_bytes(), 0), key("imported-2", b"b", 0)], &["*"]),
            ),
            (
                r#"{"signingSecret":"a","signingSecrets":["b"]}"#,
                record(0, &[key("imported-1", b"a", 0), key("imported-2", b"b", 0)], &[]),
            ),
        ] {
            let found = ProjectRecord::decode(text).expect("a record");
            assert_eq!(found, expected, "{text}");
            assert!(found.is_there());
            // Once it has changed it is one of ours, and its keys are the same.
            assert_eq!(ProjectRecord::decode(&found.encode()), Some(found));
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"version":1}"#,
            r#"{"version":"1","keys":[]}"#,
            r#"{"version":1,"keys":{}}"#,
            r#"{"version":1,"keys":[1]}"#,
            r#"{"version":1,"keys":[{"id":"a"}]}"#,
            r#"{"version":1,"keys":[{"id":"a","secret":"+"}]}"#,
            r#"{"version":1,"keys":[{"id":"a","secret":"","created":-1}]}"#,
            r#"{"version":1,"keys":[],"origins":[1]}"#,
            r#"{"signingSecret":1}"#,
            r#"{"signingSecrets":[]}"#,
            r#"{"signingSecret":"a","signingSecret":"b"}"#,
        ] {
            assert_eq!(ProjectRecord::decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_project_is_there_that_has_a_key_and_was_not_deleted() {
        let there = record(1, &[key("a", b"x", 1)], &[]);
        let deleted = ProjectRecord { is_deleted: true, ..there.clone() };
        assert!(there.is_there() && there.key_ring().is_some());
        assert!(!deleted.is_there() && !record(1, &[], &[]).is_there());
        assert_eq!(record(1, &[], &[]).key_ring(), None);
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let shown = format!("{:?}", record(1, &[key("first", &[7; 40], 1)], &[]));
        assert!(shown.contains("first") && !shown.contains("7, 7"), "{shown}");
    }
}
