//! The suites of `live/`: readers that wait, on the real runtime, with the protocol's own client and a browser.

use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use xtask::project::{Project, read, say};
use xtask::{process, setup};

use crate::Built;
use crate::workerd::{self, Workerd};

/// Every suite waits most of the time, so all of them run at once.
const OPTIONS: [&str; 4] =
    ["--test-concurrency=32", "--test-timeout=170000", "--test-force-exit", "--test-reporter=spec"];
/// One suite sees connections with events end by themselves.
const BINDINGS: &[(&str, &str)] = &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_SSE_MS", "60000")];
/// Some suites ask a server with keys, of which the first one signs.
const KEYS: &str =
    "first:Zmlyc3Qga2V5IG9mIHRoZSBsaXZlIHN1aXRlcywgMzIgYg,second:c2Vjb25kIGtleSBvZiB0aGUgbGl2ZSBzdWl0ZXMsIDMyYg";
/// The key of the operator of a deployment with several projects.
const ROOT_KEY: &str = "dGhlIG9wZXJhdG9yJ3Mga2V5LCBvZiBhbGwgcHJvamVjdHM";
const SUITES: &str = "tests/real/live/*.test.mjs";

/// The modules that make a Worker one with limits, and the one of them that is started.
const LIMITS: &str = "tests/real/limits";
const LIMITED: &str = "limited.mjs";

/// Texts in the runtime's log that show a fault of ours. Readers may not notice such a fault, as they come back.
const COMPLAINTS: [&str; 3] = ["the wasm instance", "uncaught exception", "failed"];

/// What each token begins with (`{"alg":` in base64url), and what stands before a reader key in a URL. No log may have one.
const SECRETS: [&str; 3] = ["eyJhbGciOi", "rk=", "token="];

/// Runs the suites against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let Built { node, worker } = built;
    let browser = setup::chromium::ensure(project)?;
    let start_with = |name: &str, bindings: &[(&str, &str)]| {
        let options = workerd::Options { name, bindings, ..workerd::Options::of(worker) };
        Workerd::start(project, node, &options)
    };
    let start = |name| start_with(name, BINDINGS);
    let keyed = start_with("live-keyed", &[("TAILRACE_KEYS", KEYS)])?;
    // One suite reads from pages of two origins, of which that of this port is listed.
    let page = TcpListener::bind("127.0.0.1:0").context("no port for a page")?;
    let listed = format!("http://{}", page.local_addr().context("no port for a page")?);
    let origins = format!("https://other.test,{listed}");
    let listing = start_with("live-origins", &[("TAILRACE_KEYS", KEYS), ("TAILRACE_ORIGINS", &origins)])?;
    // One suite does more than the limits let it.
    let beside = project.path(LIMITS);
    let limited = Workerd::start(
        project,
        node,
        &workerd::Options {
            name: "live-limited",
            entry: LIMITED,
            beside: Some(&beside),
            bindings: &[("TAILRACE_KEYS", KEYS)],
            entrypoints: &[("OPENINGS", "Openings"), ("FAILURES", "Failures")],
            ..workerd::Options::of(worker)
        },
    )?;
    // One suite has several projects.
    let root = format!("root:{ROOT_KEY}");
    let projects = Workerd::start(
        project,
        node,
        &workerd::Options {
            name: "live-projects",
            bindings: &[("TAILRACE_PROJECTS", "multi"), ("TAILRACE_KEYS", KEYS), ("TAILRACE_ROOT_KEY", &root)],
            has_projects: true,
            ..workerd::Options::of(worker)
        },
    )?;
    // One suite measures the memory of its server, so it has a server of its own.
    let (server, alone) = (start("live")?, start("live-alone")?);
    say(&format!("running {SUITES} against {} and {}", server.url(), alone.url()));
    let mut command = node.command(project, "--test")?;
    command.args(OPTIONS).arg(SUITES);
    command.env("TAILRACE_WORKERD_URL", server.url()).env("TAILRACE_ALONE_URL", alone.url());
    command.env("TAILRACE_ALONE_PROCESS", alone.id().to_string()).env("TAILRACE_CHROMIUM", browser);
    command.env("TAILRACE_KEYED_URL", keyed.url()).env("TAILRACE_KEYED_KEYS", KEYS);
    command.env("TAILRACE_KEYED_LOG", keyed.log());
    command.env("TAILRACE_LIMITED_URL", limited.url());
    command.env("TAILRACE_PROJECTS_URL", projects.url()).env("TAILRACE_ROOT_KEY", &root);
    command.env("TAILRACE_LISTING_URL", listing.url()).env("TAILRACE_LISTED_ORIGIN", listed);
    // The suite serves the page.
    drop(page);
    process::run(&mut command)
        .with_context(|| format!("the runtimes' logs are {} and {}", server.log().display(), alone.log().display()))?;
    for log in [server.log(), alone.log(), keyed.log(), listing.log(), limited.log(), projects.log()] {
        if let Some(line) = complaint(&read(log)?) {
            bail!("every test has passed, but {} says: {line}", log.display());
        }
    }
    Ok(())
}

/// The first line of a log that shows a fault of ours. A lost peer is not our fault: tests cut connections.
fn complaint(log: &str) -> Option<&str> {
    log.lines().find(|line| {
        let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
        has(&SECRETS) || !line.contains(" disconnected: ") && has(&COMPLAINTS)
    })
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_connection_that_a_test_cuts_is_no_complaint_and_a_secret_is_one() {
        let check = |log, expected| assert_eq!(complaint(log), expected);
        check("", None);
        check("workerd/jsg/util.c++:322: info: exception = x.c++:296: disconnected: reader canceled\nstack: a b", None);
        check("a: disconnected: failed to write\nthe wasm instance is lost: b", Some("the wasm instance is lost: b"));
        for line in ["/v1/stream/a?rk=b", "?token=x: disconnected: y", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"] {
            let log = format!("a\n{line}");
            assert_eq!(complaint(&log), Some(line));
        }
        check(
            "a\nworkerd/io/worker.c++:1: info: uncaught exception; source = b",
            Some("workerd/io/worker.c++:1: info: uncaught exception; source = b"),
        );
    }
}
