//! Crowds: many readers as records in one heap, and the caches in front of the Worker.
//!
//! Objects, and whoever writes, are tasks of the executor, in a [`crate::tailrace::World`]. A crowd is one task with a
//! clock of its own in us: what a reader does is a record of 32 bytes, and a request that a cache answers costs a record
//! or two, and behind the Worker one poll of core's edge. Only what has to call an object meets the world and its clock.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `setting` | who reads what, where, and under which policy |
//! | `knobs` | what the surroundings are like, as numbers |
//! | `agenda` | what happens when, and the crowd's clock |
//! | `engine` | the one task: what is due, and what the world brings |
//! | `reader`, `habits`, `patience` | readers, what they do, and for how long they wait |
//! | `messages` | who writes them, which an answer has, and which its reader is to get next |
//! | `metering` | what requests are billed for at the edge |
//! | `urls` | the URLs that they ask for, each with a number |
//! | `answer` | answers that many share |
//! | `edge` | a host of core's edge whose cache is looked into at once |
//! | `requests` | requests at the edge, by their places |
//! | `caches` | the cache in front of the Worker, or between its entrypoints, and what it does for readers |
//! | `bug` | known bugs of all this |
//! | `run` | a run, from the first write to the figures |
//! | `figures` | what came of it |
//! | `bench` | what a HIT costs |
//! | [`calibration`] | what was measured in production, beside what comes of the same here |
//! | [`command`] | the verbs of `cargo sim` that have to do with crowds |

mod agenda;
mod answer;
mod bench;
mod bug;
mod caches;
pub mod calibration;
pub mod command;
mod edge;
mod engine;
mod figures;
mod habits;
mod knobs;
mod messages;
mod metering;
mod patience;
mod reader;
mod requests;
mod run;
mod setting;
#[cfg(test)]
mod tests;
mod urls;

pub use bench::hits_ns;
pub use bug::CrowdBug;
pub use engine::WARM_UP_S;
pub use figures::{ClassFigures, Figures, TierFigures};
pub use knobs::{Knobs, Span};
pub use run::run;
pub use setting::{Class, InFront, Origin, Readers, Setting};
