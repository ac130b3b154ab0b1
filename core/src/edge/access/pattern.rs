//! Which streams a token is for.

use std::fmt;

/// What the claim `stream` says: one path, or all below one. Paths are compared as they are once decoded, so a `%` of a
/// pattern is a `%` of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPattern {
    /// This path alone.
    Exact(String),
    /// Every path that begins with this, which ends with a slash.
    Below(String),
}

impl StreamPattern {
    /// From the claim; `None` for a bare `*`, which may be meant for more than it would grant.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return None;
        }
        Some(match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('/') => Self::Below(prefix.to_owned()),
            _ => Self::Exact(text.to_owned()),
        })
    }

    /// Whether a path, decoded, is one of those.
    pub fn admits(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Below(prefix) => path.strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.is_empty()),
        }
    }
}

impl fmt::Display for StreamPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => formatter.write_str(exact),
            Self::Below(prefix) => write!(formatter, "{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_one_path_or_for_all_below_one() {
        for (pattern, path, is_admitted) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b", "a", false),
            ("a/b", "A/b", false),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", true),
            ("a/*", "a", false),
            ("a/*", "a/", false),
            ("a/*", "ab", false),
            ("a/*", "ab/c", false),
            ("a/b/*", "a/bc/d", false),
            ("a/b/*", "a/b/*", true),
            // A star is one only at the end, after a slash.
            ("a*", "ab", false),
            ("a*", "a*", true),
            ("a/*/c", "a/b/c", false),
            ("a/*/c", "a/*/c", true),
            ("a/**", "a/b", false),
            ("**", "a", false),
            // No path begins with a slash.
            ("/*", "a", false),
            ("", "a", false),
            // What is decoded is not decoded again.
            ("a%2Fb", "a/b", false),
            ("a%2Fb", "a%2Fb", true),
            ("ä b/*", "ä b/c", true),
        ] {
            let parsed = StreamPattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.admits(path), is_admitted, "{pattern} {path}");
            assert_eq!(parsed.to_string(), pattern);
        }
        assert_eq!(StreamPattern::parse("*"), None);
    }
}
