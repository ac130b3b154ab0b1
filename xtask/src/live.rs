//! The suites of `tests/live/`: readers that wait, on the real runtime, with the protocol's own client and a browser.

use anyhow::{Context, Result};

use crate::project::{Project, say};
use crate::setup::node::Node;
use crate::worker::Worker;
use crate::workerd::{self, Workerd};
use crate::{process, setup};

/// Every suite waits most of its time, so all of them run at once.
const OPTIONS: [&str; 4] =
    ["--test-concurrency=32", "--test-timeout=170000", "--test-force-exit", "--test-reporter=spec"];
const SUITES: &str = "tests/live/*.test.mjs";

/// Runs the suites against a built Worker.
pub(crate) fn run_against(project: &Project, node: &Node, worker: &Worker) -> Result<()> {
    let browser = setup::chromium::ensure(project)?;
    let start = |name| {
        let options = workerd::Options { name, bindings: &[("TAILRACE_NO_AUTH", "1")], ..workerd::Options::of(worker) };
        Workerd::start(project, node, &options)
    };
    // One suite measures the memory of its server, and has it for itself.
    let (server, alone) = (start("live")?, start("live-alone")?);
    say(&format!("running {SUITES} against {} and {}", server.url(), alone.url()));
    let mut command = node.command(project, "--test")?;
    command.args(OPTIONS).arg(SUITES);
    command.env("TAILRACE_WORKERD_URL", server.url()).env("TAILRACE_ALONE_URL", alone.url());
    command.env("TAILRACE_ALONE_PROCESS", alone.id().to_string()).env("TAILRACE_CHROMIUM", browser);
    process::run(&mut command)
        .with_context(|| format!("the runtimes' logs are {} and {}", server.log().display(), alone.log().display()))
}
