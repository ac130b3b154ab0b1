//! The step `deployment` of the test: the lines by which the README deploys, run as they stand there, against a stand-in of
//! the API. What wrangler has sent is asserted (`tests/real/deployment/upload.test.mjs`), and then served: the runtime gets
//! the modules, variables and secrets that were received, and answers the rest of the lines.
//!
//! | module | noun |
//! | --- | --- |
//! | `lines` | the README's lines |
//! | `shell` | the shell in which they run |
//! | `reply` | answers as curl prints them |

mod lines;
mod reply;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xtask::http::Connection;
use xtask::process::{self, Group};
use xtask::project::{Project, create_dir, read, remove_dir, say};
use xtask::wrangler;

use self::lines::Lines;
use self::reply::Reply;
use self::shell::Shell;
use crate::Built;
use crate::workerd::{self, Workerd};

/// The stand-in of the API.
const API: &str = "tests/real/deployment/api.mjs";
/// What is asserted of what it was sent.
const SUITE: &str = "tests/real/deployment/upload.test.mjs";
/// The token by which the stand-in is asked, which nobody else takes.
const TOKEN: &str = "a-token-of-the-stand-in";
/// The file into which the README's lines write the key.
const SECRETS: &str = ".secrets.env";
/// The file that is named instead, if there is one of a real deployment.
const OTHER_SECRETS: &str = ".tailrace/deployment/secrets.env";
/// What each token begins with: `{"alg":` in base64url.
const TOKEN_START: &str = "eyJhbGciOi";

/// Runs the step; the Worker is built, so that wrangler's own build of it has nothing to do.
pub(crate) fn run(project: &Project, built: &Built) -> Result<()> {
    let folder = project.generated("deployment");
    remove_dir(&folder)?;
    create_dir(&folder)?;
    let mut lines = Lines::of(&read(&project.path("README.md"))?)?;
    let is_verbatim = fs::symlink_metadata(project.path(SECRETS)).is_err();
    let secrets = if is_verbatim { SECRETS } else { OTHER_SECRETS };
    lines = lines.with_file(SECRETS, secrets);
    // The lines run without a network, so what they compile has to be here.
    process::run(project.cargo().args(["build", "--quiet", "--package", "tailrace"]))?;
    let changed = changed(project)?;
    let mut made = Made { file: is_verbatim.then(|| project.path(SECRETS)), is_there: false };
    deploy(project, built, &folder, &lines, secrets, &mut made)?;
    ensure!(
        self::changed(project)? == changed,
        "the lines have changed files that git would take along: see `git status`"
    );
    Ok(())
}

fn deploy(
    project: &Project,
    built: &Built,
    folder: &Path,
    lines: &Lines,
    secrets: &str,
    made: &mut Made,
) -> Result<()> {
    let node = &built.node;
    let mut api = node.command(project, project.path(API))?;
    let mut api = Group::spawn(api.arg(folder).stdout(Stdio::piped()))?;
    let port = workerd::port(&mut api).context("the stand-in of the API")?;
    let shell = Shell { project, node, folder, api: port, token: TOKEN };
    say("deploying by the README's lines, to a stand-in of the API");
    let log = folder.join("printed.txt");
    let status = shell.run(&lines.deploying, &log)?;
    let printed = read(&log)?;
    // What `key new` tells once it has made the file. It refuses one that is there.
    made.is_there = printed.contains(&format!("is in {secrets}"));
    ensure!(status.success(), "the README's lines do not deploy: {status}\n{printed}");
    if let Some(complaint) = wrangler::complaint(&printed) {
        bail!("wrangler complains: {complaint}\nthe whole output:\n{printed}");
    }
    drop(api);

    let keys = read(&project.path(secrets))?;
    let keys = keys.trim().strip_prefix("TAILRACE_KEYS=").context("the file of secrets names no keys")?;
    let mut suite = node.test(project, SUITE)?;
    suite.env("TAILRACE_RECEIVED", folder).env("TAILRACE_DEPLOYED_KEYS", keys);
    suite.env("TAILRACE_API_TOKEN", TOKEN).env("TAILRACE_BUILT_WASM", built.worker.wasm());
    process::run(&mut suite).with_context(|| format!("what was received is in {}", folder.display()))?;

    let received = Received::read(folder)?;
    let bindings = received.texts()?;
    let modules = folder.join("modules");
    let options = workerd::Options {
        entry: received.text("main_module")?,
        bindings: &bindings,
        ..workerd::Options::of_modules("deployment", &modules, "StreamObject")
    };
    let server = Workerd::start(project, node, &options)?;
    let script = format!("URL={}\n{}", server.url(), lines.asking);
    say(&format!("sending the README's first append to what was deployed, at {}", server.url()));
    let printed = process::output(&mut shell.command(&script)?).context("the README's lines do not append")?;
    judge(&printed).with_context(|| format!("the lines after the deployment have printed:\n{printed}"))?;
    ask_without_a_token(&server)?;
    for (name, text) in [("the lines", printed), ("the runtime's log", read(server.log())?)] {
        let key = keys.split(':').nth(1).context("the key has no name")?;
        ensure!(!text.contains(key), "a key is in what {name} told");
        ensure!(!text.contains(TOKEN_START), "a token is in what {name} told");
    }
    println!("the README's lines deploy without a warning, and what they deploy takes the first append and returns it");
    Ok(())
}

/// Judges the answers to the creation, the append and the read.
fn judge(printed: &str) -> Result<()> {
    let replies = Reply::all(printed);
    let [created, appended, read] = replies.as_slice() else {
        bail!("three answers are expected, and there are {}", replies.len());
    };
    ensure!(created.status == "201", "the creation was answered {}", created.status);
    ensure!(appended.status == "204", "the append was answered {}", appended.status);
    let end = appended.field("stream-next-offset").context("the append was told no offset")?;
    ensure!(Some(end) != created.field("stream-next-offset"), "the append has not moved the end of the stream");
    ensure!(read.status == "200", "the read was answered {}", read.status);
    ensure!(read.body == "a line", "the read returned {:?}", read.body);
    ensure!(read.field("stream-next-offset") == Some(end), "the read ends elsewhere than the append");
    Ok(())
}

/// What was received asks for tokens.
fn ask_without_a_token(server: &Workerd) -> Result<()> {
    let mut connection = Connection::open(server.host(), Duration::from_secs(10))?;
    let request = connection.request("GET", "/v1/stream/hello?offset=-1", &[], b"");
    let reply = connection.send(&request)?;
    ensure!(reply.status == 401, "a read without a token was answered {}", reply.status);
    Ok(())
}

/// What the API was told of the Worker.
struct Received(Value);

impl Received {
    fn read(folder: &Path) -> Result<Self> {
        let text = read(&folder.join("metadata.json"))?;
        Ok(Self(serde_json::from_str(&text).context("what came with the modules is no JSON")?))
    }

    fn text(&self, name: &str) -> Result<&str> {
        self.0[name].as_str().with_context(|| format!("what came with the modules has no {name}"))
    }

    /// The variables and secrets: names and values.
    fn texts(&self) -> Result<Vec<(&str, &str)>> {
        let bindings = self.0["bindings"].as_array().context("what came with the modules has no bindings")?;
        let texts =
            bindings.iter().filter(|binding| binding["type"] == "plain_text" || binding["type"] == "secret_text");
        texts
            .map(|binding| binding["name"].as_str().zip(binding["text"].as_str()).context("a text without a value"))
            .collect()
    }
}

/// The file that the README's lines have made in the project, which is removed in the end.
struct Made {
    /// `None` if they made it elsewhere.
    file: Option<PathBuf>,
    /// Whether they came so far.
    is_there: bool,
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(file) = self.file.as_ref().filter(|_| self.is_there) {
            // If this fails, the next run takes the file for one of a real deployment, and leaves it alone.
            let _ = fs::remove_file(file);
        }
    }
}

/// What git would take along.
fn changed(project: &Project) -> Result<String> {
    process::output(project.command("git").args(["status", "--porcelain"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(created: &str, appended: &str, read: &str) -> bool {
        judge(&format!("HTTP/1.1 {created}HTTP/1.1 {appended}HTTP/1.1 {read}")).is_ok()
    }

    #[test]
    fn only_an_append_that_is_acknowledged_and_read_again_will_do() {
        let created = "201 Created\r\nStream-Next-Offset: 0\r\n\r\n";
        let appended = "204 No Content\r\nStream-Next-Offset: 6\r\n\r\n";
        let read = "200 OK\r\nStream-Next-Offset: 6\r\n\r\na line";
        assert!(told(created, appended, read));
        assert!(!told("200 OK\r\n\r\n", appended, read));
        assert!(!told(created, "401 Unauthorized\r\nStream-Next-Offset: 6\r\n\r\n", read));
        assert!(!told(created, "204 No Content\r\n\r\n", read));
        assert!(!told(created, "204 No Content\r\nStream-Next-Offset: 0\r\n\r\n", read));
        assert!(!told(created, appended, "404 Not Found\r\nStream-Next-Offset: 6\r\n\r\na line"));
        assert!(!told(created, appended, "200 OK\r\nStream-Next-Offset: 6\r\n\r\nanother line"));
        assert!(!told(created, appended, "200 OK\r\nStream-Next-Offset: 7\r\n\r\na line"));
        assert!(judge("HTTP/1.1 201 Created\r\n\r\n").is_err());
    }
}
