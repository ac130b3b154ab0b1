//! The Worker: what a request asks for, and which object answers it.
//!
//! Routing is a pure function, so that a host whose border to core is dear crosses it once: it asks [`route`], collects
//! the body, calls the object and hands its answer on. [`fetch`] does the same over the runtime traits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config` | what a deployment configures |
//! | `route` | a request's route, and the message to its object |
//! | `body` | collecting a body within its limit |
//! | `fetch` | the way of a request over the runtime traits |
//! | `live` | what both ways of a live read have in common |
//! | `sse` | the bridge between a stream and a client that listens |
//! | `long_poll` | one flight for all identical long-polls |
//! | `scripted` | an edge for tests, whose objects and clients do what a script says |

mod body;
mod config;
mod fetch;
mod live;
mod long_poll;
mod route;
#[cfg(test)]
mod scripted;
mod sse;

pub use config::{Access, EdgeConfig, LiveConfig};
pub use fetch::{Fetched, fetch, unreachable};
pub use live::LiveRead;
pub use long_poll::flight;
pub use route::{Forward, PICKED_HEADERS, Routed, route};
pub use sse::{Bridge, open};
