//! New keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tailrace_core::edge::KeyRing;

use crate::keys::{ROOT, VARIABLE};

/// Bytes of a new key: as many as the hash of its signatures has.
const BYTES: usize = 32;

/// What is done with keys.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a key, and writes it into a new file that only you can read, as `TAILRACE_KEYS=...`, or as
    /// `TAILRACE_ROOT_KEY=...`
    New {
        /// The file; there is none yet. In a git repository it has to be ignored
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// By what name tokens refer to it: 1 to 32 of A-Z a-z 0-9 _ -; random, unless you say it
        #[arg(long)]
        id: Option<String>,
        /// Makes a key of the operator of a deployment with several projects
        #[arg(long)]
        root: bool,
    },
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<()> {
    let Command::New { out, id, root } = command;
    let variable = if *root { ROOT } else { VARIABLE };
    let id = match id {
        Some(id) => id.clone(),
        None => random::<6>()?.trim_start_matches('-').to_owned(),
    };
    let key = format!("{id}:{}", random::<BYTES>()?);
    KeyRing::parse(&key).map_err(anyhow::Error::msg)?;
    if is_shared(out)? {
        bail!("git would take {} along: have it ignored first", out.display());
    }
    write_new(out, &format!("{variable}={key}\n"))?;
    println!("the key {id} is in {}", out.display());
    Ok(())
}

/// So many random bytes, in base64url.
fn random<const N: usize>() -> Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the machine has no random bytes")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
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

/// Writes a file that was not there, which nobody else may read.
fn write_new(file: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file).with_context(|| file.display().to_string())?;
    opened.write_all(text.as_bytes()).with_context(|| file.display().to_string())
}
