//! The synchronous SQL storage of one object.

use std::fmt;
use std::ops::ControlFlow;

use bytes::Bytes;

/// Largest magnitude of an integer that JavaScript, where numbers are doubles, holds exactly.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// A value bound to a statement. There is no boolean: Workers would bind it as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SqlParam<'a> {
    /// SQL NULL.
    Null,
    /// At most [`MAX_SAFE_INTEGER`] in magnitude; hosts refuse others.
    Integer(i64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes, at most 2 MB (platform limit of a BLOB).
    Blob(&'a [u8]),
}

impl<'a> SqlParam<'a> {
    /// `Text`, or NULL for `None`.
    pub fn text_or_null(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// `Integer`, or NULL for `None`. Fails beyond [`MAX_SAFE_INTEGER`].
    pub fn count_or_null(count: Option<u64>) -> Result<Self, SqlError> {
        count.map_or(Ok(Self::Null), Self::count)
    }

    /// An unsigned count or time. Fails beyond [`MAX_SAFE_INTEGER`].
    pub fn count(count: u64) -> Result<Self, SqlError> {
        match i64::try_from(count) {
            Ok(integer) if integer <= MAX_SAFE_INTEGER => Ok(Self::Integer(integer)),
            _ => Err(SqlError::new(format!("integer out of range: {count}"))),
        }
    }
}

/// A value of a result row.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// SQL NULL.
    Null,
    /// An integer, on hosts that tell them from doubles.
    Integer(i64),
    /// A double. Workers hand over every number as a double.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

/// A row of a result. Columns are read by index, each through the accessor of its type.
#[derive(Clone, Copy, Debug)]
pub struct SqlRow<'a>(pub &'a [SqlValue]);

impl SqlRow<'_> {
    fn column(&self, index: usize) -> Result<&SqlValue, SqlError> {
        self.0.get(index).ok_or_else(|| SqlError::new(format!("no column {index}")))
    }

    fn mismatch(&self, index: usize, wanted: &str) -> SqlError {
        SqlError::new(format!("column {index} is not {wanted}"))
    }

    /// A non-negative integer of at most 2^53 - 1.
    pub fn count(&self, index: usize) -> Result<u64, SqlError> {
        self.optional_count(index)?.ok_or_else(|| self.mismatch(index, "an integer"))
    }

    /// A non-negative integer of at most 2^53 - 1, or NULL.
    pub fn optional_count(&self, index: usize) -> Result<Option<u64>, SqlError> {
        let integer = match self.column(index)? {
            SqlValue::Null => return Ok(None),
            SqlValue::Integer(integer) => *integer,
            SqlValue::Real(real) if real.fract() == 0.0 && real.abs() <= MAX_SAFE_INTEGER as f64 => *real as i64,
            _ => return Err(self.mismatch(index, "a safe integer")),
        };
        if !(0..=MAX_SAFE_INTEGER).contains(&integer) {
            return Err(self.mismatch(index, "a safe non-negative integer"));
        }
        Ok(Some(integer as u64))
    }

    /// UTF-8 text.
    pub fn text(&self, index: usize) -> Result<&str, SqlError> {
        self.optional_text(index)?.ok_or_else(|| self.mismatch(index, "text"))
    }

    /// UTF-8 text, or NULL.
    pub fn optional_text(&self, index: usize) -> Result<Option<&str>, SqlError> {
        match self.column(index)? {
            SqlValue::Null => Ok(None),
            SqlValue::Text(text) => Ok(Some(text)),
            _ => Err(self.mismatch(index, "text")),
        }
    }

    /// Bytes; NULL is empty.
    pub fn blob(&self, index: usize) -> Result<Bytes, SqlError> {
        Ok(self.optional_blob(index)?.unwrap_or_default())
    }

    /// Bytes, or NULL.
    pub fn optional_blob(&self, index: usize) -> Result<Option<Bytes>, SqlError> {
        match self.column(index)? {
            SqlValue::Null => Ok(None),
            SqlValue::Blob(bytes) => Ok(Some(bytes.clone())),
            _ => Err(self.mismatch(index, "a blob")),
        }
    }
}

/// A statement that failed, in the storage's own words. For operators, never for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// What the storage said.
    pub message: String,
    /// Whether there is no room for what should have been written.
    pub is_full: bool,
}

impl SqlError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_full: false }
    }

    /// There is no room for what should have been written: SQLite's `SQLITE_FULL`, or what it would be next.
    pub fn full(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_full: true }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "storage: {}", self.message)
    }
}

impl std::error::Error for SqlError {}

/// One statement with its parameters.
///
/// The text is static, so that a host can cache what it prepared for it, and so that no input is ever part of it.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// One SQL statement with `?1`, `?2`, … as parameters.
    pub sql: &'static str,
    /// At most 100 (platform limit of bound parameters).
    pub params: &'a [SqlParam<'a>],
    /// The row with which the blobs handed over reach this many bytes is the last one.
    pub byte_budget: usize,
}

/// The synchronous SQL storage of an object: `ctx.storage.sql` on Workers.
///
/// All writes of one turn (no await in between) become durable together or not at all.
pub trait SqlStorage {
    /// Runs a statement and hands each row to `row`, in order, until it breaks or fails or the budget is used up.
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError>;

    /// `transactionSync`: what `body` wrote stays if it answers `Ok`, and is undone otherwise. Nests.
    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E>;

    /// Bytes that the database takes, without those of pages that are free.
    fn database_bytes(&self) -> Result<u64, SqlError>;

    /// What `look` finds, which only an assertion asks. A host that bills what is read does not bill that: the deployed
    /// build looks at nothing for assertions.
    fn holds(&self, look: impl FnOnce() -> bool) -> bool {
        look()
    }

    /// Runs a statement that answers no rows.
    fn run(&self, sql: &'static str, params: &[SqlParam<'_>]) -> Result<(), SqlError> {
        let statement = Statement { sql, params, byte_budget: usize::MAX };
        self.exec(statement, &mut |_| Ok(ControlFlow::Continue(())))
    }

    /// Runs a statement and reads its first row, if there is one.
    fn first<T>(
        &self,
        sql: &'static str,
        params: &[SqlParam<'_>],
        mut read: impl FnMut(SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Option<T>, SqlError> {
        let mut found = None;
        let statement = Statement { sql, params, byte_budget: usize::MAX };
        self.exec(statement, &mut |row| {
            found = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_through_one_accessor_that_refuses_what_javascript_would_round() {
        let read = |value: SqlValue| SqlRow(&[value]).optional_count(0).ok();
        assert_eq!(read(SqlValue::Null), Some(None));
        assert_eq!(read(SqlValue::Integer(7)), Some(Some(7)));
        assert_eq!(read(SqlValue::Real(7.0)), Some(Some(7)));
        assert_eq!(read(SqlValue::Real(MAX_SAFE_INTEGER as f64)), Some(Some(MAX_SAFE_INTEGER as u64)));
        for refused in [
            SqlValue::Integer(-1),
            SqlValue::Integer(MAX_SAFE_INTEGER + 1),
            SqlValue::Real(7.5),
            SqlValue::Real(-1.0),
            SqlValue::Real(9_007_199_254_740_993.0),
            SqlValue::Real(f64::NAN),
            SqlValue::Text("7".into()),
        ] {
            assert_eq!(read(refused.clone()), None, "{refused:?}");
        }
    }

    #[test]
    fn a_missing_column_is_an_error_and_no_panic() {
        assert!(SqlRow(&[]).count(3).is_err());
        assert!(SqlRow(&[]).text(0).is_err());
        assert!(SqlRow(&[]).blob(0).is_err());
    }

    #[test]
    fn parameters_beyond_the_safe_range_are_refused() {
        assert!(SqlParam::count(MAX_SAFE_INTEGER as u64).is_ok());
        assert!(SqlParam::count(MAX_SAFE_INTEGER as u64 + 1).is_err());
        assert!(SqlParam::count(u64::MAX).is_err());
    }
}
