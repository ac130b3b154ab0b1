//! The storage of an object as one instance sees it.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use tailrace_core::storage::{SqlError, SqlRow, SqlStorage, SqlValue, Statement};

use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::storage::journal::Journal;

/// A statement that fails after some of its rows does so after at most this many.
const MOST_ROWS: u64 = 3;

/// Bytes of a page of SQLite (its default, which the platform keeps).
pub const PAGE_BYTES: u64 = 4_096;

/// The storage as one instance sees it.
pub struct ObjectSql {
    environment: Rc<Environment>,
    /// The object's name.
    name: Rc<str>,
    journal: RefCell<Rc<Journal>>,
    rows_at_start: u64,
    read_at_start: u64,
    /// `Some` once every access fails because the instance was superseded: the batch that its outputs waited for then.
    lost_at: Cell<Option<u64>>,
    failed: Cell<bool>,
}

impl ObjectSql {
    pub(crate) fn new(environment: Rc<Environment>, name: Rc<str>, journal: Rc<Journal>) -> Self {
        Self {
            environment,
            name,
            rows_at_start: journal.database().rows_written(),
            read_at_start: journal.database().rows_read(),
            journal: RefCell::new(journal),
            lost_at: Cell::default(),
            failed: Cell::default(),
        }
    }

    pub(crate) fn journal(&self) -> Rc<Journal> {
        self.journal.borrow().clone()
    }

    /// Rows read since this instance started, about as the platform bills them (see `Reads`). What only an assertion looks at
    /// is not among them.
    pub(crate) fn rows_read(&self) -> u64 {
        self.journal().database().rows_read() - self.read_at_start
    }

    /// Rows written since this instance started, as the platform bills them; without alarms.
    pub(crate) fn rows_written(&self) -> u64 {
        self.journal().database().rows_written() - self.rows_at_start
    }

    /// The batch that has to be confirmed before what is put out now may leave.
    pub(crate) fn position(&self) -> u64 {
        self.lost_at.get().unwrap_or_else(|| self.journal.borrow().position())
    }

    /// From here on the storage is another instance's.
    pub(crate) fn supersede(&self, reads_fail: bool) {
        if reads_fail {
            self.lost_at.set(Some(self.journal().position()));
        } else {
            let fork = self.journal.borrow().fork();
            self.journal.replace(Rc::new(fork));
        }
    }

    /// Whether every access fails because the storage is another instance's.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost_at.get().is_some()
    }

    /// Whether an access has failed because the storage is another instance's.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Draws whether a statement fails, and after how many of its rows. One that writes fails before it has written
    /// anything.
    fn draw_failure(&self, writes: bool) -> Option<u64> {
        let environment = &self.environment;
        let fails = environment.chance(environment.faults().storage.statement_fails_permille);
        fails.then(|| if writes { 0 } else { environment.random.between(0, MOST_ROWS) })
    }

    /// Runs a statement that writes nothing, and marks one that its caller has to go on with in another.
    fn read(
        &self,
        journal: &Journal,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let byte_budget = statement.byte_budget;
        if byte_budget == usize::MAX {
            return journal.database().exec(statement, row);
        }
        let (mut handed, mut wants_more) = (0, true);
        journal.database().exec(statement, &mut |found| {
            let blobs = found.0.iter().map(|value| if let SqlValue::Blob(bytes) = value { bytes.len() } else { 0 });
            handed += blobs.sum::<usize>();
            let flow = row(found)?;
            wants_more = flow.is_continue();
            Ok(flow)
        })?;
        if handed >= byte_budget && wants_more {
            self.environment.mark(marks::STATEMENT_IN_STEPS);
        }
        Ok(())
    }

    /// Runs a statement, unless a fault has it fail.
    fn exec_or_fail(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let journal = self.journal();
        let writes = journal.database().is_write(statement.sql)?;
        if writes && self.environment.chance(self.environment.faults().storage.statement_full_permille) {
            let error = SqlError::full(format!("database or disk is full: {}", statement.sql));
            self.note_full(&error, Harm::DatabaseFull);
            return Err(error);
        }
        let Some(mut rows_left) = self.draw_failure(writes) else {
            if !writes {
                return self.read(&journal, statement, row);
            }
            journal.write();
            return match self.limit_bytes() {
                Some(limit_bytes) => journal
                    .database()
                    .exec_within(limit_bytes, statement, row)
                    .inspect_err(|error| self.note_full(error, Harm::DatabaseOverrun)),
                None => journal.database().exec(statement, row),
            };
        };
        if rows_left == 0 {
            return Err(self.fail(statement.sql));
        }
        journal.database().exec(statement, &mut |found| {
            let flow = row(found)?;
            rows_left -= 1;
            if rows_left == 0 && flow.is_continue() { Err(self.fail(statement.sql)) } else { Ok(flow) }
        })
    }

    fn fail(&self, sql: &str) -> SqlError {
        self.environment.mark(marks::STATEMENT_FAILED);
        self.environment.harm_object(Harm::StatementFailed, &self.name);
        SqlError::new(format!("disk I/O error: {sql}"))
    }

    /// How large the database may be, in bytes, if there is a limit.
    fn limit_bytes(&self) -> Option<u64> {
        let pages = self.environment.faults().storage.database_pages;
        (pages > 0).then_some(pages * PAGE_BYTES)
    }

    fn note_full(&self, error: &SqlError, harm: Harm) {
        if error.is_full {
            self.environment.mark(marks::DATABASE_FULL);
            self.environment.harm_object(harm, &self.name);
        }
    }

    /// Fails once the storage is another instance's.
    pub(crate) fn access(&self) -> Result<(), SqlError> {
        if self.lost_at.get().is_some() {
            self.failed.set(true);
            return Err(SqlError::new("the storage belongs to another instance of the object"));
        }
        Ok(())
    }
}

impl SqlStorage for ObjectSql {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        self.access()?;
        let result = self.exec_or_fail(statement, row);
        if let Some(excess) = self.journal().database().take_excess() {
            self.environment.count_excess(&self.name, excess);
        }
        result
    }

    fn holds(&self, look: impl FnOnce() -> bool) -> bool {
        let journal = self.journal();
        let read = journal.database().rows_read();
        let holds = look();
        journal.database().set_rows_read(read);
        holds
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.access()?;
        let journal = self.journal();
        journal.transaction(body)
    }
    /// Where the size is limited, the world writes down what it told: so it is known how full a database was when
    /// somebody was refused for it.
    fn database_bytes(&self) -> Result<u64, SqlError> {
        self.access()?;
        let bytes = self.journal().database().bytes();
        if self.limit_bytes().is_some() {
            self.environment.harm_object(Harm::DatabaseHas { pages: bytes / PAGE_BYTES }, &self.name);
        }
        Ok(bytes)
    }
}
