//! The copy of the repository in which mutants are built. It stays between runs, and with it what cargo has built.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use xtask::process;
use xtask::project::{Project, create_dir, read, write};

/// What a verdict depends on, as paths of git.
const JUDGED: &[&str] = &["core", "sim", "platform/sqlite", "tests/scenarios", "Cargo.toml", "Cargo.lock"];

/// The commit that is changed, with a plus if there are changes that it does not have.
pub(super) fn commit(project: &Project) -> Result<String> {
    let commit = process::output(project.command("git").args(["rev-parse", "--short=10", "HEAD"]))?;
    let changes = process::output(project.command("git").args(["status", "--porcelain", "--"]).args(JUDGED))?;
    Ok(format!("{}{}", commit.trim(), if changes.is_empty() { "" } else { "+" }))
}

/// The copy.
pub(super) struct Tree {
    root: PathBuf,
    files: BTreeSet<PathBuf>,
    /// The files that are changed now, and their own texts.
    changed: RefCell<BTreeMap<PathBuf, String>>,
}

impl Tree {
    /// Copies every file of the repository as it is now. One that is the same is not written, so that cargo need not
    /// compile it again.
    pub(super) fn copy(project: &Project) -> Result<Self> {
        let root = project.generated("mutation/tree");
        create_dir(&root)?;
        let listed = process::output(project.command("git").args(["ls-files", "-z"]))?;
        let names = listed.split('\0').filter(|name| !name.is_empty() && project.path(name).is_file());
        let mut files = BTreeSet::new();
        for name in names {
            let (from, to) = (project.path(name), root.join(name));
            let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
            if fs::read(&to).ok().as_deref() != Some(bytes.as_slice()) {
                create_dir(to.parent().unwrap_or(&root))?;
                write(&to, bytes)?;
            }
            files.insert(to);
        }
        let tree = Self { root, files, changed: RefCell::default() };
        tree.tidy()?;
        Ok(tree)
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file as it is in the repository.
    pub(super) fn original(&self, path: &str) -> Result<String> {
        let path = self.root.join(path);
        self.changed.borrow().get(&path).map_or_else(|| read(&path), |text| Ok(text.clone()))
    }

    /// Changes one file.
    pub(super) fn change(&self, path: &str, change: impl FnOnce(&str) -> String) -> Result<()> {
        let text = self.original(path)?;
        let path = self.root.join(path);
        write(&path, change(&text))?;
        self.changed.borrow_mut().insert(path, text);
        Ok(())
    }

    /// Undoes every change.
    pub(super) fn restore(&self) -> Result<()> {
        let changed = self.changed.take();
        changed.into_iter().try_for_each(|(path, text)| write(&path, text))?;
        self.tidy()
    }

    /// Removes what tests have written: proptest keeps inputs that failed, and would try them on
    /// every mutant to come.
    pub(super) fn tidy(&self) -> Result<()> {
        self.remove_others(&self.root)
    }

    fn remove_others(&self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                self.remove_others(&path)?;
            } else if !self.files.contains(&path) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}
