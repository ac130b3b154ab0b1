//! The list of tests that are not yet expected to pass. Each section begins with its reason in brackets and has one
//! full test name on each line; a line that begins with `#` is a comment.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Names of tests, each with the reason why it is not expected to pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expectations {
    /// Reason by name.
    pub(super) reasons: BTreeMap<String, String>,
}

impl Expectations {
    /// Reads the list.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut list = Self::default();
        let mut reason = None;
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(heading) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                reason = Some(heading.to_owned());
                continue;
            }
            let Some(reason) = &reason else { bail!("line {number}: a name before the first [reason]") };
            if list.reasons.insert(line.to_owned(), reason.clone()).is_some() {
                bail!("line {number}: `{line}` is listed twice");
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        match (Expectations::parse(text), expected) {
            (Ok(list), Ok(expected)) => {
                let pairs: Vec<_> = list.reasons.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
                assert_eq!(pairs, expected);
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (found, _) => panic!("{found:?} for {text:?}"),
        }
    }

    #[test]
    fn names_belong_to_the_heading_above_them() {
        check(
            "# why\n\n[live: later]\nA > b\n[forks]\nA > c #2\n",
            Ok(&[("A > b", "live: later"), ("A > c #2", "forks")]),
        );
        check("", Ok(&[]));
    }

    #[test]
    fn a_list_that_cannot_be_meant_is_refused() {
        check("A > b\n", Err("line 1: a name before the first [reason]"));
        check("[x]\nA\nA\n", Err("line 3: `A` is listed twice"));
    }
}
