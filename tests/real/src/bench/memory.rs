//! How much memory the runtime takes: for readers that wait, and after they have left; for clients that read nothing;
//! and while large content goes to many readers. Each case has a runtime of its own, since memory that was used once
//! is seldom given back. How much of it readers take at the least, and that it is not given back, is shown by a Worker
//! in JavaScript whose object holds them itself.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xtask::http::Connection;
use xtask::project::{Project, read, say};
use xtask::setup::rust::Choice;
use xtask::worker::Variant;

use super::comparison;
use super::live::TRIVIAL;
use super::waiters::Waiters;
use crate::Built;
use crate::workerd::{self, Workerd};

/// How long anything may take; nothing takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(120);
/// How many messages of 100 bytes the readers get that leave afterwards.
const MESSAGES: usize = 20;
/// For how long clients read nothing: longer than it takes to fill what may wait for them.
const STALL: Duration = Duration::from_secs(10);
/// The columns: what is measured, and the figure of each Worker.
const WIDTH: usize = 60;

/// Options of `cargo xtask bench memory`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure beside the Worker of this commit, built by its own tools
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
    /// How many readers by SSE come, get some messages and leave; 0 leaves it out
    #[arg(long, default_value_t = 2_000)]
    readers: usize,
    /// How often they come and leave
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// At how many seconds after they have left it is measured
    #[arg(long, value_delimiter = ',', default_value = "35,90", value_name = "SECONDS")]
    after: Vec<u64>,
    /// How many clients do not read one message of 8 MiB of line feeds; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "4,60")]
    stalled: Vec<usize>,
    /// How many readers get one large append; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    fan_out: Vec<usize>,
    /// How large that append is
    #[arg(long, value_delimiter = ',', default_value = "128,129", value_name = "KIB")]
    kib: Vec<usize>,
}

/// Measures each case, and prints the figures.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    let Built { node, worker } = Built::new(project, toolchain, Variant::Plain)?;
    let other = args.against.as_deref().map(|commit| comparison::build(project, commit)).transpose()?;
    let trivial = TRIVIAL.modules(project)?;
    // No connection ends by itself during a case.
    let bindings = &[("TAILRACE_NO_AUTH", "1"), ("TAILRACE_SSE_MS", "900000")];
    let of = |worker| workerd::Options { name: "memory", bindings, has_cache: false, ..workerd::Options::of(worker) };
    let ours = ("tailrace", of(&worker));
    let other = other.as_ref().map(|other| (other.name.as_str(), of(&other.worker)));
    let trivial = ("trivial", workerd::Options::of_modules("memory-trivial", &trivial, TRIVIAL.class));
    let each = |title: &str,
                workers: &[&(&str, workerd::Options)],
                case: &dyn Fn(&Workerd) -> Result<Vec<Figure>>|
     -> Result<()> {
        let mut all = Vec::new();
        for (name, options) in workers {
            say(&format!("{title}: {name}"));
            let server = Workerd::start(project, &node, options)?;
            all.push(case(&server).with_context(|| format!("{title}: {name}"))?);
        }
        print_table(title, &workers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &all);
        Ok(())
    };
    let beside: Vec<_> = other.iter().chain([&ours]).collect();
    if args.readers > 0 {
        let beside: Vec<_> = other.iter().chain([&trivial, &ours]).collect();
        each(&format!("{} readers", args.readers), &beside, &|server| come_and_leave(server, args))?;
    }
    for &clients in args.stalled.iter().filter(|&&clients| clients > 0) {
        each(&format!("{clients} clients that do not read 8 MiB"), &beside, &|server| stall(server, clients))?;
    }
    for &readers in args.fan_out.iter().filter(|&&readers| readers > 0) {
        for &kib in &args.kib {
            each(&format!("{kib} KiB to {readers} readers"), &beside, &|server| fan_out(server, readers, kib << 10))?;
        }
    }
    Ok(())
}

/// What was measured, and its value.
type Figure = (String, f64);

fn print_table(title: &str, names: &[&str], all: &[Vec<Figure>]) {
    let head: String = names.iter().map(|name| format!("{name:>14}")).collect();
    println!("\n{title:<WIDTH$}{head}");
    for (index, (what, _)) in all.first().into_iter().flatten().enumerate() {
        let cells = all.iter().filter_map(|figures| figures.get(index));
        let cells: String = cells.map(|(_, value)| format!("{value:>14.1}")).collect();
        println!("{what:<WIDTH$}{cells}");
    }
}

/// Readers come, get some messages and leave, several times.
fn come_and_leave(server: &Workerd, args: &Args) -> Result<Vec<Figure>> {
    let writer = Writer::open(server.host(), "/v1/stream/bench/come-and-leave", "text/plain")?;
    let mut figures = vec![("MiB at the start".to_owned(), resident_mib(server)?)];
    for round in 1..=args.rounds {
        let mut note = |what: &str| -> Result<()> {
            figures.push((format!("MiB {what}, round {round}"), resident_mib(server)?));
            Ok(())
        };
        let mut readers = Waiters::join(server.host(), &writer.path, args.readers, LIMIT)?;
        note("with all readers")?;
        for _ in 0..MESSAGES {
            writer.append(&[b'x'; 100])?;
            readers.read_until(100, LIMIT)?;
        }
        note(&format!("after {MESSAGES} messages"))?;
        drop(readers);
        let mut waited = 0;
        for &seconds in &args.after {
            thread::sleep(Duration::from_secs(seconds.saturating_sub(waited)));
            waited = waited.max(seconds);
            note(&format!("{seconds} s after they have left"))?;
        }
    }
    Ok(figures)
}

/// Clients ask for the events of one large message, and read nothing.
fn stall(server: &Workerd, clients: usize) -> Result<Vec<Figure>> {
    let writer = Writer::open(server.host(), "/v1/stream/bench/stall", "application/json")?;
    // A JSON message keeps its bytes, and each line feed becomes a line of an event.
    let message = [b"{", vec![b'\n'; (8 << 20) - 2].as_slice(), b"}"].concat();
    writer.append(&message)?;
    let before = resident_mib(server)?;
    reset_peak(server)?;
    let stalled = Waiters::stall(server.host(), &format!("{}?offset=-1&live=sse", writer.path), clients)?;
    thread::sleep(STALL);
    let figures = [("MiB before", before), ("MiB then", resident_mib(server)?), ("MiB at most", peak_mib(server)?)];
    drop(stalled);
    Ok(figures.map(|(what, value)| (what.to_owned(), value)).to_vec())
}

/// Many readers get one large append.
fn fan_out(server: &Workerd, readers: usize, bytes: usize) -> Result<Vec<Figure>> {
    let writer = Writer::open(server.host(), "/v1/stream/bench/fan-out", "text/plain")?;
    let mut waiters = Waiters::join(server.host(), &writer.path, readers, LIMIT)?;
    // So that code is compiled.
    writer.append(&[b'x'; 100])?;
    waiters.read_until(100, LIMIT)?;
    let before = resident_mib(server)?;
    reset_peak(server)?;
    let mut all = Vec::new();
    for _ in 0..3 {
        writer.append(&vec![b'x'; bytes])?;
        all.push(waiters.read_until(bytes, LIMIT)?.as_secs_f64());
        thread::sleep(Duration::from_secs(2));
    }
    all.sort_unstable_by(f64::total_cmp);
    let most = peak_mib(server)?;
    let figures = [("MiB before", before), ("MiB at most", most), ("seconds until all have it, median of 3", all[1])];
    Ok(figures.map(|(what, value)| (what.to_owned(), value)).to_vec())
}

/// Appends to a stream, each time over a new connection: the runtime closes one that is idle for long.
struct Writer {
    host: String,
    path: String,
    content_type: &'static str,
}

impl Writer {
    /// Creates the stream.
    fn open(host: &str, path: &str, content_type: &'static str) -> Result<Self> {
        let writer = Self { host: host.to_owned(), path: path.to_owned(), content_type };
        writer.send("PUT", b"", 201)?;
        Ok(writer)
    }

    fn append(&self, text: &[u8]) -> Result<()> {
        self.send("POST", text, 204)
    }

    fn send(&self, method: &str, body: &[u8], status: u16) -> Result<()> {
        let mut connection = Connection::open(&self.host, LIMIT)?;
        let headers = [("content-type", self.content_type)];
        let request = connection.request(method, &self.path, &headers, body);
        let reply = connection.send(&request)?;
        if reply.status != status {
            bail!("{method} {} was answered {}", self.path, reply.status);
        }
        Ok(())
    }
}

/// The resident memory of the runtime, in MiB.
fn resident_mib(server: &Workerd) -> Result<f64> {
    status(server, "VmRSS:")
}

/// The most resident memory that the runtime has had since [`reset_peak`], in MiB.
fn peak_mib(server: &Workerd) -> Result<f64> {
    status(server, "VmHWM:")
}

fn status(server: &Workerd, name: &str) -> Result<f64> {
    let path = format!("/proc/{}/status", server.id());
    let text = read(path.as_ref()).context("memory is read from /proc: run this on Linux")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("{path} has no {name}"))? / 1024.0)
}

/// Has the system forget what memory the runtime has had (proc(5), `clear_refs`).
fn reset_peak(server: &Workerd) -> Result<()> {
    let path = format!("/proc/{}/clear_refs", server.id());
    fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
}
