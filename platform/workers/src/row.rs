//! Rows as JavaScript writes them: the number of columns, then the values of each row in order. A value is its kind
//! and, little-endian, a double, or a length and that many bytes.

use bytes::{Buf, Bytes};
use tailrace_core::storage::{SqlError, SqlValue};

/// The first byte of a value.
const NULL: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// What is left to read of a result.
pub(crate) struct Rows<B> {
    columns: usize,
    rest: B,
}

/// The buffer that a result is in. Blobs of a large result share its buffer; those of a small one are copied, since the
/// next statement uses the buffer again.
pub(crate) trait Source: Buf {
    /// Takes the next bytes as a blob.
    fn blob(&mut self, length: usize) -> Bytes;
}

impl Source for &[u8] {
    fn blob(&mut self, length: usize) -> Bytes {
        self.copy_to_bytes(length)
    }
}

impl Source for Bytes {
    fn blob(&mut self, length: usize) -> Bytes {
        self.split_to(length)
    }
}

impl<B: Source> Rows<B> {
    /// Reads the number of columns. An empty buffer is a result without rows.
    pub(crate) fn new(mut rest: B) -> Self {
        let columns = if rest.has_remaining() { usize::from(rest.get_u8()) } else { 0 };
        Self { columns, rest }
    }

    /// Replaces `values` by those of the next row; returns false at the end. Fails if the buffer is malformed.
    pub(crate) fn next(&mut self, values: &mut Vec<SqlValue>) -> Result<bool, SqlError> {
        values.clear();
        if !self.rest.has_remaining() || self.columns == 0 {
            return Ok(false);
        }
        for _ in 0..self.columns {
            values.push(self.value().ok_or_else(|| SqlError::new("a malformed result"))?);
        }
        Ok(true)
    }

    fn value(&mut self) -> Option<SqlValue> {
        match self.rest.try_get_u8().ok()? {
            NULL => Some(SqlValue::Null),
            NUMBER => Some(SqlValue::Real(self.rest.try_get_f64_le().ok()?)),
            TEXT => String::from_utf8(self.bytes()?.into()).ok().map(SqlValue::Text),
            BLOB => self.bytes().map(SqlValue::Blob),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = self.rest.try_get_u32_le().ok()? as usize;
        (length <= self.rest.remaining()).then(|| self.rest.blob(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of four columns, as `js/object_io.mjs` writes them.
    fn two_rows() -> Vec<u8> {
        let mut bytes = vec![4];
        for number in [1.0_f64, -2.5] {
            bytes.push(NULL);
            bytes.push(NUMBER);
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&[TEXT, 3, 0, 0, 0, b'g', 0xc3, 0xbc]);
            bytes.extend_from_slice(&[BLOB, 2, 0, 0, 0, 0xff, 0x00]);
        }
        bytes
    }

    fn read(source: impl Source) -> Result<Vec<Vec<SqlValue>>, SqlError> {
        let (mut rows, mut values, mut read) = (Rows::new(source), Vec::new(), Vec::new());
        while rows.next(&mut values)? {
            read.push(values.clone());
        }
        Ok(read)
    }

    #[test]
    fn rows_are_read_alike_from_a_borrowed_and_from_a_shared_buffer() {
        let row = |number| {
            let blob = SqlValue::Blob(Bytes::from_static(&[0xff, 0x00]));
            vec![SqlValue::Null, SqlValue::Real(number), SqlValue::Text("gü".into()), blob]
        };
        let expected = Ok(vec![row(1.0), row(-2.5)]);
        assert_eq!(read(two_rows().as_slice()), expected);
        assert_eq!(read(Bytes::from(two_rows())), expected);
    }

    #[test]
    fn no_bytes_and_no_columns_are_no_rows() {
        assert_eq!(read([].as_slice()), Ok(vec![]));
        assert_eq!(read([0].as_slice()), Ok(vec![]));
        assert_eq!(read([3].as_slice()), Ok(vec![]));
    }

    #[test]
    fn a_result_cut_anywhere_inside_a_row_is_an_error_and_no_panic() {
        let bytes = two_rows();
        let row_length = (bytes.len() - 1) / 2;
        for length in (2..bytes.len()).filter(|length| (length - 1) % row_length != 0) {
            assert!(read(&bytes[..length]).is_err(), "{length}");
            assert!(read(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length}");
        }
        assert!(read([1, 9].as_slice()).is_err());
        assert!(read([1, TEXT, 1, 0, 0, 0, 0xff].as_slice()).is_err());
    }
}
