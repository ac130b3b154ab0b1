//! The verbs of `tests/real`. It is a program of its own, so that `cargo xtask dev` need not wait until it is compiled.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::process;
use xtask::project::Project;
use xtask::setup::rust::Choice;

/// The crate.
const PACKAGE: &str = "tailrace-real";

/// Runs a verb as a step of the test.
pub(crate) fn run(project: &Project, toolchain: Choice, verb: &str) -> Result<()> {
    process::run_ours(&mut command(project, toolchain, verb))
}

/// Replaces this process by one that runs a verb.
pub(crate) fn become_verb(project: &Project, toolchain: Choice, verb: &str, arguments: &[OsString]) -> Result<()> {
    // `exec` returns only if it fails.
    Err(command(project, toolchain, verb).args(arguments).exec()).context("cannot start cargo")
}

fn command(project: &Project, toolchain: Choice, verb: &str) -> Command {
    let mut cargo = project.cargo();
    cargo.args(["run", "--quiet", "--package", PACKAGE, "--", "--toolchain", toolchain.name(), verb]);
    cargo
}
