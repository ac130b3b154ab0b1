//! The shell in which the README's lines run: as on a machine on which nobody has deployed anything, without a network.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::process::Group;
use xtask::project::{Project, create_dir};
use xtask::setup::node::Node;
use xtask::wrangler;

/// Loaded into each Node, so that it reaches this machine only.
const OFFLINE: &str = "tests/real/deployment/offline.mjs";

/// How long lines may take: the compiler has done its work before.
const LIMIT: Duration = Duration::from_secs(300);

/// What the lines find around them.
pub(super) struct Shell<'a> {
    /// The repository, in which they run.
    pub(super) project: &'a Project,
    /// The Node that they find first.
    pub(super) node: &'a Node,
    /// Where the home folder is, and the list of hosts that somebody tried to reach.
    pub(super) folder: &'a Path,
    /// The port of the API.
    pub(super) api: u64,
    /// The token by which the API is asked.
    pub(super) token: &'a str,
}

impl Shell<'_> {
    /// Runs these lines; what they print goes into a file, in the order in which it is printed.
    pub(super) fn run(&self, lines: &str, log: &Path) -> Result<ExitStatus> {
        let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let errors = file.try_clone().context("cannot write to one file twice")?;
        Group::spawn(self.command(lines)?.stdout(file).stderr(errors))?.wait(Some(LIMIT), true)
    }

    /// A command that runs these lines and ends at the first that fails.
    pub(super) fn command(&self, lines: &str) -> Result<Command> {
        let home = self.folder.join("home");
        create_dir(&home)?;
        let mut bash = self.node.beside(self.project, "bash")?;
        bash.args(["-e", "-u", "-o", "pipefail", "-c", lines]);
        // Who has logged in has it noted in the home folder, where the compiler is found as well.
        let real = std::env::var_os("HOME").map(PathBuf::from).context("the variable HOME is not set")?;
        for (name, place) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(name).is_none() {
                bash.env(name, real.join(place));
            }
        }
        bash.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config"));
        bash.env("CLOUDFLARE_API_BASE_URL", format!("http://127.0.0.1:{}", self.api));
        bash.env("CLOUDFLARE_ACCOUNT_ID", "stand-in").env("CLOUDFLARE_API_TOKEN", self.token);
        // Wrangler prefers a variable to a secret's file.
        bash.env_remove("TAILRACE_KEYS");
        wrangler::isolate(&mut bash);
        // Without a lock file npm would ask for the platform packages of all other machines each time.
        bash.env("NPM_CONFIG_OFFLINE", "true").env("CARGO_NET_OFFLINE", "true");
        bash.env("TAILRACE_TRIED", self.folder.join("tried.txt"));
        bash.env("NODE_OPTIONS", format!("--import={:?}", self.project.path(OFFLINE)));
        Ok(bash)
    }
}
