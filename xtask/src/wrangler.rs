//! Wrangler as a program that is judged: what it complains of, and what of the machine must not change what it does.

use std::process::Command;

/// Where wrangler finds a proxy. It warns of one, and nothing that it does here goes through one.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Takes from the command what this machine has set for other deployments: accounts, names, proxies.
pub fn isolate(command: &mut Command) {
    let own: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_wranglers = ["CLOUDFLARE_", "CF_", "WRANGLER_"].iter().any(|start| text.starts_with(start));
        if (is_wranglers || PROXIES.contains(&&*text)) && !own.contains(&name) {
            command.env_remove(&name);
        }
    }
}

/// The first line in which wrangler warns or tells an error. It colours both, into a file too.
pub fn complaint(printed: &str) -> Option<String> {
    let plain = without_colours(printed);
    plain.lines().find(|line| line.contains("[WARNING]") || line.contains("[ERROR]")).map(str::to_owned)
}

/// A text without the sequences that colour it: ESC, `[`, numbers, a letter.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(
            part.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).get(1..).unwrap_or_default(),
        );
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrangler_complains_of_is_found_however_it_is_coloured() {
        let check = |printed, expected: Option<&str>| assert_eq!(complaint(printed).as_deref(), expected);
        check("⛅️ wrangler 4\nTotal Upload: 1 KiB\n--dry-run: exiting now.\n", None);
        check("a\n▲ [WARNING] Unexpected fields found\nb", Some("▲ [WARNING] Unexpected fields found"));
        check("\x1b[33m▲ \x1b[43;33m[\x1b[43;30mWARNING\x1b[43;33m]\x1b[0m \x1b[1mA\x1b[0m", Some("▲ [WARNING] A"));
        check("a\n\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mB\x1b[0m\n", Some("✘ [ERROR] B"));
        check("\x1b[34m[custom build]\x1b[39m warning\x1b[", None);
    }

    #[test]
    fn a_command_keeps_what_it_was_given_itself() {
        let mut command = Command::new("wrangler");
        command.env("CLOUDFLARE_API_TOKEN", "own");
        isolate(&mut command);
        let kept = command.get_envs().find(|(name, _)| *name == "CLOUDFLARE_API_TOKEN");
        assert_eq!(kept.and_then(|(_, value)| value), Some("own".as_ref()));
    }
}
