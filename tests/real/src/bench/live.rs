//! Delivery to readers that wait, compared with a Worker in JavaScript whose object holds every reader itself and never
//! sleeps: the least that delivery costs.

use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use xtask::http::Connection;
use xtask::project::{Project, say};
use xtask::setup::rust::Choice;

use super::comparison::Comparison;
use super::crowd::{Board, Crowd, Delivery};
use super::reader::{Mode, message};
use super::series::{Series, in_turn, percentile, print_table};
use super::subject::{Subject, Trivial, start_both};
use super::usage;

/// The Worker that ours is compared with.
pub(super) const TRIVIAL: Trivial = Trivial { source: "tests/real/bench/trivial_live.mjs", class: "TrivialLive" };
/// How many messages are sent before each measurement, so that code is compiled.
const WARM_UP: usize = 10;
/// The time after which long-polls that were sent are taken to wait.
const SETTLE: Duration = Duration::from_millis(300);
/// How long anything may take; nothing takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(20);
/// The longest measurement: an SSE connection ends after about a minute, and no reader of this load comes back.
const MOST_SECONDS: u64 = 30;
/// The columns of the table.
const FIGURES: [(&str, usize); 4] = [("p50 ms", 2), ("p99 ms", 2), ("worst ms", 2), ("CPU ms/1000", 1)];

/// How many rounds, unless the command says otherwise.
const ROUNDS: usize = 3;

/// Options of `cargo xtask bench live`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    comparison: Comparison,
    /// How long each measurement takes
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    seconds: u64,
    /// How many writes a second there are
    #[arg(long, default_value_t = 10, value_name = "WRITES")]
    rate: u32,
    /// How many readers by SSE wait; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "1,50,200")]
    sse: Vec<usize>,
    /// How many readers by long-poll wait; 0 leaves it out
    #[arg(long, value_delimiter = ',', default_value = "50,200")]
    long_poll: Vec<usize>,
    /// Keep the objects' data in this folder: one in memory, as below /dev/shm, leaves the disk out of the figures
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// How many messages are written, after those of the warm-up.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Messages a second.
    pub(super) rate: u32,
    /// For so many seconds.
    seconds: u64,
}

impl Pace {
    /// Fails where a measurement would end too early or too late.
    pub(super) fn new(rate: u32, seconds: u64) -> Result<Self> {
        if rate == 0 || seconds == 0 || seconds > MOST_SECONDS {
            bail!("the rate must be at least 1, seconds from 1 to {MOST_SECONDS}");
        }
        Ok(Self { rate, seconds })
    }

    /// How many messages are written, with those of the warm-up.
    pub(super) fn writes(self) -> Result<usize> {
        Ok(WARM_UP + usize::try_from(u64::from(self.rate) * self.seconds)?)
    }
}

/// Measures both Workers and prints medians and ratios.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    let pace = Pace::new(args.rate, args.seconds)?;
    let rounds = args.comparison.rounds(ROUNDS)?;
    let subjects = start_both(project, toolchain, &TRIVIAL, &args.comparison, args.state_dir.as_deref())?;
    println!(
        "messages of {} bytes, {} a second, from the write to the reader; CPU of the runtime for 1,000 messages that \
         a reader gets; medians of {} rounds of {} s",
        message(0).len(),
        args.rate,
        rounds,
        args.seconds
    );
    let crowds = [(Mode::Sse, &args.sse), (Mode::LongPoll, &args.long_poll)];
    for (mode, counts) in crowds {
        for &readers in counts.iter().filter(|&&readers| readers > 0) {
            measure(&subjects, mode, readers, rounds, pace)?;
        }
    }
    Ok(())
}

/// Measures the servers in turn, so that other load of the machine affects them alike.
fn measure(subjects: &[Subject; 2], mode: Mode, readers: usize, rounds: usize, pace: Pace) -> Result<()> {
    let mut series = [Series::new(), Series::new()];
    for round in 1..=rounds {
        say(&format!("{readers} readers by {}, round {round} of {rounds}", mode.name()));
        for (subject, series) in in_turn(round, subjects.iter().zip(&mut series)) {
            let path = format!("/v1/stream/bench/{}-{readers}-{round}", mode.name());
            let figures = deliver(subject, mode, readers, &path, pace);
            series.push(figures.map_err(|error| anyhow!("{}: {error:#}", subject.name))?);
        }
    }
    print_table(
        &format!("{} x{readers}", mode.name()),
        FIGURES,
        &subjects.each_ref().map(|subject| subject.name.as_str()),
        &series,
        &[(0, 1)],
    );
    Ok(())
}

/// Has readers wait at a stream, and writes to it. Returns the figures of [`FIGURES`].
pub(super) fn deliver(subject: &Subject, mode: Mode, readers: usize, path: &str, pace: Pace) -> Result<[f64; 4]> {
    let mut writer = Writer::open(subject.server.host(), path)?;
    let total = pace.writes()?;
    let crowd = Crowd::open(mode, subject.server.host(), path, readers)?;
    let board = Board::new(total);
    let (used, deliveries) = thread::scope(|scope| {
        let thread = scope.spawn(|| crowd.run(&board));
        let used = write_all(&mut writer, &board, &thread, subject.server.id(), readers, total, pace.rate);
        board.stop();
        let deliveries = thread.join().unwrap_or_else(|_| Err(anyhow!("the readers' thread has panicked")));
        // If the readers failed, their error is the cause, and the writer only timed out.
        deliveries.and_then(|deliveries| Ok((used?, deliveries)))
    })?;
    let measured: Vec<Duration> =
        deliveries.iter().filter(|delivery| delivery.number >= WARM_UP).map(|delivery| delivery.took).collect();
    let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|share| percentile(&measured, share).as_secs_f64() * 1e3);
    Ok([p50, p99, worst, used.as_secs_f64() * 1e6 / measured.len() as f64])
}

/// Writes at the rate until everything is delivered. Returns the CPU time that the server used after the warm-up.
fn write_all(
    writer: &mut Writer,
    board: &Board,
    crowd: &ScopedJoinHandle<'_, Result<Vec<Delivery>>>,
    process: u32,
    readers: usize,
    total: usize,
    rate: u32,
) -> Result<Duration> {
    let wait = |holds: &dyn Fn() -> bool, what: &str| {
        let start = Instant::now();
        while !holds() {
            if crowd.is_finished() || start.elapsed() > LIMIT {
                bail!("{what} not within {} s: {} of {} messages", LIMIT.as_secs(), board.delivered(), readers * total);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    wait(&|| board.greeted() == readers, "the readers wait")?;
    thread::sleep(SETTLE);
    let mut before = Duration::ZERO;
    for (numbers, ends) in [(0..WARM_UP, WARM_UP), (WARM_UP..total, total)] {
        before = usage::cpu(process)?;
        let start = Instant::now();
        for (index, number) in numbers.enumerate() {
            let due = Duration::from_secs(1) * u32::try_from(index)? / rate;
            thread::sleep(due.saturating_sub(start.elapsed()));
            board.send(number);
            writer.append(number)?;
        }
        wait(&|| board.delivered() == readers * ends, "all is delivered")?;
    }
    Ok(usage::cpu(process)?.saturating_sub(before))
}

/// A connection that appends numbered messages to a stream.
pub(super) struct Writer {
    connection: Connection,
    path: String,
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

impl Writer {
    /// Creates the stream.
    pub(super) fn open(host: &str, path: &str) -> Result<Self> {
        let mut connection = Connection::open(host, LIMIT)?;
        let request = connection.request("PUT", path, &JSON, b"");
        let reply = connection.send(&request)?;
        if reply.status != 201 {
            bail!("PUT {path} was answered {}", reply.status);
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn append(&mut self, number: usize) -> Result<()> {
        let request = self.connection.request("POST", &self.path, &JSON, &message(number));
        let reply = self.connection.send(&request)?;
        if reply.status != 204 {
            bail!("POST {} was answered {}: {}", self.path, reply.status, String::from_utf8_lossy(&reply.body));
        }
        Ok(())
    }
}
