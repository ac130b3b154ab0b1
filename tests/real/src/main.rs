//! Starts real runtimes with the built Worker and judges them: `cargo xtask conformance`, `cargo xtask bench` and the
//! later steps of `cargo xtask test`. Each verb builds what is missing.
//!
//! | module | noun |
//! | --- | --- |
//! | `workerd` | the real runtime, serving a built Worker on a free port |
//! | `bucket` | R2 for a runtime on this machine |
//! | `cache` | the cache of a datacenter for a runtime on this machine |
//! | `checklist` | the checklist of the edge cache |
//! | `cold` | the debug header about an object's segments in the bucket |
//! | `conformance` | the protocol's own suite |
//! | `deployment` | the README's deployment against a stand-in of the API, and what it has deployed |
//! | `live` | the suites of `live/`, with the servers and the browser that they need |
//! | `fidelity` | the script that the simulator and the real runtime must answer alike |
//! | `robustness` | the suites of `workers/`: bodies at their limit, panics, lost instances |
//! | `silence` | a bucket that answers some calls never, and variables that are no text |
//! | `restart` | a stream while the runtime is killed again and again |
//! | `bench` | what a request costs |
//! | `measure` | what is seen of a real deployment's caches |

mod bench;
mod bucket;
mod cache;
mod checklist;
mod cold;
mod conformance;
mod deployment;
mod fidelity;
mod live;
mod measure;
mod restart;
mod robustness;
mod silence;
mod workerd;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::process;
use xtask::project::Project;
use xtask::setup::{self, node::Node, rust::Choice};
use xtask::worker::{self, Variant, Worker};

/// Real runtimes, started and judged.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    /// Which compiler builds the Worker: the first that can (`auto`), or one of them.
    #[arg(long, global = true, hide = true, default_value = "auto")]
    toolchain: Choice,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the protocol's conformance suite against the Worker
    Conformance(conformance::Args),
    /// Deploy by the README's lines to a stand-in of the API, and append to what it was sent
    Deployment,
    /// Readers that wait, the official client, a browser
    Live,
    /// Compare the answers of the simulator and of the real runtime
    Fidelity,
    /// The checklist of the edge cache
    Checklist,
    /// Bodies at their limit; panics and lost instances; a bucket that is silent
    Robustness,
    /// Kill the runtime, and see that what was acknowledged outlives it
    Restart,
    /// Measure requests a second and CPU a request
    Bench(bench::Args),
    /// Hold a deployment against what the simulator believes of caches
    Measure(measure::Args),
}

/// A built Worker, and Node to start the runtime with.
struct Built {
    node: Node,
    worker: Worker,
}

impl Built {
    /// Builds a variant of the Worker, unless it is there.
    fn new(project: &Project, toolchain: Choice, variant: Variant) -> Result<Self> {
        let node = setup::node::ensure(project)?;
        let rust = setup::rust::ensure(project, toolchain)?;
        let worker = worker::build_variant(project, &rust, &node, variant)?;
        Ok(Self { node, worker })
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes without a backtrace, which would not help whoever reads it.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let project = Project::find()?;
    process::end_children_on_signals()?;
    let build = |variant| Built::new(&project, cli.toolchain, variant);
    match cli.verb {
        Verb::Conformance(args) => conformance::run(&project, cli.toolchain, &args),
        Verb::Deployment => deployment::run(&project, &build(Variant::Plain)?),
        Verb::Live => live::run(&project, &build(Variant::Plain)?),
        Verb::Fidelity => fidelity::run(&project, &build(Variant::Plain)?),
        Verb::Checklist => checklist::run(&project, &build(Variant::Plain)?),
        Verb::Robustness => {
            let built = build(Variant::Faults)?;
            silence::run(&project, &built)?;
            robustness::run(&project, &built)
        }
        Verb::Restart => restart::run(&project, &build(Variant::Plain)?),
        Verb::Bench(args) => bench::run(&project, cli.toolchain, &args),
        Verb::Measure(args) => measure::run(&project, &args),
    }
}
