//! Checks that the pages for those who work on Tailrace show what is there.
//!
//! A block of the language `scenario` is played. Its first line is a comment that says how that ends: `# Holds.`, or
//! `# Holds; the mutant NAME breaks INVARIANT.` A block of the language `rust` is a quotation. Its first line is a
//! comment that names a file, and its other lines are in that file in the same order; `// ...` stands for lines left
//! out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tailrace_sim::judge::checker::Invariant;
use tailrace_sim::mutants::Entry;
use tailrace_sim::scenario::{Scenario, knobs};
use tailrace_sim::swarm::judge;

/// The page about the simulator, which explains each word of a scenario.
const SIMULATOR: &str = "docs/simulator.md";

/// The pages that hold blocks.
const PAGES: &[&str] = &["CONTRIBUTING.md", SIMULATOR];

/// How many seeds it takes until their scenarios have every word that can be drawn.
const SEEDS: u64 = 300;

/// What stands between quoted lines for those that are left out.
const LEFT_OUT: &str = "// ...";

/// A fenced block of a page.
struct Block {
    /// The page and the line of the fence.
    place: String,
    /// The word after the fence.
    language: String,
    text: String,
}

fn from_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(from_root(path)).map_err(|error| format!("{path}: {error}"))
}

fn blocks_of(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), blocks.last_mut()) {
            (Some(_), _) if is_inside => is_inside = false,
            (Some(language), _) => {
                is_inside = true;
                let place = format!("{page}:{number}");
                blocks.push(Block { place, language: language.to_owned(), text: String::new() });
            }
            (None, Some(block)) if is_inside => block.text += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    blocks
}

/// The blocks of one language, of all pages.
fn blocks(language: &str) -> Vec<Block> {
    let all = PAGES.iter().flat_map(|page| blocks_of(page, &read(page).expect("a page")));
    let found: Vec<Block> = all.filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "no page has a block of {language}");
    found
}

/// What a scenario's first line claims: the known bug under which it fails, if any, and the invariant that this breaks.
fn claim(text: &str) -> Result<Option<(&'static Entry, Invariant)>, String> {
    let first = text.lines().next().unwrap_or_default();
    if first == "# Holds." {
        return Ok(None);
    }
    let broken = first.strip_prefix("# Holds; the mutant ").and_then(|rest| rest.strip_suffix('.'));
    let (mutant, invariant) = broken
        .and_then(|broken| broken.split_once(" breaks "))
        .ok_or_else(|| format!("{first:?} does not say what comes of the scenario"))?;
    let entry = Entry::named(mutant).ok_or_else(|| format!("no known bug is called {mutant:?}"))?;
    let invariant = Invariant::ALL.iter().find(|known| known.name() == invariant);
    Ok(Some((entry, *invariant.ok_or_else(|| format!("{first:?} names no invariant"))?)))
}

/// Fails if a scenario does not end as its first line claims.
fn check_scenario(text: &str) -> Result<(), String> {
    let scenario: Scenario = text.parse().map_err(|error| format!("{error}"))?;
    let claim = claim(text)?;
    let violations = judge(&scenario, None, false).violations;
    if !violations.is_empty() {
        return Err(format!("it does not hold: {violations:#?}"));
    }
    match claim {
        Some((entry, invariant)) if !judge(&scenario, Some(entry.bug), false).violates(invariant) => {
            Err(format!("it does not violate {invariant} under {}", entry.name()))
        }
        _ => Ok(()),
    }
}

/// Fails if a quotation is not in the file that it names.
fn check_quotation(text: &str) -> Result<(), String> {
    let (first, quoted) = text.split_once('\n').unwrap_or_default();
    let path = first.strip_prefix("// ").ok_or("it does not begin with `// ` and the path of a file")?;
    let source = read(path)?;
    let source: Vec<&str> = source.lines().map(str::trim).collect();
    let quoted: Vec<&str> = quoted.lines().map(str::trim).collect();
    let mut rest = source.as_slice();
    for run in quoted.split(|line| *line == LEFT_OUT) {
        if run.iter().all(|line| line.is_empty()) {
            return Err("nothing is quoted, or nothing between two lines left out".to_owned());
        }
        let at = rest.windows(run.len()).position(|window| window == run);
        let at = at.ok_or_else(|| format!("{path} does not hold these lines, or not after those before:\n{run:#?}"))?;
        rest = &rest[at + run.len()..];
    }
    Ok(())
}

/// Checks every block of one language.
fn check(language: &str, problem: fn(&str) -> Result<(), String>) {
    let failed = blocks(language).into_iter().filter_map(|block| {
        let problem = problem(&block.text).err()?;
        Some(format!("{}: {problem}\n", block.place))
    });
    let failed: String = failed.collect();
    assert!(failed.is_empty(), "{failed}");
}

/// The words of a scenario: keywords and names, without numbers; of `ttl:7` the word `ttl`.
fn words(scenario: &str) -> BTreeSet<String> {
    let lines = scenario.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = lines.flat_map(str::split_whitespace).map(|word| word.split(':').next().unwrap_or_default());
    words.filter(|word| !word.contains(|letter: char| letter.is_ascii_digit())).map(str::to_owned).collect()
}

/// The words that a page explains: those of its inline code and of its blocks of scenarios.
fn explained(page: &str) -> BTreeSet<String> {
    let text = read(page).expect("a page");
    let outside = text.split("```").step_by(2);
    let spans = outside.flat_map(|text| text.split('`').skip(1).step_by(2));
    spans.flat_map(words).collect()
}

#[test]
fn scenarios_hold_and_fail_as_they_say() {
    check("scenario", check_scenario);
}

#[test]
fn quotations_are_in_the_files_that_they_name() {
    check("rust", check_quotation);
}

/// The words of the scenarios of [`SEEDS`] seeds.
fn drawn() -> BTreeSet<String> {
    (0..SEEDS).flat_map(|seed| words(&Scenario::draw(seed).to_string())).collect()
}

/// The names of faults, limits and settings.
fn knobs() -> BTreeSet<String> {
    let (faults, limits, cold) = (knobs::FAULTS.iter(), knobs::LIMITS.iter(), knobs::COLD.iter());
    let names = faults.map(|knob| knob.name).chain(limits.map(|knob| knob.name)).chain(cold.map(|knob| knob.name));
    let names = names.chain(knobs::WAITS.iter().map(|knob| knob.name));
    names.map(str::to_owned).collect()
}

#[test]
fn the_scenarios_show_every_kind_of_line_and_every_action() {
    let shown: BTreeSet<String> = blocks("scenario").iter().flat_map(|block| words(&block.text)).collect();
    let missing: Vec<String> =
        drawn().into_iter().filter(|word| !shown.contains(word) && !knobs().contains(word)).collect();
    assert!(missing.is_empty(), "no scenario of {SIMULATOR} has these words: {missing:?}");
}

#[test]
fn every_word_of_a_scenario_and_every_invariant_is_explained() {
    let mut known = drawn();
    known.extend(knobs());
    known.extend(Invariant::ALL.iter().map(|invariant| invariant.name().to_owned()));
    let explained = explained(SIMULATOR);
    let missing: Vec<&String> = known.difference(&explained).collect();
    assert!(missing.is_empty(), "{SIMULATOR} does not say what these are: {missing:?}");
}

#[test]
fn scenarios_and_quotations_that_are_not_true_are_found() {
    let path = "// tests/tests/documents.rs\n";
    for (problem, text, expected) in [
        (check_quotation as fn(&str) -> _, format!("{path}//! is in that file"), "does not hold"),
        (check_quotation, format!("{path}use std::fs;\n// ...\nuse std::path::{{Path, PathBuf}};"), ""),
        (check_quotation, format!("{path}use std::path::{{Path, PathBuf}};\n// ...\nuse std::fs;"), "does not hold"),
        (check_quotation, format!("{path}// ...\nuse std::fs;"), "nothing is quoted"),
        (check_quotation, "use std::fs;\n".to_owned(), "does not begin"),
        (check_quotation, "// tests/nowhere.rs\nuse std::fs;".to_owned(), "tests/nowhere.rs"),
        (check_scenario, "stream json endless\nat 0 c0 create s0 endless".to_owned(), "does not say"),
        (check_scenario, "# Holds.\nat 0 nobody".to_owned(), "line 2"),
        (check_scenario, "# Holds; the mutant dedupe breaks once.".to_owned(), "no known bug"),
        (check_scenario, "# Holds; the mutant dedupe-off breaks it.".to_owned(), "names no invariant"),
        (check_scenario, "# Holds; the mutant dedupe-off breaks once.\nstream json endless".to_owned(), "not violate"),
    ] {
        let told = problem(&text).err().unwrap_or_default();
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{text}: {told}");
    }
    let page = "a\n```scenario\nb\n\nc\n```\n`d`\n```\ne\n```\n";
    let found = blocks_of("x", page);
    let found: Vec<_> = found.iter().map(|b| (b.place.as_str(), b.language.as_str(), b.text.as_str())).collect();
    assert_eq!(found, [("x:2", "scenario", "b\n\nc\n"), ("x:8", "", "e\n")]);
}
