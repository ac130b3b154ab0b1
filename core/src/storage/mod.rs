//! An object's SQL storage: the trait, its values, the keys of the log, and the schema.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sql` | the synchronous trait and its values |
//! | `row_key` | the log's primary key: an offset and a part, packed into an integer |
//! | `schema` | tables and their version |

pub mod row_key;
pub mod schema;
mod sql;

pub use row_key::RowKey;
pub use sql::{MAX_SAFE_INTEGER, SqlError, SqlParam, SqlRow, SqlStorage, SqlValue, Statement};
