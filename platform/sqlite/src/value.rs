//! Values on their way to SQLite and back.

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use tailrace_core::storage::{MAX_SAFE_INTEGER, SqlError, SqlParam, SqlValue};

use crate::{Integers, Settings};

/// A parameter as SQLite binds it. Fails where it is larger than the settings allow, or an integer that JavaScript would
/// round.
pub(crate) fn bound<'a>(param: &SqlParam<'a>, settings: &Settings) -> Result<ToSqlOutput<'a>, SqlError> {
    let too_long = |bytes: &[u8]| bytes.len() > settings.value_bytes as usize;
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

/// A value of a result row as core reads it.
pub(crate) fn read(value: ValueRef<'_>, integers: Integers) -> SqlValue {
    match (value, integers) {
        (ValueRef::Null, _) => SqlValue::Null,
        (ValueRef::Integer(integer), Integers::Exact) => SqlValue::Integer(integer),
        (ValueRef::Integer(integer), Integers::Doubles) => SqlValue::Real(integer as f64),
        (ValueRef::Real(real), _) => SqlValue::Real(real),
        (ValueRef::Text(text), _) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        (ValueRef::Blob(blob), _) => SqlValue::Blob(Bytes::copy_from_slice(blob)),
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::storage::SqlStorage;

    use super::*;
    use crate::Database;

    /// Binds a parameter, stores it in a column without a type, and reads it back.
    fn round_trip(settings: Settings, param: SqlParam<'_>) -> Result<SqlValue, SqlError> {
        let database = Database::open_in_memory(settings)?;
        database.run("CREATE TABLE t (v ANY)", &[])?;
        database.run("INSERT INTO t (v) VALUES (?1)", &[param])?;
        let value = database.first("SELECT v FROM t", &[], |row| Ok(row.0[0].clone()))?;
        value.ok_or_else(|| SqlError::new("no row"))
    }

    #[test]
    fn values_come_back_as_they_were_bound() {
        let exact = Settings::default();
        let doubles = Settings { integers: Integers::Doubles, ..exact };
        for (settings, param, expected) in [
            (exact, SqlParam::Null, SqlValue::Null),
            (exact, SqlParam::Integer(7), SqlValue::Integer(7)),
            (exact, SqlParam::Integer(-MAX_SAFE_INTEGER), SqlValue::Integer(-MAX_SAFE_INTEGER)),
            (doubles, SqlParam::Integer(7), SqlValue::Real(7.0)),
            (doubles, SqlParam::Integer(MAX_SAFE_INTEGER), SqlValue::Real(MAX_SAFE_INTEGER as f64)),
            (exact, SqlParam::Text("é\0x"), SqlValue::Text("é\0x".into())),
            (exact, SqlParam::Text(""), SqlValue::Text(String::new())),
            (exact, SqlParam::Blob(b"\0\xff"), SqlValue::Blob(Bytes::from_static(b"\0\xff"))),
            (exact, SqlParam::Blob(b""), SqlValue::Blob(Bytes::new())),
        ] {
            assert_eq!(round_trip(settings, param), Ok(expected), "{param:?} {settings:?}");
        }
    }

    #[test]
    fn a_parameter_keeps_to_the_limits() {
        let settings = Settings { value_bytes: 1_000, ..Settings::default() };
        let long = "x".repeat(1_001);
        for (param, accepted) in [
            // A row is a little larger than its one value.
            (SqlParam::Text(&long[..990]), true),
            (SqlParam::Blob(&long.as_bytes()[..990]), true),
            (SqlParam::Text(&long[..1_000]), false),
            (SqlParam::Text(&long), false),
            (SqlParam::Blob(long.as_bytes()), false),
            (SqlParam::Integer(MAX_SAFE_INTEGER), true),
            (SqlParam::Integer(MAX_SAFE_INTEGER + 1), false),
            (SqlParam::Integer(i64::MIN), false),
        ] {
            assert_eq!(round_trip(settings, param).is_ok(), accepted, "{param:?}");
        }
    }
}
