//! Durability of one object's storage.
//!
//! All writes of one turn, including the alarm, are one batch. A batch is durable once it is confirmed, and batches are
//! confirmed in order. A crash keeps a prefix of those that are written and not confirmed. Each unconfirmed batch is a
//! savepoint of the live database: what a crash loses is rolled back, and nothing is ever replayed.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::world::sql::sqlite::Database;

/// The one alarm of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlarmSetting {
    /// When it goes off, in ms since the Unix epoch.
    pub(crate) at_ms: Option<u64>,
    /// Distinguishes this setting from an earlier one of the same time. It never repeats, not even after a crash.
    pub(crate) version: u64,
}

struct WriteBatch {
    number: u64,
    alarm: AlarmSetting,
}

#[derive(Default)]
struct State {
    /// The batches that are written and not confirmed, oldest first.
    batches: VecDeque<WriteBatch>,
    /// Whether the turn has opened a batch, and whether anything is in it.
    open: bool,
    dirty: bool,
    written: u64,
    confirmed: u64,
    alarm: AlarmSetting,
    durable_alarm: AlarmSetting,
    alarm_versions: u64,
}

/// The storage of an object, and the record of what of it is durable.
pub(crate) struct Journal {
    database: Database,
    state: RefCell<State>,
}

impl Journal {
    /// The storage of an object that has never run.
    pub(crate) fn open() -> Self {
        Self { database: Database::open(), state: RefCell::default() }
    }

    /// The copy that a superseded instance goes on with: everything written so far. No more of it is ever confirmed.
    pub(crate) fn fork(&self) -> Self {
        let state = self.state.borrow();
        debug_assert!(!state.open, "an instance is superseded between its turns");
        let forked = State {
            written: state.written,
            confirmed: state.confirmed,
            alarm: state.alarm,
            durable_alarm: state.durable_alarm,
            alarm_versions: state.alarm_versions,
            ..State::default()
        };
        Self { database: self.database.fork(), state: RefCell::new(forked) }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Opens the turn's batch: writes from here on belong to it.
    pub(crate) fn open_batch(&self) {
        let mut state = self.state.borrow_mut();
        if !state.open {
            state.open = true;
            self.database.begin_batch();
        }
    }

    /// Opens the turn's batch for a write.
    pub(crate) fn write(&self) {
        self.open_batch();
        self.state.borrow_mut().dirty = true;
    }

    /// Sets or removes the alarm, as part of the turn's batch.
    pub(crate) fn set_alarm(&self, at_ms: Option<u64>) {
        self.write();
        self.database.note_alarm();
        let mut state = self.state.borrow_mut();
        state.alarm_versions += 1;
        state.alarm = AlarmSetting { at_ms, version: state.alarm_versions };
    }

    /// The platform's `transactionSync`: an error undoes rows and alarm together. Transactions may nest.
    pub(crate) fn transaction<T, E>(&self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.open_batch();
        let alarm = self.alarm();
        let result = self.database.transaction(body);
        if result.is_err() {
            self.state.borrow_mut().alarm = alarm;
        }
        result
    }

    /// The alarm as written.
    pub(crate) fn alarm(&self) -> AlarmSetting {
        self.state.borrow().alarm
    }

    /// The alarm as confirmed.
    pub(crate) fn durable_alarm(&self) -> AlarmSetting {
        self.state.borrow().durable_alarm
    }

    /// Removes the alarm at once, also from what is durable.
    pub(crate) fn lose_alarm(&self) {
        let mut state = self.state.borrow_mut();
        state.alarm_versions += 1;
        let none = AlarmSetting { at_ms: None, version: state.alarm_versions };
        state.alarm = none;
        state.durable_alarm = none;
        state.batches.iter_mut().for_each(|batch| batch.alarm = none);
    }

    /// Ends a turn. Returns the number of its batch, if it wrote anything.
    pub(crate) fn end_turn(&self) -> Option<u64> {
        let mut state = self.state.borrow_mut();
        if !std::mem::take(&mut state.open) {
            return None;
        }
        if !std::mem::take(&mut state.dirty) {
            self.database.drop_batch();
            return None;
        }
        state.written += 1;
        let batch = WriteBatch { number: state.written, alarm: state.alarm };
        state.batches.push_back(batch);
        Some(state.written)
    }

    /// Ends a turn, and undoes what it wrote.
    pub(crate) fn undo_turn(&self) {
        if self.end_turn().is_some() {
            let mut state = self.state.borrow_mut();
            state.batches.pop_back();
            state.written -= 1;
            state.alarm = state.batches.back().map_or(state.durable_alarm, |batch| batch.alarm);
            self.database.undo_batch();
        }
    }

    /// Whether the turn has written, so that what it puts out waits for a write of its own.
    pub(crate) fn has_written(&self) -> bool {
        self.state.borrow().dirty
    }

    /// The batch that has to be confirmed before what is put out now may leave: the turn's own if it has written, else
    /// the one before.
    pub(crate) fn position(&self) -> u64 {
        let state = self.state.borrow();
        state.written + u64::from(state.dirty)
    }

    /// The latest batch that is confirmed.
    pub(crate) fn confirmed(&self) -> u64 {
        self.state.borrow().confirmed
    }

    /// Batches written and not confirmed.
    pub(crate) fn unconfirmed(&self) -> u64 {
        self.state.borrow().batches.len() as u64
    }

    /// Makes everything up to this batch durable.
    pub(crate) fn confirm(&self, number: u64) {
        let mut state = self.state.borrow_mut();
        if number <= state.confirmed {
            return;
        }
        while let Some(batch) = state.batches.pop_front_if(|batch| batch.number <= number) {
            state.confirmed = batch.number;
            state.durable_alarm = batch.alarm;
        }
        if state.batches.is_empty() && !state.open {
            self.database.commit();
        }
    }

    /// Keeps this many of the unconfirmed batches, the oldest ones, and undoes the rest.
    pub(crate) fn crash(&self, kept: u64) {
        let mut state = self.state.borrow_mut();
        debug_assert!(!state.open, "an instance crashes between its turns");
        while state.batches.len() as u64 > kept {
            state.batches.pop_back();
            self.database.undo_batch();
        }
        let last = state.batches.back().map(|batch| batch.number);
        drop(state);
        if let Some(number) = last {
            self.confirm(number);
        }
        let mut state = self.state.borrow_mut();
        state.alarm = state.durable_alarm;
        state.written = state.confirmed;
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use tailrace_core::storage::Statement;

    use super::*;

    fn run(journal: &Journal, sql: &'static str) {
        journal.write();
        let statement = Statement { sql, params: &[], byte_budget: usize::MAX };
        journal.database().exec(statement, &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
    }

    /// A journal of four batches, of which `confirmed` are confirmed: a table, then three rows, each with an alarm.
    fn written(confirmed: u64) -> Journal {
        let journal = Journal::open();
        run(&journal, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
        assert_eq!(journal.end_turn(), Some(1));
        for number in 2..=4 {
            run(&journal, "INSERT INTO t DEFAULT VALUES");
            journal.set_alarm(Some(number * 100));
            assert_eq!(journal.position(), number);
            assert_eq!(journal.end_turn(), Some(number));
        }
        journal.confirm(confirmed);
        journal
    }

    fn rows(journal: &Journal) -> Option<u64> {
        journal.database().tables().first().map(|(_, rows)| *rows)
    }

    #[test]
    fn a_crash_keeps_a_prefix_between_confirmed_and_written_with_its_alarm() {
        for (confirmed, kept, rows_left, alarm) in [
            (0, 0, None, None),
            (0, 1, Some(0), None),
            (0, 3, Some(2), Some(300)),
            (1, 0, Some(0), None),
            (2, 0, Some(1), Some(200)),
            (2, 1, Some(2), Some(300)),
            (2, 2, Some(3), Some(400)),
            (4, 0, Some(3), Some(400)),
        ] {
            let journal = written(confirmed);
            assert_eq!(journal.unconfirmed(), 4 - confirmed);
            journal.crash(kept);
            let state = (rows(&journal), journal.durable_alarm().at_ms, journal.alarm().at_ms, journal.unconfirmed());
            assert_eq!(state, (rows_left, alarm, alarm, 0), "confirmed {confirmed}, kept {kept}");
            assert_eq!((journal.position(), journal.confirmed()), (confirmed + kept, confirmed + kept));
        }
    }

    #[test]
    fn after_a_crash_the_journal_goes_on() {
        let journal = written(2);
        journal.crash(0);
        run(&journal, "INSERT INTO t DEFAULT VALUES");
        assert_eq!(journal.end_turn(), Some(3));
        assert_eq!((rows(&journal), journal.unconfirmed()), (Some(2), 1));
        journal.confirm(3);
        journal.crash(0);
        assert_eq!(rows(&journal), Some(2));
    }

    #[test]
    fn a_turn_that_wrote_nothing_is_no_batch() {
        let journal = written(4);
        assert_eq!(journal.end_turn(), None);
        journal.open_batch();
        assert_eq!((journal.position(), journal.end_turn()), (4, None));
        journal.confirm(4);
        assert_eq!(rows(&journal), Some(3));
    }

    #[test]
    fn a_transaction_that_fails_undoes_the_alarm_with_the_rows() {
        let journal = written(4);
        let outcome: Result<(), ()> = journal.transaction(|| {
            run(&journal, "INSERT INTO t DEFAULT VALUES");
            journal.set_alarm(Some(900));
            Err(())
        });
        assert_eq!(outcome, Err(()));
        assert_eq!((rows(&journal), journal.alarm().at_ms), (Some(3), Some(400)));
    }

    #[test]
    fn an_alarm_set_again_for_the_same_time_is_another_one() {
        let journal = written(4);
        let first = journal.durable_alarm();
        journal.set_alarm(first.at_ms);
        journal.end_turn();
        assert_eq!(journal.durable_alarm(), first, "not confirmed yet");
        journal.confirm(5);
        assert_eq!(journal.durable_alarm().at_ms, first.at_ms);
        assert_ne!(journal.durable_alarm().version, first.version);
    }
}
