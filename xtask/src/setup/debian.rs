//! The last resort: compiler, cargo, std source and linker that belong together, from the machine's own Debian
//! archive, unpacked under `.tailrace/rust`. Neither root nor a change of the system is needed: package lists and
//! cache are private, packages are downloaded and unpacked, never installed. Debian may have no std for wasm, so it
//! is built from source.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::rust::{WASM_TARGET, WasmRust};
use crate::process;
use crate::project::{Project, create_dir, read, remove_dir, say, write};

/// The variable by which cargo learns of the target's linker.
pub(super) const LINKER_VARIABLE: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// Some 250 MB come over the network.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);
/// Building std takes a minute on two cores.
const STD_LIMIT: Duration = Duration::from_secs(900);
/// Compiler, cargo and std source as Debian calls them: the release's own, and the newer one kept for browsers.
const FAMILIES: [[&str; 3]; 2] = [["rustc", "cargo", "rust-src"], ["rustc-web", "cargo-web", "rust-web-src"]];

/// Where everything of this compiler is.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn of(project: &Project) -> Self {
        Self { dir: project.generated("rust") }
    }

    /// The unpacked packages' `/usr`.
    fn usr(&self) -> PathBuf {
        self.dir.join("root/usr")
    }

    /// An apt tool that reads the system's sources but keeps its lists and cache here.
    fn apt(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let option = |name: &str, dir: &str| format!("{name}={}", self.dir.join(dir).display());
        command.arg("-o").arg(option("Dir::State::Lists", "lists"));
        command.arg("-o").arg(option("Dir::Cache", "cache"));
        // As root, apt would download as another user, who cannot write here.
        command.args(["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]).env("LC_ALL", "C");
        command
    }

    /// The compiler in what is unpacked.
    fn rust(&self) -> Result<WasmRust> {
        let bin = self.usr().join("bin");
        let linker = newest(&bin, "wasm-ld")?;
        let join = |dirs: Vec<PathBuf>, variable: &str| -> Result<OsString> {
            let old = std::env::var_os(variable).unwrap_or_default();
            let old = std::env::split_paths(&old).filter(|dir| !dir.as_os_str().is_empty());
            std::env::join_paths(dirs.into_iter().chain(old)).with_context(|| format!("cannot extend {variable}"))
        };
        let environment = vec![
            ("PATH".to_owned(), join(vec![bin.clone()], "PATH")?),
            ("LD_LIBRARY_PATH".to_owned(), join(self.libraries()?, "LD_LIBRARY_PATH")?),
            ("RUSTC".to_owned(), bin.join("rustc").into()),
            (LINKER_VARIABLE.to_owned(), linker.into()),
        ];
        Ok(WasmRust::elsewhere(bin.join("cargo"), environment))
    }

    /// The folders of shared libraries, one for each machine type Debian knows.
    fn libraries(&self) -> Result<Vec<PathBuf>> {
        let lib = self.usr().join("lib");
        let names = entries(&lib)?.into_iter().filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
        Ok(names.chain([lib.clone()]).collect())
    }
}

/// The compiler of an earlier run, if it still links.
pub(super) fn unpacked(project: &Project) -> Result<Option<WasmRust>> {
    let place = Place::of(project);
    if !place.dir.join("ready").is_file() {
        return Ok(None);
    }
    let rust = place.rust()?;
    Ok(rust.links(&project.generated("probe"))?.then_some(rust))
}

/// Downloads, unpacks, builds std, and proves that it links.
pub(super) fn set_up(project: &Project) -> Result<WasmRust> {
    if process::output(Command::new("apt-get").arg("--version")).is_err() {
        bail!("this machine has no apt-get");
    }
    let place = Place::of(project);
    remove_dir(&place.dir)?;
    for dir in ["lists/partial", "cache/archives/partial", "debs", "root"] {
        create_dir(&place.dir.join(dir))?;
    }
    say("reading the package lists of this machine's Debian archive");
    process::run_quietly(place.apt("apt-get").arg("update"), DOWNLOAD_LIMIT)
        .context("cannot read the package lists: can this machine reach the archives of /etc/apt?")?;
    let packages = packages(&place)?;
    say(&format!("downloading {} packages into {}", packages.len(), place.dir.display()));
    let mut download = place.apt("apt-get");
    download.current_dir(place.dir.join("debs")).arg("download").args(&packages);
    process::run_quietly(&mut download, DOWNLOAD_LIMIT)?;
    for deb in entries(&place.dir.join("debs"))? {
        let mut unpack = Command::new("dpkg-deb");
        process::output(unpack.arg("--extract").arg(&deb).arg(place.dir.join("root")))?;
    }
    for dir in ["debs", "lists", "cache"] {
        remove_dir(&place.dir.join(dir))?;
    }
    let rust = place.rust()?;
    require_new_enough(project, &rust)?;
    if !rust.links(&project.generated("probe"))? {
        build_std(project, &place, &rust)?;
        if !rust.links(&project.generated("probe"))? {
            bail!("Debian's compiler does not link for {WASM_TARGET}, though its std was built");
        }
    }
    write(&place.dir.join("ready"), "")?;
    Ok(rust)
}

/// What must be unpacked: what apt would newly install for the newest compiler, the compiler itself in case the
/// system has it already, and the linker of the LLVM it uses.
fn packages(place: &Place) -> Result<BTreeSet<String>> {
    let mut best: Option<(String, [&str; 3])> = None;
    for family in FAMILIES {
        if let Some(version) = candidate(place, family[0])?
            && best.as_ref().is_none_or(|(other, _)| is_newer(&version, other))
        {
            best = Some((version, family));
        }
    }
    let Some((version, family)) = best else { bail!("the archive has no Rust compiler") };
    say(&format!("found {} {version}", family[0]));
    let mut simulate = place.apt("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends", "--yes"]).args(family);
    let plan = process::output(&mut simulate)?;
    let planned = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let mut names: BTreeSet<String> = planned.map(str::to_owned).collect();
    names.extend(family.map(str::to_owned));
    let tree = process::output(place.apt("apt-cache").args(["depends", "--recurse", "--important", family[0]]))?;
    let ours = |name: &str| ["libstd-rust", "libllvm"].iter().any(|start| name.starts_with(start));
    names.extend(tree.split_whitespace().filter(|name| ours(name) && !name.contains(':')).map(str::to_owned));
    let llvm = names.iter().filter_map(|name| name.strip_prefix("libllvm")?.parse::<u32>().ok()).max();
    let linkers = llvm.into_iter().map(|major| format!("lld-{major}")).chain(["lld".to_owned()]);
    for name in linkers {
        if candidate(place, &name)?.is_some() {
            names.insert(name);
            return Ok(names);
        }
    }
    bail!("the archive has no lld, which links for wasm")
}

fn candidate(place: &Place, package: &str) -> Result<Option<String>> {
    let policy = process::output(place.apt("apt-cache").args(["policy", package]))?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    Ok(version.filter(|&version| version != "(none)").map(str::to_owned))
}

fn is_newer(version: &str, other: &str) -> bool {
    let mut compare = Command::new("dpkg");
    process::output(compare.args(["--compare-versions", version, "gt", other])).is_ok()
}

/// The workspace says which compiler is the oldest that builds it.
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
fn build_std(project: &Project, place: &Place, rust: &WasmRust) -> Result<()> {
    say("building std for wasm from source (a minute or two, once)");
    // Cargo looks for std's source in one place, and Debian keeps it in another.
    let source = place.usr().join("lib/rustlib/src/rust");
    remove_dir(&source)?;
    create_dir(&source)?;
    copy(&std_source(place)?, &source.join("library"))?;
    let scratch = place.dir.join("std");
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
    let destination = place.usr().join("lib/rustlib").join(WASM_TARGET).join("lib");
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
fn std_source(place: &Place) -> Result<PathBuf> {
    let versions = entries(&place.usr().join("src"))?;
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

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Copies a file or a folder, following links: those of an unpacked package point to where it is not installed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    process::output(Command::new("cp").args(["--recursive", "--dereference"]).arg(from).arg(to)).map(|_| ())
}
