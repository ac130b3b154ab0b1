//! The last append of each producer, and the verdict on the stamp of the next one.

use std::ops::ControlFlow;

use crate::mutant::mutated;
use crate::protocol::limits::PRODUCERS_LOOKED_AT;
use crate::protocol::{Offset, ProducerStamp};
use crate::storage::{SqlError, SqlParam, SqlStorage, Statement};

/// Whether an append with a stamp is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the producer's next append.
    Accept {
        /// Whether the stream does not keep the producer yet.
        is_new: bool,
    },
    /// It was accepted before.
    Duplicate {
        /// The highest sequence number accepted in this epoch.
        last_seq: u64,
        /// The end of the producer's last append (exclusive), if that is the repeated one.
        offset: Option<Offset>,
    },
    /// Another instance of the producer has taken over.
    StaleEpoch {
        /// The epoch that the stream knows.
        current: u64,
    },
    /// A new epoch that does not start at 0.
    EpochMustStartAtZero,
    /// Sequence numbers are missing.
    Gap {
        /// The sequence number that would be accepted.
        expected: u64,
    },
}

struct LastAppend {
    epoch: u64,
    seq: u64,
    offset: Offset,
}

/// Compares a stamp with the producer's last append. Writes nothing.
pub(super) fn judge<S: SqlStorage>(sql: &S, stamp: &ProducerStamp) -> Result<Verdict, SqlError> {
    const SELECT: &str = "SELECT epoch, seq, read_seq, position FROM producers WHERE id = ?1";
    let last = sql.first(SELECT, &[SqlParam::Text(stamp.id.as_str())], |row| {
        let offset = Offset { read_seq: row.count(2)?, position: row.count(3)? };
        Ok(LastAppend { epoch: row.count(0)?, seq: row.count(1)?, offset })
    })?;
    let Some(last) = last else {
        return Ok(if stamp.seq == 0 { Verdict::Accept { is_new: true } } else { Verdict::Gap { expected: 0 } });
    };
    if stamp.epoch < last.epoch && !mutated!(StaleEpochAccepted) {
        let current = if mutated!(StaleEpochTellsNext) { stamp.epoch + 1 } else { last.epoch };
        return Ok(Verdict::StaleEpoch { current });
    }
    const NEXT: Verdict = Verdict::Accept { is_new: false };
    if stamp.epoch > last.epoch && !mutated!(DedupeWithoutEpoch) {
        let may_start = stamp.seq == 0 || mutated!(EpochStartsAnywhere);
        return Ok(if may_start { NEXT } else { Verdict::EpochMustStartAtZero });
    }
    if stamp.seq <= last.seq {
        if mutated!(DedupeOff) {
            return Ok(NEXT);
        }
        let is_told = match mutated!(OlderDuplicateAnswersLast) {
            true => true,
            false => stamp.seq == last.seq && !mutated!(DuplicateAnswersTail),
        };
        let offset = is_told.then_some(last.offset);
        return Ok(Verdict::Duplicate { last_seq: last.seq, offset });
    }
    if stamp.seq == last.seq + 1 {
        return Ok(NEXT);
    }
    if mutated!(GapAccepted) {
        return Ok(NEXT);
    }
    Ok(Verdict::Gap { expected: if mutated!(GapExpectsLast) { last.seq } else { last.seq + 1 } })
}

/// Records the stamp of the producer's last append, the end of that append (exclusive), and its commit time. Writes one
/// row.
pub(super) fn record<S: SqlStorage>(
    sql: &S,
    stamp: &ProducerStamp,
    next: Offset,
    commit_ms: u64,
) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO producers (id, epoch, seq, read_seq, position, commit_ms) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                          ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, \
                          read_seq = excluded.read_seq, position = excluded.position, commit_ms = excluded.commit_ms";
    let params = [
        SqlParam::Text(stamp.id.as_str()),
        SqlParam::count(stamp.epoch)?,
        SqlParam::count(stamp.seq)?,
        SqlParam::count(next.read_seq)?,
        SqlParam::count(next.position)?,
        SqlParam::count(commit_ms)?,
    ];
    sql.run(UPSERT, &params)
}

/// Deletes a producer, whose place another one takes. Writes one row.
pub(super) fn forget<S: SqlStorage>(sql: &S, id: &str) -> Result<(), SqlError> {
    sql.run("DELETE FROM producers WHERE id = ?1", &[SqlParam::Text(id)])
}

/// What a look for an idle producer has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// An idle producer.
    Idle(String),
    /// There is none among all producers.
    NoneAtAll,
    /// There was none so far. This is the last one that was looked at.
    NoneUntil(String),
}

/// Looks for a producer whose last append was committed at `until_ms` or before, in the order of their names from the
/// one after `after` on and then from the first on, at [`PRODUCERS_LOOKED_AT`] at most.
pub(super) fn find_idle<S: SqlStorage>(sql: &S, after: Option<&str>, until_ms: u64) -> Result<Look, SqlError> {
    const AFTER: &str = "SELECT id, commit_ms FROM producers WHERE id > ?1 ORDER BY id LIMIT ?2";
    const UP_TO: &str = "SELECT id, commit_ms FROM producers WHERE id <= ?1 ORDER BY id LIMIT ?2";
    let start = SqlParam::Text(after.unwrap_or_default());
    let (mut left, mut last, mut idle) = (PRODUCERS_LOOKED_AT, String::new(), None);
    for sql_text in [AFTER, UP_TO] {
        let params = [start, SqlParam::count(left)?];
        sql.exec(Statement { sql: sql_text, params: &params, byte_budget: usize::MAX }, &mut |row| {
            left -= 1;
            last = row.text(0)?.to_owned();
            if row.count(1)? > until_ms {
                return Ok(ControlFlow::Continue(()));
            }
            idle = Some(last.clone());
            Ok(ControlFlow::Break(()))
        })?;
        match idle {
            Some(idle) => return Ok(Look::Idle(idle)),
            None if left == 0 => return Ok(Look::NoneUntil(last)),
            None => {}
        }
    }
    Ok(Look::NoneAtAll)
}

/// Whether the stamp is that of the producer's last append.
pub(super) fn is_last_append<S: SqlStorage>(sql: &S, stamp: &ProducerStamp) -> Result<bool, SqlError> {
    const SELECT: &str = "SELECT 1 FROM producers WHERE id = ?1 AND epoch = ?2 AND seq = ?3";
    let params = [SqlParam::Text(stamp.id.as_str()), SqlParam::count(stamp.epoch)?, SqlParam::count(stamp.seq)?];
    Ok(sql.first(SELECT, &params, |_| Ok(()))?.is_some())
}
