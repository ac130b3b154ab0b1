//! The last batch of each producer, and what a stamp means.

use crate::mutant::mutated;
use crate::protocol::{Offset, ProducerStamp};
use crate::storage::{SqlError, SqlParam, SqlStorage};

/// What a stamp means for the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Accept,
    /// It was accepted before.
    Duplicate {
        /// The highest sequence number accepted in this epoch.
        last_seq: u64,
        /// The offset behind that batch, if it is the one that is repeated.
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
        /// The next one.
        expected: u64,
    },
}

struct LastBatch {
    epoch: u64,
    seq: u64,
    offset: Offset,
}

/// Holds a stamp against the producer's last batch. Writes nothing.
pub(super) fn judge<S: SqlStorage>(sql: &S, stamp: &ProducerStamp) -> Result<Verdict, SqlError> {
    const SELECT: &str = "SELECT epoch, seq, read_seq, position FROM producers WHERE id = ?1";
    let last = sql.first(SELECT, &[SqlParam::Text(stamp.id.as_str())], |row| {
        let offset = Offset { read_seq: row.count(2)?, position: row.count(3)? };
        Ok(LastBatch { epoch: row.count(0)?, seq: row.count(1)?, offset })
    })?;
    let Some(last) = last else {
        return Ok(if stamp.seq == 0 { Verdict::Accept } else { Verdict::Gap { expected: 0 } });
    };
    if stamp.epoch < last.epoch {
        return Ok(Verdict::StaleEpoch { current: last.epoch });
    }
    if stamp.epoch > last.epoch && !mutated!(DedupeWithoutEpoch) {
        return Ok(if stamp.seq == 0 { Verdict::Accept } else { Verdict::EpochMustStartAtZero });
    }
    if stamp.seq <= last.seq {
        if mutated!(DedupeOff) {
            return Ok(Verdict::Accept);
        }
        let offset = (stamp.seq == last.seq).then_some(last.offset);
        return Ok(Verdict::Duplicate { last_seq: last.seq, offset });
    }
    if stamp.seq == last.seq + 1 {
        return Ok(Verdict::Accept);
    }
    Ok(Verdict::Gap { expected: last.seq + 1 })
}

/// Records the producer's last batch: one row.
pub(super) fn record<S: SqlStorage>(sql: &S, stamp: &ProducerStamp, behind: Offset) -> Result<(), SqlError> {
    const UPSERT: &str = "INSERT INTO producers (id, epoch, seq, read_seq, position) VALUES (?1, ?2, ?3, ?4, ?5) \
                          ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, \
                          read_seq = excluded.read_seq, position = excluded.position";
    let params = [
        SqlParam::Text(stamp.id.as_str()),
        SqlParam::count(stamp.epoch)?,
        SqlParam::count(stamp.seq)?,
        SqlParam::count(behind.read_seq)?,
        SqlParam::count(behind.position)?,
    ];
    sql.run(UPSERT, &params)
}

/// Whether the stamp is exactly the producer's last batch.
pub(super) fn is_last_batch<S: SqlStorage>(sql: &S, stamp: &ProducerStamp) -> Result<bool, SqlError> {
    const SELECT: &str = "SELECT 1 FROM producers WHERE id = ?1 AND epoch = ?2 AND seq = ?3";
    let params = [SqlParam::Text(stamp.id.as_str()), SqlParam::count(stamp.epoch)?, SqlParam::count(stamp.seq)?];
    Ok(sql.first(SELECT, &params, |_| Ok(()))?.is_some())
}
