//! Words that must not be there.

use super::source::Source;

/// Code that core must not hold, and what to use instead.
const CORE: &[(&str, &str)] = &[
    ("std::time", "time is an argument: `now_ms`"),
    ("SystemTime", "time is an argument: `now_ms`"),
    ("Instant", "time is an argument: `now_ms`"),
    ("std::thread", "core knows no threads"),
    ("tokio", "core knows no runtime: use the traits of `runtime`"),
    ("rand::rng", "randomness comes from `Isolate::fill_random`"),
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("select!", "which branch wins is not ours to leave open: await in an order"),
    (".unwrap()", "answer with an error, or make the type say that it cannot fail"),
    (".expect(", "answer with an error, or make the type say that it cannot fail"),
    ("panic!", "a panic loses the whole isolate: answer with an error"),
    ("todo!", "a panic loses the whole isolate: answer with an error"),
    ("unreachable!", "a panic loses the whole isolate: make the type say so, or answer with an error"),
];

/// SQL that differs from run to run, in lower case.
const SQL: &[&str] = &["random()", "datetime(", "current_timestamp", "'now'"];

/// Words for no file at all, in two parts each, so that they do not stand here.
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

/// Checks a file of core, except for its tests.
pub(super) fn core(path: &str, text: &str) -> Vec<(usize, String)> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let source = Source::parse(text).without_tests();
    let mut findings = Vec::new();
    for (line, code) in source.lines() {
        for (word, instead) in CORE {
            if holds(code, word) {
                findings.push((line, format!("core must not hold `{word}`: {instead}")));
            }
        }
        if indexes_by_literal(code) {
            findings.push((line, "core must not index by a literal: use `first`, `get` or a pattern".to_owned()));
        }
    }
    for (line, string) in &source.strings {
        let sql = string.to_lowercase();
        // Outside of SQL, `now` is an offset of the protocol.
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
    // Cargo itself writes the index it has used into its lock file.
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

/// Whether the word stands in the line, not as a part of a longer one.
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

/// Whether something is indexed by digits alone; `[0; 4]` and `[1, 2]` are arrays.
fn indexes_by_literal(code: &str) -> bool {
    code.match_indices('[').any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let indexed = before.is_some_and(|letter| letter.is_alphanumeric() || "_)]".contains(letter));
        let inside = code[at + 1..].split(']').next().unwrap_or_default();
        indexed && !inside.is_empty() && inside.chars().all(|letter| letter.is_ascii_digit() || letter == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(findings: &[(usize, String)], lines: &[usize]) {
        assert_eq!(findings.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{findings:?}");
    }

    #[test]
    fn core_holds_no_clock_no_order_by_chance_and_no_panic() {
        let fires = [
            "use std::time::Duration;",
            "let x: Instant;",
            "let m = HashMap::new();",
            "tokio::spawn(f)",
            "futures::select! {}",
            "x.unwrap();",
            "x.expect(\"y\")",
            "panic!(\"no\")",
            "unreachable!()",
            "let first = list[0];",
            "let first = f()[12];",
            "sql(\"SELECT random()\")",
            "sql(\"INSERT INTO t VALUES (datetime('now'))\")",
        ];
        for text in fires {
            assert!(!core("core/src/stream/x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn core_may_hold_what_only_looks_alike() {
        let quiet = [
            "use time::Duration; // not std::time",
            "let x = InstantLike;",
            "x.unwrap_or(0); x.expected(); x.expect_err()",
            "let a: [u8; 4] = [0; 4]; #[allow(x)]",
            "let a = list[index];",
            "if offset == \"now\" {}",
            "const NOW: &str = \"'now' is the tail\";",
            "#[cfg(test)]\nmod tests {\n  fn f() { x.unwrap(); sql(\"SELECT random()\"); }\n}",
        ];
        for text in quiet {
            check(&core("core/src/stream/x.rs", text), &[]);
        }
        check(&core("core/src/stream/tests.rs", "x.unwrap()"), &[]);
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
