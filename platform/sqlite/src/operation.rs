//! What SQLite's machine does for a statement, as EXPLAIN tells it.

use rusqlite::Row;

/// One operation of a statement's program. Its place in the program is its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it does, as SQLite names it (sqlite.org/opcode.html).
    pub name: String,
    /// Its first operand: for what reads or writes a table, the number of the cursor.
    pub cursor: i64,
    /// Its second operand: for what may jump, where to.
    pub jump: i64,
    /// Its fifth operand: flags.
    pub flags: i64,
}

impl Operation {
    /// From a row of what EXPLAIN answers.
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { name: row.get(1)?, cursor: row.get(2)?, jump: row.get(3)?, flags: row.get(6)? })
    }
}
