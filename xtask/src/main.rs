//! `cargo xtask <verb>`: the only thing that does development. Nothing has to be installed or set first; each verb
//! sets up what it misses and says what it is doing.
//!
//! | module | noun |
//! | --- | --- |
//! | `project` | the repository and the folder of everything generated, `.tailrace/` |
//! | `process` | a child with all its descendants: run, limited in time, ended with us |
//! | `setup` | compiler for wasm, Node and the npm packages |
//! | `worker` | the Worker's build: cargo, wasm-bindgen, the JavaScript beside it |
//! | `bucket` | R2 for a runtime on this machine |
//! | `cold` | what an object tells of its segments in the bucket |
//! | `workerd` | the real runtime, serving a built Worker on a free port |
//! | `restart` | a stream under kills of the runtime, as a step of the test |
//! | `http` | a client of a few lines, for health checks and load |
//! | `live` | the suites of `tests/live/`, with the servers and the browser that they need |
//! | `build`, `dev`, `conformance`, `test`, `tidy`, `fuzz`, `bench` | the verbs |

mod bench;
mod bucket;
mod build;
mod cold;
mod conformance;
mod dev;
mod fuzz;
mod http;
mod live;
mod process;
mod project;
mod restart;
mod setup;
mod test;
mod tidy;
mod worker;
mod workerd;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::project::Project;

/// Every verb of Tailrace's development.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    /// Which compiler builds the Worker: the first that can (`auto`), or one of them.
    #[arg(long, global = true, hide = true, default_value = "auto")]
    toolchain: setup::rust::Choice,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve the Worker on the real runtime locally, and print what to curl
    Dev(dev::Args),
    /// Run everything that CI runs, and time it
    Test(test::Args),
    /// Build the Worker for release and rehearse its deployment
    Build,
    /// Run the protocol's conformance suite against the Worker
    Conformance(conformance::Args),
    /// Check what no compiler checks: layers, forbidden words, sizes, links, manifests
    Tidy,
    /// Look for inputs that break what must hold for any
    Fuzz(fuzz::Args),
    /// Measure requests a second and CPU a request
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes alone: where in this program they arose helps nobody who reads it.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let project = Project::find()?;
    process::end_children_on_signals()?;
    let toolchain = cli.toolchain;
    match cli.verb {
        Verb::Dev(args) => dev::run(&project, toolchain, &args),
        Verb::Test(args) => test::run(&project, toolchain, &args),
        Verb::Build => build::run(&project, toolchain),
        Verb::Conformance(args) => conformance::run(&project, toolchain, &args),
        Verb::Tidy => tidy::run(&project),
        Verb::Fuzz(args) => fuzz::run(&project, &args),
        Verb::Bench(args) => bench::run(&project, toolchain, &args),
    }
}
