//! The verbs of `cargo sim` that have to do with crowds. What they print on stdout is the same for the same arguments;
//! how long it took, and how much memory, they print on stderr.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use tailrace_core::protocol::CachePolicy;

use super::calibration::{self, Effort};
use super::run;
use super::setting::{Class, Setting};
use crate::bill::month;

/// Which readers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Most by the transport that the policy is for, some by each of the others.
    Mixed,
    /// All by long-polls.
    LongPoll,
    /// All by connections with events.
    Sse,
}

/// A crowd, and what comes of it.
#[derive(Args, Debug)]
pub struct CrowdArguments {
    /// How many readers there are.
    #[arg(long, default_value_t = 10_000)]
    readers: usize,
    /// In how many datacenters they are.
    #[arg(long, default_value_t = 20)]
    colos: usize,
    /// How many streams there are.
    #[arg(long, default_value_t = 1)]
    streams: usize,
    /// How many messages are written to each stream in a second.
    #[arg(long, default_value_t = 1.0)]
    writes_per_second: f64,
    /// For how many seconds of virtual time.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Which cache policy.
    #[arg(long, default_value = "immutable-and-long-poll", value_parser = policy)]
    policy: CachePolicy,
    /// Which readers.
    #[arg(long, value_enum, default_value_t = Transport::Mixed)]
    transport: Transport,
    /// From which everything is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A file with parameters, as `cargo xtask measure` writes it.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Measures instead what a HIT costs, tier by tier.
    #[arg(long)]
    bench: bool,
}

/// Measured beside simulated.
#[derive(Args, Debug)]
pub struct CalibrateArguments {
    /// A file with parameters, as `cargo xtask measure` writes it.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Seeds of each row.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Seconds of virtual time of each run.
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Prints instead what moves when each parameter is halved and doubled.
    #[arg(long)]
    sensitivity: bool,
}

fn policy(name: &str) -> Result<CachePolicy, String> {
    let names = || CachePolicy::ALL.iter().map(|policy| policy.name).collect::<Vec<_>>().join(", ");
    match name {
        "default" => Ok(CachePolicy::default()),
        name => CachePolicy::named(name).ok_or_else(|| format!("it is none of default, {}", names())),
    }
}

impl CrowdArguments {
    fn setting(&self) -> Result<Setting, String> {
        let by_events = self.policy.name == "collapsed-events";
        let shares = match (self.transport, by_events) {
            (Transport::Mixed, false) => [70, 20, 5, 5],
            (Transport::Mixed, true) => [20, 70, 5, 5],
            (Transport::LongPoll, _) => [100, 0, 0, 0],
            (Transport::Sse, _) => [0, 100, 0, 0],
        };
        let mut readers = shares.map(|percent| self.readers * percent / 100);
        readers[usize::from(shares[0] < shares[1])] += self.readers - readers.iter().sum::<usize>();
        let has_catch_up = readers[Class::CatchUp as usize] > 0;
        Ok(Setting {
            readers,
            streams: self.streams.max(1),
            colos: Setting::regions(self.colos),
            write_every_us: (1e6 / self.writes_per_second.max(0.001)).round().max(1.0) as u64,
            seconds: self.seconds,
            history_bytes: if has_catch_up { HISTORY_BYTES } else { 0 },
            come_and_go: self.transport == Transport::Mixed,
            seed: self.seed,
            knobs: calibration::of_file(self.with.as_deref())?.knobs,
            ..Setting::of(self.policy, self.readers)
        })
    }

    /// Runs the crowd. Fails if the parameters cannot be read.
    pub fn run(&self) -> Result<(), String> {
        if self.bench {
            let [zone_ns, front_ns, edge_ns] = super::hits_ns();
            eprintln!("a HIT of a cache in front costs {zone_ns} ns, and {front_ns} ns with all that its reader does");
            eprintln!("a HIT behind the Worker costs core's edge {edge_ns} ns");
            return Ok(());
        }
        let setting = self.setting()?;
        println!(
            "{} readers of {} stream(s) in {} datacenters, a message every {} ms for {} s, by {}, seed {}\n",
            setting.count(),
            setting.streams,
            setting.colos.len(),
            setting.write_every_us as f64 / 1_000.0,
            setting.seconds,
            setting.policy.name,
            setting.seed
        );
        let began = Instant::now();
        let figures = run(setting.clone());
        print!("{}", figures.table(&setting.readers));
        print!("\n{}", month(&figures.usage, figures.metered_us as f64 / 1e6));
        eprintln!("{:.1} s, {} MB at most", began.elapsed().as_secs_f64(), most_memory_mb());
        Ok(())
    }
}

/// Bytes that a stream has for catch-up readers: three pages.
const HISTORY_BYTES: usize = 2_500_000;

/// The most memory that the process had, in MB; 0 where the system does not tell.
fn most_memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kb| kb / 1_000)
}

impl CalibrateArguments {
    /// Runs all rows. Returns whether each asserted one is near enough to what was measured.
    pub fn run(&self) -> Result<bool, String> {
        let told = calibration::of_file(self.with.as_deref())?;
        let effort = Effort { seeds: self.seeds.max(1), seconds: self.seconds.max(10) };
        let began = Instant::now();
        let is_near = if self.sensitivity {
            print!("{}", calibration::sensitivity(&told.knobs, effort));
            true
        } else {
            let report = calibration::report(&told.knobs, effort);
            print!("{}", report.text);
            report.missed.is_empty()
        };
        for (name, value) in &told.outcomes {
            println!("told by the file: {name} {value}");
        }
        eprintln!("{:.1} s", began.elapsed().as_secs_f64());
        Ok(is_near)
    }
}
