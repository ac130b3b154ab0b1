//! The durable list behind an object's one alarm.

use crate::runtime::ActorState;
use crate::storage::{SqlError, SqlParam, SqlStorage, schema};

/// What an object has to do later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Remove the stream once it is past its end.
    Expire,
}

impl Duty {
    fn kind(self) -> i64 {
        match self {
            Self::Expire => 1,
        }
    }

    fn from_kind(kind: u64) -> Option<Self> {
        match kind {
            1 => Some(Self::Expire),
            _ => None,
        }
    }
}

const EARLIEST: &str = "SELECT due_ms FROM agenda ORDER BY due_ms LIMIT 1";

/// Enters a duty, or moves it, and sets the alarm if that is now earlier: an alarm is billed as a row.
pub(super) fn enter<S: ActorState>(state: &S, duty: Duty, due_ms: u64) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO agenda (kind, subject, due_ms) VALUES (?1, '', ?2) \
                          ON CONFLICT (kind, subject) DO UPDATE SET due_ms = excluded.due_ms";
    let sql = state.sql();
    schema::create_agenda_table(sql)?;
    let before = earliest(sql)?;
    sql.run(UPSERT, &[SqlParam::Integer(duty.kind()), SqlParam::count(due_ms)?])?;
    if before.is_none_or(|before_ms| due_ms < before_ms) {
        state.set_alarm(due_ms);
    }
    Ok(())
}

/// Strikes a duty; an alarm that was set for it alone finds nothing to do.
pub(super) fn strike<S: ActorState>(state: &S, duty: Duty) -> Result<(), SqlError> {
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    sql.run("DELETE FROM agenda WHERE kind = ?1 AND subject = ''", &[SqlParam::Integer(duty.kind())])
}

/// A duty that is due, the earliest first.
pub(super) fn due<S: ActorState>(state: &S, now_ms: u64) -> Result<Option<Duty>, SqlError> {
    const SELECT: &str = "SELECT kind FROM agenda WHERE due_ms <= ?1 ORDER BY due_ms, kind LIMIT 1";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(None);
    }
    let kind = sql.first(SELECT, &[SqlParam::count(now_ms)?], |row| row.count(0))?;
    match kind.map(Duty::from_kind) {
        None => Ok(None),
        Some(Some(duty)) => Ok(Some(duty)),
        Some(None) => Err(SqlError::new("the agenda holds a duty that this version does not know")),
    }
}

/// Sets the alarm to the earliest duty, after one went off.
pub(super) fn rearm<S: ActorState>(state: &S) -> Result<(), SqlError> {
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    if let Some(due_ms) = earliest(sql)? {
        state.set_alarm(due_ms);
    }
    Ok(())
}

fn earliest<S: SqlStorage>(sql: &S) -> Result<Option<u64>, SqlError> {
    sql.first(EARLIEST, &[], |row| row.count(0))
}
