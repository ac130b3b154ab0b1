//! The storage of an object as one instance sees it.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use tailrace_core::storage::{SqlError, SqlRow, SqlStorage, Statement};

use crate::world::storage::journal::Journal;

/// The storage as one instance sees it.
pub struct ObjectSql {
    journal: RefCell<Rc<Journal>>,
    rows_at_start: u64,
    /// `Some` once every access fails because the instance was superseded: the batch that its outputs waited for then.
    lost_at: Cell<Option<u64>>,
    failed: Cell<bool>,
}

impl ObjectSql {
    pub(crate) fn new(journal: Rc<Journal>) -> Self {
        Self {
            rows_at_start: journal.database().rows_written(),
            journal: RefCell::new(journal),
            lost_at: Cell::default(),
            failed: Cell::default(),
        }
    }

    pub(crate) fn journal(&self) -> Rc<Journal> {
        self.journal.borrow().clone()
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
        let journal = self.journal();
        if journal.database().is_write(statement.sql)? {
            journal.write();
        }
        journal.database().exec(statement, row)
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.access()?;
        let journal = self.journal();
        journal.transaction(body)
    }
}
