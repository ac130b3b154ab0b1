//! What judges Tailrace in a world: knows the world by its face alone.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`scenario`] | what clients ask and what goes wrong, drawn from a seed, as text, and played |
//! | [`comparison`] | cache policies compared: the same followers under each of them |
//! | `client` | clients of the protocol |
//! | `crowds` | the crowd of a scenario |
//! | [`history`] | what they asked and were told |
//! | [`checker`] | invariants, judged from the history alone |
//! | [`swarm`] | many seeds |
//! | [`mod@shrink`] | the shortest history that still fails |
//! | [`known_bug`] | a bug that is switched on by name |
//! | [`mutants`] | the register of known bugs, and who catches them |
//! | [`report`] | what people are told |
//! | [`tenancy`] | which projects there are, and whose streams are whose |

pub mod checker;
mod client;
pub mod comparison;
mod crowds;
pub mod history;
pub mod known_bug;
pub mod mutants;
pub mod report;
pub mod scenario;
pub mod shrink;
pub mod swarm;
pub mod tenancy;
