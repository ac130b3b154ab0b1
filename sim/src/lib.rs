//! The simulator: the platform with its faults, on virtual time and from seeds.
//!
//! Ten wings, each of which knows only those above it in this table:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`kernel`] | executor, seeded randomness, trace, marks, one-shot replies: knows nothing of a platform |
//! | [`bill`] | from counted events to dollars: knows `kernel` alone |
//! | [`front`] | caches in front of a Worker: knows HTTP caching alone |
//! | [`world`] | the platform: network, isolates, objects, SQL and services; knows nothing of Tailrace |
//! | [`tailrace`] | Tailrace as the program of a world: core's edge and core's object class |
//! | [`registry`] | several projects: operators, holders of keys, and what must hold of what they are told |
//! | [`crowd`] | many readers as records, the caches in front of the Worker, calibration |
//! | [`judge`] | scenarios, clients, histories, checkers, swarm, shrinking, mutants, reports |
//! | [`forecast`] | what a workload costs, by each way to deploy |
//! | `probe` | programs that test the world apart from Tailrace; knows `kernel`, `bill`, `front` and `world` alone |

pub mod bill;
pub mod crowd;
pub mod forecast;
pub mod front;
pub mod judge;
pub mod kernel;
#[cfg(test)]
mod probe;
pub mod registry;
pub mod tailrace;
pub mod world;

pub use judge::{mutants, report, scenario, swarm};
