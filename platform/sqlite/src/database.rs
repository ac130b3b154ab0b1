//! A connection.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode, MAIN_DB, StatementStatus};
use tailrace_core::storage::{SqlError, SqlParam, SqlRow, SqlStorage, SqlValue, Statement};

use crate::{Operation, Settings, value};

/// Prepared statements that a connection keeps; core has fewer.
const STATEMENTS_KEPT: usize = 256;

/// The database of one object.
pub struct Database {
    connection: RefCell<Connection>,
    settings: Settings,
    /// Bytes of a page, once they were asked for: they stay as they are.
    page_bytes: Cell<Option<u64>>,
    /// Steps of SQLite's machine that core's statements have taken.
    steps: Cell<u64>,
    /// Rows to which core's statements have stepped in scans of whole tables.
    scanned: Cell<u64>,
    /// Whether the host itself asks, which may do anything. The authorizer shares it, and SQLite demands that to be
    /// `Send`.
    is_host: Arc<AtomicBool>,
}

impl Database {
    /// An empty one in memory.
    pub fn open_in_memory(settings: Settings) -> Result<Self, SqlError> {
        Self::over(memory()?, settings)
    }

    fn over(connection: Connection, settings: Settings) -> Result<Self, SqlError> {
        settings.apply(&connection).map_err(|error| failed(&error, "limits"))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // Without this SQLite prepares a statement anew whenever its limit is bound, to look for a better plan.
        let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
        stable.map_err(|error| failed(&error, "stable plans"))?;
        let (page_bytes, steps, scanned, is_host) = <_>::default();
        Ok(Self { connection: RefCell::new(connection), settings, page_bytes, steps, scanned, is_host })
    }

    /// A copy in memory of what this connection sees, open savepoints included, with its settings. It has no savepoint
    /// and no authorizer.
    pub fn copy(&self) -> Result<Self, SqlError> {
        let failed = |error: rusqlite::Error| failed(&error, "copy");
        let mut connection = memory()?;
        self.as_host(|| {
            let mut source = self.connection.borrow_mut();
            let image = source.serialize(MAIN_DB).map_err(failed)?;
            // A database without a page yet has nothing to copy.
            if !image.is_empty() {
                let length = image.len();
                connection.deserialize_read_exact(MAIN_DB, &*image, length, false).map_err(failed)?;
            }
            Ok(())
        })?;
        Self::over(connection, self.settings)
    }

    /// From here on SQLite asks `authorizer` about each thing that a statement does, once, when it is prepared. The host's
    /// own statements are not asked about.
    pub fn set_authorizer(
        &self,
        mut authorizer: impl FnMut(AuthContext<'_>) -> Authorization + Send + 'static,
    ) -> Result<(), SqlError> {
        let is_host = self.is_host.clone();
        let asked = move |context: AuthContext<'_>| match is_host.load(Ordering::Relaxed) {
            true => Authorization::Allow,
            false => authorizer(context),
        };
        self.connection.borrow_mut().authorizer(Some(asked)).map_err(|error| failed(&error, "authorizer"))
    }

    /// How many steps SQLite's machine has taken for the statements of [`SqlStorage::exec`]: some for each row that a
    /// statement looks at, whether it hands it over or not.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// To how many rows the statements of [`SqlStorage::exec`] have stepped in scans of whole tables. The first row of
    /// each scan is not among them.
    pub fn scanned(&self) -> u64 {
        self.scanned.get()
    }

    /// What SQLite's machine does for a statement, in the order of addresses. No authorizer is asked about it.
    pub fn operations(&self, sql: &str) -> Result<Vec<Operation>, SqlError> {
        let failed = |error: rusqlite::Error| failed(&error, sql);
        self.as_host(|| {
            let connection = self.connection.borrow();
            // Parameters are not bound: the program is the same for all.
            let mut explained = connection.prepare(&format!("EXPLAIN {sql}")).map_err(failed)?;
            let mut rows = explained.raw_query();
            let mut operations = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                operations.push(Operation::from_row(row).map_err(failed)?);
            }
            Ok(operations)
        })
    }

    /// Runs what the host itself asks of the database, which no authorizer is asked about.
    fn as_host<T>(&self, body: impl FnOnce() -> T) -> T {
        let outer = self.is_host.swap(true, Ordering::Relaxed);
        let result = body();
        self.is_host.store(outer, Ordering::Relaxed);
        result
    }

    /// Prepares a statement and keeps it, without running it. Fails where its text is wrong or the authorizer denies
    /// something.
    pub fn prepare(&self, sql: &str) -> Result<(), SqlError> {
        self.connection.borrow().prepare_cached(sql).map(drop).map_err(|error| failed(&error, sql))
    }

    /// What a statement of the host's own answers, each row as `read` understands it. No authorizer is asked about it.
    pub fn query<T>(
        &self,
        sql: &str,
        params: &[SqlParam<'_>],
        mut read: impl FnMut(SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut found = Vec::new();
        self.as_host(|| {
            self.step(sql, params, usize::MAX, &mut |row| {
                found.push(read(row)?);
                Ok(ControlFlow::Continue(()))
            })
            .map(drop)
        })?;
        Ok(found)
    }

    /// Rows that the latest INSERT, UPDATE or DELETE has put in, changed or taken away.
    pub fn changes(&self) -> u64 {
        self.connection.borrow().changes()
    }

    /// Runs a statement of the host's own that answers nothing.
    pub(crate) fn host_statement(&self, sql: &'static str) -> Result<(), SqlError> {
        self.query(sql, &[], |_| Ok(())).map(drop)
    }

    /// Runs a statement. Returns how many steps SQLite's machine has taken for it, and to how many rows it has stepped in
    /// scans of whole tables.
    fn step(
        &self,
        sql: &str,
        params: &[SqlParam<'_>],
        byte_budget: usize,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(u64, u64), SqlError> {
        let failed = |error: rusqlite::Error| failed(&error, sql);
        let connection = self.connection.borrow();
        let mut prepared = connection.prepare_cached(sql).map_err(failed)?;
        if prepared.parameter_count() != params.len() {
            let wanted = prepared.parameter_count();
            return Err(SqlError::new(format!("{} parameters for {wanted}: {sql}", params.len())));
        }
        for (index, param) in params.iter().enumerate() {
            prepared.raw_bind_parameter(index + 1, value::bound(param, &self.settings)?).map_err(failed)?;
        }
        // A run that failed has left what was counted.
        prepared.reset_status(StatementStatus::VmStep);
        prepared.reset_status(StatementStatus::FullscanStep);
        let columns = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut blob_bytes = 0_usize;
        let mut values = Vec::with_capacity(columns);
        // A statement that is prepared anew has been asked about before: only the schema has changed since.
        let mut next = self.as_host(|| rows.next()).map_err(failed)?;
        while let Some(found) = next {
            values.clear();
            for index in 0..columns {
                let value = value::read(found.get_ref(index).map_err(failed)?, self.settings.integers);
                if let SqlValue::Blob(bytes) = &value {
                    blob_bytes = blob_bytes.saturating_add(bytes.len());
                }
                values.push(value);
            }
            if row(SqlRow(&values))?.is_break() || blob_bytes >= byte_budget {
                // Workers look for the next row before anybody wants it.
                rows.next().map_err(failed)?;
                break;
            }
            next = rows.next().map_err(failed)?;
        }
        drop(rows);
        let counted = |status| u64::try_from(prepared.reset_status(status)).unwrap_or_default();
        Ok((counted(StatementStatus::VmStep), counted(StatementStatus::FullscanStep)))
    }
}

impl SqlStorage for Database {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let Statement { sql, params, byte_budget } = statement;
        let (steps, scanned) = self.step(sql, params, byte_budget, row)?;
        self.steps.set(self.steps.get() + steps);
        self.scanned.set(self.scanned.get() + scanned);
        Ok(())
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.in_transaction(body)
    }

    fn database_bytes(&self) -> Result<u64, SqlError> {
        // Each is a statement that is kept; a SELECT over the pragmas as tables would prepare each of them at each call.
        let number = |sql| match self.query(sql, &[], |row| row.count(0))?.first() {
            Some(number) => Ok(*number),
            None => Err(SqlError::new("SQLite does not tell its size")),
        };
        let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
        if self.page_bytes.get().is_none() {
            self.page_bytes.set(Some(number("PRAGMA page_size")?));
        }
        Ok(pages * self.page_bytes.get().unwrap_or_default())
    }
}

fn memory() -> Result<Connection, SqlError> {
    Connection::open_in_memory().map_err(|error| failed(&error, "open"))
}

fn failed(error: &rusqlite::Error, sql: &str) -> SqlError {
    let message = format!("{error}: {sql}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => SqlError::full(message),
        _ => SqlError::new(message),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::hooks::AuthAction;

    use super::*;
    use crate::Savepoint;

    fn open(settings: Settings) -> Database {
        Database::open_in_memory(settings).unwrap()
    }

    fn with_table() -> Database {
        let database = open(Settings::default());
        database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY)", &[]).unwrap();
        database
    }

    fn ids(database: &Database) -> usize {
        database.query("SELECT id FROM t", &[], |row| row.count(0)).unwrap().len()
    }

    #[test]
    fn rows_stop_at_a_break_at_an_error_and_at_the_byte_budget() {
        let database = with_table();
        database.run("INSERT INTO t (v) VALUES (x'0000'), (x'0000'), (x'0000'), (x'0000')", &[]).unwrap();
        let count = |byte_budget, stop_after: usize| {
            let mut seen = 0;
            let statement = Statement { sql: "SELECT v FROM t ORDER BY id", params: &[], byte_budget };
            database
                .exec(statement, &mut |_| {
                    seen += 1;
                    Ok(if seen == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                })
                .unwrap();
            seen
        };
        assert_eq!(count(usize::MAX, 0), 4);
        assert_eq!(count(usize::MAX, 2), 2);
        assert_eq!(count(4, 0), 2, "the row that reaches the budget is the last");
        assert_eq!(count(3, 0), 2);
        assert_eq!(count(0, 0), 1);
        let failing = Statement { sql: "SELECT v FROM t", params: &[], byte_budget: usize::MAX };
        assert!(database.exec(failing, &mut |_| Err(SqlError::new("enough"))).is_err());
    }

    #[test]
    fn steps_are_those_of_each_run_whether_or_not_the_one_before_has_failed() {
        let database = with_table();
        database.run("INSERT INTO t (v) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)", &[]).unwrap();
        let steps = |limit: i64, fails: bool| {
            let before = database.steps();
            let params = [SqlParam::Integer(limit)];
            let statement = Statement { sql: "SELECT v FROM t LIMIT ?1", params: &params, byte_budget: usize::MAX };
            let ran = database.exec(statement, &mut |_| match fails {
                true => Err(SqlError::new("enough")),
                false => Ok(ControlFlow::Continue(())),
            });
            assert_eq!(ran.is_err(), fails);
            database.steps() - before
        };
        let one = steps(1, false);
        assert!(one > 0 && steps(9, false) > 3 * one, "some for each row");
        steps(9, true);
        assert_eq!(steps(1, false), one);
    }

    #[test]
    fn an_error_names_its_statement() {
        let database = with_table();
        for (sql, params, message) in [
            ("SELECT x FROM t", &[][..], "no such column: x in SELECT x FROM t at offset 7: SELECT x FROM t"),
            ("SELECT ?1", &[][..], "0 parameters for 1: SELECT ?1"),
            ("SELECT 1", &[SqlParam::Null][..], "1 parameters for 0: SELECT 1"),
        ] {
            assert_eq!(database.run(sql, params), Err(SqlError::new(message)));
        }
    }

    #[test]
    fn a_full_database_says_so_and_a_dropped_table_makes_room() {
        let database = with_table();
        database.query("PRAGMA max_page_count = 8", &[], |_| Ok(())).unwrap();
        let insert = || database.transaction(|| database.run("INSERT INTO t (v) VALUES (zeroblob(1000))", &[]));
        let error = (0..100).find_map(|_| insert().err()).expect("eight pages are full at some time");
        assert!(error.is_full, "{error}");
        assert_eq!(database.database_bytes(), Ok(8 * 4_096));
        database.run("DROP TABLE t", &[]).unwrap();
        assert_eq!(database.database_bytes(), Ok(4_096));
        assert!(!database.run("SELECT * FROM t", &[]).unwrap_err().is_full);
    }

    #[test]
    fn changes_are_those_of_the_latest_write() {
        let database = with_table();
        for (sql, changes) in [
            ("INSERT INTO t (v) VALUES (1), (2), (3)", 3),
            ("UPDATE t SET v = 9 WHERE id > 1", 2),
            ("UPDATE t SET v = 9 WHERE id > 7", 0),
            ("DELETE FROM t", 3),
        ] {
            database.run(sql, &[]).unwrap();
            assert_eq!(database.changes(), changes, "{sql}");
        }
    }

    #[test]
    fn settings_bound_what_a_statement_may_be() {
        // SQLite's own schema needs five columns and a text of some hundred bytes.
        let few = Settings { parameters: 2, columns: 5, sql_bytes: 200, value_bytes: 1_000, ..Settings::default() };
        let long = format!("SELECT /* {} */ 1", " ".repeat(200));
        let nulls = [SqlParam::Null; 3];
        for (sql, params) in [
            ("SELECT ?1, ?2, ?3", &nulls[..]),
            ("SELECT 1, 2, 3, 4, 5, 6", &[]),
            (long.leak(), &[]),
            ("SELECT zeroblob(1001)", &[]),
        ] {
            assert!(open(few).run(sql, params).is_err(), "{sql}");
            assert_eq!(open(Settings::default()).run(sql, params), Ok(()));
        }
        assert_eq!(open(few).run("SELECT ?1, ?2, 3, 4, zeroblob(1000)", &nulls[..2]), Ok(()));
    }

    #[test]
    fn the_authorizer_is_asked_about_all_but_the_hosts_own_statements() {
        let database = with_table();
        let denies_deletion = |context: AuthContext<'_>| match context.action {
            AuthAction::Delete { .. } | AuthAction::Savepoint { .. } => Authorization::Deny,
            _ => Authorization::Allow,
        };
        database.set_authorizer(denies_deletion).unwrap();
        assert!(database.run("INSERT INTO t (v) VALUES (1)", &[]).is_ok());
        assert!(database.run("DELETE FROM t WHERE id > 5", &[]).is_err());
        assert!(database.prepare("DELETE FROM t WHERE id > 6").is_err());
        assert!(database.run("SAVEPOINT s", &[]).is_err());
        assert!(database.transaction(|| database.run("INSERT INTO t (v) VALUES (2)", &[])).is_ok());
        assert!(database.as_host(|| database.prepare("DELETE FROM t WHERE id > 7")).is_ok());
        assert!(database.query("DELETE FROM t WHERE id > 8", &[], |_| Ok(())).is_ok());
        assert!(database.run("DELETE FROM t WHERE id > 9", &[]).is_err(), "the host has gone");
        assert!(database.copy().unwrap().run("DELETE FROM t WHERE id > 9", &[]).is_ok(), "a copy has no authorizer");
    }

    #[test]
    fn a_copy_sees_what_is_not_committed_and_then_goes_its_own_way() {
        let database = with_table();
        database.begin(Savepoint::Batch).unwrap();
        database.run("INSERT INTO t (v) VALUES (1)", &[]).unwrap();
        let copy = database.copy().unwrap();
        database.undo(Savepoint::Batch).unwrap();
        assert_eq!((ids(&database), ids(&copy)), (0, 1));
        copy.begin(Savepoint::Batch).unwrap();
        copy.run("INSERT INTO t (v) VALUES (2)", &[]).unwrap();
        assert_eq!((ids(&database), ids(&copy)), (0, 2));
        copy.undo(Savepoint::Batch).unwrap();
        assert_eq!(ids(&copy), 1);
        let empty = open(Settings::default()).copy().unwrap();
        assert_eq!(empty.query("SELECT 1 FROM sqlite_schema", &[], |_| Ok(())), Ok(vec![]));
    }
}
