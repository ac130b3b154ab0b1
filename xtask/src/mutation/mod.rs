//! `cargo xtask mutate`: small random changes of core, one at a time, and whether the tests notice.
//!
//! | module | noun |
//! | --- | --- |
//! | `tool` | cargo-mutants, which finds what can be changed |
//! | `mutant` | one change of one file: its name, and the text that it leads to |
//! | `sample` | the mutants that are drawn by a seed |
//! | `tree` | the copy of the repository in which mutants are built |
//! | `trial` | what is run against a mutant, and the verdict |
//! | `log` | every verdict so far, from which a run that was stopped goes on |
//! | `report` | `docs/mutation.md` |
//!
//! No mutant is tried by CI: a sample takes hours. `docs/mutation.md` is what came of the last one.

mod log;
mod mutant;
mod report;
mod sample;
mod tool;
mod tree;
mod trial;

use anyhow::{Result, bail};

use xtask::project::{Project, create_dir, say};

use log::{Log, Record};
use mutant::Mutant;
use report::Report;
use tree::Tree;
use trial::{Trial, Verdict};

/// Options of `cargo xtask mutate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the sample is drawn by
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many mutants are drawn
    #[arg(long, default_value_t = 200)]
    sample: usize,
    /// Try again those whose names contain this, or all that survived
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    again: Option<String>,
    /// Forget every verdict, and begin anew
    #[arg(long)]
    fresh: bool,
    /// Write the report of what is known so far, and try nothing
    #[arg(long)]
    report: bool,
}

/// Tries every mutant of the sample that has no verdict yet, and writes the report.
pub(crate) fn run(project: &Project, args: &Args) -> Result<()> {
    create_dir(&project.generated("mutation"))?;
    let _lock = project.lock("mutation")?;
    let found = tool::ensure(project)?.mutants(project)?;
    let all = found.len();
    let sample = sample::draw(found, args.seed, args.sample);
    let mut log = Log::open(&project.generated("mutation/log.tsv"), args.fresh)?;
    if !args.report {
        let open: Vec<&Mutant> = sample.iter().filter(|mutant| is_open(mutant, &log, args)).collect();
        try_all(project, &open, &mut log)?;
    }
    let verdicts = sample.iter().map(|mutant| (mutant, log.of(mutant)));
    let report = Report { seed: args.seed, all, verdicts: verdicts.collect() };
    report.write(project)
}

/// Whether a mutant has to be tried.
fn is_open(mutant: &Mutant, log: &Log, args: &Args) -> bool {
    let Some(record) = log.of(mutant) else { return true };
    match args.again.as_deref() {
        None => false,
        Some("") => record.verdict == Verdict::Survived,
        Some(name) => mutant.name.contains(name),
    }
}

fn try_all(project: &Project, open: &[&Mutant], log: &mut Log) -> Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    let commit = tree::commit(project)?;
    let tree = Tree::copy(project)?;
    let trial = Trial::new(project, &tree);
    say("first the tree as it is: nothing may fail");
    let (verdict, by) = trial.run()?;
    if verdict != Verdict::Survived {
        bail!("the tests fail without any mutant: {by}");
    }
    for (index, mutant) in open.iter().enumerate() {
        let began = std::time::Instant::now();
        tree.apply(mutant)?;
        let tried = trial.run();
        tree.restore()?;
        let (verdict, by) = tried?;
        let seconds = began.elapsed().as_secs();
        println!("{}/{} {verdict} after {seconds} s: {}", index + 1, open.len(), mutant.name);
        let function = mutant.function.clone();
        let name = mutant.name.clone();
        log.add(Record { name, function, verdict, by, seconds, commit: commit.clone() })?;
    }
    Ok(())
}
