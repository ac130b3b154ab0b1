//! Packages of the machine's own Debian archive, unpacked under `.tailrace/`. This needs neither root nor a change of
//! the system: package lists and cache are our own, and packages are downloaded and unpacked, never installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project::{create_dir, remove_dir, say, write};

/// How long downloads may take: some hundred MB come over the network.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);

/// A folder of unpacked packages.
pub(in crate::setup) struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// The packages that are, or will be, unpacked in this folder.
    pub(in crate::setup) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder.
    pub(in crate::setup) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The unpacked packages' `/usr`.
    pub(in crate::setup) fn usr(&self) -> PathBuf {
        self.dir.join("root/usr")
    }

    /// Whether an earlier run has completed this folder.
    pub(in crate::setup) fn is_ready(&self) -> bool {
        self.dir.join("ready").is_file()
    }

    /// Records that everything is there and works.
    pub(in crate::setup) fn set_ready(&self) -> Result<()> {
        write(&self.dir.join("ready"), "")
    }

    /// Empties the folder and reads the package lists.
    pub(in crate::setup) fn open(&self) -> Result<()> {
        if process::output(Command::new("apt-get").arg("--version")).is_err() {
            bail!("this machine has no apt-get");
        }
        remove_dir(&self.dir)?;
        for dir in ["lists/partial", "cache/archives/partial", "debs", "root"] {
            create_dir(&self.dir.join(dir))?;
        }
        say("reading the package lists of this machine's Debian archive");
        process::run_quietly(self.apt("apt-get").arg("update"), DOWNLOAD_LIMIT)
            .context("cannot read the package lists: can this machine reach the archives of /etc/apt?")
    }

    /// The version that apt would install.
    pub(in crate::setup) fn candidate(&self, package: &str) -> Result<Option<String>> {
        let policy = process::output(self.apt("apt-cache").args(["policy", package]))?;
        let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        Ok(version.filter(|&version| version != "(none)").map(str::to_owned))
    }

    /// The packages that apt would install in addition to have these packages.
    pub(in crate::setup) fn missing(&self, packages: &[&str]) -> Result<BTreeSet<String>> {
        let mut simulate = self.apt("apt-get");
        simulate.args(["install", "--simulate", "--no-install-recommends", "--yes"]).args(packages);
        let plan = process::output(&mut simulate)?;
        Ok(plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).map(str::to_owned).collect())
    }

    /// The packages that a package needs, directly and indirectly.
    pub(in crate::setup) fn dependencies(&self, package: &str) -> Result<BTreeSet<String>> {
        let tree = process::output(self.apt("apt-cache").args(["depends", "--recurse", "--important", package]))?;
        Ok(tree.split_whitespace().filter(|word| !word.contains(':')).map(str::to_owned).collect())
    }

    /// Downloads and unpacks packages. After that the package lists cannot be used any more.
    pub(in crate::setup) fn unpack(&self, packages: &BTreeSet<String>) -> Result<()> {
        say(&format!("downloading {} packages into {}", packages.len(), self.dir.display()));
        let mut download = self.apt("apt-get");
        download.current_dir(self.dir.join("debs")).arg("download").args(packages);
        process::run_quietly(&mut download, DOWNLOAD_LIMIT)?;
        for deb in entries(&self.dir.join("debs"))? {
            let mut unpack = Command::new("dpkg-deb");
            process::output(unpack.arg("--extract").arg(&deb).arg(self.dir.join("root")))?;
        }
        for dir in ["debs", "lists", "cache"] {
            remove_dir(&self.dir.join(dir))?;
        }
        Ok(())
    }

    /// The folders of shared libraries, one for each machine type Debian knows.
    pub(in crate::setup) fn libraries(&self) -> Result<Vec<PathBuf>> {
        let lib = self.usr().join("lib");
        let names = entries(&lib)?.into_iter().filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
        Ok(names.chain([lib.clone()]).collect())
    }

    /// An apt tool that reads the system's sources but keeps its lists and cache here.
    fn apt(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let option = |name: &str, dir: &str| format!("{name}={}", self.dir.join(dir).display());
        command.arg("-o").arg(option("Dir::State::Lists", "lists"));
        command.arg("-o").arg(option("Dir::Cache", "cache"));
        // As root, apt would download as another user, who cannot write here.
        command.args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]).env("LC_ALL", "C");
        command
    }
}

/// The entries of a folder, in order.
pub(in crate::setup) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
