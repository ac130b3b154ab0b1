//! `cargo tailrace`: what the operator of a deployment does beside it. Keys and tokens never stand on a command line, which
//! every process of the machine can see, and no key is ever printed.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `deployment` | requests to a deployment |
//! | `key` | new keys |
//! | `keys` | where the keys of a deployment are read from |
//! | `lifetime` | how long a token lasts, as people say it |
//! | `moment` | the time, and times as people read them |
//! | `project` | the projects of a deployment that has several |
//! | `secret_file` | new files with keys |
//! | `token` | tokens: made, and read |

mod deployment;
mod key;
mod keys;
mod lifetime;
mod moment;
mod project;
mod secret_file;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keys, tokens and projects of a Tailrace deployment.
#[derive(Parser)]
#[command(name = "tailrace", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Keys, which sign tokens and verify them
    #[command(subcommand)]
    Key(key::Command),
    /// Tokens, by which a request says what it may
    #[command(subcommand)]
    Token(token::Command),
    /// Projects, where a deployment has several
    #[command(subcommand)]
    Project(project::Command),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Key(command) => key::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Project(command) => project::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
