//! The Worker's build: cargo, wasm-bindgen, wasm-opt, and our JavaScript copied beside their output. The result is a
//! folder of modules that wrangler bundles and that workerd loads as it is.
//!
//! | module | noun |
//! | --- | --- |
//! | `feature` | the features of WebAssembly that the module may use |

mod feature;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::process;
use crate::project::{Project, create_dir, remove_dir, say, write};
use crate::setup::node::Node;
use crate::setup::rust::{WASM_TARGET, WasmRust};

/// The crate.
pub const PACKAGE: &str = "tailrace-workers";
/// The program that runs wasm-bindgen.
const BINDGEN: &str = "tailrace-bindgen";
/// The packages that only development runs, grouped by their dependencies.
pub const TOOLS: [&[&str]; 2] = [&["xtask", "tailrace-real"], &[BINDGEN]];
/// Where our own JavaScript is.
const JAVASCRIPT: &str = "platform/workers/js";
/// The module that the runtime starts.
pub const ENTRY: &str = "entry.mjs";
/// A variable that tells `cargo xtask worker` that whoever has started wrangler has built what it needs.
pub const IS_BUILT: &str = "TAILRACE_WORKER_IS_BUILT";
/// The version of this build; it must change whenever this file makes another output from the same input.
const RECIPE: u32 = 4;

/// Which Worker is built.
#[derive(Clone, Copy)]
pub enum Variant {
    /// What is served, measured and deployed.
    Plain,
    /// With the feature `faults`, only for tests: a request may ask for a panic.
    Faults,
    /// Quickly built and less optimised, only for development.
    Development,
}

impl Variant {
    /// Its folder in `.tailrace/`.
    fn folder(self) -> &'static str {
        match self {
            Self::Plain => "worker",
            Self::Faults => "worker-faults",
            Self::Development => "worker-dev",
        }
    }

    /// Cargo's profile, which is also the name of cargo's folder for it.
    fn profile(self) -> &'static str {
        match self {
            Self::Plain | Self::Faults => "worker",
            Self::Development => "worker-dev",
        }
    }

    /// The features of the crate, as arguments of cargo.
    pub fn features(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Development => &[],
            Self::Faults => &["--features", "faults"],
        }
    }
}

/// A built Worker.
pub struct Worker {
    /// The folder of its modules.
    pub dir: PathBuf,
}

impl Worker {
    /// Its wasm module.
    pub fn wasm(&self) -> PathBuf {
        self.dir.join("index_bg.wasm")
    }
}

/// Builds the Worker into `.tailrace/worker`. The same build is tested, measured and deployed.
pub fn build(project: &Project, rust: &WasmRust, node: &Node) -> Result<Worker> {
    build_variant(project, rust, node, Variant::Plain)
}

/// Builds the Worker for development, which is quick and needs no Node.
pub fn build_for_development(project: &Project, rust: &WasmRust) -> Result<Worker> {
    build_and(project, rust, Variant::Development, |_| Ok(()))
}

/// Builds a variant of the Worker into a folder of its own.
pub fn build_variant(project: &Project, rust: &WasmRust, node: &Node, variant: Variant) -> Result<Worker> {
    build_and(project, rust, variant, |worker| {
        optimise(project, node, worker)?;
        compile(project, node, worker)
    })
}

fn build_and(
    project: &Project,
    rust: &WasmRust,
    variant: Variant,
    finish: impl FnOnce(&Worker) -> Result<()>,
) -> Result<Worker> {
    let _lock = project.lock("build")?;
    say(&format!("building the Worker into .tailrace/{}", variant.folder()));
    let mut cargo = rust.cargo(project);
    let target_dir = rust.target_dir(project)?;
    cargo.args(["build", "--package", PACKAGE, "--profile", variant.profile(), "--target", WASM_TARGET]);
    cargo.args(variant.features()).arg("--target-dir").arg(&target_dir);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_registry(env::var_os("CARGO_HOME"), env::var_os("HOME")));
    // The two builds run at the same time: neither needs the other, and each alone leaves a core idle most of the time.
    let mut bindgen = project.cargo();
    bindgen.args(["build", "--quiet", "--package", BINDGEN]);
    let (built, ready) = thread::scope(|scope| {
        let ready = scope.spawn(|| process::run(&mut bindgen));
        (process::run(&mut cargo), ready.join())
    });
    built.context("the Worker does not build: the compiler's message above says where")?;
    ready.map_err(|_| anyhow!("the thread that builds {BINDGEN} has panicked"))??;
    let library = format!("{}.wasm", PACKAGE.replace('-', "_"));
    let input = target_dir.join(WASM_TARGET).join(variant.profile()).join(library);
    let worker = Worker { dir: project.generated(variant.folder()) };
    let stamp = stamp(&input)?;
    let stamp_file = project.generated(&format!("{}.stamp", variant.folder()));
    if !worker.wasm().is_file() || fs::read_to_string(&stamp_file).unwrap_or_default() != stamp {
        // The stamp is removed first, so that an interrupted run does not look complete.
        let _ = fs::remove_file(&stamp_file);
        remove_dir(&worker.dir)?;
        create_dir(&worker.dir)?;
        feature::check(&fs::read(&input).with_context(|| format!("cannot read {}", input.display()))?)?;
        bind(project, &input, &worker)?;
        finish(&worker)?;
        write(&stamp_file, stamp)?;
    }
    copy_javascript(project, &worker)?;
    Ok(worker)
}

/// The flag by which panics name sources of packages without the folder that this machine has them in: the module would
/// tell of it, and have another size on each machine.
fn without_registry(cargo_home: Option<OsString>, home: Option<OsString>) -> OsString {
    let cargo_home = cargo_home.map(PathBuf::from).or_else(|| home.map(|home| Path::new(&home).join(".cargo")));
    let mut flag = OsString::new();
    if let Some(cargo_home) = cargo_home {
        flag.push("--remap-path-prefix=");
        flag.push(cargo_home.join("registry/src/"));
        flag.push("=");
    }
    flag
}

/// Identifies an input by its contents. Its time of change would not do, as all variants are built into the same file.
fn stamp(input: &Path) -> Result<String> {
    let bytes = fs::read(input).with_context(|| {
        format!("cargo has built no {}: does platform/workers have crate-type cdylib?", input.display())
    })?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!("recipe {RECIPE}\n{}\n{:016x}\n", bytes.len(), hasher.finish()))
}

/// Writes `index.js` and `index_bg.wasm`.
fn bind(project: &Project, input: &Path, worker: &Worker) -> Result<()> {
    let mut bindgen = project.cargo();
    bindgen.args(["run", "--quiet", "--package", BINDGEN, "--"]).arg(input).arg(&worker.dir);
    process::run(&mut bindgen)
}

/// Runs wasm-opt, from npm's binaryen. It may use the features of `feature::ALLOWED`, and refuses a module that uses
/// more. By default it would also write encodings that no engine had a year ago.
fn optimise(project: &Project, node: &Node, worker: &Worker) -> Result<()> {
    let (from, to) = (worker.wasm(), worker.dir.join("optimised.wasm"));
    let mut command = node.command(project, node.script("binaryen/bin/wasm-opt"))?;
    command
        .args(["-O3", "--strip-producers", "--strip-target-features", "--mvp-features"])
        .args(feature::ALLOWED.iter().map(|feature| feature.option));
    process::output(command.arg("--output").arg(&to).arg(&from))?;
    fs::rename(&to, &from).with_context(|| format!("cannot replace {}", from.display()))
}

/// Checks that an engine compiles the module: the V8 of the Node that is there.
fn compile(project: &Project, node: &Node, worker: &Worker) -> Result<()> {
    let mut command = node.command(project, "--eval")?;
    command.arg("new WebAssembly.Module(require('node:fs').readFileSync(process.argv[1]))").arg(worker.wasm());
    process::output(&mut command).map(|_| ()).context("Node's V8 does not take the built module")
}

fn copy_javascript(project: &Project, worker: &Worker) -> Result<()> {
    let dir = project.path(JAVASCRIPT);
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|extension| extension == "mjs")) {
            write(&worker.dir.join(name), fs::read(&path)?)?;
        }
    }
    if !worker.dir.join(ENTRY).is_file() {
        bail!("{JAVASCRIPT}/{ENTRY} is missing: the runtime starts the Worker there");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_packages_are_named_without_the_folder_of_this_machine() {
        let check = |cargo_home: Option<&str>, home: Option<&str>, expected: &str| {
            let flag = without_registry(cargo_home.map(OsString::from), home.map(OsString::from));
            assert_eq!(flag, expected, "{cargo_home:?} {home:?}");
        };
        check(Some("/c d"), Some("/h"), "--remap-path-prefix=/c d/registry/src/=");
        check(None, Some("/h"), "--remap-path-prefix=/h/.cargo/registry/src/=");
        check(None, None, "");
    }
}
