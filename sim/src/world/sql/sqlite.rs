//! A real SQLite with the platform's limits and bans, so that it refuses what Workers refuse, and with the count of
//! rows that are billed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use tailrace_core::storage::{SqlError, SqlRow, SqlStorage, Statement};
use tailrace_sqlite::{AuthContext, Savepoint};

use crate::world::sql::effort::excess;
use crate::world::sql::guard::{Guard, PLATFORM, check_text};
use crate::world::sql::reads::Reads;
use crate::world::sql::rows::{Bill, Write, rows_of};

/// What a panic says if one of the host's own statements fails, which cannot happen.
const HOST: &str = "the host's own statement";

thread_local! {
    /// What each statement reads that does not change the schema.
    static READS: RefCell<BTreeMap<&'static str, Reads>> = const { RefCell::new(BTreeMap::new()) };
}

/// Where the text of a statement is, and how long it is.
type Place = (usize, usize);

/// The database of one object.
pub(crate) struct Database {
    sqlite: tailrace_sqlite::Database,
    guard: Arc<Guard>,
    bill: Bill,
    /// Rows that statements have read.
    read: Cell<u64>,
    /// Whether an alarm was ever set. The platform keeps it in a table of its own, which is in the schema from then on.
    had_alarm: Cell<bool>,
    /// What each statement that has passed the bans writes.
    writes: RefCell<BTreeMap<&'static str, Rc<Write>>>,
    /// The same by where a text is and how long it is: one text may be at several places.
    places: RefCell<BTreeMap<Place, Rc<Write>>>,
    /// The one that was asked about last: whoever runs a statement has asked before whether it writes.
    last: RefCell<Option<(Place, Rc<Write>)>>,
    /// Bytes of all pages that are not free, where nothing was written since they were counted.
    counted: Cell<Option<u64>>,
    /// What is wrong with the last statement that looked at too many rows.
    excess: RefCell<Option<String>>,
}

impl Database {
    /// An empty database.
    pub(crate) fn open() -> Self {
        let sqlite = tailrace_sqlite::Database::open_in_memory(PLATFORM).expect("SQLite opens a database in memory");
        Self::over(sqlite, Bill::default(), 0)
    }

    fn over(sqlite: tailrace_sqlite::Database, bill: Bill, read: u64) -> Self {
        let guard = Arc::new(Guard::default());
        let asked = guard.clone();
        sqlite.set_authorizer(move |context: AuthContext<'_>| asked.authorize(context)).expect("a fresh database");
        let (had_alarm, writes, places, last, counted, excess) = <_>::default();
        Self { sqlite, guard, bill, read: Cell::new(read), had_alarm, writes, places, last, counted, excess }
    }

    /// A copy of the database, including what is not yet durable.
    pub(crate) fn fork(&self) -> Self {
        let sqlite = self.sqlite.copy().expect("a database in memory is copied");
        let fork = Self::over(sqlite, Bill::beginning_with(self.bill.rows()), self.read.get());
        fork.had_alarm.set(self.had_alarm.get());
        fork
    }

    /// Rows written so far, as the platform bills them.
    pub(crate) fn rows_written(&self) -> u64 {
        self.bill.rows()
    }

    /// Rows read so far, about as the platform bills them.
    pub(crate) fn rows_read(&self) -> u64 {
        self.read.get()
    }

    /// From here on the schema has the platform's table of the alarm.
    pub(crate) fn note_alarm(&self) {
        self.had_alarm.set(true);
    }

    /// Takes back what was read since there were so many.
    pub(crate) fn set_rows_read(&self, rows: u64) {
        self.read.set(rows);
    }

    /// Whether the statement writes. Fails if it is banned.
    pub(crate) fn is_write(&self, sql: &'static str) -> Result<bool, SqlError> {
        Ok(*self.write_of(sql)? != Write::Nothing)
    }

    /// Bytes of all pages that are not free.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = self.counted.get().unwrap_or_else(|| self.sqlite.database_bytes().expect(HOST));
        self.counted.set(Some(bytes));
        bytes
    }

    /// Runs a statement that writes, unless it makes the database larger than so many bytes: then it has done nothing,
    /// and fails as SQLite does. What writes and makes it no larger is done.
    pub(crate) fn exec_within(
        &self,
        limit_bytes: u64,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let write = self.write_of(statement.sql)?;
        let (reads, mut rows) = (self.reads(&write, statement.sql)?, 0);
        let (scanned, changed) = (self.sqlite.scanned(), self.bill.rows());
        let result = self.bill.charge(&self.sqlite, &write, || {
            let before = self.bytes();
            self.sqlite.begin(Savepoint::Transaction).expect(HOST);
            let result = self.sqlite.exec(statement, &mut |found| {
                rows += 1;
                row(found)
            });
            self.counted.set(None);
            let after = self.bytes();
            if result.is_ok() && (after <= limit_bytes || after <= before) {
                self.sqlite.release(Savepoint::Transaction).expect(HOST);
                return Ok(());
            }
            self.undo(Savepoint::Transaction);
            result.and_then(|()| Err(SqlError::full(format!("database or disk is full: {}", statement.sql))))
        });
        self.count_read(reads, self.sqlite.scanned() - scanned, rows + self.bill.rows() - changed);
        result
    }

    fn count_read(&self, reads: Reads, scanned: u64, found: u64) {
        let hidden = if self.had_alarm.get() { reads.schema_scans() } else { 0 };
        self.read.set(self.read.get() + reads.rows(scanned, found) + hidden);
    }

    /// What a statement reads. That of one which changes the schema depends on what there is; that of each other is
    /// looked at once, for all databases of the thread.
    fn reads(&self, write: &Write, sql: &'static str) -> Result<Reads, SqlError> {
        if write.is_schema() || (*write == Write::Nothing && !sql.starts_with("SELECT ")) {
            return Ok(Reads::of(&self.sqlite.operations(sql)?));
        }
        if let Some(reads) = READS.with_borrow(|known| known.get(sql).copied()) {
            return Ok(reads);
        }
        let reads = Reads::of(&self.sqlite.operations(sql)?);
        READS.with_borrow_mut(|known| known.insert(sql, reads));
        Ok(reads)
    }

    /// Runs a statement; see `SqlStorage::exec`.
    pub(crate) fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let write = self.write_of(statement.sql)?;
        if *write != Write::Nothing {
            self.counted.set(None);
        } else if !statement.sql.starts_with("SELECT ") {
            // It drops a table that was not there when it was prepared.
            self.counted.set(None);
            self.bill.forget_schema();
        }
        let (reads, mut rows) = (self.reads(&write, statement.sql)?, 0);
        let (steps, scanned, written) = (self.sqlite.steps(), self.sqlite.scanned(), self.bill.rows());
        let result = self.bill.charge(&self.sqlite, &write, || {
            self.sqlite.exec(statement, &mut |found| {
                rows += 1;
                row(found)
            })
        });
        rows += self.bill.rows() - written;
        self.count_read(reads, self.sqlite.scanned() - scanned, rows);
        result?;
        if let Some(excess) = excess(statement.sql, self.sqlite.steps() - steps, rows) {
            self.excess.replace(Some(excess));
        }
        Ok(())
    }

    /// What is wrong with the last statement that looked at too many rows, if one has since this was asked.
    pub(crate) fn take_excess(&self) -> Option<String> {
        self.excess.take()
    }

    /// Runs `body`; undoes what it wrote if it returns an error. Transactions may nest.
    pub(crate) fn transaction<T, E>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.sqlite.begin(Savepoint::Transaction).expect(HOST);
        let result = body();
        match &result {
            Ok(_) => self.sqlite.release(Savepoint::Transaction).expect(HOST),
            Err(_) => self.undo(Savepoint::Transaction),
        }
        result
    }

    /// Begins a batch of writes after those that are not durable yet.
    pub(crate) fn begin_batch(&self) {
        self.sqlite.begin(Savepoint::Batch).expect(HOST);
    }

    /// Undoes the latest batch.
    pub(crate) fn undo_batch(&self) {
        self.undo(Savepoint::Batch);
    }

    /// Joins the latest batch, which wrote nothing, to the one before it.
    pub(crate) fn drop_batch(&self) {
        self.sqlite.release(Savepoint::Batch).expect(HOST);
    }

    /// Makes all batches durable.
    pub(crate) fn commit(&self) {
        self.sqlite.commit().expect(HOST);
    }

    /// The tables with their numbers of rows, in the order of their names.
    pub(crate) fn tables(&self) -> Vec<(String, u64)> {
        let names =
            self.sqlite.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", &[], |row| {
                Ok(row.text(0)?.to_owned())
            });
        names.expect(HOST).into_iter().map(|table| (table.clone(), rows_of(&self.sqlite, &table))).collect()
    }

    /// The result of a statement of one text column; empty if a table that it names is not there.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        match self.sqlite.query(sql, &[], |row| Ok(row.optional_text(0)?.map(str::to_owned))) {
            Ok(texts) => texts.into_iter().flatten().collect(),
            Err(error) if error.message.starts_with("no such table") => Vec::new(),
            Err(error) => panic!("the judge's own statement: {error}"),
        }
    }

    fn undo(&self, savepoint: Savepoint) {
        self.sqlite.undo(savepoint).expect(HOST);
        self.counted.set(None);
        self.bill.forget_schema();
    }

    fn write_of(&self, sql: &'static str) -> Result<Rc<Write>, SqlError> {
        let place = (sql.as_ptr().addr(), sql.len());
        if let Some((_, write)) = self.last.borrow().as_ref().filter(|(last, _)| *last == place) {
            return Ok(write.clone());
        }
        let found = self.places.borrow().get(&place).cloned();
        if let Some(write) = found {
            self.last.replace(Some((place, write.clone())));
            return Ok(write);
        }
        let known = self.writes.borrow().get(sql).cloned();
        let write = match known {
            Some(write) => write,
            None => self.prepare(sql)?,
        };
        self.places.borrow_mut().insert(place, write.clone());
        Ok(write)
    }

    fn prepare(&self, sql: &'static str) -> Result<Rc<Write>, SqlError> {
        check_text(sql)?;
        self.guard.take();
        self.sqlite.prepare(sql)?;
        let write = Rc::new(Write::of(&self.guard.take()));
        if *write == Write::AddColumn && !sql.to_ascii_uppercase().contains(" ADD COLUMN ") {
            return Err(SqlError::new(format!("nobody has measured what this costs: {sql}")));
        }
        self.writes.borrow_mut().insert(sql, write.clone());
        Ok(write)
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::storage::{MAX_SAFE_INTEGER, SqlParam, SqlValue};

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
    fn texts_are_those_of_a_table_that_is_there() {
        const SELECT: &str = "SELECT v FROM t ORDER BY id";
        let database = Database::open();
        assert!(database.texts(SELECT).is_empty());
        run(&database, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", &[]).unwrap();
        run(&database, "INSERT INTO t (v) VALUES ('a'), (NULL), ('b')", &[]).unwrap();
        assert_eq!(database.texts(SELECT), ["a", "b"]);
        run(&database, "DROP TABLE t", &[]).unwrap();
        assert!(database.texts(SELECT).is_empty());
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
