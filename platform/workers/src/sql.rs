//! The storage of one object: statements and transactions.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use js_sys::JsString;
use tailrace_core::storage::{SqlError, SqlParam, SqlRow, SqlStorage, SqlValue, Statement};
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::ScopedClosure;

use crate::io::{ObjectIo, words};
use crate::param;
use crate::row::{Rows, Source};

/// Bytes of the buffer for small results; larger ones go into another buffer. Our choice: a few rows of bookkeeping
/// fit.
const RESULT_BYTES: usize = 4_096;

/// The largest buffer that is kept for large results, in bytes. Our choice: it holds a page, and the row after it that
/// does not fit any more.
const KEPT_BYTES: usize = 4 << 20;

/// The row limit of statements all of whose rows are wanted.
const ALL_ROWS: f64 = f64::INFINITY;

thread_local! {
    /// The texts of statements as JavaScript strings, by address and length: they are static, so each is made once.
    static STATEMENTS: RefCell<BTreeMap<(usize, usize), JsString>> = const { RefCell::new(BTreeMap::new()) };
    /// The buffer for results, unless a statement is using it.
    static RESULT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The buffer for large results. Their blobs are parts of it, so it is used again only once nobody holds one.
    /// Keeping it saves zeroing a new buffer for each result.
    static LARGE_RESULT: Cell<Bytes> = const { Cell::new(Bytes::new()) };
}

/// What takes the rows of a statement.
type Visit<'a> = dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError> + 'a;

/// One object's storage.
pub(crate) struct Storage {
    io: ObjectIo,
}

impl Storage {
    /// The storage that `io` reaches.
    pub(crate) fn new(io: ObjectIo) -> Self {
        Self { io }
    }

    /// Rows written by this object since it started; 0 if JavaScript fails to tell.
    pub(crate) fn rows_written(&self) -> u64 {
        self.io.rows_written().map_or(0, |rows| rows as u64)
    }

    /// Rows read by this object since it started; `None` if JavaScript fails to tell.
    pub(crate) fn rows_read(&self) -> Option<u64> {
        self.io.rows_read().ok().map(|rows| rows as u64)
    }

    fn rows(&self, statement: Statement<'_>, row_limit: f64, visit: &mut Visit<'_>) -> Result<(), SqlError> {
        let text = text(statement.sql);
        #[cfg(feature = "faults")]
        let text = crate::fault::statement(text);
        let params = param::encode(statement.params)?;
        let mut result = RESULT.take();
        result.resize(RESULT_BYTES, 0);
        let budget = statement.byte_budget as f64;
        let outcome = match self.io.exec(&text, &params, row_limit, budget, &mut result) {
            Ok(length) => match result.get(..length as usize) {
                Some(rows) => each(Rows::new(rows), visit),
                None => self.large(length as usize).and_then(|rows| each(Rows::new(rows), visit)),
            },
            Err(exception) => Err(failed(&exception)),
        };
        RESULT.set(result);
        outcome
    }

    /// A result of more than [`RESULT_BYTES`], whose blobs share its buffer.
    fn large(&self, length: usize) -> Result<Bytes, SqlError> {
        let mut buffer = match LARGE_RESULT.take().try_into_mut() {
            Ok(buffer) if buffer.len() >= length => buffer,
            _ => BytesMut::zeroed(length),
        };
        let taken = self.io.take(&mut buffer).map_err(|exception| SqlError::new(words(&exception)))?;
        let buffer = buffer.freeze();
        if buffer.len() <= KEPT_BYTES {
            LARGE_RESULT.set(buffer.clone());
        }
        match taken as usize {
            taken if taken <= buffer.len() => Ok(buffer.slice(..taken)),
            taken => Err(SqlError::new(format!("a result of {taken} bytes in {}", buffer.len()))),
        }
    }
}

/// What a statement or a transaction has thrown. The runtime names SQLite's code at the end of the message.
fn failed(exception: &JsValue) -> SqlError {
    let message = words(exception);
    if message.contains("SQLITE_FULL") { SqlError::full(message) } else { SqlError::new(message) }
}

fn text(sql: &'static str) -> JsString {
    let key = (sql.as_ptr() as usize, sql.len());
    STATEMENTS.with_borrow_mut(|statements| statements.entry(key).or_insert_with(|| sql.into()).clone())
}

fn each<B: Source>(mut rows: Rows<B>, visit: &mut Visit<'_>) -> Result<(), SqlError> {
    let mut values: Vec<SqlValue> = Vec::new();
    while rows.next(&mut values)? {
        if visit(SqlRow(&values))?.is_break() {
            break;
        }
    }
    Ok(())
}

impl SqlStorage for Storage {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        self.rows(statement, ALL_ROWS, row)
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let (mut body, mut outcome) = (Some(body), None);
        let mut run = || {
            let Some(body) = body.take() else { return Err(JsValue::NULL) };
            let result = body();
            let undo = result.is_err();
            outcome = Some(result);
            if undo { Err(JsValue::NULL) } else { Ok(()) }
        };
        let thrown = {
            let run = ScopedClosure::<dyn FnMut() -> Result<(), JsValue>>::borrow_mut_assert_unwind_safe(&mut run);
            self.io.transaction(&run).err()
        };
        match (outcome, thrown) {
            (Some(Ok(value)), None) => Ok(value),
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(_)), Some(exception)) => Err(failed(&exception).into()),
            (None, exception) if body.is_some() => {
                let why = exception.as_ref().map_or_else(|| "it did not run".to_owned(), words);
                Err(SqlError::new(format!("transaction: {why}")).into())
            }
            // The body ran and did not return: it panicked, and the instance is broken.
            (None, _) => panic!("the body of a transaction did not return"),
        }
    }

    fn database_bytes(&self) -> Result<u64, SqlError> {
        self.io.database_bytes().map(|bytes| bytes as u64).map_err(|exception| failed(&exception))
    }

    fn run(&self, sql: &'static str, params: &[SqlParam<'_>]) -> Result<(), SqlError> {
        let statement = Statement { sql, params, byte_budget: usize::MAX };
        self.rows(statement, 0.0, &mut |_| Ok(ControlFlow::Continue(())))
    }

    fn first<T>(
        &self,
        sql: &'static str,
        params: &[SqlParam<'_>],
        mut read: impl FnMut(SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Option<T>, SqlError> {
        let mut found = None;
        let statement = Statement { sql, params, byte_budget: usize::MAX };
        self.rows(statement, 1.0, &mut |row| {
            found = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}
