//! The Worker: what a request asks for, which object answers it, and how it waits.
//!
//! There is one edge: [`serve`] is one future over the runtime traits that answers a request, on Workers as in the
//! simulator. A host brings operations and handles, and decides nothing.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config` | what a deployment configures |
//! | `route` | a request's route, and the message to its object: a pure function |
//! | `serve` | the way of every request |
//! | `failure` | the answer where an object has none |
//! | `live` | what both kinds of live reads have in common |
//! | `sse` | the bridge between a stream and a client that listens |
//! | `long_poll` | one flight for all identical long-polls |
//! | `scripted` | an edge for tests, whose objects and clients do what a script says |

mod config;
mod failure;
mod live;
mod long_poll;
mod route;
#[cfg(test)]
mod scripted;
mod serve;
mod sse;

pub use config::{Access, EdgeConfig, LiveConfig};
pub use live::LiveRead;
pub use route::{Forward, PICKED_HEADERS, Routed, route};
pub use serve::serve;
