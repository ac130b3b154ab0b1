//! `cargo xtask mutate`: small random changes of core, one at a time, and whether the tests notice.
//!
//! | module | noun |
//! | --- | --- |
//! | `tool` | cargo-mutants, which finds what can be changed |
//! | `mutant` | one change of one file: its name, and the text that it leads to |
//! | `sample` | the mutants that are drawn by a seed |
//! | `switch` | many mutants in one build |
//! | `tree` | the copy of the repository in which mutants are built |
//! | `trial` | what is run against a mutant, and the verdict |
//! | `log` | every verdict so far, from which a run that was stopped goes on |
//! | `report` | `docs/mutation.md` |
//!
//! No mutant is tried by CI: a sample takes half an hour or more. `docs/mutation.md` is what came of the last one.

mod log;
mod mutant;
mod report;
mod sample;
mod switch;
mod tool;
mod tree;
mod trial;

use std::time::Instant;

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
    let together = switch::build(&tree, &trial, open)?;
    say("first the tree as it is: nothing may fail");
    let (verdict, by) = if together.is_empty() { trial.build_and_run()? } else { trial.run(None)? };
    if verdict != Verdict::Survived {
        bail!("the tests fail without any mutant: {by}");
    }
    let mut tried = 0;
    let mut enter = |mutant: &Mutant, (verdict, by): (Verdict, String), began: Instant| {
        let seconds = began.elapsed().as_secs();
        tried += 1;
        println!("{tried}/{} {verdict} after {seconds} s: {}", open.len(), mutant.name);
        let (name, function, commit) = (mutant.name.clone(), mutant.function.clone(), commit.clone());
        log.add(Record { name, function, verdict, by, seconds, commit, first: verdict })
    };
    for number in &together {
        let began = Instant::now();
        let end = trial.run(Some(*number))?;
        tree.tidy()?;
        enter(open[*number], end, began)?;
    }
    tree.restore()?;
    for (_, mutant) in open.iter().enumerate().filter(|(number, _)| !together.contains(number)) {
        let began = Instant::now();
        tree.change(&mutant.path, |text| mutant.apply(text))?;
        let end = trial.build_and_run();
        tree.restore()?;
        enter(mutant, end?, began)?;
    }
    Ok(())
}
