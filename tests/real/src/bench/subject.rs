//! A server to be measured: ours, or what it is compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::project::{Project, create_dir, write};
use xtask::setup::rust::Choice;
use xtask::worker::{self, Variant, Worker};

use super::comparison::Comparison;
use crate::Built;
use crate::workerd::{self, Workerd};

/// A running server, and its name in tables.
pub(super) struct Subject {
    /// The name.
    pub(super) name: String,
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

impl Trivial {
    /// The folder of its one module.
    pub(super) fn modules(&self, project: &Project) -> Result<PathBuf> {
        let modules = project.generated("trivial").join(self.class);
        create_dir(&modules)?;
        write(&modules.join(worker::ENTRY), std::fs::read(project.path(self.source)).context(self.source)?)?;
        Ok(modules)
    }
}

/// Starts both servers, ours last. If a folder is given, their data is kept there.
pub(super) fn start_both(
    project: &Project,
    toolchain: Choice,
    trivial: &Trivial,
    comparison: &Comparison,
    state_dir: Option<&Path>,
) -> Result<[Subject; 2]> {
    let Built { node, worker: ours } = &Built::new(project, toolchain, Variant::Plain)?;
    let other = comparison.build(project)?;
    let state =
        |name: &str| -> Option<PathBuf> { state_dir.map(|dir| dir.join(format!("{name}-{}", std::process::id()))) };
    let start = |name: &str, options: workerd::Options| -> Result<Subject> {
        // The CPU time of a cache would be counted: it is in the runtime's process.
        let options = workerd::Options { state: state(options.name), has_cache: false, ..options };
        Ok(Subject { name: name.to_owned(), server: Workerd::start(project, node, &options)? })
    };
    let tailrace = |name: &str, log, worker: &Worker| {
        let bindings = &[("TAILRACE_NO_AUTH", "1")];
        start(name, workerd::Options { name: log, bindings, ..workerd::Options::of(worker) })
    };
    let first = match &other {
        Some(other) => tailrace(&other.name, "bench-other", &other.worker)?,
        None => {
            let modules = trivial.modules(project)?;
            let (name, class) = ("bench-trivial", trivial.class);
            start("trivial", workerd::Options::of_modules(name, &modules, class))?
        }
    };
    Ok([first, tailrace("tailrace", "bench-tailrace", ours)?])
}
