//! The rules of one stream as a value machine over its storage: a command with the time in it goes in, an outcome
//! comes out. Synchronous; no HTTP. Everything that must be atomic is one call here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `slot` | what is at a URL: nothing, a tombstone, or a stream; loading it |
//! | `tail` | the end of the log, as its last row or record tells it |
//! | `layout` | which segments are in R2, and which table holds the others |
//! | `record` | the row of a segment that is in R2 |
//! | `limits` | what a deployment, or a simulation, sets |
//! | `log` | planning and writing the rows of one append |
//! | `producer` | the last batch of each producer, and what a stamp means |
//! | `create` | creating, or finding that it exists |
//! | `append` | appending and closing |
//! | `read` | a page of the log: from rows, or which segment in R2 holds it |
//! | `page` | cutting a page |
//! | `cold` | segments on their way to R2 and back |
//! | `lifetime` | deadlines, touching, and the end |
//! | `invariant` | what must hold between memory and storage; asserted in builds with debug assertions |

mod append;
mod cold;
mod create;
mod invariant;
mod layout;
mod lifetime;
mod limits;
mod log;
mod page;
mod producer;
mod read;
mod record;
mod slot;
mod tail;

pub use append::AppendOutcome;
pub use cold::{SealedSegment, index_of, page_of_frames};
pub use create::{CreateCommand, CreateOutcome};
pub(crate) use invariant::has_known_bug;
pub use layout::Layout;
pub use limits::StreamLimits;
pub use page::{MalformedMessages, Page, PageContent};
pub use read::{ColdRead, ReadOutcome};
pub use record::Record;
pub use slot::{Slot, Stream};
pub use tail::Tail;
