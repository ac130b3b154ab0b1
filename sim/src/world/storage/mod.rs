//! Which writes of an object are durable, and what waits until they are.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `journal` | which writes are durable |
//! | `gate` | what waits until writes are durable |
//! | `object_sql` | the storage as one instance sees it |
//! | `outlet` | what everything that leaves an instance passes |
//! | `faults` | what goes wrong |

mod faults;
pub(super) mod gate;
pub(super) mod journal;
pub(super) mod object_sql;
pub(super) mod outlet;

pub use faults::StorageFaults;
pub use object_sql::{ObjectSql, PAGE_BYTES};
