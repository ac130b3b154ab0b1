//! `cargo xtask tidy`: what no compiler checks. Each rule is a function from a file's text to findings.
//!
//! | module | rule |
//! | --- | --- |
//! | `source` | Rust text, divided into code and strings, without what is compiled only for tests |
//! | `path`, `tree` | the paths that code names, and the modules that they lead to |
//! | `layer` | a layer of core names only those it may know |
//! | `wing` | a wing of the simulator names only those it may know |
//! | `circle` | no file needs itself by way of others |
//! | `word` | words that SQL, or any file, must not hold |
//! | `size`, `folder` | no source file is too long, and no folder too full |
//! | `link` | links and paths of documents lead somewhere |
//! | `command` | commands of documents exist |
//! | `manifest` | what manifests and configuration must say |

mod circle;
mod command;
mod folder;
mod layer;
mod link;
mod manifest;
mod path;
mod size;
mod source;
mod tree;
mod wing;
mod word;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

use xtask::process;
use xtask::project::Project;

/// A violation of a rule in a line of a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, relative to the repository.
    path: String,
    /// Counts from 1; 0 means the file as a whole.
    line: usize,
    /// What is wrong and what to do.
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Every text file of the repository: path and text.
type Files = BTreeMap<String, String>;

/// Applies every rule to every file.
pub(crate) fn run(project: &Project) -> Result<()> {
    let paths = tracked(project)?;
    let files = files(project, &paths);
    let mut findings = Vec::new();
    for (path, text) in &files {
        let mut add = |found: Vec<(usize, String)>| {
            findings.extend(found.into_iter().map(|(line, message)| Finding { path: path.clone(), line, message }));
        };
        add(word::everywhere(path, text));
        add(word::executor(path, text));
        add(size::check(path, text));
        add(manifest::check(path, text));
        if path.starts_with("core/src/") && path.ends_with(".rs") {
            add(layer::check(path, text));
            add(word::sql(path, text));
        }
    }
    findings.extend(link::check(&files, &paths));
    findings.extend(command::check(&files));
    findings.extend(wing::check(&files));
    findings.extend(circle::check(&files));
    findings.extend(folder::check(paths.iter().map(String::as_str)));
    findings.sort();
    findings.iter().for_each(|finding| println!("{finding}"));
    println!("{} files; {}", files.len(), size::summary(&files));
    if findings.is_empty() { Ok(()) } else { bail!("{} findings of tidy, each with what to do above", findings.len()) }
}

/// What git tracks or would track.
fn tracked(project: &Project) -> Result<Vec<String>> {
    let mut git = project.command("git");
    let list = process::output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let paths = list.split('\0').filter(|path| !path.is_empty() && project.path(path).is_file());
    // A file that is gone but still in git's index has nothing to check.
    Ok(paths.map(str::to_owned).collect())
}

/// The files that are text.
fn files(project: &Project, paths: &[String]) -> Files {
    paths.iter().filter_map(|path| Some((path.clone(), std::fs::read_to_string(project.path(path)).ok()?))).collect()
}
