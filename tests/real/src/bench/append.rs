//! Appends, compared with a Worker in JavaScript whose object inserts one row for each request: the least that an
//! acknowledged write costs on this runtime. And reads of a few messages by way of no cache, whose object reads as many
//! rows.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use xtask::http::Connection;
use xtask::project::{Project, say};
use xtask::setup::rust::Choice;

use super::comparison::Comparison;
use super::load::{Done, Load};
use super::series::{Series, in_turn, percentile, print_table};
use super::subject::{Subject, Trivial, start_both, start_open_and_keyed};
use super::usage;

/// The Worker that ours is compared with.
const TRIVIAL: Trivial = Trivial { source: "tests/real/bench/trivial.mjs", class: "Trivial" };
/// 100 bytes of JSON.
const BODY: &[u8; 100] =
    br#"{"type":"reading","sensor":"a-17","at":1764547200123,"value":21.375,"unit":"C","note":"0123456789a"}"#;
/// How long requests are sent before each measurement, so that code is compiled and objects are awake.
const WARM_UP: Duration = Duration::from_secs(1);
/// The columns of the table.
const FIGURES: [(&str, usize); 4] = [("requests/s", 0), ("CPU us", 1), ("p50 ms", 2), ("p99 ms", 2)];

/// How many messages a read brings.
const MESSAGES: usize = 10;
/// How many rounds, unless the command says otherwise.
const ROUNDS: usize = 5;

/// Options of `cargo xtask bench append`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    comparison: Comparison,
    /// How long each measurement takes
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    seconds: u64,
    /// How many connections send at the same time, each to a stream of its own
    #[arg(long, value_delimiter = ',', default_value = "1,32")]
    connections: Vec<usize>,
    /// Read ten messages from the start, by way of no cache, instead of appending
    #[arg(long)]
    reads: bool,
    /// Measure what tokens cost: our Worker with a key, and a token in each request, beside the same open to everybody
    #[arg(long, conflicts_with = "against")]
    tokens: bool,
    /// Let all connections send to one stream
    #[arg(long)]
    one_stream: bool,
    /// Keep the objects' data in this folder: one in memory, as below /dev/shm, leaves the disk out of the figures
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// Measures both Workers and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    let most = args.connections.iter().copied().max().unwrap_or(1);
    if args.seconds == 0 || args.connections.contains(&0) {
        bail!("seconds and connections must be at least 1");
    }
    let rounds = args.comparison.rounds(ROUNDS)?;
    let subjects = match args.tokens {
        true => start_open_and_keyed(project, toolchain, args.state_dir.as_deref())?,
        false => start_both(project, toolchain, &TRIVIAL, &args.comparison, args.state_dir.as_deref())?,
    };
    let paths: Vec<String> =
        (0..if args.one_stream { 1 } else { most }).map(|n| format!("/v1/stream/bench/{n}")).collect();
    for subject in &subjects {
        create(subject, &paths, if args.reads { MESSAGES } else { 0 })?;
    }
    let what = if args.reads { format!("reads of {MESSAGES} messages") } else { "appends".to_owned() };
    println!("{what} of {} bytes of JSON; medians of {rounds} rounds of {} s", BODY.len(), args.seconds);
    for &connections in &args.connections {
        measure(&subjects, &paths, connections, rounds, args)?;
    }
    Ok(())
}

/// Measures the servers in turn, so that other load of the machine affects them alike.
fn measure(subjects: &[Subject; 2], paths: &[String], connections: usize, rounds: usize, args: &Args) -> Result<()> {
    let mut series = [Series::new(), Series::new()];
    for subject in subjects {
        load(subject, paths, args.reads, connections, WARM_UP)?;
    }
    for round in 1..=rounds {
        say(&format!("{connections} connections, round {round} of {rounds}"));
        for (subject, series) in in_turn(round, subjects.iter().zip(&mut series)) {
            let before = usage::cpu(subject.server.id())?;
            let done = load(subject, paths, args.reads, connections, Duration::from_secs(args.seconds))?;
            let used = usage::cpu(subject.server.id())?.saturating_sub(before);
            let cpu_us = used.as_secs_f64() * 1e6 / f64::from(done.requests);
            let [p50, p99] = [0.5, 0.99].map(|share| percentile(&done.latencies, share).as_secs_f64() * 1e3);
            series.push([done.rate(), cpu_us, p50, p99]);
        }
    }
    print_table(
        &format!("x{connections}"),
        FIGURES,
        &subjects.each_ref().map(|subject| subject.name.as_str()),
        &series,
        &[(0, 1)],
    );
    Ok(())
}

/// Creates the streams, each with so many messages. For the trivial Worker a creation is an append like any other.
fn create(subject: &Subject, paths: &[String], messages: usize) -> Result<()> {
    let mut connection = Connection::open(subject.server.host(), Duration::from_secs(30))?;
    for path in paths {
        let create = [("PUT", b"".as_slice())];
        let append = std::iter::repeat_n(("POST", BODY.as_slice()), messages);
        for (method, body) in create.into_iter().chain(append) {
            let headers = subject.fields(&[("content-type", "application/json")]);
            let request = connection.request(method, path, &headers, body);
            let reply = connection.send(&request)?;
            if !(200..300).contains(&reply.status) {
                bail!("{}: {method} {path} was answered {}", subject.name, reply.status);
            }
        }
    }
    Ok(())
}

/// Sends these requests to a server.
fn load(subject: &Subject, paths: &[String], reads: bool, connections: usize, takes: Duration) -> Result<Done> {
    let (method, field, body, status): (_, _, &[u8], _) = match reads {
        true => ("GET", ("cache-control", "no-store"), b"", 200),
        false => ("POST", ("content-type", "application/json"), BODY, 204),
    };
    let headers = &subject.fields(&[field]);
    Load { method, host: subject.server.host(), paths, headers, body, status }.run(connections, takes)
}
