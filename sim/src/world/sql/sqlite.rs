//! A real SQLite with the platform's limits and bans, so that nothing passes here that Workers would refuse, and with
//! its bill.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rusqlite::hooks::AuthContext;
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, MAIN_DB};
use tailrace_core::storage::{MAX_SAFE_INTEGER, SqlError, SqlParam, SqlRow, SqlValue, Statement};

use crate::world::sql::guard::{Guard, UNREPEATABLE_KEYWORDS};
use crate::world::sql::rows::Write;

/// Bound parameters of a statement; columns of a table (Cloudflare, Durable Objects limits).
const PARAMETER_LIMIT: i32 = 100;
const COLUMN_LIMIT: i32 = 100;
/// Bytes of a statement's text (Cloudflare, Durable Objects limits).
const SQL_LIMIT: i32 = 100_000;
/// Bytes of a row, a BLOB or a string (Cloudflare, Durable Objects limits).
const ROW_LIMIT: i32 = 2 * 1024 * 1024;
/// Prepared statements that a connection keeps; core has fewer.
const STATEMENTS_KEPT: usize = 256;

type Indexes = Rc<Vec<Vec<Option<String>>>>;

/// The database of one object.
pub(crate) struct Database {
    connection: RefCell<Connection>,
    guard: Arc<Guard>,
    writes: RefCell<BTreeMap<&'static str, Rc<Write>>>,
    indexes: RefCell<BTreeMap<String, Indexes>>,
    rows_written: Cell<u64>,
}

impl Database {
    /// An empty one.
    pub(crate) fn open() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
        Self::over(connection, 0)
    }

    fn over(mut connection: Connection, rows_written: u64) -> Self {
        let guard = Arc::new(Guard::default());
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETER_LIMIT),
            (Limit::SQLITE_LIMIT_COLUMN, COLUMN_LIMIT),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_LIMIT),
            (Limit::SQLITE_LIMIT_LENGTH, ROW_LIMIT),
        ] {
            connection.set_limit(limit, value).expect("SQLite knows its limits");
        }
        let asked = guard.clone();
        connection
            .authorizer(Some(move |context: AuthContext<'_>| asked.authorize(context)))
            .expect("a fresh database");
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Self {
            connection: RefCell::new(connection),
            guard,
            writes: RefCell::default(),
            indexes: RefCell::default(),
            rows_written: Cell::new(rows_written),
        }
    }

    /// A copy as this connection sees it, what is not yet durable included.
    pub(crate) fn fork(&self) -> Self {
        self.as_host(|| {
            let mut connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
            let mut source = self.connection.borrow_mut();
            let image = source.serialize(MAIN_DB).expect("a database in memory serializes");
            // A database without a page yet has nothing to copy.
            if !image.is_empty() {
                let length = image.len();
                connection.deserialize_read_exact(MAIN_DB, &*image, length, false).expect("the image is whole");
            }
            Self::over(connection, self.rows_written.get())
        })
    }

    /// Rows written so far, as the platform bills them.
    pub(crate) fn rows_written(&self) -> u64 {
        self.rows_written.get()
    }

    /// Whether the statement writes, once it has passed the bans.
    pub(crate) fn is_write(&self, sql: &'static str) -> Result<bool, SqlError> {
        Ok(*self.write_of(sql)? != Write::Nothing)
    }

    /// Runs a statement; see `SqlStorage::exec`.
    pub(crate) fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let write = self.write_of(statement.sql)?;
        let version = if write.is_schema() { self.schema_version() } else { 0 };
        self.step(statement, row)?;
        let rows = match &*write {
            Write::Nothing => return Ok(()),
            schema if schema.is_schema() => {
                self.indexes.borrow_mut().clear();
                if self.schema_version() == version { 0 } else { self.schema_rows(schema) }
            }
            Write::Insert { table } | Write::Update { table, .. } => {
                write.rows(self.changes(), &self.indexes_of(table))
            }
            _ => write.rows(self.changes(), &[]),
        };
        self.rows_written.set(self.rows_written.get() + rows);
        Ok(())
    }

    /// What `body` wrote stays if it answers `Ok`, and is undone otherwise. Nests.
    pub(crate) fn transaction<T, E>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.host_statement("SAVEPOINT inner_transaction");
        let result = body();
        if result.is_err() {
            self.host_statement("ROLLBACK TO inner_transaction");
            self.indexes.borrow_mut().clear();
        }
        self.host_statement("RELEASE inner_transaction");
        result
    }

    /// Begins a batch of writes within those that are not durable yet.
    pub(crate) fn begin_batch(&self) {
        self.host_statement("SAVEPOINT batch");
    }

    /// Undoes the latest batch.
    pub(crate) fn undo_batch(&self) {
        self.host_statement("ROLLBACK TO batch");
        self.indexes.borrow_mut().clear();
        self.host_statement("RELEASE batch");
    }

    /// Joins the latest batch, which wrote nothing, to the one before it.
    pub(crate) fn drop_batch(&self) {
        self.host_statement("RELEASE batch");
    }

    /// Makes all batches durable.
    pub(crate) fn commit(&self) {
        self.host_statement("COMMIT");
    }

    /// Tables by name with their rows.
    pub(crate) fn tables(&self) -> Vec<(String, u64)> {
        self.as_host(|| {
            let connection = self.connection.borrow();
            let names = strings(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", []);
            names
                .into_iter()
                .flatten()
                .map(|table| {
                    let count = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
                    let rows = connection.query_row(&count, [], |row| row.get::<_, i64>(0));
                    (table, rows.expect("a table can be counted") as u64)
                })
                .collect()
        })
    }

    /// What a statement of one text column answers; nothing where a table that it names is not there.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        self.as_host(|| {
            let connection = self.connection.borrow();
            let Ok(mut prepared) = connection.prepare(sql) else { return Vec::new() };
            let rows =
                prepared.query_map([], |row| row.get::<_, Option<String>>(0)).expect("the judge's own statement");
            rows.filter_map(|text| text.expect("a column of text")).collect()
        })
    }

    fn write_of(&self, sql: &'static str) -> Result<Rc<Write>, SqlError> {
        if let Some(write) = self.writes.borrow().get(sql) {
            return Ok(write.clone());
        }
        let text = sql.trim_end().trim_end_matches(';').to_ascii_uppercase();
        if let Some(keyword) = UNREPEATABLE_KEYWORDS.iter().find(|keyword| text.contains(**keyword)) {
            return Err(SqlError::new(format!("{keyword} is not repeatable: {sql}")));
        }
        if text.contains(';') {
            return Err(SqlError::new(format!("more than one statement: {sql}")));
        }
        self.guard.take();
        self.connection.borrow().prepare_cached(sql).map_err(|error| sql_error(&error, sql))?;
        let write = Rc::new(Write::of(&self.guard.take()));
        if *write == Write::AddColumn && !text.contains(" ADD COLUMN ") {
            return Err(SqlError::new(format!("nobody has measured what this costs: {sql}")));
        }
        self.writes.borrow_mut().insert(sql, write.clone());
        Ok(write)
    }

    fn step(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let Statement { sql, params, byte_budget } = statement;
        let failed = |error: rusqlite::Error| sql_error(&error, sql);
        let connection = self.connection.borrow();
        let mut prepared = connection.prepare_cached(sql).map_err(failed)?;
        if prepared.parameter_count() != params.len() {
            let wanted = prepared.parameter_count();
            return Err(SqlError::new(format!("{} parameters for {wanted}: {sql}", params.len())));
        }
        for (index, param) in params.iter().enumerate() {
            prepared.raw_bind_parameter(index + 1, bound(param)?).map_err(failed)?;
        }
        let columns = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut blob_bytes = 0_usize;
        let mut values = Vec::with_capacity(columns);
        while let Some(found) = rows.next().map_err(failed)? {
            values.clear();
            for index in 0..columns {
                let value = as_from_javascript(found.get_ref(index).map_err(failed)?);
                if let SqlValue::Blob(bytes) = &value {
                    blob_bytes = blob_bytes.saturating_add(bytes.len());
                }
                values.push(value);
            }
            if row(SqlRow(&values))?.is_break() || blob_bytes >= byte_budget {
                break;
            }
        }
        Ok(())
    }

    fn changes(&self) -> u64 {
        self.connection.borrow().changes()
    }

    fn schema_version(&self) -> i64 {
        self.as_host(|| {
            let connection = self.connection.borrow();
            let mut version = connection.prepare_cached("PRAGMA schema_version").expect("the host's own statement");
            version.query_row([], |row| row.get(0)).expect("the host's own statement")
        })
    }

    fn schema_rows(&self, write: &Write) -> u64 {
        match write {
            Write::CreateTable { table } => write.rows(0, &self.indexes_of(table)),
            Write::CreateIndex { table } => {
                let count = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
                let rows = self.as_host(|| self.connection.borrow().query_row(&count, [], |row| row.get::<_, i64>(0)));
                write.rows(rows.expect("a table can be counted") as u64, &[])
            }
            _ => write.rows(0, &[]),
        }
    }

    /// The indexes of a table that are not the table itself, as the primary key of a table WITHOUT ROWID is.
    fn indexes_of(&self, table: &str) -> Indexes {
        if let Some(indexes) = self.indexes.borrow().get(table) {
            return indexes.clone();
        }
        let indexes = self.as_host(|| {
            let connection = self.connection.borrow();
            let names = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE";
            let columns = "SELECT name FROM pragma_index_info(?1)";
            let names = strings(&connection, names, [table]);
            Rc::new(
                names.iter().flatten().map(|name| strings(&connection, columns, [name.as_str()])).collect::<Vec<_>>(),
            )
        });
        self.indexes.borrow_mut().insert(table.into(), indexes.clone());
        indexes
    }

    fn host_statement(&self, sql: &'static str) {
        self.as_host(|| {
            let connection = self.connection.borrow();
            let mut prepared = connection.prepare_cached(sql).expect("the host's own statement");
            prepared.execute([]).expect("the host's own statement");
        });
    }

    /// Runs what the host itself asks of the database: the bans are core's.
    fn as_host<T>(&self, body: impl FnOnce() -> T) -> T {
        let outer = self.guard.host.swap(true, Ordering::Relaxed);
        let result = body();
        self.guard.host.store(outer, Ordering::Relaxed);
        result
    }
}

fn strings(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> Vec<Option<String>> {
    let mut prepared = connection.prepare_cached(sql).expect("the host's own statement");
    let rows = prepared.query_map(params, |row| row.get(0)).expect("the host's own statement");
    rows.collect::<Result<_, _>>().expect("the host's own statement")
}

fn sql_error(error: &rusqlite::Error, sql: &str) -> SqlError {
    SqlError::new(format!("{error}: {sql}"))
}

fn bound<'a>(param: &SqlParam<'a>) -> Result<ToSqlOutput<'a>, SqlError> {
    let too_long = |bytes: &[u8]| bytes.len() > ROW_LIMIT as usize;
    match *param {
        SqlParam::Null => Ok(ToSqlOutput::Owned(Value::Null)),
        SqlParam::Integer(integer) if integer.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() => {
            Ok(ToSqlOutput::Owned(Value::Integer(integer)))
        }
        SqlParam::Integer(integer) => Err(SqlError::new(format!("{integer} is beyond what JavaScript holds"))),
        SqlParam::Text(text) if too_long(text.as_bytes()) => Err(SqlError::new("string or blob too big")),
        SqlParam::Blob(blob) if too_long(blob) => Err(SqlError::new("string or blob too big")),
        SqlParam::Text(text) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
        SqlParam::Blob(blob) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(blob))),
    }
}

/// Workers hand every number over as a double.
fn as_from_javascript(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(integer) => SqlValue::Real(integer as f64),
        ValueRef::Real(real) => SqlValue::Real(real),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => SqlValue::Blob(Bytes::copy_from_slice(blob)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(database: &Database, sql: &'static str, params: &[SqlParam<'_>]) -> Result<Vec<Vec<SqlValue>>, SqlError> {
        let mut rows = Vec::new();
        database.exec(Statement { sql, params, byte_budget: usize::MAX }, &mut |row| {
            rows.push(row.0.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    fn with_table() -> Database {
        let database = Database::open();
        run(&database, "CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY)", &[]).unwrap();
        database
    }

    fn ids(database: &Database) -> usize {
        run(database, "SELECT id FROM t", &[]).unwrap().len()
    }

    #[test]
    fn what_workers_refuse_or_no_seed_repeats_is_refused() {
        let database = with_table();
        let columns =
            format!("CREATE TABLE wide ({})", (0..101).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
        let long = format!("SELECT 1 /* {} */", " ".repeat(100_000));
        for sql in [
            "SELECT random()",
            "SELECT randomblob(8)",
            "SELECT datetime('now')",
            "SELECT unixepoch()",
            "SELECT strftime('%s')",
            "SELECT CURRENT_TIMESTAMP",
            "INSERT INTO t (v) VALUES (current_date)",
            "BEGIN",
            "COMMIT",
            "SAVEPOINT s",
            "PRAGMA user_version",
            "ATTACH ':memory:' AS other",
            "SELECT 1; SELECT 2",
            "SELECT ?101",
            columns.leak(),
            long.leak(),
        ] {
            assert!(run(&database, sql, &[]).is_err(), "{}", &sql[..sql.len().min(80)]);
        }
        assert!(run(&database, "SELECT abs(-1), max(1, 2), length('a'), count(*) FROM t;", &[]).is_ok());
    }

    #[test]
    fn parameters_keep_to_the_platforms_limits() {
        let database = with_table();
        const INSERT: &str = "INSERT INTO t (v) VALUES (?1)";
        let mib = vec![0_u8; 2 << 20];
        let text = "x".repeat(2 << 20);
        let most = MAX_SAFE_INTEGER;
        let cases: &[(&[SqlParam<'_>], bool)] = &[
            (&[SqlParam::Integer(most)], true),
            (&[SqlParam::Integer(-most)], true),
            (&[SqlParam::Integer(most + 1)], false),
            (&[SqlParam::Integer(i64::MIN)], false),
            (&[SqlParam::Blob(&mib[..2_000_000])], true),
            (&[SqlParam::Blob(&mib)], false),
            (&[SqlParam::Text(&text)], false),
            (&[], false),
            (&[SqlParam::Null, SqlParam::Null], false),
        ];
        for (params, accepted) in cases {
            let result = run(&database, INSERT, params);
            assert_eq!(result.is_ok(), *accepted, "{:?}", result.err());
        }
    }

    #[test]
    fn integers_come_back_as_javascript_hands_them_over() {
        let database = with_table();
        run(&database, "INSERT INTO t (v) VALUES (?1)", &[SqlParam::Integer(7)]).unwrap();
        assert_eq!(run(&database, "SELECT v FROM t", &[]).unwrap(), [[SqlValue::Real(7.0)]]);
    }

    #[test]
    fn rows_stop_at_a_break_at_an_error_and_at_the_byte_budget() {
        let database = with_table();
        run(&database, "INSERT INTO t (v) VALUES (x'0000'), (x'0000'), (x'0000'), (x'0000')", &[]).unwrap();
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
    fn transactions_nest_and_undo_only_their_own_writes() {
        let database = with_table();
        const INSERT: &str = "INSERT INTO t (v) VALUES (1)";
        let outcome: Result<(), SqlError> = database.transaction(|| {
            run(&database, INSERT, &[])?;
            let inner: Result<(), SqlError> = database.transaction(|| {
                run(&database, INSERT, &[])?;
                run(&database, "CREATE TABLE u (id INTEGER)", &[])?;
                Err(SqlError::new("undo"))
            });
            assert!(inner.is_err());
            database.transaction(|| run(&database, INSERT, &[]).map(drop))
        });
        assert!(outcome.is_ok());
        assert_eq!(database.tables(), [("t".to_owned(), 2)]);
    }

    #[test]
    fn batches_are_undone_from_the_latest_and_a_commit_keeps_the_rest() {
        let database = with_table();
        for _ in 0..3 {
            database.begin_batch();
            run(&database, "INSERT INTO t (v) VALUES (1)", &[]).unwrap();
        }
        database.begin_batch();
        run(&database, "DROP TABLE t", &[]).unwrap();
        database.undo_batch();
        database.undo_batch();
        assert_eq!(ids(&database), 2);
        database.commit();
        assert_eq!(ids(&database), 2);
    }

    #[test]
    fn a_fork_sees_what_is_not_durable_and_then_goes_its_own_way() {
        let database = with_table();
        database.begin_batch();
        run(&database, "INSERT INTO t (v) VALUES (1)", &[]).unwrap();
        let fork = database.fork();
        database.undo_batch();
        assert_eq!((ids(&database), ids(&fork)), (0, 1));
        fork.begin_batch();
        run(&fork, "INSERT INTO t (v) VALUES (2)", &[]).unwrap();
        assert_eq!((ids(&database), ids(&fork)), (0, 2));
        fork.undo_batch();
        assert_eq!(ids(&fork), 1);
        assert_eq!(Database::open().fork().tables(), []);
    }
}
