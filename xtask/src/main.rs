//! `cargo xtask <verb>`: every task of development. Nothing has to be installed or configured first; each verb sets up
//! what is missing and says what it is doing.
//!
//! | module | noun |
//! | --- | --- |
//! | `dev`, `build`, `test`, `tidy`, `fuzz` | the verbs |
//! | `mutation` | changes of core, and whether the tests notice |
//! | `dependency` | licences and versions of the crates that are compiled in |
//! | `page` | the page of a bill, in a browser
//! | `real` | the verbs of `tests/real`, which start and judge real runtimes |
//!
//! What they share is in the library of this package (`lib.rs`).

mod build;
mod dependency;
mod dev;
mod fuzz;
mod mutation;
mod page;
mod real;
mod test;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use xtask::project::Project;
use xtask::{process, setup};

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
    /// Build the Worker for release, which is all that wrangler asks for before it deploys
    Worker,
    /// Run the protocol's conformance suite against the Worker
    #[command(disable_help_flag = true)]
    Conformance(Rest),
    /// Check what no compiler checks: layers, forbidden words, sizes, links and commands of documents, manifests
    Tidy,
    /// Look for inputs that break what must hold for any
    Fuzz(fuzz::Args),
    /// Change core a little, many times, and see whether its tests or the simulator notice
    Mutate(mutation::Args),
    /// Measure requests a second and CPU a request
    #[command(disable_help_flag = true)]
    Bench(Rest),
    /// Hold a deployment against what the simulator believes of caches
    #[command(disable_help_flag = true)]
    Measure(Rest),
}

/// Arguments that are passed on to `tests/real`, including `--help`.
#[derive(clap::Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
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

fn run(cli: Cli) -> anyhow::Result<()> {
    let project = Project::find()?;
    process::end_children_on_signals()?;
    let toolchain = cli.toolchain;
    match cli.verb {
        Verb::Dev(args) => dev::run(&project, toolchain, &args),
        Verb::Test(args) => test::run(&project, toolchain, &args),
        Verb::Build => build::run(&project, toolchain),
        Verb::Worker => build::worker(&project, toolchain),
        Verb::Conformance(args) => real::become_verb(&project, toolchain, "conformance", &args.arguments),
        Verb::Tidy => tidy::run(&project),
        Verb::Fuzz(args) => fuzz::run(&project, &args),
        Verb::Mutate(args) => mutation::run(&project, &args),
        Verb::Bench(args) => real::become_verb(&project, toolchain, "bench", &args.arguments),
        Verb::Measure(args) => real::become_verb(&project, toolchain, "measure", &args.arguments),
    }
}
