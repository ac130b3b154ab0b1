//! A real SQLite behind each object.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `sqlite` | a database with the platform's limits |
//! | `guard` | what its statements may do |
//! | `rows` | its bill |

pub(super) mod guard;
pub(super) mod rows;
pub(super) mod sqlite;
