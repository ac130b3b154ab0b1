//! What a history reached that only its public side shows.

use std::collections::{BTreeMap, BTreeSet};

use tailrace_core::runtime::Mark;

use super::case::Case;
use super::invariant;
use super::keepers::Keepers;
use super::reader_keys::Held;
use crate::judge::history::{Arrival, Call, End, From, Giver, Manner, Mode, Op, Parting, Payload, Trespass};
use crate::tailrace::Waits;

tailrace_core::marks! {
    /// A producer's retry was answered as a duplicate after the first answer had been lost.
    LOST_ANSWER_RETRIED = "lost_answer_retried", required;
    /// A page ended inside an append.
    PAGE_ENDED_INSIDE_BATCH = "page_ended_inside_batch", required;
    /// An append came within a second of its stream's end.
    EXPIRY_RACED_APPEND = "expiry_raced_append", required;
    /// A stream was created again at the same URL, and an offset of its predecessor was read.
    OLD_OFFSET_GONE = "old_offset_gone", required;
    /// A zombie producer was fenced.
    ZOMBIE_FENCED = "zombie_fenced", required;
    /// The close of a stream reached a reader that was waiting.
    CLOSE_REACHED_WAITING = "close_reached_waiting", required;
    /// The deletion of a stream reached a reader that was waiting.
    DELETION_REACHED_WAITING = "deletion_reached_waiting", required;
    /// The end of a stream's lifetime reached a reader that was waiting.
    EXPIRY_REACHED_WAITING = "expiry_reached_waiting", required;
    /// A stream was created again while readers of the one before were waiting.
    RECREATED_UNDER_WAITING = "recreated_under_waiting", required;
    /// A reader of events came back after its connection had broken, and went on.
    RESUMED_AFTER_CUT = "resumed_after_cut", required;
    /// A reader of events came back after its connection had come to its end in good order, and went on.
    RESUMED_AFTER_END = "resumed_after_end", required;
    /// A reader stalled, and caught up.
    STALLED_AND_CAUGHT_UP = "stalled_and_caught_up", required;
    /// A reader waited for longer than every time-out, and was sent what was written then.
    SENT_AFTER_LONG_SILENCE = "sent_after_long_silence", required;
    /// A long-poll waited in vain for another time than 20 s.
    LONG_POLL_OF_ANOTHER_LENGTH = "long_poll_of_another_length", required;
    /// A connection with events came to its end in good order after less time than one of a minute lasts.
    CONNECTION_OF_ANOTHER_LENGTH = "connection_of_another_length", required;
    /// Several readers waited at one position for so long that their cursors had to agree.
    CURSORS_CONVERGED = "cursors_converged", required;
    /// Two requests for one key missed in one datacenter before the answer could be seen there.
    CACHE_RACED = "cache_raced", required;
    /// A page of a stream that was gone came from a cache.
    GONE_STREAM_FROM_CACHE = "gone_stream_from_cache", required;
    /// A browser handed out what it had kept.
    BROWSER_HANDED_OUT = "browser_handed_out", required;
    /// A browser handed out what was stale, and asked for it meanwhile.
    BROWSER_HANDED_OUT_STALE = "browser_handed_out_stale", required;
    /// A browser asked with the tag of what it had kept, and was told that it still holds.
    BROWSER_REVALIDATED = "browser_revalidated", required;
    /// A browser handed out what had answered a long-poll.
    LONG_POLL_FROM_BROWSER = "long_poll_from_browser", required;
    /// A browser asked with the tag of what had answered a long-poll, and was told that it still holds.
    LONG_POLL_REVALIDATED = "long_poll_revalidated", required;
    /// A reader came with a cursor ahead of the clock, was told another one, and came with that.
    CURSOR_AHEAD_ECHOED = "cursor_ahead_echoed", required;
    /// A token expired under a live read, which ended by that.
    TOKEN_ENDED_LIVE_READ = "token_ended_live_read", required;
    /// A client was told that its token had expired.
    TOKEN_EXPIRED_IN_USE = "token_expired_in_use", required;
    /// A stranger asked where a cache had the answer.
    STRANGER_AT_A_COPY = "stranger_at_a_copy", required;
    /// A stranger was told that it has no token.
    STRANGER_WITHOUT_TOKEN = "stranger_without_token", required;
    /// A stranger was told that its token is none.
    STRANGER_WITH_FORGERY = "stranger_with_forgery", required;
    /// A stranger was told that its token has expired.
    STRANGER_TOO_LATE = "stranger_too_late", required;
    /// A stranger was told that its token may not do that.
    STRANGER_BEYOND_SCOPE = "stranger_beyond_scope", required;
    /// A stranger was told that its token is for other streams.
    STRANGER_OF_OTHER_STREAM = "stranger_of_other_stream", required;
    /// A stranger was told that its token is for another project.
    STRANGER_OF_OTHER_PROJECT = "stranger_of_other_project", required;
    /// A stranger was told that it has more than one token.
    STRANGER_WITH_TWO_TOKENS = "stranger_with_two_tokens", required;
    /// A stranger read a public stream.
    STRANGER_READ_PUBLIC_STREAM = "stranger_read_public_stream", required;
    /// A stranger read a public stream from a cache.
    STRANGER_READ_PUBLIC_COPY = "stranger_read_public_copy", required;
    /// A stranger asked with a reader key for what a cache in front had, and was answered by that.
    STRANGER_ANSWERED_IN_FRONT = "stranger_answered_in_front", optional;
    /// A stream got another reader key while somebody waited for it.
    READER_KEY_REPLACED_UNDER_WAITING = "reader_key_replaced_under_waiting", required;
    /// A reader asked with a reader key that was no longer the stream's.
    OLD_READER_KEY_USED = "old_reader_key_used", required;
}

/// How much longer than every connection a long silence lasts, in ms: a hibernation.
const LONG_SILENCE_MS: u64 = 24_000;

/// How long a request waits at least that waits at all, in ms.
const WAITING_MS: u64 = 1_000;

/// The marks of a history, each once however often it was reached.
pub(super) fn reached(cases: &[Case<'_>]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for case in cases {
        let any = |is: &dyn Fn(&Op) -> bool| case.iter().any(|(_, op)| is(op));
        let reached = [
            (LOST_ANSWER_RETRIED, any(&|op| is_retried(case, op))),
            (PAGE_ENDED_INSIDE_BATCH, ends_inside_batch(case)),
            (EXPIRY_RACED_APPEND, case.iter().any(|(index, op)| races_expiry(case, index, op))),
            (OLD_OFFSET_GONE, any(&|op| op.status() == Some(410))),
            (ZOMBIE_FENCED, any(&|op| op.status() == Some(403))),
            (
                CLOSE_REACHED_WAITING,
                ended_while_waiting(case, Parting::Closed, &|op| {
                    matches!(op.call, Call::Append { closes: true, .. }) && op.succeeded()
                }),
            ),
            (
                DELETION_REACHED_WAITING,
                ended_while_waiting(case, Parting::Gone, &|op| matches!(op.call, Call::Delete) && op.succeeded()),
            ),
            (EXPIRY_REACHED_WAITING, expired_while_waiting(case)),
            (
                RECREATED_UNDER_WAITING,
                ended_while_waiting(case, Parting::Gone, &|op| {
                    matches!(op.call, Call::Create { .. }) && op.status() == Some(201)
                }),
            ),
            (RESUMED_AFTER_CUT, resumed_after(case, End::Cut)),
            (RESUMED_AFTER_END, resumed_after(case, End::Finished)),
            (STALLED_AND_CAUGHT_UP, stalled_and_caught_up(case)),
            (SENT_AFTER_LONG_SILENCE, sent_after_long_silence(case)),
            (LONG_POLL_OF_ANOTHER_LENGTH, any(&|op| waited_another_time(case, op))),
            (CONNECTION_OF_ANOTHER_LENGTH, lasted_another_time(case)),
            (CURSORS_CONVERGED, cursors_converged(case)),
            (CURSOR_AHEAD_ECHOED, cursor_ahead_echoed(case)),
            (CACHE_RACED, invariant::raced(case)),
            (GONE_STREAM_FROM_CACHE, case.iter().any(|(_, op)| invariant::is_of_gone_stream(case, op))),
            (BROWSER_HANDED_OUT, any(&|op| is_from_browser(case, op))),
            (BROWSER_HANDED_OUT_STALE, any(&|op| is_stale(case, op))),
            (BROWSER_REVALIDATED, any(&is_revalidated)),
            (LONG_POLL_FROM_BROWSER, any(&|op| is_poll(op) && is_from_browser(case, op))),
            (LONG_POLL_REVALIDATED, any(&|op| is_poll(op) && op.status() == Some(304))),
            (TOKEN_EXPIRED_IN_USE, any(&Op::is_denied)),
            (TOKEN_ENDED_LIVE_READ, case.iter().any(|(index, op)| invariant::is_ended_by_token(case, index, op))),
            (STRANGER_AT_A_COPY, case.strangers().any(|trespass| trespass.is_at_a_copy)),
            (STRANGER_WITHOUT_TOKEN, is_told(case, "token_missing")),
            (STRANGER_WITH_FORGERY, is_told(case, "token_invalid")),
            (STRANGER_TOO_LATE, is_told(case, "token_expired")),
            (STRANGER_BEYOND_SCOPE, is_told(case, "scope_insufficient")),
            (STRANGER_OF_OTHER_STREAM, is_told(case, "stream_not_granted")),
            (STRANGER_OF_OTHER_PROJECT, is_told(case, "project_not_granted")),
            (STRANGER_WITH_TWO_TOKENS, is_told(case, "token_ambiguous")),
            (STRANGER_READ_PUBLIC_STREAM, reads_what_is_public(case).next().is_some()),
            (STRANGER_READ_PUBLIC_COPY, reads_what_is_public(case).any(|trespass| is_from_cache(case, trespass))),
            (STRANGER_ANSWERED_IN_FRONT, case.strangers().any(|trespass| is_answered_in_front(case, trespass))),
            (READER_KEY_REPLACED_UNDER_WAITING, replaced_under_waiting(case)),
            (OLD_READER_KEY_USED, any(&|op| op.reader_key.is_some() && op.status() == Some(200) && is_old(case, op))),
        ];
        marks.extend(reached.into_iter().filter(|(_, reached)| *reached).map(|(mark, _)| mark));
    }
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// Whether a stranger was refused with that code.
fn is_told(case: &Case<'_>, code: &str) -> bool {
    case.strangers().any(|trespass| trespass.code().as_deref() == Some(code))
}

/// Strangers that were told something of a public stream, and not because of a reader key.
fn reads_what_is_public<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Trespass> {
    case.strangers().filter(|trespass| {
        let is_read = trespass.answer.as_ref().is_some_and(|answer| answer.status == 200);
        is_read && invariant::is_told(case, trespass) && !invariant::is_granted_by_url(case, trespass)
    })
}

fn is_from_cache(case: &Case<'_>, trespass: &Trespass) -> bool {
    let answer = trespass.answer.as_ref();
    case.history.fronts.handed.contains_key(&trespass.request)
        || answer.is_some_and(|answer| answer.headers.get("x-cache") == Some("HIT"))
}

fn is_answered_in_front(case: &Case<'_>, trespass: &Trespass) -> bool {
    let is_read = trespass.answer.as_ref().is_some_and(|answer| answer.status == 200);
    is_read && invariant::is_granted_by_url(case, trespass)
}

fn replaced_under_waiting(case: &Case<'_>) -> bool {
    let replaced = case.iter().filter(|(_, op)| matches!(op.call, Call::NewReaderKey) && op.succeeded());
    let replaced_ms: Vec<u64> = replaced.map(|(_, op)| op.settled().ms).collect();
    waits(case).any(|(_, from_ms, to_ms)| replaced_ms.iter().any(|ms| (from_ms..=to_ms).contains(ms)))
}

fn is_old(case: &Case<'_>, op: &Op) -> bool {
    let key = op.reader_key.as_deref().filter(|key| case.reader_keys.is_known(key, op.invoked));
    key.is_some() && case.keepers(op) == Keepers::Holders(Held::Never)
}

fn is_poll(op: &Op) -> bool {
    matches!(op.call, Call::Live { mode: Mode::LongPoll, .. })
}

fn is_from_browser(case: &Case<'_>, op: &Op) -> bool {
    matches!(case.history.giver(op), Giver::Browser { .. })
}

/// Whether a browser handed out what was no longer fresh.
fn is_stale(case: &Case<'_>, op: &Op) -> bool {
    let Giver::Browser { by } = case.history.giver(op) else { return false };
    let asks = |other: &Op| other.revalidates() == Some(by);
    case.iter().any(|(_, other)| asks(other) && other.invoked.ms == op.invoked.ms)
}

fn is_revalidated(op: &Op) -> bool {
    op.status() == Some(304) && matches!(op.call, Call::Read { manner: Some(Manner::Browser), .. })
}

fn cursor_ahead_echoed(case: &Case<'_>) -> bool {
    let told: BTreeSet<(usize, u64)> =
        case.arrivals().filter_map(|arrival| Some((arrival.reader, arrival.cursor?))).collect();
    case.iter().any(|(_, op)| match op.call {
        Call::Live { cursor: Some(cursor), reader, .. } => cursor > op.invoked.ms && told.contains(&(reader, cursor)),
        _ => false,
    })
}

fn is_retried(case: &Case<'_>, op: &Op) -> bool {
    let Some(batch) = op.batch().filter(|batch| case.history.batches[*batch].stamp.is_some()) else { return false };
    let lost_before = |other: &Op| other.definite().is_none() && other.invoked < op.invoked;
    op.status() == Some(204) && case.carriers(batch).any(|(_, other)| lost_before(other))
}

fn ends_inside_batch(case: &Case<'_>) -> bool {
    let mut placed: Vec<_> = case.log.placed.iter().map(|placed| (placed.start, placed.end)).collect();
    placed.sort_unstable();
    // The farthest end of those that begin so far.
    let ends: Vec<_> = placed
        .iter()
        .scan(None, |farthest, (_, end)| {
            *farthest = Some(*end).max(*farthest);
            *farthest
        })
        .collect();
    case.log.pages.iter().any(|page| {
        let begun = placed.partition_point(|(start, _)| *start < page.to);
        begun > 0 && page.to < ends[begun - 1]
    })
}

fn races_expiry(case: &Case<'_>, index: usize, op: &Op) -> bool {
    let Some(ended) = op.ended.filter(|_| matches!(op.call, Call::Append { .. })) else { return false };
    let end_ms = case.latest_end_ms(Some(index), ended);
    op.definite().is_some() && end_ms.is_some_and(|end_ms| end_ms.abs_diff(op.invoked.ms) < 1_000)
}

/// When a live request began to wait and when it was over, in virtual ms; none for one that was over at once.
fn waits<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, u64, u64)> + 'a {
    case.iter().filter_map(|(index, op)| {
        let Call::Live { reader, .. } = op.call else { return None };
        let listening = case.history.listenings.get(&index).and_then(|listening| listening.end);
        let end = listening.map(|(end, _)| end).or(op.ended)?;
        (end.ms > op.invoked.ms + WAITING_MS).then_some((reader, op.invoked.ms, end.ms))
    })
}

/// Whether a reader parted so, soon after such a request that came while it was waiting.
fn ended_while_waiting(case: &Case<'_>, parting: Parting, ends: &dyn Fn(&Op) -> bool) -> bool {
    let causes: Vec<u64> = case.iter().filter(|(_, op)| ends(op)).map(|(_, op)| op.settled().ms).collect();
    let parted = |reader: usize| case.history.readers[reader].parted.filter(|(_, why)| *why == parting);
    waits(case).any(|(reader, from_ms, to_ms)| {
        let soon = |cause: &u64| (from_ms + WAITING_MS..=to_ms).contains(cause) && to_ms - cause < WAITING_MS;
        parted(reader).is_some_and(|(at, _)| at.ms < to_ms + WAITING_MS) && causes.iter().any(soon)
    })
}

fn expired_while_waiting(case: &Case<'_>) -> bool {
    let gone = |reader: usize| case.history.readers[reader].parted.filter(|(_, why)| *why == Parting::Gone);
    let deleted = case.iter().any(|(_, op)| matches!(op.call, Call::Delete));
    !deleted
        && waits(case)
            .any(|(reader, _, to_ms)| gone(reader).is_some_and(|(at, _)| (to_ms..to_ms + WAITING_MS).contains(&at.ms)))
}

/// Whether a reader's connection of events ended so, and a later one brought it something.
fn resumed_after(case: &Case<'_>, how: End) -> bool {
    let ended: Vec<(usize, u64)> = case
        .iter()
        .filter_map(|(index, op)| match (&op.call, case.history.listenings.get(&index)?.end?) {
            (Call::Live { reader, .. }, (at, end)) if end == how => Some((*reader, at.tick)),
            _ => None,
        })
        .collect();
    brought(case).any(|arrival| {
        let tick = arrival.invoked.tick;
        ended.iter().any(|(reader, ended)| *reader == arrival.reader && *ended < tick)
    })
}

fn brought<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Arrival<'a>> {
    case.arrivals().filter(|arrival| arrival.payload != Payload::Empty)
}

fn stalled_and_caught_up(case: &Case<'_>) -> bool {
    brought(case).any(|arrival| {
        let stalls = &case.history.readers[arrival.reader].stalls;
        stalls.iter().any(|(_, end_ms)| (*end_ms..end_ms + WAITING_MS).contains(&arrival.at.ms))
    })
}

fn sent_after_long_silence(case: &Case<'_>) -> bool {
    let mut last_ms = BTreeMap::new();
    let long_ms = case.history.conditions.connection_ms() + LONG_SILENCE_MS;
    brought(case).any(|arrival| {
        let joined_ms = case.history.readers[arrival.reader].joined.ms;
        let before_ms = last_ms.insert(arrival.reader, arrival.at.ms).unwrap_or(joined_ms);
        arrival.at.ms > before_ms + long_ms
    })
}

fn waited_another_time(case: &Case<'_>, op: &Op) -> bool {
    let is_poll = is_poll(op) && op.status() == Some(204);
    let waits = case.history.conditions.waits;
    let waited_ms = op.ended.map_or(0, |ended| ended.ms - op.invoked.ms);
    is_poll && waits.long_poll_ms != Waits::default().long_poll_ms && waited_ms >= waits.long_poll_ms
}

fn lasted_another_time(case: &Case<'_>) -> bool {
    let shortest_ms = Waits::default().sse_ms * 9 / 10;
    let ended = case.iter().filter_map(|(index, op)| Some((op, case.history.listenings.get(&index)?)));
    let mut lasted = ended.filter_map(|(op, listening)| match listening.end? {
        (at, End::Finished) if !listening.deliveries.iter().any(|delivery| delivery.closed) => {
            Some(at.ms - op.invoked.ms)
        }
        _ => None,
    });
    // Nothing else ends one, once nothing goes wrong any more.
    let settled_ms = case.history.conditions.settled_from_ms;
    lasted.any(|lasted_ms| (WAITING_MS..shortest_ms).contains(&lasted_ms)) && settled_ms < u64::MAX
}

/// Whether readers that had come with different cursors asked for one URL in the end.
fn cursors_converged(case: &Case<'_>) -> bool {
    // By position and cursor the readers that asked so, and by reader and position the cursor that it came with first.
    let mut readers: BTreeMap<(&str, u64), BTreeSet<usize>> = BTreeMap::new();
    let mut first: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for (_, op) in case.iter() {
        if let Call::Live { mode: Mode::LongPoll, from: From::At(at), cursor: Some(cursor), reader, .. } = &op.call {
            readers.entry((at, *cursor)).or_default().insert(*reader);
            first.entry((*reader, at)).or_insert(*cursor);
        }
    }
    readers.iter().any(|((at, _), readers)| {
        let came: BTreeSet<_> = readers.iter().map(|reader| first.get(&(*reader, at))).collect();
        came.len() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        Fixture, acked, coded, created, duplicate, kept, page, part, polled, refused, run, unchanged, written,
    };
    use super::*;
    use crate::judge::history::Lifetime;

    #[test]
    fn marks_are_read_from_answers() {
        let mut run = Fixture::json();
        run.create(Lifetime::Ttl(40), created(0));
        run.append(2, acked(0, 2));
        run.walk(&[0], page(0, 2));
        assert_eq!(reached(&[run.case()]), []);
        run.produce(0, 0, None);
        run.retry(1, duplicate(0, 3, 0));
        run.produce(1, 0, written(0, 4));
        run.produce(0, 1, coded(403, "stale_epoch"));
        run.walk_messages(&[(0, 0)], part(0, 1));
        run.read_at((0, 1), refused(410));
        run.wait_ms(45_000);
        run.append(1, refused(404));
        let mut all =
            [LOST_ANSWER_RETRIED, PAGE_ENDED_INSIDE_BATCH, EXPIRY_RACED_APPEND, OLD_OFFSET_GONE, ZOMBIE_FENCED];
        all.sort_unstable();
        assert_eq!(reached(&[run.case()]), all);
    }

    #[test]
    fn a_browser_that_answers_a_long_poll_or_has_one_confirmed_leaves_a_mark() {
        let mut run = run();
        run.append(1, acked(0, 1));
        let reader = run.join(Mode::LongPoll);
        run.poll_with(reader, &[0], polled(0, 1, 7));
        let known = run.history.ops.len() - 1;
        assert_eq!(reached(&[run.case()]), []);
        run.poll_again(known, true, unchanged(run.told(known)));
        assert_eq!(reached(&[run.case()]), [LONG_POLL_REVALIDATED]);
        run.poll_again(known, false, kept(known, run.told(known)));
        let mut all = [BROWSER_HANDED_OUT, LONG_POLL_FROM_BROWSER, LONG_POLL_REVALIDATED];
        all.sort_unstable();
        assert_eq!(reached(&[run.case()]), all);
    }
}
