//! The result of one test of the suite.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

/// What separates a group's name from the names in it.
pub(super) const SEPARATOR: &str = " > ";

/// A test that ran.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestResult {
    /// Its groups and its name, with `#2` and so on if the suite uses the same name again.
    pub(super) name: String,
    /// The outermost group.
    pub(super) group: String,
    /// Whether it passed.
    pub(super) passed: bool,
    /// Whether it did not run, because of a filter or of the suite itself.
    pub(super) skipped: bool,
    /// The first error.
    pub(super) error: String,
}

/// Reads what `reporter.mjs` writes: one line of JSON for each test.
pub(super) fn parse(lines: &str) -> Result<Vec<TestResult>> {
    let mut seen = BTreeMap::<String, u32>::new();
    let parse_line = |line: &str| {
        let json: Value = serde_json::from_str(line).with_context(|| format!("no JSON from the reporter: {line}"))?;
        let path = json["path"].as_array().context("a test without a path")?;
        let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        let mut name = path.join(SEPARATOR);
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            name.push_str(&format!(" #{times}"));
        }
        let group = path.first().copied().unwrap_or_default().to_owned();
        let error = json["error"].as_str().unwrap_or("it did not run").to_owned();
        let state = &json["state"];
        Ok(TestResult { name, group, passed: state == "passed", skipped: state == "skipped", error })
    };
    lines.lines().map(parse_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_used_again_is_numbered() {
        let line = r#"{"path":["A","b"],"state":"passed","ms":1,"error":null}"#;
        let other = r#"{"path":["A","c"],"state":"failed","ms":1,"error":"no"}"#;
        let results = parse(&format!("{line}\n{other}\n{line}\n")).unwrap();
        let names: Vec<_> = results.iter().map(|result| (result.name.as_str(), result.passed)).collect();
        assert_eq!(names, [("A > b", true), ("A > c", false), ("A > b #2", true)]);
        assert_eq!((results[1].group.as_str(), results[1].error.as_str()), ("A", "no"));
    }
}
