//! A real SQLite behind core's trait.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use tailrace_core::storage::{SqlError, SqlParam, SqlRow, SqlStorage, SqlValue, Statement};

/// SQLite in memory.
pub(crate) struct Sqlite(rusqlite::Connection);

impl Sqlite {
    /// An empty one.
    pub(crate) fn open() -> Self {
        Self(rusqlite::Connection::open_in_memory().expect("SQLite opens a database in memory"))
    }
}

impl SqlStorage for Sqlite {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let failed = |error: rusqlite::Error| SqlError::new(error.to_string());
        let mut prepared = self.0.prepare_cached(statement.sql).map_err(failed)?;
        for (index, param) in statement.params.iter().enumerate() {
            let value = match *param {
                SqlParam::Null => ToSqlOutput::Owned(Value::Null),
                SqlParam::Integer(integer) => ToSqlOutput::Owned(Value::Integer(integer)),
                SqlParam::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
                SqlParam::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            };
            prepared.raw_bind_parameter(index + 1, value).map_err(failed)?;
        }
        let columns = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut blob_bytes = 0_usize;
        while let Some(found) = rows.next().map_err(failed)? {
            let value = |index| {
                Ok(match found.get_ref(index)? {
                    ValueRef::Null => SqlValue::Null,
                    ValueRef::Integer(integer) => SqlValue::Integer(integer),
                    ValueRef::Real(real) => SqlValue::Real(real),
                    ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => SqlValue::Blob(Bytes::copy_from_slice(bytes)),
                })
            };
            let values: Vec<SqlValue> = (0..columns).map(value).collect::<Result<_, _>>().map_err(failed)?;
            let blobs = values.iter().map(|value| if let SqlValue::Blob(bytes) = value { bytes.len() } else { 0 });
            blob_bytes += blobs.sum::<usize>();
            if row(SqlRow(&values))?.is_break() || blob_bytes >= statement.byte_budget {
                break;
            }
        }
        Ok(())
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.run("SAVEPOINT inner_transaction", &[])?;
        let result = body();
        if result.is_err() {
            self.run("ROLLBACK TO inner_transaction", &[])?;
        }
        self.run("RELEASE inner_transaction", &[])?;
        result
    }
}
