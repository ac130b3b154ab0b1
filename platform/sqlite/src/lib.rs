//! rusqlite as the storage of an object: `tailrace_core::storage::SqlStorage` over a real SQLite.
//!
//! A host that allows less than SQLite does sets limits ([`Settings`]) and an authorizer
//! ([`Database::set_authorizer`]); one that bills what is written asks how many rows a statement changed
//! ([`Database::changes`]). The host's own statements, those that open and end savepoints among them, pass without being
//! asked about ([`Database::query`]).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `database` | a connection: statements, the authorizer, copies |
//! | `operation` | what SQLite's machine does for a statement |
//! | `savepoint` | transactions, and batches that can be undone later |
//! | `settings` | limits, and how integers are handed over |
//! | `value` | values on their way to SQLite and back |

mod database;
mod operation;
mod savepoint;
mod settings;
mod value;

pub use database::Database;
pub use operation::Operation;
pub use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
pub use savepoint::Savepoint;
pub use settings::{Integers, Settings};
