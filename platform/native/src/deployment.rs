//! Requests to a deployment's routes about projects.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tailrace_core::edge::{Claims, Scope};
use tailrace_core::protocol::project::ROOT_PROJECT;
use ureq::Agent;
use ureq::http::{Request, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::keys::{ROOT, Source, VARIABLE};
use crate::moment::now_s;
use crate::token::{await_usable, minted};

/// How long an answer may take, in s. A change is answered within half a minute, be it that KV has not confirmed it.
const PATIENCE_S: u64 = 60;

/// Bytes of an answer that are read, at most. Our choice: a page of projects has 1,000 names of 64 bytes.
const READ_LIMIT: u64 = 1 << 20;

/// How long the token of one request lasts, in s. Our choice: clocks may differ by some minutes.
const TOKEN_S: u64 = 300;

/// Which deployment, and who asks.
#[derive(clap::Args)]
pub(crate) struct Deployment {
    /// The deployment, as https://streams.example.com; http only on this machine
    #[arg(long, value_name = "URL")]
    url: Uri,
    /// A file with the certificates (PEM) of those who are trusted to say whose a server is, in place of the public
    /// authorities: of a proxy on the way that shows its own
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    keys: Source,
}

/// An answer that is no refusal.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// JSON; `null` without a body.
    pub(crate) body: Value,
}

impl Deployment {
    /// Asks, as the operator of all projects if there is a root key, else by a token of the project's own.
    pub(crate) fn ask(&self, method: &str, project: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = self.url_of(path)?;
        let token = self.token(project)?;
        let asked =
            Request::builder().method(method).uri(url.as_str()).header("authorization", format!("Bearer {token}"));
        let agent = self.agent()?;
        let done = match body {
            Some(body) => agent.run(asked.header("content-type", "application/json").body(body.to_string())?),
            None => agent.run(asked.body(())?),
        };
        let mut response = done.with_context(|| url.clone())?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(READ_LIMIT).read_to_string().with_context(|| url.clone())?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if !(200..300).contains(&status) {
            let said = body["error"]["code"].as_str().zip(body["error"]["message"].as_str());
            let said = said.map(|(code, message)| format!(" {code}: {message}"));
            bail!("{method} {url}: {status}{}", said.as_deref().unwrap_or(", and no deployment of Tailrace says that"));
        }
        Ok(Answer { status, body })
    }

    /// The URL of a path. Whoever listens on the way may neither read the token nor the secret of a new key.
    fn url_of(&self, path: &str) -> Result<String> {
        let host = self.url.host().unwrap_or_default();
        let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        match self.url.scheme_str() {
            Some("https") => {}
            Some("http") if is_here => {}
            _ => bail!("{} is no https:// URL; http:// is for this machine alone", self.url),
        }
        if !matches!(self.url.path_and_query().map_or("", |path| path.as_str()), "" | "/") {
            bail!("{}: a deployment has no path", self.url);
        }
        let authority = self.url.authority().context("the URL has no host")?;
        Ok(format!("{}://{authority}{path}", self.url.scheme_str().unwrap_or("https")))
    }

    /// A client that goes nowhere else: what it is redirected to would be shown the token.
    fn agent(&self) -> Result<Agent> {
        let trusted = match &self.ca {
            Some(file) => RootCerts::new_with_certs(&certificates(file)?),
            None => RootCerts::WebPki,
        };
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(PATIENCE_S)))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(TlsConfig::builder().root_certs(trusted).build())
            .user_agent(concat!("tailrace/", env!("CARGO_PKG_VERSION")));
        Ok(config.build().into())
    }

    fn token(&self, project: &str) -> Result<String> {
        let (variable, keys) = self.keys.first_of(&[ROOT, VARIABLE])?;
        await_usable(&keys)?;
        let project = if variable == ROOT { ROOT_PROJECT } else { project };
        let claims = Claims {
            project: project.to_owned(),
            scope: Scope::Manage,
            expires_s: now_s()? + TOKEN_S,
            begins_s: None,
            stream: None,
            stream_id: None,
        };
        minted(&keys, &claims)
    }
}

/// The certificates of a file.
fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = std::fs::read(file).with_context(|| file.display().to_string())?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let all = items.collect::<Result<Vec<_>, _>>().with_context(|| file.display().to_string())?;
    if all.is_empty() {
        bail!("{} has no certificate", file.display());
    }
    Ok(all)
}
