//! What manifests and configuration must say.

/// The table of a workspace that holds the versions.
const WORKSPACE_TABLE: &str = "[workspace.dependencies]";

/// What decides who may do what. A file that is committed must say none of it.
const ACCESS: [&str; 3] = ["TAILRACE_KEYS", "TAILRACE_ROOT_KEY", "TAILRACE_NO_AUTH"];

/// Checks a file of configuration. A `Cargo.toml` may be that of a workspace and of a crate.
pub(super) fn check(path: &str, text: &str) -> Vec<(usize, String)> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut findings = if name == "Cargo.toml" { [workspace(text), member(text)].concat() } else { Vec::new() };
    let is_configuration = [".toml", ".json", ".jsonc", ".env"].iter().any(|end| name.ends_with(end));
    if is_configuration || [".env.", ".dev.vars"].iter().any(|start| name.starts_with(start)) {
        findings.extend(access(text));
    }
    findings
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

/// Keys are secrets, and only development goes without: neither is deployed from a file that is committed.
fn access(text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        for name in ACCESS.iter().filter(|name| line.contains(**name)) {
            findings.push((
                index + 1,
                format!("`{name}` must not be here: it would be deployed, and everybody could read it"),
            ));
        }
    }
    findings
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
    fn who_may_do_what_is_never_committed() {
        finds("wrangler.toml", "# TAILRACE_NO_AUTH must not be here\nname = \"a\"\n", &[]);
        finds("wrangler.toml", "[vars]\nTAILRACE_NO_AUTH = \"1\"\n", &[2]);
        finds("wrangler.toml", "vars = { TAILRACE_KEYS = \"a:b\", TAILRACE_ROOT_KEY = \"c\" }", &[1, 1]);
        finds("deploy/wrangler.jsonc", "{\n// TAILRACE_KEYS\n  \"vars\": { \"TAILRACE_KEYS\": \"a:b\" }\n}", &[3]);
        for path in ["config/a.toml", "package.json", ".env", "a/.dev.vars", "a/.env.staging", "staging.env"] {
            finds(path, "\n  TAILRACE_KEYS = a:b", &[2]);
        }
        finds("docs/security.md", "TAILRACE_KEYS=a:b", &[]);
        finds("tests/a.mjs", "const TAILRACE_NO_AUTH = 1", &[]);
    }
}
