//! Tables and their version.
//!
//! Rows are money: the platform bills each row written, once more for each index. So the log is one rowid table
//! without an index, producers are WITHOUT ROWID, and tables come only with the first stream: asking an object that
//! holds nothing writes nothing. A table that is dropped costs nothing, whatever it held; its rows deleted one by one
//! would be billed as written.

use super::{SqlError, SqlParam, SqlStorage};

/// The version of the tables below, kept in the `stream` row.
pub const VERSION: u64 = 1;

/// One row: the stream at this URL, or the tombstone of the last one.
///
/// `first_read_seq` is the first segment of this incarnation; of a tombstone, of the next one. What follows it is NULL
/// in a tombstone. `deadline_ms` is the persisted deadline; a later commit of the log extends a sliding one.
const CREATE_STREAM: &str = "CREATE TABLE IF NOT EXISTS stream (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    version INTEGER NOT NULL,
    first_read_seq INTEGER NOT NULL,
    incarnation TEXT,
    content_type TEXT,
    ttl_s INTEGER,
    expires_at TEXT,
    deadline_ms INTEGER
)";

/// The hot log. The last row is the only truth about the tail.
///
/// | column | what |
/// | --- | --- |
/// | `key` | a packed [`super::RowKey`]: segment, position, part |
/// | `count` | positions that end with this row: messages in JSON mode, bytes otherwise |
/// | `commit_ms` | commit time, strictly increasing from append to append |
/// | `flags` | what the row means for its message, its segment and the stream |
/// | `tally` | what the key does not count, in this segment so far: bytes in JSON mode, appends otherwise |
/// | `stream_seq` | the last `Stream-Seq` of the stream so far |
/// | `closed_by` | the producer that closed the stream, in the row that closes it |
/// | `lengths` | packed lengths of the messages in JSON mode, where there are several |
/// | `body` | bytes; in JSON mode the messages with a comma between any two |
const CREATE_LOG: &str = "CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    commit_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    tally INTEGER NOT NULL,
    stream_seq TEXT,
    closed_by TEXT,
    lengths BLOB,
    body BLOB NOT NULL
)";

/// The last batch of each producer, and the offset behind it.
const CREATE_PRODUCERS: &str = "CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID";

/// What the object has to do later, and when; its one alarm is set to the earliest.
const CREATE_AGENDA: &str = "CREATE TABLE IF NOT EXISTS agenda (
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    payload BLOB,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID";

/// Whether a table of this name exists.
pub fn has_table<S: SqlStorage>(sql: &S, name: &str) -> Result<bool, SqlError> {
    let found =
        sql.first("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", &[SqlParam::Text(name)], |_| {
            Ok(())
        })?;
    Ok(found.is_some())
}

/// Creates the tables of a stream; the one with the tombstone may be there.
pub fn create_stream_tables<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run(CREATE_STREAM, &[])?;
    sql.run(CREATE_LOG, &[])?;
    sql.run(CREATE_PRODUCERS, &[])
}

/// Creates the table of the agenda, if it is not there.
pub fn create_agenda_table<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run(CREATE_AGENDA, &[])
}

/// Drops what a stream's content is in; its tombstone and the agenda stay.
pub fn drop_stream_content<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run("DROP TABLE log", &[])?;
    sql.run("DROP TABLE producers", &[])
}
