//! `cargo xtask bench`: what a request costs, measured beside something trivial on the same machine in the same
//! minutes: figures of two runs on a shared machine cannot be compared, their ratio can.
//!
//! | module | noun |
//! | --- | --- |
//! | `append` | the append, beside a Worker that inserts one row a request |
//! | `catchup` | reading from the start, out of rows and out of the bucket, beside a Worker that joins rows |
//! | `load` | connections that send one request after another |
//! | `usage` | the CPU time of a process |

mod append;
mod catchup;
mod load;
mod usage;

use anyhow::Result;
use clap::Subcommand;

use crate::project::Project;
use crate::setup::rust::Choice;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Appends of 100 bytes of JSON, beside a trivial Worker in JavaScript
    Append(append::Args),
    /// Readers that read 10 MB from the start, beside a trivial Worker in JavaScript
    Catchup(catchup::Args),
}

/// Measures.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    match &args.subject {
        Subject::Append(args) => append::run(project, toolchain, args),
        Subject::Catchup(args) => catchup::run(project, toolchain, args),
    }
}
