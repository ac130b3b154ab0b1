//! Words that files must not contain.

use super::source::Source;

/// SQL that differs from run to run, in lower case.
const SQL: &[&str] = &["random()", "datetime(", "current_timestamp", "'now'"];

/// Words that no file may contain. Each is written in two parts, so that this file does not contain it.
const EVERYWHERE: &[(&str, &str, &str)] = &[
    ("TO", "DO", "do it, or say in docs/ what is missing"),
    ("FIX", "ME", "fix it, or say in docs/ what is wrong"),
    ("X", "XX", "say what is meant"),
    ("crates", ".io", "name no registry's host: a mirror may stand in its place"),
    ("npmjs", ".org", "name no registry's host: a mirror may stand in its place"),
    ("npmjs", ".com", "name no registry's host: a mirror may stand in its place"),
    ("yarnpkg", ".com", "name no registry's host: a mirror may stand in its place"),
    ("pypi", ".org", "name no registry's host: a mirror may stand in its place"),
];

/// Checks the SQL of a file of core, except for its tests. What code core must not hold, clippy says
/// (core/clippy.toml).
pub(super) fn sql(path: &str, text: &str) -> Vec<(usize, String)> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let source = Source::parse(text).without_tests();
    let mut findings = Vec::new();
    for (line, string) in &source.strings {
        let sql = string.to_lowercase();
        // Outside of SQL, `now` is the protocol's offset.
        if !["select ", "insert ", "update ", "delete ", "create "].iter().any(|verb| sql.contains(verb)) {
            continue;
        }
        for word in SQL.iter().filter(|word| sql.contains(**word)) {
            findings.push((*line, format!("SQL must not hold `{word}`: bind the value, so that a run repeats")));
        }
    }
    findings
}

/// Only one file names the simulator's executor, so that it can be replaced.
pub(super) fn executor(path: &str, text: &str) -> Vec<(usize, String)> {
    if !path.ends_with(".rs") || path == "sim/src/kernel/rt.rs" {
        return Vec::new();
    }
    let source = Source::parse(text);
    let lines = source.lines().filter(|(_, code)| {
        // The guard that asks whether the executor's cfg is set has to name it.
        holds(&code.replace("cfg(madsim)", "").replace("cfg(not(madsim))", ""), "madsim")
    });
    lines
        .map(|(line, _)| (line, "only sim/src/kernel/rt.rs may name madsim: add what is missing there".to_owned()))
        .collect()
}

/// Checks any file.
pub(super) fn everywhere(path: &str, text: &str) -> Vec<(usize, String)> {
    // Cargo itself writes the registry that it has used into its lock file.
    if path == "Cargo.lock" || path.ends_with("/Cargo.lock") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (start, end, instead) in EVERYWHERE {
            let word = format!("{start}{end}");
            if holds(line, &word) {
                findings.push((index + 1, format!("`{word}` must not be here: {instead}")));
            }
        }
    }
    findings
}

/// Whether the line contains the word, not as a part of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let starts = !word.starts_with(is_part) || !before.is_some_and(is_part);
        let ends = !word.ends_with(is_part) || !after.is_some_and(is_part);
        starts && ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(findings: &[(usize, String)], lines: &[usize]) {
        assert_eq!(findings.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{findings:?}");
    }

    #[test]
    fn sql_of_core_gives_the_same_in_every_run() {
        let fires = ["sql(\"SELECT random()\")", "sql(\"INSERT INTO t VALUES (datetime('now'))\")"];
        for text in fires {
            assert!(!sql("core/src/stream/x.rs", text).is_empty(), "{text}");
        }
        let quiet = [
            "if offset == \"now\" {}",
            "const NOW: &str = \"'now' is the tail\";",
            "#[cfg(test)]\nmod tests {\n  fn f() { sql(\"SELECT random()\"); }\n}",
        ];
        for text in quiet {
            check(&sql("core/src/stream/x.rs", text), &[]);
        }
        check(&sql("core/src/stream/tests.rs", "sql(\"SELECT random()\")"), &[]);
    }

    #[test]
    fn one_file_alone_names_the_executor() {
        check(&executor("sim/src/world/platform.rs", "a\nuse madsim::time;"), &[2]);
        check(&executor("sim/src/kernel/rt.rs", "use madsim::time;"), &[]);
        check(&executor("sim/src/lib.rs", "#[cfg(not(madsim))]\n// madsim\ncompile_error!(\"madsim\");"), &[]);
    }

    #[test]
    fn some_words_are_for_no_file() {
        let word = ["TO", "DO"].concat();
        check(&everywhere("docs/a.md", &format!("a\n{word}: b")), &[2]);
        check(&everywhere("docs/a.md", &format!("a{word}b {}", word.to_lowercase())), &[]);
        let host = ["https://index.crates", ".io/"].concat();
        check(&everywhere(".cargo/config.toml", &host), &[1]);
        check(&everywhere("Cargo.lock", &host), &[]);
    }
}
