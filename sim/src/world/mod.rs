//! The platform, with what goes wrong in it: knows no Tailrace.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`platform`] | the world that clients talk to, and everything that happens to it |
//! | [`faults`] | what goes wrong, as numbers |
//! | `parts`, [`services`] | the table of the platform's parts, and their services |
//! | [`program`] | what runs in a world: an edge and an object class |
//! | [`host_mutant`] | known bugs of a host |
//! | [`environment`], `clock` | what everything in a world shares, and its time |
//! | [`network`] | latency and loss |
//! | [`edge`] | edge isolates, and the answers that leave them |
//! | [`objects`] | objects by name, and each of their lives in memory |
//! | [`activity`] | since when an instance is idle, and the time that it is billed for |
//! | [`sockets`] | hibernatable sockets, as an object holds them |
//! | `storage` | which of an object's writes are durable, and what waits for them |
//! | [`alarm`] | the alarm service |
//! | `sql` | a real SQLite with the platform's limits, and its bill |
//! | [`bucket`] | R2 |

pub mod activity;
pub mod alarm;
pub mod bucket;
mod clock;
pub mod edge;
pub mod environment;
pub mod faults;
pub mod host_mutant;
pub mod network;
pub mod objects;
mod parts;
pub mod platform;
pub mod program;
pub mod services;
pub mod sockets;
mod sql;
mod storage;

pub use clock::EPOCH_MS;
pub use storage::{ObjectSql, StorageFaults};
