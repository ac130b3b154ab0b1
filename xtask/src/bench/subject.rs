//! A server to be measured: ours, or the trivial Worker that it is compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::{Project, create_dir, write};
use crate::setup::rust::Choice;
use crate::workerd::{self, Workerd};
use crate::{setup, worker};

/// A running server and what it is called in tables.
pub(super) struct Subject {
    /// The name.
    pub(super) name: &'static str,
    /// The server.
    pub(super) server: Workerd,
}

/// The trivial Worker of a comparison.
pub(super) struct Trivial {
    /// Its source.
    pub(super) source: &'static str,
    /// The class of its objects.
    pub(super) class: &'static str,
}

/// Starts both, the trivial one first. Their data is kept in a folder, if one is given.
pub(super) fn start_both(
    project: &Project,
    toolchain: Choice,
    trivial: &Trivial,
    state_dir: Option<&Path>,
) -> Result<[Subject; 2]> {
    let node = setup::node::ensure(project)?;
    let rust = setup::rust::ensure(project, toolchain)?;
    let ours = worker::build(project, &rust, &node)?;
    let modules = project.generated("trivial").join(trivial.class);
    create_dir(&modules)?;
    write(&modules.join(worker::ENTRY), std::fs::read(project.path(trivial.source)).context(trivial.source)?)?;

    let state =
        |name: &str| -> Option<PathBuf> { state_dir.map(|dir| dir.join(format!("{name}-{}", std::process::id()))) };
    let trivial = workerd::Options {
        name: "bench-trivial",
        modules: &modules,
        class: trivial.class,
        bindings: &[],
        state: state("trivial"),
    };
    let ours = workerd::Options {
        name: "bench-tailrace",
        bindings: &[("TAILRACE_NO_AUTH", "1")],
        state: state("tailrace"),
        ..workerd::Options::of(&ours)
    };
    Ok([
        Subject { name: "trivial", server: Workerd::start(project, &node, &trivial)? },
        Subject { name: "tailrace", server: Workerd::start(project, &node, &ours)? },
    ])
}
