//! cargo-mutants, which finds what can be changed. It is not part of the test: it is installed when the verb first needs
//! it, and only lists. What runs a mutant is `trial`, because the simulator judges what the tests let pass.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use xtask::process;
use xtask::project::{Project, read, say};

use super::mutant::Mutant;

/// The version of cargo-mutants whose list is read here.
const CARGO_MUTANTS: &str = "27.0.0";
/// How long it may take to install: it builds in two minutes on two cores, and its crates are downloaded.
const INSTALL_LIMIT: Duration = Duration::from_secs(1_800);
/// What is changed, as patterns of paths.
const FILES: &[&str] = &["core/src/stream/**", "core/src/protocol/**", "core/src/object/**"];
/// Files that production does not run: only debug assertions call them.
const ASSERTED_FILES: &[&str] = &["core/src/stream/invariant.rs"];
/// Functions that only debug assertions call.
const ASSERTED: &[&str] = &["ends_by_its_tail", "has_duties_of", "record_fits", "rows_hold"];

/// The installed program.
pub(super) struct Tool(PathBuf);

/// Finds cargo-mutants, or installs it.
pub(super) fn ensure(project: &Project) -> Result<Tool> {
    let _lock = project.lock("setup")?;
    let root = project.generated("mutation/tool");
    let program = root.join("bin/cargo-mutants");
    let installed = process::output(Command::new(&program).args(["mutants", "--version"])).unwrap_or_default();
    if installed.split_whitespace().last() != Some(CARGO_MUTANTS) {
        say(&format!("installing cargo-mutants {CARGO_MUTANTS} into {} (two minutes, once)", root.display()));
        let mut cargo = project.cargo();
        cargo.args(["install", "cargo-mutants", "--locked", "--version", CARGO_MUTANTS, "--root"]).arg(&root);
        process::run_quietly(&mut cargo, INSTALL_LIMIT)
            .context("cargo cannot install cargo-mutants: can it reach its registry?")?;
    }
    Ok(Tool(program))
}

impl Tool {
    /// Every mutant of code that production runs.
    pub(super) fn mutants(&self, project: &Project) -> Result<Vec<Mutant>> {
        let mut command = project.command(&self.0);
        command.args(["mutants", "--list", "--json", "--no-config", "--package", "tailrace-core"]);
        FILES.iter().for_each(|files| _ = command.args(["--file", files]));
        let list: Value = serde_json::from_str(&process::output(&mut command)?).context("the list is no JSON")?;
        let mut texts = BTreeMap::new();
        for path in list.as_array().into_iter().flatten().filter_map(|mutant| mutant["file"].as_str()) {
            if !texts.contains_key(path) {
                texts.insert(path.to_owned(), read(&project.path(path))?);
            }
        }
        mutants(&list, &texts)
    }
}

/// The mutants of a list in JSON, by the texts of their files.
fn mutants(list: &Value, texts: &BTreeMap<String, String>) -> Result<Vec<Mutant>> {
    let mut times = BTreeMap::<String, usize>::new();
    let mut found = Vec::new();
    for entry in list.as_array().context("the list of mutants is no array")? {
        let path = entry["file"].as_str().context("a mutant without a file")?;
        let text = texts.get(path).with_context(|| format!("{path} was not read"))?;
        let mut mutant = Mutant::parse(entry, text)?;
        let count = times.entry(mutant.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            mutant.name = format!("{} #{count}", mutant.name);
        }
        if is_of_production(entry, &mutant, text) {
            found.push(mutant);
        }
    }
    Ok(found)
}

/// Whether a mutant changes what production runs. A switch of a known bug is off there, and `cargo sim mutants` tries
/// what comes of turning it on.
fn is_of_production(entry: &Value, mutant: &Mutant, text: &str) -> bool {
    let function = entry["function"]["function_name"].as_str().unwrap_or_default();
    let is_asserted = ASSERTED_FILES.contains(&mutant.path.as_str())
        || ASSERTED.iter().any(|name| function.rsplit("::").next() == Some(name));
    let is_switch = mutant.replacement.is_empty() && text[mutant.range.end..].starts_with("mutated!(");
    !is_asserted && !is_switch && !is_of_known_bug(text, mutant.range.start)
}

/// Whether a place is inside of what an `if` does only where a known bug is on.
fn is_of_known_bug(text: &str, at: usize) -> bool {
    text[..at].match_indices("mutated!(").any(|(switch, _)| {
        let start = text[..switch].rfind("if ").unwrap_or(switch);
        let Some(open) = text[switch..].find('{').map(|length| switch + length) else { return false };
        let condition = &text[start..open];
        let is_needed = !text[..switch].ends_with('!') && !condition.contains("||") && !condition.contains([';', '}']);
        is_needed && open < at && at < end_of_block(text, open)
    })
}

/// Where the block ends that begins with this brace.
fn end_of_block(text: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return open + at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "core/src/stream/x.rs";
    const TEXT: &str = "fn f() -> bool {\n    a < b && c < d && !mutated!(E)\n}\nfn rows_hold() -> bool { a }\n";

    fn entry(name: &str, function: &str, line: usize, columns: (usize, usize), replacement: &str) -> Value {
        let place = |column| serde_json::json!({ "line": line, "column": column });
        serde_json::json!({
            "file": PATH,
            "name": format!("{PATH}:{line}:{}: {name}", columns.0),
            "function": { "function_name": function, "span": { "start": place(1), "end": place(2) } },
            "replacement": replacement,
            "span": { "start": place(columns.0), "end": place(columns.1) },
        })
    }

    fn check(entries: Vec<Value>, names: &[&str]) {
        let texts = BTreeMap::from([(PATH.to_owned(), TEXT.to_owned())]);
        let found = mutants(&Value::Array(entries), &texts).unwrap();
        assert_eq!(found.iter().map(|mutant| mutant.name.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn equal_changes_of_a_function_are_counted() {
        let change = |columns| entry("replace < with > in f", "f", 2, columns, ">");
        check(
            vec![change((7, 8)), change((16, 17))],
            &["core/src/stream/x.rs: replace < with > in f", "core/src/stream/x.rs: replace < with > in f #2"],
        );
    }

    #[test]
    fn what_a_known_bug_does_is_not_changed() {
        let text = "if mutated!(A)\n    && let Some(b) = c\n{\n    let d = { e };\n    f\n} else { g }\nif mutated!(H) || i { j }\n\
                    if k && !mutated!(L) { m }\nlet n = mutated!(O); if p { q }\n";
        for (place, is) in [
            ("b)", false),
            ("e }", true),
            ("f\n", true),
            ("g }", false),
            ("j }", false),
            ("m }", false),
            ("q }", false),
        ] {
            assert_eq!(is_of_known_bug(text, text.find(place).unwrap()), is, "{place}");
        }
    }

    #[test]
    fn what_production_does_not_run_is_not_changed() {
        check(vec![entry("delete ! in f", "f", 2, (23, 24), "")], &[]);
        check(vec![entry("replace rows_hold -> bool with true", "rows_hold", 4, (26, 27), "true")], &[]);
    }
}
