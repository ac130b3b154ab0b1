//! What a cache hands out is what was stored for the same question: of the same stream, the same incarnation, position and
//! cursor. Nothing of how edge and object work together reaches a client, and nothing about instances that did not ask. Who
//! has no grant learns nothing, and a live read ends with its token.
//!
//! | file | what it judges |
//! | --- | --- |
//! | `question` | what a read asks for |
//! | `strangers` | what strangers are told |
//! | `granted_by_url` | what caches in front may tell whoever knows a URL |
//! | `public` | what strangers are told of public streams |
//! | `expired` | live reads whose token has expired |

mod expired;
mod granted_by_url;
mod public;
mod question;
mod strangers;

use std::collections::HashMap;

use tailrace_core::protocol::cache::Collapse;

pub(in crate::judge::checker) use expired::{is_at_the_end_of_a_token, is_cut_by_a_token, is_ended_by_token};
pub(in crate::judge::checker) use granted_by_url::is_granted_by_url;
pub(in crate::judge::checker) use public::is_told;
pub(in crate::judge::checker) use question::question;

use crate::judge::checker::case::Case;
use crate::judge::checker::invariant::fresh::may_be_debugged;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, ClientAnswer, Giver, Handed, Manner, Op};
use crate::world::Visited;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        if let Some(complaint) = op.answer.as_ref().and_then(|answer| strays(case, op, answer)) {
            violations.push(case.violation(Invariant::Leak, &[index], complaint.to_owned()));
        }
    }
    violations.extend(mixed_up_at_the_edge(case));
    violations.extend(mixed_up_in_front(case));
    violations.extend(mixed_up_in_browsers(case));
    violations.extend(strangers::check(case));
    violations.extend(expired::check(case));
    violations
}

fn strays(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<&'static str> {
    let has_asked = matches!(op.call, Call::Read { manner: Some(Manner::Debugged), .. }) && may_be_debugged(case, op);
    if answer.tells_internals {
        return Some("it has a field that edge and object keep to themselves");
    }
    (answer.tells_instance && !has_asked).then_some("it tells about an instance, and nobody has asked who may")
}

/// The bytes in a cache are known by the request that has stored them.
fn mixed_up_at_the_edge(case: &Case<'_>) -> Vec<Violation> {
    // Of any stream: an answer may come from another one's.
    let of_requests: HashMap<u64, usize> =
        case.history.ops.iter().enumerate().map(|(index, op)| (op.request, index)).collect();
    let mut violations = Vec::new();
    for visit in &case.history.visits {
        let Visited::Hit { by } = visit.what else { continue };
        let (Some(index), Some(by)) = (of_requests.get(&visit.request), of_requests.get(&by)) else { continue };
        let (op, source) = (&case.history.ops[*index], &case.history.ops[*by]);
        if op.stream != case.stream || !matches!(case.history.giver(op), Giver::Edge { .. }) {
            continue;
        }
        // One that goes on for others stores what they ask next.
        let goes_on = matches!(case.history.conditions.policy.collapse, Collapse::Bridge(..));
        if goes_on && op.stream == source.stream && question(op) != question(source) {
            continue;
        }
        let complaint = match (op.definite(), source.definite()) {
            _ if question(op) != question(source) => Some("it was stored for another question"),
            (Some(answer), Some(stored)) if stored.status == 200 => differs(answer, stored),
            _ => None,
        };
        if let Some(complaint) = complaint {
            violations.push(case.violation(Invariant::Leak, &[*by, *index], complaint.to_owned()));
        }
    }
    violations
}

/// The same of a cache in front, whose bytes are known by the request to the Worker that has brought them.
fn mixed_up_in_front(case: &Case<'_>) -> Vec<Violation> {
    // Of any stream: an answer may come from another one's.
    let of_requests: HashMap<u64, usize> =
        case.history.ops.iter().enumerate().map(|(index, op)| (op.request, index)).collect();
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let Giver::Front(Handed { by, .. }) = case.history.giver(op) else { continue };
        let Some(asked) = case.history.fronts.fetch_of(by) else { continue };
        let Some(source) = of_requests.get(&asked.asks).map(|source| &case.history.ops[*source]) else { continue };
        let stored = source.definite().filter(|stored| asked.asks == by && stored.status == 200);
        let is_private = |answer: &ClientAnswer| is_for_browsers(answer) && !case.history.conditions.policy.has_gateway;
        let complaint = match (op.definite(), stored) {
            (Some(answer), _) if is_private(answer) => Some("a cache in front hands out what is for one browser alone"),
            _ if question(op) != question(source) => Some("it was asked for with another question"),
            (Some(answer), Some(stored)) => differs(answer, stored),
            _ => None,
        };
        if let Some(complaint) = complaint {
            violations.push(case.violation(Invariant::Leak, &[of_requests[&asked.asks], index], complaint.to_owned()));
        }
    }
    violations
}

/// The same of a browser's cache, which is its client's alone.
fn mixed_up_in_browsers(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let Giver::Browser { by } = case.history.giver(op) else { continue };
        let Some(source) = case.history.ops.get(by) else { continue };
        let complaint = match (op.definite(), source.definite()) {
            _ if source.client != op.client => Some("it was kept for another client"),
            _ if question(op) != question(source) => Some("it was kept for another question"),
            (Some(answer), Some(kept)) => differs(answer, kept),
            _ => None,
        };
        if let Some(complaint) = complaint {
            violations.push(case.violation(Invariant::Leak, &[by, index], complaint.to_owned()));
        }
    }
    violations
}

/// Whether caches that several clients share may not keep it.
fn is_for_browsers(answer: &ClientAnswer) -> bool {
    answer.cache_control.as_deref().is_some_and(|told| told.starts_with("private"))
}

fn differs(answer: &ClientAnswer, stored: &ClientAnswer) -> Option<&'static str> {
    if answer.etag != stored.etag || answer.next_offset != stored.next_offset || answer.cursor != stored.cursor {
        return Some("it is another answer than the one that was stored");
    }
    (answer.status == 200 && answer.body != stored.body).then_some("it has other bytes than were stored")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, created, hit, kept, part, polled, tagged};
    use crate::judge::history::{From, How, Lifetime, Mode};

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Leak, super::check, expected);
    }

    fn run() -> Fixture {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        run.walk_messages(&[(0, 0)], part(0, 1));
        run.store(5);
        run
    }

    #[test]
    fn a_copy_is_what_was_stored() {
        for (shown, answer, expected) in [
            (&[(0, 0)][..], hit(0, part(0, 1)), 0),
            (&[(0, 1)], hit(0, part(0, 1)), 1),
            (&[(0, 0)], hit(0, tagged("\"other\"", part(0, 1))), 1),
            (&[(0, 0), (0, 1)], hit(0, part(0, 2)), 1),
        ] {
            let mut run = run();
            run.walk_messages(shown, answer);
            run.hit(2);
            check(&run, expected);
        }
    }

    #[test]
    fn what_a_cache_in_front_hands_out_is_what_was_brought_to_it_for_the_same_question() {
        for (shown, answer, by, expected) in [
            (&[(0, 0)][..], part(0, 1), 2, 0),
            (&[(0, 1)], part(0, 1), 2, 1),
            (&[(0, 0)], tagged("\"other\"", part(0, 1)), 2, 1),
            (&[(0, 0)], part(0, 1), 3, 1),
        ] {
            let mut run = run();
            run.fetch(2, 0);
            run.follow_with(run.json_of_messages(&[(0, 1)]), part(0, 2));
            run.fetch(3, 0);
            run.walk_messages(shown, answer);
            run.hand_out(by, How::Hit);
            check(&run, expected);
        }
    }

    #[test]
    fn what_a_browser_hands_out_is_what_its_client_was_told_of_the_same_question() {
        for (change, expected) in [("nothing", 0), ("client", 1), ("cursor", 1), ("bytes", 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[0], polled(0, 2, 9));
            let first = run.history.ops.len() - 1;
            let again = run.poll_again(first, false, kept(first, run.told(first)));
            let op = &mut run.history.ops[again];
            match (change, &mut op.call, &mut op.answer) {
                ("client", ..) => op.client = 1,
                ("cursor", Call::Live { cursor, .. }, _) => *cursor = Some(8),
                ("bytes", _, Some(answer)) => answer.body = "[]".into(),
                _ => {}
            }
            check(&run, expected);
        }
    }

    #[test]
    fn a_copy_was_stored_for_the_same_question() {
        for (cursor, expected) in [(None, 0), (Some(7), 1)] {
            let mut run = run();
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[0], polled(0, 2, 9));
            run.store(5);
            let stored = run.history.ops.len() - 1;
            let Call::Live { from, mode, revalidates, .. } = run.history.ops[stored].call.clone() else {
                panic!("a long-poll")
            };
            let other = run.join(Mode::LongPoll);
            let op = run.ask_live(other, None);
            run.history.ops[op].call = Call::Live { from, mode, cursor, reader: other, revalidates };
            run.end_live(other, op, &[0], hit(0, polled(0, 2, 9)));
            run.hit(stored);
            check(&run, expected);
        }
    }

    #[test]
    fn nothing_is_told_that_is_nobody_elses_business() {
        for (manner, tells_instance, tells_internals, expected) in [
            (None, false, false, 0),
            (None, true, false, 1),
            (Some(Manner::Debugged), true, false, 0),
            (Some(Manner::Debugged), false, true, 1),
        ] {
            let mut run = run();
            run.walk_messages(
                &[(0, 0)],
                part(0, 1).map(|answer| ClientAnswer { tells_instance, tells_internals, ..answer }),
            );
            let last = run.history.ops.last_mut().expect("a request");
            last.call = Call::Read { from: From::Start, revalidates: None, walk: 1, manner };
            check(&run, expected);
        }
    }
}
