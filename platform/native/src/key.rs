//! New keys.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tailrace_core::edge::KeyRing;

use crate::keys::{ROOT, VARIABLE};
use crate::secret_file::SecretFile;

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
    SecretFile::new(out)?.write(&format!("{variable}={key}\n"))?;
    println!("the key {id} is in {}", out.display());
    Ok(())
}

/// So many random bytes, in base64url.
fn random<const N: usize>() -> Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the machine has no random bytes")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
