//! Files with keys: new ones, which nobody else may read, and which git does not take along.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

/// A file that was not there. It goes away again unless it is written.
pub(crate) struct SecretFile {
    path: PathBuf,
    opened: File,
    is_written: bool,
}

impl SecretFile {
    /// Makes it, empty, so that what it is for is not lost for want of a place.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        if is_shared(path)? {
            bail!("git would take {} along: have it ignored first", path.display());
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(path).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), opened, is_written: false })
    }

    /// Writes it.
    pub(crate) fn write(mut self, text: &str) -> Result<()> {
        self.opened.write_all(text.as_bytes()).with_context(|| self.path.display().to_string())?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.is_written {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether the file would be in a git repository, and not be ignored there. Without git there is none.
fn is_shared(file: &Path) -> Result<bool> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = file.file_name().context("a file has a name")?;
    let mut git = std::process::Command::new("git");
    git.current_dir(folder).args(["check-ignore", "--quiet", "--"]).arg(name);
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // 0: ignored; 1: not; 128: no repository.
    Ok(git.status().is_ok_and(|status| status.code() == Some(1)))
}
