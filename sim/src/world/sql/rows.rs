//! Rows written, as the platform bills them.
//!
//! workerd patches SQLite to count the opcodes that write: each row put into a table, each entry put into an index, and
//! each row that a DELETE removes, but no index entry that is removed, and nothing for DROP TABLE (its source:
//! `patches/sqlite/0001-row-counts-plain.patch`; the cases below were measured on workerd of 2026-11-17). A plain
//! SQLite has no such counter; the same number follows from the rows that a statement changed and from the indexes of
//! its table. A statement whose count is not known to be right is refused rather than guessed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tailrace_core::storage::{SqlError, SqlParam};
use tailrace_sqlite::{AuthAction, Database};

/// Rows that creating a table costs: its entry in the schema is written twice.
const TABLE_ROWS: u64 = 2;
/// Rows that adding a column costs: the table's entry in the schema is written.
const COLUMN_ROWS: u64 = 1;
/// Rows that creating an index costs besides its entries.
const INDEX_ROWS: u64 = 1;

/// Something that a statement does, as SQLite's compiler reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Insert(String),
    Update(String, String),
    Delete,
    CreateTable(String),
    CreateIndex(String),
    AlterTable,
    Drop(String),
}

impl Touch {
    /// The touch that an action of SQLite's compiler stands for; `None` if it writes nothing.
    pub(crate) fn from_action(action: AuthAction<'_>) -> Option<Self> {
        match action {
            AuthAction::Insert { table_name } => Some(Self::Insert(table_name.into())),
            AuthAction::Update { table_name, column_name } => Some(Self::Update(table_name.into(), column_name.into())),
            AuthAction::Delete { .. } => Some(Self::Delete),
            AuthAction::CreateTable { table_name } => Some(Self::CreateTable(table_name.into())),
            AuthAction::CreateIndex { table_name, .. } => Some(Self::CreateIndex(table_name.into())),
            AuthAction::AlterTable { .. } => Some(Self::AlterTable),
            AuthAction::DropTable { table_name } | AuthAction::DropIndex { table_name, .. } => {
                Some(Self::Drop(table_name.into()))
            }
            _ => None,
        }
    }
}

/// What a statement writes, and so how its rows are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Nothing.
    Nothing,
    /// Drops a table, or an index of it.
    Drop { table: String },
    /// Adds a column. (Renaming one has another price, which nobody needs.)
    AddColumn,
    /// Inserts rows into a table and all its indexes. An upsert counts as this, the most that it is billed for.
    Insert { table: String },
    /// Updates columns of a table, and the indexes that hold one of them.
    Update { table: String, columns: Vec<String> },
    /// Deletes rows.
    Delete,
    /// Creates a table.
    CreateTable { table: String },
    /// Creates an index over a table.
    CreateIndex { table: String },
}

impl Write {
    /// What a statement writes that touches all these. If it changes the schema, only that counts, and not the touches
    /// of the schema's own tables that come with it.
    pub(crate) fn of(touches: &[Touch]) -> Self {
        let schema = touches.iter().find_map(|touch| match touch {
            Touch::Drop(table) => Some(Self::Drop { table: table.clone() }),
            Touch::AlterTable => Some(Self::AddColumn),
            Touch::CreateTable(table) => Some(Self::CreateTable { table: table.clone() }),
            Touch::CreateIndex(table) => Some(Self::CreateIndex { table: table.clone() }),
            _ => None,
        });
        let insert = touches.iter().find_map(|touch| match touch {
            Touch::Insert(table) => Some(Self::Insert { table: table.clone() }),
            _ => None,
        });
        schema
            .or(insert)
            .or_else(|| Self::update(touches))
            .unwrap_or_else(|| if touches.contains(&Touch::Delete) { Self::Delete } else { Self::Nothing })
    }

    fn update(touches: &[Touch]) -> Option<Self> {
        let updated = |touch: &Touch| match touch {
            Touch::Update(table, column) => Some((table.clone(), column.clone())),
            _ => None,
        };
        let (table, _) = touches.iter().find_map(updated)?;
        let columns = touches.iter().filter_map(updated).map(|(_, column)| column).collect();
        Some(Self::Update { table, columns })
    }

    /// Whether the statement changes the schema.
    pub(crate) fn is_schema(&self) -> bool {
        matches!(self, Self::Drop { .. } | Self::AddColumn | Self::CreateTable { .. } | Self::CreateIndex { .. })
    }

    /// Rows billed for a statement that changed `changes` rows of a table with these indexes (each a list of its
    /// columns, `None` for an expression).
    pub(crate) fn rows(&self, changes: u64, indexes: &[Vec<Option<String>>]) -> u64 {
        match self {
            Self::Nothing | Self::Drop { .. } => 0,
            Self::AddColumn => COLUMN_ROWS,
            Self::Delete => changes,
            Self::Insert { .. } => changes * (1 + indexes.len() as u64),
            Self::Update { columns, .. } => {
                let holds = |index: &&Vec<Option<String>>| {
                    index.iter().any(|held| held.as_ref().is_none_or(|held| columns.contains(held)))
                };
                changes * (1 + indexes.iter().filter(holds).count() as u64)
            }
            Self::CreateTable { .. } => TABLE_ROWS + indexes.len() as u64,
            Self::CreateIndex { .. } => INDEX_ROWS + changes,
        }
    }
}

/// The indexes of a table, each a list of its columns (`None` for an expression).
type Indexes = Rc<Vec<Vec<Option<String>>>>;

/// What a database has been billed for.
#[derive(Default)]
pub(crate) struct Bill {
    rows: Cell<u64>,
    /// The indexes of the tables that were asked about, by table.
    indexes: RefCell<BTreeMap<String, Indexes>>,
    /// The version of the schema, if it is known.
    version: Cell<Option<u64>>,
}

impl Bill {
    /// The bill of a copied database, into which this many rows were written before.
    pub(crate) fn beginning_with(rows: u64) -> Self {
        Self { rows: Cell::new(rows), ..Self::default() }
    }

    /// Rows written so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.get()
    }

    /// Forgets the schema, which may have changed: writes were undone.
    pub(crate) fn forget_schema(&self) {
        self.indexes.borrow_mut().clear();
        self.version.set(None);
    }

    /// Runs a statement that writes this, and bills it.
    pub(crate) fn charge(
        &self,
        database: &Database,
        write: &Write,
        run: impl FnOnce() -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let version = if write.is_schema() { self.version.get().or_else(|| schema_version(database)) } else { None };
        run()?;
        let rows = match write {
            Write::Nothing => return Ok(()),
            schema if schema.is_schema() => {
                self.version.set(schema_version(database));
                if self.version.get() == version { 0 } else { self.schema_rows(database, schema) }
            }
            Write::Insert { table } | Write::Update { table, .. } => {
                write.rows(database.changes(), &self.indexes_of(database, table))
            }
            _ => write.rows(database.changes(), &[]),
        };
        self.rows.set(self.rows.get() + rows);
        Ok(())
    }

    fn schema_rows(&self, database: &Database, write: &Write) -> u64 {
        if let Write::CreateTable { table } | Write::CreateIndex { table } | Write::Drop { table } = write {
            self.indexes.borrow_mut().retain(|known, _| !known.eq_ignore_ascii_case(table));
        }
        match write {
            Write::CreateTable { table } => write.rows(0, &self.indexes_of(database, table)),
            Write::CreateIndex { table } => write.rows(rows_of(database, table), &[]),
            _ => write.rows(0, &[]),
        }
    }

    /// The indexes of a table that are not the table itself, as the primary key of a table WITHOUT ROWID is.
    fn indexes_of(&self, database: &Database, table: &str) -> Indexes {
        if let Some(indexes) = self.indexes.borrow().get(table) {
            return indexes.clone();
        }
        let names = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE";
        let columns = "SELECT name FROM pragma_index_info(?1)";
        let names = strings(database, names, table);
        let indexes: Indexes = Rc::new(names.iter().flatten().map(|name| strings(database, columns, name)).collect());
        self.indexes.borrow_mut().insert(table.into(), indexes.clone());
        indexes
    }
}

/// How many rows a table has.
pub(crate) fn rows_of(database: &Database, table: &str) -> u64 {
    let count = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
    number(database, &count)
}

fn schema_version(database: &Database) -> Option<u64> {
    Some(number(database, "PRAGMA schema_version"))
}

fn number(database: &Database, sql: &str) -> u64 {
    database.query(sql, &[], |row| row.count(0)).expect("the host's own statement")[0]
}

fn strings(database: &Database, sql: &str, param: &str) -> Vec<Option<String>> {
    let text = database.query(sql, &[SqlParam::Text(param)], |row| Ok(row.optional_text(0)?.map(str::to_owned)));
    text.expect("the host's own statement")
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use tailrace_core::storage::Statement;

    use crate::world::sql::sqlite::Database;

    /// Runs the statements and answers the rows billed for the last one.
    fn billed(statements: &[&'static str]) -> u64 {
        let database = Database::open();
        let mut last = 0;
        for sql in statements {
            let before = database.rows_written();
            let statement = Statement { sql, params: &[], byte_budget: usize::MAX };
            database.exec(statement, &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
            last = database.rows_written() - before;
        }
        last
    }

    #[test]
    fn every_statement_is_billed_as_workerd_bills_it() {
        const PLAIN: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)";
        const KEYED: &str = "CREATE TABLE t (id TEXT PRIMARY KEY, a INTEGER, b INTEGER)";
        const ROWIDLESS: &str = "CREATE TABLE t (id TEXT PRIMARY KEY, a INTEGER, b INTEGER) WITHOUT ROWID";
        const INDEX: &str = "CREATE INDEX i ON t (a)";
        const THREE: &str = "INSERT INTO t (id, a, b) VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)";
        const UPSERT: &str = "INSERT INTO t (id, a) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET a = excluded.a";
        let cases: &[(&[&'static str], u64)] = &[
            // Measured on workerd of 2026-11-17.
            (&[PLAIN], 2),
            (&[KEYED], 3),
            (&[ROWIDLESS], 2),
            (&[PLAIN, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)"], 0),
            (&[PLAIN, "INSERT INTO t (id) VALUES (7)"], 1),
            (&[ROWIDLESS, "INSERT INTO t (id) VALUES (7)"], 1),
            (&[KEYED, "INSERT INTO t (id) VALUES (7)"], 2),
            (&[PLAIN, INDEX, "INSERT INTO t (id) VALUES (7)"], 2),
            (&[PLAIN, THREE], 3),
            (&[PLAIN, THREE, UPSERT], 1),
            (&[ROWIDLESS, THREE, UPSERT], 1),
            (&[PLAIN, THREE, "INSERT OR REPLACE INTO t (id, a) VALUES (1, 9)"], 1),
            (&[PLAIN, THREE, "UPDATE t SET b = 9 WHERE id > 1"], 2),
            (&[PLAIN, THREE, "UPDATE t SET b = 9 WHERE id > 7"], 0),
            (&[PLAIN, THREE, "DELETE FROM t WHERE id > 1"], 2),
            (&[PLAIN, THREE, "DELETE FROM t"], 3),
            (&[ROWIDLESS, THREE, "DELETE FROM t"], 3),
            (&[PLAIN, THREE, "DROP TABLE t"], 0),
            (&["DROP TABLE IF EXISTS t"], 0),
            (&[PLAIN, THREE, "ALTER TABLE t ADD COLUMN c INTEGER NOT NULL DEFAULT 0"], 1),
            (&[ROWIDLESS, THREE, "ALTER TABLE t ADD COLUMN c TEXT"], 1),
            (&[PLAIN, THREE, "SELECT count(*) FROM t"], 0),
            // Follow from the opcodes that workerd counts.
            (&[PLAIN, THREE, "INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING"], 0),
            (&[PLAIN, INDEX, THREE, "UPDATE t SET b = 9"], 3),
            (&[PLAIN, INDEX, THREE, "UPDATE t SET a = 9"], 6),
            (&[PLAIN, INDEX, THREE, "DELETE FROM t WHERE id > 1"], 2),
            (&[PLAIN, THREE, INDEX], 4),
            (&[PLAIN, INDEX, "DROP INDEX i", "INSERT INTO t (id) VALUES (7)"], 1),
            (&[PLAIN, "INSERT INTO t (id) VALUES (7) RETURNING id"], 1),
        ];
        for (statements, rows) in cases {
            assert_eq!(billed(statements), *rows, "{statements:?}");
        }
    }

    #[test]
    fn what_has_not_been_measured_is_refused() {
        let database = Database::open();
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)";
        let statement = Statement { sql: table, params: &[], byte_budget: usize::MAX };
        database.exec(statement, &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
        for sql in [
            "CREATE VIEW v AS SELECT 1",
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE t DROP COLUMN a",
            "CREATE TEMP TABLE t (id INTEGER)",
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",
        ] {
            let statement = Statement { sql, params: &[], byte_budget: usize::MAX };
            assert!(database.exec(statement, &mut |_| Ok(ControlFlow::Continue(()))).is_err(), "{sql}");
        }
    }
}
