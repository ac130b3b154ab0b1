//! `cargo xtask bench`: what a request costs, measured beside something trivial, or beside another commit, on the same
//! machine in the same minutes: figures of two runs on a shared machine cannot be compared, their ratio can.
//!
//! | module | noun |
//! | --- | --- |
//! | `append` | the append, beside a Worker that inserts one row a request |
//! | `catchup` | reading from the start, out of rows and out of the bucket, beside a Worker that joins rows |
//! | `live` | delivery to readers that wait, beside a Worker whose object holds them itself |
//! | `comparison` | what ours is compared with, and in how many rounds |
//! | `subject` | a server to be measured |
//! | `series` | values a round, their medians and ratios |
//! | `load` | connections that send one request after another |
//! | `crowd` | many live readers on one thread |
//! | `reader` | one of them: its requests, and the messages that it gets |
//! | `decoder` | an HTTP response, taken apart as it comes |
//! | `usage` | the CPU time of a process |

mod append;
mod catchup;
mod comparison;
mod crowd;
mod decoder;
mod live;
mod load;
mod reader;
mod series;
mod subject;
mod usage;

use anyhow::Result;
use clap::Subcommand;
use xtask::project::Project;
use xtask::setup::rust::Choice;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    topic: Topic,
}

#[derive(Subcommand)]
enum Topic {
    /// Appends of 100 bytes of JSON, beside a trivial Worker in JavaScript
    Append(append::Args),
    /// Readers that read 10 MB from the start, beside a trivial Worker in JavaScript
    Catchup(catchup::Args),
    /// Delivery to SSE and long-poll readers, beside a trivial Worker in JavaScript
    Live(live::Args),
}

/// Measures.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    match &args.topic {
        Topic::Append(args) => append::run(project, toolchain, args),
        Topic::Catchup(args) => catchup::run(project, toolchain, args),
        Topic::Live(args) => live::run(project, toolchain, args),
    }
}
