//! Catching up: readers begin at the first offset and read to the tail, from the object's own rows (hot) and from
//! segments in the bucket (cold). The log was appended before, while its segments moved, and how long that took is
//! told as well. Both are compared with a Worker in JavaScript whose object joins rows to pages, or
//! with the same two of another commit; or cold logs with one another whose segments are sealed at other numbers of rows.
//!
//! The bucket is a service of this process, so that the runtime does not use CPU time for it. No cache is involved.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use xtask::http::Connection;
use xtask::project::{Project, say};
use xtask::setup::node::Node;
use xtask::setup::rust::Choice;
use xtask::worker::{Variant, Worker};

use super::comparison::{Comparison, Other};
use super::filling::Filling;
use super::series::{Series, in_turn, percentile, print_table};
use super::subject::Trivial;
use super::usage;
use crate::Built;
use crate::bucket::{Bucket, Hold};
use crate::cold::Cold;
use crate::workerd::{self, Workerd};

/// The Worker that ours is compared with.
const TRIVIAL: Trivial = Trivial { source: "tests/real/bench/trivial_catchup.mjs", class: "TrivialLog" };
const STREAM: &str = "/v1/stream/bench";
/// How long an answer may take; none takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(30);
const MEGABYTE: f64 = 1e6;
/// How many rounds, unless the command says otherwise.
const ROUNDS: usize = 5;
/// The columns of the table of reads.
const READ_FIGURES: [(&str, usize); 3] = [("MB/s", 1), ("CPU ms/MB", 2), ("R2 reads/page", 2)];
/// The columns of the table of appends, which are measured once.
const APPEND_FIGURES: [(&str, usize); 5] =
    [("appends/s", 0), ("CPU ms/MB", 2), ("p50 ms", 2), ("p99 ms", 2), ("max ms", 1)];

/// Options of `cargo xtask bench catchup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    comparison: Comparison,
    /// Which logs are read
    #[arg(long, value_enum, value_delimiter = ',', default_value = "large,small,batches")]
    logs: Vec<Filling>,
    /// How often each reader reads 100 MB in a round
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    passes: usize,
    /// How many readers read at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    readers: Vec<usize>,
    /// Instead of other Workers, compare cold logs whose segments are sealed at so many rows, with the first one
    #[arg(long, value_delimiter = ',', value_name = "ROWS", conflicts_with = "against")]
    segment_rows: Vec<u64>,
}

/// Where a server's log is when it is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the object's rows.
    Hot,
    /// In the bucket.
    Cold,
    /// Where a trivial Worker keeps it.
    Own,
}

/// A server to be measured.
struct Subject {
    name: String,
    filling: Filling,
    place: Place,
    server: Workerd,
    bucket: Arc<Bucket>,
}

/// Measures all servers and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.passes == 0 || args.readers.contains(&0) {
        bail!("passes and readers must be at least 1");
    }
    let rounds = args.comparison.rounds(ROUNDS)?;
    let Built { node, worker: ours } = &Built::new(project, toolchain, Variant::Plain)?;
    let other = args.comparison.build(project)?;
    let workers = Workers { project, node, ours, other, segment_rows: &args.segment_rows };
    for &filling in &args.logs {
        run_one(&workers, filling, args, rounds)?;
    }
    Ok(())
}

/// Fills one log on all servers, and has it read.
fn run_one(workers: &Workers<'_>, filling: Filling, args: &Args, rounds: usize) -> Result<()> {
    let (subjects, pairs) = start(workers, filling)?;
    let (messages, bytes, batch) = (filling.messages(), filling.message_bytes(), filling.batch());
    println!("\n{messages} messages of {bytes} bytes, appended {batch} at a time");
    let mut appends = Vec::new();
    for subject in &subjects {
        // The first put is held for ever, so every segment stays in the object.
        if subject.place == Place::Hot {
            subject.bucket.hold(Hold::BeforeStored);
        }
        say(&format!("appending to {}", subject.name));
        appends.push(subject.fill()?);
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    print_table(&format!("{} appends", filling.name()), APPEND_FIGURES, &names, &appends, &pairs);
    for subject in &subjects {
        match subject.place {
            Place::Hot => subject.wait_until(|cold| cold.segments == 0)?,
            Place::Cold => subject.wait_until(|cold| cold.segments > 0 && cold.hot_bytes == 0)?,
            Place::Own => {}
        }
    }
    let passes = args.passes * filling.repeats();
    println!(
        "\nreading {} MB in pages; medians of {rounds} rounds of {passes} passes",
        filling.bytes() as f64 / MEGABYTE
    );
    for &readers in &args.readers {
        measure(&subjects, &pairs, readers, rounds, passes)?;
    }
    Ok(())
}

/// What is started for each log.
struct Workers<'a> {
    project: &'a Project,
    node: &'a Node,
    ours: &'a Worker,
    other: Option<Other>,
    segment_rows: &'a [u64],
}

/// Two servers that are compared, by their indexes in a list.
type Pair = (usize, usize);

/// Starts the servers. Returns them, and which of them are compared.
fn start(workers: &Workers<'_>, filling: Filling) -> Result<(Vec<Subject>, Vec<Pair>)> {
    let Workers { project, node, ours, other, segment_rows } = workers;
    let start = |name: String, place, options: &workerd::Options| {
        let bucket = Arc::new(Bucket::start()?);
        let server = Workerd::start_with(project, node, options, Arc::clone(&bucket))?;
        Ok::<_, anyhow::Error>(Subject { name, filling, place, server, bucket })
    };
    // A put that is held fails after a while, and is not tried again.
    let usual = [
        ("TAILRACE_NO_AUTH", "1"),
        ("TAILRACE_ROTATION_RETRY_MIN_MS", "86400000"),
        ("TAILRACE_ROTATION_RETRY_MAX_MS", "86400000"),
    ];
    if !segment_rows.is_empty() {
        let sealed_at = |rows: &u64| {
            let setting = rows.to_string();
            let bindings = &[&usual[..], &[("TAILRACE_SEGMENT_ROWS", setting.as_str())]].concat();
            let log = &format!("bench-cold-{rows}");
            let options = workerd::Options { name: log, bindings, has_cache: false, ..workerd::Options::of(ours) };
            start(format!("cold, {rows} rows"), Place::Cold, &options)
        };
        let subjects: Vec<Subject> = segment_rows.iter().map(sealed_at).collect::<Result<_>>()?;
        let pairs = (1..subjects.len()).map(|other| (0, other)).collect();
        return Ok((subjects, pairs));
    }
    let tailrace = |name: String, place, log, worker| {
        let bindings = &usual;
        start(name, place, &workerd::Options { name: log, bindings, has_cache: false, ..workerd::Options::of(worker) })
    };
    let hot = tailrace("hot".to_owned(), Place::Hot, "bench-hot", ours)?;
    let cold = tailrace("cold".to_owned(), Place::Cold, "bench-cold", ours)?;
    if let Some(other) = other {
        let named = |place: &str| format!("{place} {}", other.name);
        let other_hot = tailrace(named("hot"), Place::Hot, "bench-other-hot", &other.worker)?;
        let other_cold = tailrace(named("cold"), Place::Cold, "bench-other-cold", &other.worker)?;
        return Ok((vec![other_hot, hot, other_cold, cold], vec![(0, 1), (2, 3)]));
    }
    let modules = TRIVIAL.modules(project)?;
    let options = workerd::Options::of_modules("bench-trivial", &modules, TRIVIAL.class);
    let options = workerd::Options { has_cache: false, ..options };
    let trivial = start("trivial".to_owned(), Place::Own, &options)?;
    Ok((vec![trivial, hot, cold], vec![(0, 1), (0, 2)]))
}

/// Measures the servers in turn, so that other load of the machine affects them alike.
fn measure(subjects: &[Subject], pairs: &[Pair], readers: usize, rounds: usize, passes: usize) -> Result<()> {
    let mut series: Vec<_> = subjects.iter().map(|_| Series::new()).collect();
    for subject in subjects {
        subject.read(readers, 1)?;
    }
    for round in 1..=rounds {
        say(&format!("{readers} readers, round {round} of {rounds}"));
        for (subject, series) in in_turn(round, subjects.iter().zip(&mut series)) {
            let (cpu, gets) = (usage::cpu(subject.server.id())?, subject.bucket.counts().gets);
            let start = Instant::now();
            let (bytes, pages) = subject.read(readers, passes)?;
            let took = start.elapsed();
            let cpu = usage::cpu(subject.server.id())?.saturating_sub(cpu);
            let megabytes = bytes as f64 / MEGABYTE;
            let gets = (subject.bucket.counts().gets - gets) as f64;
            series.push([megabytes / took.as_secs_f64(), cpu.as_secs_f64() * 1e3 / megabytes, gets / pages as f64]);
        }
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    print_table(&format!("{} x{readers}", subjects[0].filling.name()), READ_FIGURES, &names, &series, pairs);
    Ok(())
}

impl Subject {
    /// Creates the stream, appends to it, and closes it, so that its last segment is sealed too. Returns what the
    /// appends took.
    fn fill(&self) -> Result<Series<5>> {
        let mut connection = Connection::open(self.server.host(), LIMIT)?;
        let json = ("content-type", "application/json");
        self.send(&mut connection, "PUT", json, b"")?;
        let (cpu, start) = (usage::cpu(self.server.id())?, Instant::now());
        let parts: Vec<Result<Vec<Duration>>> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.filling.connections()).map(|number| scope.spawn(move || self.append(json, number))).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(anyhow!("a writer's thread has panicked")))
            };
            threads.into_iter().map(join).collect()
        });
        let latencies = parts.into_iter().collect::<Result<Vec<_>>>()?.concat();
        let (took, cpu) = (start.elapsed(), usage::cpu(self.server.id())?.saturating_sub(cpu));
        // The runtime has closed the first connection if it was idle for long.
        let mut connection = Connection::open(self.server.host(), LIMIT)?;
        self.send(&mut connection, "POST", ("stream-closed", "true"), b"")?;
        let ms = |share| percentile(&latencies, share).as_secs_f64() * 1e3;
        let cpu_ms = cpu.as_secs_f64() * 1e3 / (self.filling.bytes() as f64 / MEGABYTE);
        let mut series = Series::new();
        series.push([latencies.len() as f64 / took.as_secs_f64(), cpu_ms, ms(0.5), ms(0.99), ms(1.0)]);
        Ok(series)
    }

    /// Appends the share of one connection. Returns how long each append took.
    fn append(&self, json: (&str, &str), number: usize) -> Result<Vec<Duration>> {
        let mut connection = Connection::open(self.server.host(), LIMIT)?;
        let mut latencies = Vec::new();
        for body in self.filling.bodies().skip(number).step_by(self.filling.connections()) {
            // The trivial Worker joins what it is sent.
            let body = match self.place {
                Place::Own if self.filling.batch() > 1 => &body[1..body.len() - 1],
                _ => &body,
            };
            let sent = Instant::now();
            self.send(&mut connection, "POST", json, body)?;
            latencies.push(sent.elapsed());
        }
        Ok(latencies)
    }

    fn send(&self, connection: &mut Connection, method: &str, header: (&str, &str), body: &[u8]) -> Result<()> {
        let request = connection.request(method, STREAM, &[header], body);
        let reply = connection.send(&request)?;
        if !(200..300).contains(&reply.status) {
            bail!("{}: {method} {STREAM} was answered {}", self.name, reply.status);
        }
        Ok(())
    }

    /// Waits until the object's counts of segments fulfil the condition.
    fn wait_until(&self, condition: impl Fn(&Cold) -> bool) -> Result<()> {
        let mut connection = Connection::open(self.server.host(), LIMIT)?;
        let start = Instant::now();
        loop {
            let cold = Cold::of(&mut connection, STREAM)?;
            if condition(&cold) {
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                bail!("{}: its segments are not where they should be: {cold:?}", self.name);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Has this many readers read everything `passes` times. Returns the bytes and pages that they got together.
    fn read(&self, readers: usize, passes: usize) -> Result<(usize, usize)> {
        // All connect before any reads. A reader that cannot connect must still reach the barrier, or the others would
        // wait for ever.
        let barrier = Barrier::new(readers);
        let read = || {
            let connection = Connection::open(self.server.host(), LIMIT);
            barrier.wait();
            let mut connection = connection?;
            let (mut bytes, mut pages) = (0, 0);
            for _ in 0..passes {
                let (more, count) = self.read_once(&mut connection)?;
                bytes += more;
                pages += count;
            }
            Ok((bytes, pages))
        };
        let parts: Vec<Result<(usize, usize)>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..readers).map(|_| scope.spawn(read)).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(anyhow!("a reader's thread has panicked")))
            };
            threads.into_iter().map(join).collect()
        });
        parts.into_iter().try_fold((0, 0), |(bytes, pages), part| part.map(|(b, p)| (bytes + b, pages + p)))
    }

    /// Reads from the start to the tail. Returns bytes and pages.
    fn read_once(&self, connection: &mut Connection) -> Result<(usize, usize)> {
        let (mut offset, mut bytes, mut pages) = ("-1".to_owned(), 0, 0);
        loop {
            let path = format!("{STREAM}?offset={offset}");
            let request = connection.request("GET", &path, &[("cache-control", "no-store")], b"");
            let reply = connection.send(&request)?;
            let next = reply.head.field("stream-next-offset");
            let (200, Some(next)) = (reply.status, next) else {
                bail!("{}: GET {path} was answered {}", self.name, reply.status);
            };
            bytes += reply.body.len();
            pages += 1;
            if reply.head.field("stream-up-to-date").is_some() {
                break;
            }
            next.clone_into(&mut offset);
        }
        // Each page is an array: its brackets and commas are one byte for each message and one more for each page.
        let expected = self.filling.messages() * (self.filling.message_bytes() + 1) + pages;
        if bytes != expected {
            bail!("{}: {bytes} bytes were read instead of {expected}", self.name);
        }
        Ok((bytes, pages))
    }
}
