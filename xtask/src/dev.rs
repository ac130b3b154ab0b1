//! `cargo xtask dev`: the Worker on the real runtime, on this machine, with its data kept.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use xtask::process::Group;
use xtask::project::{Project, create_dir, say};
use xtask::setup::node::Packages;
use xtask::setup::rust::Choice;
use xtask::{http, setup, worker};

/// How long wrangler may take to bundle, and to start a proxy and the runtime.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Options of `cargo xtask dev`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port to serve on
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Where streams are kept between runs
    #[arg(long, value_name = "DIR", default_value = ".tailrace/state")]
    state_dir: PathBuf,
}

/// Serves until it is told to end.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    let host = format!("127.0.0.1:{}", args.port);
    if std::net::TcpListener::bind(&host).is_err() {
        bail!("port {} is taken: end what listens there, or choose another by `--port`", args.port);
    }
    // Packages are downloaded while the Worker is compiled.
    let (node, worker) = thread::scope(|scope| {
        let node = scope.spawn(|| setup::node::ensure_packages(project, Packages::Serving));
        let rust = setup::rust::ensure(project, toolchain);
        let worker = rust.and_then(|rust| worker::build_for_development(project, &rust));
        (node.join(), worker)
    });
    let worker = worker?;
    let node = node.map_err(|_| anyhow!("the thread that sets up Node has panicked"))??;
    let state = project.root().join(&args.state_dir);
    create_dir(&state)?;
    say("starting the runtime");
    let mut wrangler = node.command(project, node.script("wrangler/bin/wrangler.js"))?;
    wrangler.arg("dev").arg(worker.dir.join(worker::ENTRY));
    wrangler.args(["--local", "--ip", "127.0.0.1", "--port", &args.port.to_string()]);
    // What is served is built above, in a fraction of the time that the build for a deployment takes.
    wrangler.env(worker::IS_BUILT, "1");
    // Without this variable every stream request would be refused.
    wrangler.args(["--var", "TAILRACE_NO_AUTH:1", "--show-interactive-dev-session=false"]);
    wrangler.arg("--persist-to").arg(&state);
    let mut server = Group::spawn(&mut wrangler)?;
    let start = Instant::now();
    while !http::healthy(&host) {
        if let Some(status) = server.ended()? {
            bail!("wrangler has ended with {status}: its message is above");
        }
        if start.elapsed() > START_LIMIT {
            bail!("GET /health does not answer 200 within {} s: wrangler's messages are above", START_LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
    println!("{}", instructions(&host, &state.display().to_string()));
    let status = server.wait(None, false)?;
    bail!("wrangler has ended with {status}")
}

fn instructions(host: &str, state: &str) -> String {
    format!(
        "
Tailrace serves on http://{host}, without authentication; streams are kept in {state}.

  curl -i -X PUT  http://{host}/v1/stream/hello -H 'Content-Type: text/plain'              # create
  curl -i -X POST http://{host}/v1/stream/hello -H 'Content-Type: text/plain' -d 'a line'  # append
  curl -i         'http://{host}/v1/stream/hello?offset=-1'                                # read
  curl -N         'http://{host}/v1/stream/hello?offset=-1&live=sse'                       # listen
  curl -i         http://{host}/health

Ctrl-C ends it."
    )
}
