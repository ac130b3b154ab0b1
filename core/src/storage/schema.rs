//! The tables, their version, and the steps from one version to the next.
//!
//! The platform bills each row written, and each once more for every index. So the log has no index, `producers` is
//! WITHOUT ROWID, and a table is created only when it gets its first row: a request to an object that holds nothing
//! writes nothing. Dropping a table costs nothing, while deleting its rows one by one is billed like writing them.

use std::ops::ControlFlow;

use super::row_key::SEGMENT_KEYS;
use super::{LogTable, RowKey, SqlError, SqlParam, SqlStorage, Statement, log_sql};
use crate::mutant::mutated;
use crate::protocol::limits::LOG_ROW_BYTES;
use crate::protocol::{Offset, ReaderKey};

/// The version of the tables below, kept in the `stream` row.
pub const VERSION: u64 = 5;

/// One row: the stream at this URL, or the tombstone of the last one.
///
/// `first_read_seq` is the first segment of this stream; in a tombstone, that of the next stream. The columns from
/// `incarnation` to `deadline_ms`, and `reader_key`, are NULL in a tombstone. `deadline_ms` is the persisted deadline; a later commit of
/// the log extends a sliding one. `unswept` and `swept` count objects in R2 that no row names: those being deleted, and
/// those that were deleted. `looked_at` is the producer at which the last look for an idle one ended that found none. `public` is 1
/// for a stream that is read without a token, and `reader_key` what the URLs of its readers carry.
const CREATE_STREAM: &str = "CREATE TABLE IF NOT EXISTS stream (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    version INTEGER NOT NULL,
    first_read_seq INTEGER NOT NULL,
    incarnation TEXT,
    content_type TEXT,
    ttl_s INTEGER,
    expires_at TEXT,
    deadline_ms INTEGER,
    unswept INTEGER NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0,
    looked_at TEXT,
    public INTEGER NOT NULL DEFAULT 0,
    reader_key TEXT
)";

/// The records of the segments in R2. The last row of the log, or, if its segment is recorded here or there is none,
/// the last record tells the tail; nothing else does.
///
/// | column | what |
/// | --- | --- |
/// | `read_seq` | the segment |
/// | `attempt` | the attempt that stored the object: the last part of its key |
/// | `end` | the end position of the segment (exclusive) |
/// | `bytes`, `index_at`, `index_bytes` | lengths of object and index, and where the index is |
/// | `commit_ms`, `flags`, `stream_seq`, `closed_by`, `total`, `producers` | those of the segment's last row |
/// | `text_end` | how the text ends there: its last bytes, as far as they decide what becomes of those that follow; NULL where it is not known, or no text |
const CREATE_SEGMENTS: &str = "CREATE TABLE IF NOT EXISTS segments (
    read_seq INTEGER PRIMARY KEY,
    attempt TEXT NOT NULL,
    end INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    index_at INTEGER NOT NULL,
    index_bytes INTEGER NOT NULL,
    commit_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    stream_seq TEXT,
    closed_by TEXT,
    total INTEGER NOT NULL,
    text_end BLOB,
    producers INTEGER NOT NULL DEFAULT 0
)";

/// The last append of each producer, its end offset (exclusive), and its commit time.
const CREATE_PRODUCERS: &str = "CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    commit_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID";

/// What the object has to do later, and when. Its one alarm is set to the earliest entry.
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

/// Which of the tables are there that come and go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Whether there is the table of the stream, or of the tombstone of one.
    pub stream: bool,
    /// Whether that has all columns of this version. That of an earlier one cannot be asked for them.
    pub is_whole: bool,
    /// The tables of the hot log, in the order of [`LogTable::ALL`].
    pub log: Vec<LogTable>,
    /// Whether there is the table of the segments in R2.
    pub segments: bool,
    /// Whether there is the table of the agenda.
    pub agenda: bool,
}

/// Which of the tables are there that come and go. One look at the schema for all of them.
pub fn tables<S: SqlStorage>(sql: &S) -> Result<Tables, SqlError> {
    const SELECT: &str = "SELECT name, instr(sql, 'reader_key') FROM sqlite_schema WHERE type = 'table' AND name IN \
                          ('stream', 'log', 'log_b', 'segments', 'agenda')";
    let mut found = Tables::default();
    sql.exec(Statement { sql: SELECT, params: &[], byte_budget: usize::MAX }, &mut |row| {
        let name = row.text(0)?;
        if name == "stream" {
            (found.stream, found.is_whole) = (true, row.count(1)? > 0);
        }
        found.segments |= name == "segments";
        found.agenda |= name == "agenda";
        found.log.extend(LogTable::ALL.into_iter().filter(|table| table.name() == name));
        Ok(ControlFlow::Continue(()))
    })?;
    found.log.sort();
    Ok(found)
}

/// Creates the tables of a new stream. The table `stream` may exist, with a tombstone.
pub fn create_stream_tables<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run(CREATE_STREAM, &[])?;
    create_log_table(sql, LogTable::Log)?;
    sql.run(CREATE_PRODUCERS, &[])
}

/// Creates a table of the hot log.
///
/// | column | what |
/// | --- | --- |
/// | `key` | a packed [`super::RowKey`]: segment, position, part |
/// | `count` | positions that end with this row: messages in JSON mode, bytes otherwise |
/// | `commit_ms` | commit time, strictly increasing from append to append |
/// | `flags` | whether the row continues in the next one, seals its segment, closes the stream |
/// | `tally` | bytes of the segment so far |
/// | `stream_seq` | the last `Stream-Seq` of the stream so far |
/// | `closed_by` | the producer that closed the stream, in the row that closes it |
/// | `lengths` | packed lengths of the messages in JSON mode, where there are several |
/// | `body` | bytes; in JSON mode the messages with a comma between any two |
/// | `total` | bytes that all rows of the stream so far have taken here, with `LOG_ROW_BYTES` for each |
/// | `producers` | how many producers the stream keeps |
/// | `segment_rows` | rows of the segment so far |
pub fn create_log_table<S: SqlStorage>(sql: &S, table: LogTable) -> Result<(), SqlError> {
    let create = log_sql!(
        table,
        "CREATE TABLE ",
        " (
    key INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    commit_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    tally INTEGER NOT NULL,
    stream_seq TEXT,
    closed_by TEXT,
    lengths BLOB,
    body BLOB NOT NULL,
    total INTEGER NOT NULL DEFAULT 0,
    producers INTEGER NOT NULL DEFAULT 0,
    segment_rows INTEGER NOT NULL DEFAULT 0
)"
    );
    sql.run(create, &[])
}

/// Drops a table of the hot log, if it exists.
pub fn drop_log_table<S: SqlStorage>(sql: &S, table: LogTable) -> Result<(), SqlError> {
    sql.run(log_sql!(table, "DROP TABLE IF EXISTS ", ""), &[])
}

/// Creates the table of the segments in R2, if it does not exist.
pub fn create_segments_table<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run(CREATE_SEGMENTS, &[])
}

/// Creates the table of the agenda, if it does not exist.
pub fn create_agenda_table<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run(CREATE_AGENDA, &[])
}

/// Drops the table of the agenda.
pub fn drop_agenda_table<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run("DROP TABLE agenda", &[])
}

/// Drops the tables with a stream's content and producers. The tables `stream` and `agenda` stay.
pub fn drop_stream_content<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    for table in LogTable::ALL {
        drop_log_table(sql, table)?;
    }
    if !mutated!(RecreatedStreamReusesObjects) {
        sql.run("DROP TABLE IF EXISTS segments", &[])?;
    }
    sql.run("DROP TABLE producers", &[])
}

/// The version of what is stored, if it is older than [`VERSION`].
pub fn outdated<S: SqlStorage>(sql: &S) -> Result<Option<u64>, SqlError> {
    if !has_table(sql, "stream")? {
        return Ok(None);
    }
    Ok(version(sql)?.filter(|version| *version < VERSION))
}

/// The version of what is stored in the table of the stream, which is there; `None` if it is empty.
pub fn version<S: SqlStorage>(sql: &S) -> Result<Option<u64>, SqlError> {
    sql.first("SELECT version FROM stream WHERE id = 0", &[], |row| row.count(0))
}

/// Migrates what an earlier version stored to [`VERSION`], step by step. A stream that has no reader key yet gets this one.
/// The caller holds the transaction.
pub fn migrate<S: SqlStorage>(sql: &S, from: u64, reader_key: &ReaderKey) -> Result<(), SqlError> {
    for version in from..VERSION {
        match version {
            1 => to_2(sql)?,
            2 => to_3(sql)?,
            3 => to_4(sql)?,
            4 => to_5(sql, reader_key)?,
            _ => return Err(SqlError::new(format!("no way from schema version {version}"))),
        }
    }
    sql.run("UPDATE stream SET version = ?1 WHERE id = 0", &[SqlParam::count(VERSION)?])?;
    debug_assert!(sql.holds(|| !matches!(outdated(sql), Ok(Some(_)))), "what was migrated is of this version");
    Ok(())
}

/// Version 1 kept every segment in `log`, and did not count bytes. The last row gets the sum; later appends count on
/// from it.
fn to_2<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run("ALTER TABLE stream ADD COLUMN unswept INTEGER NOT NULL DEFAULT 0", &[])?;
    sql.run("ALTER TABLE stream ADD COLUMN swept INTEGER NOT NULL DEFAULT 0", &[])?;
    if !has_table(sql, LogTable::Log.name())? {
        return Ok(());
    }
    sql.run("ALTER TABLE log ADD COLUMN total INTEGER NOT NULL DEFAULT 0", &[])?;
    let total = "UPDATE log SET total = (SELECT coalesce(sum(length(body)), 0) FROM log) \
                 WHERE key = (SELECT max(key) FROM log)";
    sql.run(total, &[])
}

/// Version 2 did not note how the text of a segment in R2 ends. For those that are there it is not known.
fn to_3<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    match has_table(sql, "segments")? {
        true => sql.run("ALTER TABLE segments ADD COLUMN text_end BLOB", &[]),
        false => Ok(()),
    }
}

/// Version 3 did not note what this one needs.
fn to_4<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    drop_agenda_of_tombstone(sql)?;
    count_rows_in_totals(sql)?;
    count_rows_of_segments(sql)?;
    count_producers(sql)
}

/// Version 4 knew no tokens, and so neither public streams nor reader keys.
fn to_5<S: SqlStorage>(sql: &S, reader_key: &ReaderKey) -> Result<(), SqlError> {
    sql.run("ALTER TABLE stream ADD COLUMN public INTEGER NOT NULL DEFAULT 0", &[])?;
    sql.run("ALTER TABLE stream ADD COLUMN reader_key TEXT", &[])?;
    let update = "UPDATE stream SET reader_key = ?1 WHERE incarnation IS NOT NULL";
    sql.run(update, &[SqlParam::Text(reader_key.as_str())])
}

/// Version 3 did not count producers, and did not note when each had appended last. For those that are there this is
/// taken to be the time of the last append of all: nobody loses a place too early.
fn count_producers<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    sql.run("ALTER TABLE stream ADD COLUMN looked_at TEXT", &[])?;
    let (has_producers, has_segments) = (has_table(sql, "producers")?, has_table(sql, "segments")?);
    let producers = match has_producers {
        true => sql.first("SELECT count(*) FROM producers", &[], |row| row.count(0))?.unwrap_or_default(),
        false => 0,
    };
    let producers = SqlParam::count(producers)?;
    let mut last_ms = 0;
    for table in LogTable::ALL {
        if !has_table(sql, table.name())? {
            continue;
        }
        sql.run(log_sql!(table, "ALTER TABLE ", " ADD COLUMN producers INTEGER NOT NULL DEFAULT 0"), &[])?;
        let update = log_sql!(table, "UPDATE ", " SET producers = ?1 WHERE key = (SELECT max(key) FROM ", ")");
        sql.run(update, &[producers])?;
        let select = log_sql!(table, "SELECT commit_ms FROM ", " ORDER BY key DESC LIMIT 1");
        last_ms = last_ms.max(sql.first(select, &[], |row| row.count(0))?.unwrap_or_default());
    }
    if has_segments {
        const UPDATE: &str = "UPDATE segments SET producers = ?1 WHERE read_seq = (SELECT max(read_seq) FROM segments)";
        const SELECT: &str = "SELECT commit_ms FROM segments ORDER BY read_seq DESC LIMIT 1";
        sql.run("ALTER TABLE segments ADD COLUMN producers INTEGER NOT NULL DEFAULT 0", &[])?;
        sql.run(UPDATE, &[producers])?;
        last_ms = last_ms.max(sql.first(SELECT, &[], |row| row.count(0))?.unwrap_or_default());
    }
    if has_producers {
        sql.run("ALTER TABLE producers ADD COLUMN commit_ms INTEGER NOT NULL DEFAULT 0", &[])?;
        sql.run("UPDATE producers SET commit_ms = ?1", &[SqlParam::count(last_ms)?])?;
    }
    Ok(())
}

/// Version 3 counted the bytes of the log, and not what its rows take besides. The last row gets what is missing for
/// the hot ones; later appends count on from it.
fn count_rows_in_totals<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    let first_hot = match has_table(sql, "segments")? {
        true => sql.first("SELECT coalesce(max(read_seq) + 1, 0) FROM segments", &[], |row| row.count(0))?,
        false => None,
    };
    let from = RowKey::first(Offset::start_of(first_hot.unwrap_or_default())).pack()?;
    let params = [SqlParam::count(from)?, SqlParam::count(LOG_ROW_BYTES)?];
    let (mut missing, mut last) = (0, None);
    for table in LogTable::ALL {
        if !has_table(sql, table.name())? {
            continue;
        }
        let select = log_sql!(
            table,
            "SELECT coalesce(sum(?2 + coalesce(length(lengths), 0) + coalesce(length(stream_seq), 0) + \
             coalesce(length(closed_by), 0)), 0), max(key) FROM ",
            " WHERE key >= ?1"
        );
        let found = sql.first(select, &params, |row| Ok((row.count(0)?, row.optional_count(1)?)))?;
        if let Some((bytes, Some(key))) = found {
            missing += bytes;
            last = last.max(Some((key, table == LogTable::LogB)));
        }
    }
    let Some((key, is_in_log_b)) = last else { return Ok(()) };
    let table = if is_in_log_b { LogTable::LogB } else { LogTable::Log };
    let update = log_sql!(table, "UPDATE ", " SET total = total + ?1 WHERE key = ?2");
    sql.run(update, &[SqlParam::count(missing)?, SqlParam::count(key)?])
}

/// Version 3 kept the table of the agenda for ever. Without a stream and without duties it is of no use.
fn drop_agenda_of_tombstone<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    if !has_table(sql, "agenda")? {
        return Ok(());
    }
    let select = "SELECT EXISTS (SELECT 1 FROM stream WHERE incarnation IS NOT NULL) OR EXISTS (SELECT 1 FROM agenda)";
    match sql.first(select, &[], |row| row.count(0))? {
        Some(0) => drop_agenda_table(sql),
        _ => Ok(()),
    }
}

/// Version 3 did not count the rows of a segment. The last row gets their number; later appends count on from it.
fn count_rows_of_segments<S: SqlStorage>(sql: &S) -> Result<(), SqlError> {
    for table in LogTable::ALL {
        if !has_table(sql, table.name())? {
            continue;
        }
        let column = log_sql!(table, "ALTER TABLE ", " ADD COLUMN segment_rows INTEGER NOT NULL DEFAULT 0");
        sql.run(column, &[])?;
        // The keys of a segment begin with a multiple of `SEGMENT_KEYS`.
        let count = log_sql!(
            table,
            "UPDATE ",
            " SET segment_rows = (SELECT count(*) FROM ",
            " AS others WHERE others.key >= ",
            ".key - ",
            ".key % ?1) WHERE key = (SELECT max(key) FROM ",
            ")"
        );
        sql.run(count, &[SqlParam::count(SEGMENT_KEYS)?])?;
    }
    Ok(())
}
