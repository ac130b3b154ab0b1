//! No answer, and answers that the service has failed: each needs a harm that explains it.

use tailrace_core::protocol::limits::LOSSES_ENDURED;

use super::creations::created_meanwhile;
use crate::judge::checker::case::Case;
use crate::judge::checker::crowded::may_be_full;
use crate::judge::checker::invariant::fresh::is_cacheable;
use crate::judge::checker::invariant::leak::question;
use crate::judge::history::{Call, ClientAnswer, Content, HIDDEN_FAILURE, Mode, Op};
use crate::world::Harm;

/// What is wrong with an answer that did not come, or that says that the service has failed.
pub(super) fn complaint(case: &Case<'_>, op: &Op) -> Option<String> {
    match &op.answer {
        // A reader that leaves waits for no answer.
        None if op.ended.is_none() => None,
        None => unanswered(case, op),
        Some(answer) if answer.is_full() => case.wrongly_full(op, answer),
        Some(answer) => failed(case, op, answer),
    }
}

/// Harms after which no answer comes, or comes too late.
const SILENCING: &[Harm] = &[
    Harm::ClientMessageLost,
    Harm::ClientMessageSlow,
    Harm::ClientLeft,
    Harm::IsolateRestarted,
    Harm::Vanished,
    Harm::CallSlow,
    Harm::CallStuck,
    Harm::ReplyBroken,
    Harm::ObjectSuperseded,
    Harm::SocketSilent,
    Harm::FlightLost,
    Harm::OriginUnresolved,
    Harm::WaitedInFront,
];

fn unanswered(case: &Case<'_>, op: &Op) -> Option<String> {
    let reads = matches!(op.call, Call::Read { .. } | Call::Live { .. });
    let fails = || case.is_r2_failing(op) || case.is_harmed_meanwhile(op, &[Harm::GetDamaged]);
    let takes_longer = || is_read_again(case, op) || joins_again(case, op);
    let excused = reads && (fails() || takes_longer()) || case.is_harmed(op, SILENCING);
    (!excused).then(|| "no fault has touched the request, and there was no answer".to_owned())
}

/// How often a stream may be replaced while a read of it waits for R2, before the reader is told to come again.
const REPLACEMENTS_ENDURED: usize = 2;

/// How long the messages of a request to a stream near by are on their way at most, in ms, where none is slow.
const TRAVEL_MS: u64 = 1_000;

/// Whether a read was given up too early for slow R2, which its object reads several times: anew where another stream has
/// come in the place of the one that it was reading; and for the events of a text, how the text ends before them.
fn is_read_again(case: &Case<'_>, op: &Op) -> bool {
    let conditions = &case.history.conditions;
    let is_text = case.history.streams[case.stream].content == Content::Text;
    let looks_back = is_text && matches!(op.call, Call::Live { mode: Mode::Sse, .. });
    let again = created_meanwhile(case, op) as u64 + u64::from(looks_back);
    // It may have waited for the flight of an identical read, which then was of no use.
    let flight_ms = flight_before_ms(case, op);
    let begins_ms = flight_ms.unwrap_or(op.invoked.ms);
    let waited_ms = op.ended.map_or(0, |ended| ended.ms.saturating_sub(begins_ms));
    let travel_ms = TRAVEL_MS + conditions.round_trip_ms();
    let most_ms = (again + 1) * (conditions.cold_read_ms + conditions.event_ms) + travel_ms;
    (again > 0 || flight_ms.is_some()) && waited_ms < most_ms
}

/// When the last identical read was answered that was under way when this one came, if there was one, in virtual ms.
fn flight_before_ms(case: &Case<'_>, op: &Op) -> Option<u64> {
    if !matches!(op.call, Call::Read { .. }) || !is_cacheable(case, op) {
        return None;
    }
    let ended_ms = |other: &Op| other.ended.filter(|ended| other.invoked < op.invoked && *ended > op.invoked);
    let identical = case.iter().filter(|(_, other)| other.request != op.request && question(other) == question(op));
    identical.filter_map(|(_, other)| Some(ended_ms(other)?.ms)).max()
}

/// How much longer a long-poll waits each time that it loses its instance, in ms, if the flight that it joins then is lost
/// as well.
const JOINS_AGAIN_MS: u64 = 3_000;

/// Whether a long-poll was given up too early for how often it has lost its instance.
fn joins_again(case: &Case<'_>, op: &Op) -> bool {
    let conditions = &case.history.conditions;
    let is_poll = matches!(op.call, Call::Live { mode: Mode::LongPoll, .. });
    let taken = case.history.harms.count(op.request, &[Harm::InstanceTaken]) as u64;
    let waited_ms = op.ended.map_or(0, |ended| ended.ms - op.invoked.ms);
    let travel_ms = TRAVEL_MS + conditions.round_trip_ms();
    is_poll && taken > 0 && waited_ms < conditions.waits.long_poll_ms + taken * JOINS_AGAIN_MS + travel_ms
}

/// Harms that a live read waits out, and may not live to see the end of.
const WAITED_OUT: &[Harm] = &[Harm::CallSlow, Harm::SocketSilent, Harm::OtherRelease, Harm::Overloaded];

/// Harms after which the object cannot be reached.
const UNREACHABLE: &[Harm] = &[Harm::CallLost, Harm::ObjectReset, Harm::ReplyBroken, Harm::SocketCut, Harm::InnerLost];

/// Whether a harm explains that the object could not be reached. A live read waits for its greeting for a while only.
/// One that waits asks again as long as the object fails, or is of another release, and is told so when its time is up.
fn is_unreachable(case: &Case<'_>, op: &Op) -> bool {
    let waits = matches!(op.call, Call::Live { .. }) && (case.is_harmed(op, WAITED_OUT) || fails_reads(case, op));
    waits || case.is_harmed(op, UNREACHABLE)
}

/// Whether the object may have failed to read what it was asked for. A superseded instance may look for a segment that
/// has been removed since.
fn fails_reads(case: &Case<'_>, op: &Op) -> bool {
    case.is_r2_failing(op)
        || case.is_database_said_to_be_full(op)
        || case.is_harmed_meanwhile(op, &[Harm::StatementFailed, Harm::GetDamaged])
        || case.is_harmed(op, &[Harm::Stale])
}

/// A failure has the code of a harm that was done to the request, or to its object meanwhile.
fn failed(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let is_read = matches!(op.call, Call::Read { .. } | Call::Live { .. });
    let excused = match answer.code.as_deref() {
        Some("instance_lost") => lost_its_instance(case, op),
        Some("object_unavailable") => is_unreachable(case, op),
        Some(HIDDEN_FAILURE) => {
            is_unreachable(case, op)
                || lost_its_instance(case, op)
                || case.is_harmed(op, &[Harm::OtherRelease, Harm::Overloaded, Harm::RateExceeded])
                || fails_reads(case, op)
        }
        Some("deploy_under_way") => case.is_harmed(op, &[Harm::OtherRelease]),
        Some("busy") => may_be_full(case, op) || was_drained(case, op),
        Some("object_overloaded") => case.is_harmed(op, &[Harm::Overloaded]),
        Some("storage_failed") => case.is_harmed_meanwhile(op, &[Harm::StatementFailed]),
        Some("cold_storage_unavailable") => {
            is_read && (case.is_r2_failing(op) || created_meanwhile(case, op) > REPLACEMENTS_ENDURED)
        }
        Some("segment_damaged") => {
            is_read && (case.is_harmed_meanwhile(op, &[Harm::GetDamaged]) || case.is_harmed(op, &[Harm::Stale]))
        }
        // An answer to HEAD has no body that could hold the code.
        None if matches!(op.call, Call::Head) => match answer.status {
            503 => case.is_harmed(op, UNREACHABLE) || case.is_harmed(op, &[Harm::Overloaded, Harm::OtherRelease]),
            // Who finds that a stream has expired removes it, or lets it go on.
            507 => case.is_database_said_to_be_full(op),
            _ => lost_its_instance(case, op) || case.is_harmed_meanwhile(op, &[Harm::StatementFailed]),
        },
        _ => false,
    };
    (!excused || !answer.guarded).then(|| format!("the service failed: {} {:?}", answer.status, answer.code))
}

/// Whether an earlier task of the request, which lost its instance, may have read the body to its end to refuse it: a limit had
/// told it to. The next one, which the limit lets pass, has no body any more.
fn was_drained(case: &Case<'_>, op: &Op) -> bool {
    let is_lost = case.is_harmed(op, &[Harm::LostInstance, Harm::InstanceTaken]);
    matches!(op.call, Call::Create { .. }) && is_lost && case.is_harmed(op, &[Harm::RateExceeded])
}

/// Whether a lost instance may have failed the request: its own task lost one, or it is a live read, which is not
/// served anew once it has called, or it has lost more than a request endures.
fn lost_its_instance(case: &Case<'_>, op: &Op) -> bool {
    let taken = case.history.harms.count(op.request, &[Harm::InstanceTaken]);
    match op.call {
        Call::Live { .. } => taken > 0 || case.is_harmed(op, &[Harm::LostInstance]),
        _ => taken > LOSSES_ENDURED as usize || case.is_harmed(op, &[Harm::LostInstance]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, coded, created, deleted, run};
    use crate::judge::history::Lifetime;

    #[track_caller]
    fn check(fixture: &Fixture, expected: usize) {
        let case = fixture.case();
        let failures = case.iter().filter(|(_, op)| op.answer.as_ref().is_none_or(|answer| answer.status >= 500));
        let found: Vec<String> = failures.filter_map(|(_, op)| complaint(&case, op)).collect();
        assert_eq!(found.len(), expected, "{found:#?}");
    }

    #[test]
    fn an_answer_is_missing_or_a_failure_only_where_a_fault_explains_it() {
        let missing = || None;
        for (answer, harms, expected) in [
            (missing(), &[][..], 1),
            (missing(), &[Harm::ClientMessageLost], 0),
            (missing(), &[Harm::CallStuck], 0),
            (missing(), &[Harm::CallLost], 1),
            (coded(503, "object_unavailable"), &[], 1),
            (coded(503, "object_unavailable"), &[Harm::ObjectReset], 0),
            (coded(503, "object_unavailable"), &[Harm::ClientMessageLost], 1),
            (coded(503, "object_unavailable"), &[Harm::InnerLost], 0),
            (coded(503, "object_unavailable"), &[Harm::IsolateRestarted], 1),
            (coded(503, "object_overloaded"), &[Harm::Overloaded], 0),
            (coded(503, "object_overloaded"), &[Harm::ObjectReset], 1),
            (coded(500, "internal_error"), &[Harm::ObjectReset], 1),
        ] {
            let mut run = run();
            run.append(1, answer);
            run.harm(harms);
            check(&run, expected);
        }
    }

    #[test]
    fn a_creation_whose_body_was_read_to_refuse_it_may_find_no_room_when_it_is_served_anew() {
        let both = &[Harm::RateExceeded, Harm::InstanceTaken][..];
        for (creates, harms, expected) in
            [(true, both, 0), (false, both, 1), (true, &both[..1], 1), (true, &both[1..], 1), (true, &[], 1)]
        {
            let mut run = run();
            match creates {
                true => run.create(Lifetime::Endless, coded(503, "busy")),
                false => _ = run.append(1, coded(503, "busy")),
            }
            run.harm(harms);
            check(&run, expected);
        }
    }

    #[test]
    fn a_read_that_another_stream_has_interrupted_takes_as_long_again() {
        for (creates, cold_read_ms, distance_ms, waited_ms, expected) in [
            (true, 1_200, 0, 3_000, 0),
            (true, 900, 0, 3_000, 1),
            (true, 1_200, 0, 3_400, 1),
            (true, 1_200, 100, 3_400, 0),
            (true, 1_200, 100, 3_600, 1),
            (false, 1_200, 0, 3_000, 1),
        ] {
            let mut run = run();
            run.history.conditions.cold_read_ms = cold_read_ms;
            run.history.conditions.distance_ms = distance_ms;
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            if creates {
                run.delete(deleted());
                run.create(Lifetime::Endless, created(1));
            }
            run.wait_ms(waited_ms);
            run.end_live(reader, op, &[], None);
            check(&run, expected);
        }
    }

    #[test]
    fn a_long_poll_that_loses_its_instance_again_and_again_may_take_longer() {
        for (taken, waited_ms, expected) in [(3, 28_000, 0), (2, 28_000, 1), (0, 28_000, 1), (3, 31_000, 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            run.harm(&vec![Harm::InstanceTaken; taken]);
            run.wait_ms(waited_ms);
            run.end_live(reader, op, &[], None);
            check(&run, expected);
        }
    }

    #[test]
    fn a_read_during_which_its_stream_is_replaced_again_and_again_is_told_to_come_again() {
        for (replacements, expected) in [(2, 1), (3, 0)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            let op = run.ask_live(reader, None);
            for segment in 1..=replacements {
                run.delete(deleted());
                run.create(Lifetime::Endless, created(segment));
            }
            run.end_live(reader, op, &[], coded(503, "cold_storage_unavailable"));
            check(&run, expected);
        }
    }

    #[test]
    fn the_events_of_a_text_take_as_long_again_for_how_it_ends_before_them() {
        for (fixture, mode, waited_ms, expected) in [
            (Fixture::text(), Mode::Sse, 3_000, 0),
            (Fixture::text(), Mode::Sse, 3_400, 1),
            (Fixture::text(), Mode::LongPoll, 3_000, 1),
            (Fixture::json(), Mode::Sse, 3_000, 1),
        ] {
            let mut run = fixture;
            run.create(Lifetime::Endless, created(0));
            run.history.conditions.cold_read_ms = 1_200;
            let reader = run.join(mode);
            let op = run.ask_live(reader, None);
            run.wait_ms(waited_ms);
            run.end(op, None);
            check(&run, expected);
        }
    }

    #[test]
    fn who_waits_for_an_object_of_another_release_is_told_that_it_cannot_be_reached() {
        for (harms, expected) in [(&[Harm::OtherRelease][..], 0), (&[], 1), (&[Harm::ClientMessageLost], 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, coded(503, "object_unavailable"));
            run.harm(harms);
            check(&run, expected);
        }
        let mut run = run();
        run.append(1, coded(503, "object_unavailable"));
        run.harm(&[Harm::OtherRelease]);
        check(&run, 1);
    }

    #[test]
    fn a_superseded_instance_may_not_find_what_it_reads() {
        for (code, harms, expected) in [
            ("segment_damaged", &[Harm::Stale][..], 0),
            (HIDDEN_FAILURE, &[Harm::Stale], 0),
            ("segment_damaged", &[Harm::ObjectSuperseded], 1),
            (HIDDEN_FAILURE, &[Harm::ObjectSuperseded], 1),
            ("storage_failed", &[Harm::Stale], 1),
        ] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, coded(500, code));
            run.harm(harms);
            check(&run, expected);
        }
    }

    #[test]
    fn a_failure_of_storage_needs_one_of_the_streams_object_meanwhile() {
        for (harm, at_ms, code, reads, expected) in [
            (Harm::StatementFailed, 7, "storage_failed", false, 0),
            (Harm::StatementFailed, 4, "storage_failed", false, 1),
            (Harm::StatementFailed, 11, "storage_failed", false, 1),
            (Harm::GetFailed, 7, "storage_failed", false, 1),
            (Harm::GetFailed, 7, "cold_storage_unavailable", true, 0),
            (Harm::GetFailed, 7, "cold_storage_unavailable", false, 1),
            // The object waits for 3 ms.
            (Harm::BucketStuck, 1, "cold_storage_unavailable", true, 1),
            (Harm::BucketStuck, 2, "cold_storage_unavailable", true, 0),
            (Harm::BucketStuck, 2, "cold_storage_unavailable", false, 1),
            (Harm::BucketStuck, 11, "cold_storage_unavailable", true, 1),
            (Harm::BucketStuck, 7, "segment_damaged", true, 1),
            (Harm::GetDamaged, 7, "cold_storage_unavailable", true, 1),
            (Harm::GetDamaged, 7, "segment_damaged", true, 0),
            (Harm::GetDamaged, 7, "segment_damaged", false, 1),
        ] {
            let mut run = run();
            run.history.conditions.read_limit_ms = 3;
            let answer = coded(500, code);
            if reads {
                run.walk(&[], answer);
            } else {
                run.append(1, answer);
            }
            let op = run.history.ops.last_mut().expect("a request");
            op.invoked.ms = 5;
            op.ended.as_mut().expect("it is answered").ms = 10;
            run.history.harms.harm_stream(0, at_ms, harm);
            check(&run, expected);
        }
    }

    #[test]
    fn a_lost_instance_fails_the_request_that_lost_it_and_one_that_has_lost_too_many() {
        let taken = |count: u32| vec![Harm::InstanceTaken; count as usize];
        for (harms, is_guarded, expected) in [
            (vec![], true, 1),
            (vec![Harm::LostInstance], true, 0),
            (vec![Harm::LostInstance], false, 1),
            (taken(LOSSES_ENDURED), true, 1),
            (taken(LOSSES_ENDURED + 1), true, 0),
        ] {
            let mut run = run();
            run.append(1, coded(500, "instance_lost").map(|answer| ClientAnswer { guarded: is_guarded, ..answer }));
            run.harm(&harms);
            check(&run, expected);
        }
    }

    #[test]
    fn a_refusal_for_want_of_room_needs_a_cause_and_offsets_do_not_end_here() {
        let mut run = run();
        run.append(1, coded(507, "storage_full"));
        run.append(1, coded(507, "stream_full"));
        check(&run, 1);
        run.history.conditions.hot_bytes = 1 << 30;
        check(&run, 2);
    }
}
