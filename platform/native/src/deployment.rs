//! Requests to a deployment's routes about projects.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tailrace_core::edge::{Claims, Scope};
use tailrace_core::protocol::project::ROOT_PROJECT;
use ureq::Agent;
use ureq::http::{Request, Uri};

use crate::keys::{ROOT, Source, VARIABLE};
use crate::moment::now_s;
use crate::token::{await_usable, minted};

/// How long an answer may take, in s. A change is answered within half a minute, be it that KV has not confirmed it.
const PATIENCE_S: u64 = 60;

/// Bytes of an answer that are read, at most. A page of projects has 1,000 names.
const READ_LIMIT: u64 = 1 << 20;

/// How long the token of one request lasts, in s.
const TOKEN_S: u64 = 300;

/// Which deployment, and who asks.
#[derive(clap::Args)]
pub(crate) struct Deployment {
    /// The deployment, as https://streams.example.com; http only on this machine
    #[arg(long, value_name = "URL")]
    url: Uri,
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
        let done = match body {
            Some(body) => agent().run(asked.header("content-type", "application/json").body(body.to_string())?),
            None => agent().run(asked.body(())?),
        };
        let mut response = done.with_context(|| url.clone())?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(READ_LIMIT).read_to_string().with_context(|| url.clone())?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if !(200..300).contains(&status) {
            let said = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
            bail!("{method} {url}: {status} {}: {}", said("code"), said("message"));
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

/// A client that goes nowhere else: what it is redirected to would be shown the token.
fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(PATIENCE_S)))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("tailrace/", env!("CARGO_PKG_VERSION")));
    config.build().into()
}
