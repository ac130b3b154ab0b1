//! Where the keys of a deployment are read from.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tailrace_core::edge::KeyRing;

/// The variable that has the keys, as the Worker has it, and the one that has those of the operator of several projects.
pub(crate) const VARIABLE: &str = "TAILRACE_KEYS";
pub(crate) const ROOT: &str = "TAILRACE_ROOT_KEY";

/// What is added to the name of the variable of a new key: from when on it signs, in s since the Unix epoch.
const USABLE_AT: &str = "_USABLE_AT";

/// Bytes of a file with keys that are read, at most.
const READ_LIMIT: u64 = 1 << 16;

/// Where the keys are.
#[derive(clap::Args)]
pub(crate) struct Source {
    /// A file with a line `TAILRACE_KEYS=...`, or `TAILRACE_ROOT_KEY=...` for what the operator of several projects does, as
    /// `key new` writes it, or - for standard input; without it the variable of that name of the environment is taken
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// Keys, and when the first one signs.
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    /// In s since the Unix epoch; `None` for one that does already.
    pub(crate) usable_s: Option<u64>,
}

/// A file with a key that signs from then on, in s since the Unix epoch.
pub(crate) fn file_of(id: &str, secret: &str, usable_s: u64) -> String {
    format!("{VARIABLE}={id}:{secret}\n{VARIABLE}{USABLE_AT}={usable_s}\n")
}

impl Source {
    /// The keys of that variable.
    pub(crate) fn keys(&self, variable: &str) -> Result<Keys> {
        self.first_of(&[variable]).map(|(_, keys)| keys)
    }

    /// The keys of the first of these variables that there is, and which one that is.
    pub(crate) fn first_of<'a>(&self, variables: &[&'a str]) -> Result<(&'a str, Keys)> {
        let text = self.text()?;
        let found = variables.iter().find_map(|variable| Some((*variable, self.value_of(text.as_deref(), variable)?)));
        let names = variables.join(" or ");
        let (variable, keys) = found.with_context(|| match &self.keys {
            Some(file) => format!("{} has no line {names}=...", file.display()),
            None => format!("there are no keys: name a file with --keys FILE, or set {names} in the environment"),
        })?;
        let usable_at = format!("{variable}{USABLE_AT}");
        let usable_s = self.value_of(text.as_deref(), &usable_at);
        let usable_s =
            usable_s.map(|text| text.parse()).transpose().with_context(|| format!("{usable_at} is no time"))?;
        Ok((variable, Keys { ring: KeyRing::parse_secret(variable, &keys).map_err(anyhow::Error::msg)?, usable_s }))
    }

    /// The keys, if there are any.
    pub(crate) fn ring_if_any(&self) -> Result<Option<KeyRing>> {
        if self.keys.is_none() && std::env::var(VARIABLE).is_err() {
            return Ok(None);
        }
        self.keys(VARIABLE).map(|keys| Some(keys.ring))
    }

    /// Whether they come on standard input.
    pub(crate) fn is_standard_input(&self) -> bool {
        self.keys.as_deref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// The file, if one is named.
    fn text(&self) -> Result<Option<String>> {
        let Some(file) = &self.keys else { return Ok(None) };
        let mut text = String::new();
        match self.is_standard_input() {
            true => std::io::stdin().take(READ_LIMIT).read_to_string(&mut text),
            false => File::open(file).and_then(|opened| opened.take(READ_LIMIT).read_to_string(&mut text)),
        }
        .with_context(|| file.display().to_string())?;
        Ok(Some(text))
    }

    /// The value of a variable: in the file, or in the environment where no file is named.
    fn value_of(&self, text: Option<&str>, variable: &str) -> Option<String> {
        match text {
            Some(text) => text.lines().find_map(|line| value(line, variable)).map(str::to_owned),
            None => std::env::var(variable).ok(),
        }
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
