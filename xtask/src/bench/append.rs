//! The append, beside a Worker in JavaScript whose object inserts one row a request: the least that an acknowledged
//! write costs on this runtime.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::load::Load;
use super::usage;
use crate::http::Connection;
use crate::project::{Project, create_dir, say, write};
use crate::setup::rust::Choice;
use crate::workerd::{self, Workerd};
use crate::{setup, worker};

/// The Worker that ours is compared with.
const TRIVIAL: &str = "tests/bench/trivial.mjs";
/// 100 bytes of JSON.
const BODY: &[u8; 100] =
    br#"{"type":"reading","sensor":"a-17","at":1764547200123,"value":21.375,"unit":"C","note":"0123456789a"}"#;
/// Before each measurement, so that code is compiled and objects are awake.
const WARM_UP: Duration = Duration::from_secs(1);

/// Options of `cargo xtask bench append`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each server is measured, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    seconds: u64,
    /// How many connections send at the same time, each to a stream of its own
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    connections: Vec<usize>,
    /// Let all connections send to one stream
    #[arg(long)]
    one_stream: bool,
    /// Keep the objects' data in this folder: one in memory, as below /dev/shm, leaves the disk out of the figures
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// A server to be measured.
struct Subject {
    name: &'static str,
    server: Workerd,
    paths: Vec<String>,
}

/// What was measured of one server with one number of connections, a value a round.
#[derive(Default)]
struct Series {
    rate: Vec<f64>,
    cpu_us: Vec<f64>,
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
}

/// Measures both and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    let most = args.connections.iter().copied().max().unwrap_or(1);
    if args.rounds == 0 || args.seconds == 0 || args.connections.contains(&0) {
        bail!("rounds, seconds and connections must be at least 1");
    }
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    let ours = worker::build(project, &rust, &node)?;
    let trivial = project.generated("trivial");
    create_dir(&trivial)?;
    write(&trivial.join(worker::ENTRY), std::fs::read(project.path(TRIVIAL)).context(TRIVIAL)?)?;

    let state = |name: &str| args.state_dir.as_ref().map(|dir| dir.join(format!("{name}-{}", std::process::id())));
    let bindings = &[("TAILRACE_NO_AUTH", "1")];
    let ours =
        workerd::Options { name: "bench-tailrace", bindings, state: state("tailrace"), ..workerd::Options::of(&ours) };
    let trivial = workerd::Options {
        name: "bench-trivial",
        modules: &trivial,
        class: "Trivial",
        bindings: &[],
        state: state("trivial"),
    };
    let paths: Vec<String> =
        (0..if args.one_stream { 1 } else { most }).map(|n| format!("/v1/stream/bench/{n}")).collect();
    let subjects = [
        Subject { name: "trivial", server: Workerd::start(project, &node, &trivial)?, paths: paths.clone() },
        Subject { name: "tailrace", server: Workerd::start(project, &node, &ours)?, paths },
    ];
    for subject in &subjects {
        subject.create()?;
    }
    println!("appends of {} bytes of JSON; medians of {} rounds of {} s", BODY.len(), args.rounds, args.seconds);
    for &connections in &args.connections {
        measure(&subjects, connections, args)?;
    }
    Ok(())
}

/// Measures the servers in turn, so that what else the machine does befalls them alike.
fn measure(subjects: &[Subject; 2], connections: usize, args: &Args) -> Result<()> {
    let mut series = [Series::default(), Series::default()];
    for subject in subjects {
        subject.load().run(connections, WARM_UP)?;
    }
    for round in 1..=args.rounds {
        say(&format!("{connections} connections, round {round} of {}", args.rounds));
        for (subject, series) in subjects.iter().zip(&mut series) {
            let before = usage::cpu(subject.server.id())?;
            let done = subject.load().run(connections, Duration::from_secs(args.seconds))?;
            let used = usage::cpu(subject.server.id())?.saturating_sub(before);
            series.rate.push(done.rate());
            series.cpu_us.push(used.as_secs_f64() * 1e6 / f64::from(done.requests));
            series.p50_ms.push(done.percentile(0.5).as_secs_f64() * 1e3);
            series.p99_ms.push(done.percentile(0.99).as_secs_f64() * 1e3);
        }
    }
    println!("\n{:<10}{:>12}{:>12}{:>10}{:>10}", format!("x{connections}"), "requests/s", "CPU us", "p50 ms", "p99 ms");
    let rows = series.each_ref().map(Series::medians);
    for (subject, row) in subjects.iter().zip(&rows) {
        println!("{:<10}{:>12.0}{:>12.1}{:>10.2}{:>10.2}", subject.name, row[0], row[1], row[2], row[3]);
    }
    let [trivial, ours] = rows;
    let ratio = |at: usize| ours[at] / trivial[at];
    println!("{:<10}{:>12.2}{:>12.2}{:>10.2}{:>10.2}", "ratio", ratio(0), ratio(1), ratio(2), ratio(3));
    Ok(())
}

impl Series {
    fn medians(&self) -> [f64; 4] {
        [&self.rate, &self.cpu_us, &self.p50_ms, &self.p99_ms].map(|values| median(values))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

impl Subject {
    /// Creates its streams. The trivial Worker takes that for one more row.
    fn create(&self) -> Result<()> {
        let mut connection = Connection::open(self.server.host(), Duration::from_secs(30))?;
        for path in &self.paths {
            let request = connection.request("PUT", path, &[("content-type", "application/json")], b"");
            let reply = connection.send(&request)?;
            if !(200..300).contains(&reply.status) {
                bail!("{}: PUT {path} was answered {}", self.name, reply.status);
            }
        }
        Ok(())
    }

    fn load(&self) -> Load<'_> {
        Load {
            host: self.server.host(),
            paths: &self.paths,
            headers: &[("content-type", "application/json")],
            body: BODY,
            status: 204,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
