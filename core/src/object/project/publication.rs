//! When the record is put into KV, and when once more.
//!
//! A put whose end is unknown may be applied late, after later puts, and would then bring back what they have removed. So
//! before a put leaves, the row says that one may be under way, and as long as that is not settled, the record is put once
//! more, [`KV_SETTLES_MS`] later.

use std::cell::Cell;

use super::table::Row;
use crate::mutant::mutated;
use crate::protocol::project::DELETED;
use crate::runtime::{ActorState, KV_PUT_INTERVAL_MS, KV_SETTLES_MS, KvStore, marks};
use crate::storage::{SqlError, SqlStorage};

/// How long a put may take until it has left, or has failed, in ms. Our choice.
const PUT_MS: u64 = 10_000;

/// The wait after a put that has failed, in ms; it doubles with each further one, up to the longest. Our choice.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 60_000;

/// What a put has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// KV has confirmed it, or there was nothing to put.
    Confirmed,
    /// It has failed, or its end is unknown.
    Failed,
    /// Another one is under way.
    Busy,
}

/// What this instance knows of its puts.
#[derive(Default)]
pub(super) struct Publication {
    is_under_way: Cell<bool>,
    last_ms: Cell<Option<u64>>,
    failures: Cell<u32>,
}

impl Publication {
    /// Puts the record into KV, if that is due.
    pub(super) async fn put<S: ActorState>(&self, state: &S) -> Result<Put, SqlError> {
        if self.is_under_way.get() && !mutated!(RecordPublishedOutOfOrder) {
            return Ok(Put::Busy);
        }
        self.is_under_way.set(true);
        // A request that is given up meanwhile leaves the way to the next one.
        let _under_way = UnderWay(&self.is_under_way);
        let sql = state.sql();
        let early = Row::load(sql)?;
        let next_ms = self.last_ms.get().map_or(0, |last_ms| last_ms + KV_PUT_INTERVAL_MS);
        let now_ms = state.now_ms();
        if now_ms < next_ms {
            state.sleep_ms(next_ms - now_ms).await;
        }
        let row = if mutated!(RecordPublishedOutOfOrder) { early } else { Row::load(sql)? };
        let Some(row) = row.filter(|row| row.due_ms.is_some()) else { return Ok(Put::Confirmed) };
        let began_ms = state.now_ms();
        let earlier_ms = row.unsure_ms;
        let (version, text) = (row.record.version, row.record.encode());
        let note = if row.record.is_deleted { DELETED } else { "" };
        sql.transaction(|| {
            // By a known bug what is put is not what is stored.
            let unsure_ms = Some(began_ms + PUT_MS);
            set_due(state, Row { unsure_ms, ..Row::load(sql)?.unwrap_or(row.clone()) }, Some(began_ms + 2 * PUT_MS))
        })?;
        self.last_ms.set(Some(began_ms));
        let outcome = state.kv().put(&row.name, &text, note, PUT_MS).await;
        // The one that KV takes first counts from when it was taken.
        self.last_ms.set(Some(state.now_ms()));
        let Some(row) = Row::load(sql)? else { return Ok(Put::Confirmed) };
        if let Err(error) = outcome {
            tracing::warn!(%error, "a project's record was not published");
            state.sometimes(marks::RECORD_NOT_PUBLISHED);
            let failures = self.failures.get();
            self.failures.set(failures.saturating_add(1));
            let pause_ms = FIRST_PAUSE_MS.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE_MS);
            let due_ms = state.now_ms() + pause_ms;
            sql.transaction(|| set_due(state, row, Some(due_ms)))?;
            return Ok(Put::Failed);
        }
        self.failures.set(0);
        // One whose end is unknown may still come after this one.
        let unsure_ms =
            earlier_ms.filter(|earlier_ms| began_ms < earlier_ms + KV_SETTLES_MS && !mutated!(LatePutNotFollowed));
        let due_ms = match unsure_ms {
            _ if row.record.version > version && !mutated!(RecordPublishedOutOfOrder) => Some(state.now_ms()),
            Some(unsure_ms) => {
                state.sometimes(marks::RECORD_TO_BE_PUBLISHED_AGAIN);
                Some(unsure_ms + KV_SETTLES_MS)
            }
            None => None,
        };
        let confirmed = row.confirmed.max(version);
        sql.transaction(|| set_due(state, Row { confirmed, unsure_ms, ..row }, due_ms))?;
        Ok(Put::Confirmed)
    }

    /// How long to wait before the next put, in ms.
    pub(super) fn pause_ms<S: ActorState>(&self, state: &S) -> Result<u64, SqlError> {
        let due_ms = Row::load(state.sql())?.and_then(|row| row.due_ms).unwrap_or_default();
        Ok(due_ms.saturating_sub(state.now_ms()).clamp(1, FIRST_PAUSE_MS))
    }
}

/// Stores the row, and sets the alarm to when the record is to be put again. In a transaction.
pub(super) fn set_due<S: ActorState>(state: &S, row: Row, due_ms: Option<u64>) -> Result<(), SqlError> {
    Row { due_ms, ..row }.store(state.sql())?;
    due_ms.map_or(Ok(()), |due_ms| state.set_alarm(due_ms))
}

/// As long as this lives, a put is under way.
struct UnderWay<'a>(&'a Cell<bool>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
