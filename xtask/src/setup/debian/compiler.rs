//! The last resort for a compiler: rustc, cargo, the source of std and a linker of one version, from the machine's own
//! Debian archive, unpacked under `.tailrace/rust`. Debian may have no std for wasm, so std is built from source.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::archive::{Archive, entries};
use crate::process;
use crate::project::{Project, create_dir, read, remove_dir, say, write};
use crate::setup::rust::{WASM_TARGET, WasmRust};

/// The variable by which cargo learns of the target's linker.
pub(in crate::setup) const LINKER_VARIABLE: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// How long building std may take: it takes a minute on two cores.
const STD_LIMIT: Duration = Duration::from_secs(900);
/// Compiler, cargo and std source as Debian calls them: the release's own, and the newer one kept for browsers.
const FAMILIES: [[&str; 3]; 2] = [["rustc", "cargo", "rust-src"], ["rustc-web", "cargo-web", "rust-web-src"]];

/// The folder in which this compiler is unpacked.
fn archive(project: &Project) -> Archive {
    Archive::at(project.generated("rust"))
}

/// The compiler in what is unpacked.
fn compiler(archive: &Archive) -> Result<WasmRust> {
    let bin = archive.usr().join("bin");
    let linker = newest(&bin, "wasm-ld")?;
    let join = |dirs: Vec<PathBuf>, variable: &str| -> Result<OsString> {
        let old = std::env::var_os(variable).unwrap_or_default();
        let old = std::env::split_paths(&old).filter(|dir| !dir.as_os_str().is_empty());
        std::env::join_paths(dirs.into_iter().chain(old)).with_context(|| format!("cannot extend {variable}"))
    };
    let environment = vec![
        ("PATH".to_owned(), join(vec![bin.clone()], "PATH")?),
        ("LD_LIBRARY_PATH".to_owned(), join(archive.libraries()?, "LD_LIBRARY_PATH")?),
        ("RUSTC".to_owned(), bin.join("rustc").into()),
        (LINKER_VARIABLE.to_owned(), linker.into()),
    ];
    Ok(WasmRust::elsewhere(bin.join("cargo"), environment))
}

/// The compiler of an earlier run, if it still links.
pub(in crate::setup) fn unpacked(project: &Project) -> Result<Option<WasmRust>> {
    let archive = archive(project);
    if !archive.is_ready() {
        return Ok(None);
    }
    let rust = compiler(&archive)?;
    Ok(rust.links(&project.generated("probe"))?.then_some(rust))
}

/// Downloads, unpacks, builds std, and proves that it links.
pub(in crate::setup) fn set_up(project: &Project) -> Result<WasmRust> {
    let archive = archive(project);
    archive.open()?;
    let packages = packages(&archive)?;
    archive.unpack(&packages)?;
    let rust = compiler(&archive)?;
    require_new_enough(project, &rust)?;
    if !rust.links(&project.generated("probe"))? {
        build_std(project, &archive, &rust)?;
        if !rust.links(&project.generated("probe"))? {
            bail!("Debian's compiler does not link for {WASM_TARGET}, though its std was built");
        }
    }
    archive.set_ready()?;
    Ok(rust)
}

/// What must be unpacked: what apt would newly install for the newest compiler, the compiler itself in case the
/// system has it already, and the linker of the LLVM it uses.
fn packages(archive: &Archive) -> Result<BTreeSet<String>> {
    let mut best: Option<(String, [&str; 3])> = None;
    for family in FAMILIES {
        if let Some(version) = archive.candidate(family[0])?
            && best.as_ref().is_none_or(|(other, _)| is_newer(&version, other))
        {
            best = Some((version, family));
        }
    }
    let Some((version, family)) = best else { bail!("the archive has no Rust compiler") };
    say(&format!("found {} {version}", family[0]));
    let mut names = archive.missing(&family)?;
    names.extend(family.map(str::to_owned));
    let ours = |name: &str| ["libstd-rust", "libllvm"].iter().any(|start| name.starts_with(start));
    names.extend(archive.dependencies(family[0])?.into_iter().filter(|name| ours(name)));
    let llvm = names.iter().filter_map(|name| name.strip_prefix("libllvm")?.parse::<u32>().ok()).max();
    let linkers = llvm.into_iter().map(|major| format!("lld-{major}")).chain(["lld".to_owned()]);
    for name in linkers {
        if archive.candidate(&name)?.is_some() {
            names.insert(name);
            return Ok(names);
        }
    }
    bail!("the archive has no lld, which links for wasm")
}

fn is_newer(version: &str, other: &str) -> bool {
    let mut compare = Command::new("dpkg");
    process::output(compare.args(["--compare-versions", version, "gt", other])).is_ok()
}

/// Fails if the compiler is older than the workspace requires.
fn require_new_enough(project: &Project, rust: &WasmRust) -> Result<()> {
    let manifest = read(&project.path("Cargo.toml"))?;
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let oldest = oldest.context("Cargo.toml has no rust-version")?.trim_matches('"');
    let release = release(rust)?;
    let numbers = |text: &str| -> Vec<u32> { text.split('.').map_while(|part| part.parse().ok()).collect() };
    if numbers(&release) < numbers(oldest) {
        bail!("the archive's compiler is {release}, but this workspace needs {oldest}");
    }
    Ok(())
}

fn release(rust: &WasmRust) -> Result<String> {
    let verbose = process::output(rust.rustc().arg("-vV"))?;
    let release = verbose.lines().find_map(|line| line.strip_prefix("release: "));
    Ok(release.context("`rustc -vV` names no release")?.to_owned())
}

/// Builds std for wasm and puts it where the compiler looks for it.
fn build_std(project: &Project, archive: &Archive, rust: &WasmRust) -> Result<()> {
    say("building std for wasm from source (a minute or two, once)");
    // Cargo looks for std's source in one place, and Debian keeps it in another.
    let source = archive.usr().join("lib/rustlib/src/rust");
    remove_dir(&source)?;
    create_dir(&source)?;
    copy(&std_source(archive)?, &source.join("library"))?;
    let scratch = archive.dir().join("std");
    create_dir(&scratch.join("src"))?;
    write(
        &scratch.join("Cargo.toml"),
        "[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [profile.release]\ndebug = false\ncodegen-units = 1\n",
    )?;
    write(&scratch.join("src/lib.rs"), "")?;
    let mut cargo = rust.cargo(project);
    cargo.current_dir(&scratch).env("CARGO_TARGET_DIR", scratch.join("target")).env("RUSTC_BOOTSTRAP", "1");
    // Bitcode lets the Worker's link-time optimisation reach into std; the other flag is how std itself is built.
    cargo.env("RUSTFLAGS", "-Cembed-bitcode=yes -Zforce-unstable-if-unmarked");
    cargo.args(["build", "--release", "--target", WASM_TARGET, "-Zbuild-std=std,panic_abort,proc_macro,test"]);
    process::run_quietly(&mut cargo, STD_LIMIT)?;
    let destination = archive.usr().join("lib/rustlib").join(WASM_TARGET).join("lib");
    create_dir(&destination)?;
    for path in entries(&scratch.join("target").join(WASM_TARGET).join("release/deps"))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libstub-") {
            copy(&path, &destination.join(name))?;
        }
    }
    remove_dir(&scratch)
}

/// `library/` of the source package, under a folder named after the release.
fn std_source(archive: &Archive) -> Result<PathBuf> {
    let versions = entries(&archive.usr().join("src"))?;
    let library = versions.into_iter().map(|dir| dir.join("library")).find(|dir| dir.join("std/Cargo.toml").is_file());
    library.context("the source package holds no library/std")
}

/// The program of that name, or of that name and the highest number.
fn newest(bin: &Path, name: &str) -> Result<PathBuf> {
    let number = |path: &PathBuf| -> Option<u32> {
        match path.file_name()?.to_str()?.strip_prefix(name)? {
            "" => Some(u32::MAX),
            rest => rest.strip_prefix('-')?.parse().ok(),
        }
    };
    let found = entries(bin)?.into_iter().filter_map(|path| Some((number(&path)?, path))).max();
    Ok(found.with_context(|| format!("no {name} among the unpacked programs"))?.1)
}

/// Copies a file or a folder, following links: those of an unpacked package point to where it is not installed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    process::output(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(to)).map(|_| ())
}
