//! Several projects under faults: operators who change keys, at once and while KV is slow, holders of those keys who ask for
//! streams at every datacenter, and those who have no right to.
//!
//! Streams are not what this is about: a holder asks for one that is not there, and is told so, or that its token is none.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `plan` | what happens in a seed, drawn from it |
//! | `run` | a plan in a world, and what everybody was told |
//! | `operator` | a request for the registry, and what it says |
//! | `holder` | a key as its holder has it, and what it signs |
//! | `history` | what was asked and told |
//! | `checker` | what must hold of a history |
//! | `hunt` | many seeds, and known bugs |

mod checker;
mod history;
mod holder;
mod hunt;
mod operator;
mod plan;
mod run;

pub use history::{Change, Probe, RegistryHistory, Shown, What};
pub use holder::HeldKey;
pub use hunt::{BUGS, Hunted, Swept, WITHIN_SEEDS, hunt, judge, sweep};
