//! Whether a reader was connected to a stream for sure: the stream does not expire then.

use crate::judge::history::{Call, End, History, Mode, Op};

/// How long a live read is on its way to a stream near by, where nothing goes wrong, in ms.
const LIVE_TRAVEL_MS: u64 = 2_000;

/// How long a live read is on its way to its stream, where nothing goes wrong, in ms.
pub(super) fn live_travel_ms(history: &History) -> u64 {
    LIVE_TRAVEL_MS + history.conditions.round_trip_ms()
}

/// Whether one reader's socket was at the stream's object all the time from one virtual ms to another, for sure.
pub(super) fn is_attended(history: &History, stream: usize, from_ms: u64, until_ms: u64) -> bool {
    history.of_stream(stream).any(|(index, op)| {
        let Call::Live { mode, reader, .. } = op.call else { return false };
        if history.giver(op).is_cache() {
            return false;
        }
        let began_ms = match mode {
            Mode::Sse => has_listened(history, index, op, until_ms),
            Mode::LongPoll => has_waited(history, op, until_ms),
        };
        began_ms.is_some_and(|began_ms| began_ms <= from_ms)
            && until_ms + history.conditions.clocks_apart_ms < op.invoked.ms + history.conditions.waits.longest_ms()
            && is_undisturbed(history, stream, op, reader, until_ms)
    })
}

/// When, in ms, a reader that had a socket was told that its stream is gone, if it was.
pub(super) fn sent_away_ms(history: &History, stream: usize, index: usize, op: &Op) -> Option<u64> {
    let Call::Live { mode, reader, .. } = op.call else { return None };
    if history.giver(op).is_cache() {
        return None;
    }
    let (had_socket_ms, least_ms, told_ms) = match mode {
        Mode::Sse => {
            let (end, how) = history.listenings.get(&index)?.end?;
            let had_socket_ms = has_listened(history, index, op, end.ms.saturating_sub(1))?;
            (had_socket_ms, history.conditions.least_connection_ms(), (how == End::Finished).then_some(end.ms)?)
        }
        Mode::LongPoll => {
            // Before, it may have waited for a flight that was lost.
            let is_settled = op.invoked.ms >= history.conditions.settled_from_ms;
            let told = op.ended.filter(|_| is_settled && op.status() == Some(404))?;
            (op.invoked.ms + live_travel_ms(history), history.conditions.waits.long_poll_ms, told.ms)
        }
    };
    // With its token it ends before.
    let off_ms = history.conditions.edge_clock_off_ms();
    let token_ms = op.shown.map_or(u64::MAX, |shown| shown.until_ms.saturating_sub(off_ms));
    let is_in_time = told_ms > had_socket_ms && told_ms < token_ms.min(op.invoked.ms + least_ms);
    let is_alone = is_undisturbed(history, stream, op, reader, told_ms) && !is_sent_back(history, stream, told_ms);
    (is_in_time && is_alone).then_some(told_ms)
}

/// Whether whoever waited for the stream may have been sent back then because it had got another reader key.
pub(super) fn is_sent_back(history: &History, stream: usize, told_ms: u64) -> bool {
    history.of_stream(stream).any(|(_, op)| {
        let until_ms = op.settled().ms.saturating_add(live_travel_ms(history));
        matches!(op.call, Call::NewReaderKey) && (op.invoked.ms..=until_ms).contains(&told_ms)
    })
}

fn is_undisturbed(history: &History, stream: usize, op: &Op, reader: usize, until_ms: u64) -> bool {
    history.readers[reader].is_attentive(op.invoked.ms, until_ms.saturating_sub(1))
        && !history.harms.has_any(op.request)
        && !history.harms.has_any_of_stream(stream, op.invoked.ms..=until_ms)
}

/// Since when, in ms, a connection with events had a socket, if it was open until then: its client had been told that it
/// was at the tail, and was told so again with each event that came later.
fn has_listened(history: &History, index: usize, op: &Op, until_ms: u64) -> Option<u64> {
    let listening = history.listenings.get(&index).filter(|_| op.status() == Some(200))?;
    let is_open = listening.end.is_none_or(|(end, _)| end.ms > until_ms);
    let first = listening.deliveries.first()?;
    let is_at_tail = listening.deliveries.iter().all(|delivery| delivery.up_to_date && !delivery.closed);
    (is_open && is_at_tail).then_some(first.at.ms)
}

/// Since when, in ms, a long-poll had a socket that waited in vain until after `until_ms`, its own or that of the flight
/// that it had joined.
fn has_waited(history: &History, op: &Op, until_ms: u64) -> Option<u64> {
    let has_waited = op.status() == Some(204) && op.definite().is_some_and(|answer| !answer.closed);
    let is_open = op.ended.is_some_and(|ended| ended.ms > until_ms);
    (has_waited && is_open).then_some(op.invoked.ms + live_travel_ms(history))
}
