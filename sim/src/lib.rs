//! The simulator: the platform with its faults, on virtual time and from seeds.
//!
//! The host, which runs core as the platform does and less reliably:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`world`] | the world that clients talk to, and everything that happens to it |
//! | [`faults`] | what goes wrong, as numbers |
//! | [`program`], [`tailrace`] | what runs in a world: an edge and an object class; and core's |
//! | [`edge_isolate`] | edge isolates and their restarts |
//! | `network` | latency and loss |
//! | `namespace`, `object`, `instance` | objects by name, what of one lasts, one life of it in memory |
//! | `turn` | what an event runs between two awaits: the unit of atomicity and of crashes |
//! | [`activity`] | since when an instance is idle, and the time that it is billed for |
//! | [`state`] | what an instance is given |
//! | `journal`, `gate` | which writes are durable, and what waits for them |
//! | `alarm` | the alarm service |
//! | [`sockets`], [`edge_socket`] | hibernatable sockets, and their other ends |
//! | [`answer_body`] | answers that go on, to clients that may be slow or gone |
//! | `flights` | what identical requests of an isolate share |
//! | `sqlite`, `guard`, `rows` | a real SQLite with the platform's limits, what its statements may do, and its bill |
//! | [`bucket`] | R2 |
//! | `environment` | what everything in a world shares |
//! | [`marks`], [`trace`] | what was reached, and what happened |
//! | [`host_mutant`] | known bugs of a host |
//! | [`random`], `reply`, [`rt`] | seeded randomness, one-shot answers, the executor |
//!
//! The judge, which knows the host by [`world`] alone:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`scenario`] | what clients ask and what goes wrong, drawn from a seed, as text, and played |
//! | `client` | clients of the protocol |
//! | [`history`] | what they asked and were told |
//! | [`checker`] | invariants, judged from the history alone |
//! | [`swarm`] | many seeds |
//! | [`shrink`] | the shortest history that still fails |
//! | [`mutants`] | the register of known bugs, and who catches them |
//! | [`report`] | what people are told |

pub mod activity;
mod alarm;
pub mod answer_body;
pub mod bucket;
pub mod checker;
mod client;
pub mod edge_isolate;
pub mod edge_socket;
mod environment;
pub mod faults;
mod flights;
mod gate;
mod guard;
pub mod history;
pub mod host_mutant;
mod instance;
mod journal;
pub mod marks;
pub mod mutants;
mod namespace;
mod network;
mod object;
#[cfg(test)]
mod probe;
pub mod program;
pub mod random;
mod reply;
pub mod report;
mod rows;
pub mod rt;
pub mod scenario;
pub mod shrink;
pub mod sockets;
mod sqlite;
pub mod state;
pub mod swarm;
pub mod tailrace;
pub mod trace;
mod turn;
pub mod world;

pub use environment::EPOCH_MS;
pub use tailrace::{World, WorldConfig};
