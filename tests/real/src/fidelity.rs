//! The step `fidelity` of the test: the tests of `tests/` that ask a running Worker, whose URL they find in
//! `TAILRACE_WORKERD_URL`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::process;
use xtask::project::{Project, read, write};
use xtask::worker::TOOLS;

use crate::Built;
use crate::bucket::Bucket;
use crate::measure::{self, NAMES};
use crate::workerd::{self, Workerd};

/// How long no call comes once alarms are done, in s.
const QUIET_S: u64 = 2;
/// How often that is looked for, at most.
const LOOKS: u64 = 15;

/// Runs them against a built Worker.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let bindings = &[
        ("TAILRACE_NO_AUTH", "1"),
        ("TAILRACE_LONG_POLL_MS", "1000"),
        ("TAILRACE_SSE_MS", "2000"),
        ("TAILRACE_SEGMENT_ROWS", "1000"),
    ];
    let options = workerd::Options { name: "fidelity", bindings, ..workerd::Options::of(&built.worker) };
    let bucket = Arc::new(Bucket::start()?);
    let server = Workerd::start_with(project, &built.node, &options, Arc::clone(&bucket))?;
    let simulated = project.generated("bucket_calls.txt");
    write(&simulated, String::new())?;
    let mut test = project.cargo();
    // Only the test that asks a running Worker; the step `native` runs all others. The same packages are selected as
    // there, so that nothing is compiled again.
    test.args(["test", "--workspace", "--features", "tailrace-tests/workerd", "--test", "fidelity"]);
    test.args(TOOLS.iter().flat_map(|tools| *tools).flat_map(|tool| ["--exclude", tool]));
    process::run(test.env("TAILRACE_WORKERD_URL", server.url()).env("TAILRACE_BUCKET_CALLS", &simulated))
        .with_context(|| format!("the runtime's log is {}", server.log().display()))?;
    called_as_simulated(&bucket, &read(&simulated)?)?;
    measured(project, &server)
}

/// The Worker has called R2 as often as core has in the simulator, where a line for each script says it: the calls that are
/// billed as writing, a space, and those that are billed as reading. How often it reads depends on when an alarm comes, which
/// the script does not wait for everywhere: before it a segment is read from its rows, and after it from R2. In the simulator
/// it comes at once. So a busy machine reads less: 34 and 28 times were seen for the simulator's 38.
fn called_as_simulated(bucket: &Bucket, lines: &str) -> Result<()> {
    let mut simulated = (0, 0);
    for line in lines.lines() {
        let (writing, reading) = line.split_once(' ').context("no two numbers")?;
        simulated = (simulated.0 + writing.parse::<u64>()?, simulated.1 + reading.parse::<u64>()?);
    }
    let real = settled(bucket);
    println!("calls of R2, writing and reading: {real:?} real, {simulated:?} simulated");
    ensure!(simulated.0 > 0 && simulated.1 > 0, "the simulator has called nothing");
    ensure!(agree(real, simulated), "R2 was called {real:?} times, and {simulated:?} times in the simulator");
    Ok(())
}

/// Whether these calls, that are billed as writing and as reading, are those that the simulator has counted.
fn agree(real: (u64, u64), simulated: (u64, u64)) -> bool {
    real.0 == simulated.0 && (simulated.1.div_ceil(3)..=simulated.1 * 4 / 3).contains(&real.1)
}

/// The calls that are billed as writing, and as reading, once none has come for a while: alarms may not be done yet.
fn settled(bucket: &Bucket) -> (u64, u64) {
    let calls = || {
        let counts = bucket.counts();
        (counts.puts + counts.lists, counts.gets + counts.heads)
    };
    for _ in 0..LOOKS {
        let before = calls();
        thread::sleep(Duration::from_secs(QUIET_S));
        if calls() == before {
            break;
        }
    }
    calls()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_is_counted_alike_and_what_reads_by_a_third_at_most_or_less_where_alarms_are_late() {
        for (real, expected) in [
            ((21, 40), true),
            ((21, 14), true),
            ((21, 13), false),
            ((21, 53), true),
            ((21, 54), false),
            ((20, 40), false),
            ((22, 40), false),
        ] {
            assert_eq!(agree(real, (21, 40)), expected, "{real:?}");
        }
    }
}
