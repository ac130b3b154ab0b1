//! The rules of a change: a pure function of the record.

use crate::protocol::limits::KEYS_LIMIT;
use crate::protocol::project::{ProjectKey, ProjectRecord};
use crate::protocol::{ErrorCode, Origins, Refusal};

/// What a change makes of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has a first key.
    Create(ProjectKey),
    /// It is no more.
    Delete,
    /// It has one more key, the newest.
    AddKey(ProjectKey),
    /// It has the key of that id no more.
    RemoveKey(String),
    /// It has these origins.
    SetOrigins(Vec<String>),
}

/// That there is no project.
pub(super) fn no_project() -> Refusal {
    Refusal::new(ErrorCode::ProjectNotFound, "there is no project of that name")
}

impl Change {
    /// The record after the change; `None` if that changes nothing.
    pub(super) fn apply(self, before: &ProjectRecord) -> Result<Option<ProjectRecord>, Refusal> {
        let mut after = ProjectRecord { version: before.version + 1, ..before.clone() };
        match self {
            Self::Create(_) if before.is_there() => return Ok(None),
            Self::Create(key) => {
                (after.keys, after.origins, after.is_deleted) = (vec![key], Vec::new(), false);
            }
            _ if !before.is_there() => return Err(no_project()),
            Self::Delete => {
                (after.keys, after.origins, after.is_deleted) = (Vec::new(), Vec::new(), true);
            }
            Self::AddKey(key) => {
                if before.keys.len() >= KEYS_LIMIT {
                    let message = format!("a project has {KEYS_LIMIT} keys at most; remove one first");
                    return Err(Refusal::new(ErrorCode::TooManyKeys, message));
                }
                after.keys.insert(0, key);
            }
            Self::RemoveKey(id) => {
                after.keys.retain(|key| key.id != id);
                if after.keys.len() == before.keys.len() {
                    return Err(Refusal::new(ErrorCode::KeyNotFound, "the project has no key of that id"));
                }
                if after.keys.is_empty() {
                    let message = "it is the project's last key; add another one first";
                    return Err(Refusal::new(ErrorCode::LastKey, message));
                }
            }
            Self::SetOrigins(origins) if before.origins == origins => return Ok(None),
            Self::SetOrigins(origins) => {
                Origins::parse(&origins, false).map_err(|wrong| Refusal::new(ErrorCode::InvalidOrigin, wrong))?;
                after.origins = origins;
            }
        }
        Ok(Some(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> ProjectKey {
        ProjectKey { id: id.to_owned(), secret: id.as_bytes().to_vec(), created_ms: 1 }
    }

    fn record(version: u64, ids: &[&str], origins: &[&str]) -> ProjectRecord {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        ProjectRecord { version, keys: ids.iter().map(|id| key(id)).collect(), origins, is_deleted: false }
    }

    #[test]
    fn each_change_makes_the_next_version_or_is_refused() {
        let nothing = ProjectRecord::default();
        let gone = ProjectRecord { version: 4, is_deleted: true, ..ProjectRecord::default() };
        let full = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let origins =
            |origins: &[&str]| Change::SetOrigins(origins.iter().map(|origin| (*origin).to_owned()).collect());
        for (before, change, expected) in [
            (nothing.clone(), Change::Create(key("a")), Ok(Some(record(1, &["a"], &[])))),
            (gone.clone(), Change::Create(key("a")), Ok(Some(record(5, &["a"], &[])))),
            (record(1, &["a"], &["*"]), Change::Create(key("b")), Ok(None)),
            (
                record(3, &["a"], &["*"]),
                Change::Delete,
                Ok(Some(ProjectRecord { version: 4, is_deleted: true, ..ProjectRecord::default() })),
            ),
            (nothing.clone(), Change::Delete, Err(ErrorCode::ProjectNotFound)),
            (gone.clone(), Change::Delete, Err(ErrorCode::ProjectNotFound)),
            (gone.clone(), Change::AddKey(key("a")), Err(ErrorCode::ProjectNotFound)),
            (gone, origins(&[]), Err(ErrorCode::ProjectNotFound)),
            (nothing, Change::RemoveKey("a".to_owned()), Err(ErrorCode::ProjectNotFound)),
            // The newest mints.
            (record(1, &["a"], &["*"]), Change::AddKey(key("b")), Ok(Some(record(2, &["b", "a"], &["*"])))),
            (
                record(1, &full[..7], &[]),
                Change::AddKey(key("z")),
                Ok(Some(record(2, &["z", "a", "b", "c", "d", "e", "f", "g"], &[]))),
            ),
            (record(1, &full, &[]), Change::AddKey(key("z")), Err(ErrorCode::TooManyKeys)),
            (record(1, &["b", "a"], &[]), Change::RemoveKey("a".to_owned()), Ok(Some(record(2, &["b"], &[])))),
            (record(1, &["b", "a"], &[]), Change::RemoveKey("c".to_owned()), Err(ErrorCode::KeyNotFound)),
            (record(1, &["a"], &[]), Change::RemoveKey("a".to_owned()), Err(ErrorCode::LastKey)),
            (record(1, &["a"], &[]), origins(&["https://a.test"]), Ok(Some(record(2, &["a"], &["https://a.test"])))),
            (record(1, &["a"], &["*"]), origins(&[]), Ok(Some(record(2, &["a"], &[])))),
            (record(1, &["a"], &["*"]), origins(&["*"]), Ok(None)),
            (record(1, &["a"], &["*"]), origins(&["null"]), Err(ErrorCode::InvalidOrigin)),
        ] {
            let found = change.clone().apply(&before).map_err(|refusal| refusal.code);
            assert_eq!(found, expected, "{change:?} of {before:?}");
        }
    }
}
