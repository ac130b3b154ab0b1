//! What debug headers tell about an object.

use super::agenda::Agenda;
use crate::runtime::ActorState;
use crate::storage::{SqlError, SqlStorage, schema};
use crate::stream::Slot;

/// The value of `Tailrace-Cold`: segments in R2 and waiting for it, bytes of the hot log, duties that delete objects,
/// objects being deleted and deleted, the rows that this instance has written in requests and alarms, and how many
/// segments the URL has left.
pub(super) fn cold_summary<S: ActorState>(agenda: &Agenda, state: &S, slot: &Slot) -> Result<String, SqlError> {
    let sql = state.sql();
    let counts = match schema::tables(sql)?.stream {
        true => {
            sql.first("SELECT unswept, swept FROM stream WHERE id = 0", &[], |row| Ok((row.count(0)?, row.count(1)?)))?
        }
        false => None,
    };
    let (unswept, swept) = counts.unwrap_or_default();
    let sweeps = agenda.count_sweeps(state)?;
    let (segments, waiting, hot_bytes) = match slot {
        Slot::Vacant { .. } => (0, 0, 0),
        Slot::Occupied(stream) => {
            (stream.layout.first_hot - stream.first_read_seq, stream.waiting(), stream.hot_bytes())
        }
    };
    Ok(format!(
        "segments={segments}; waiting={waiting}; hot-bytes={hot_bytes}; sweeps={sweeps}; unswept={unswept}; \
         swept={swept}; rows={}; segments-left={}",
        state.rows_written(),
        slot.segments_left()
    ))
}

/// The value of `Tailrace-Rows-Read`: rows that the request has read, and those that its instance has read from its
/// start on, from counts before and after the request. `None` on hosts that do not count.
pub(super) fn rows_read(before: Option<u64>, after: Option<u64>) -> Option<String> {
    let (before, after) = before.zip(after)?;
    Some(format!("request={}; instance={after}", after.saturating_sub(before)))
}
