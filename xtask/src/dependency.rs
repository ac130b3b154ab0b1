//! The step `dependencies` of the test: every crate that is compiled in has a licence that is compatible with ours, and
//! none is compiled in two versions unless the table below says why.
//!
//! `cargo metadata` tells both. Advisories are not checked: their database is in no registry of packages.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xtask::process;
use xtask::project::Project;
use xtask::setup::rust::WASM_TARGET;

/// Licences that ask for no more than to be named, as SPDX calls them.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    // Of data: the certificates of the public authorities, for the operator's tool.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that are compiled in several versions: in how many, and which dependency needs the other ones.
const DUPLICATES: &[(&str, usize, &str)] = &[
    ("base64", 2, "wasm-bindgen-cli-support"),
    ("getrandom", 3, "rand_core and ahash, of madsim"),
    ("hashbrown", 2, "wasmparser, of wasm-bindgen-cli-support"),
    ("rand", 2, "madsim"),
    ("rand_chacha", 2, "rand, of madsim"),
    ("rand_core", 2, "rand, of madsim"),
    ("strsim", 2, "darling, of madsim-macros"),
    ("syn", 3, "procedural macros: madsim-macros has 1, others 2"),
    ("toml_datetime", 2, "toml, of madsim"),
    ("winnow", 2, "toml, of madsim"),
];

/// A crate that is compiled in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The licence expression of its manifest.
    license: String,
}

/// Checks the crates that are compiled for this machine and for the Worker.
pub(crate) fn run(project: &Project) -> Result<()> {
    let verbose = process::output(project.command("rustc").arg("-vV"))?;
    let host = verbose.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    let mut packages = BTreeSet::new();
    for target in [host, WASM_TARGET] {
        let mut metadata = project.cargo();
        metadata.args(["metadata", "--format-version=1", "--locked", "--filter-platform", target]);
        packages.extend(resolved(&process::output(&mut metadata)?)?);
    }
    let problems = problems(&packages);
    problems.iter().for_each(|problem| println!("{problem}"));
    println!("{} crates", packages.len());
    if problems.is_empty() { Ok(()) } else { bail!("{} problems with dependencies", problems.len()) }
}

/// The crates of `cargo metadata` that are compiled for the platform it was asked for.
fn resolved(metadata: &str) -> Result<Vec<Package>> {
    let json: Value = serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
    let nodes = json["resolve"]["nodes"].as_array().context("`cargo metadata` resolved nothing")?;
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = json["packages"].as_array().context("`cargo metadata` names no packages")?;
    let used = packages.iter().filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id)));
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    Ok(used
        .map(|package| Package {
            name: text(package, "name"),
            version: text(package, "version"),
            license: text(package, "license"),
        })
        .collect())
}

fn problems(packages: &BTreeSet<Package>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    for Package { name, version, license } in packages {
        versions.entry(name).or_default().push(version);
        if !is_allowed(license) {
            problems.push(format!("{name} {version}: its licence {license:?} is not in xtask/src/dependency.rs"));
        }
    }
    for (name, versions) in &versions {
        let expected = DUPLICATES.iter().find(|(duplicate, ..)| duplicate == name).map_or(1, |(_, count, _)| *count);
        if versions.len() != expected {
            problems.push(format!(
                "{name}: {} instead of {expected} versions ({}); `cargo tree --invert {name}` tells who wants each, and \
                 the table is in xtask/src/dependency.rs",
                versions.len(),
                versions.join(", ")
            ));
        }
    }
    problems
}

/// Whether one of the alternatives of an SPDX expression asks for allowed licences alone.
fn is_allowed(expression: &str) -> bool {
    let mut words = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    words = words.replace(" WITH ", "\u{1}");
    let words: Vec<String> = words.split_whitespace().map(|word| word.replace('\u{1}', " WITH ")).collect();
    let mut rest = words.as_slice();
    any(&mut rest).unwrap_or(false) && rest.is_empty()
}

/// Reads alternatives (`OR`) as far as they go; `None` if this is no SPDX expression.
fn any(rest: &mut &[String]) -> Option<bool> {
    let mut allowed = all(rest)?;
    while rest.first().is_some_and(|word| word == "OR") {
        *rest = &rest[1..];
        allowed |= all(rest)?;
    }
    Some(allowed)
}

/// Reads licences that apply together (`AND`).
fn all(rest: &mut &[String]) -> Option<bool> {
    let mut allowed = one(rest)?;
    while rest.first().is_some_and(|word| word == "AND") {
        *rest = &rest[1..];
        allowed &= one(rest)?;
    }
    Some(allowed)
}

fn one(rest: &mut &[String]) -> Option<bool> {
    let (word, after) = rest.split_first()?;
    *rest = after;
    if word != "(" {
        return Some(ALLOWED.contains(&word.as_str()));
    }
    let inner = any(rest)?;
    let (close, after) = rest.split_first()?;
    *rest = after;
    (close == ")").then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_of_allowed_licences_is_enough() {
        let check = |expression, expected| assert_eq!(is_allowed(expression), expected, "{expression}");
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0-only OR MIT", true);
        check("GPL-3.0-only", false);
        check("MIT AND GPL-3.0-only", false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("(GPL-3.0-only OR MPL-2.0) AND MIT", false);
        check("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true);
        check("", false);
        check("MIT OR", false);
        check("(MIT", false);
        check("MIT MIT", false);
    }

    fn package(name: &str, version: &str, license: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned(), license: license.to_owned() }
    }

    #[test]
    fn a_second_version_has_to_be_explained() {
        let check = |packages: &[(&str, &str)], expected: usize| {
            let packages = packages.iter().map(|(name, version)| package(name, version, "MIT")).collect();
            assert_eq!(problems(&packages).len(), expected, "{packages:?}");
        };
        check(&[("a", "1.0.0"), ("b", "1.0.0")], 0);
        check(&[("a", "1.0.0"), ("a", "2.0.0")], 1);
        check(&[("base64", "1.0.0"), ("base64", "2.0.0")], 0);
        // An explanation that is not needed any more has to be removed.
        check(&[("base64", "1.0.0")], 1);
    }

    #[test]
    fn what_another_platform_needs_is_left_out() {
        let json = r#"{"packages":[{"id":"a 1","name":"a","version":"1.0.0","license":"MIT"},
            {"id":"b 1","name":"b","version":"1.0.0","license":null}],"resolve":{"nodes":[{"id":"a 1"}]}}"#;
        assert_eq!(resolved(json).unwrap(), [package("a", "1.0.0", "MIT")]);
        assert!(resolved("{}").is_err());
    }
}
