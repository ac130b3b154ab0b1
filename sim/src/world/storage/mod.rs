//! What of an object's writes is durable, and what waits for it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `journal` | which writes are durable |
//! | `gate` | what waits for them |
//! | `object_sql` | the storage as one instance sees it |
//! | `outlet` | the way out of one instance |
//! | `faults` | what goes wrong |

mod faults;
pub(super) mod gate;
pub(super) mod journal;
pub(super) mod object_sql;
pub(super) mod outlet;

pub use faults::StorageFaults;
pub use object_sql::ObjectSql;
