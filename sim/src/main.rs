//! `cargo sim`: seeds, replays, shrinking, known bugs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use tailrace_core::mutant::Mutant;
use tailrace_core::protocol::CachePolicy;
use tailrace_sim::crowd::command::{CalibrateArguments, CrowdArguments};
use tailrace_sim::forecast::command::BillArguments;
use tailrace_sim::judge::comparison::{Workload, follow};
use tailrace_sim::judge::known_bug::KnownBug;
use tailrace_sim::judge::shrink::shrink;
use tailrace_sim::mutants::{Entry, REGISTER, STARTS, WITHIN_SEEDS};
use tailrace_sim::registry;
use tailrace_sim::report;
use tailrace_sim::scenario::Scenario;
use tailrace_sim::swarm::{Swarm, Verdict, judge};

/// The replacement of the clock makes it think that time flies, so `.cargo/config.toml` has it keep what it is given.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(name = "sim", about = "Tailrace's deterministic simulator")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs many seeds and judges each.
    Run {
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// A known bug to switch on.
        #[arg(long, value_parser = known)]
        mutant: Option<KnownBug>,
        /// Failing seeds whose shortest history is printed.
        #[arg(long, default_value_t = 1)]
        show: usize,
    },
    /// Runs one seed, or a scenario from a file, and prints what its clients saw.
    Replay {
        /// The seed.
        #[arg(required_unless_present = "scenario")]
        seed: Option<u64>,
        /// A file with a scenario, as `shrink` prints it.
        #[arg(long, conflicts_with = "seed")]
        scenario: Option<PathBuf>,
        /// Prints everything that happened instead.
        #[arg(long)]
        trace: bool,
        /// A known bug to switch on.
        #[arg(long, value_parser = known)]
        mutant: Option<KnownBug>,
    },
    /// Prints the shortest history found of a failing seed that still fails.
    Shrink {
        /// The seed.
        seed: u64,
        /// A known bug to switch on.
        #[arg(long, value_parser = known)]
        mutant: Option<KnownBug>,
        /// Writes the scenario to a new file too: one of `tests/scenarios/`, once comments name its finding and tell
        /// what happened.
        #[arg(long, value_name = "FILE")]
        keep: Option<PathBuf>,
    },
    /// Compares the cache policies: followers of a stream with a message a second, in one datacenter.
    Policies {
        /// Only those whose names contain one of these.
        names: Vec<String>,
        /// How many followers there are.
        #[arg(long, default_value_t = Workload::default().followers)]
        followers: usize,
        /// Between how many isolates their requests are spread.
        #[arg(long, default_value_t = Workload::default().isolates)]
        isolates: usize,
    },
    /// Runs a crowd of readers, and prints what each tier was asked and how long messages took.
    Crowd(Box<CrowdArguments>),
    /// Prints what a workload costs in a month, by each way to deploy, and how sure that is.
    Bill(Box<BillArguments>),
    /// Prints what was measured in production beside what comes of the same here.
    Calibrate(CalibrateArguments),
    /// Runs many seeds of several projects, whose operators change keys, and judges each.
    Registry {
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Runs that seed alone, and prints what was asked and told.
        #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
        replay: Option<u64>,
        /// Prints everything that happened instead.
        #[arg(long, requires = "replay")]
        trace: bool,
        /// A known bug to switch on.
        #[arg(long, value_parser = known_to_registry)]
        mutant: Option<Mutant>,
    },
    /// Lists the known bugs, and hunts each from several starting points.
    Mutants {
        /// Only those whose names contain one of these.
        names: Vec<String>,
    },
}

fn known(name: &str) -> Result<KnownBug, String> {
    let names: Vec<&str> = REGISTER.iter().map(Entry::name).collect();
    Entry::named(name).map(|entry| entry.bug).ok_or_else(|| format!("it is none of {}", names.join(", ")))
}

fn known_to_registry(name: &str) -> Result<Mutant, String> {
    let names: Vec<&str> = registry::BUGS.iter().map(|bug| bug.name()).collect();
    let found = registry::BUGS.iter().find(|bug| bug.name() == name).copied();
    found.ok_or_else(|| format!("it is none of {}", names.join(", ")))
}

fn main() -> ExitCode {
    let holds = match Arguments::parse().command {
        Command::Run { seeds, from, mutant, show } => run(Swarm { from, seeds, bug: mutant, stops: false }, show),
        Command::Replay { seed, scenario, trace, mutant } => {
            let scenario = match scenario {
                None => Ok(Scenario::draw(seed.unwrap_or_default())),
                Some(path) => read(&path),
            };
            match scenario {
                Ok(scenario) => replay(&judge(&scenario, mutant, trace), trace),
                Err(problem) => {
                    eprintln!("{problem}");
                    false
                }
            }
        }
        Command::Shrink { seed, mutant, keep: None } => {
            print!("{}", report::failure(seed, mutant));
            judge(&Scenario::draw(seed), mutant, false).violations.is_empty()
        }
        Command::Shrink { seed, mutant, keep: Some(path) } => match keep(seed, mutant, &path) {
            Ok(()) => true,
            Err(problem) => {
                eprintln!("{problem}");
                false
            }
        },
        Command::Registry { replay: Some(seed), mutant, trace, .. } => replay_registry(seed, mutant, trace),
        Command::Registry { seeds, from, replay: None, mutant, .. } => sweep_registry(from, seeds, mutant),
        Command::Mutants { names } => hunt(&names),
        Command::Crowd(crowd) => is_well(crowd.run().map(|()| true)),
        Command::Bill(bill) => is_well(bill.run().map(|()| true)),
        Command::Calibrate(calibrate) => is_well(calibrate.run()),
        Command::Policies { names, followers, isolates } => {
            compare(&names, Workload { followers, isolates, ..Workload::default() })
        }
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all is well; a problem is printed.
fn is_well(outcome: Result<bool, String>) -> bool {
    outcome.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        false
    })
}

/// Prints what comes of a workload under each policy.
fn compare(names: &[String], workload: Workload) -> bool {
    println!(
        "{:<26} {:>6} {:>14} {:>8} {:>8} {:>14}",
        "policy", "HIT %", "calls a write", "p50 ms", "p99 ms", "requests/s"
    );
    let is_meant =
        |policy: &&CachePolicy| names.is_empty() || names.iter().any(|name| policy.name.contains(name.as_str()));
    for policy in CachePolicy::ALL.iter().filter(is_meant) {
        let figures = follow(*policy, workload);
        let (hits, calls) = (figures.hit_percent(), figures.calls_a_write());
        let [p50, p99] = [50, 99].map(|percent| figures.delay_ms(percent));
        println!("{:<26} {hits:>6.1} {calls:>14.1} {p50:>8} {p99:>8} {:>14}", policy.name, figures.most_requests);
    }
    true
}

fn read(path: &PathBuf) -> Result<Scenario, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", path.display()))
}

/// Shrinks a failing seed, and writes the scenario that is left to a new file, after comments that say what it violates
/// and how to replay it.
fn keep(seed: u64, bug: Option<KnownBug>, path: &Path) -> Result<(), String> {
    let scenario = Scenario::draw(seed);
    let verdict = judge(&scenario, bug, false);
    let first = verdict.violations.first().ok_or_else(|| format!("seed {seed} holds all invariants"))?;
    let shrunk = shrink(&scenario, bug, first.invariant);
    let mut text = String::new();
    for violation in judge(&shrunk, bug, false).violations.iter().take(3) {
        text.push_str(&format!("# {violation}\n"));
    }
    let entry = REGISTER.iter().find(|entry| Some(entry.bug) == bug);
    let switch = entry.map_or_else(String::new, |entry| format!(" --mutant {}", entry.name()));
    text.push_str(&format!("# cargo sim replay --scenario {}{switch}\n{shrunk}", path.display()));
    // A file that is there is never replaced.
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    print!("{text}");
    Ok(())
}

fn run(swarm: Swarm, show: usize) -> bool {
    let tally = swarm.run();
    for seed in tally.failures.keys().take(show) {
        println!("{}", report::failure(*seed, swarm.bug));
    }
    for (seed, violations) in tally.failures.iter().take(50) {
        let first = violations.first().map(ToString::to_string).unwrap_or_default();
        println!("seed {seed}: {first}");
    }
    print!("{}", report::summary(&swarm, &tally));
    tally.failures.is_empty() && (swarm.bug.is_some() || tally.missing_marks().is_empty())
}

fn replay(verdict: &Verdict, trace: bool) -> bool {
    if trace {
        print!("{}", verdict.trace);
    } else {
        print!("{}", report::history(&verdict.history));
    }
    println!("trace hash {:016x}, {} virtual ms", verdict.hash, verdict.virtual_ms);
    for violation in &verdict.violations {
        println!("{violation}");
    }
    verdict.violations.is_empty()
}

/// Prints what was asked and told in a seed with several projects, and what it violates.
fn replay_registry(seed: u64, bug: Option<Mutant>, trace: bool) -> bool {
    let (violations, history) = registry::judge(seed, bug, trace);
    print!("{}", history.trace);
    for change in &history.changes {
        let key = change.key.as_ref().map_or("", |key| &key.id);
        let registry::Change { project, what, asked_ms, ended_ms, status, .. } = change;
        println!("{asked_ms}..{ended_ms} ms {project}: {what:?} -> {status:?} {key}");
    }
    for registry::Probe { project, of, key, asked_ms, ended_ms, status } in &history.probes {
        println!("{asked_ms}..{ended_ms} ms key {key} of {of} asks at {project} -> {status:?}");
    }
    history.shown.iter().for_each(|shown| println!("in the end: {shown:?}"));
    violations.iter().for_each(|violation| println!("registry: {violation}"));
    violations.is_empty()
}

/// Prints which seeds with several projects violate something.
fn sweep_registry(from: u64, seeds: u64, bug: Option<Mutant>) -> bool {
    let swept = registry::sweep(from, seeds, bug);
    for (seed, violations) in swept.failures.iter().take(20) {
        println!("seed {seed}: {}", violations[0]);
    }
    println!("{seeds} seeds from {from}: {} failed", swept.failures.len());
    for mark in swept.missing_marks() {
        println!("  never reached: {mark}");
    }
    swept.failures.is_empty()
}

fn hunt(names: &[String]) -> bool {
    let mut all_caught = true;
    println!("seeds needed from each starting point, {WITHIN_SEEDS} at most:");
    let wanted = |entry: &&Entry| names.is_empty() || names.iter().any(|name| entry.name().contains(name.as_str()));
    for entry in REGISTER.iter().filter(wanted) {
        let catches = STARTS.map(|start| entry.hunt(start));
        all_caught &= catches.iter().all(Option::is_some);
        let needed: Vec<String> = catches
            .iter()
            .map(|catch| catch.as_ref().map_or("-".to_owned(), |catch| catch.seeds.to_string()))
            .collect();
        let mut by: Vec<&str> =
            catches.iter().flatten().flat_map(|catch| &catch.invariants).map(|by| by.name()).collect();
        by.sort_unstable();
        by.dedup();
        println!("  {:<28} {:<24} by {}", entry.name(), needed.join(" "), by.join(", "));
    }
    all_caught
}
