//! No source file is too long.

use super::Files;

/// The most lines of a file.
const LIMIT: usize = 600;
/// The number of lines from which on a file counts as long.
const LONG: usize = 400;

/// Checks a source file.
pub(super) fn check(path: &str, text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().count();
    if is_source(path) && lines > LIMIT {
        return vec![(0, format!("{lines} lines, of {LIMIT} at the most: take a noun out of it"))];
    }
    Vec::new()
}

/// How many source files there are, and how many are long.
pub(super) fn summary(files: &Files) -> String {
    let sources: Vec<usize> =
        files.iter().filter(|(path, _)| is_source(path)).map(|(_, text)| text.lines().count()).collect();
    let long = sources.iter().filter(|lines| **lines > LONG).count();
    format!("{} of source, {} lines; {long} above {LONG} lines", sources.len(), sources.iter().sum::<usize>())
}

fn is_source(path: &str) -> bool {
    [".rs", ".mjs", ".js", ".ts"].iter().any(|extension| path.ends_with(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_have_a_limit() {
        let count = |path, lines| check(path, &"x\n".repeat(lines)).len();
        assert_eq!(count("core/src/lib.rs", LIMIT), 0);
        assert_eq!(count("core/src/lib.rs", LIMIT + 1), 1);
        assert_eq!(count("tests/a.mjs", LIMIT + 1), 1);
        assert_eq!(count("docs/findings.md", LIMIT + 1), 0);
    }
}
