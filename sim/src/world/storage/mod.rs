//! What of an object's writes is durable, and what waits for it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `journal` | which writes are durable |
//! | `gate` | what waits for them |
//! | `faults` | what goes wrong |

mod faults;
pub(crate) mod gate;
pub(crate) mod journal;

pub use faults::StorageFaults;
