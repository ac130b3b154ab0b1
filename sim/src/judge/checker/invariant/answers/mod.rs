//! Every request is answered, and refused only for a reason that its sender can see.
//!
//! | file | what it judges |
//! | --- | --- |
//! | `producers` | what idempotent producers are told when they are refused |
//! | `creations` | streams that came while a request was under way |
//! | `failures` | answers that did not come, and those that the service has failed |

mod creations;
mod failures;
mod producers;

use creations::created_meanwhile;

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, LogPosition, Violation};
use crate::judge::history::{Call, ClientAnswer, Content, Defect, Delivery, From, Manner, Mode, Op};
use crate::world::Harm;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let complaint = match &op.answer {
            Some(answer) if answer.status < 500 && answer.guarded => unreasonable(case, index, op, answer),
            Some(answer) if answer.status < 500 => {
                Some(format!("the {} lacks fields that every response carries", answer.status))
            }
            _ => failures::complaint(case, op),
        };
        if let Some(complaint) = complaint {
            violations.push(case.violation(Invariant::Answers, &[index], complaint));
        }
    }
    violations
}

fn unreasonable(case: &Case<'_>, index: usize, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let code = answer.code.as_deref().unwrap_or_default();
    let reasonable = match (&op.call, answer.status) {
        (Call::Live { .. }, 400) if case.is_refused_by_another_clock(op) => true,
        (_, 429) => is_limited(case, op, code),
        // Whether its token has expired is judged by `access`.
        (_, 401) => case.history.conditions.is_keyed && op.shown.is_some(),
        // Whether the stream is there is judged by `durable`, `linear` and `expiry`.
        (Call::Create { closes, public, .. }, 201) => {
            let has_key = case.history.conditions.is_keyed && !public;
            answer.closed == *closes && answer.reader_key.is_some() == has_key
        }
        (Call::Create { closes, .. }, 200) => answer.closed == *closes,
        (Call::Create { .. }, 409) => code == "configuration_conflict" && has_other_configuration(case, op),
        (Call::Append { defect: None, .. }, 200 | 204) => return wrong_success(case, op, answer),
        (Call::Append { defect: Some(Defect::Gap), .. }, 400) => code == "epoch_must_start_at_zero",
        (Call::Append { defect: Some(defect), .. }, 400 | 413 | 415) => code == refusal_of(*defect),
        (Call::Append { .. }, 404) => code == "stream_not_found",
        (Call::Append { .. }, 403) => {
            code == "stale_epoch" && is_stale(case, op, answer) && !producers::is_outdated(case, op, answer)
        }
        (Call::Append { defect, .. }, 409) => match code {
            "stream_closed" if producers::is_closing_repeat(case, op) => false,
            "stream_closed" => answer.closed && may_be_closed(case, op),
            // Whether the stream is closed comes first.
            "content_type_mismatch" => *defect == Some(Defect::WrongType) && !producers::is_surely_closed(case, op),
            "stream_seq_regression" => may_regress(case, index, op),
            "sequence_gap" if may_gap(case, op, *defect) => return producers::wrong_expectation(case, op, answer),
            _ => false,
        },
        // A new epoch that reaches a new incarnation late.
        (Call::Append { .. }, 400) => code == "epoch_must_start_at_zero" && may_gap(case, op, None),
        (Call::Read { .. }, 200) => answer.etag.is_some() || matches!(op.call, Call::Read { from: From::Now, .. }),
        (Call::Read { revalidates, manner, .. }, 304) => revalidates.is_some() || *manner == Some(Manner::AnyTag),
        (Call::Live { mode: Mode::LongPoll, .. }, 200) => answer.cursor.is_some() || answer.closed,
        (Call::Live { mode: Mode::LongPoll, revalidates: Some(_), .. }, 304) => {
            answer.cursor.is_some() || answer.closed
        }
        (Call::Live { mode: Mode::LongPoll, .. }, 204) => {
            answer.up_to_date && answer.body.is_empty() && (answer.cursor.is_some() || answer.closed)
        }
        (Call::Live { mode: Mode::Sse, .. }, 200) => return wrong_events(case, index, answer),
        // Who resumes by itself at the end of a closed stream is told not to come back.
        (Call::Live { mode: Mode::Sse, from: From::At(_), .. }, 204) => answer.closed && answer.up_to_date,
        (Call::Live { from: From::At(offset), .. } | Call::Read { from: From::At(offset), .. }, 400)
            if is_of_earlier_stream(case, op, offset) =>
        {
            false
        }
        (Call::Live { from: From::At(_), .. }, 410 | 400) => true,
        // What it began to wait for was removed meanwhile, or before by another instance, and another stream is in its
        // place.
        (Call::Live { .. }, 410) => {
            code == "offset_gone" && (was_created_meanwhile(case, op) || case.is_harmed(op, &[Harm::Stale]))
        }
        (Call::Live { .. }, 404) => code == "stream_not_found",
        (Call::Read { .. } | Call::Head | Call::Delete | Call::NewReaderKey, 404) => {
            code == "stream_not_found" || matches!(op.call, Call::Head)
        }
        // Whether the offset may be gone, or beyond the tail, is judged by `stable`.
        (Call::Read { from: From::At(_), .. }, 410 | 400) => true,
        (Call::Head, 200) => answer.body.is_empty(),
        (Call::Delete, 204) => true,
        (Call::NewReaderKey, 200) => {
            answer.reader_key.as_deref().is_some_and(|key| !case.reader_keys.is_known(key, op.invoked))
        }
        _ => false,
    };
    (!reasonable).then(|| format!("{} {code} is no answer to {}", answer.status, describe(&op.call)))
}

/// Whether a client may have been told that it does this too often: a limit has said so, of what it opens, or of requests
/// with tokens that have expired.
fn is_limited(case: &Case<'_>, op: &Op, code: &str) -> bool {
    let opens = matches!(op.call, Call::Create { .. } | Call::Live { mode: Mode::Sse, .. });
    let off_ms = case.history.conditions.edge_clock_off_ms();
    let may_have_expired = op.shown.zip(op.ended).is_some_and(|(shown, ended)| ended.ms + off_ms >= shown.until_ms);
    // An answer to HEAD has no body that could hold the code.
    let says_so = code == "rate_limited" || matches!(op.call, Call::Head);
    says_so && (opens || may_have_expired) && case.is_harmed(op, &[Harm::RateExceeded])
}

/// A connection of events says what it is, and every write on it holds whole events, each with its control event.
fn wrong_events(case: &Case<'_>, index: usize, answer: &ClientAnswer) -> Option<String> {
    if !answer.content_type.as_deref().is_some_and(|text| text.starts_with("text/event-stream")) {
        return Some(format!("events of type {:?}", answer.content_type));
    }
    let is_binary = case.history.streams[case.stream].content == Content::Bytes;
    if answer.base64 != is_binary {
        return Some(format!("events are base64: {}, their stream is binary: {is_binary}", answer.base64));
    }
    let listening = case.history.listenings.get(&index)?;
    if let Some((_, defect)) = listening.defects.first() {
        return Some(format!("a reader of events is sent {defect}"));
    }
    let op = case.op(index);
    if listening.comments_hastily && !case.is_harmed(op, &[Harm::ClientMessageSlow]) {
        return Some("a reader of events is sent a comment soon after something else".to_owned());
    }
    if listening.lingers && !case.is_harmed(op, &[Harm::ClientMessageSlow, Harm::AnswerCut]) {
        return Some("the connection of a reader of events goes on after the close".to_owned());
    }
    let is_without = |delivery: &Delivery| delivery.cursor.is_none() && !delivery.closed && !delivery.is_cut_short;
    let without = listening.deliveries.iter().any(is_without);
    let follows = listening.deliveries.iter().rev().skip(1).any(|delivery| delivery.closed);
    match (without, follows) {
        (true, _) => Some("a control event has no cursor".to_owned()),
        (_, true) => Some("something follows the close".to_owned()),
        _ => None,
    }
}

fn describe(call: &Call) -> String {
    format!("{call:?}")
}

/// A success says what the protocol makes it say.
fn wrong_success(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let Call::Append { closes, .. } = op.call else { return None };
    if closes && !answer.closed {
        return Some("it closes, and its answer does not say so".to_owned());
    }
    let Some(stamp) = op.batch().and_then(|batch| case.history.batches[batch].stamp.as_ref()) else {
        return (answer.status != 204).then(|| format!("{} to a writer that is no producer", answer.status));
    };
    let echoed = answer.producer_epoch == Some(stamp.epoch) && answer.producer_seq >= Some(stamp.seq);
    let exact = answer.status == 204 || answer.producer_seq == Some(stamp.seq);
    (!echoed || !exact).then(|| {
        format!("{stamp:?} is answered {} with {:?} {:?}", answer.status, answer.producer_epoch, answer.producer_seq)
    })
}

fn refusal_of(defect: Defect) -> &'static str {
    match defect {
        Defect::BadElement => "invalid_json",
        Defect::EmptyArray => "empty_array",
        Defect::TooLarge => "body_too_large",
        Defect::WrongType => "content_type_mismatch",
        Defect::NotAscii => "invalid_producer",
        Defect::Compressed => "unsupported_content_encoding",
        Defect::Malformed => "invalid_body",
        Defect::Gap => "sequence_gap",
    }
}

/// Whether another creation may have given the stream another lifetime, or it may have been closed or opened.
fn has_other_configuration(case: &Case<'_>, op: &Op) -> bool {
    let Call::Create { lifetime, closes, public, .. } = op.call else { return false };
    case.iter().filter(|(_, other)| other.invoked < op.ended.unwrap_or(op.settled())).any(|(_, other)| {
        match other.call {
            Call::Create { lifetime: others, closes: closed, public: is_public, .. } => {
                others != lifetime || closed != closes || is_public != public
            }
            Call::Append { closes: closed, .. } => closed && !closes,
            _ => false,
        }
    })
}

/// Whether the offset is certainly one of an earlier stream at the URL than the request came to.
fn is_of_earlier_stream(case: &Case<'_>, op: &Op, offset: &str) -> bool {
    let Some(offset) = LogPosition::parse(offset) else { return false };
    let later = |other: &Op| case.offset(other).is_some_and(|start| start.segment > offset.segment);
    let created = |other: &Op| matches!(other.call, Call::Create { .. }) && other.status() == Some(201);
    case.history.is_strong(op) && case.iter().any(|(_, other)| created(other) && other.precedes(op) && later(other))
}

fn was_created_meanwhile(case: &Case<'_>, op: &Op) -> bool {
    created_meanwhile(case, op) > 0
}

fn is_stale(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> bool {
    let Some(stamp) = op.batch().and_then(|batch| case.history.batches[batch].stamp.as_ref()) else { return false };
    let known = answer.producer_epoch;
    known > Some(stamp.epoch)
        && case.iter().filter(|(_, other)| other.invoked < op.ended.unwrap_or(op.settled())).any(|(_, other)| {
            let others = other.batch().and_then(|batch| case.history.batches[batch].stamp.as_ref());
            others.is_some_and(|others| others.producer == stamp.producer && Some(others.epoch) == known)
        })
}

fn may_be_closed(case: &Case<'_>, op: &Op) -> bool {
    case.iter().filter(|(_, other)| other.invoked < op.ended.unwrap_or(op.settled())).any(|(_, other)| {
        let closes = matches!(other.call, Call::Append { closes: true, .. } | Call::Create { closes: true, .. });
        closes && (other.definite().is_none() || other.succeeded())
    })
}

/// Whether a `Stream-Seq` as great may have been appended.
fn may_regress(case: &Case<'_>, index: usize, op: &Op) -> bool {
    let seq_of = |op: &Op| op.batch().and_then(|batch| case.history.batches[batch].stream_seq.as_ref());
    let Some(seq) = seq_of(op) else { return false };
    case.iter().any(|(other_index, other)| {
        other_index != index
            && other.invoked < op.ended.unwrap_or(op.settled())
            && (other.definite().is_none() || other.succeeded())
            && seq_of(other).is_some_and(|others| others >= seq)
    })
}

/// Whether the sequence number before this one may be unknown to the stream: it was not certainly written, or the
/// stream may have been removed since.
fn may_gap(case: &Case<'_>, op: &Op, defect: Option<Defect>) -> bool {
    let Some(stamp) = op.batch().and_then(|batch| case.history.batches[batch].stamp.as_ref()) else { return false };
    if defect == Some(Defect::Gap) {
        return true;
    }
    let Some(before) = stamp.seq.checked_sub(1) else { return false };
    let written =
        case.iter().filter(|(_, other)| other.precedes(op) && case.history.acknowledged(other)).find(|(_, other)| {
            let others = other.batch().and_then(|batch| case.history.batches[batch].stamp.as_ref());
            others.is_some_and(|others| {
                others.producer == stamp.producer && others.epoch == stamp.epoch && others.seq == before
            })
        });
    // What a duplicate confirms may have been written when it was first sent, before the stream was removed.
    let sent = written.and_then(|(_, other)| case.carriers(other.batch()?).map(|(index, _)| index).min());
    let lost_place =
        written.and_then(|(_, other)| other.batch()).is_some_and(|batch| case.may_have_lost_place_before(batch, op));
    lost_place || sent.is_none_or(|sent| case.removable(sent, op) || !case.history.is_strong(op))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, coded, created, deleted, duplicate, exists, keyed_answer, page, polled, refused, run,
        unchanged, written,
    };
    use crate::judge::history::Lifetime;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Answers, super::check, expected);
    }

    #[test]
    fn a_304_to_a_long_poll_needs_a_tag_and_names_the_next_cursor() {
        for (with_tag, cursor, is_closed, expected) in
            [(true, Some(9), false, 0), (true, None, false, 1), (true, None, true, 0), (false, Some(9), false, 1)]
        {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[], polled(0, 1, 9));
            let known = run.history.ops.len() - 1;
            let told = |answer| ClientAnswer { cursor, closed: is_closed, ..answer };
            run.poll_again(known, with_tag, unchanged(run.told(known)).map(told));
            check(&run, expected);
        }
    }

    #[test]
    fn a_conflict_needs_a_cause() {
        for (code, expected) in [("stream_closed", 1), ("content_type_mismatch", 1), ("sequence_gap", 1), ("", 1)] {
            let mut run = run();
            run.append(1, coded(409, code));
            check(&run, expected);
        }
        let mut run = run();
        run.close(None);
        run.harm(&[Harm::ClientMessageLost]);
        run.append(1, coded(409, "stream_closed").map(|answer| ClientAnswer { closed: true, ..answer }));
        check(&run, 0);
    }

    #[test]
    fn another_reader_key_is_one_that_nobody_knew() {
        for (key, expected) in [("a", 1), ("b", 0)] {
            let mut run = run();
            run.head(keyed_answer("a", page(0, 0)));
            run.new_reader_key(keyed_answer(key, page(0, 0)));
            check(&run, expected);
        }
    }

    #[test]
    fn a_gap_needs_a_missing_predecessor() {
        for (first, expected) in [(written(0, 1), 1), (None, 0), (coded(409, "stream_closed"), 1)] {
            let mut run = run();
            run.produce(0, 0, first);
            run.harm(&[Harm::ClientMessageLost]);
            let told = |answer| ClientAnswer { expected_seq: Some(0), received_seq: Some(1), ..answer };
            run.produce(0, 1, coded(409, "sequence_gap").map(told));
            check(&run, expected);
        }
    }

    #[test]
    fn an_epoch_is_stale_only_behind_a_later_one() {
        for (epoch, expected) in [(1, 0), (0, 1)] {
            let mut run = run();
            run.produce(epoch, 0, written(0, 1));
            let answer = coded(403, "stale_epoch").map(|answer| ClientAnswer { producer_epoch: Some(1), ..answer });
            run.produce(0, 1, answer);
            check(&run, expected);
        }
    }

    #[test]
    fn a_creation_conflicts_with_another_configuration_alone() {
        for (lifetime, expected) in [(Lifetime::Ttl(9), 0), (Lifetime::Endless, 1)] {
            let mut run = run();
            run.create(lifetime, coded(409, "configuration_conflict"));
            check(&run, expected);
        }
        let mut run = run();
        run.create(Lifetime::Endless, exists(0, 0));
        check(&run, 0);
    }

    #[test]
    fn a_success_echoes_its_tuple() {
        for (answer, expected) in
            [(written(0, 1), 0), (duplicate(0, 1, 0), 0), (duplicate(0, 1, 3), 0), (acked(0, 1), 1)]
        {
            let mut run = run();
            run.produce(0, 0, answer);
            check(&run, expected);
        }
        let mut run = run();
        run.append(1, written(0, 1));
        check(&run, 1);
    }

    #[test]
    fn an_offset_of_an_earlier_stream_is_gone_and_not_invalid() {
        for (from, status, expected) in [((0, 1), 410, 0), ((0, 1), 400, 1), ((1, 5), 400, 0)] {
            let mut run = run();
            run.delete(deleted());
            run.create(Lifetime::Endless, created(1));
            run.read_at(from, refused(status));
            check(&run, expected);
        }
    }

    #[test]
    fn a_sound_request_is_not_malformed() {
        for (answer, expected) in [(refused(400), 1), (absent(), 0), (refused(405), 1)] {
            let mut run = run();
            run.append(1, answer);
            check(&run, expected);
        }
    }

    #[test]
    fn every_answer_is_guarded() {
        let mut run = run();
        run.append(1, acked(0, 1).map(|answer| ClientAnswer { guarded: false, ..answer }));
        run.walk(&[0], page(0, 1).map(|answer| ClientAnswer { etag: None, ..answer }));
        check(&run, 2);
    }
}
