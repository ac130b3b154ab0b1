//! `cargo xtask bench`: what a request costs, compared with a trivial Worker or with that of another commit. Both are
//! measured on the same machine in the same minutes: figures of two runs on a shared machine cannot be compared, but
//! ratios within a run can.
//!
//! | module | noun |
//! | --- | --- |
//! | `append` | appends, beside a Worker that inserts one row for each request |
//! | `cache` | the edge cache, beside the same Worker without one |
//! | `catchup` | reading from the start, from rows and from the bucket, beside a Worker that joins rows |
//! | `edge` | what is the edge's of the CPU time of events and requests |
//! | `filling` | the logs that are read |
//! | `live` | delivery to readers that wait, beside a Worker whose object holds them itself |
//! | `memory` | the memory that the runtime takes, beside that of another commit |
//! | `comparison` | what our Worker is compared with, and in how many rounds |
//! | `subject` | a server to be measured |
//! | `series` | the values of each round, their medians and ratios |
//! | `turns` | delivery to readers of several servers, which have short turns |
//! | `load` | connections that send one request after another |
//! | `crowd` | many live readers on one thread |
//! | `waiters` | many live readers that only count what they get |
//! | `reader` | one live reader: its requests, and the messages that it gets |
//! | `decoder` | a decoder of HTTP responses that come in pieces |
//! | `usage` | the CPU time of a process |

mod append;
mod cache;
mod catchup;
mod comparison;
mod crowd;
mod decoder;
mod edge;
mod filling;
mod live;
mod load;
mod memory;
mod reader;
mod series;
mod subject;
mod turns;
mod usage;
mod waiters;

pub(crate) use series::percentile;

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
    /// Readers by long-poll, and readers of a log, with an edge cache and without one
    Cache(cache::Args),
    /// Readers that read a log from the start, and the appends before, beside a trivial Worker in JavaScript
    Catchup(catchup::Args),
    /// What is the edge's of the CPU time of events and requests, beside what is the object's and the runtime's
    Edge(edge::Args),
    /// Delivery to SSE and long-poll readers, beside a trivial Worker in JavaScript
    Live(live::Args),
    /// The memory that the runtime takes for readers, and after they have left
    Memory(memory::Args),
}

/// Runs a benchmark.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    match &args.topic {
        Topic::Append(args) => append::run(project, toolchain, args),
        Topic::Cache(args) => cache::run(project, toolchain, args),
        Topic::Catchup(args) => catchup::run(project, toolchain, args),
        Topic::Edge(args) => edge::run(project, toolchain, args),
        Topic::Live(args) => live::run(project, toolchain, args),
        Topic::Memory(args) => memory::run(project, toolchain, args),
    }
}
