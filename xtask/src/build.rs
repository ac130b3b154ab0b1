//! `cargo xtask build`: the Worker as it is deployed, and a rehearsal of the deployment. `cargo xtask worker` is the part
//! of it that wrangler asks for (`[build]` of `wrangler.toml`), and never calls wrangler itself.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use xtask::project::{Project, remove_dir, say};
use xtask::setup::node::Node;
use xtask::setup::rust::Choice;
use xtask::worker::Worker;
use xtask::{process, setup, worker, wrangler};

/// The most bytes that all modules of the Worker may have together, each compressed with gzip. The platform takes 10 MB
/// (https://developers.cloudflare.com/workers/platform/limits/#worker-size); this is so that it starts quickly, and that
/// growth is noticed.
const LIMIT: usize = 350_000;

/// Builds for release, rehearses the deployment, prints the sizes.
pub(crate) fn run(project: &Project, toolchain: Choice) -> Result<()> {
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    let worker = worker::build(project, &rust, &node)?;
    rehearse(project, &node, &worker)
}

/// Builds for release, unless the verb that has started wrangler has done so.
pub(crate) fn worker(project: &Project, toolchain: Choice) -> Result<()> {
    if std::env::var_os(worker::IS_BUILT).is_some() {
        return Ok(());
    }
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    worker::build(project, &rust, &node).map(|_| ())
}

/// Rehearses the deployment of a built Worker, prints the sizes, and fails if they are too much together.
pub(crate) fn rehearse(project: &Project, node: &Node, worker: &Worker) -> Result<()> {
    let bundle = project.generated("bundle");
    dry_run(project, node, &bundle)?;
    println!("{:<12}{:>9} {:>9}", "module", "bytes", "gzipped");
    let mut total = 0;
    let mut row = |name: &str, path: &Path| -> Result<()> {
        let gzipped = gzipped(path)?;
        total += gzipped;
        println!("{name:<12}{:>9} {gzipped:>9}", size(path)?);
        Ok(())
    };
    row("wasm", &worker.wasm())?;
    for entry in fs::read_dir(&bundle).with_context(|| format!("cannot list {}", bundle.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            row("javascript", &path)?;
        }
    }
    println!("{:<12}{:>9} {total:>9}, of {LIMIT} at the most", "all", "");
    check_size(total)
}

/// Refuses a Worker of so many bytes, compressed, if that is too much.
fn check_size(gzipped: usize) -> Result<()> {
    if gzipped > LIMIT {
        bail!("the Worker has {gzipped} bytes with gzip, of {LIMIT} at the most: see what has made it grow");
    }
    Ok(())
}

/// Runs `wrangler deploy --dry-run`. Even a warning is an error, since it is about our configuration.
fn dry_run(project: &Project, node: &Node, bundle: &Path) -> Result<()> {
    say("rehearsing the deployment");
    remove_dir(bundle)?;
    let mut command = node.command(project, node.script("wrangler/bin/wrangler.js"))?;
    command.args(["deploy", "--dry-run", "--outdir"]).arg(bundle).env(worker::IS_BUILT, "1");
    wrangler::isolate(&mut command);
    let both = process::output_and_errors(&mut command).context("wrangler would not deploy this Worker")?;
    if let Some(warning) = wrangler::complaint(&both) {
        bail!("wrangler warns: {warning}\nits whole output:\n{both}");
    }
    Ok(())
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
    fn a_worker_that_has_grown_too_much_is_refused() {
        assert!(check_size(LIMIT).is_ok());
        let error = check_size(LIMIT + 1).unwrap_err().to_string();
        assert!(error.contains("350001 bytes") && error.contains("350000"), "{error}");
    }
}
