//! A key as its holder has it, and what it signs.

use tailrace_core::protocol::Headers;

use crate::tailrace::{Claims, KeyRing, Scope, mint};

/// For how long tokens last, in s: longer than any run.
const LASTS_S: u64 = 10_000_000;

/// A key of a project, as whoever was told it has it.
#[derive(Clone, Debug)]
pub struct HeldKey {
    /// The project for which it was made.
    pub project: String,
    /// Its id.
    pub id: String,
    ring: KeyRing,
}

impl HeldKey {
    /// From its id and its secret in base64url; `None` if that is none.
    pub(super) fn of(project: &str, id: &str, secret: &str) -> Option<Self> {
        let ring = KeyRing::parse(&format!("{id}:{secret}")).ok()?;
        Some(Self { project: project.to_owned(), id: id.to_owned(), ring })
    }

    /// Header fields with a token that it signs for a project, at this time in ms since the Unix epoch.
    pub(super) fn fields(&self, project: &str, scope: Scope, now_ms: u64) -> Headers {
        let claims = Claims {
            project: project.to_owned(),
            scope,
            expires_s: now_ms / 1_000 + LASTS_S,
            begins_s: None,
            stream: None,
            stream_id: None,
        };
        let token = mint(&self.ring, &claims).expect("a project's name is short");
        let mut fields = Headers::default();
        fields.push("authorization", format!("Bearer {token}"));
        fields
    }
}
