//! Rows read, as the platform bills them.
//!
//! workerd patches SQLite to count the operations that put a cursor onto a row: each seek, the first row of each scan, and
//! each step to a next one (its source: `patches/sqlite/0001-row-counts-plain.patch`). A row that is written is not
//! among them, and one that is only looked at is. A plain SQLite counts the steps through whole tables, and no more; the
//! rest follows from a statement's program, in which each operation outside of a loop runs once. What it cannot tell is
//! how often one runs that something else decides on: the fidelity script holds the sum against the real runtime, and
//! declares by how much the two may differ.

use tailrace_sqlite::Operation;

/// Operations that read a row each time they run.
const READING: &[&str] =
    &["Last", "NotExists", "Rewind", "SeekGE", "SeekGT", "SeekLE", "SeekLT", "SeekRowid", "Sort", "SorterSort"];

/// Operations that go on to the next row, at the end of a loop.
const STEPPING: &[&str] = &["Next", "Prev", "SorterNext"];

/// The flag of a step through a whole table.
const WHOLE_TABLE: i64 = 1;

/// The flag of an opened cursor that seeks nothing but equal keys. A seek that finds none is not billed.
const EQUAL_KEYS: i64 = 2;

/// What a statement reads, by its program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// Whatever it finds.
    always: u64,
    /// Where it finds something.
    if_found: u64,
    /// At each step through a whole table.
    at_each_step: u64,
    /// Whether it goes from each row that it hands over or changes to the next one by a key.
    is_range: bool,
    /// How often it goes through the schema.
    schema_scans: u64,
}

/// What a loop goes through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Through {
    /// A whole table.
    Table,
    /// The values of an IN or an OR, so many of them.
    List(u64),
    /// A range of keys, or what was sorted.
    Range,
}

impl Reads {
    /// Of the statement with this program.
    pub(crate) fn of(program: &[Operation]) -> Self {
        let moved = moved(program);
        let loops: Vec<_> = program.iter().enumerate().filter_map(|at| loop_of(program, at)).collect();
        let within = |at: usize| loops.iter().filter(move |(from, to, _)| (*from..=*to).contains(&at));
        let mut reads = Self::default();
        for (at, operation) in program.iter().enumerate() {
            if !READING.contains(&operation.name.as_str()) || moved.contains(&at) {
                continue;
            }
            let lists = |(_, _, through): &(usize, usize, Through)| match through {
                Through::List(values) => *values,
                _ => 1,
            };
            let times: u64 = within(at).map(lists).product();
            if within(at).any(|(_, _, through)| *through == Through::Table) {
                reads.at_each_step += times;
            } else if operation.name.starts_with("Seek") && seeks_equal(program, operation.cursor) {
                reads.if_found += times;
            } else {
                reads.always += times;
            }
        }
        let moves = |at: &usize| moved.contains(at);
        for (from, to, through) in &loops {
            match through {
                Through::List(values) => reads.always += values.saturating_sub(1),
                Through::Range => {
                    let mut body = program.get(*from..*to).unwrap_or_default().iter();
                    reads.is_range |= body.any(|operation| matches!(operation.name.as_str(), "ResultRow" | "Delete"));
                }
                Through::Table if !moves(to) => {
                    let cursor = program.get(*to).map(|step| step.cursor);
                    reads.schema_scans += u64::from(cursor.is_some_and(|cursor| opens_schema(program, cursor)));
                }
                Through::Table => {}
            }
        }
        reads
    }

    /// How often a run goes through the schema.
    pub(crate) fn schema_scans(&self) -> u64 {
        self.schema_scans
    }

    /// Rows read by a run that has stepped so often through whole tables, and handed over or changed so many rows.
    pub(crate) fn rows(&self, stepped: u64, found: u64) -> u64 {
        let range = if self.is_range { found.saturating_sub(1) } else { 0 };
        let if_found = if found > 0 { self.if_found } else { 0 };
        self.always + if_found + stepped * (1 + self.at_each_step) + range
    }
}

/// Whether the cursor is over the schema, whose first page is the first one.
fn opens_schema(program: &[Operation], cursor: i64) -> bool {
    let opens = |operation: &&Operation| operation.name.starts_with("Open") && operation.cursor == cursor;
    program.iter().rfind(opens).is_some_and(|operation| operation.name != "OpenEphemeral" && operation.jump == 1)
}

/// The operations that run only if a dropped table has moved another one, which only a database does that vacuums itself.
fn moved(program: &[Operation]) -> std::ops::Range<usize> {
    let destroyed = program.iter().position(|operation| operation.name == "Destroy");
    let from = destroyed.unwrap_or(program.len());
    let rest = program.get(from..).unwrap_or_default();
    let skip = rest.iter().position(|operation| operation.name == "IfNot");
    let to = skip.and_then(|skip| usize::try_from(rest.get(skip)?.jump).ok());
    from..to.unwrap_or(from)
}

/// The loop that ends at this operation, if one does: its first and its last address, and what it goes through.
fn loop_of(program: &[Operation], (at, operation): (usize, &Operation)) -> Option<(usize, usize, Through)> {
    let from = usize::try_from(operation.jump).ok().filter(|from| *from <= at)?;
    if !STEPPING.contains(&operation.name.as_str()) {
        return None;
    }
    if operation.flags == WHOLE_TABLE {
        return Some((from, at, Through::Table));
    }
    let of = |name: &str| program.iter().filter(|other| other.name == name && other.cursor == operation.cursor).count();
    let is_list = of("OpenEphemeral") > 0 && of("Rewind") > 0;
    Some((from, at, if is_list { Through::List(of("IdxInsert") as u64) } else { Through::Range }))
}

fn seeks_equal(program: &[Operation], cursor: i64) -> bool {
    let opens = |operation: &&Operation| operation.name.starts_with("Open") && operation.cursor == cursor;
    program.iter().find(opens).is_some_and(|operation| operation.flags & EQUAL_KEYS != 0)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use tailrace_core::storage::Statement;

    use crate::world::sql::sqlite::Database;

    /// Runs the statements and answers the rows read by the last one.
    fn read(database: &Database, statements: &[&'static str]) -> u64 {
        let mut last = 0;
        for sql in statements {
            let before = database.rows_read();
            let statement = Statement { sql, params: &[], byte_budget: usize::MAX };
            database.exec(statement, &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
            last = database.rows_read() - before;
        }
        last
    }

    const PLAIN: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY CHECK (id < 99), a INTEGER)";
    const KEYED: &str = "CREATE TABLE k (kind INTEGER, id TEXT, a INTEGER, PRIMARY KEY (kind, id)) WITHOUT ROWID";
    const SIX: &str = "INSERT INTO t (id, a) VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)";
    const THREE: &str = "INSERT INTO k (kind, id, a) VALUES (1, '', 1), (2, '', 2), (3, '', 3)";

    #[test]
    fn every_statement_reads_as_workerd_counts_it() {
        let cases: &[(&[&'static str], u64)] = &[
            // Measured on workerd of 2026-11-17.
            (&[PLAIN], 1),
            (&[PLAIN, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY)"], 0),
            (&[KEYED], 1),
            (&[PLAIN, "INSERT INTO t (id) VALUES (7)"], 1),
            (&[PLAIN, SIX, "INSERT INTO t (id, a) VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET a = excluded.a"], 1),
            (&[PLAIN, SIX, "INSERT OR REPLACE INTO t (id, a) VALUES (1, 9)"], 1),
            (&[PLAIN, SIX, "UPDATE t SET a = 9 WHERE id = 1"], 1),
            (&[PLAIN, SIX, "SELECT a FROM t WHERE id = 1"], 1),
            (&[PLAIN, SIX, "SELECT a FROM t WHERE id = 9"], 1),
            (&[PLAIN, SIX, "SELECT id FROM t ORDER BY id DESC LIMIT 1"], 1),
            (&[PLAIN, SIX, "SELECT id FROM t"], 6),
            (&[PLAIN, SIX, "SELECT id FROM t WHERE id >= 2 AND id < 9"], 5),
            (&[PLAIN, SIX, "SELECT id FROM t WHERE id >= 2 LIMIT 2"], 2),
            (&[PLAIN, SIX, "SELECT id FROM t WHERE id >= 50"], 1),
            (&[KEYED, "INSERT INTO k (kind, id, a) VALUES (1, '', 1)"], 0),
            (&[KEYED, THREE, "SELECT a FROM k WHERE kind = 1 AND id = ''"], 1),
            (&[KEYED, THREE, "SELECT a FROM k WHERE kind = 7 AND id = ''"], 0),
            (&[KEYED, "SELECT a FROM k ORDER BY a LIMIT 1"], 2),
            (&[KEYED, THREE, "SELECT a FROM k ORDER BY a LIMIT 1"], 6),
            (&[KEYED, THREE, "DELETE FROM k WHERE kind = 2 AND id = ''"], 1),
            (&["DROP TABLE IF EXISTS t"], 0),
            (&[PLAIN, KEYED, SIX, "DROP TABLE t"], 3),
            // Follow from the operations that workerd counts.
            (&[PLAIN, KEYED, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 't'"], 2),
            (&[PLAIN, SIX, "DROP TABLE t"], 2),
        ];
        for (statements, rows) in cases {
            assert_eq!(read(&Database::open(), statements), *rows, "{statements:?}");
        }
    }

    #[test]
    fn a_database_that_had_an_alarm_has_one_row_more_in_its_schema() {
        for (sql, more) in [
            ("SELECT name FROM sqlite_schema", 1),
            ("DROP TABLE t", 1),
            ("SELECT a FROM t", 0),
            ("SELECT a FROM t WHERE id = 1", 0),
        ] {
            let (never, once) = (Database::open(), Database::open());
            once.note_alarm();
            assert_eq!(read(&once, &[PLAIN, SIX, sql]) - read(&never, &[PLAIN, SIX, sql]), more, "{sql}");
        }
    }
}
