//! The real runtime, serving a folder of modules on a free port. It starts in a tenth of a second; wrangler would take
//! seconds and put a proxy in front.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, test_kill_process};
use xtask::http;
use xtask::process::Group;
use xtask::project::{Project, create_dir, read, remove_dir, write};
use xtask::setup::node::Node;
use xtask::worker::{ENTRY, Worker};

use crate::bucket::Bucket;
use crate::cache::{self, Apart, Parts};

/// How long the runtime may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What to serve.
pub(crate) struct Options<'a> {
    /// Names the log, `.tailrace/logs/{name}.log`.
    pub(crate) name: &'a str,
    /// The folder of modules, `entry.mjs` among them.
    pub(crate) modules: &'a Path,
    /// The module that is started.
    pub(crate) entry: &'a str,
    /// A folder of modules that are added.
    pub(crate) beside: Option<&'a Path>,
    /// The class of the Durable Objects; its binding is `STREAMS`.
    pub(crate) class: &'a str,
    /// Text bindings: names and values.
    pub(crate) bindings: &'a [(&'a str, &'a str)],
    /// Bindings of other entrypoints of the same Worker: names, and classes that its entry module exports.
    pub(crate) entrypoints: &'a [(&'a str, &'a str)],
    /// Bindings of JSON: names and texts of their values.
    pub(crate) json: &'a [(&'a str, &'a str)],
    /// The folder in which the objects' data is kept; `None` if it is deleted with the server. The data of the cache is
    /// in one beside it, and always deleted.
    pub(crate) state: Option<PathBuf>,
    /// Whether there is a cache, which is empty at the start. The runtime has none of its own: without it,
    /// `caches.default` fails at everything.
    pub(crate) has_cache: bool,
    /// Whether that cache is in a process of its own.
    pub(crate) is_cache_apart: bool,
    /// Whether it has objects of projects and KV, with the bindings `PROJECTS` and `REGISTRY`. KV is the runtime's own, and empty
    /// at the start.
    pub(crate) has_projects: bool,
}

impl<'a> Options<'a> {
    /// Options for a built Worker without bindings, whose data is deleted with the server.
    pub(crate) fn of(worker: &'a Worker) -> Self {
        Self::of_modules("workerd", &worker.dir, "StreamObject")
    }

    /// Options for other modules, with their class of objects.
    pub(crate) fn of_modules(name: &'a str, modules: &'a Path, class: &'a str) -> Self {
        Self {
            name,
            modules,
            entry: ENTRY,
            beside: None,
            class,
            bindings: &[],
            json: &[],
            entrypoints: &[],
            state: None,
            has_cache: true,
            is_cache_apart: false,
            has_projects: false,
        }
    }
}

/// A running server; dropping it ends it.
pub(crate) struct Workerd {
    group: Group,
    _cache_apart: Option<Apart>,
    /// Dropped with the last server that uses it.
    _bucket: Arc<Bucket>,
    host: String,
    folder: PathBuf,
    /// The folder of the cache.
    cache: PathBuf,
    log: PathBuf,
}

impl Workerd {
    /// Starts the runtime with an empty bucket and waits until `GET /health` answers 200.
    pub(crate) fn start(project: &Project, node: &Node, options: &Options) -> Result<Self> {
        Self::start_with(project, node, options, Arc::new(Bucket::start()?))
    }

    /// Starts the runtime with a bucket that may outlive it.
    pub(crate) fn start_with(project: &Project, node: &Node, options: &Options, bucket: Arc<Bucket>) -> Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        remove_abandoned(&project.generated("run"));
        let unique = format!("run/{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let folder = project.generated(&unique);
        let log = project.generated("logs").join(format!("{}.log", options.name));
        create_dir(&project.generated("logs"))?;
        remove_dir(&folder)?;
        // The modules are copied, so that a build that runs meanwhile does not change what is served.
        let mut modules = copy_modules(options.modules, &folder)?;
        if let Some(beside) = options.beside {
            modules.extend(copy_modules(beside, &folder)?);
        }
        // The runtime starts the first module.
        modules.sort_by_key(|name| (name != options.entry, name.clone()));
        let state = options.state.clone().unwrap_or_else(|| folder.join("state"));
        create_dir(&state)?;
        // Beside the objects' data, so that it is on the same disk.
        let cache = state.with_extension("cache");
        let apart = match options.has_cache && options.is_cache_apart {
            true => Some(Apart::start(project, node, &folder, &cache, &log.with_extension("cache.log"))?),
            false => None,
        };
        let parts = match &apart {
            Some(apart) => apart.parts(),
            None if options.has_cache => Parts::install(node, &folder, &cache)?,
            None => Parts::none(),
        };
        write(&folder.join("config.capnp"), config(project, &modules, &state, options, &bucket, &parts)?)?;
        let group = spawn(project, node, &folder, "config.capnp", &log)?;
        let mut server = Self { group, _cache_apart: apart, _bucket: bucket, host: String::new(), folder, cache, log };
        let port = port(&mut server.group).map_err(|error| server.explain(&error))?;
        server.host = format!("127.0.0.1:{port}");
        server.wait_until_healthy().map_err(|error| server.explain(&error))?;
        Ok(server)
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Ends the runtime at once, as a crash does.
    pub(crate) fn kill(mut self) {
        self.group.kill();
    }

    /// The process id of the runtime.
    pub(crate) fn id(&self) -> u32 {
        self.group.id()
    }

    /// The file with the runtime's messages and the Worker's console.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    fn wait_until_healthy(&mut self) -> Result<()> {
        let start = Instant::now();
        while !http::healthy(&self.host) {
            if let Some(status) = self.group.ended()? {
                bail!("the runtime has ended with {status}");
            }
            if start.elapsed() > START_LIMIT {
                bail!("GET /health does not answer 200 within {} s", START_LIMIT.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// An error with the end of the log, where the runtime says why.
    fn explain(&self, error: &anyhow::Error) -> anyhow::Error {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        anyhow!("{error:#}; the end of {}:\n{tail}", self.log.display())
    }
}

/// Starts the runtime with a configuration in this folder.
pub(crate) fn spawn(project: &Project, node: &Node, folder: &Path, config: &str, log: &Path) -> Result<Group> {
    let mut command = project.command(node.workerd()?);
    command.args(["serve", "--verbose", "--experimental", "--control-fd=1", config]);
    let errors = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    command.current_dir(folder).env("PWD", folder).stdout(Stdio::piped()).stderr(errors);
    Group::spawn(&mut command)
}

/// The port that a runtime has chosen, which it tells as a line of JSON.
pub(crate) fn port(group: &mut Group) -> Result<u64> {
    let stdout = group.stdout().context("the runtime has no stdout")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if json["event"] == "listen"
                && let Some(port) = json["port"].as_u64()
            {
                // Sending fails only once the port is known and nobody waits for it any more.
                let _ = sender.send(port);
            }
        }
    });
    receiver.recv_timeout(START_LIMIT).map_err(|_| anyhow!("the runtime does not listen"))
}

impl Drop for Workerd {
    fn drop(&mut self) {
        self.group.end();
        // If this fails, the files stay in a folder that may be deleted any time.
        let _ = remove_dir(&self.folder);
        let _ = remove_dir(&self.cache);
    }
}

/// Removes the folders of processes that were killed before they could remove them.
fn remove_abandoned(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split(['-', '.']).next().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
        // If a folder cannot be removed, another process may be removing it.
        if owner.is_some_and(|owner| test_kill_process(owner).is_err()) {
            let _ =
                if entry.path().is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        }
    }
}

/// Copies a folder of modules and lists their names, the entry first: the runtime starts the first.
fn copy_modules(from: &Path, to: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        create_dir(&to.join(&folder))?;
        let entries = fs::read_dir(from.join(&folder)).with_context(|| format!("cannot list {}", from.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else if name.extension().is_some_and(|extension| extension != "ts") {
                write(&to.join(&name), fs::read(entry.path())?)?;
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    Ok(names)
}

/// What a configuration with projects has: the runtime's own KV, the objects, and how both are bound.
const KV: &str = r#"(name = "kv", worker = (compatibilityDate = "2026-01-01",
      modules = [(name = "kv.js", bundled = "/workerd/kv.js")],
      durableObjectNamespaces = [(className = "KVNamespace", uniqueKey = "kv-namespace", enableSql = true)],
      durableObjectStorage = (localDisk = "state"),
      bindings = [(name = "SHARD", durableObjectNamespace = "KVNamespace"), (name = "BLOBS", service = "state")])),"#;
const PROJECT_BINDINGS: &[&str] = &[
    r#"(name = "PROJECTS", durableObjectNamespace = "ProjectObject")"#,
    r#"(name = "REGISTRY", kvNamespace = (name = "kv", props = (json = "{\"namespace\": \"registry\"}")))"#,
];
const PROJECT_OBJECTS: &str =
    r#"(className = "ProjectObject", uniqueKey = "tailrace-ProjectObject", enableSql = true),"#;

/// The runtime's configuration.
fn config(
    project: &Project,
    modules: &[String],
    state: &Path,
    options: &Options,
    bucket: &Bucket,
    cache: &Parts,
) -> Result<String> {
    let wrangler = read(&project.path("wrangler.toml"))?;
    let date = wrangler.lines().find_map(|line| line.strip_prefix("compatibility_date = "));
    let date = date.context("wrangler.toml has no compatibility_date")?.trim_matches('"');
    let flags = wrangler.lines().find_map(|line| line.strip_prefix("compatibility_flags = ")).unwrap_or("[]");
    let list = |items: Vec<String>| items.join(",\n    ");
    let modules = modules.iter().map(|name| {
        let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
        format!("(name = {name:?}, {kind} = embed {name:?})")
    });
    let texts = options.bindings.iter().map(|(name, value)| format!("(name = {name:?}, text = {value:?})"));
    let json = options.json.iter().map(|(name, value)| format!("(name = {name:?}, json = {value:?})"));
    let entrypoints = options.entrypoints.iter().map(|(name, entrypoint)| {
        format!("(name = {name:?}, service = (name = \"main\", entrypoint = {entrypoint:?}))")
    });
    let class = options.class;
    let bindings = [
        format!("(name = \"STREAMS\", durableObjectNamespace = {class:?})"),
        "(name = \"SEGMENTS\", r2Bucket = \"bucket\")".to_owned(),
    ];
    let (kv, of_projects, projects) =
        if options.has_projects { (KV, PROJECT_BINDINGS, PROJECT_OBJECTS) } else { ("", &[][..], "") };
    let of_projects = of_projects.iter().map(|binding| (*binding).to_owned());
    let bindings = bindings.into_iter().chain(of_projects).chain(texts).chain(json).chain(entrypoints);
    let bucket = bucket.address();
    let outbound = if options.has_cache { format!("cacheApiOutbound = {:?},", cache::SERVICE) } else { String::new() };
    let Parts { services, extensions } = cache;
    let state = fs::canonicalize(state).with_context(|| format!("no folder {}", state.display()))?;
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "state", disk = (path = {state:?}, writable = true)),
    (name = "bucket", external = (address = "{bucket}", http = ())),
    {services}
    {kv}
    # Webhooks of tests go to this machine.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
  extensions = {extensions},
);
const worker :Workerd.Worker = (
  compatibilityDate = "{date}",
  compatibilityFlags = {flags},
  modules = [
    {modules}
  ],
  bindings = [
    {bindings}
  ],
  durableObjectNamespaces = [
    (className = {class:?}, uniqueKey = "tailrace-{class}", enableSql = true),
    {projects}
  ],
  durableObjectStorage = (localDisk = "state"),
  {outbound}
);
"#,
        modules = list(modules.collect()),
        bindings = list(bindings.collect()),
    ))
}
