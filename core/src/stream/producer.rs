//! The last append of each producer, and the verdict on the stamp of the next one.

use crate::mutant::mutated;
use crate::protocol::{Offset, ProducerStamp};
use crate::storage::{SqlError, SqlParam, SqlStorage};

/// Whether an append with a stamp is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the producer's next append.
    Accept,
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
        return Ok(if stamp.seq == 0 { Verdict::Accept } else { Verdict::Gap { expected: 0 } });
    };
    if stamp.epoch < last.epoch && !mutated!(StaleEpochAccepted) {
        let current = if mutated!(StaleEpochTellsNext) { stamp.epoch + 1 } else { last.epoch };
        return Ok(Verdict::StaleEpoch { current });
    }
    if stamp.epoch > last.epoch && !mutated!(DedupeWithoutEpoch) {
        let may_start = stamp.seq == 0 || mutated!(EpochStartsAnywhere);
        return Ok(if may_start { Verdict::Accept } else { Verdict::EpochMustStartAtZero });
    }
    if stamp.seq <= last.seq {
        if mutated!(DedupeOff) {
            return Ok(Verdict::Accept);
        }
        let is_told = stamp.seq == last.seq && !mutated!(DuplicateAnswersTail) || mutated!(OlderDuplicateAnswersLast);
        let offset = is_told.then_some(last.offset);
        return Ok(Verdict::Duplicate { last_seq: last.seq, offset });
    }
    if stamp.seq == last.seq + 1 {
        return Ok(Verdict::Accept);
    }
    if mutated!(GapAccepted) {
        return Ok(Verdict::Accept);
    }
    Ok(Verdict::Gap { expected: if mutated!(GapExpectsLast) { last.seq } else { last.seq + 1 } })
}

/// Records the stamp of the producer's last append, and the end of that append (exclusive). Writes one row.
pub(super) fn record<S: SqlStorage>(sql: &S, stamp: &ProducerStamp, next: Offset) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO producers (id, epoch, seq, read_seq, position) VALUES (?1, ?2, ?3, ?4, ?5) \
                          ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, \
                          read_seq = excluded.read_seq, position = excluded.position";
    let params = [
        SqlParam::Text(stamp.id.as_str()),
        SqlParam::count(stamp.epoch)?,
        SqlParam::count(stamp.seq)?,
        SqlParam::count(next.read_seq)?,
        SqlParam::count(next.position)?,
    ];
    sql.run(UPSERT, &params)
}

/// Whether the stamp is that of the producer's last append.
pub(super) fn is_last_append<S: SqlStorage>(sql: &S, stamp: &ProducerStamp) -> Result<bool, SqlError> {
    const SELECT: &str = "SELECT 1 FROM producers WHERE id = ?1 AND epoch = ?2 AND seq = ?3";
    let params = [SqlParam::Text(stamp.id.as_str()), SqlParam::count(stamp.epoch)?, SqlParam::count(stamp.seq)?];
    Ok(sql.first(SELECT, &params, |_| Ok(()))?.is_some())
}
