//! The commands of `cargo sim` that documents show: there are such verbs and flags, and a failing seed becomes a kept
//! scenario as docs/simulator.md says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tailrace_sim::mutants::Entry;

/// The pages that show commands.
const PAGES: &[&str] = &["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/findings.md", SIMULATOR];
const SIMULATOR: &str = "docs/simulator.md";

/// How a command begins.
const SIM: &str = "cargo sim ";

/// The line before the block that shows the way from a failing seed to a kept scenario.
const WAY: &str = "## From a failing seed to a kept scenario";

fn read(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the simulator runs")
}

/// The arguments of every command of a page, in code blocks and in lines.
fn commands(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split(SIM)
        .skip(1)
        .map(|rest| rest.split(['`', '\n', '#']).next().unwrap_or_default().split_whitespace().collect())
}

#[test]
fn every_command_has_a_verb_and_flags_that_exist() {
    let mut helps: BTreeMap<&str, String> = BTreeMap::new();
    let pages: Vec<(&str, String)> = PAGES.iter().map(|page| (*page, read(page))).collect();
    for (page, text) in &pages {
        for arguments in commands(text) {
            let Some((verb, rest)) = arguments.split_first().filter(|(verb, _)| !verb.starts_with("--")) else {
                assert_eq!(arguments, ["--help"], "{page}: cargo sim {}", arguments.join(" "));
                continue;
            };
            let help = helps.entry(verb).or_insert_with(|| {
                let output = sim(&[verb, "--help"]);
                assert!(output.status.success(), "{page}: `cargo sim {verb}` is no verb");
                String::from_utf8_lossy(&output.stdout).into_owned()
            });
            for flag in rest.iter().filter(|word| word.starts_with("--")) {
                let is_known = help.split_whitespace().any(|word| word.trim_end_matches(',') == *flag);
                assert!(is_known, "{page}: `cargo sim {verb}` has no flag {flag}");
            }
        }
    }
    assert!(helps.len() >= 4, "hardly a command was found: {:?}", helps.keys());
}

#[test]
fn a_failing_seed_becomes_a_kept_scenario_by_the_commands_of_the_page() {
    let text = read(SIMULATOR);
    let way = text.split(WAY).nth(1).and_then(|way| way.split("```").nth(1)).expect("the block of the way");
    let lines: Vec<&str> = way.lines().filter(|line| line.starts_with(SIM)).collect();
    assert!(lines.len() >= 5, "{way}");
    let seed = Entry::named("dedupe-off").and_then(|entry| entry.hunt(0)).expect("it is caught").seed.to_string();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("from-the-page.txt");
    fs::remove_file(&kept).ok();
    for line in lines {
        let (command, told) = line.split_once('#').unwrap_or((line, ""));
        let arguments: Vec<&str> = command[SIM.len()..]
            .split_whitespace()
            .map(|word| match word {
                "SEED" => seed.as_str(),
                "tests/scenarios/NAME.txt" => kept.to_str().expect("a path of text"),
                _ => word,
            })
            .collect();
        let output = sim(&arguments);
        assert_eq!(
            output.status.success(),
            !told.contains("fails"),
            "{line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(kept.is_file(), "nothing was kept");
}
