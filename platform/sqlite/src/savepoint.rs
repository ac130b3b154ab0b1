//! Points to which writes can be undone.

use tailrace_core::storage::SqlError;

use crate::Database;

/// A point to which writes can be undone. Several of one kind may be open: the latest is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Savepoint {
    /// Around what one call writes.
    Transaction,
    /// Around what a host may want to undo later: a batch of writes that is not durable yet. Transactions nest in it.
    Batch,
}

impl Savepoint {
    fn begin(self) -> &'static str {
        match self {
            Self::Transaction => "SAVEPOINT inner_transaction",
            Self::Batch => "SAVEPOINT batch",
        }
    }

    fn rollback(self) -> &'static str {
        match self {
            Self::Transaction => "ROLLBACK TO inner_transaction",
            Self::Batch => "ROLLBACK TO batch",
        }
    }

    fn release(self) -> &'static str {
        match self {
            Self::Transaction => "RELEASE inner_transaction",
            Self::Batch => "RELEASE batch",
        }
    }
}

impl Database {
    /// Opens a savepoint within those that are open.
    pub fn begin(&self, savepoint: Savepoint) -> Result<(), SqlError> {
        self.host_statement(savepoint.begin())
    }

    /// Undoes what was written since the latest savepoint of this kind was opened, and ends it with those within it.
    pub fn undo(&self, savepoint: Savepoint) -> Result<(), SqlError> {
        self.host_statement(savepoint.rollback())?;
        self.host_statement(savepoint.release())
    }

    /// Ends the latest savepoint of this kind. What was written since belongs to the one around it; where there is none,
    /// it is kept for good.
    pub fn release(&self, savepoint: Savepoint) -> Result<(), SqlError> {
        self.host_statement(savepoint.release())
    }

    /// Ends all savepoints and keeps what was written. Fails where none is open.
    pub fn commit(&self) -> Result<(), SqlError> {
        self.host_statement("COMMIT")
    }

    /// See `SqlStorage::transaction`.
    pub(crate) fn in_transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.begin(Savepoint::Transaction)?;
        match body() {
            Ok(value) => match self.release(Savepoint::Transaction) {
                Ok(()) => Ok(value),
                Err(error) => {
                    // What could not be made durable is not there. The first error says why.
                    let _ = self.undo(Savepoint::Transaction);
                    Err(error.into())
                }
            },
            Err(error) => {
                // After some errors (a full disk) SQLite itself has undone everything, and no savepoint is left.
                let _ = self.undo(Savepoint::Transaction);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::storage::SqlStorage;

    use super::*;
    use crate::Settings;

    const INSERT: &str = "INSERT INTO t (v) VALUES (1)";

    fn with_table() -> Database {
        let database = Database::open_in_memory(Settings::default()).unwrap();
        database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY)", &[]).unwrap();
        database
    }

    fn rows(database: &Database) -> u64 {
        database.first("SELECT count(*) FROM t", &[], |row| row.count(0)).unwrap().unwrap()
    }

    #[test]
    fn transactions_nest_and_undo_only_their_own_writes() {
        let database = with_table();
        let outcome: Result<(), SqlError> = database.transaction(|| {
            database.run(INSERT, &[])?;
            let inner: Result<(), SqlError> = database.transaction(|| {
                database.run(INSERT, &[])?;
                database.run("CREATE TABLE u (id INTEGER)", &[])?;
                Err(SqlError::new("undo"))
            });
            assert_eq!(inner, Err(SqlError::new("undo")));
            database.transaction(|| database.run(INSERT, &[]))
        });
        assert_eq!(outcome, Ok(()));
        assert_eq!(rows(&database), 2);
        assert!(database.run("SELECT id FROM u", &[]).is_err(), "the table was undone");
        assert!(database.commit().is_err(), "no savepoint is open any more");
    }

    #[test]
    fn an_outer_transaction_that_fails_undoes_the_inner_ones_too() {
        let database = with_table();
        let outcome: Result<(), SqlError> = database.transaction(|| {
            database.transaction(|| database.run(INSERT, &[]))?;
            Err(SqlError::new("undo"))
        });
        assert_eq!((outcome, rows(&database)), (Err(SqlError::new("undo")), 0));
    }

    #[test]
    fn batches_are_undone_from_the_latest_and_a_commit_keeps_the_rest() {
        let database = with_table();
        for _ in 0..3 {
            database.begin(Savepoint::Batch).unwrap();
            database.run(INSERT, &[]).unwrap();
        }
        database.begin(Savepoint::Batch).unwrap();
        database.run("DROP TABLE t", &[]).unwrap();
        database.undo(Savepoint::Batch).unwrap();
        database.undo(Savepoint::Batch).unwrap();
        assert_eq!(rows(&database), 2);
        database.commit().unwrap();
        assert_eq!(rows(&database), 2);
        assert!(database.undo(Savepoint::Batch).is_err(), "what is committed is not undone");
    }

    #[test]
    fn a_released_batch_belongs_to_the_one_before_it() {
        let database = with_table();
        database.begin(Savepoint::Batch).unwrap();
        database.begin(Savepoint::Batch).unwrap();
        database.run(INSERT, &[]).unwrap();
        database.release(Savepoint::Batch).unwrap();
        assert_eq!(rows(&database), 1);
        database.undo(Savepoint::Batch).unwrap();
        assert_eq!(rows(&database), 0);
    }
}
