//! What the edge takes of the CPU time that Workers bill: not what the object takes, whose time is billed otherwise, nor
//! what the runtime takes for connections.
//!
//! - Of an event: what a reader of events costs, less what the same reader costs on the object's own socket, which the
//!   runtime pipes to it. Beside it, a trivial edge that copies from the one to the other.
//! - Of a request: what it costs where objects answer at once what they have answered before, less what a Worker costs
//!   that answers at once; of an answer from the cache, less what a Worker costs that only looks there.
//!
//! `sim/src/bill/cpu.rs` has the figures by which bills are predicted.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use xtask::http::Connection;
use xtask::project::{Project, say};
use xtask::setup::rust::Choice;
use xtask::worker::Variant;

use super::load::Load;
use super::reader::{Mode, message};
use super::series::{Series, in_turn, print_table};
use super::subject::Subject;
use super::turns::{Plan, Round};
use super::usage;
use crate::Built;
use crate::workerd::{self, Workerd};

/// The folder of the entries.
const FOLDER: &str = "tests/real/bench/edge";
/// How many messages a page brings.
const MESSAGES: usize = 10;
/// How long requests are sent before each measurement, so that code is compiled.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a request may take; none takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(30);
/// For how long connections with events last, in ms: the longest that may be configured. None may end meanwhile.
const EVENTS_MS: u64 = 900_000;
/// The longest that readers of events are told of writes: before the first connection ends, which is a tenth earlier.
const MOST: Duration = Duration::from_millis(EVENTS_MS / 10 * 8);
/// How long a long-poll is given until it waits.
const SETTLE: Duration = Duration::from_millis(300);

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Options of `cargo xtask bench edge`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each server is measured, in turn
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    seconds: u64,
    /// How many readers of events there are; 0 leaves them out
    #[arg(long, default_value_t = 200)]
    readers: usize,
    /// How many writes a second they are told of
    #[arg(long, default_value_t = 20, value_name = "WRITES")]
    rate: u32,
    /// Keep the objects' data in this folder: one in memory, as below /dev/shm, leaves the disk out of the figures
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Append,
    Page,
    Poll,
    Hit,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Append, Self::Page, Self::Poll, Self::Hit];

    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Page => "page",
            Self::Poll => "long-poll",
            Self::Hit => "hit",
        }
    }

    /// What is sent again and again.
    fn load<'a>(self, host: &'a str, paths: &'a [String], body: &'a [u8]) -> Load<'a> {
        const NO_STORE: &[(&str, &str)] = &[("cache-control", "no-store")];
        let get = |headers| Load { method: "GET", host, paths, headers, body: b"", status: 200 };
        match self {
            Self::Append => Load { method: "POST", host, paths, headers: &JSON, body, status: 204 },
            Self::Hit => get(&[]),
            Self::Page | Self::Poll => get(NO_STORE),
        }
    }
}

/// Measures and prints medians and what is the edge's.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.rounds == 0 || args.seconds == 0 {
        bail!("rounds and seconds must be at least 1");
    }
    let Built { node, worker } = &Built::new(project, toolchain, Variant::Plain)?;
    let beside = project.path(FOLDER);
    let events_ms = EVENTS_MS.to_string();
    let start = |entry: &'static str, log: &'static str, has_cache| {
        let options = workerd::Options {
            name: log,
            entry,
            beside: Some(&beside),
            bindings: &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_SSE_MS", &events_ms)],
            state: args.state_dir.as_ref().map(|dir| dir.join(format!("{log}-{}", std::process::id()))),
            has_cache,
            is_cache_apart: has_cache,
            ..workerd::Options::of(worker)
        };
        let name = entry.trim_end_matches(".mjs").to_owned();
        Ok::<_, anyhow::Error>(Subject { name, server: Workerd::start(project, node, &options)?, bearer: None })
    };
    if args.readers > 0 {
        let subjects = [
            start("raw.mjs", "bench-edge-raw", false)?,
            start("piped.mjs", "bench-edge-piped", false)?,
            start("entry.mjs", "bench-edge", false)?,
        ];
        events(&subjects, args)?;
    }
    for kind in Kind::ALL {
        let has_cache = kind == Kind::Hit;
        let least = if has_cache { "kept.mjs" } else { "plain.mjs" };
        let subjects =
            [start(least, "bench-edge-least", has_cache)?, start("recorded.mjs", "bench-edge-recorded", has_cache)?];
        requests(&subjects, kind, args)?;
    }
    Ok(())
}

/// Readers of events.
fn events(subjects: &[Subject], args: &Args) -> Result<()> {
    let plan = Plan { readers: args.readers, rounds: args.rounds, seconds: args.seconds, rate: args.rate };
    if args.rate == 0 || plan.lasts(subjects.len()) > MOST {
        bail!("the rate must be at least 1, and all rounds together must take at most {} s", MOST.as_secs());
    }
    let mode = |subject: &Subject| if subject.name == "raw" { Mode::Socket } else { Mode::Sse };
    let servers: Vec<(&Subject, Mode)> = subjects.iter().map(|subject| (subject, mode(subject))).collect();
    let begins = |round| say(&format!("{} readers of events, round {round} of {}", args.readers, args.rounds));
    let rounds = plan.run(&servers, begins)?;
    let series: Vec<_> =
        rounds.iter().map(|rounds| Series::of(rounds.iter().map(|round| [round.cpu_us, round.p50_ms]))).collect();
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    print_table(&format!("events x{}", args.readers), [("CPU us", 2), ("p50 ms", 2)], &names, &series, &[]);
    // Less what the same reader costs on the object's own socket, in the same round.
    let [raw, edges @ ..] = rounds.as_slice() else { return Ok(()) };
    let less = |(round, raw): (&Round, &Round)| [round.cpu_us - raw.cpu_us];
    let series: Vec<_> = edges.iter().map(|rounds| Series::of(rounds.iter().zip(raw).map(less))).collect();
    print_table("of the edge", [("CPU us", 2)], &names[1..], &series, &[(0, 1)]);
    Ok(())
}

/// Requests of a kind, one after another.
fn requests(subjects: &[Subject; 2], kind: Kind, args: &Args) -> Result<()> {
    let mut series = [Series::new(), Series::new()];
    let path = format!("/v1/stream/bench/{}", kind.name());
    let body = message(0);
    let mut loads = Vec::new();
    for subject in subjects {
        let is_ours = subject.name == "recorded";
        let target = if is_ours { prepare(subject, kind, &path)? } else { path.clone() };
        loads.push((subject, vec![target]));
    }
    for (subject, paths) in &loads {
        kind.load(subject.server.host(), paths, &body).run(1, WARM_UP)?;
    }
    for round in 1..=args.rounds {
        say(&format!("{}, round {round} of {}", kind.name(), args.rounds));
        for ((subject, paths), series) in in_turn(round, loads.iter().zip(&mut series)) {
            let load = kind.load(subject.server.host(), paths, &body);
            let before = usage::cpu(subject.server.id())?;
            let done = load.run(1, Duration::from_secs(args.seconds))?;
            let used = usage::cpu(subject.server.id())?.saturating_sub(before);
            series.push([used.as_secs_f64() * 1e6 / f64::from(done.requests), done.rate()]);
        }
    }
    let names = subjects.each_ref().map(|subject| subject.name.as_str());
    print_table(kind.name(), [("CPU us", 1), ("requests/s", 0)], &names, &series, &[(0, 1)]);
    let [plain, recorded] = series.each_ref().map(|series| series.medians()[0]);
    println!("{:<22}{:>14.1} us a request of the edge", "edge", recorded - plain);
    Ok(())
}

/// Creates the stream that requests of the kind are about. Returns their target.
fn prepare(subject: &Subject, kind: Kind, path: &str) -> Result<String> {
    let host = subject.server.host();
    let append = |connection: &mut Connection, count: usize| {
        (0..count).try_for_each(|number| send(connection, "POST", path, &message(number)).map(drop))
    };
    let mut connection = Connection::open(host, LIMIT)?;
    send(&mut connection, "PUT", path, b"")?;
    match kind {
        Kind::Append => Ok(path.to_owned()),
        Kind::Page => {
            append(&mut connection, MESSAGES)?;
            Ok(path.to_owned())
        }
        // What a long-poll has found is kept, however little it is. When it is too old, one request asks again.
        Kind::Hit => {
            append(&mut connection, MESSAGES)?;
            let target = format!("{path}?offset=-1&live=long-poll");
            let start = Instant::now();
            while send(&mut connection, "GET", &target, b"")?.as_deref() != Some("HIT") {
                if start.elapsed() > LIMIT {
                    bail!("no cache has kept what {target} was answered");
                }
                thread::sleep(SETTLE);
            }
            Ok(target)
        }
        Kind::Poll => {
            let target = format!("{path}?offset=-1&live=long-poll");
            let poll = target.clone();
            thread::scope(|scope| {
                let waits = scope.spawn(|| send(&mut Connection::open(host, LIMIT)?, "GET", &poll, b""));
                thread::sleep(SETTLE);
                append(&mut connection, 1)?;
                waits.join().unwrap_or_else(|_| Err(anyhow!("the long-poll's thread has panicked")))
            })?;
            Ok(target)
        }
    }
}

/// Sends a request that must succeed. Returns what the answer says of caches.
fn send(connection: &mut Connection, method: &str, path: &str, body: &[u8]) -> Result<Option<String>> {
    let headers: &[(&str, &str)] = if method == "GET" { &[] } else { &JSON };
    let request = connection.request(method, path, headers, body);
    let reply = connection.send(&request).with_context(|| format!("{method} {path}"))?;
    if !(200..300).contains(&reply.status) {
        bail!("{method} {path} was answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    }
    Ok(reply.head.field("x-cache").map(str::to_owned))
}
