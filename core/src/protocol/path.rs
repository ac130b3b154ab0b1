//! Projects and stream paths.

use super::limits::{PATH_LIMIT, PROJECT_LIMIT};
use super::query::decode;
use super::{ErrorCode, Refusal};

/// The project of single-project mode.
const DEFAULT_PROJECT: &str = "_default";

/// The first segment of a project that is reserved for the protocol's control APIs (protocol, section 6).
const RESERVED: &str = "__ds";

/// Whether the first segment of a path names a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectMode {
    /// All paths belong to one project.
    Single,
    /// The first segment is the project.
    Multi,
}

/// What a path below the stream route names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamTarget {
    /// A stream.
    Stream(ObjectName),
    /// A control API of the protocol.
    Reserved,
}

/// The name of a stream's object: `{project}/{path}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StreamTarget {
    /// From the path after the stream route, percent-encoded and without a leading slash.
    pub fn parse(mode: ProjectMode, encoded: &str) -> Result<Self, Refusal> {
        let decoded = decode(encoded, false);
        let (project, path) = match mode {
            ProjectMode::Single => (DEFAULT_PROJECT, decoded.as_str()),
            ProjectMode::Multi => {
                let (project, path) = decoded.split_once('/').unwrap_or((&decoded, ""));
                let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                if !(1..=PROJECT_LIMIT).contains(&project.len()) || !project.bytes().all(known) || project == RESERVED {
                    let message = "a project is 1 to 64 of A-Z a-z 0-9 _ - and not __ds";
                    return Err(Refusal::new(ErrorCode::InvalidProject, message));
                }
                (project, path)
            }
        };
        if path.split('/').next() == Some(RESERVED) {
            return Ok(Self::Reserved);
        }
        if path.is_empty() || path.len() > PATH_LIMIT || !path.bytes().all(is_path_byte) {
            let message = "a stream path is 1 to 512 of A-Z a-z 0-9 _ . : ~ / -";
            return Err(Refusal::new(ErrorCode::InvalidPath, message));
        }
        if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Refusal::new(ErrorCode::InvalidPath, "a path segment is empty, . or .."));
        }
        Ok(Self::Stream(ObjectName(format!("{project}/{path}"))))
    }
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.:~/-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: ProjectMode, path: &str, expected: Result<Option<&str>, ErrorCode>) {
        let parsed = StreamTarget::parse(mode, path).map_err(|refusal| refusal.code);
        let expected = expected.map(|name| match name {
            Some(name) => StreamTarget::Stream(ObjectName(name.to_owned())),
            None => StreamTarget::Reserved,
        });
        assert_eq!(parsed, expected, "{path}");
    }

    #[test]
    fn in_single_project_mode_the_whole_path_is_the_stream() {
        let single = |path: &str, expected: Result<Option<&str>, ErrorCode>| check(ProjectMode::Single, path, expected);
        single("a", Ok(Some("_default/a")));
        single("a/b~c.d:e_f-9", Ok(Some("_default/a/b~c.d:e_f-9")));
        single("a%2Fb", Ok(Some("_default/a/b")));
        single("__ds", Ok(None));
        single("__ds/subscriptions/x", Ok(None));
        single("%5F_ds/subscriptions/x", Ok(None));
        single("a/__ds", Ok(Some("_default/a/__ds")));
        for path in ["", "/", "a/", "/a", "a//b", "a/./b", "..", "a/%2e%2e/b", "a b", "a%20b", "ä", "a%00", "a%"] {
            single(path, Err(ErrorCode::InvalidPath));
        }
        let longest = "a".repeat(PATH_LIMIT);
        single(&longest, Ok(Some(&format!("_default/{longest}"))));
        single(&"a".repeat(PATH_LIMIT + 1), Err(ErrorCode::InvalidPath));
    }

    #[test]
    fn in_multi_project_mode_the_first_segment_is_the_project() {
        let multi = |path: &str, expected: Result<Option<&str>, ErrorCode>| check(ProjectMode::Multi, path, expected);
        multi("p/a/b", Ok(Some("p/a/b")));
        multi("p/__ds/x", Ok(None));
        multi("p", Err(ErrorCode::InvalidPath));
        multi("p/", Err(ErrorCode::InvalidPath));
        for path in ["__ds/a", "p.q/a", "/a", &format!("{}/a", "p".repeat(PROJECT_LIMIT + 1))] {
            multi(path, Err(ErrorCode::InvalidProject));
        }
    }
}
