//! The step `checklist` of the test: the checklist of the edge cache (`tests/checklist.txt`) on the real runtime, that
//! nothing breaks where there is no cache, and the page that tells of it.

mod page;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::http::Connection;
use xtask::process;
use xtask::project::Project;

use crate::Built;
use crate::workerd::{self, Workerd};

/// The tests, in Node.
const SUITE: &str = "tests/real/checklist/checklist.test.mjs";

/// Pages are short, and live reads wait for seconds: `tests/real/checklist/ask.mjs` knows.
const BINDINGS: &[(&str, &str)] = &[
    ("TAILRACE_NO_AUTH", "1"),
    ("TAILRACE_PAGE_BYTES", "100"),
    ("TAILRACE_LONG_POLL_MS", "1000"),
    ("TAILRACE_SSE_MS", "2000"),
];

/// How long an answer may take; none takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs it against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let start = |name, has_cache| {
        let options = workerd::Options { name, bindings: BINDINGS, has_cache, ..workerd::Options::of(&built.worker) };
        Workerd::start(project, &built.node, &options)
    };
    let server = start("checklist", true)?;
    let mut test = built.node.test(project, SUITE)?;
    test.env("TAILRACE_WORKERD_URL", server.url()).env("TAILRACE_WORKERD_LOG", server.log());
    let real =
        process::output(&mut test).with_context(|| format!("the runtime's log is {}", server.log().display()))?;
    print!("{real}");
    let mut test = project.cargo();
    test.args(["test", "--quiet", "--package", "tailrace-tests", "--test", "checklist", "--", "--format=pretty"]);
    let simulated = page::passed(&process::output(&mut test)?, |line| line.ends_with("... ok"));
    page::check(project, &simulated, &page::passed(&real, |line| line.trim_start().starts_with('✔')))?;
    let server = start("cacheless", false)?;
    nothing_breaks(&server).with_context(|| format!("without a cache; the runtime's log is {}", server.log().display()))
}

/// Where there is no cache, each answer is the object's.
fn nothing_breaks(server: &Workerd) -> Result<()> {
    const TEXT: [(&str, &str); 1] = [("content-type", "text/plain")];
    let mut connection = Connection::open(server.host(), LIMIT)?;
    let mut ask = |method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]| {
        let request = connection.request(method, &format!("/v1/stream/cacheless{target}"), fields, body);
        connection.send(&request)
    };
    for (method, body, status) in [("PUT", &b""[..], 201), ("POST", &[b'a'; 100], 204), ("POST", &[b'b'; 50], 204)] {
        let reply = ask(method, "", &TEXT, body)?;
        ensure!(reply.status == status, "{method} was answered {}", reply.status);
    }
    for target in ["?offset=-1", "?offset=-1&live=long-poll"] {
        for (fields, cached) in [(&[][..], "MISS"), (&[], "MISS"), (&[("cache-control", "no-cache")], "BYPASS")] {
            let reply = ask("GET", target, fields, b"")?;
            let told = (reply.status, reply.head.field("x-cache"), reply.body.len());
            ensure!(told == (200, Some(cached), 100), "GET {target} was answered {told:?}, not {cached}");
        }
    }
    Ok(())
}
