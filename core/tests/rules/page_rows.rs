//! What a page takes from storage: the rows that it is made of, and no others.

use std::cell::Cell;
use std::ops::ControlFlow;

use bytes::Bytes;
use tailrace_core::protocol::message::{Append, Create};
use tailrace_core::protocol::{ContentType, Expiry, Incarnation, Offset, ReadFrom, ReaderKey};
use tailrace_core::storage::{SqlError, SqlRow, SqlStorage, SqlValue, Statement};
use tailrace_core::stream::{AppendOutcome, CreateCommand, CreateOutcome, Page, ReadOutcome, Slot, StreamLimits};
use tailrace_sqlite::Database;

/// A host that hands rows over as the Worker does: all that the byte budget allows, before the first one is read.
struct Eager {
    sql: Database,
    /// Bytes of the blobs handed over.
    handed: Cell<usize>,
}

impl SqlStorage for Eager {
    fn exec(
        &self,
        statement: Statement<'_>,
        row: &mut dyn FnMut(SqlRow<'_>) -> Result<ControlFlow<()>, SqlError>,
    ) -> Result<(), SqlError> {
        let mut rows: Vec<Vec<SqlValue>> = Vec::new();
        self.sql.exec(statement, &mut |row| {
            rows.push(row.0.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        let blobs = rows.iter().flatten().map(|value| if let SqlValue::Blob(bytes) = value { bytes.len() } else { 0 });
        self.handed.set(self.handed.get() + blobs.sum::<usize>());
        for values in &rows {
            if row(SqlRow(values))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn transaction<T, E: From<SqlError>>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.sql.transaction(body)
    }

    fn database_bytes(&self) -> Result<u64, SqlError> {
        self.sql.database_bytes()
    }
}

/// Reads a page of a stream with these appends, from a position on. Returns it, and the bytes that storage handed over.
fn read(content_type: &str, appends: &[String], page_bytes: usize, position: u64) -> (Page, usize) {
    let sql = Eager {
        sql: Database::open_in_memory(tailrace_sqlite::Settings::default()).expect("a database in memory"),
        handed: Cell::default(),
    };
    let limits = StreamLimits { page_bytes, row_bytes: 2_000, ..StreamLimits::default() };
    let content_type = Some(ContentType::parse(content_type).unwrap());
    let mut slot = Slot::load(&sql).unwrap();
    let create = Create {
        location: String::new(),
        content_type: content_type.clone(),
        expiry: Expiry::Never,
        closed: false,
        public: false,
    };
    let (incarnation, reader_key) = (Incarnation::from_random([1; 16]), ReaderKey::from_random([1; 16]));
    let command = CreateCommand { now_ms: 1, incarnation, reader_key, create: &create, body: Ok(&Bytes::new()) };
    assert_eq!(slot.create(&sql, &limits, command), Ok(CreateOutcome::Created));
    let stream = slot.living(2).unwrap();
    let append = Append { content_type, producer: None, stream_seq: None, close: false };
    for body in appends {
        let body = Bytes::from(body.clone());
        let outcome = stream.append(&sql, &limits, 2, &append, &body, || Ok(()));
        assert!(matches!(outcome, Ok(AppendOutcome::Appended { .. })), "{outcome:?}");
    }
    sql.handed.set(0);
    let from = ReadFrom::At(Offset { read_seq: 0, position });
    match stream.read(&sql, &limits, from) {
        Ok(ReadOutcome::Page(page)) => (page, sql.handed.get()),
        other => panic!("{other:?}"),
    }
}

/// Reads a page of appends of `row_bytes` each. Checks how many bytes it holds, and how many storage handed over for
/// it.
fn check(content_type: &str, row_bytes: usize, page_bytes: usize, position: u64, body_bytes: usize, handed: usize) {
    let case = format!("{content_type}: rows of {row_bytes}, {page_bytes} from {position} on");
    let row = |number: usize| match content_type {
        "application/json" => format!("\"{}\"", char::from(b'a' + number as u8 % 26).to_string().repeat(row_bytes - 2)),
        _ => char::from(b'a' + number as u8 % 26).to_string().repeat(row_bytes),
    };
    let rows: Vec<String> = (0..30).map(row).collect();
    let (page, bytes) = read(content_type, &rows, page_bytes, position);
    let expected = match content_type {
        "application/json" => {
            let count = (page.next.position - position) as usize;
            format!("[{}]", rows[position as usize..position as usize + count].join(","))
        }
        _ => rows.concat()[position as usize..page.next.position as usize].to_owned(),
    };
    assert_eq!(page.body, expected, "{case}");
    assert_eq!((page.body.len(), bytes), (body_bytes, handed), "{case}");
}

#[test]
fn a_page_of_bytes_takes_the_rows_it_overlaps() {
    for (row_bytes, page_bytes, position, body_bytes, handed) in [
        (1_000, 1_000, 0, 1_000, 1_000),
        (1_000, 1_000, 3_000, 1_000, 1_000),
        (1_000, 1_000, 500, 1_000, 2_000),
        (100, 1_000, 0, 1_000, 1_000),
        (100, 1_000, 50, 1_000, 1_100),
        (100, 10, 50, 10, 100),
        (1_000, 100, 950, 100, 2_000),
        (1_000, 100, 29_950, 50, 1_000),
        (1_000, 1_000, 30_000, 0, 0),
    ] {
        check("application/octet-stream", row_bytes, page_bytes, position, body_bytes, handed);
    }
}

#[test]
fn a_page_of_messages_takes_its_rows_and_the_one_that_does_not_fit() {
    for (row_bytes, page_bytes, position, body_bytes, handed) in [
        (1_000, 1_000, 0, 1_002, 2_000),
        (1_000, 2_001, 3, 2_003, 3_000),
        (100, 1_000, 0, 910, 1_100),
        (100, 1_000, 25, 506, 500),
        (1_000, 10, 4, 1_002, 2_000),
        (1_000, 1_000, 30, 2, 0),
    ] {
        check("application/json", row_bytes, page_bytes, position, body_bytes, handed);
    }
}

#[test]
fn a_message_that_spans_rows_is_taken_from_one_row_after_another() {
    let message = format!("\"{}\"", "x".repeat(4_998));
    for (page_bytes, body, handed) in [
        (1, format!("[{message}]"), 7_000),
        (5_000, format!("[{message}]"), 7_000),
        (20_000, format!("[{message},{message},1]"), 10_001),
    ] {
        let appends = [message.clone(), message.clone(), "1".to_owned()];
        let (page, bytes) = read("application/json", &appends, page_bytes, 0);
        assert_eq!((page.body.len(), bytes), (body.len(), handed), "{page_bytes}");
        assert_eq!(page.body, body, "{page_bytes}");
    }
}
