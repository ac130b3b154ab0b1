//! The agenda: the durable list of what an object has to do later. The object's one alarm is set to its earliest entry.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::early_alarms::EarlyAlarms;
use crate::mutant::mutated;
use crate::runtime::{ActorState, marks};
use crate::storage::{SqlError, SqlParam, SqlRow, SqlStorage, Statement, schema};
use crate::stream::{Stream, has_known_bug};

/// A kind of work that an object does later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Remove the stream once it has expired.
    Expire,
    /// Move sealed segments to R2.
    Rotate,
    /// Delete objects of the stream that no row names. The payload is a `sweep_duty::Pass`.
    Sweep,
    /// Delete the objects of a removed stream. The subject is that stream's incarnation.
    Remove,
}

impl Duty {
    const ALL: [Self; 4] = [Self::Expire, Self::Rotate, Self::Sweep, Self::Remove];

    fn kind(self) -> i64 {
        match self {
            Self::Expire => 1,
            Self::Rotate => 2,
            Self::Sweep => 3,
            Self::Remove => 4,
        }
    }

    fn from_kind(kind: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|duty| u64::try_from(duty.kind()) == Ok(kind))
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
    /// How often in a row the duty has failed.
    pub(super) failures: u32,
    /// What the duty has to remember, in one line; its format is the duty's own.
    pub(super) payload: String,
}

impl Entry {
    /// A duty that concerns the stream itself.
    pub(super) fn new(duty: Duty, due_ms: u64) -> Self {
        Self { duty, subject: String::new(), due_ms, failures: 0, payload: String::new() }
    }

    /// `None` for a duty that this version does not know.
    fn from_row(row: SqlRow<'_>) -> Result<Option<Self>, SqlError> {
        let Some(duty) = Duty::from_kind(row.count(0)?) else { return Ok(None) };
        let stored = row.optional_text(3)?.unwrap_or_default();
        let (payload, failures) = stored.split_once('\n').unwrap_or((stored, ""));
        Ok(Some(Self {
            duty,
            subject: row.text(1)?.to_owned(),
            due_ms: row.count(2)?,
            failures: failures.parse().unwrap_or(0),
            payload: payload.to_owned(),
        }))
    }

    /// What the column `payload` holds: the duty's own line and, after a failure, a second one with their number.
    fn stored_payload(&self) -> String {
        match self.failures {
            0 => self.payload.clone(),
            failures => format!("{}\n{failures}", self.payload),
        }
    }

    /// Whether both are entries of the same duty about the same subject.
    pub(super) fn is_same_duty(&self, other: &Self) -> bool {
        (self.duty, &self.subject) == (other.duty, &other.subject)
    }
}

/// The most entries that [`due`] brings. The alarm's handler works on four at a time (`alarm::REMOVALS_AT_ONCE`), so
/// one that it does not work on yet is among them, if there is any.
const DUE_LIMIT: usize = 8;

/// How much later an entry is looked at again whose duty this version does not know, in ms. Our choice: a later version
/// wrote it, which will be back at some time, and each look costs a row.
pub(super) const UNKNOWN_DUTY_MS: u64 = 3_600_000;

/// How late an alarm may be, in ms, before its object considers it lost. The platform stops calling an alarm whose
/// handler has failed too often (Cloudflare, Alarms: 6 retries). Setting an alarm that is only late costs one row.
const OVERDUE_MS: u64 = 60_000;

/// The earliest time at which an alarm can be set, in ms since the Unix epoch. The platform rejects any earlier one,
/// and an instant at which a stream ends may be as early as it likes.
const EARLIEST_ALARM_MS: u64 = 1;

const EARLIEST: &str = "SELECT due_ms FROM agenda ORDER BY due_ms LIMIT 1";

/// The most removed streams whose objects may wait to be deleted, before another one may be created. Our choice: every
/// look at the agenda reads all of its entries, and each removed stream has one until R2 has forgotten it.
pub(super) const REMOVALS_LIMIT: u64 = 1_000;

/// The agenda of an object. Memory has only whether its table is there: it comes with the first duty, and goes with the
/// last one of an object without a stream.
#[derive(Default)]
pub(super) struct Agenda {
    /// `None` where nobody has looked since the start, or since a transaction that may have changed it was undone.
    known: Cell<Option<bool>>,
    /// When it was looked for a lost alarm last, in ms since the Unix epoch.
    looked_ms: Cell<Option<u64>>,
}

impl Agenda {
    /// Takes over what a start of the object has found.
    pub(super) fn found(&self, is_there: bool) {
        self.known.set(Some(is_there));
    }

    /// Looks anew, since a transaction was undone.
    pub(super) fn forget(&self) {
        self.known.set(None);
    }

    /// Whether there is the table.
    pub(super) fn is_there<S: SqlStorage>(&self, sql: &S) -> Result<bool, SqlError> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let is_there = schema::tables(sql)?.agenda;
        self.known.set(Some(is_there));
        Ok(is_there)
    }

    /// Inserts or replaces the entry of a duty. Sets the alarm only if the duty becomes the earliest one, because setting
    /// an alarm is billed as a row.
    ///
    /// Fails if the alarm cannot be set. A transaction around this call then undoes the entry as well. Without one, only
    /// the alarm's own handler calls this: the platform calls a failed handler again, which sets the alarm to the earliest
    /// entry.
    pub(super) fn upsert<S: ActorState>(&self, state: &S, entry: &Entry) -> Result<(), SqlError> {
        const UPSERT: &str = "INSERT INTO agenda (kind, subject, due_ms, payload) VALUES (?1, ?2, ?3, ?4) \
                              ON CONFLICT (kind, subject) DO UPDATE SET due_ms = excluded.due_ms, \
                              payload = excluded.payload";
        let sql = state.sql();
        if !self.is_there(sql)? {
            schema::create_agenda_table(sql)?;
            self.known.set(Some(true));
        }
        let before = earliest(sql)?;
        let Entry { duty, subject, due_ms, .. } = entry;
        let payload = entry.stored_payload();
        debug_assert!(!entry.payload.contains('\n'), "what a duty remembers is one line");
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
            sql.holds(|| !matches!(self.find(state, *duty, subject), Ok(found) if found.as_ref() != Some(entry))),
            "an entry is stored as it was entered"
        );
        debug_assert!(
            sql.holds(|| is_covered(sql, before.map_or(*due_ms, |before_ms| before_ms.min(*due_ms)))),
            "no duty comes before the alarm"
        );
        Ok(())
    }

    /// Whether the stream's own duties are there: to move segments, if any is sealed, and to remove the stream, if it ends,
    /// no later than that unless a removal has failed. For assertions; a statement that fails proves nothing.
    pub(super) fn has_duties_of<S: ActorState>(&self, state: &S, stream: &Stream) -> bool {
        let rotates = |found: Option<Entry>| found.is_some() || stream.first_sealed().is_none();
        let is_in_time = |entry: Entry, ms| entry.due_ms <= ms || entry.failures > 0;
        let ends =
            |found: Option<Entry>| stream.ends_ms().is_none_or(|ms| found.is_some_and(|entry| is_in_time(entry, ms)));
        has_known_bug()
            || self.find(state, Duty::Rotate, "").map_or(true, rotates)
                && self.find(state, Duty::Expire, "").map_or(true, ends)
    }

    /// Inserts the duty if absent; returns whether it did.
    pub(super) fn insert_if_absent<S: ActorState>(&self, state: &S, entry: &Entry) -> Result<bool, SqlError> {
        let Some(found) = self.find(state, entry.duty, &entry.subject)? else {
            self.upsert(state, entry)?;
            return Ok(true);
        };
        let now_ms = state.now_ms();
        if found.due_ms + OVERDUE_MS <= now_ms {
            // The alarm was lost. An object that never hibernates notices it only here.
            state.set_alarm(now_ms)?;
        }
        Ok(false)
    }

    /// Whether somebody has looked for a lost alarm since the start.
    pub(super) fn has_looked(&self) -> bool {
        self.looked_ms.get().is_some()
    }

    /// Sets the alarm again if the platform has given it up. Called after each start of the object, by its first request, and
    /// for an append that finds no room: until something is moved to R2 no append seals another segment, and an object that
    /// is asked all the time never starts again. Looks once a minute.
    pub(super) fn restore_lost_alarm<S: ActorState>(&self, state: &S) -> Result<(), SqlError> {
        let (sql, now_ms) = (state.sql(), state.now_ms());
        if self.looked_ms.get().is_some_and(|looked_ms| now_ms < looked_ms + OVERDUE_MS) {
            return Ok(());
        }
        self.looked_ms.set(Some(now_ms));
        if self.is_there(sql)? && is_overdue(sql, now_ms)? {
            state.sometimes(marks::OVERDUE_ALARM_SET_AGAIN);
            state.set_alarm(now_ms)?;
        }
        Ok(())
    }

    /// Sets the alarm once more, though nothing has changed, as a known bug does.
    pub(super) fn set_alarm_again<S: ActorState>(&self, state: &S) -> Result<(), SqlError> {
        if self.is_there(state.sql())? { set_alarm_to_earliest(state) } else { Ok(()) }
    }

    /// The entry of a duty, if there is one.
    pub(super) fn find<S: ActorState>(&self, state: &S, duty: Duty, subject: &str) -> Result<Option<Entry>, SqlError> {
        const SELECT: &str = "SELECT kind, subject, due_ms, payload FROM agenda WHERE kind = ?1 AND subject = ?2";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(None);
        }
        Ok(sql.first(SELECT, &[SqlParam::Integer(duty.kind()), SqlParam::Text(subject)], Entry::from_row)?.flatten())
    }

    /// Deletes the entry of a duty. The alarm stays set; if nothing else is due, its handler does nothing.
    pub(super) fn delete<S: ActorState>(&self, state: &S, duty: Duty, subject: &str) -> Result<(), SqlError> {
        const DELETE: &str = "DELETE FROM agenda WHERE kind = ?1 AND subject = ?2";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(());
        }
        sql.run(DELETE, &[SqlParam::Integer(duty.kind()), SqlParam::Text(subject)])
    }

    /// Drops the table if nothing is left to do. For an object without a stream: a creation makes the table anew, which
    /// costs two rows.
    pub(super) fn drop_if_empty<S: ActorState>(&self, state: &S) -> Result<(), SqlError> {
        let sql = state.sql();
        let is_empty = self.is_there(sql)? && earliest(sql)?.is_none();
        if is_empty && !mutated!(TablesKeptAfterRemoval) {
            schema::drop_agenda_table(sql)?;
            self.known.set(Some(false));
        }
        Ok(())
    }

    /// Deletes all duties that concern the stream itself. For its removal.
    ///
    /// If the alarm was given up, this takes away what it was overdue for, by which a later start would notice that. So it
    /// sets the alarm to what is left.
    pub(super) fn delete_all_of_stream<S: ActorState>(&self, state: &S, now_ms: u64) -> Result<(), SqlError> {
        const DELETE: &str = "DELETE FROM agenda WHERE kind IN (?1, ?2, ?3) AND subject = ''";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(());
        }
        let was_overdue = is_overdue(sql, now_ms)?;
        let kinds = [Duty::Expire, Duty::Rotate, Duty::Sweep].map(|duty| SqlParam::Integer(duty.kind()));
        sql.run(DELETE, &kinds)?;
        if was_overdue { set_alarm_to_earliest(state) } else { Ok(()) }
    }

    /// The number of duties that delete objects from R2.
    pub(super) fn count_sweeps<S: ActorState>(&self, state: &S) -> Result<u64, SqlError> {
        const SELECT: &str = "SELECT count(*) FROM agenda WHERE kind = ?1 OR kind = ?2";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(0);
        }
        let params = [SqlParam::Integer(Duty::Sweep.kind()), SqlParam::Integer(Duty::Remove.kind())];
        Ok(sql.first(SELECT, &params, |row| row.count(0))?.unwrap_or_default())
    }

    /// Whether so many removed streams wait that no other may be created.
    pub(super) fn has_most_removals<S: ActorState>(&self, state: &S) -> Result<bool, SqlError> {
        const SELECT: &str = "SELECT 1 FROM agenda WHERE kind = ?1 LIMIT 1 OFFSET ?2";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(false);
        }
        let params = [SqlParam::Integer(Duty::Remove.kind()), SqlParam::count(REMOVALS_LIMIT - 1)?];
        Ok(sql.first(SELECT, &params, |_| Ok(()))?.is_some())
    }

    /// Entries that are due, at most [`DUE_LIMIT`], without those of removed streams unless `with_removals`. The expiry
    /// comes first, since readers wait for it, and the others in the order of their time.
    ///
    /// An entry whose duty this version does not know is left for the version that wrote it. It is due again
    /// [`UNKNOWN_DUTY_MS`] later: the alarm, which is set to the earliest entry, would else go off for it all the time.
    pub(super) fn due<S: ActorState>(
        &self,
        state: &S,
        now_ms: u64,
        with_removals: bool,
    ) -> Result<Vec<Entry>, SqlError> {
        const SELECT: &str = "SELECT kind, subject, due_ms, payload FROM agenda WHERE due_ms <= ?1 AND kind <> ?2 \
                              ORDER BY kind <> ?3, due_ms, kind, subject LIMIT ?4";
        const POSTPONE: &str = "UPDATE agenda SET due_ms = ?1 WHERE due_ms <= ?2 AND kind NOT IN (?3, ?4, ?5, ?6)";
        let sql = state.sql();
        if !self.is_there(sql)? {
            return Ok(Vec::new());
        }
        let left_out = if with_removals { SqlParam::Integer(0) } else { SqlParam::Integer(Duty::Remove.kind()) };
        let (first, limit) = (SqlParam::Integer(Duty::Expire.kind()), SqlParam::count(DUE_LIMIT as u64)?);
        let params = [SqlParam::count(now_ms)?, left_out, first, limit];
        loop {
            let (mut known, mut unknown) = (Vec::with_capacity(DUE_LIMIT), 0);
            sql.exec(Statement { sql: SELECT, params: &params, byte_budget: usize::MAX }, &mut |row| {
                match Entry::from_row(row)? {
                    Some(entry) => known.push(entry),
                    None => unknown += 1,
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if unknown == 0 {
                return Ok(known);
            }
            tracing::warn!(unknown, "the agenda holds duties that this version does not know");
            let [expire, rotate, sweep, remove] = Duty::ALL.map(|duty| SqlParam::Integer(duty.kind()));
            let later = SqlParam::count(now_ms + UNKNOWN_DUTY_MS)?;
            sql.run(POSTPONE, &[later, SqlParam::count(now_ms)?, expire, rotate, sweep, remove])?;
        }
    }

    /// When the first entry is due that is not due yet.
    pub(super) fn next_due_ms<S: ActorState>(&self, state: &S, now_ms: u64) -> Result<Option<u64>, SqlError> {
        const SELECT: &str = "SELECT due_ms FROM agenda WHERE due_ms > ?1 ORDER BY due_ms LIMIT 1";
        let sql = state.sql();
        // The duties under way may be those of a stream that was removed meanwhile.
        if !self.is_there(sql)? {
            return Ok(None);
        }
        sql.first(SELECT, &[SqlParam::count(now_ms)?], |row| row.count(0))
    }

    /// Sets the next alarm at the end of the handler, which had something to do or not.
    pub(super) fn set_next_alarm<S: ActorState>(
        &self,
        state: &S,
        has_worked: bool,
        early: &EarlyAlarms,
    ) -> Result<(), SqlError> {
        let (sql, now_ms) = (state.sql(), state.now_ms());
        if !self.is_there(sql)? {
            return Ok(());
        }
        let Some(due_ms) = earliest(sql)? else { return Ok(()) };
        if has_worked || due_ms <= now_ms {
            early.end();
            return set_alarm(state, due_ms);
        }
        let at_ms = early.next_ms(due_ms);
        if at_ms > due_ms {
            state.sometimes(marks::ALARM_OF_A_CLOCK_AHEAD);
        }
        set_alarm(state, at_ms)
    }
}

/// Sets the alarm to a time at which a duty is due.
fn set_alarm<S: ActorState>(state: &S, due_ms: u64) -> Result<(), SqlError> {
    state.set_alarm(due_ms.max(EARLIEST_ALARM_MS))
}

/// Whether an alarm at this time is early enough for every duty. For assertions; a statement that fails proves nothing.
fn is_covered<S: SqlStorage>(sql: &S, alarm_ms: u64) -> bool {
    !matches!(earliest(sql), Ok(Some(due_ms)) if due_ms < alarm_ms)
}

/// Whether the earliest entry has been due for so long that the platform may have given the alarm up.
fn is_overdue<S: SqlStorage>(sql: &S, now_ms: u64) -> Result<bool, SqlError> {
    Ok(earliest(sql)?.is_some_and(|due_ms| due_ms + OVERDUE_MS <= now_ms))
}

/// Sets the alarm to the earliest duty, if there is any.
fn set_alarm_to_earliest<S: ActorState>(state: &S) -> Result<(), SqlError> {
    earliest(state.sql())?.map_or(Ok(()), |due_ms| set_alarm(state, due_ms))
}

fn earliest<S: SqlStorage>(sql: &S) -> Result<Option<u64>, SqlError> {
    sql.first(EARLIEST, &[], |row| row.count(0))
}
