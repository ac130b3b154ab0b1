//! Catching up: readers that come with the first offset and read to the tail, out of the object's own rows (hot) and out
//! of segments in the bucket (cold), beside a Worker in JavaScript whose object joins rows to pages.
//!
//! The bucket is a service of this process, so that its CPU time is not the runtime's. No cache is asked.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::series::Series;
use super::usage;
use crate::bucket::{Bucket, Hold};
use crate::cold::Cold;
use crate::http::Connection;
use crate::project::{Project, create_dir, say, write};
use crate::setup::rust::Choice;
use crate::workerd::{self, Workerd};
use crate::{setup, worker};

/// The Worker that ours is compared with.
const TRIVIAL: &str = "tests/bench/trivial_catchup.mjs";
const STREAM: &str = "/v1/stream/bench";
/// 10 MB in messages of 10 KB.
const MESSAGES: usize = 1_000;
const MESSAGE_BYTES: usize = 10_000;
/// No answer takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(30);
const MEGABYTE: f64 = 1e6;

/// Options of `cargo xtask bench catchup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each server is measured, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How often each reader reads everything in a round
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    passes: usize,
    /// How many readers read at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    readers: Vec<usize>,
}

/// A server to be measured.
struct Subject {
    name: &'static str,
    server: Workerd,
    bucket: Arc<Bucket>,
}

/// Measures all three and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.rounds == 0 || args.passes == 0 || args.readers.contains(&0) {
        bail!("rounds, passes and readers must be at least 1");
    }
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    let ours = worker::build(project, &rust, &node)?;
    let trivial = project.generated("trivial-log");
    create_dir(&trivial)?;
    write(&trivial.join(worker::ENTRY), std::fs::read(project.path(TRIVIAL)).context(TRIVIAL)?)?;

    let start = |name, options: &workerd::Options| {
        let bucket = Arc::new(Bucket::start()?);
        let server = Workerd::start_with(project, &node, options, Arc::clone(&bucket))?;
        Ok::<_, anyhow::Error>(Subject { name, server, bucket })
    };
    let bindings = &[("TAILRACE_NO_AUTH", "1")];
    let options = |name| workerd::Options { name, bindings, ..workerd::Options::of(&ours) };
    let trivial =
        workerd::Options { name: "bench-trivial", modules: &trivial, class: "TrivialLog", bindings: &[], state: None };
    let subjects =
        [start("trivial", &trivial)?, start("hot", &options("bench-hot"))?, start("cold", &options("bench-cold"))?];
    // A put that never ends keeps every segment in the object.
    subjects[1].bucket.hold(Hold::BeforeStored);
    say(&format!("appending {MESSAGES} messages of {MESSAGE_BYTES} bytes to each"));
    for subject in &subjects {
        subject.fill()?;
    }
    subjects[1].wait_until(|cold| cold.segments == 0)?;
    subjects[2].wait_until(|cold| cold.segments > 0 && cold.hot_bytes == 0)?;
    println!(
        "reading {} MB in pages; medians of {} rounds of {} passes",
        (MESSAGES * MESSAGE_BYTES) as f64 / MEGABYTE,
        args.rounds,
        args.passes
    );
    for &readers in &args.readers {
        measure(&subjects, readers, args)?;
    }
    Ok(())
}

/// Measures the servers in turn, so that what else the machine does befalls them alike.
fn measure(subjects: &[Subject; 3], readers: usize, args: &Args) -> Result<()> {
    let mut series = [Series::new(), Series::new(), Series::new()];
    for subject in subjects {
        subject.read(readers, 1)?;
    }
    for round in 1..=args.rounds {
        say(&format!("{readers} readers, round {round} of {}", args.rounds));
        for (subject, series) in subjects.iter().zip(&mut series) {
            let (cpu, gets) = (usage::cpu(subject.server.id())?, subject.bucket.counts().gets);
            let start = Instant::now();
            let (bytes, pages) = subject.read(readers, args.passes)?;
            let took = start.elapsed();
            let cpu = usage::cpu(subject.server.id())?.saturating_sub(cpu);
            let megabytes = bytes as f64 / MEGABYTE;
            let gets = (subject.bucket.counts().gets - gets) as f64;
            series.push([megabytes / took.as_secs_f64(), cpu.as_secs_f64() * 1e3 / megabytes, gets / pages as f64]);
        }
    }
    println!(
        "\n{:<10}{:>10}{:>14}{:>10}{:>18}",
        format!("x{readers}"),
        "MB/s",
        "CPU ms/MB",
        "ratio",
        "R2 reads a page"
    );
    let rows = series.each_ref().map(Series::medians);
    let [[_, least, _], ..] = rows;
    for (subject, [rate, cpu_ms, gets]) in subjects.iter().zip(rows) {
        println!("{:<10}{rate:>10.1}{cpu_ms:>14.2}{:>10.2}{gets:>18.2}", subject.name, cpu_ms / least);
    }
    Ok(())
}

impl Subject {
    /// Creates the stream, appends to it, and closes it, so that its last segment is sealed too.
    fn fill(&self) -> Result<()> {
        let mut connection = Connection::open(self.server.host(), LIMIT)?;
        let json = ("content-type", "application/json");
        self.send(&mut connection, "PUT", json, b"")?;
        for count in 0..MESSAGES {
            self.send(&mut connection, "POST", json, message(count).as_bytes())?;
        }
        self.send(&mut connection, "POST", ("stream-closed", "true"), b"")
    }

    fn send(&self, connection: &mut Connection, method: &str, header: (&str, &str), body: &[u8]) -> Result<()> {
        let request = connection.request(method, STREAM, &[header], body);
        let reply = connection.send(&request)?;
        if !(200..300).contains(&reply.status) {
            bail!("{}: {method} {STREAM} was answered {}", self.name, reply.status);
        }
        Ok(())
    }

    /// Waits until nothing, or everything, is in the bucket.
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

    /// Lets so many readers read everything so often; bytes and pages that they got together.
    fn read(&self, readers: usize, passes: usize) -> Result<(usize, usize)> {
        // All connect before any reads; one that cannot must still arrive, or the others would wait for ever.
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

    /// Reads from the start to the tail; bytes and pages.
    fn read_once(&self, connection: &mut Connection) -> Result<(usize, usize)> {
        let (mut offset, mut bytes, mut pages) = ("-1".to_owned(), 0, 0);
        loop {
            let path = format!("{STREAM}?offset={offset}");
            let request = connection.request("GET", &path, &[("cache-control", "no-cache")], b"");
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
        // Each page is an array: its brackets and commas come to one byte a message, and one more a page.
        let expected = MESSAGES * (MESSAGE_BYTES + 1) + pages;
        if bytes != expected {
            bail!("{}: {bytes} bytes were read instead of {expected}", self.name);
        }
        Ok((bytes, pages))
    }
}

/// A message as applications send them, but longer.
fn message(count: usize) -> String {
    let head = format!("{{\"type\":\"reading\",\"count\":{count},\"text\":\"");
    let text = "the channel behind a mill wheel ".chars().cycle().take(MESSAGE_BYTES - head.len() - 2);
    head.chars().chain(text).chain("\"}".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_json_of_one_length() {
        for count in [0, 999] {
            let message = message(count);
            assert_eq!(message.len(), MESSAGE_BYTES);
            let json: serde_json::Value = serde_json::from_str(&message).unwrap();
            assert_eq!(json["count"].as_u64(), Some(count as u64));
        }
    }
}
