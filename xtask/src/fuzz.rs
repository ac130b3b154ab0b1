//! `cargo xtask fuzz`: libFuzzer looks for an input for which a target's property does not hold.
//!
//! cargo-fuzz needs a nightly compiler and is not part of the test, which replays the committed corpus instead. Inputs
//! that a run finds stay in `.tailrace/fuzz/`; `--minimise` copies those to `fuzz/corpus/` that reach code which the
//! corpus there does not reach.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use xtask::process::{self, Group};
use xtask::project::{Project, create_dir, read, say};

/// The version of cargo-fuzz that is known to work with this layout.
const CARGO_FUZZ: &str = "0.13.2";
/// How long cargo-fuzz may take to install: it builds in half a minute on two cores, and its crates are downloaded.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// How long a nightly compiler may take to install: rustup downloads some 100 MB, and without a network may wait for
/// ever.
const NIGHTLY_LIMIT: Duration = Duration::from_secs(600);
/// How long one input may take, in seconds: more than a thousand times what any input of a corpus takes.
const INPUT_LIMIT_S: u32 = 10;
/// How much longer than its time a run may take: for reading the corpus, the last input, and the report.
const GRACE: Duration = Duration::from_secs(120);
/// The folder of the programs, one for each target.
const PROGRAMS: &str = "fuzz/targets";

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to fuzz, in turn
    #[arg(value_name = "TARGET", required_unless_present = "list")]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Take over what was found earlier into the committed corpus, as far as it reaches more, instead of running
    #[arg(long)]
    minimise: bool,
    /// Print the names of the targets and what each holds
    #[arg(long)]
    list: bool,
}

/// Lists or runs the targets, or minimises what they found.
pub(crate) fn run(project: &Project, args: &Args) -> Result<()> {
    let known = targets(project)?;
    if args.list {
        known.iter().for_each(|(name, about)| println!("{name:<20}{about}"));
        return Ok(());
    }
    if let Some(unknown) = args.targets.iter().find(|name| known.iter().all(|(target, _)| target != *name)) {
        bail!("there is no target {unknown:?}: `cargo xtask fuzz --list` names them");
    }
    let engine = Engine::ensure(project)?;
    for target in &args.targets {
        if args.minimise {
            engine.minimise(target)?;
        } else {
            engine.fuzz(target, args.seconds)?;
        }
    }
    Ok(())
}

/// Names of the targets, and what the first line of each program says.
fn targets(project: &Project) -> Result<Vec<(String, String)>> {
    let folder = project.path(PROGRAMS);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        let text = read(&path)?;
        let about = text.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default();
        targets.push((name, about.to_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// cargo-fuzz, and where it works.
struct Engine<'a> {
    project: &'a Project,
    program: PathBuf,
}

impl<'a> Engine<'a> {
    /// Finds a nightly compiler and cargo-fuzz, setting up what is missing.
    fn ensure(project: &'a Project) -> Result<Self> {
        let _lock = project.lock("setup")?;
        ensure_nightly(project)?;
        let root = project.generated("fuzz/tool");
        let program = root.join("bin/cargo-fuzz");
        let installed = process::output(Command::new(&program).arg("--version")).unwrap_or_default();
        if installed.split_whitespace().last() != Some(CARGO_FUZZ) {
            say(&format!("installing cargo-fuzz {CARGO_FUZZ} into {} (a minute, once)", root.display()));
            let mut cargo = project.cargo();
            cargo.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(&root);
            process::run_quietly(&mut cargo, INSTALL_LIMIT)
                .context("cargo cannot install cargo-fuzz: can it reach its registry?")?;
        }
        Ok(Self { project, program })
    }

    /// Runs a target, and prints the result. A finding is an error.
    fn fuzz(&self, target: &str, seconds: u32) -> Result<()> {
        let (learnt, findings) = (self.folder("corpus", target)?, self.folder("findings", target)?);
        let before = count(&learnt)?;
        let mut prefix = OsString::from("-artifact_prefix=");
        prefix.push(findings.join(""));
        let mut command = self.command(target);
        // New inputs go to the first folder.
        command.arg(&learnt).arg(self.committed(target)).arg("--").arg(prefix);
        command.args([format!("-max_total_time={seconds}"), format!("-timeout={INPUT_LIMIT_S}")]);
        command.args(["-print_final_stats=1", "-rss_limit_mb=2048"]);
        say(&format!("fuzzing `{target}` for {seconds} s"));
        let (succeeded, printed) = self.watch(target, &mut command, Duration::from_secs(seconds.into()) + GRACE)?;
        let report = Report::of(&printed);
        let executions = report.executions.map_or("no".to_owned(), |count| count.to_string());
        let new = count(&learnt)?.saturating_sub(before);
        let found = if report.input.is_some() { "a finding" } else { "no finding" };
        println!("{target}: {executions} executions, {found}; {new} inputs that reached something new");
        match report.input {
            None if succeeded && report.executions.is_some() => Ok(()),
            None => bail!("`{target}` did not run to its end: {}", self.log(target).display()),
            Some(input) => bail!(
                "`{target}` does not hold for {input}:\n{}\n  Copy that file to fuzz/corpus/{target}/ under a name that \
                 says what it is; `cargo test --package tailrace-tests --test corpus` then fails for it. Fix the cause, \
                 and describe it in docs/findings.md. The whole report: {}",
                report.panic,
                self.log(target).display()
            ),
        }
    }

    /// Adds to the committed corpus the fewest of the inputs found earlier that reach all the code they reach together.
    ///
    /// libFuzzer also distinguishes how often code is reached. That would keep hundreds of files, which nobody would
    /// read.
    fn minimise(&self, target: &str) -> Result<()> {
        let (learnt, committed) = (self.folder("corpus", target)?, self.committed(target));
        create_dir(&committed)?;
        let before = count(&committed)?;
        let mut command = self.command(target);
        command.arg(&committed).arg(&learnt).args(["--", "-set_cover_merge=1", "-use_counters=0"]);
        say(&format!("minimising what was found for `{target}`"));
        let (succeeded, _) = self.watch(target, &mut command, GRACE)?;
        if !succeeded {
            bail!("`{target}` could not be minimised: {}", self.log(target).display());
        }
        let after = count(&committed)?;
        println!("{target}: {before} inputs in fuzz/corpus/{target}, and {} more now", after.saturating_sub(before));
        Ok(())
    }

    /// `cargo fuzz run`, as far as the name of the target.
    fn command(&self, target: &str) -> Command {
        let mut command = self.project.command(&self.program);
        // rustup's cargo is to choose the compiler, and cargo-fuzz the flags.
        command.env_remove("CARGO").env_remove("RUSTFLAGS").env("RUSTUP_TOOLCHAIN", "nightly");
        command.args(["fuzz", "run", "--fuzz-dir=fuzz", "--target-dir"]).arg(self.project.generated("fuzz/target"));
        command.arg(target);
        command
    }

    /// Runs a command into the target's log; whether it succeeded, and what it printed.
    fn watch(&self, target: &str, command: &mut Command, limit: Duration) -> Result<(bool, String)> {
        let log = self.log(target);
        create_dir(&self.project.generated("logs"))?;
        let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        command.stdout(file.try_clone().context("cannot share the log")?).stderr(file);
        let status = Group::spawn(command)?.wait(Some(limit), true)?;
        // The log may not be UTF-8: libFuzzer prints an input that it found as it is.
        let printed = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        Ok((status.success(), String::from_utf8_lossy(&printed).into_owned()))
    }

    fn log(&self, target: &str) -> PathBuf {
        self.project.generated("logs").join(format!("fuzz-{target}.log"))
    }

    fn committed(&self, target: &str) -> PathBuf {
        self.project.path("fuzz/corpus").join(target)
    }

    /// The folder in which runs of a target leave their files.
    fn folder(&self, what: &str, target: &str) -> Result<PathBuf> {
        let folder = self.project.generated("fuzz").join(what).join(target);
        create_dir(&folder)?;
        Ok(folder)
    }
}

/// The compiler that cargo-fuzz needs: its flags are not stable.
fn ensure_nightly(project: &Project) -> Result<()> {
    let runs = || process::output(project.command("rustup").args(["run", "nightly", "rustc", "--version"]));
    if runs().is_ok() {
        return Ok(());
    }
    say("installing a nightly compiler with rustup");
    let mut rustup = project.command("rustup");
    process::run_quietly(rustup.args(["toolchain", "install", "nightly", "--profile", "minimal"]), NIGHTLY_LIMIT)
        .and_then(|()| runs().map(|_| ()))
        .context("cargo-fuzz needs a nightly compiler: install one by `rustup toolchain install nightly`")
}

fn count(folder: &PathBuf) -> Result<usize> {
    Ok(fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?.count())
}

/// libFuzzer's report on a run.
struct Report {
    executions: Option<u64>,
    /// The file of the input that broke the target.
    input: Option<String>,
    /// The message of the target's panic, indented.
    panic: String,
}

impl Report {
    fn of(printed: &str) -> Self {
        let lines = || printed.lines();
        let executions = lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let input = lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.to_owned()));
        let panic = lines().skip_while(|line| !line.contains("panicked at")).take(4);
        let panic = panic.take_while(|line| !line.starts_with("note:") && !line.starts_with("=="));
        let panic = panic.map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
        Self { executions: executions.and_then(|count| count.trim().parse().ok()), input, panic }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_tells_its_executions_and_what_it_found() {
        let quiet = Report::of("INFO: x\nDone 9 runs in 1 second(s)\nstat::number_of_executed_units: 1234\n");
        assert_eq!((quiet.executions, quiet.input, quiet.panic.as_str()), (Some(1234), None, ""));
        let found = Report::of(
            "\nthread '<unnamed>' (7) panicked at /src/fuzz/json.rs:19:5:\nassertion failed\nnote: run with\n\
             ==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1\n\
             stat::number_of_executed_units: 7\n",
        );
        assert_eq!((found.executions, found.input.as_deref()), (Some(7), Some("a/crash-1")));
        assert_eq!(found.panic, "  thread '<unnamed>' (7) panicked at /src/fuzz/json.rs:19:5:\n  assertion failed");
        let broken = Report::of("error: could not compile\n");
        assert_eq!((broken.executions, broken.input), (None, None));
    }
}
