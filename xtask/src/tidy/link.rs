//! Links of documents: a relative one leads to a file of the repository, an anchor to a heading of it.

use std::collections::BTreeMap;

use super::{Files, Finding};

/// Checks every document.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(text) {
            if let Some(message) = problem(files, path, &target) {
                findings.push(Finding { path: path.clone(), line, message });
            }
        }
    }
    findings
}

/// What is wrong with a link in this file, if anything.
fn problem(files: &Files, path: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
    let folder = format!("{file}/");
    if !files.contains_key(&file) && !files.keys().any(|other| other.starts_with(&folder)) {
        return Some(format!("`{target}` leads to no file: {file} is not in the repository"));
    }
    let known = |text: &String| anchors(text).iter().any(|known| known == anchor);
    if !anchor.is_empty() && file.ends_with(".md") && !files.get(&file).is_some_and(known) {
        return Some(format!("`{target}` leads to no heading of {file}"));
    }
    None
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
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let found = check(&files);
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
    fn a_link_that_leads_nowhere_is_found() {
        finds("[a](docs/b.md)", 1);
        finds("[a](docs/a.md#no-heading) [b](#gone)", 2);
        finds("[a]: ../outside.md", 1);
    }
}
