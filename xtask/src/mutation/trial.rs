//! What is run against a mutant: core's own tests, and what they let pass goes to the simulator.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::SIGXCPU;

use xtask::process::Group;
use xtask::project::{Project, create_dir};

use super::switch;
use super::tree::Tree;

/// How long a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(1_200);
/// Processor time of core's tests, in seconds: ten times what they take. A mutant that takes longer is noticed.
const TESTS_CPU_S: u32 = 30;
/// The same for a run of seeds, or of a scenario, in the simulator.
const SIMULATOR_CPU_S: u32 = 20;
/// How long either may take if it waits instead of computing.
const WAIT_LIMIT: Duration = Duration::from_secs(600);
/// Memory that a mutant may take, in KiB of address space: one that allocates for ever must not take the machine's.
const MEMORY_KIB: u32 = 8 << 20;
/// The first seeds of the simulator's runs.
pub(super) const STARTS: [u64; 3] = [0, 100_000, 200_000];
/// The seeds from each of them.
pub(super) const SEEDS: u64 = 200;
/// The seeds of one run: most mutants that the simulator catches fail within few.
const SEEDS_AT_ONCE: u64 = 50;
/// The folder of the kept scenarios.
const SCENARIOS: &str = "tests/scenarios";
/// The tests of core: unit tests and properties, which are built in half the time, then all.
const TESTS: [&[&str]; 2] =
    [&["test", "--package", "tailrace-core", "--lib"], &["test", "--package", "tailrace-core", "--tests"]];
/// The simulator, as it is built for tests: with assertions, and in a few seconds after a change.
const SIMULATOR: &[&str] = &["build", "--package", "tailrace-sim", "--bin", "sim"];

/// What helps where a run was stopped while it was building: the compiler's own notes may be of half a build.
const CLEAN: &str =
    "If it cannot link, a build was stopped half way: delete .tailrace/mutation/target, and run this again.";

/// What came of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It does not compile.
    Unviable,
    /// A test of core fails.
    Killed,
    /// The simulator finds a violation, or a panic.
    Caught,
    /// Tests or seeds do not end in time.
    TimedOut,
    /// Nothing fails.
    Survived,
}

impl Verdict {
    const ALL: [(Self, &str); 5] = [
        (Self::Unviable, "unviable"),
        (Self::Killed, "killed"),
        (Self::Caught, "caught"),
        (Self::TimedOut, "timed-out"),
        (Self::Survived, "survived"),
    ];

    /// The verdict that is written so in the log.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, other)| *other == name).map(|(verdict, _)| verdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::ALL.iter().filter(|(verdict, _)| verdict == self).try_for_each(|(_, name)| out.write_str(name))
    }
}

/// The commands that judge the tree as it is.
pub(super) struct Trial<'a> {
    project: &'a Project,
    root: &'a Path,
    target: PathBuf,
}

/// How a command ended.
enum End {
    Passed,
    /// With what it printed.
    Failed(String),
    TooLate,
}

impl<'a> Trial<'a> {
    pub(super) fn new(project: &'a Project, tree: &'a Tree) -> Self {
        Self { project, root: tree.root(), target: project.generated("mutation/target") }
    }

    /// Builds and runs everything until something fails: the verdict, and what it is due to.
    pub(super) fn build_and_run(&self) -> Result<(Verdict, String)> {
        let unviable = Ok((Verdict::Unviable, String::new()));
        for tests in TESTS {
            if self.errors_of(tests)?.is_some() {
                return unviable;
            }
            if let Some(end) = self.test(tests, None)? {
                return Ok(end);
            }
        }
        if self.errors_of(SIMULATOR)?.is_some() {
            return unviable;
        }
        Ok(self.simulate(None)?.unwrap_or((Verdict::Survived, String::new())))
    }

    /// The same of what is built, with this mutant on.
    pub(super) fn run(&self, on: Option<usize>) -> Result<(Verdict, String)> {
        for tests in TESTS {
            if let Some(end) = self.test(tests, on)? {
                return Ok(end);
            }
        }
        Ok(self.simulate(on)?.unwrap_or((Verdict::Survived, String::new())))
    }

    /// Builds everything. The compiler's errors, if there are any.
    pub(super) fn errors(&self) -> Result<Option<String>> {
        for arguments in [TESTS[1], SIMULATOR] {
            if let Some(errors) = self.errors_of(arguments)? {
                return Ok(Some(errors));
            }
        }
        Ok(None)
    }

    fn test(&self, tests: &[&str], on: Option<usize>) -> Result<Option<(Verdict, String)>> {
        self.fails(self.cargo().args(tests), on, TESTS_CPU_S, Verdict::Killed, "tests", failed_test)
    }

    fn simulate(&self, on: Option<usize>) -> Result<Option<(Verdict, String)>> {
        for scenario in self.scenarios()? {
            let mut replay = self.simulator();
            replay.args(["replay", "--scenario"]).arg(self.root.join(SCENARIOS).join(&scenario));
            if let Some(end) = self.fails(&mut replay, on, SIMULATOR_CPU_S, Verdict::Caught, &scenario, last_line)? {
                return Ok(Some(end));
            }
        }
        let firsts = (0..SEEDS).step_by(SEEDS_AT_ONCE as usize).flat_map(|add| STARTS.map(|start| start + add));
        for from in firsts {
            let mut seeds = self.simulator();
            seeds.args(["run", "--show", "0", "--seeds", &SEEDS_AT_ONCE.to_string(), "--from", &from.to_string()]);
            if let Some(end) = self.fails(&mut seeds, on, SIMULATOR_CPU_S, Verdict::Caught, "seeds", failed_seed)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn cargo(&self) -> Command {
        self.tuned(self.project.cargo())
    }

    fn simulator(&self) -> Command {
        self.tuned(Command::new(self.target.join("debug/sim")))
    }

    fn tuned(&self, mut command: Command) -> Command {
        command.current_dir(self.root).env("CARGO_TARGET_DIR", &self.target);
        // Only the changed file is compiled anew, and nobody debugs it.
        command.env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_DEBUG", "false").env("RUST_BACKTRACE", "0");
        command
    }

    /// The names of the kept scenarios.
    fn scenarios(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.root.join(SCENARIOS)).context("cannot list the kept scenarios")?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The compiler's errors about core, if there are any. A build that fails for any other reason is an error.
    fn errors_of(&self, arguments: &[&str]) -> Result<Option<String>> {
        let mut build = self.cargo();
        build.args(arguments).arg("--message-format=short");
        if arguments[0] == "test" {
            build.arg("--no-run");
        }
        match self.end(&mut build, BUILD_LIMIT)? {
            End::Passed => Ok(None),
            End::Failed(printed) if printed.contains("could not compile `tailrace-core`") => Ok(Some(printed)),
            End::Failed(printed) => bail!("cargo cannot build:\n{}\n{CLEAN}", tail(&printed)),
            End::TooLate => bail!("a build did not end within {} s", BUILD_LIMIT.as_secs()),
        }
    }

    /// The verdict if a command fails, or is too late, and what it is due to.
    fn fails(
        &self,
        command: &mut Command,
        on: Option<usize>,
        cpu_s: u32,
        verdict: Verdict,
        what: &str,
        reason: fn(&str) -> Option<&str>,
    ) -> Result<Option<(Verdict, String)>> {
        let mut bounded = Command::new("sh");
        bounded.args(["-c", &format!("ulimit -v {MEMORY_KIB} && ulimit -S -t {cpu_s} && exec \"$@\""), "sh"]);
        bounded.arg(command.get_program()).args(command.get_args());
        bounded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        bounded.env_remove("RUSTFLAGS").current_dir(self.root);
        on.map(|number| bounded.env(switch::VARIABLE, number.to_string()));
        Ok(match self.end(&mut bounded, WAIT_LIMIT)? {
            End::Passed => None,
            End::Failed(printed) => {
                let reason = reason(&printed).or_else(|| last_line(&printed)).unwrap_or_default();
                Some((verdict, format!("{what}: {reason}")))
            }
            End::TooLate => Some((Verdict::TimedOut, what.to_owned())),
        })
    }

    fn end(&self, command: &mut Command, limit: Duration) -> Result<End> {
        let log = self.project.generated("logs").join("mutation.log");
        create_dir(&self.project.generated("logs"))?;
        let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        command.stdout(file.try_clone().context("cannot share the log")?).stderr(file);
        let mut group = Group::spawn(command)?;
        let Ok(status) = group.wait(Some(limit), false) else { return Ok(End::TooLate) };
        if status.success() {
            return Ok(End::Passed);
        }
        let printed = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        // The limit of processor time is this signal, to the program itself or to the tests that cargo started.
        Ok(if status.signal() == Some(SIGXCPU) || tells_too_late(&printed) {
            End::TooLate
        } else {
            End::Failed(printed)
        })
    }
}

/// Whether cargo tells that tests were ended by the signal of the limit of processor time.
fn tells_too_late(printed: &str) -> bool {
    printed.lines().any(|line| line.contains("exit successfully") && line.contains(&format!("(signal: {SIGXCPU}")))
}

/// The first test that failed.
fn failed_test(printed: &str) -> Option<&str> {
    printed.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
}

/// The first seed that failed, and the invariant that it violates.
fn failed_seed(printed: &str) -> Option<&str> {
    printed.lines().find(|line| line.starts_with("seed ") && line.contains(':'))
}

fn last_line(printed: &str) -> Option<&str> {
    printed.trim_end().lines().next_back()
}

fn tail(printed: &str) -> String {
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_tells_what_failed() {
        let tests = "test a::b ... ok\ntest a::c ... FAILED\ntest a::d ... FAILED\n\nfailures:\n";
        assert_eq!(failed_test(tests), Some("a::c"));
        assert_eq!(failed_test("error: process didn't exit successfully\n"), None);
        assert!(tells_too_late("x\n  process didn't exit successfully: `a/rules-1` (signal: 24)\n"));
        assert!(!tells_too_late("  process didn't exit successfully: `a/rules-1` (signal: 6, SIGABRT: abort)\n"));
        let seeds = "seed 7: durable: lost\nseed 9: exact: twice\n200 seeds from 0: 2 failed\n";
        assert_eq!(failed_seed(seeds), Some("seed 7: durable: lost"));
        assert_eq!(last_line("history\ndurable: lost\n"), Some("durable: lost"));
    }

    #[test]
    fn every_verdict_has_a_name_of_its_own() {
        for (verdict, name) in Verdict::ALL {
            assert_eq!((Verdict::named(name), verdict.to_string().as_str()), (Some(verdict), name));
        }
        assert_eq!(Verdict::named("alive"), None);
    }
}
