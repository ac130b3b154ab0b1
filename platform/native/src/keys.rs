//! Where the keys of a deployment are read from.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tailrace_core::edge::KeyRing;

/// The variable that has the keys, as the Worker has it, and the one that has those of the operator of several projects.
pub(crate) const VARIABLE: &str = "TAILRACE_KEYS";
pub(crate) const ROOT: &str = "TAILRACE_ROOT_KEY";

/// Bytes of a file with keys that are read, at most.
const READ_LIMIT: u64 = 1 << 16;

/// Where the keys are.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// A file with a line `TAILRACE_KEYS=...`, as `key new` writes it, or - for standard input; without it the variable
    /// TAILRACE_KEYS of the environment is taken. With --root it is TAILRACE_ROOT_KEY
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl Source {
    /// The keys of that variable.
    pub(crate) fn ring(&self, variable: &str) -> Result<KeyRing> {
        let text = self.text(variable)?.with_context(|| {
            format!("there are no keys: name a file with --keys FILE, or set {variable} in the environment")
        })?;
        KeyRing::parse_secret(variable, &text).map_err(anyhow::Error::msg)
    }

    /// The keys, if there are any.
    pub(crate) fn ring_if_any(&self) -> Result<Option<KeyRing>> {
        self.text(VARIABLE)?.map(|text| KeyRing::parse(&text).map_err(anyhow::Error::msg)).transpose()
    }

    /// Whether they come on standard input.
    pub(crate) fn is_standard_input(&self) -> bool {
        self.keys.as_deref().is_some_and(|file| file.as_os_str() == "-")
    }

    fn text(&self, variable: &str) -> Result<Option<String>> {
        let Some(file) = &self.keys else {
            return Ok(std::env::var(variable).ok());
        };
        let mut text = String::new();
        match self.is_standard_input() {
            true => std::io::stdin().take(READ_LIMIT).read_to_string(&mut text),
            false => std::fs::File::open(file).and_then(|opened| opened.take(READ_LIMIT).read_to_string(&mut text)),
        }
        .with_context(|| file.display().to_string())?;
        let line = text.lines().find_map(|line| value(line, variable));
        line.map(|keys| Some(keys.to_owned())).with_context(|| format!("{} has no line {variable}=...", file.display()))
    }
}

/// The value of the variable, if a line of an environment file sets it, quoted or not.
fn value<'a>(line: &'a str, variable: &str) -> Option<&'a str> {
    let line = line.trim();
    let value = line.strip_prefix("export ").unwrap_or(line).trim_start().strip_prefix(variable)?;
    let value = value.trim_start().strip_prefix('=')?.trim();
    let unquoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    Some(unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_environment_file_is_read_however_it_is_written() {
        for (line, expected) in [
            ("TAILRACE_KEYS=a:b", Some("a:b")),
            ("  TAILRACE_KEYS = a:b ", Some("a:b")),
            ("export TAILRACE_KEYS=\"a:b\"", Some("a:b")),
            ("TAILRACE_KEYS='a:b'", Some("a:b")),
            ("TAILRACE_KEYS=\"a:b'", Some("\"a:b'")),
            ("TAILRACE_KEYS=", Some("")),
            ("TAILRACE_KEYS", None),
            ("TAILRACE_KEYS_OLD=a:b", None),
            ("# TAILRACE_KEYS=a:b", None),
            ("OTHER=TAILRACE_KEYS=a:b", None),
        ] {
            assert_eq!(value(line, VARIABLE), expected, "{line}");
        }
    }
}
