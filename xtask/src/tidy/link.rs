//! Links of documents: a relative one leads to a file of the repository, an anchor to a heading of it. Code that is a
//! path from the root of the repository leads to a file, too.

use std::collections::BTreeMap;

use super::{Files, Finding};

/// Checks every document against the paths of all files, also of those that are no text.
pub(super) fn check(files: &Files, tracked: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(text) {
            if let Some(message) = problem(files, tracked, path, &target) {
                findings.push(Finding { path: path.clone(), line, message });
            }
        }
        for (line, named) in paths(tracked, text).filter(|(_, named)| !is_there(tracked, named)) {
            let message = format!("`{named}` is not in the repository");
            findings.push(Finding { path: path.clone(), line, message });
        }
    }
    findings
}

/// What is wrong with a link in this file, if anything.
fn problem(files: &Files, tracked: &[String], path: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
    if !is_there(tracked, &file) {
        return Some(format!("`{target}` leads to no file: {file} is not in the repository"));
    }
    let known = |text: &String| anchors(text).iter().any(|known| known == anchor);
    if !anchor.is_empty() && file.ends_with(".md") && !files.get(&file).is_some_and(known) {
        return Some(format!("`{target}` leads to no heading of {file}"));
    }
    None
}

/// Whether there is a file, or a folder, of this path.
fn is_there(tracked: &[String], path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    tracked.iter().any(|other| other == path || other.starts_with(&folder))
}

/// Code in lines that is the path of a file below a folder at the root, each with its line. A name in capitals stands
/// for any file, and so does a star.
fn paths<'a>(tracked: &'a [String], text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let code = (1..)
        .zip(text.lines())
        .flat_map(|(line, text)| text.split('`').skip(1).step_by(2).map(move |code| (line, code)));
    code.filter(|(_, code)| {
        let Some((root, rest)) = code.split_once('/') else { return false };
        let is_root = tracked.iter().any(|path| path.starts_with(&format!("{root}/")));
        let is_path = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "/._-".contains(letter);
        is_root && !rest.is_empty() && code.chars().all(is_path)
    })
}

/// A path relative to the folder of a file.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The targets of `[text](target)` and `[name]: target`, each with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, text) in prose(text) {
        let mut rest = text.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            links.push((line, target.trim_matches(['<', '>']).to_owned()));
        }
        let reference = text.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        links.extend(reference.map(|(_, target)| (line, target.trim().to_owned())));
    }
    links
}

/// The lines outside of code blocks, without inline code.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside: String = line.split('`').step_by(2).collect();
            lines.push((index + 1, outside));
        }
    }
    lines
}

/// The anchors of a document's headings, made as forges make them.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut times = BTreeMap::<String, u32>::new();
    let mut anchors = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let slug = kept.collect::<String>().replace(' ', "-");
        let count = times.entry(slug.clone()).or_default();
        anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(readme: &str, count: usize) {
        let document = "# The title\n## A `b`, c!\n## Twice\n## Twice\n```\n# no heading\n```\n";
        let files = [("README.md", readme), ("docs/a.md", document), ("core/src/lib.rs", "")];
        let mut tracked = files.map(|(path, _)| path.to_owned()).to_vec();
        tracked.push("fuzz/corpus/bytes".to_owned());
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let found = check(&files, &tracked);
        assert_eq!(found.len(), count, "{readme}: {found:?}");
    }

    #[test]
    fn a_link_that_leads_somewhere_is_fine() {
        finds("[a](docs/a.md) [b](./docs/a.md#a-b-c \"title\") [c](docs/a.md#twice-1) [d](core/src/)", 0);
        finds("# Here\n[a](#here) [b](https://example.com/x) [c](mailto:a@example.com)", 0);
        finds("```\n[a](nowhere.md)\n```\n`[a](nowhere.md)`", 0);
        finds("[a]: docs/a.md", 0);
    }

    #[test]
    fn a_path_in_code_is_of_a_file_or_folder() {
        finds("`core/src/lib.rs`, `core/src/`, `docs/a.md`, `fuzz/corpus/bytes`", 0);
        finds("`tests/NAME.txt`, `core/*.rs`, `a/b`, `core/`, `core::x`, `core/src/lib.rs is`", 0);
        finds("`core/src/edge.rs` and `docs/b.md`", 2);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        finds("[a](docs/b.md)", 1);
        finds("[a](docs/a.md#no-heading) [b](#gone)", 2);
        finds("[a]: ../outside.md", 1);
    }
}
