//! Tokens: made, and read.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tailrace_core::edge::{Claims, Scope, StreamPattern, mint, verify};
use tailrace_core::protocol::path::DEFAULT_PROJECT;
use tailrace_core::protocol::project::ROOT_PROJECT;

use crate::keys::{Keys, ROOT, Source, VARIABLE};
use crate::lifetime::{Lifetime, said};
use crate::moment::{now_s, written};

/// Bytes of a token that are read, at most: more than the Worker takes.
const READ_LIMIT: u64 = 1 << 13;

/// For how long it is waited for a new key, in s: several times as long as one takes at most.
const LONGEST_WAIT_S: u64 = 900;

/// What is done with tokens.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a token, signed by the first key, and prints it
    Mint {
        /// What it may do: read, write (which reads, too) or manage
        #[arg(long, required_unless_present = "root")]
        scope: Option<String>,
        /// For which project, where there are several
        #[arg(long, value_name = "NAME", default_value = DEFAULT_PROJECT)]
        project: String,
        /// Makes one of the operator of all projects, who creates and removes them
        #[arg(long, conflicts_with_all = ["scope", "stream", "project"])]
        root: bool,
        /// For which streams: a path, or all below one (chat/*); all, unless you say it
        #[arg(long, value_name = "PATH")]
        stream: Option<String>,
        /// How long it lasts: 90s, 30m, 1h, 7d
        #[arg(long, default_value = "1h")]
        expires: Lifetime,
        #[command(flatten)]
        keys: Source,
    },
    /// Reads a token on standard input, and prints what it says, and whether the keys at hand have signed it
    Show {
        #[command(flatten)]
        keys: Source,
    },
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Mint { scope, project, root, stream, expires, keys } => {
            let scope = scope.as_deref().unwrap_or("manage");
            let (project, variable) = if *root { (ROOT_PROJECT, ROOT) } else { (project.as_str(), VARIABLE) };
            let keys = keys.keys(variable)?;
            await_usable(&keys)?;
            let claims = Claims {
                project: project.to_owned(),
                scope: Scope::named(scope).with_context(|| format!("{scope:?} is neither read, write nor manage"))?,
                expires_s: now_s()? + expires.seconds,
                begins_s: None,
                stream: stream.as_deref().map(pattern).transpose()?,
                stream_id: None,
            };
            println!("{}", minted(&keys, &claims)?);
            Ok(())
        }
        Command::Show { keys } => show(keys),
    }
}

/// The token that says so.
pub(crate) fn minted(keys: &Keys, claims: &Claims) -> Result<String> {
    mint(&keys.ring, claims).context("the token is longer than a Worker takes")
}

/// Waits until a new key is accepted everywhere: a token that it signs before may be refused.
pub(crate) fn await_usable(keys: &Keys) -> Result<()> {
    let Some(usable_s) = keys.usable_s else { return Ok(()) };
    let left_s = usable_s.saturating_sub(now_s()?);
    if left_s > LONGEST_WAIT_S {
        bail!("the key signs from {} on, and that is long from now: is the clock right?", written(usable_s));
    }
    if left_s > 0 {
        eprintln!("the key signs from {} on: waiting for {}", written(usable_s), said(left_s));
        std::thread::sleep(Duration::from_secs(left_s));
    }
    Ok(())
}

fn pattern(text: &str) -> Result<StreamPattern> {
    StreamPattern::parse(text).with_context(|| format!("{text:?} is neither a stream's path nor one that ends in /*"))
}

fn show(keys: &Source) -> Result<()> {
    if keys.is_standard_input() {
        bail!("the token is read on standard input; name a file with keys, or set the variable");
    }
    let mut text = String::new();
    std::io::stdin().take(READ_LIMIT).read_to_string(&mut text).context("standard input")?;
    let token = text.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        bail!("a token has three parts, with dots between them");
    };
    let now_s = now_s()?;
    for (name, part) in [("header", header), ("claims", claims)] {
        let said = decoded(part).with_context(|| format!("its {name} are no base64url of JSON"))?;
        println!("{name:<9} {said}");
        if name == "claims" {
            times(&said, now_s);
        }
    }
    let signature = match keys.ring_if_any()? {
        None => "not looked at: there are no keys at hand".to_owned(),
        Some(ring) => match verify(&ring, token, now_s.saturating_mul(1_000)) {
            Ok(_) => "right, and it is its time".to_owned(),
            Err(refusal) => format!("{}: {}", refusal.code.name(), refusal.message),
        },
    };
    println!("{:<9} {signature}", "signature");
    Ok(())
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Prints when it begins and ends, as people read it.
fn times(claims: &Value, now_s: u64) {
    for (claim, name) in [("nbf", "begins"), ("exp", "expires")] {
        let Some(at_s) = claims[claim].as_u64() else { continue };
        let at = written(at_s);
        let when = match at_s.checked_sub(now_s) {
            Some(left_s) => format!("in {}", said(left_s)),
            None => format!("{} ago", said(now_s - at_s)),
        };
        println!("{name:<9} {at}, {when}");
    }
}
