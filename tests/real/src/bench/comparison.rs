//! What our Worker is compared with: a trivial one, or the Worker of another commit.
//!
//! The Worker of another commit is built by that commit's own `cargo xtask build`, in a git worktree under
//! `.tailrace/against/`, with its own Rust, JavaScript, dependencies and flags. Only the runtime that serves it is
//! ours.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xtask::process;
use xtask::project::{Project, create_dir, read, say};
use xtask::setup::node::{self, Packages};
use xtask::worker::{ENTRY, Worker};

/// The folder of the worktrees, one for each commit, and of the target folder that they share.
const FOLDER: &str = "against";
/// The least rounds beside another commit. Fewer would not show a difference of a few per cent, as single rounds differ
/// by more than a tenth.
const LEAST_ROUNDS: usize = 20;
/// The most rounds. With more, the probabilities from which the interval is computed would underflow.
const MOST_ROUNDS: usize = 1_000;

/// Options of every topic.
#[derive(clap::Args)]
pub(super) struct Comparison {
    /// How often each server is measured, in turn; at least, and if nothing is said, 20 with `--against`
    #[arg(long)]
    rounds: Option<usize>,
    /// Measure beside the Worker of this commit, built by its own tools
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
}

/// The built Worker of another commit.
pub(super) struct Other {
    /// The commit, shortened.
    pub(super) name: String,
    /// Its modules.
    pub(super) worker: Worker,
}

impl Comparison {
    /// The number of rounds; `usual` is the topic's number beside a trivial Worker.
    pub(super) fn rounds(&self, usual: usize) -> Result<usize> {
        let least = if self.against.is_some() { LEAST_ROUNDS } else { 1 };
        let rounds = self.rounds.unwrap_or(if self.against.is_some() { LEAST_ROUNDS } else { usual });
        if !(least..=MOST_ROUNDS).contains(&rounds) {
            bail!("--rounds must be from {least} to {MOST_ROUNDS}");
        }
        Ok(rounds)
    }

    /// Builds the Worker of the other commit, if one is named.
    pub(super) fn build(&self, project: &Project) -> Result<Option<Other>> {
        self.against.as_deref().map(|commit| build(project, commit)).transpose()
    }
}

/// Builds the Worker of a commit by its own tools.
pub(super) fn build(project: &Project, commit: &str) -> Result<Other> {
    let _lock = project.lock(FOLDER)?;
    let mut git = project.command("git");
    git.args(["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{commit}}")]);
    let hash = process::output(&mut git).with_context(|| format!("{commit:?} names no commit"))?;
    let name: String = hash.chars().take(12).collect();
    let tree = worktree(project, &name)?;
    share(project, &tree)?;
    say(&format!("building the Worker of {name} by its own tools"));
    let mut cargo = project.cargo();
    cargo.args(["xtask", "build"]).current_dir(&tree).env("PWD", &tree);
    // All commits share one target folder, since most of their dependencies are the same.
    cargo.env("CARGO_TARGET_DIR", project.generated(FOLDER).join("target"));
    process::run(&mut cargo).with_context(|| format!("the Worker of {name} does not build"))?;
    let dir = tree.join(".tailrace/worker");
    if !dir.join(ENTRY).is_file() {
        bail!("`cargo xtask build` of {name} has left no {}", dir.join(ENTRY).display());
    }
    Ok(Other { name, worker: Worker { dir } })
}

/// Checks the commit's files out into a folder of their own.
fn worktree(project: &Project, name: &str) -> Result<PathBuf> {
    let tree = project.generated(FOLDER).join(name);
    // git still lists worktrees that were deleted by hand.
    process::output(project.command("git").args(["worktree", "prune"]))?;
    if !tree.join(".git").exists() {
        create_dir(&project.generated(FOLDER))?;
        let mut git = project.command("git");
        process::output(git.args(["worktree", "add", "--force", "--detach"]).arg(&tree).arg(name))?;
    }
    Ok(tree)
}

/// Links what our set-up has installed into the worktree: Node, a compiler, and the npm packages if it wants no others.
/// The commit's own set-up checks first whether they will do.
fn share(project: &Project, tree: &Path) -> Result<()> {
    create_dir(&tree.join(".tailrace"))?;
    let wanted = |path: PathBuf| node::wanted_packages(&read(&path)?, Packages::All);
    let ours = wanted(project.path("package.json"))?;
    let packages = wanted(tree.join("package.json"))?.iter().all(|package| ours.contains(package));
    let packages = packages.then_some("node_modules");
    for name in [".tailrace/node", ".tailrace/rust"].into_iter().chain(packages) {
        let (ours, theirs) = (project.path(name), tree.join(name));
        if ours.exists() && !theirs.exists() {
            symlink(&ours, &theirs).with_context(|| format!("cannot link {}", theirs.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_commit_takes_twenty_rounds_at_least() {
        let check = |rounds, against: Option<&str>, expected: Option<usize>| {
            let comparison = Comparison { rounds, against: against.map(str::to_owned) };
            assert_eq!(comparison.rounds(5).ok(), expected, "{rounds:?} {against:?}");
        };
        check(None, None, Some(5));
        check(Some(1), None, Some(1));
        check(Some(0), None, None);
        check(None, Some("a"), Some(20));
        check(Some(19), Some("a"), None);
        check(Some(40), Some("a"), Some(40));
        check(Some(1001), Some("a"), None);
    }
}
