//! What a host sets.

use rusqlite::Connection;
use rusqlite::limits::Limit;

/// Limits of a database, and how it hands integers over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most parameters that a statement binds.
    pub parameters: u32,
    /// Most columns of a table, an index or a result.
    pub columns: u32,
    /// Longest text of a statement, in bytes.
    pub sql_bytes: u32,
    /// Largest row, string or blob, in bytes.
    pub value_bytes: u32,
    /// How integers of result rows are handed over.
    pub integers: Integers,
}

/// How integers of result rows are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// As integers.
    Exact,
    /// As doubles: what a host does whose numbers pass through JavaScript.
    Doubles,
}

impl Default for Settings {
    /// SQLite's own limits (its documentation, "Implementation Limits"), and exact integers.
    fn default() -> Self {
        Self {
            parameters: 32_766,
            columns: 2_000,
            sql_bytes: 1_000_000_000,
            value_bytes: 1_000_000_000,
            integers: Integers::Exact,
        }
    }
}

impl Settings {
    /// Sets the limits of a connection.
    pub(crate) fn apply(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, self.parameters),
            (Limit::SQLITE_LIMIT_COLUMN, self.columns),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, self.sql_bytes),
            (Limit::SQLITE_LIMIT_LENGTH, self.value_bytes),
        ] {
            connection.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX))?;
        }
        Ok(())
    }
}
