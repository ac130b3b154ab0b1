//! `cargo xtask build`: the Worker as it is deployed, and a rehearsal of the deployment.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use xtask::project::{Project, remove_dir, say};
use xtask::setup::node::Node;
use xtask::setup::rust::Choice;
use xtask::worker::Worker;
use xtask::{process, setup, worker};

/// Builds for release, rehearses the deployment, prints the sizes.
pub(crate) fn run(project: &Project, toolchain: Choice) -> Result<()> {
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    let worker = worker::build(project, &rust, &node)?;
    rehearse(project, &node, &worker)
}

/// Rehearses the deployment of a built Worker, and prints the sizes.
pub(crate) fn rehearse(project: &Project, node: &Node, worker: &Worker) -> Result<()> {
    let bundle = project.generated("bundle");
    dry_run(project, node, &bundle)?;
    println!("{:<12}{:>9} {:>9}", "module", "bytes", "gzipped");
    let row = |name: &str, path: &Path| -> Result<()> {
        println!("{name:<12}{:>9} {:>9}", size(path)?, gzipped(path)?);
        Ok(())
    };
    row("wasm", &worker.wasm())?;
    for entry in fs::read_dir(&bundle).with_context(|| format!("cannot list {}", bundle.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            row("javascript", &path)?;
        }
    }
    Ok(())
}

/// Runs `wrangler deploy --dry-run`. Even a warning is an error, since it is about our configuration.
fn dry_run(project: &Project, node: &Node, bundle: &Path) -> Result<()> {
    say("rehearsing the deployment");
    remove_dir(bundle)?;
    let mut wrangler = node.command(project, node.script("wrangler/bin/wrangler.js"))?;
    wrangler.args(["deploy", "--dry-run", "--outdir"]).arg(bundle);
    let both = process::output_and_errors(&mut wrangler).context("wrangler would not deploy this Worker")?;
    if let Some(warning) = warning(&both) {
        bail!("wrangler warns: {warning}\nits whole output:\n{both}");
    }
    Ok(())
}

/// The first line in which wrangler complains.
fn warning(printed: &str) -> Option<&str> {
    printed.lines().find(|line| line.contains("[WARNING]") || line.contains("[ERROR]"))
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("no {}", path.display()))?.len())
}

/// The size of a file as the platform counts it: compressed with gzip, in bytes.
fn gzipped(path: &Path) -> Result<usize> {
    let mut gzip = Command::new("gzip");
    gzip.args(["--best", "--stdout"]).arg(path).stdout(Stdio::piped());
    let mut child = process::Group::spawn(&mut gzip)?;
    let mut bytes = Vec::new();
    child.stdout().context("gzip has no stdout")?.read_to_end(&mut bytes)?;
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_of_wrangler_is_found() {
        let check = |printed, expected| assert_eq!(warning(printed), expected);
        check("⛅️ wrangler 4\nTotal Upload: 1 KiB\n--dry-run: exiting now.\n", None);
        check("a\n▲ [WARNING] Unexpected fields found\nb", Some("▲ [WARNING] Unexpected fields found"));
    }
}
