//! The deployment that is measured, and the streams that were created there.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use xtask::http::{Connection, Reply};
use xtask::process::Group;
use xtask::project::Project;
use xtask::setup;

/// How long anything may take: a long-poll of 20 s, and its way.
const LIMIT: Duration = Duration::from_secs(30);

/// For how long a stream lives at most that could not be deleted, in seconds.
const TTL_S: &str = "3600";

/// Below which path streams are created, unless the URL has one.
const STREAMS: &str = "/v1/stream";

/// Who answered, as the answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A cache in front of the Worker, from what it had.
    Front,
    /// The Worker, from the cache of its datacenter; a cache in front, if there is one, had nothing.
    Edge,
    /// The object, through a cache in front that had nothing, or might have had it.
    Object {
        /// Whether a cache in front took part.
        through_front: bool,
    },
}

impl From {
    /// By `X-Cache` and `Cf-Cache-Status`. What the edge has found in the cache of its datacenter says both.
    pub(super) fn of(reply: &Reply) -> Self {
        let field = |name| reply.head.field(name).unwrap_or_default();
        Self::told(field("x-cache"), &field("cf-cache-status").to_ascii_uppercase())
    }

    fn told(edge: &str, front: &str) -> Self {
        match front {
            _ if edge == "HIT" => Self::Edge,
            "HIT" | "STALE" | "UPDATING" | "REVALIDATED" => Self::Front,
            "MISS" | "EXPIRED" => Self::Object { through_front: true },
            _ => Self::Object { through_front: false },
        }
    }
}

/// A deployment.
pub(super) struct Site {
    /// Where connections go: the host and port, or a tunnel to them.
    address: String,
    /// What requests name as their host.
    host: String,
    /// The path below which streams are created, without a slash at its end.
    prefix: String,
    token: Option<String>,
    /// No other run has it.
    run: String,
    /// The paths of streams that have to be deleted.
    created: Mutex<Vec<String>>,
    _tunnel: Option<Group>,
}

impl Site {
    /// The deployment at a URL: scheme, host, and perhaps the path below which streams are created.
    pub(super) fn open(project: &Project, url: &str, token: Option<&str>) -> Result<Self> {
        let Parts { is_secure, host, port, prefix } = Parts::of(url)?;
        let (address, tunnel) = match is_secure {
            true => {
                let (address, tunnel) = tunnel(project, host, port)?;
                (address, Some(tunnel))
            }
            false => (format!("{host}:{port}"), None),
        };
        let named = if port == if is_secure { 443 } else { 80 } { host.to_owned() } else { format!("{host}:{port}") };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            address,
            host: named,
            prefix: prefix.to_owned(),
            token: token.map(str::to_owned),
            run: format!("{:x}-{}", since.as_micros(), std::process::id()),
            created: Mutex::default(),
            _tunnel: tunnel,
        })
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Result<Connection> {
        Connection::open_as(&self.address, &self.host, LIMIT)
    }

    /// The bytes of a request, with the token.
    pub(super) fn request(
        &self,
        connection: &Connection,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut fields = fields.to_vec();
        fields.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        connection.request(method, path, &fields, body)
    }

    /// What a GET is answered.
    pub(super) fn get(&self, connection: &mut Connection, path: &str) -> Result<Reply> {
        let request = self.request(connection, "GET", path, &[], b"");
        connection.send(&request)
    }

    /// Creates a stream of JSON, and returns its path. It is deleted by [`Self::delete`].
    pub(super) fn create(&self, name: &str) -> Result<String> {
        let path = format!("{}/measure/{}/{name}", self.prefix, self.run);
        let mut connection = self.connect()?;
        let fields = [("content-type", "application/json"), ("stream-ttl", TTL_S)];
        let request = self.request(&connection, "PUT", &path, &fields, b"");
        // A creation whose answer is lost may have been made.
        self.created.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let reply = connection.send(&request)?;
        ensure!(reply.status == 201, "PUT {path} was answered {}: {}", reply.status, text(&reply));
        Ok(path)
    }

    /// Appends a JSON message to a stream.
    pub(super) fn append(&self, connection: &mut Connection, path: &str, message: &str) -> Result<()> {
        let request =
            self.request(connection, "POST", path, &[("content-type", "application/json")], message.as_bytes());
        let reply = connection.send(&request)?;
        ensure!(matches!(reply.status, 200 | 204), "POST {path} was answered {}: {}", reply.status, text(&reply));
        Ok(())
    }

    /// Deletes all streams that were created. Each is tried, whatever came of the others.
    pub(super) fn delete(&self) -> Result<()> {
        let mut failed = Vec::new();
        let created = std::mem::take(&mut *self.created.lock().unwrap_or_else(PoisonError::into_inner));
        for path in created {
            let deleted = self.connect().and_then(|mut connection| {
                let request = self.request(&connection, "DELETE", &path, &[], b"");
                connection.send(&request)
            });
            match deleted {
                Ok(reply) if matches!(reply.status, 204 | 404 | 410) => {}
                Ok(reply) => failed.push(format!("DELETE {path} was answered {}", reply.status)),
                Err(error) => failed.push(format!("DELETE {path}: {error:#}")),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        bail!("these streams end by themselves within {TTL_S} s: {}", failed.join("; "))
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).chars().take(200).collect()
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    is_secure: bool,
    host: &'a str,
    port: u16,
    prefix: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self> {
        let (is_secure, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => bail!("{url:?} begins neither with https:// nor with http://"),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let default = if is_secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().with_context(|| format!("{url:?} has no port"))?),
            None => (authority, default),
        };
        ensure!(!host.is_empty() && !host.contains(['@', '?', '#']), "{url:?} has no host");
        ensure!(!path.contains(['?', '#']), "{url:?} has more than a path");
        let path = path.trim_end_matches('/');
        Ok(Self { is_secure, host, port, prefix: if path.is_empty() { STREAMS } else { path } })
    }
}

/// Starts a tunnel to a server that wants TLS. Returns its address.
fn tunnel(project: &Project, host: &str, port: u16) -> Result<(String, Group)> {
    let node = setup::node::ensure(project)?;
    let mut command = node.command(project, "tests/real/measure/tunnel.mjs")?;
    command.args([host, &port.to_string()]).stdout(Stdio::piped());
    let mut group = Group::spawn(&mut command)?;
    let mut line = String::new();
    let stdout = group.stdout().context("the tunnel has no stdout")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let port: u16 = line.trim().parse().map_err(|_| anyhow!("the tunnel does not listen"))?;
    Ok((format!("127.0.0.1:{port}"), group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_whose_it_is() {
        for (edge, front, expected) in [
            ("", "", From::Object { through_front: false }),
            ("MISS", "", From::Object { through_front: false }),
            ("HIT", "", From::Edge),
            ("HIT", "HIT", From::Edge),
            ("", "HIT", From::Front),
            ("MISS", "STALE", From::Front),
            ("", "MISS", From::Object { through_front: true }),
            ("", "DYNAMIC", From::Object { through_front: false }),
            ("BYPASS", "BYPASS", From::Object { through_front: false }),
        ] {
            assert_eq!(From::told(edge, front), expected, "{edge} {front}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_a_host_and_perhaps_a_port_and_a_path() {
        for (url, expected) in [
            ("https://a.example", Some((true, "a.example", 443, "/v1/stream"))),
            ("https://a.example/", Some((true, "a.example", 443, "/v1/stream"))),
            ("http://127.0.0.1:8787", Some((false, "127.0.0.1", 8787, "/v1/stream"))),
            ("https://a.example:8443/v1/stream/project/", Some((true, "a.example", 8443, "/v1/stream/project"))),
            ("a.example", None),
            ("ftp://a.example", None),
            ("https://", None),
            ("https://u@a.example", None),
            ("https://a.example:x", None),
            ("https://a.example/v1/stream?x", None),
        ] {
            let parts = Parts::of(url).ok();
            let expected = expected.map(|(is_secure, host, port, prefix)| Parts { is_secure, host, port, prefix });
            assert_eq!(parts, expected, "{url}");
        }
    }
}
