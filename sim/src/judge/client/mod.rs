//! Clients of the protocol: they ask over the world's network, retry as real ones do, and write down what they were
//! told. Nothing here judges.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `message` | payloads that say what they are |
//! | `wire` | requests as clients send them, answers as they read them |
//! | `access` | tokens, and those who have none |
//! | `context` | what all clients of a run share: the world, and the history |
//! | `session` | one client: its memory, and how it asks |
//! | `memory` | what a client remembers of a stream |
//! | `dispatch` | what a client does for each action of a scenario |
//! | `keeper` | creating, closing, deleting, HEAD |
//! | `writer` | appends without producer headers, and with `Stream-Seq` |
//! | `producer` | idempotent producers, their restarts and their zombies |
//! | `reader` | walks through a stream |
//! | `browser` | how a client asks by way of its browser, whose cache is of the wing `front` |
//! | `follow`, `reader_control` | live readers that join, stall, leave and resume |
//! | `follower` | one live reader |
//! | `event_source` | a browser's `EventSource` |
//! | `event_stream`, `control` | server-sent events, and what they say |

mod access;
mod browser;
mod context;
mod control;
mod dispatch;
mod event_source;
mod event_stream;
mod follow;
mod follower;
mod keeper;
mod memory;
pub(crate) mod message;
mod producer;
mod reader;
mod reader_control;
mod session;
mod wire;
mod writer;

pub(crate) use access::{Issuer, send_stranger};
pub(crate) use context::ClientContext;
pub(in crate::judge) use follower::PAUSE_MS;
pub(crate) use session::Session;
