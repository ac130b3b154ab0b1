//! `docs/cache-checklist.md`: each line of the checklist with what came of its two tests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail};
use xtask::project::{Project, write};

/// The lines, relative to the repository.
const LINES: &str = "tests/checklist.txt";
/// The page.
const PAGE: &str = "docs/cache-checklist.md";

const HEAD: &str = "\
# The checklist of the edge cache

What the edge keeps in the cache of its datacenter, and what it does not; what caches in front of it are told; and what
may never happen. Each line has a test of its own name at the edge of the simulator, and one on the real runtime, where
the cache is Miniflare's. This page is made of the lines (`tests/checklist.txt`) and of what came of the tests;
`cargo xtask test checklist` fails where a test is missing or fails, or where this page says something else.

| line | what must hold | simulator | workerd |
| --- | --- | --- | --- |
";

const TAIL: &str = "
The tests are in `tests/tests/checklist` and in `tests/real/checklist`. What neither can show is listed in
[what a local runtime cannot show](cache-api.md#what-a-local-runtime-cannot-show).
";

/// The lines that have passed, by number: from output of a suite whose lines about a passed test have this mark, and
/// somewhere `checklist`, a character, the number, and that character again.
pub(super) fn passed(output: &str, is_passed: impl Fn(&str) -> bool) -> Vec<u32> {
    let numbers = output.lines().filter(|line| is_passed(line)).filter_map(|line| {
        let (_, rest) = line.split_once("checklist")?;
        let rest = rest.get(1..)?;
        rest.get(..2)?.parse().ok()
    });
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// Holds the page against what has passed in the simulator and on workerd, and writes it anew where it differs. That is
/// an error, as is a line that has not passed in both.
pub(super) fn check(project: &Project, simulated: &[u32], real: &[u32]) -> Result<()> {
    let lines = fs::read_to_string(project.path(LINES)).with_context(|| format!("no {LINES}"))?;
    let lines: BTreeMap<u32, (&str, &str)> = lines.lines().filter_map(line).collect();
    let mut text = HEAD.to_owned();
    for (number, (name, sentence)) in &lines {
        let [simulated, real] =
            [simulated, real].map(|passed| if passed.contains(number) { "passes" } else { "**no**" });
        writeln!(text, "| {number:02} {} | {sentence} | {simulated} | {real} |", name.replace('-', " "))?;
    }
    text.push_str(TAIL);
    let path = project.path(PAGE);
    if fs::read_to_string(&path).unwrap_or_default() != text {
        write(&path, &text)?;
        bail!("{PAGE} was not what the tests say, and has been written anew: look at it, and commit it");
    }
    let numbers: Vec<u32> = lines.into_keys().collect();
    if simulated != numbers || real != numbers {
        bail!("lines without a test that passes: {PAGE} tells which");
    }
    Ok(())
}

/// Number, name and sentence of a line.
fn line(line: &str) -> Option<(u32, (&str, &str))> {
    let (name, sentence) = line.split_once(": ")?;
    let (number, name) = name.split_once(' ')?;
    Some((number.parse().ok()?, (name, sentence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_read_from_the_output_of_either_suite() {
        let native =
            "test stored::checklist_02_a_page ... ok\ntest stored::checklist_01_x ... FAILED\ntest other ... ok";
        assert_eq!(passed(native, |line| line.ends_with("... ok")), [2]);
        let node =
            "▶ checklist\n  ✔ checklist 31 if-none-match (3.1ms)\n  ✖ checklist 30 x (1ms)\n  ✔ checklist 07 y (2ms)";
        assert_eq!(passed(node, |line| line.trim_start().starts_with('✔')), [7, 31]);
    }

    #[test]
    fn a_line_is_a_number_a_name_and_a_sentence() {
        assert_eq!(line("03 a-b: It holds: always."), Some((3, ("a-b", "It holds: always."))));
        for text in ["# NUMBER NAME: what", "", "03 a"] {
            assert_eq!(line(text), None, "{text}");
        }
    }
}
