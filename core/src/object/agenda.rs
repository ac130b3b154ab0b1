//! The agenda: the durable list of what an object has to do later. The object's one alarm is set to its earliest entry.

use std::cell::Cell;

use crate::mutant::mutated;
use crate::runtime::{ActorState, marks};
use crate::storage::{SqlError, SqlParam, SqlRow, SqlStorage, schema};
use crate::stream::{Stream, has_known_bug};

/// A kind of work that an object does later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Remove the stream once it has expired.
    Expire,
    /// Move sealed segments to R2. The payload is the number of consecutive failures; empty for none.
    Rotate,
    /// Delete objects of the stream that no row names. The payload is a `sweep_duty::Pass`.
    Sweep,
    /// Delete the objects of a removed stream. The subject is that stream's incarnation.
    Remove,
}

impl Duty {
    fn kind(self) -> i64 {
        match self {
            Self::Expire => 1,
            Self::Rotate => 2,
            Self::Sweep => 3,
            Self::Remove => 4,
        }
    }

    fn from_kind(kind: u64) -> Option<Self> {
        match kind {
            1 => Some(Self::Expire),
            2 => Some(Self::Rotate),
            3 => Some(Self::Sweep),
            4 => Some(Self::Remove),
            _ => None,
        }
    }
}

/// An entry of the agenda. Duty and subject together are its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) duty: Duty,
    /// What the duty concerns; empty for the stream itself.
    pub(super) subject: String,
    /// When the duty is due, in ms since the Unix epoch.
    pub(super) due_ms: u64,
    /// What the duty has to remember; its format is the duty's own.
    pub(super) payload: String,
}

impl Entry {
    /// A duty that concerns the stream itself.
    pub(super) fn new(duty: Duty, due_ms: u64) -> Self {
        Self { duty, subject: String::new(), due_ms, payload: String::new() }
    }

    fn from_row(row: SqlRow<'_>) -> Result<Self, SqlError> {
        let unknown = || SqlError::new("the agenda holds a duty that this version does not know");
        Ok(Self {
            duty: Duty::from_kind(row.count(0)?).ok_or_else(unknown)?,
            subject: row.text(1)?.to_owned(),
            due_ms: row.count(2)?,
            payload: row.optional_text(3)?.unwrap_or_default().to_owned(),
        })
    }
}

/// How late an alarm may be, in ms, before its object considers it lost. The platform stops calling an alarm whose
/// handler has failed too often (Cloudflare, Alarms: 6 retries). Setting an alarm that is only late costs one row.
const OVERDUE_MS: u64 = 60_000;

/// The earliest time at which an alarm can be set, in ms since the Unix epoch. The platform rejects any earlier one,
/// and an instant at which a stream ends may be as early as it likes.
const EARLIEST_ALARM_MS: u64 = 1;

const EARLIEST: &str = "SELECT due_ms FROM agenda ORDER BY due_ms LIMIT 1";

/// Inserts or replaces the entry of a duty. Sets the alarm only if the duty becomes the earliest one, because setting
/// an alarm is billed as a row.
///
/// Fails if the alarm cannot be set. A transaction around this call then undoes the entry as well. Without one, only
/// the alarm's own handler calls this: the platform calls a failed handler again, which sets the alarm to the earliest
/// entry.
pub(super) fn upsert<S: ActorState>(state: &S, entry: &Entry) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO agenda (kind, subject, due_ms, payload) VALUES (?1, ?2, ?3, ?4) \
                          ON CONFLICT (kind, subject) DO UPDATE SET due_ms = excluded.due_ms, \
                          payload = excluded.payload";
    let sql = state.sql();
    schema::create_agenda_table(sql)?;
    let before = earliest(sql)?;
    let Entry { duty, subject, due_ms, payload } = entry;
    let params = [
        SqlParam::Integer(duty.kind()),
        SqlParam::Text(subject),
        SqlParam::count(*due_ms)?,
        SqlParam::text_or_null(Some(payload.as_str()).filter(|payload| !payload.is_empty())),
    ];
    sql.run(UPSERT, &params)?;
    if before.is_none_or(|before_ms| *due_ms < before_ms) {
        set_alarm(state, *due_ms)?;
    }
    debug_assert!(
        !matches!(find(state, *duty, subject), Ok(found) if found.as_ref() != Some(entry)),
        "an entry is stored as it was entered"
    );
    debug_assert!(
        is_covered(sql, before.map_or(*due_ms, |before_ms| before_ms.min(*due_ms))),
        "no duty comes before the alarm"
    );
    Ok(())
}

/// Sets the alarm to a time at which a duty is due.
fn set_alarm<S: ActorState>(state: &S, due_ms: u64) -> Result<(), SqlError> {
    state.set_alarm(due_ms.max(EARLIEST_ALARM_MS))
}

/// Whether an alarm at this time is early enough for every duty. For assertions; a statement that fails proves nothing.
fn is_covered<S: SqlStorage>(sql: &S, alarm_ms: u64) -> bool {
    !matches!(earliest(sql), Ok(Some(due_ms)) if due_ms < alarm_ms)
}

/// Whether the stream's own duties are there: to move segments, if any is sealed, and to remove the stream, if it ends,
/// no later than that. For assertions; a statement that fails proves nothing.
pub(super) fn has_duties_of<S: ActorState>(state: &S, stream: &Stream) -> bool {
    let rotates = |found: Option<Entry>| found.is_some() || stream.first_sealed().is_none();
    let ends = |found: Option<Entry>| stream.ends_ms().is_none_or(|ms| found.is_some_and(|entry| entry.due_ms <= ms));
    has_known_bug()
        || find(state, Duty::Rotate, "").map_or(true, rotates) && find(state, Duty::Expire, "").map_or(true, ends)
}

/// Inserts the duty if absent; returns whether it did.
pub(super) fn insert_if_absent<S: ActorState>(state: &S, entry: &Entry) -> Result<bool, SqlError> {
    let Some(found) = find(state, entry.duty, &entry.subject)? else {
        upsert(state, entry)?;
        return Ok(true);
    };
    let now_ms = state.now_ms();
    if found.due_ms + OVERDUE_MS <= now_ms {
        // The alarm was lost. An object that never hibernates notices it only here.
        state.set_alarm(now_ms)?;
    }
    Ok(false)
}

/// Sets the alarm again if the platform has given it up. Called once after each start of the object, by its first
/// request.
pub(super) fn restore_lost_alarm<S: ActorState>(state: &S) -> Result<(), SqlError> {
    let (sql, now_ms) = (state.sql(), state.now_ms());
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    if earliest(sql)?.is_some_and(|due_ms| due_ms + OVERDUE_MS <= now_ms) {
        state.sometimes(marks::OVERDUE_ALARM_SET_AGAIN);
        state.set_alarm(now_ms)?;
    }
    Ok(())
}

/// The entry of a duty, if there is one.
pub(super) fn find<S: ActorState>(state: &S, duty: Duty, subject: &str) -> Result<Option<Entry>, SqlError> {
    const SELECT: &str = "SELECT kind, subject, due_ms, payload FROM agenda WHERE kind = ?1 AND subject = ?2";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(None);
    }
    sql.first(SELECT, &[SqlParam::Integer(duty.kind()), SqlParam::Text(subject)], Entry::from_row)
}

/// Deletes the entry of a duty. The alarm stays set; if nothing else is due, its handler does nothing.
pub(super) fn delete<S: ActorState>(state: &S, duty: Duty, subject: &str) -> Result<(), SqlError> {
    const DELETE: &str = "DELETE FROM agenda WHERE kind = ?1 AND subject = ?2";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    sql.run(DELETE, &[SqlParam::Integer(duty.kind()), SqlParam::Text(subject)])
}

/// Deletes all duties that concern the stream itself. For its removal.
pub(super) fn delete_all_of_stream<S: ActorState>(state: &S) -> Result<(), SqlError> {
    const DELETE: &str = "DELETE FROM agenda WHERE kind IN (?1, ?2, ?3) AND subject = ''";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    let kinds = [Duty::Expire, Duty::Rotate, Duty::Sweep].map(|duty| SqlParam::Integer(duty.kind()));
    sql.run(DELETE, &kinds)
}

/// The number of duties that delete objects from R2.
pub(super) fn count_sweeps<S: ActorState>(state: &S) -> Result<u64, SqlError> {
    const SELECT: &str = "SELECT count(*) FROM agenda WHERE kind = ?1 OR kind = ?2";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(0);
    }
    let params = [SqlParam::Integer(Duty::Sweep.kind()), SqlParam::Integer(Duty::Remove.kind())];
    Ok(sql.first(SELECT, &params, |row| row.count(0))?.unwrap_or_default())
}

/// The earliest duty that is due.
pub(super) fn earliest_due<S: ActorState>(state: &S, now_ms: u64) -> Result<Option<Entry>, SqlError> {
    const SELECT: &str = "SELECT kind, subject, due_ms, payload FROM agenda WHERE due_ms <= ?1 \
                          ORDER BY due_ms, kind, subject LIMIT 1";
    let sql = state.sql();
    if !schema::has_table(sql, "agenda")? {
        return Ok(None);
    }
    sql.first(SELECT, &[SqlParam::count(now_ms)?], Entry::from_row)
}

/// Alarms of one instance that came too early, one after another.
#[derive(Default)]
pub(super) struct EarlyAlarms {
    /// When the duty is due for which they came, in ms since the Unix epoch.
    due_ms: Cell<u64>,
    count: Cell<u32>,
}

/// How much later than its duty an alarm is set that has come too early twice, at least and at most, in ms. It doubles
/// with each further one.
const LATER_MS: (u64, u64) = (100, 60_000);

impl EarlyAlarms {
    /// An alarm came, and something was due.
    fn end(&self) {
        self.count.set(0);
    }

    /// An alarm came so much too early for that duty. For when to set the next one.
    ///
    /// The first time that is when the duty is due. If it comes too early again, it goes by a clock that is ahead of
    /// the object's: set to the same time, it would come at once, and again, without end.
    fn next_ms(&self, due_ms: u64, early_ms: u64) -> u64 {
        let count = if self.due_ms.replace(due_ms) == due_ms { self.count.get() } else { 0 };
        self.count.set(count.saturating_add(1));
        let (least_ms, most_ms) = LATER_MS;
        let later_ms = match count {
            0 => 0,
            _ => early_ms.max(least_ms).saturating_mul(1 << (count - 1).min(16)).min(most_ms.max(early_ms)),
        };
        due_ms.saturating_add(later_ms)
    }
}

/// Sets the alarm to the earliest duty, if there is any. For the end of an alarm handler that had something to do or not.
pub(super) fn set_alarm_to_earliest<S: ActorState>(
    state: &S,
    had_something_to_do: bool,
    early: &EarlyAlarms,
) -> Result<(), SqlError> {
    let (sql, now_ms) = (state.sql(), state.now_ms());
    if !schema::has_table(sql, "agenda")? {
        return Ok(());
    }
    let Some(due_ms) = earliest(sql)? else { return Ok(()) };
    if had_something_to_do || due_ms <= now_ms {
        early.end();
        return set_alarm(state, due_ms);
    }
    let at_ms = if mutated!(EarlyAlarmSetForTheSameTime) { due_ms } else { early.next_ms(due_ms, due_ms - now_ms) };
    if at_ms > due_ms {
        state.sometimes(marks::ALARM_OF_A_CLOCK_AHEAD);
    }
    set_alarm(state, at_ms)
}

fn earliest<S: SqlStorage>(sql: &S) -> Result<Option<u64>, SqlError> {
    sql.first(EARLIEST, &[], |row| row.count(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_comes_too_early_again_and_again_is_set_later_and_later() {
        let early = EarlyAlarms::default();
        let set: Vec<u64> = (0..5).map(|_| early.next_ms(1_000_000, 300) - 1_000_000).collect();
        assert_eq!(set, [0, 300, 600, 1_200, 2_400]);
        assert_eq!(early.next_ms(2_000_000, 5), 2_000_000, "it is another duty");
        assert_eq!(early.next_ms(2_000_000, 5), 2_000_100);
        early.end();
        assert_eq!(early.next_ms(2_000_000, 5), 2_000_000);
        for _ in 0..100 {
            assert!(early.next_ms(2_000_000, 5) <= 2_060_000);
        }
        assert_eq!(early.next_ms(2_000_000, 90_000), 2_090_000);
    }
}
