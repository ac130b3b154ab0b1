//! The rules of one stream as a value machine over its storage: a command with the time in it goes in, an outcome
//! comes out. Synchronous; no HTTP. Everything that must be atomic is one call here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `slot` | what is at a URL: nothing, a tombstone, or a stream; loading it |
//! | `tail` | the end of the log, as its last row tells it |
//! | `limits` | what a deployment, or a simulation, sets |
//! | `log` | planning and writing the rows of one append |
//! | `producer` | the last batch of each producer, and what a stamp means |
//! | `create` | creating, or finding that it exists |
//! | `append` | appending and closing |
//! | `read` | a page of the log |
//! | `lifetime` | deadlines, touching, and the end |

mod append;
mod create;
mod lifetime;
mod limits;
mod log;
mod producer;
mod read;
mod slot;
mod tail;

pub use append::AppendOutcome;
pub use create::{CreateCommand, CreateOutcome};
pub use limits::StreamLimits;
pub use read::{Page, ReadOutcome};
pub use slot::{Slot, Stream};
pub use tail::Tail;
