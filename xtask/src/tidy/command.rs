//! Commands of documents exist: verbs, flags and steps of `cargo xtask`, packages and tests of `cargo test`. Those of
//! `cargo sim` are a test of the simulator.

use clap::Parser;

use super::{Files, Finding};
use crate::{Cli, Verb, test};

/// The beginning of the commands that are checked here.
const XTASK: &str = "cargo xtask ";
const TEST: &str = "cargo test ";

/// Checks every document.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (index, line) in text.lines().enumerate() {
            let xtask = commands(line, XTASK).filter_map(|words| of_xtask(&words));
            let tests = commands(line, TEST).filter_map(|words| of_test(files, &words));
            let found = xtask.chain(tests);
            findings.extend(found.map(|message| Finding { path: path.clone(), line: index + 1, message }));
        }
    }
    findings
}

/// The words of each command in a line that begins with `start`, up to the end of its code or to a comment.
fn commands<'a>(line: &'a str, start: &'a str) -> impl Iterator<Item = Vec<&'a str>> {
    let ends = |rest: &'a str| rest.split(['`', '#', ';']).next().unwrap_or_default();
    line.split(start).skip(1).map(move |rest| ends(rest).split_whitespace().collect())
}

/// What is wrong with a command of `cargo xtask`.
fn of_xtask(words: &[&str]) -> Option<String> {
    // `cargo xtask …` stands for any verb.
    if words == ["…"] {
        return None;
    }
    let told = |problem: String| Some(format!("`{XTASK}{}`: {problem}", words.join(" ")));
    match Cli::try_parse_from([&["cargo xtask"], words].concat()) {
        Err(error) if error.use_stderr() => told(error.to_string().lines().next().unwrap_or_default().to_owned()),
        Ok(Cli { verb: Verb::Test(arguments), .. }) => {
            test::unknown_step(&arguments).and_then(|step| told(format!("there is no step {step:?}")))
        }
        _ => None,
    }
}

/// What is wrong with a command of `cargo test`: a package without a manifest, a test without a file.
fn of_test(files: &Files, words: &[&str]) -> Option<String> {
    let is_package = |name: &str| {
        let line = format!("name = \"{name}\"");
        files.iter().any(|(path, text)| path.ends_with("Cargo.toml") && text.lines().any(|text| text == line))
    };
    let is_test = |name: &str| {
        let places = [format!("/tests/{name}.rs"), format!("/tests/{name}/main.rs")];
        files.keys().any(|path| places.iter().any(|place| path.ends_with(place)))
    };
    words.windows(2).find_map(|pair| match pair {
        ["--package" | "-p", name] if !is_package(name) => Some(format!("`{TEST}`: there is no package {name}")),
        ["--test", name] if !is_test(name) => Some(format!("`{TEST}`: there is no file tests/{name}.rs")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(line: &str, count: usize) {
        let manifest = "[package]\nname = \"tailrace-tests\"\n";
        let files = [
            ("README.md", line),
            ("tests/Cargo.toml", manifest),
            ("tests/tests/seeds.rs", ""),
            ("core/tests/rules/main.rs", ""),
        ];
        let found = check(&files.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
        assert_eq!(found.len(), count, "{line}: {found:?}");
    }

    #[test]
    fn commands_that_exist_are_fine() {
        finds("`cargo xtask dev`, `cargo xtask …`, `cargo xtask test --list` and `cargo xtask --help`", 0);
        finds("cargo xtask test native conformance  # two steps", 0);
        finds("`cargo xtask bench append --against COMMIT`, `cargo xtask fuzz json --seconds 60`", 0);
        finds("`cargo test`, `cargo test --package tailrace-tests --test seeds`, `cargo test --test rules`", 0);
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        finds("`cargo xtask serve` and `cargo xtask dev --fast`", 2);
        finds("`cargo xtask test nativ`", 1);
        finds("`cargo test --package tailrace-test`, `cargo test --test seed`", 2);
    }
}
