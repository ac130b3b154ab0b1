//! Projects and stream paths.

use super::limits::{PATH_LIMIT, PROJECT_LIMIT};
use super::percent;
use super::{ErrorCode, Refusal};

/// The project of single-project mode.
pub const DEFAULT_PROJECT: &str = "_default";

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

/// The name of a stream's object: `{project}/{path}`, the path decoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project, and the path within it.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

impl StreamTarget {
    /// From the path after the stream route, percent-encoded and without a leading slash. A plus is a plus.
    pub fn parse(mode: ProjectMode, encoded: &str) -> Result<Self, Refusal> {
        let Some(decoded) = percent::decode(encoded) else {
            let message = "the path is no percent-encoded UTF-8";
            return Err(Refusal::new(ErrorCode::InvalidPath, message));
        };
        let (project, path) = match mode {
            ProjectMode::Single => (DEFAULT_PROJECT, decoded.as_str()),
            ProjectMode::Multi => {
                let (project, path) = decoded.split_once('/').unwrap_or((&decoded, ""));
                check_project(project)?;
                (project, path)
            }
        };
        if path.split('/').next() == Some(RESERVED) {
            return Ok(Self::Reserved);
        }
        if path.is_empty() || path.len() > PATH_LIMIT || path.contains(is_forbidden) {
            let message = "a stream path is 1 to 512 bytes, without control characters and backslashes";
            return Err(Refusal::new(ErrorCode::InvalidPath, message));
        }
        if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Refusal::new(ErrorCode::InvalidPath, "a path segment is empty, . or .."));
        }
        Ok(Self::Stream(ObjectName(format!("{project}/{path}"))))
    }
}

/// Refuses what is no name of a project.
pub fn check_project(project: &str) -> Result<(), Refusal> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=PROJECT_LIMIT).contains(&project.len()) || !project.bytes().all(known) || project == RESERVED {
        let message = "a project is 1 to 64 of A-Z a-z 0-9 _ - and not __ds";
        return Err(Refusal::new(ErrorCode::InvalidProject, message));
    }
    Ok(())
}

/// Controls would break lines of logs and of messages, and parsers of URLs take a backslash for a slash.
fn is_forbidden(letter: char) -> bool {
    letter.is_control() || letter == '\\'
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
        for path in ["", "/", "a/", "/a", "a//b", "a/./b", "..", "a/%2e%2e/b", "%2E", "a/..", "a%2F", "%2Fa", "a/%2Fb"]
        {
            single(path, Err(ErrorCode::InvalidPath));
        }
        let longest = "ä".repeat(PATH_LIMIT / 2);
        let encoded = "%C3%A4".repeat(PATH_LIMIT / 2);
        for path in [&longest, &encoded] {
            single(path, Ok(Some(&format!("_default/{longest}"))));
            single(&format!("{path}a"), Err(ErrorCode::InvalidPath));
        }
    }

    #[test]
    fn a_path_is_any_utf_8_but_controls_and_backslashes_and_its_spellings_are_one() {
        let single = |path: &str, expected: Result<Option<&str>, ErrorCode>| check(ProjectMode::Single, path, expected);
        for spelling in ["ä b/+@,=%", "%C3%A4%20b/+@,=%25", "%c3%a4 b%2f%2B%40%2c%3d%25"] {
            let expected =
                if spelling.ends_with("=%") { Err(ErrorCode::InvalidPath) } else { Ok(Some("_default/ä b/+@,=%")) };
            single(spelling, expected);
        }
        single("...", Ok(Some("_default/...")));
        single("\u{fffd}\u{202e}日本🌊", Ok(Some("_default/\u{fffd}\u{202e}日本🌊")));
        let controls = (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32).chain(['\\']);
        for forbidden in controls {
            let path = format!("a{forbidden}b");
            single(&path, Err(ErrorCode::InvalidPath));
            single(&percent::encode_path(&path), Err(ErrorCode::InvalidPath));
        }
        for path in ["%FF", "a%C3", "%ED%A0%80", "a%", "a%4", "a%zz"] {
            single(path, Err(ErrorCode::InvalidPath));
        }
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
