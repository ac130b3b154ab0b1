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
    /// The value of `Authorization` that it wants, if it wants one.
    pub(super) bearer: Option<&'static str>,
}

impl Subject {
    /// The header fields of a request: these, and the token.
    pub(super) fn fields<'a>(&self, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        fields.iter().copied().chain(self.bearer.map(|bearer| ("authorization", bearer))).collect()
    }
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

/// The key of a server that is measured with tokens, and a token of it that lasts until 2100. It opens nothing but that.
const KEYS: &str = "bench:a2V5IG9mIHRoZSBiZW5jaG1hcmssIDMyIGJ5dGVzLi4u";
const BEARER: &str = "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6ImJlbmNoIn0.\
                                 eyJzdWIiOiJfZGVmYXVsdCIsInNjb3BlIjoid3JpdGUiLCJleHAiOjQxMDI0NDQ4MDB9.\
                                 OTEYTzfsSzNE425-ezQF_gSAZ4N0BC0dNuejgeCtXfc";

/// Starts our Worker twice: open to everybody, and with a key. If a folder is given, their data is kept there.
pub(super) fn start_open_and_keyed(
    project: &Project,
    toolchain: Choice,
    state_dir: Option<&Path>,
) -> Result<[Subject; 2]> {
    let Built { node, worker } = &Built::new(project, toolchain, Variant::Plain)?;
    let start = |name: &str, log: &str, bindings: &[(&str, &str)], bearer| -> Result<Subject> {
        let options = workerd::Options { name: log, bindings, ..workerd::Options::of(worker) };
        let options = workerd::Options { state: state(state_dir, log), has_cache: false, ..options };
        Ok(Subject { name: name.to_owned(), server: Workerd::start(project, node, &options)?, bearer })
    };
    Ok([
        start("no-auth", "bench-no-auth", &[("TAILRACE_NO_AUTH", "1")], None)?,
        start("tokens", "bench-tokens", &[("TAILRACE_KEYS", KEYS)], Some(BEARER))?,
    ])
}

/// The folder of a server's data below that one.
fn state(dir: Option<&Path>, name: &str) -> Option<PathBuf> {
    dir.map(|dir| dir.join(format!("{name}-{}", std::process::id())))
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
    let start = |name: &str, options: workerd::Options| -> Result<Subject> {
        // The CPU time of a cache would be counted: it is in the runtime's process.
        let options = workerd::Options { state: state(state_dir, options.name), has_cache: false, ..options };
        Ok(Subject { name: name.to_owned(), server: Workerd::start(project, node, &options)?, bearer: None })
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
