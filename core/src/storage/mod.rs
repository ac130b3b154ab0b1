//! An object's SQL storage: the trait, its values, the keys of the log, and the schema.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sql` | the synchronous trait and its values |
//! | `log_table` | the two tables of the hot log |
//! | `row_key` | the log's primary key: an offset and a part, packed into an integer |
//! | `schema` | tables, their version, and the steps from one to the next |

mod log_table;
pub mod row_key;
pub mod schema;
mod sql;

pub use log_table::LogTable;
pub(crate) use log_table::log_sql;
pub use row_key::RowKey;
pub use sql::{MAX_SAFE_INTEGER, SqlError, SqlParam, SqlRow, SqlStorage, SqlValue, Statement};
