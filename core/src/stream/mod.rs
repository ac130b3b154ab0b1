//! The rules of one stream over its storage: a command goes in, with the time in it, and an outcome comes out.
//! Synchronous, without HTTP. Everything that must be atomic is one call here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `slot` | what a URL holds: nothing, a tombstone or a stream; loading it |
//! | `tail` | the end of the log, as its last row or the last record tells it |
//! | `layout` | which segments are in R2, and which table holds the others |
//! | `record` | the row of a segment that is in R2 |
//! | `limits` | limits that a deployment or a simulation sets |
//! | `log` | planning and writing the rows of one append |
//! | `producer` | the last append of each producer, and the verdict on the next one |
//! | `create` | creating a stream, or finding that it exists |
//! | `append` | appending to a stream and closing it |
//! | `read` | a page of the log: from rows, or which segment in R2 holds it |
//! | `page` | cutting a page |
//! | `cold` | encoding segments for R2, recording them, and reading their frames |
//! | `text_end` | how the text before an offset ends |
//! | `lifetime` | when a stream expires, and its removal |
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
mod text_end;

pub use append::AppendOutcome;
pub use cold::{Encoding, EncodingStep, SealedSegment, index_of, page_of_frames};
pub use create::{CreateCommand, CreateOutcome};
pub(crate) use invariant::has_known_bug;
pub use layout::Layout;
pub use limits::StreamLimits;
pub use page::{MalformedMessages, Page, PageContent};
pub use read::{ColdRead, ReadOutcome};
pub use record::Record;
pub use slot::{Slot, Stored, Stream};
pub use tail::Tail;
pub use text_end::TextBefore;
