//! What every verb of development needs: where things are, children that end with us, what the machine may lack, and
//! the Worker's build. The verbs themselves are `main.rs`; `tests/real` starts and judges real runtimes with this.
//!
//! | module | noun |
//! | --- | --- |
//! | [`project`] | the repository and the folder of everything generated, `.tailrace/` |
//! | [`process`] | a child with all its descendants: run, limited in time, ended with us |
//! | [`setup`] | compiler for wasm, Node and the npm packages |
//! | [`worker`] | the Worker's build: cargo, wasm-bindgen, the JavaScript beside it |
//! | [`http`] | a client of a few lines, for health checks and load |

pub mod http;
pub mod process;
pub mod project;
pub mod setup;
pub mod worker;
