//! What manifests and configuration must say.

/// The table of a workspace that holds the versions.
const WORKSPACE_TABLE: &str = "[workspace.dependencies]";

/// Checks a `Cargo.toml` or `wrangler.toml`. A manifest may be that of a workspace and of a crate.
pub(super) fn check(path: &str, text: &str) -> Vec<(usize, String)> {
    match path.rsplit('/').next() {
        Some("Cargo.toml") => [workspace(text), member(text)].concat(),
        Some("wrangler.toml") => wrangler(text),
        _ => Vec::new(),
    }
}

/// Every dependency has an exact version, and a comment above it or above its group that says what it is for.
fn workspace(text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    let (mut inside, mut explained) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.starts_with('[') {
            inside = line == WORKSPACE_TABLE;
            continue;
        }
        // A heading only divides the table, and explains no dependency.
        if !inside || line.trim().is_empty() || line.starts_with("# --") {
            explained = false;
            continue;
        }
        if line.starts_with('#') {
            explained = true;
            continue;
        }
        let Some((name, value)) = line.split_once(" = ") else { continue };
        if value.contains("path = ") {
            continue;
        }
        if !explained {
            findings.push((number, format!("`{name}` needs a comment above it that says what it is for")));
        }
        let exact = value.starts_with("\"=") || value.contains("version = \"=");
        if !exact {
            findings.push((number, format!("`{name}` needs an exact version, as in \"=1.2.3\"")));
        }
    }
    findings
}

/// Every crate has the workspace's lints, and its dependencies from the workspace's table.
fn member(text: &str) -> Vec<(usize, String)> {
    if !text.contains("[package]") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !text.contains("[lints]\nworkspace = true") {
        findings.push((0, "the crate needs `[lints]` with `workspace = true`".to_owned()));
    }
    let mut dependencies = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            dependencies = line != WORKSPACE_TABLE && line.trim_end_matches(']').ends_with("dependencies");
        } else if dependencies && line.contains('=') && !line.starts_with('#') && !line.contains("workspace = true") {
            findings.push((index + 1, "a version belongs in the table of the workspace's Cargo.toml".to_owned()));
        }
    }
    findings
}

/// Variables that only development may set are not deployed.
fn wrangler(text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().enumerate();
    let set = lines.filter(|(_, line)| !line.starts_with('#') && line.contains("TAILRACE_NO_AUTH"));
    set.map(|(index, _)| (index + 1, "TAILRACE_NO_AUTH would be deployed: only development sets it".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(path: &str, text: &str, lines: &[usize]) {
        let found = check(path, text);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{found:?}");
    }

    #[test]
    fn dependencies_are_explained_and_exact() {
        let table =
            "[workspace.dependencies]\nown = { path = \"own\" }\n# -- core\n# For x.\na = \"=1.0.0\"\nb = \"=2.0.0\"\n";
        finds("Cargo.toml", table, &[]);
        finds("Cargo.toml", "[workspace.dependencies]\n# -- core\na = \"=1.0.0\"\n", &[3]);
        finds("Cargo.toml", "[workspace.dependencies]\n# For x.\na = { version = \"1.0\" }\n\nb = \"=1.0.0\"", &[3, 5]);
        finds("Cargo.toml", "[profile.dev]\nopt-level = 1\n", &[]);
    }

    #[test]
    fn crates_take_lints_and_versions_from_the_workspace() {
        let lints = "[lints]\nworkspace = true\n";
        finds("core/Cargo.toml", &format!("[package]\n{lints}[dependencies]\na.workspace = true\n"), &[]);
        finds("core/Cargo.toml", "[package]\nname = \"a\"\n", &[0]);
        finds("core/Cargo.toml", &format!("[package]\n{lints}[dev-dependencies]\na = \"1\"\n"), &[5]);
        finds("fuzz/Cargo.toml", "[workspace]\n", &[]);
        let own =
            format!("[workspace.dependencies]\n# For x.\na = \"1\"\n[package]\n{lints}[dependencies]\nb = \"=1\"");
        finds("fuzz/Cargo.toml", &own, &[3, 8]);
    }

    #[test]
    fn no_auth_is_never_deployed() {
        finds("wrangler.toml", "# TAILRACE_NO_AUTH must not be here\nname = \"a\"\n", &[]);
        finds("wrangler.toml", "[vars]\nTAILRACE_NO_AUTH = \"1\"\n", &[2]);
    }
}
