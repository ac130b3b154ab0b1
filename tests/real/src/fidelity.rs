//! The step `fidelity` of the test: the tests of `tests/` that ask a running Worker, whose URL they find in
//! `TAILRACE_WORKERD_URL`.

use anyhow::{Context, Result};
use xtask::process;
use xtask::project::Project;
use xtask::worker::TOOLS;

use crate::Built;
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
        .with_context(|| format!("the runtime's log is {}", server.log().display()))
}
