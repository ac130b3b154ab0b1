//! The cache of a datacenter for a runtime on this machine, which has none: Miniflare's, as it is published. One of ours
//! would agree with what the simulator believes of caches, whatever is true. It is in the runtime's own process, or apart
//! in another one, so that its CPU time is not the runtime's.
//!
//! Its modules, bindings and compatibility date are those with which Miniflare starts it (its source,
//! `src/plugins/cache/index.ts`), but for the service that it would tell of errors.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use xtask::process::Group;
use xtask::project::{Project, create_dir, remove_dir, write};
use xtask::setup::node::Node;

use crate::workerd::{port, spawn};

/// The name of the service that the runtime's configuration binds as `cacheApiOutbound`.
pub(crate) const SERVICE: &str = "cache";

/// The folder of Miniflare's Workers in `node_modules`.
const WORKERS: &str = "miniflare/dist/src/workers";
/// The Workers that are used: what is asked, the object that keeps, and what both import.
const ENTRY: &str = "cache/cache-entry.worker.js";
const OBJECT: &str = "cache/cache.worker.js";
const SHARED: &str = "shared/index.worker.js";

/// The services and the extension of a configuration, which embeds files of its own folder.
pub(crate) struct Parts {
    /// Items of `services`, each followed by a comma.
    pub(crate) services: String,
    /// The value of `extensions`.
    pub(crate) extensions: String,
}

/// A cache in a process of its own; dropping it ends it.
pub(crate) struct Apart {
    _group: Group,
    port: u64,
}

impl Apart {
    /// Starts it; its files are in `folder` and `kept`.
    pub(crate) fn start(project: &Project, node: &Node, folder: &Path, kept: &Path, log: &Path) -> Result<Self> {
        let Parts { services, extensions } = Parts::install(node, folder, kept)?;
        let config = format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    {services}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "{SERVICE}")],
  extensions = {extensions},
);
"#
        );
        write(&folder.join("cache.capnp"), config)?;
        let mut group = spawn(project, node, folder, "cache.capnp", log)?;
        let port = port(&mut group)?;
        Ok(Self { _group: group, port })
    }

    /// What the configuration of a server has that uses it. The runtime asks only Workers for what its cache holds, so
    /// one passes on what it is asked.
    pub(crate) fn parts(&self) -> Parts {
        let port = self.port;
        Parts {
            services: format!(
                r#"(name = "{SERVICE}", worker = (compatibilityDate = "2023-07-24",
      modules = [(name = "worker.js",
        esModule = "export default {{ fetch: (request, env) => env.CACHE.fetch(request) }};")],
      bindings = [(name = "CACHE", service = "cache-apart")])),
    (name = "cache-apart", external = (address = "127.0.0.1:{port}", http = ())),"#
            ),
            extensions: "[]".to_owned(),
        }
    }
}

impl Parts {
    /// What a configuration without a cache has.
    pub(crate) fn none() -> Self {
        Self { services: String::new(), extensions: "[]".to_owned() }
    }

    /// Copies the Workers into the folder of a server, whose configuration is to have these parts. The answers are in
    /// the folder `kept`, which is emptied.
    pub(crate) fn install(node: &Node, folder: &Path, kept: &Path) -> Result<Self> {
        for name in [ENTRY, OBJECT, SHARED] {
            let (from, to) = (node.script(WORKERS).join(name), folder.join("miniflare").join(name));
            create_dir(to.parent().unwrap_or(folder))?;
            write(&to, fs::read(&from).with_context(|| format!("no {}", from.display()))?)?;
        }
        remove_dir(kept)?;
        create_dir(kept)?;
        let kept = fs::canonicalize(kept).with_context(|| format!("no folder {}", kept.display()))?;
        let worker = |module: &str, more: &str| {
            format!(
                r#"(compatibilityDate = "2023-07-24", compatibilityFlags = ["nodejs_compat", "experimental"],
      modules = [(name = "worker.js", esModule = embed "miniflare/{module}")],
      {more})"#
            )
        };
        let entry = worker(
            ENTRY,
            r#"bindings = [(name = "MINIFLARE_OBJECT",
        durableObjectNamespace = (className = "CacheObject", serviceName = "cache-object"))]"#,
        );
        let object = worker(
            OBJECT,
            r#"durableObjectNamespaces = [(className = "CacheObject", uniqueKey = "miniflare-CacheObject")],
      durableObjectStorage = (localDisk = "cache-kept"),
      bindings = [(name = "MINIFLARE_BLOBS", service = "cache-kept")]"#,
        );
        Ok(Self {
            services: format!(
                r#"(name = "{SERVICE}", worker = {entry}),
    (name = "cache-object", worker = {object}),
    (name = "cache-kept", disk = (path = {kept:?}, writable = true)),"#
            ),
            extensions: format!(
                r#"[(modules = [(name = "miniflare:shared", esModule = embed "miniflare/{SHARED}")])]"#
            ),
        })
    }
}
