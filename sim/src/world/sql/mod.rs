//! The SQL storage of objects: a real SQLite for each.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sqlite` | a database with the platform's limits |
//! | `guard` | what its statements may do |
//! | `effort` | how much they may look at |
//! | `rows` | the rows written that it is billed for |
//! | `reads` | the rows read that it is billed for |

mod effort;
pub(super) mod guard;
mod reads;
pub(super) mod rows;
pub(super) mod sqlite;
