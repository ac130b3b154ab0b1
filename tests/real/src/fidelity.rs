//! The step `fidelity` of the test: the tests of `tests/` that ask a running Worker, whose URL they find in
//! `TAILRACE_WORKERD_URL`.

use anyhow::{Context, Result, ensure};
use xtask::process;
use xtask::project::{Project, read};
use xtask::worker::TOOLS;

use crate::Built;
use crate::measure::{self, NAMES};
use crate::workerd::{self, Workerd};

/// Runs them against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let bindings = &[
        ("TAILRACE_NO_AUTH", "1"),
        ("TAILRACE_LONG_POLL_MS", "1000"),
        ("TAILRACE_SSE_MS", "2000"),
        ("TAILRACE_SEGMENT_ROWS", "1000"),
    ];
    let options = workerd::Options { name: "fidelity", bindings, ..workerd::Options::of(&built.worker) };
    let server = Workerd::start(project, &built.node, &options)?;
    let mut test = project.cargo();
    // Only the test that asks a running Worker; the step `native` runs all others. The same packages are selected as
    // there, so that nothing is compiled again.
    test.args(["test", "--workspace", "--features", "tailrace-tests/workerd", "--test", "fidelity"]);
    test.args(TOOLS.iter().flat_map(|tools| *tools).flat_map(|tool| ["--exclude", tool]));
    process::run(test.env("TAILRACE_WORKERD_URL", server.url()))
        .with_context(|| format!("the runtime's log is {}", server.log().display()))?;
    measured(project, &server)
}

/// `cargo xtask measure` sees what there is on this machine, says what there is not, and leaves nothing.
fn measured(project: &Project, server: &Workerd) -> Result<()> {
    let out = project.generated("measured.txt");
    measure::run(project, &measure::Args::brief(server.url(), out.clone()))?;
    let text = read(&out)?;
    for name in NAMES {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let is_seen = value.is_some_and(|value| value.parse::<u64>().is_ok());
        let is_said = text.lines().any(|line| line.starts_with(&format!("# {name}: ")));
        // No cache stands in front of this server, and no Worker asks it.
        let is_here = !name.starts_with("front.") && name != "hit_permille.sub_request";
        ensure!(is_seen == is_here && is_said != is_here, "{name} in\n{text}");
    }
    Ok(())
}
