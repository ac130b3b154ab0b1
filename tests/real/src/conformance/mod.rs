//! `cargo xtask conformance`: the protocol's own suite against the Worker on the real runtime, compared with the list
//! of tests that are not yet expected to pass.
//!
//! | module | noun |
//! | --- | --- |
//! | `result` | the result of one test, and its unique name |
//! | `expectation` | the list of expected failures |
//! | `verdict` | results compared with that list: a table, and what is wrong |

mod expectation;
mod result;
mod verdict;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use xtask::process::Group;
use xtask::project::{Project, create_dir, read, say};
use xtask::setup;
use xtask::setup::node::Node;
use xtask::setup::rust::Choice;
use xtask::worker::Variant;

use self::expectation::Expectations;
use self::verdict::Verdict;
use crate::Built;
use crate::workerd::{self, Workerd};

/// The list of tests that are not yet expected to pass, written by hand.
const EXPECTATIONS: &str = "tests/real/conformance/expected-failures.txt";
/// How long a long-poll lasts in these tests: the suite waits for its end a second longer than this.
const LONG_POLL_MS: u32 = 3000;
/// The seed of the suite's property tests.
const PROPERTY_SEED: u32 = 20_261_101;

/// Options of `cargo xtask conformance`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Run only the tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Test a server that runs already, instead of building and starting one
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print the names of all tests that fail, as the list of expected failures wants them
    #[arg(long)]
    print_failures: bool,
}

/// Builds and starts the Worker, and runs the suite against it.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.url.is_some() {
        return run_suite(project, &setup::node::ensure(project)?, args);
    }
    let Built { node, worker } = &Built::new(project, toolchain, Variant::Plain)?;
    let long_poll = LONG_POLL_MS.to_string();
    let options = workerd::Options {
        name: "conformance",
        bindings: &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_LONG_POLL_MS", &long_poll)],
        ..workerd::Options::of(worker)
    };
    let server = Workerd::start(project, node, &options)?;
    let args = Args { url: Some(server.url()), filter: args.filter.clone(), print_failures: args.print_failures };
    run_suite(project, node, &args)
        .map_err(|error| anyhow!("{error:#}; the runtime's log is {}", server.log().display()))
}

fn run_suite(project: &Project, node: &Node, args: &Args) -> Result<()> {
    let url = args.url.as_deref().unwrap_or_default();
    // It is read first, so that a mistake in it is found before the run.
    let expectations = Expectations::parse(&read(&project.path(EXPECTATIONS))?).context(EXPECTATIONS)?;
    // The process id is in the name, since another run may go on at the same time.
    let output = project.generated(&format!("run/{}.jsonl", std::process::id()));
    create_dir(&project.generated("run"))?;
    say(&format!("running the conformance suite against {url}"));
    let succeeded = vitest(project, node, url, &output, args.filter.as_deref())?;
    let mut results = result::parse(&fs::read_to_string(&output).unwrap_or_default())?;
    let _ = fs::remove_file(&output);
    if args.filter.is_some() {
        results.retain(|result| !result.skipped);
    }
    if results.is_empty() {
        match &args.filter {
            Some(filter) if succeeded => bail!("no test's name contains {filter:?}"),
            _ => bail!("the suite ran no test: its own message is above"),
        }
    }
    if args.print_failures {
        results.iter().filter(|result| !result.passed).for_each(|result| println!("{}", result.name));
    }
    let verdict = Verdict::of(&results, &expectations, args.filter.is_none());
    println!("{}", verdict.table());
    if verdict.problems.is_empty() {
        return Ok(());
    }
    verdict.problems.iter().for_each(|problem| println!("{problem}"));
    bail!("{} problems with the conformance suite; {EXPECTATIONS} lists what may fail", verdict.problems.len())
}

/// Runs vitest. Returns false if tests failed; the results say which.
fn vitest(project: &Project, node: &Node, url: &str, results: &Path, filter: Option<&str>) -> Result<bool> {
    let mut command = node.command(project, node.script("vitest/vitest.mjs"))?;
    // The native loader reads the file as it is; the default one would write a bundle beside it.
    command.args(["run", "--configLoader=native", "--config=tests/real/conformance/vitest.config.mjs"]);
    if let Some(filter) = filter {
        // vitest takes a regular expression over group and name joined by spaces.
        command.arg("--testNamePattern").arg(escape(&filter.replace(result::SEPARATOR, " ")));
    }
    command.env("TAILRACE_URL", url).env("TAILRACE_RESULTS", results);
    command.env("TAILRACE_LONG_POLL_MS", LONG_POLL_MS.to_string());
    command.env("TAILRACE_PROPERTY_SEED", PROPERTY_SEED.to_string());
    Ok(Group::spawn(&mut command)?.wait(None, false)?.success())
}

/// A regular expression that matches exactly this text.
fn escape(text: &str) -> String {
    let special = |letter: char| r"\^$.|?*+()[]{}/-".contains(letter);
    text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}
