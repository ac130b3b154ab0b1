//! Kept scenarios. Each file of `tests/scenarios/` is a scenario, shrunk, that once violated an invariant. Each holds
//! every invariant now, and belongs to an entry of `docs/findings.md` that names it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tailrace_sim::scenario::Scenario;
use tailrace_sim::swarm::judge;

/// The folder of the kept scenarios, from the root of the repository, as entries name it.
const FOLDER: &str = "tests/scenarios/";

/// Under how many schedules each scenario is played, beginning with the one that showed the bug. One would not be
/// enough: a small change of the program changes the order of what happens.
const SCHEDULES: u64 = 12;

/// A comment at the top of a file, with the title of the entry that it belongs to.
const FINDING: &str = "# Finding: ";

/// Kept scenarios: the name of each file, and its text.
type Files = BTreeMap<String, String>;

fn from_root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn files() -> Files {
    let entries = fs::read_dir(from_root(FOLDER)).unwrap_or_else(|error| panic!("{FOLDER}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.map(|path| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_name().unwrap().to_string_lossy().into_owned(), text)
    });
    files.collect()
}

/// The problems of a file's text, or the violations when it is played under any of the schedules.
fn failures(text: &str) -> Vec<String> {
    let kept: Scenario = match text.parse() {
        Ok(scenario) => scenario,
        Err(error) => return vec![format!("{error}")],
    };
    if kept.events.is_empty() {
        return vec!["nothing happens in it".to_owned()];
    }
    let schedules = (0..SCHEDULES).map(|offset| kept.schedule.wrapping_add(offset));
    let played = schedules.map(|schedule| (schedule, judge(&Scenario { schedule, ..kept.clone() }, None, false)));
    let failed = played.filter(|(_, verdict)| !verdict.violations.is_empty());
    failed.map(|(schedule, verdict)| format!("under schedule {schedule}: {:#?}", verdict.violations)).collect()
}

/// The names of files in the folder that a text holds.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split(FOLDER).skip(1).map(|rest| rest.split(['`', ' ', '\n', ')']).next().unwrap_or_default())
}

/// The files without an entry that names them, and the names in entries without a file.
fn mismatches(files: &Files, findings: &str) -> Vec<String> {
    let mut mismatches = Vec::new();
    if files.is_empty() {
        mismatches.push(format!("{FOLDER} is empty"));
    }
    let mut entries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in findings.split("\n## ").skip(1) {
        let title = entry.lines().next().unwrap_or_default();
        named(entry).for_each(|name| entries.entry(name).or_default().push(title));
    }
    for (name, titles) in &entries {
        if !files.contains_key(*name) {
            mismatches.push(format!("{FOLDER}{name} is not there, and {titles:?} names it"));
        }
    }
    for (name, text) in files {
        let titles = entries.get(name.as_str()).cloned().unwrap_or_default();
        let comments = text.lines().take_while(|line| line.starts_with('#'));
        let claims: Vec<&str> = comments.filter_map(|line| line.strip_prefix(FINDING)).collect();
        if titles.is_empty() {
            mismatches.push(format!("{FOLDER}{name}: no entry of docs/findings.md names it"));
        } else if claims != titles {
            mismatches.push(format!("{FOLDER}{name}: its top says `{FINDING}` of {claims:?}, not {titles:?}"));
        }
    }
    mismatches
}

#[test]
fn every_kept_scenario_holds_under_several_schedules() {
    let files = files();
    assert!(!files.is_empty(), "{FOLDER} is empty");
    let failed = files
        .iter()
        .flat_map(|(name, text)| failures(text).into_iter().map(move |failure| format!("{FOLDER}{name} {failure}\n")));
    let failed: String = failed.collect();
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn kept_scenarios_and_findings_name_each_other() {
    let findings = fs::read_to_string(from_root("docs/findings.md")).expect("docs/findings.md");
    assert_eq!(mismatches(&files(), &findings), [""; 0]);
}

#[test]
fn text_that_is_no_scenario_and_one_in_which_nothing_happens_fail() {
    for (text, failure) in [
        ("# Finding: a\nstream json endless\nat 0 nobody", "line 3 is none of a scenario: \"at 0 nobody\""),
        ("# Finding: a\nstream json endless\n", "nothing happens in it"),
        ("", "nothing happens in it"),
    ] {
        assert_eq!(failures(text), [failure]);
    }
}

#[test]
fn files_without_an_entry_and_entries_without_a_file_are_found() {
    let findings =
        "# Findings\n\n## A\n\n- Test: `tests/scenarios/a.txt`.\n\n## B\n\n- Test: `b` (`tests/tests/b.rs`).\n";
    for (files, mismatch) in [
        (vec![("a.txt", "# Finding: A\nx")], None),
        (vec![], Some("tests/scenarios/ is empty")),
        (vec![("c.txt", "# Finding: A\nx")], Some("tests/scenarios/a.txt is not there")),
        (vec![("a.txt", "# Finding: A\nx"), ("c.txt", "# Finding: B\n")], Some("tests/scenarios/c.txt: no entry")),
        (vec![("a.txt", "# Finding: B\nx")], Some("tests/scenarios/a.txt: its top says")),
        (vec![("a.txt", "x\n# Finding: A\n")], Some("tests/scenarios/a.txt: its top says")),
    ] {
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let found = mismatches(&files, findings);
        match mismatch {
            None => assert_eq!(found, [""; 0]),
            Some(start) => assert!(found.first().is_some_and(|found| found.starts_with(start)), "{start}: {found:?}"),
        }
    }
}
