//! What the edge cache saves: the same Worker without a cache and with one, side by side. How often objects are called is
//! counted by the Worker's isolate. The runtime has one isolate, whose requests share their flights whether or not there
//! is a cache; on Workers there are many, and a cache saves more.
//!
//! The cache is Miniflare's, in a process of its own, whose CPU time is not counted: Workers are not billed for it. What
//! it costs to ask that process is counted.

use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use xtask::http::Connection;
use xtask::project::{Project, say};
use xtask::setup::rust::Choice;
use xtask::worker::Variant;

use super::filling::Filling;
use super::live::{Pace, deliver};
use super::reader::Mode;
use super::series::{Series, in_turn, print_table};
use super::subject::Subject;
use super::usage;
use crate::Built;
use crate::workerd::{self, Workerd};

/// A module that counts calls of objects, and its folder.
const COUNTED: &str = "counted.mjs";
const COUNTED_FOLDER: &str = "tests/real/bench/counted";
/// The log that is read from its start.
const LOG: Filling = Filling::Large;
const MEGABYTE: f64 = 1e6;
const LIMIT: Duration = Duration::from_secs(30);
/// The columns of the tables.
const LIVE_FIGURES: [(&str, usize); 4] = [("calls/write", 2), ("CPU ms/1000", 1), ("p50 ms", 2), ("p99 ms", 2)];
const READ_FIGURES: [(&str, usize); 3] = [("calls", 0), ("CPU ms/MB", 2), ("MB/s", 1)];

/// Options of `cargo xtask bench cache`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each server is measured, in turn
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// How long each measurement of readers that wait takes
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    seconds: u64,
    /// How many writes a second there are
    #[arg(long, default_value_t = 10, value_name = "WRITES")]
    rate: u32,
    /// How many readers wait by long-poll; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "200")]
    long_poll: Vec<usize>,
    /// How many readers read a log of 10 MB from its start at the same time; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "16")]
    readers: Vec<usize>,
    /// Keep the objects' data in this folder: one in memory, as below /dev/shm, leaves the disk out of the figures
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// Measures both and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.rounds == 0 {
        bail!("rounds must be at least 1");
    }
    let pace = Pace::new(args.rate, args.seconds)?;
    let Built { node, worker } = &Built::new(project, toolchain, Variant::Plain)?;
    let counted = project.path(COUNTED_FOLDER);
    let start = |name: &str, log, has_cache| {
        let options = workerd::Options {
            name: log,
            entry: COUNTED,
            beside: Some(&counted),
            bindings: &[("TAILRACE_NO_AUTH", "1")],
            state: args.state_dir.as_ref().map(|dir| dir.join(format!("{log}-{}", std::process::id()))),
            has_cache,
            is_cache_apart: true,
            ..workerd::Options::of(worker)
        };
        let server = Workerd::start(project, node, &options)?;
        Ok::<_, anyhow::Error>(Subject { name: name.to_owned(), server, bearer: None })
    };
    let subjects = [start("without a cache", "bench-cacheless", false)?, start("with a cache", "bench-cache", true)?];
    for &readers in args.long_poll.iter().filter(|&&readers| readers > 0) {
        live(&subjects, readers, pace, args.rounds)?;
    }
    for &readers in args.readers.iter().filter(|&&readers| readers > 0) {
        catch_up(&subjects, readers, args.rounds)?;
    }
    Ok(())
}

/// Readers that wait by long-poll.
fn live(subjects: &[Subject; 2], readers: usize, pace: Pace, rounds: usize) -> Result<()> {
    println!("\n{readers} readers by long-poll, {} writes a second; medians of {rounds} rounds", pace.rate);
    measure(subjects, &format!("long-poll x{readers}"), LIVE_FIGURES, rounds, |subject, round| {
        let path = format!("/v1/stream/bench/live-{readers}-{round}");
        let before = calls(subject)?;
        let [p50, p99, _, cpu_ms] = deliver(subject, Mode::LongPoll, readers, &path, pace)?;
        // Each write is a call, too, as is the creation of the stream. Those of the warm-up are among them.
        let writes = pace.writes()?;
        Ok([(calls(subject)? - before - 1.0) / writes as f64 - 1.0, cpu_ms, p50, p99])
    })
}

/// Readers that read a log from its start at the same time. Each round has a log of its own, of which no cache has a page.
fn catch_up(subjects: &[Subject; 2], readers: usize, rounds: usize) -> Result<()> {
    let megabytes = LOG.bytes() as f64 / MEGABYTE;
    println!("\n{readers} readers of a log of {megabytes} MB that nobody has read; medians of {rounds} rounds");
    measure(subjects, &format!("catch-up x{readers}"), READ_FIGURES, rounds, |subject, round| {
        let path = format!("/v1/stream/bench/log-{readers}-{round}");
        fill(subject, &path)?;
        let (cpu, before, start) = (usage::cpu(subject.server.id())?, calls(subject)?, Instant::now());
        read_all(subject, &path, readers)?;
        let took = start.elapsed();
        let cpu = usage::cpu(subject.server.id())?.saturating_sub(cpu);
        let read = megabytes * readers as f64;
        Ok([calls(subject)? - before, cpu.as_secs_f64() * 1e3 / read, read / took.as_secs_f64()])
    })
}

/// Measures both in turn, so that other load of the machine affects them alike, and prints a table.
fn measure<const N: usize>(
    subjects: &[Subject; 2],
    title: &str,
    figures: [(&str, usize); N],
    rounds: usize,
    round_of: impl Fn(&Subject, usize) -> Result<[f64; N]>,
) -> Result<()> {
    let mut series = [Series::new(), Series::new()];
    for round in 1..=rounds {
        say(&format!("{title}, round {round} of {rounds}"));
        for (subject, series) in in_turn(round, subjects.iter().zip(&mut series)) {
            series.push(round_of(subject, round).map_err(|error| anyhow!("{}: {error:#}", subject.name))?);
        }
    }
    print_table(title, figures, &subjects.each_ref().map(|subject| subject.name.as_str()), &series, &[(0, 1)]);
    Ok(())
}

/// How many calls of objects the server's isolate has made.
fn calls(subject: &Subject) -> Result<f64> {
    let mut connection = Connection::open(subject.server.host(), LIMIT)?;
    let request = connection.request("GET", "/calls", &[], b"");
    let reply = connection.send(&request)?;
    String::from_utf8_lossy(&reply.body).parse().context("GET /calls tells no number")
}

/// Creates the log, and appends to it.
fn fill(subject: &Subject, path: &str) -> Result<()> {
    let mut connection = Connection::open(subject.server.host(), LIMIT)?;
    let mut send = |method: &str, body: &[u8]| {
        let request = connection.request(method, path, &[("content-type", "application/json")], body);
        let status = connection.send(&request)?.status;
        if !(200..300).contains(&status) {
            bail!("{method} {path} was answered {status}");
        }
        Ok(())
    };
    send("PUT", b"")?;
    LOG.bodies().try_for_each(|body| send("POST", &body))
}

/// Has this many readers read the whole log.
fn read_all(subject: &Subject, path: &str, readers: usize) -> Result<()> {
    // All connect before any reads. A reader that cannot connect must still reach the barrier, or the others would wait
    // for ever.
    let barrier = Barrier::new(readers);
    let read = || {
        let connection = Connection::open(subject.server.host(), LIMIT);
        barrier.wait();
        read(&mut connection?, path)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("a reader's thread has panicked")))
        };
        threads.into_iter().try_for_each(join)
    })
}

fn read(connection: &mut Connection, path: &str) -> Result<()> {
    let (mut offset, mut bytes, mut pages) = ("-1".to_owned(), 0, 0);
    loop {
        let request = connection.request("GET", &format!("{path}?offset={offset}"), &[], b"");
        let reply = connection.send(&request)?;
        let (200, Some(next)) = (reply.status, reply.head.field("stream-next-offset")) else {
            bail!("GET {path}?offset={offset} was answered {}", reply.status);
        };
        bytes += reply.body.len();
        pages += 1;
        if reply.head.field("stream-up-to-date").is_some() {
            break;
        }
        next.clone_into(&mut offset);
    }
    // Each page is an array: its brackets and commas are one byte for each message and one more for each page.
    let expected = LOG.messages() * (LOG.message_bytes() + 1) + pages;
    if bytes != expected {
        bail!("{bytes} bytes of {path} were read instead of {expected}");
    }
    Ok(())
}
