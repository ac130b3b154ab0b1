//! The one row that a project's object stores.

use crate::protocol::project::ProjectRecord;
use crate::storage::{SqlError, SqlParam, SqlStorage};

/// The project, or what is left of it.
///
/// | column | what |
/// | --- | --- |
/// | `version` | the version of this table |
/// | `name` | the project's name, under which KV has its record |
/// | `record` | the record, as KV is to have it |
/// | `confirmed` | the version of the record that KV has confirmed last |
/// | `unsure_ms` | until when a put may have left whose end is unknown; NULL if there is none |
/// | `due_ms` | when the record is to be put again; NULL if KV has it |
const CREATE: &str = "CREATE TABLE IF NOT EXISTS project (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    confirmed INTEGER NOT NULL,
    unsure_ms INTEGER,
    due_ms INTEGER
)";

/// The version of the table.
const VERSION: u64 = 1;

/// The row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) record: ProjectRecord,
    pub(super) confirmed: u64,
    pub(super) unsure_ms: Option<u64>,
    pub(super) due_ms: Option<u64>,
}

impl Row {
    /// The stored row; `None` if there is none.
    pub(super) fn load<S: SqlStorage>(sql: &S) -> Result<Option<Self>, SqlError> {
        const TABLE: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'project'";
        const SELECT: &str = "SELECT name, record, confirmed, unsure_ms, due_ms FROM project";
        if sql.first(TABLE, &[], |_| Ok(()))?.is_none() {
            return Ok(None);
        }
        sql.first(SELECT, &[], |row| {
            let record = ProjectRecord::decode(row.text(1)?).ok_or_else(|| SqlError::new("the row is no record"))?;
            Ok(Self {
                name: row.text(0)?.to_owned(),
                record,
                confirmed: row.count(2)?,
                unsure_ms: row.optional_count(3)?,
                due_ms: row.optional_count(4)?,
            })
        })
    }

    /// Stores the row in the place of the earlier one.
    pub(super) fn store<S: SqlStorage>(&self, sql: &S) -> Result<(), SqlError> {
        const REPLACE: &str = "INSERT OR REPLACE INTO project (id, version, name, record, confirmed, unsure_ms, due_ms) \
                               VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6)";
        sql.run(CREATE, &[])?;
        let record = self.record.encode();
        let params = [
            SqlParam::count(VERSION)?,
            SqlParam::Text(&self.name),
            SqlParam::Text(&record),
            SqlParam::count(self.confirmed)?,
            SqlParam::count_or_null(self.unsure_ms)?,
            SqlParam::count_or_null(self.due_ms)?,
        ];
        sql.run(REPLACE, &params)
    }
}
