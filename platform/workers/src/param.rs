//! Parameters of a statement as JavaScript reads them: three doubles each. Text and blobs are not copied; JavaScript
//! reads them where they are in the instance's memory.

use tailrace_core::storage::{MAX_SAFE_INTEGER, SqlError, SqlParam};

/// Most bound parameters of a statement (platform limit: Durable Objects, SQLite limits).
const PARAM_LIMIT: usize = 100;

/// The first of a parameter's three doubles.
const NULL: f64 = 0.0;
const NUMBER: f64 = 1.0;
const TEXT: f64 = 2.0;
const BLOB: f64 = 3.0;

/// Kind, value or address, and length in bytes of each parameter. Fails for more parameters than the platform's limit,
/// and for an integer that a double would round.
pub(crate) fn encode(params: &[SqlParam<'_>]) -> Result<Vec<f64>, SqlError> {
    if params.len() > PARAM_LIMIT {
        return Err(SqlError::new(format!("{} parameters", params.len())));
    }
    let mut encoded = Vec::with_capacity(params.len() * 3);
    for param in params {
        encoded.extend_from_slice(&match param {
            SqlParam::Null => [NULL, 0.0, 0.0],
            SqlParam::Integer(integer) => [NUMBER, exact(*integer)?, 0.0],
            SqlParam::Text(text) => place(TEXT, text.as_bytes()),
            SqlParam::Blob(bytes) => place(BLOB, bytes),
        });
    }
    Ok(encoded)
}

fn place(kind: f64, bytes: &[u8]) -> [f64; 3] {
    [kind, bytes.as_ptr() as usize as f64, bytes.len() as f64]
}

fn exact(integer: i64) -> Result<f64, SqlError> {
    if integer.unsigned_abs() > MAX_SAFE_INTEGER as u64 {
        return Err(SqlError::new(format!("integer out of range: {integer}")));
    }
    Ok(integer as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_a_double_would_round_are_refused() {
        let check = |integer: i64, accepted: bool| {
            assert_eq!(encode(&[SqlParam::Integer(integer)]).is_ok(), accepted, "{integer}");
        };
        check(0, true);
        check(MAX_SAFE_INTEGER, true);
        check(-MAX_SAFE_INTEGER, true);
        check(MAX_SAFE_INTEGER + 1, false);
        check(i64::MIN, false);
        check(i64::MAX, false);
    }

    #[test]
    fn a_hundred_parameters_are_accepted_and_one_more_is_not() {
        assert_eq!(encode(&[SqlParam::Null; 100]).map(|encoded| encoded.len()), Ok(300));
        assert!(encode(&[SqlParam::Null; 101]).is_err());
    }

    #[test]
    fn text_and_blobs_are_told_by_place_and_length() {
        let (text, blob) = ("grün", [7_u8; 3]);
        let encoded = encode(&[SqlParam::Text(text), SqlParam::Blob(&blob)]).unwrap();
        assert_eq!(encoded[0..3], [TEXT, text.as_ptr() as usize as f64, 5.0]);
        assert_eq!(encoded[3..6], [BLOB, blob.as_ptr() as usize as f64, 3.0]);
    }
}
