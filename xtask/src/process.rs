//! Child processes and their descendants. Each child leads a process group of its own, because wrangler and npm start
//! processes that we could not address otherwise. Those groups are ended when this program ends.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::project::say;

/// How long a group may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);
/// The same for a child that is a program of ours, which first ends its own groups.
const GRACE_OF_OURS: Duration = Duration::from_secs(6);
/// The interval at which a wait checks again.
const POLL: Duration = Duration::from_millis(20);
/// The interval at which a silent child is reported, so that nobody thinks that it hangs.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The running groups, each with its grace period, for the thread that handles signals.
static LIVE: Mutex<BTreeMap<u32, Duration>> = Mutex::new(BTreeMap::new());

fn live() -> MutexGuard<'static, BTreeMap<u32, Duration>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child and its descendants; dropping it ends them all.
pub struct Group {
    child: Child,
    name: String,
    grace: Duration,
    ended: bool,
}

impl Group {
    /// Starts a child in a group of its own. Its stdin is empty: a background group that reads a terminal is stopped.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        Self::spawn_with(command, GRACE)
    }

    fn spawn_with(command: &mut Command, grace: Duration) -> Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let name = describe(command);
        command.stdin(Stdio::null()).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start `{name}`: is it installed and in PATH?"))?;
        live().insert(child.id(), grace);
        Ok(Self { child, name, grace, ended: false })
    }

    /// The process id of the child, which is also its group's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's piped stdout; `None` after the first call.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// The status, if the child has ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().with_context(|| format!("cannot wait for `{}`", self.name))?;
        if status.is_some() {
            self.ended = true;
            live().remove(&self.child.id());
        }
        Ok(status)
    }

    /// Waits until the child ends. If the time limit passes first, ends the group and fails.
    pub fn wait(&mut self, limit: Option<Duration>, heartbeat: bool) -> Result<ExitStatus> {
        let start = Instant::now();
        let mut reported = Duration::ZERO;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            let elapsed = start.elapsed();
            if limit.is_some_and(|limit| elapsed > limit) {
                self.end();
                bail!("`{}` did not end within {} s", self.name, elapsed.as_secs());
            }
            if heartbeat && elapsed - reported > HEARTBEAT {
                reported = elapsed;
                say(&format!("... {} s: {}", elapsed.as_secs(), self.name));
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the group to end, and ends it after the grace period.
    pub fn end(&mut self) {
        if self.ended {
            return;
        }
        signal_group(self.child.id(), Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < self.grace && !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            thread::sleep(POLL);
        }
        self.kill();
    }

    /// Ends the group at once.
    pub fn kill(&mut self) {
        if self.ended {
            return;
        }
        signal_group(self.child.id(), Signal::KILL);
        let _ = self.child.wait();
        self.ended = true;
        live().remove(&self.child.id());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal_group(id: u32, signal: Signal) {
    // It does not matter if this fails: then the group has ended already.
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Starts the thread that ends every group when we are told to end.
pub fn end_children_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
    thread::spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        let groups = live().clone();
        groups.keys().for_each(|&id| signal_group(id, Signal::TERM));
        let start = Instant::now();
        while groups.iter().any(|(id, grace)| start.elapsed() < *grace && live().contains_key(id)) {
            thread::sleep(POLL);
        }
        let left = live().clone();
        left.keys().for_each(|&id| signal_group(id, Signal::KILL));
        std::process::exit(128 + signal);
    });
    Ok(())
}

/// Runs a command that shows its own output; failure is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let mut group = Group::spawn(command)?;
    let status = group.wait(None, false)?;
    check(&describe(command), status, "")
}

/// Runs a program of ours, which ends its own groups when it is told to end. A failure of it is an error.
pub fn run_ours(command: &mut Command) -> Result<()> {
    let mut group = Group::spawn_with(command, GRACE_OF_OURS)?;
    let status = group.wait(None, false)?;
    check(&describe(command), status, "")
}

/// Runs a command without showing its output, within a time limit, and reports now and then that it still runs. The
/// error of a command that fails shows what it printed.
pub fn run_quietly(command: &mut Command, limit: Duration) -> Result<()> {
    capture(command, limit, true).map(|_| ())
}

/// What a command prints to stdout; failure is an error that shows what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    Ok(capture(command, Duration::from_secs(600), false)?.0)
}

/// What a command prints to stdout and then to stderr; failure is an error that shows it.
pub fn output_and_errors(command: &mut Command) -> Result<String> {
    let (stdout, stderr) = capture(command, Duration::from_secs(600), false)?;
    Ok(stdout + &stderr)
}

fn capture(command: &mut Command, limit: Duration, heartbeat: bool) -> Result<(String, String)> {
    let name = describe(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(command)?;
    let stdout = drain(group.child.stdout.take());
    let stderr = drain(group.child.stderr.take());
    let status = group.wait(Some(limit), heartbeat)?;
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    check(&name, status, &format!("{stdout}{stderr}"))?;
    Ok((stdout, stderr))
}

/// Reads a pipe to its end on a thread, so that a full pipe never stops the child.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A pipe that breaks ends the output; the exit status tells whether the child failed.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn check(name: &str, status: ExitStatus, printed: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    // A script that fails may show its source, which can be one line of megabytes.
    let shorten = |line: &&str| line.chars().take(400).collect::<String>();
    let tail = lines[lines.len().saturating_sub(40)..].iter().map(shorten).collect::<Vec<_>>().join("\n");
    let gap = if tail.is_empty() { "" } else { "\n" };
    bail!("`{name}` failed with {status}{gap}{tail}")
}

/// A command as it is typed in a shell, shortened.
fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
