//! The step `robustness` of the test: the files `*.test.mjs` of `workers/`, each against a server of its own.
//!
//! The server is a build with the feature `faults`, which differs from the plain one only if a request names a fault.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use xtask::process;
use xtask::project::Project;

use crate::Built;
use crate::workerd::{self, Workerd};

/// Tests of the Worker itself, in Node.
const SUITES: &str = "tests/real/workers";

/// Modules added to the Worker, by which tests see what it remembers and what crosses the border to Rust.
const WATCH: &str = "tests/real/watch";
/// The entry module among them, which passes requests on to the Worker's own.
const WATCHED: &str = "watched.mjs";

/// The file whose server has a gateway, with one beside it that has none, and otherwise the same policy. Their long-polls
/// are short.
const GATEWAY: &str = "gateway";
const WITH_GATEWAY: &[(&str, &str)] =
    &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_CACHE_POLICY", "gateway"), ("TAILRACE_LONG_POLL_MS", "2000")];
const WITHOUT_GATEWAY: &[(&str, &str)] =
    &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_CACHE_POLICY", "workers-cache"), ("TAILRACE_LONG_POLL_MS", "2000")];

/// Runs them against a Worker with faults.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let files = files(&project.path(SUITES), ".test.mjs")?;
    if files.is_empty() {
        bail!("{SUITES} holds no file that ends with .test.mjs");
    }
    for file in files {
        let name = file.trim_end_matches(".test.mjs");
        let watch = project.path(WATCH);
        let start = |name, bindings| {
            let beside = Some(watch.as_path());
            let options =
                workerd::Options { name, entry: WATCHED, beside, bindings, ..workerd::Options::of(&built.worker) };
            Workerd::start(project, &built.node, &options)
        };
        let has_gateway = name == GATEWAY;
        let server = start(name, if has_gateway { WITH_GATEWAY } else { &[("TAILRACE_NO_AUTH", "1")] })?;
        let plain = if has_gateway { Some(start("no-gateway", WITHOUT_GATEWAY)?) } else { None };
        let mut test = built.node.test(project, &format!("{SUITES}/{file}"))?;
        test.env("TAILRACE_WORKERD_URL", server.url()).env("TAILRACE_WORKERD_PROCESS", server.id().to_string());
        if let Some(plain) = &plain {
            test.env("TAILRACE_PLAIN_URL", plain.url());
        }
        process::run(&mut test).with_context(|| format!("the runtime's log is {}", server.log().display()))?;
    }
    Ok(())
}

/// The names of the files in a folder that end with `end`, in order.
fn files(folder: &Path, end: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>>>()?;
    names.retain(|name| name.ends_with(end));
    names.sort();
    Ok(names)
}
