//! A browser for the tests: the machine's own Chromium, or the one of its Debian archive, unpacked under
//! `.tailrace/chromium`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian::archive::{Archive, entries};
use crate::process;
use crate::project::{Project, say, write};

/// The names of the program on machines that have it installed.
const INSTALLED: [&str; 2] = ["chromium", "chromium-browser"];
/// Debian's package.
const PACKAGE: &str = "chromium";

/// Finds a Chromium, and unpacks Debian's if the machine has none. Returns the path of the program.
pub fn ensure(project: &Project) -> Result<PathBuf> {
    let _lock = project.lock("setup")?;
    if let Some(program) = INSTALLED.iter().map(Path::new).find(|program| runs(program)) {
        return Ok(program.to_path_buf());
    }
    let archive = Archive::at(project.generated("chromium"));
    let launcher = archive.dir().join("launch");
    if archive.is_ready() && runs(&launcher) {
        return Ok(launcher);
    }
    unpack(&archive, &launcher)
        .with_context(|| format!("there is no {PACKAGE} in PATH: install it, so that a browser can be tested with"))?;
    Ok(launcher)
}

fn runs(program: &Path) -> bool {
    process::output(Command::new(program).arg("--version")).is_ok()
}

fn unpack(archive: &Archive, launcher: &Path) -> Result<()> {
    archive.open()?;
    let packages = archive.missing(&[PACKAGE])?;
    if !packages.contains(PACKAGE) {
        bail!("Debian's {PACKAGE} is installed, but does not run");
    }
    archive.unpack(&packages)?;
    let program = archive.usr().join("lib/chromium/chromium");
    let folders = library_folders(archive)?;
    let folders = std::env::join_paths(&folders).context("a folder of libraries has a colon in its name")?;
    let script = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        folders.to_string_lossy().replace('\'', "'\\''"),
        program.to_string_lossy().replace('\'', "'\\''"),
    );
    write(launcher, script)?;
    make_executable(launcher)?;
    let version = process::output(Command::new(launcher).arg("--version")).context("the unpacked browser")?;
    archive.set_ready()?;
    say(&format!("{} is ready", version.trim()));
    Ok(())
}

/// The folders in which packages keep libraries of their own: those are found by themselves only where a package is
/// installed.
fn library_folders(archive: &Archive) -> Result<BTreeSet<PathBuf>> {
    let mut folders = BTreeSet::new();
    let mut open = archive.libraries()?;
    while let Some(folder) = open.pop() {
        for path in entries(&folder)? {
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if path.to_string_lossy().contains(".so") {
                folders.insert(folder.clone());
            }
        }
    }
    Ok(folders)
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}
