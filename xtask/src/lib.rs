//! What every verb of development needs: paths, child processes that end with us, set-up of what the machine lacks, and
//! the Worker's build. The verbs themselves are in `main.rs`; `tests/real`, which starts and judges real runtimes, uses
//! this library too.
//!
//! | module | noun |
//! | --- | --- |
//! | [`project`] | the repository and the folder of everything generated, `.tailrace/` |
//! | [`process`] | child processes with their descendants: run, limited in time, ended with us |
//! | [`setup`] | compiler for wasm, Node and the npm packages |
//! | [`worker`] | the Worker's build: cargo, wasm-bindgen, the JavaScript beside it |
//! | [`wrangler`] | wrangler as it is judged: what it complains of |
//! | [`http`] | a small HTTP client, for health checks and load |

pub mod http;
pub mod process;
pub mod project;
pub mod setup;
pub mod worker;
pub mod wrangler;
