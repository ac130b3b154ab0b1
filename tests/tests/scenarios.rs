//! Scenarios that once showed a bug, each with the comment that says which: they hold all invariants, under many
//! schedules. `docs/findings.md` tells their stories.

use std::fs;
use std::path::PathBuf;

use tailrace_sim::report;
use tailrace_sim::scenario::Scenario;
use tailrace_sim::swarm::judge;

/// Schedules that each scenario is played under: the bug showed under one in a few.
const SCHEDULES: u64 = 24;

#[test]
fn no_scenario_that_once_showed_a_bug_shows_one_again() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the folder of scenarios").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let scenario: Scenario = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for offset in 0..SCHEDULES {
            let scenario = Scenario { schedule: scenario.schedule.wrapping_add(offset), ..scenario.clone() };
            let verdict = judge(&scenario, None, false);
            let first = verdict.violations.first().map(ToString::to_string);
            assert_eq!(first, None, "{}\n{scenario}\n{}", file.display(), report::history(&verdict.history));
        }
    }
}
