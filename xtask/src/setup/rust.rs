//! A compiler that builds and links for wasm: the one of `rust-toolchain.toml`, which rustup installs with the target;
//! the same after `rustup target add`, if rustup is configured not to install the target by itself; or Debian's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::debian::compiler as debian;
use crate::process;
use crate::project::{Project, create_dir, say, write};

/// The Worker's target.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// How long `rustup target add` may take: it downloads 20 MB, and without a network it may wait for ever.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);
/// A library that uses std and is a cdylib: compiling it shows that std and the linker work too.
const PROBE: &str =
    "#[unsafe(no_mangle)] pub extern \"C\" fn probe(n: u32) -> usize { vec![1_u8; n as usize].len() }\n";

/// Which compiler the developer asks for.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// The first that works.
    Auto,
    /// The one in use, after `rustup target add` if need be.
    Rustup,
    /// The one of the machine's own Debian archive.
    Debian,
}

impl Choice {
    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        }
    }
}

/// A compiler that is known to build and link for wasm.
pub struct WasmRust {
    /// Environment variables that make cargo use it; empty for the compiler in use.
    environment: Vec<(String, OsString)>,
    /// Its cargo; `None` for the cargo in use.
    cargo: Option<PathBuf>,
}

impl WasmRust {
    /// The compiler that runs this program.
    fn in_use() -> Self {
        Self { environment: Vec::new(), cargo: None }
    }

    /// A compiler outside of PATH.
    pub(super) fn elsewhere(cargo: PathBuf, environment: Vec<(String, OsString)>) -> Self {
        Self { environment, cargo: Some(cargo) }
    }

    /// The compiler itself.
    pub(super) fn rustc(&self) -> Command {
        let mut rustc = Command::new(
            self.variable("RUSTC").or_else(|| std::env::var_os("RUSTC")).unwrap_or_else(|| "rustc".into()),
        );
        rustc.envs(self.environment.iter().cloned());
        rustc
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// Its cargo, in the repository's root.
    pub fn cargo(&self, project: &Project) -> Command {
        let mut cargo = project.cargo();
        if let Some(own) = &self.cargo {
            cargo = project.command(own);
            // These variables, set by rustup and the outer cargo, name the other compiler.
            for name in ["RUSTFLAGS", "CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
                cargo.env_remove(name);
            }
        }
        cargo.envs(self.environment.iter().cloned());
        cargo
    }

    /// Where this compiler's cargo puts what it builds. Two compilers in one folder would rebuild all each time.
    pub fn target_dir(&self, project: &Project) -> Result<PathBuf> {
        let shared = project.target_dir()?;
        Ok(if self.cargo.is_some() { shared.join("debian") } else { shared })
    }

    /// Whether it is the compiler in use, whose clippy then knows the target too.
    pub fn is_in_use(&self) -> bool {
        self.cargo.is_none()
    }

    /// Compiles and links a library of one function.
    pub(super) fn links(&self, scratch: &Path) -> Result<bool> {
        create_dir(scratch)?;
        let source = scratch.join("probe.rs");
        write(&source, PROBE)?;
        let mut rustc = self.rustc();
        rustc.args(["--edition=2024", "--crate-type=cdylib", "--target", WASM_TARGET, "-o"]);
        rustc.arg(scratch.join("probe.wasm")).arg(&source);
        if let Some(linker) = self.variable(debian::LINKER_VARIABLE) {
            let mut option = OsString::from("-Clinker=");
            option.push(linker);
            rustc.arg(option);
        }
        Ok(process::output(&mut rustc).is_ok())
    }
}

/// Finds a compiler for wasm, setting one up if there is none.
pub fn ensure(project: &Project, choice: Choice) -> Result<WasmRust> {
    let _lock = project.lock("setup-rust")?;
    let scratch = project.generated("probe");
    if choice != Choice::Debian {
        let in_use = WasmRust::in_use();
        if in_use.links(&scratch)? {
            return Ok(in_use);
        }
    }
    // If an earlier run has set up Debian's compiler, it had tried rustup before.
    if choice != Choice::Rustup
        && let Some(debian) = debian::unpacked(project)?
    {
        return Ok(debian);
    }
    let mut reasons = Vec::new();
    if choice != Choice::Debian {
        match add_with_rustup(project, &scratch) {
            Ok(rust) => return Ok(rust),
            Err(error) => reasons.push(format!("rustup: {error:#}")),
        }
    }
    if choice != Choice::Rustup {
        match debian::set_up(project) {
            Ok(rust) => return Ok(rust),
            Err(error) => reasons.push(format!("Debian archive: {error:#}")),
        }
    }
    bail!(
        "no compiler builds for {WASM_TARGET}. Install the target by `rustup target add {WASM_TARGET}` (or your \
         system's package of it), then run this again.\n  - {}",
        reasons.join("\n  - ")
    )
}

fn add_with_rustup(project: &Project, scratch: &Path) -> Result<WasmRust> {
    say(&format!("adding the target {WASM_TARGET} with rustup"));
    let mut rustup = project.command("rustup");
    process::run_quietly(rustup.args(["target", "add", WASM_TARGET]), RUSTUP_LIMIT)?;
    let rust = WasmRust::in_use();
    if rust.links(scratch).context("after `rustup target add`")? {
        return Ok(rust);
    }
    bail!("the target was added, but `rustc` still cannot link for it: is another rustc first in PATH?")
}
