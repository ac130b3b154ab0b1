//! Results and expectations compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::expectation::Expectations;
use super::result::TestResult;

/// How many tests of one group, or of all groups, passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    expected: usize,
    failed: usize,
}

/// The verdict on a run.
pub(super) struct Verdict {
    groups: Vec<(String, Tally)>,
    reasons: BTreeMap<String, usize>,
    /// All problems; a run without any has succeeded.
    pub(super) problems: Vec<Problem>,
}

/// Something wrong with a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// A test that must pass has failed.
    Failed {
        /// Full name.
        name: String,
        /// Its first error.
        error: String,
    },
    /// A test that is listed has passed.
    Passed {
        /// Full name.
        name: String,
    },
    /// A listed name that the suite does not have.
    Unknown {
        /// The name as listed.
        name: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { name, error } => {
                let error = error.lines().next().unwrap_or_default();
                write!(out, "FAILED   {name}\n         {error}")
            }
            Self::Passed { name } => write!(out, "PASSED   {name}\n         strike it from the list"),
            Self::Unknown { name } => write!(out, "UNKNOWN  {name}\n         the suite has no such test"),
        }
    }
}

impl Verdict {
    /// Compares results with the list. `complete`: every test of the suite ran, so a listed name without a result is a
    /// problem.
    pub(super) fn of(results: &[TestResult], list: &Expectations, complete: bool) -> Self {
        let mut verdict = Self { groups: Vec::new(), reasons: BTreeMap::new(), problems: Vec::new() };
        for result in results {
            if verdict.groups.last().is_none_or(|(group, _)| *group != result.group) {
                verdict.groups.push((result.group.clone(), Tally::default()));
            }
            let last = verdict.groups.len() - 1;
            let tally = &mut verdict.groups[last].1;
            let name = result.name.clone();
            match (result.passed, list.reasons.get(&name)) {
                (true, None) => tally.passed += 1,
                (true, Some(_)) => {
                    tally.passed += 1;
                    verdict.problems.push(Problem::Passed { name });
                }
                (false, None) => {
                    tally.failed += 1;
                    verdict.problems.push(Problem::Failed { name, error: result.error.clone() });
                }
                (false, Some(reason)) => {
                    tally.expected += 1;
                    *verdict.reasons.entry(reason.clone()).or_default() += 1;
                }
            }
        }
        if complete {
            let ran: BTreeSet<&str> = results.iter().map(|result| result.name.as_str()).collect();
            let unknown = list.reasons.keys().filter(|name| !ran.contains(name.as_str()));
            verdict.problems.extend(unknown.map(|name| Problem::Unknown { name: name.clone() }));
        }
        verdict
    }

    /// A table with a line for every group, for all groups together, and for every reason.
    pub(super) fn table(&self) -> String {
        let row = |name: &str, tally: &Tally| {
            let total = tally.passed + tally.expected + tally.failed;
            format!("{name:<40} {:>7} {:>9} {:>7} {total:>6}\n", tally.passed, tally.expected, tally.failed)
        };
        let mut table = format!("{:<40} {:>7} {:>9} {:>7} {:>6}\n", "group", "passed", "not yet", "failed", "total");
        let mut all = Tally::default();
        for (name, tally) in &self.groups {
            all.passed += tally.passed;
            all.expected += tally.expected;
            all.failed += tally.failed;
            table.push_str(&row(name, tally));
        }
        table.push_str(&row("all", &all));
        for (reason, count) in &self.reasons {
            table.push_str(&format!("not yet, {count}: {reason}\n"));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(results: &[(&str, bool)], list: &str, complete: bool, problems: &[Problem], all: (usize, usize, usize)) {
        let result = |&(name, passed): &(&str, bool)| TestResult {
            name: name.to_owned(),
            group: name.split(' ').next().unwrap_or_default().to_owned(),
            passed,
            skipped: false,
            error: "why\nmore".to_owned(),
        };
        let results: Vec<_> = results.iter().map(result).collect();
        let verdict = Verdict::of(&results, &Expectations::parse(list).unwrap(), complete);
        assert_eq!(verdict.problems, problems);
        let sum = |part: fn(&Tally) -> usize| verdict.groups.iter().map(|(_, tally)| part(tally)).sum::<usize>();
        assert_eq!((sum(|t| t.passed), sum(|t| t.expected), sum(|t| t.failed)), all);
    }

    #[test]
    fn listed_failures_are_no_problem() {
        check(&[("A > a", true), ("A > b", false)], "[later]\nA > b", true, &[], (1, 1, 0));
    }

    #[test]
    fn an_unlisted_failure_a_listed_success_and_an_unknown_name_are_problems() {
        let failed = Problem::Failed { name: "A > a".to_owned(), error: "why\nmore".to_owned() };
        let passed = Problem::Passed { name: "A > b".to_owned() };
        let unknown = Problem::Unknown { name: "B".to_owned() };
        check(&[("A > a", false), ("A > b", true)], "[x]\nA > b\nB", true, &[failed, passed, unknown], (1, 0, 1));
    }

    #[test]
    fn a_filtered_run_does_not_know_which_names_exist() {
        check(&[("A > a", true)], "[x]\nB", false, &[], (1, 0, 0));
    }
}
