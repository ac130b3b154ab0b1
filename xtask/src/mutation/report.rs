//! `docs/mutation.md`: the counts, and a judgement on each mutant that survived. Judgements are written by hand into the
//! report, and taken over from there when it is written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use anyhow::{Result, bail};

use xtask::project::{Project, write};

use super::log::Record;
use super::mutant::Mutant;
use super::trial::{SEEDS, STARTS, Verdict};

/// The file, relative to the repository.
const PATH: &str = "docs/mutation.md";
/// The least share of the viable mutants that must not survive, in percent.
const LEAST_KILLED: f64 = 85.0;
/// What stands where a judgement is missing.
const UNJUDGED: &str = "not judged yet";

/// What is known of a sample.
pub(super) struct Report<'a> {
    pub(super) seed: u64,
    /// How many mutants there are, of which these are a sample.
    pub(super) all: usize,
    /// Each mutant drawn, with what came of it.
    pub(super) verdicts: Vec<(&'a Mutant, Option<Record>)>,
}

impl Report<'_> {
    /// Writes the report, and prints the counts. A survivor without a judgement is an error, and so is a share that is
    /// too small.
    pub(super) fn write(&self, project: &Project) -> Result<()> {
        let path = project.path(PATH);
        let judgements = judgements(&fs::read_to_string(&path).unwrap_or_default());
        write(&path, self.text(&judgements))?;
        let (viable, killed) = self.viable_and_killed();
        println!("{killed} of {viable} viable mutants killed: {:.1} %; {}", percent(killed, viable), path.display());
        let open = self.verdicts.iter().filter(|(_, record)| record.is_none()).count();
        if open > 0 {
            bail!("{open} mutants have no verdict yet: `cargo xtask mutate` goes on with them");
        }
        let is_unjudged = |(mutant, _): &(&Mutant, &Record)| !judgements.contains_key(&mutant.name);
        let unjudged = self.with(Verdict::Survived).filter(is_unjudged).count();
        if unjudged > 0 {
            bail!("{unjudged} survivors without a judgement: write a test, or say in {PATH} why none can fail");
        }
        if percent(killed, viable) < LEAST_KILLED {
            bail!("less than {LEAST_KILLED} % killed: tests are missing");
        }
        Ok(())
    }

    fn with(&self, verdict: Verdict) -> impl Iterator<Item = (&Mutant, &Record)> {
        let known = self.verdicts.iter().filter_map(|(mutant, record)| Some((*mutant, record.as_ref()?)));
        known.filter(move |(_, record)| record.verdict == verdict)
    }

    fn count(&self, verdict: Verdict, folder: &str) -> usize {
        self.with(verdict).filter(|(mutant, _)| mutant.path.starts_with(folder)).count()
    }

    fn viable_and_killed(&self) -> (usize, usize) {
        self.viable_and_killed_by(|record| record.verdict)
    }

    fn viable_and_killed_by(&self, verdict: fn(&Record) -> Verdict) -> (usize, usize) {
        let verdicts = self.verdicts.iter().filter_map(|(_, record)| record.as_ref().map(verdict));
        let viable: Vec<Verdict> = verdicts.filter(|verdict| *verdict != Verdict::Unviable).collect();
        (viable.len(), viable.iter().filter(|verdict| **verdict != Verdict::Survived).count())
    }

    fn text(&self, judgements: &BTreeMap<String, String>) -> String {
        let mut text = String::new();
        let sample = self.verdicts.len();
        let records = self.verdicts.iter().filter_map(|(_, record)| record.as_ref());
        let commits: BTreeSet<String> = records.map(|record| format!("`{}`", record.commit)).collect();
        let commits = commits.into_iter().collect::<Vec<_>>().join(", ");
        let (viable, killed) = self.viable_and_killed();
        let starts = STARTS.map(|start| start.to_string()).join(", ");
        let (viable_first, killed_first) = self.viable_and_killed_by(|record| record.first);
        // Formatting to a `String` cannot fail.
        _ = write!(
            text,
            "# What the tests notice\n\n\
             [cargo-mutants](https://mutants.rs) finds small changes of core that should make a test fail: a comparison \
             turned, a\nresult replaced, an arm deleted. `cargo xtask mutate` draws a sample of them by a seed, and tries \
             one after the other:\ncore's own tests first, and what they let pass goes to the simulator: the scenarios of \
             `tests/scenarios`, then\n{SEEDS} seeds from each of {starts}. A run that is stopped goes on where it \
             was.\n\n\
             Only code counts that production runs: not tests, debug assertions, or switches of known bugs. A mutant \
             that takes\nten times as long as the tests do counts as killed. One whose function has changed since its \
             verdict is tried anew.\n\n\
             ```sh\n\
             cargo xtask mutate --seed {seed} --sample {sample}\n\
             cargo xtask mutate --seed {seed} --sample {sample} --again   # those that survived, once there are new tests\n\
             cargo xtask mutate --seed {seed} --sample {sample} --fresh   # all\n\
             ```\n\n\
             {sample} of {all} mutants, drawn by seed {seed}, tried at commit {commits}:\n**{killed} of {viable} viable \
             ones killed, {percent:.1} %**.\n\nWhen each was first tried, before tests were written for those that \
             survived, it was\n{killed_first} of {viable_first} ({first:.1} %). Another seed tells how much of that holds \
             for the others.\n\n\
             | folder | drawn | unviable | killed by core's tests | killed by the simulator | timed out | survived |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
            seed = self.seed,
            all = self.all,
            percent = percent(killed, viable),
            first = percent(killed_first, viable_first),
        );
        for (name, folder) in [
            ("`core/src/stream`", "core/src/stream/"),
            ("`core/src/protocol`", "core/src/protocol/"),
            ("`core/src/object`", "core/src/object/"),
            ("all", ""),
        ] {
            let drawn = self.verdicts.iter().filter(|(mutant, _)| mutant.path.starts_with(folder)).count();
            let verdicts = [Verdict::Unviable, Verdict::Killed, Verdict::Caught, Verdict::TimedOut, Verdict::Survived];
            let counts = verdicts.map(|verdict| self.count(verdict, folder).to_string()).join(" | ");
            _ = writeln!(text, "| {name} | {drawn} | {counts} |");
        }
        _ = write!(
            text,
            "\n## Survivors\n\nEach with a judgement: why no test can tell it from the code as it is, or what \
                          is missing.\n\n"
        );
        for name in names(self.with(Verdict::Survived)) {
            let judgement = judgements.get(name).map_or(UNJUDGED, String::as_str);
            _ = writeln!(text, "- `{name}`: {judgement}");
        }
        _ = write!(
            text,
            "\n## Killed by the simulator alone\n\nWhat no test of core notices, and a scenario or a seed \
                          does.\n\n"
        );
        for name in names(self.with(Verdict::Caught)) {
            _ = writeln!(text, "- `{name}`");
        }
        text
    }
}

fn names<'a>(mutants: impl Iterator<Item = (&'a Mutant, &'a Record)>) -> BTreeSet<&'a str> {
    mutants.map(|(mutant, _)| mutant.name.as_str()).collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The judgements of a report, by the names of mutants.
fn judgements(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let judged = lines.filter(|(_, judgement)| *judgement != UNJUDGED && !judgement.is_empty());
    judged.map(|(name, judgement)| (name.to_owned(), judgement.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants() -> Vec<Mutant> {
        let mutant = |(path, what): (&str, &str)| Mutant {
            name: format!("{path}: {what}"),
            path: path.to_owned(),
            range: 0..0,
            replacement: String::new(),
            function: String::new(),
            body: None,
        };
        let paths = ["core/src/stream/a.rs", "core/src/protocol/b.rs", "core/src/object/c.rs"];
        paths.iter().flat_map(|path| ["replace || with &&", "delete !"].map(|what| mutant((path, what)))).collect()
    }

    fn text(verdicts: [Verdict; 6], judgements: &BTreeMap<String, String>) -> String {
        let mutants = mutants();
        let record = |mutant: &Mutant, verdict| Record {
            name: mutant.name.clone(),
            function: String::new(),
            verdict,
            by: String::new(),
            seconds: 1,
            commit: "c1".to_owned(),
            first: if verdict == Verdict::Killed { Verdict::Survived } else { verdict },
        };
        let verdicts = mutants.iter().zip(verdicts).map(|(mutant, verdict)| (mutant, Some(record(mutant, verdict))));
        Report { seed: 7, all: 60, verdicts: verdicts.collect() }.text(judgements)
    }

    #[test]
    fn a_report_counts_by_folder_and_keeps_judgements() {
        use Verdict::{Caught, Killed, Survived, TimedOut, Unviable};
        let first = text([Killed, Survived, Unviable, Caught, TimedOut, Survived], &BTreeMap::new());
        for line in [
            "6 of 60 mutants, drawn by seed 7, tried at commit `c1`:",
            "**3 of 5 viable ones killed, 60.0 %**.",
            "2 of 5 (40.0 %). Another seed tells how much of that holds for the others.",
            "| `core/src/stream` | 2 | 0 | 1 | 0 | 0 | 1 |",
            "| `core/src/protocol` | 2 | 1 | 0 | 1 | 0 | 0 |",
            "| `core/src/object` | 2 | 0 | 0 | 0 | 1 | 1 |",
            "| all | 6 | 1 | 1 | 1 | 1 | 2 |",
            "- `core/src/stream/a.rs: delete !`: not judged yet",
            "- `core/src/protocol/b.rs: delete !`",
        ] {
            assert!(first.lines().any(|other| other == line), "{line}\n{first}");
        }
        assert_eq!(judgements(&first), BTreeMap::new());
        let by_hand = first.replace("c.rs: delete !`: not judged yet", "c.rs: delete !`: the same, as `x` is never 0");
        let second = text([Killed, Killed, Unviable, Caught, TimedOut, Survived], &judgements(&by_hand));
        assert!(second.contains("\n- `core/src/object/c.rs: delete !`: the same, as `x` is never 0\n"), "{second}");
        assert!(!second.contains("- `core/src/stream/a.rs: delete !`"), "{second}");
    }

    #[test]
    fn the_committed_report_judges_each_survivor_and_enough_are_killed() {
        let text = fs::read_to_string(Project::find().unwrap().path(PATH)).unwrap();
        let share = text.split_once(" viable ones killed, ").and_then(|(_, rest)| rest.split_once(" %**"));
        let share: f64 = share.unwrap().0.parse().unwrap();
        assert!(share >= LEAST_KILLED, "{share} %");
        assert!(!text.contains(UNJUDGED));
        let (_, all) = text.split_once("\n| all | ").unwrap();
        let counts: Vec<usize> = all
            .lines()
            .next()
            .unwrap()
            .trim_end_matches(" |")
            .split(" | ")
            .map(|count| count.parse().unwrap())
            .collect();
        assert_eq!(counts[0], counts[1..].iter().sum::<usize>(), "every mutant drawn has a verdict");
        assert_eq!(counts[5], judgements(&text).len(), "each survivor is judged");
    }
}
