//! `cargo sim bill`. What it prints on stdout is the same for the same arguments; how far it is, it prints on stderr.

use std::path::PathBuf;
use std::time::Instant;
use std::{fs, iter};

use clap::{Args, ValueEnum};

use super::deployment::Deployment;
use super::month::{Background, Effort, Forecast};
use super::preset::Preset;
use super::search::{self, Found, Place};
use super::slice::Case;
use super::table::{Row, comparison, lines};
use super::workload::Workload;
use super::{bars, json, page, sensitivity};
use crate::crowd::{Knobs, calibration};
use crate::judge::mutants::{Entry, STARTS};

/// What nobody should do is priced by so many seeds.
const BROKEN: Effort = Effort { seeds: 2, most_seeds: 2 };

/// Seeds with faults under which the best way must keep all invariants.
const FAULTY_SEEDS: usize = 2_000;

/// Which deployments are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compared {
    /// Those that are recommended.
    Defaults,
    /// Every policy, by each transport.
    All,
}

/// What a workload costs in a month.
#[derive(Args, Debug)]
pub struct BillArguments {
    /// A workload with a name; `--preset help` lists them.
    #[arg(long, default_value = "readers-10k")]
    preset: String,
    /// A file with what differs from it: a line for each part, `name value`.
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    #[command(flatten)]
    parts: Parts,
    /// Only deployments of that policy.
    #[arg(long)]
    policy: Option<String>,
    /// Several deployments side by side.
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "defaults")]
    compare: Option<Compared>,
    /// With connections with events that last about so many seconds, instead of as long as the policy says.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    sse_seconds: Option<u64>,
    /// With long-polls that wait so many seconds.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=25))]
    long_poll_seconds: Option<u64>,
    /// With keys: each request has a token, which the Worker verifies, and readers have the reader key in their URLs.
    #[arg(long)]
    tokens: bool,
    /// What each guess does to the bill when it is halved and doubled.
    #[arg(long)]
    sensitivity: bool,
    /// The cheapest of a grid of deployments, for each place: which policy, how readers follow, and how long they wait. What
    /// violates an invariant is out.
    #[arg(long)]
    search: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Writes a page with tables and plots to that file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Draws a bar for each deployment into that file, as SVG, and one for what readers cost whom nothing spares.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Seeds of each kind of cycle, at least.
    #[arg(long, default_value_t = Effort::default().seeds)]
    seeds: u64,
    /// A file with parameters, as `cargo xtask measure` writes it.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
}

/// Parts of a workload on the command line, each as a file has it.
#[derive(Args, Debug)]
pub struct Parts {
    /// Readers that follow a stream at any time.
    #[arg(long)]
    readers: Option<String>,
    /// Streams that are followed or written to.
    #[arg(long)]
    streams: Option<String>,
    /// Messages a second to each stream: one number, or 24 of them, by the hour, with commas.
    #[arg(long)]
    writes_per_second: Option<String>,
    /// Bytes of a message.
    #[arg(long)]
    message_bytes: Option<String>,
    /// Of 1,000 readers, those that read a stream from its start again and again instead.
    #[arg(long)]
    catch_up_permille: Option<String>,
    /// Bytes of a stream when those come.
    #[arg(long)]
    history_bytes: Option<String>,
    /// Datacenters: a number, or region:number with commas.
    #[arg(long)]
    regions: Option<String>,
    /// Streams beside those that nobody reads or writes to.
    #[arg(long)]
    idle_streams: Option<String>,
    /// Streams that are created in a month, get a message, and expire.
    #[arg(long)]
    lives: Option<String>,
    /// Days that a message is kept.
    #[arg(long)]
    kept_days: Option<String>,
    /// Releases a month.
    #[arg(long)]
    deploys: Option<String>,
}

impl Parts {
    /// By the names under which files have them.
    fn named(&self) -> [(&'static str, &Option<String>); Workload::FIELDS.len()] {
        [
            ("readers", &self.readers),
            ("streams", &self.streams),
            ("writes_per_second", &self.writes_per_second),
            ("message_bytes", &self.message_bytes),
            ("catch_up_permille", &self.catch_up_permille),
            ("history_bytes", &self.history_bytes),
            ("regions", &self.regions),
            ("idle_streams", &self.idle_streams),
            ("lives", &self.lives),
            ("kept_days", &self.kept_days),
            ("deploys", &self.deploys),
        ]
    }
}

impl BillArguments {
    /// Prints what the workload costs. Fails with a sentence where it is no workload.
    pub fn run(&self) -> Result<(), String> {
        if self.preset == "help" {
            Preset::ALL.iter().for_each(|preset| println!("{:<18} {}", preset.name, preset.what));
            return Ok(());
        }
        let workload = self.workload()?;
        let knobs = calibration::of_file(self.with.as_deref())?.knobs;
        let effort = Effort { seeds: self.seeds.max(2), most_seeds: Effort::default().most_seeds.max(self.seeds) };
        if self.search {
            return search_all(&workload, knobs);
        }
        let deployments = self.deployments()?;
        let first = deployments.first().ok_or("no deployment")?;
        let began = Instant::now();
        let tells = |what: &str| eprintln!("{:>6.1} s  {what}", began.elapsed().as_secs_f64());
        tells("what happens in the background");
        let background = Background::of(Case { workload: &workload, deployment: first, knobs });
        let row = |deployment: &Deployment| {
            let case = Case { workload: &workload, deployment, knobs };
            let breaks = breaks(deployment);
            let effort = if breaks.is_empty() { effort } else { BROKEN };
            let forecast = Forecast::of(case, &background, effort, &tells);
            Row { deployment: deployment.clone(), forecast, breaks }
        };
        let rows: Vec<Row> = deployments.iter().map(row).collect();
        if let Some(path) = &self.html {
            let page = page::page(&workload, &rows, &background, knobs, &tells);
            fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        if let Some(path) = &self.svg {
            let uncached = (!deployments.contains(&Deployment::uncached())).then(|| row(&Deployment::uncached()));
            let rows: Vec<Row> = rows.iter().cloned().chain(uncached).collect();
            let picture = bars::svg(&workload, &rows);
            fs::write(path, picture).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        match &rows[..] {
            rows if self.json => println!("{:#}", json::json(&workload, rows)),
            [row] => print!("{}", lines(row)),
            rows => print!("{}", comparison(rows)),
        }
        if self.sensitivity {
            for deployment in &deployments {
                let case = Case { workload: &workload, deployment, knobs };
                print!("\n{}", sensitivity::sensitivity(case, &background, &tells));
            }
        }
        tells("done");
        Ok(())
    }

    fn workload(&self) -> Result<Workload, String> {
        let mut workload = Preset::named(&self.preset)?.workload()?;
        if let Some(path) = &self.workload {
            let text = fs::read_to_string(path).map_err(|error| error.to_string());
            let read = text.and_then(|text| workload.read(&text));
            read.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        for (name, value) in self.parts.named() {
            if let Some(value) = value {
                workload.set(name, value)?;
            }
        }
        workload.problem().map_or(Ok(workload), Err)
    }

    fn deployments(&self) -> Result<Vec<Deployment>, String> {
        let all = match (self.compare, &self.policy) {
            (Some(Compared::All), _) | (_, Some(_)) => Deployment::all(),
            (Some(Compared::Defaults), None) => Deployment::defaults().to_vec(),
            (None, None) => Deployment::defaults()[..1].to_vec(),
        };
        let is_meant =
            |deployment: &Deployment| self.policy.as_deref().is_none_or(|name| deployment.policy.name == name);
        let waits = |mut deployment: Deployment| {
            if let Some(seconds) = self.sse_seconds {
                deployment = deployment.with_sse_ms(seconds * 1_000);
            }
            if self.tokens {
                deployment = deployment.with_tokens();
            }
            match self.long_poll_seconds {
                Some(seconds) => deployment.with_long_poll_ms(seconds * 1_000),
                None => deployment,
            }
        };
        let meant: Vec<Deployment> = all.into_iter().filter(is_meant).map(waits).collect();
        if meant.is_empty() {
            return Err(format!("no policy is called {:?}", self.policy.as_deref().unwrap_or_default()));
        }
        Ok(meant)
    }
}

/// Prints the best of each place.
fn search_all(workload: &Workload, knobs: Knobs) -> Result<(), String> {
    let began = Instant::now();
    let tells = |what: &str| eprintln!("{:>6.1} s  {what}", began.elapsed().as_secs_f64());
    for (place, default) in Place::ALL.into_iter().zip(Deployment::defaults()) {
        let found = search::search(workload, place.ways(), knobs, &tells);
        println!("{}, of {} ways; recommended: {}", place.name(), place.ways().len(), default.name);
        let rows: Vec<Row> = found.iter().map(|found| found.row.clone()).collect();
        print!("{}", comparison(&rows));
        for Found { row, same } in found.iter().filter(|found| !found.same.is_empty()) {
            let names: Vec<&str> = same.iter().map(|deployment| deployment.name.as_str()).collect();
            println!("the same as {}: {}", row.deployment.name, names.join("; "));
        }
        // What violates an invariant is out. Of those that cost the same, what is recommended comes first.
        let group = |found: &Found| {
            let mut group: Vec<Deployment> = iter::once(&found.row.deployment).chain(&found.same).cloned().collect();
            group.sort_by_key(|deployment| *deployment != default);
            group
        };
        for deployment in &found.iter().flat_map(group).collect::<Vec<_>>() {
            tells(&format!("{}: seeds with faults", deployment.name));
            let violated = search::violations(deployment, FAULTY_SEEDS);
            println!("{}: of {FAULTY_SEEDS} seeds with faults, {violated} violate an invariant", deployment.name);
            if violated == 0 {
                break;
            }
        }
        println!();
    }
    tells("done");
    Ok(())
}

/// What a policy breaks that is registered as a bug: hunted until the first seed that shows it.
fn breaks(deployment: &Deployment) -> Vec<&'static str> {
    let caught = Entry::named(deployment.policy.name).and_then(|entry| entry.hunt(STARTS[0]));
    let mut names: Vec<&str> =
        caught.iter().flat_map(|caught| &caught.invariants).map(|broken| broken.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bill: BillArguments,
    }

    fn line(text: &str) -> BillArguments {
        Line::try_parse_from(std::iter::once("bill").chain(text.split_whitespace())).expect("arguments").bill
    }

    #[test]
    fn a_workload_is_a_preset_with_what_the_command_line_says() {
        let workload = line("--preset chat-rooms --readers 70 --writes-per-second 3").workload().expect("a workload");
        assert_eq!((workload.readers, workload.streams, workload.writes_per_second[5]), (70, 1_000, 3.0));
        assert_eq!(line("--readers many").workload().expect_err("no number").split(':').next(), Some("readers"));
        assert!(line("--preset none").workload().is_err());
        assert!(line("--readers 200000").workload().expect_err("too many").starts_with("200000 readers"));
        assert!(line("--workload /nowhere").workload().expect_err("no file").starts_with("/nowhere: "));
        let named = line("").parts.named().map(|(name, _)| name);
        assert_eq!(named, Workload::FIELDS.map(|(name, _)| name));
    }

    #[test]
    fn a_policy_or_a_comparison_tells_which_deployments_are_meant() {
        let count = |text: &str| line(text).deployments().map(|deployments| deployments.len());
        assert_eq!(count(""), Ok(1));
        assert_eq!(count("--compare"), Ok(3));
        assert!(count("--compare all").expect("some") > 20);
        assert_eq!(count("--policy silence"), Ok(2));
        assert!(count("--policy none").is_err());
        let named = |text: &str| line(text).deployments().map(|deployments| deployments[0].name.clone());
        assert_eq!(named("--tokens"), Ok("immutable-and-long-poll, sse 1800 s, tokens".to_owned()));
        let waits = line("--sse-seconds 60 --long-poll-seconds 4").deployments().expect("one")[0].policy.waits;
        assert_eq!((waits.sse_ms, waits.long_poll_ms), (60_000, 4_000));
    }

    #[test]
    fn a_policy_that_is_a_known_bug_breaks_what_it_is_known_for() {
        let of = |name: &str| {
            Deployment::all().into_iter().find(|deployment| deployment.policy.name == name).expect("a policy")
        };
        assert_eq!(breaks(&of("everything")), ["fresh"]);
        assert!(breaks(&of("silence")).is_empty());
    }
}
