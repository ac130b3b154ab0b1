//! The Worker: what a request asks for, which object answers it, and how it waits.
//!
//! [`serve`] is the one future that serves a request, over the runtime traits, on Workers as in the simulator. A host
//! provides operations and handles, and decides nothing.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `access` | who may do what: tokens and keys |
//! | `gateway` | reads that the inner entrypoint answers, with a cache of the platform before it |
//! | `cached` | the edge cache: the cache of the datacenter, as reads use it |
//! | `config` | what a deployment configures |
//! | `projects` | which project a request is for, and what is known of it |
//! | `registry` | requests for the registry: projects, their keys and origins |
//! | `route` | a request's route, and the message to its object: a pure function |
//! | `routed` | where a request goes, as a value |
//! | `serve` | serving a request, from its route to the end of its answer |
//! | `backlog` | what waits for the client of such a connection, and which one has to go |
//! | `body` | reading a request's body, if the isolate has room for it |
//! | `egress` | the way out of all answers of a client: who may keep them, and whose scripts may read them |
//! | `failure` | answers to clients whose objects did not answer, or whose instance was lost |
//! | `rates` | how often one client may do what costs the service more than the client |
//! | `loss` | the answers that a host gives to requests at which its instance was lost |
//! | `live` | what both kinds of live reads have in common |
//! | `sse` | connections with events |
//! | `event_page` | pages of the log on such a connection |
//! | `event_source` | what a browser's `EventSource` is answered that comes back by itself |
//! | `long_poll` | long-polls, of which identical ones share one flight |
//! | `poll` | the flight of a long-poll: it asks the object, and waits |
//! | `stream_request` | a request for a stream, and the message to its object |
//! | `scripted` | an edge for tests, whose objects and clients do what a script says |

mod access;
mod backlog;
mod body;
mod cached;
mod config;
mod egress;
mod event_page;
mod event_source;
mod failure;
mod gateway;
mod live;
mod long_poll;
mod loss;
mod poll;
mod projects;
mod rates;
mod registry;
mod route;
mod routed;
#[cfg(test)]
mod scripted;
mod serve;
mod sse;
mod stream_request;

pub use crate::protocol::{KeyRing, Origins};
pub use access::{Claims, Scope, StreamPattern, mint, verify};
pub use cached::Caching;
pub use config::{Access, EdgeConfig, LiveConfig, Rates, Registry};
pub use live::LiveRead;
pub use loss::{answer_when_lost, object_when_lost};
pub use route::{PICKED_HEADERS, picked_headers, route};
pub use routed::{Forward, ProjectForward, Routed};
pub use serve::{serve, serve_inner};
pub use stream_request::Entrance;
