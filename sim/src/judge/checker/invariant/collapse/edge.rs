//! Where a policy promises that an object is asked no more often for one key than it takes until the answer can be seen
//! ([`Bound::Race`]): who asks the object has its answer stored, nobody asks for what can be seen, and identical reads of
//! an isolate share what is under way. Each answer that was lost, evicted or not looked up for a fault is asked for once
//! more.

use std::collections::HashMap;

use tailrace_core::protocol::cache::{AnswerKind, Bound};

use crate::judge::checker::case::{Case, slack_ms};
use crate::judge::checker::invariant::fresh::is_cacheable;
use crate::judge::checker::invariant::leak::question;
use crate::judge::checker::told::told_shared_s;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, ClientAnswer, From, Giver, Lifetime, Manner, Op};
use crate::world::{FetchedFor, Visit, Visited};

/// How much later than it could something happens at most, in ms: the world's clock shows no less than 1 ms.
const STEP_MS: u64 = 2;

/// For how long who has joined a flight waits for it, in ms.
const FLIGHT_MS: u64 = 3_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_promised = case.history.conditions.policy.bound == Bound::Race;
    let keeps_pages = case.history.conditions.policy.kept.contains(&AnswerKind::Page);
    let visits = of_questions(case);
    let refused = visits.values().flatten().filter(|(visit, _)| visit.what == Visited::Refused);
    violations.extend(refused.map(|(_, index)| {
        let message = "an answer is sent to be stored that no cache may keep".to_owned();
        case.violation(Invariant::Collapse, &[*index], message)
    }));
    if keeps_pages && case.history.conditions.has_cache {
        violations.extend(not_stored(case));
    }
    if is_promised || keeps_pages {
        violations.extend(visits.values().flat_map(|visits| asked_again(case, visits)));
        violations.extend(visits.values().flat_map(|visits| not_shared(case, visits)));
    }
    violations
}

/// What a part of a datacenter's cache is asked for.
type Key<'a> = (usize, u64, (usize, &'a From, bool, Option<u64>));

/// The visits for each question, in the order of time, with the requests that they were made for.
type OfQuestions<'a> = HashMap<Key<'a>, Vec<(&'a Visit, usize)>>;

fn of_questions<'a>(case: &Case<'a>) -> OfQuestions<'a> {
    let of_requests: HashMap<u64, usize> = case.iter().map(|(index, op)| (op.request, index)).collect();
    let mut visits = OfQuestions::new();
    // A stranger that looks for an answer may be the first to find that it has been evicted, and where a stream is public
    // it has its own stored.
    let mut of_keys: HashMap<&str, usize> = HashMap::new();
    for visit in &case.history.visits {
        let own = of_requests.get(&visit.request);
        let by_key =
            || of_keys.get(&*visit.key).filter(|_| matches!(visit.what, Visited::Evicted | Visited::Stored { .. }));
        let Some(index) = own.or_else(by_key).copied() else { continue };
        let Some(question) = question(case.op(index)) else { continue };
        of_keys.insert(&visit.key, index);
        visits.entry((visit.colo, visit.partition, question)).or_default().push((visit, index));
    }
    visits
}

/// Whether two requests for one key have missed before the answer could be seen.
pub(in crate::judge::checker) fn raced(case: &Case<'_>) -> bool {
    of_questions(case).values().any(|visits| {
        let misses = visits.iter().filter(|(visit, _)| matches!(visit.what, Visited::Missed | Visited::NotVisibleYet));
        let misses: Vec<&(&Visit, usize)> = misses.collect();
        visits.iter().any(|(visit, index)| match visit.what {
            // Of the one who stores, and of another one after it.
            Visited::Stored { visible_ms } if case.op(*index).request == visit.request => {
                misses.iter().rev().any(|(miss, other)| {
                    let since_ms = case.op(*index).invoked.ms;
                    other != index
                        && miss.ms >= since_ms
                        && miss.ms < visible_ms
                        && case.history.has_called(case.op(*other))
                })
            }
            _ => false,
        })
    })
}

/// For how many seconds the answer says that it is fresh.
fn fresh_s(answer: &ClientAnswer) -> u64 {
    told_shared_s(answer).0
}

/// The answer to a plain read, if the edge keeps such.
fn kept_page<'a>(case: &Case<'_>, op: &'a Op) -> Option<&'a ClientAnswer> {
    let is_page = matches!(op.call, Call::Read { .. }) && is_cacheable(case, op);
    let answer = op.definite().filter(|answer| is_page && answer.status == 200 && !answer.up_to_date)?;
    (fresh_s(answer) > 0 && case.history.giver(op) == Giver::Object).then_some(answer)
}

/// The answer to a read of any kind, if the edge keeps such.
fn kept_answer<'a>(case: &Case<'_>, op: &'a Op) -> Option<&'a ClientAnswer> {
    if !matches!(op.call, Call::Live { .. }) {
        return kept_page(case, op);
    }
    let answer = op.definite().filter(|answer| is_cacheable(case, op) && answer.status == 200)?;
    (fresh_s(answer) > 0 && case.history.giver(op) == Giver::Object).then_some(answer)
}

/// How long a copy of the answer may be used at least, in ms after it was asked for; `None` if that is not known. Whoever
/// fills the cache starts a sliding TTL again for half a slack more.
fn lasts_ms(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<u64> {
    let mut lasts_ms = fresh_s(answer) * 1_000;
    for lifetime in case.lifetimes(op.ended?) {
        if let Lifetime::Ttl(seconds) = lifetime {
            // A long-poll that waits has touched the stream when it came.
            if case.history.conditions.clocks_apart_ms > 0 || matches!(op.call, Call::Live { .. }) {
                return None;
            }
            lasts_ms = lasts_ms.min(slack_ms(seconds) / 2);
        }
    }
    Some(lasts_ms).filter(|lasts_ms| *lasts_ms > 0 && case.history.is_true(op))
}

/// Who has asked the object for what may be kept has it stored, also one that wanted no copy.
fn not_stored(case: &Case<'_>) -> Vec<Violation> {
    let sent: std::collections::HashSet<u64> = case
        .history
        .visits
        .iter()
        .filter(|visit| matches!(visit.what, Visited::Stored { .. } | Visited::Lost | Visited::Refused))
        .map(|visit| visit.request)
        .collect();
    // A cache in front that asks whether what it has still holds is told that it does, and nothing else: its visitor is shown that.
    let is_confirmed =
        |op: &Op| case.history.fronts.fetch_of(op.request).is_some_and(|fetch| fetch.why == FetchedFor::Freshness);
    let is_forgotten = |op: &Op| {
        let lasts = kept_page(case, op).filter(|_| !is_confirmed(op)).and_then(|answer| lasts_ms(case, op, answer));
        lasts.is_some() && !sent.contains(&op.request) && !case.history.harms.has_any(op.request)
    };
    let forgotten = case.iter().filter(|(_, op)| is_forgotten(op));
    let message = "an answer that may be kept is not sent to be stored".to_owned();
    forgotten.map(|(index, _)| case.violation(Invariant::Collapse, &[index], message.clone())).collect()
}

/// An answer in a cache.
struct Entry {
    by: usize,
    visible_ms: u64,
    /// Until when it may be used for sure.
    until_ms: u64,
}

/// Nobody asks the object for what can be seen in the cache.
fn asked_again(case: &Case<'_>, visits: &[(&Visit, usize)]) -> Vec<Violation> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut violations = Vec::new();
    for (visit, index) in visits {
        let op = case.op(*index);
        if op.request != visit.request {
            entries.clear();
            continue;
        }
        match visit.what {
            Visited::Stored { visible_ms } => {
                let lasts = kept_answer(case, op).and_then(|answer| lasts_ms(case, op, answer));
                if let Some(lasts_ms) = lasts {
                    let apart_ms = case.history.conditions.edges_apart_ms;
                    let until_ms = (op.invoked.ms + lasts_ms).saturating_sub(apart_ms);
                    entries.push(Entry { by: *index, visible_ms, until_ms });
                } else {
                    // It may take the place of one that is known to last.
                    entries.clear();
                }
            }
            Visited::Evicted => entries.retain(|entry| entry.visible_ms > visit.ms),
            Visited::Missed | Visited::Ended | Visited::Hit { .. } => {
                let back_ms = case.history.conditions.cache_ms.1 + STEP_MS;
                let is_visible = |entry: &&Entry| entry.visible_ms <= visit.ms;
                // The one that came last is in the place of the others, though its own question may be older than theirs.
                let last = entries.iter().filter(is_visible).max_by_key(|entry| entry.visible_ms);
                let seen = last.filter(|entry| visit.ms + back_ms < entry.until_ms);
                let is_given = matches!(visit.what, Visited::Hit { .. })
                    && (op.answer.is_none() || matches!(case.history.giver(op), Giver::Edge { .. }));
                let is_excused = case.history.harms.has_any(op.request);
                if let Some(entry) = seen.filter(|_| !is_given && !is_excused && op.answer.is_some()) {
                    let message = "the object is asked although the answer can be seen in the cache".to_owned();
                    violations.push(case.violation(Invariant::Collapse, &[entry.by, *index], message));
                }
            }
            Visited::NotVisibleYet | Visited::Failed | Visited::Stuck | Visited::Lost | Visited::Refused => {}
        }
    }
    violations
}

/// Identical plain reads of one isolate share the call of the one that asked first.
fn not_shared(case: &Case<'_>, visits: &[(&Visit, usize)]) -> Vec<Violation> {
    let (put_ms, look_ms) = case.history.conditions.cache_ms;
    let mut violations = Vec::new();
    // Of each isolate, who is asking: from when on, and until when for sure.
    let mut flights: HashMap<usize, (usize, u64, u64)> = HashMap::new();
    let stored: HashMap<usize, u64> = visits
        .iter()
        .filter(|(visit, _)| matches!(visit.what, Visited::Stored { .. } | Visited::Lost))
        .filter(|(visit, index)| case.op(*index).request == visit.request)
        .map(|(visit, index)| (*index, visit.ms))
        .collect();
    // When each isolate has looked. Of two that look at about the same time, either may fly, and whoever comes soon after
    // may share that flight, and ask by itself once that was of no use.
    // What a client no longer waits for goes on, nobody knows until when: from a flight that takes too long others do not
    // wait for its answer, and they start none of their own while it lasts.
    let mut looks_ms: HashMap<usize, Vec<(u64, u64)>> = HashMap::new();
    for (visit, index) in visits {
        if !matches!(visit.what, Visited::Stored { .. } | Visited::Lost | Visited::Refused) {
            let has_ended = case.op(*index).definite().is_some() || stored.contains_key(index);
            let until_ms = if has_ended { visit.ms } else { u64::MAX };
            looks_ms.entry(visit.isolate).or_default().push((visit.ms, until_ms));
        }
    }
    let is_alone = |isolate: usize, from_ms: u64, to_ms: u64| {
        let since_ms = from_ms.saturating_sub(FLIGHT_MS + look_ms + STEP_MS);
        let is_near = |(ms, until_ms): &&(u64, u64)| *ms <= to_ms && *until_ms >= since_ms;
        looks_ms.get(&isolate).is_some_and(|looks| looks.iter().filter(is_near).count() == 1)
    };
    for (visit, index) in visits {
        let op = case.op(*index);
        if op.request != visit.request {
            continue;
        }
        let is_look = matches!(visit.what, Visited::Missed | Visited::Ended | Visited::NotVisibleYet);
        let is_plain = matches!(op.call, Call::Read { revalidates: None, manner: None | Some(Manner::Reordered), .. });
        let has_ttl = op.ended.is_none_or(|ended| case.lifetimes(ended).any(|lives| matches!(lives, Lifetime::Ttl(_))));
        let asks = case.history.giver(op) == Giver::Object && kept_page(case, op).is_some();
        if !is_look || !is_plain || !asks || has_ttl || case.history.harms.has_any(op.request) {
            continue;
        }
        let (from_ms, to_ms) = (visit.ms, visit.ms + look_ms + STEP_MS);
        if let Some((first, since_ms, until_ms)) = flights.get(&visit.isolate)
            && *since_ms < from_ms
            && to_ms < *until_ms
        {
            let message = "two identical reads of one isolate ask the object each for itself".to_owned();
            violations.push(case.violation(Invariant::Collapse, &[*first, *index], message));
        }
        if let Some(stored_ms) = stored.get(index).filter(|_| is_alone(visit.isolate, from_ms, to_ms)) {
            // From one that takes longer nobody waits for the answer until it comes.
            let until_ms = stored_ms.saturating_sub(put_ms + STEP_MS);
            if *stored_ms <= from_ms + FLIGHT_MS {
                flights.insert(visit.isolate, (*index, to_ms, until_ms));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, created, page, part, polled};
    use crate::judge::history::Mode;
    use crate::world::Harm;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Collapse, super::check, expected);
    }

    fn told(x_cache: &str, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
        let cache_control = Some("public, max-age=60, stale-while-revalidate=300".to_owned());
        let age_s = (x_cache == "HIT").then_some(0);
        answer.map(|answer| ClientAnswer { x_cache: Some(x_cache.to_owned()), age_s, cache_control, ..answer })
    }

    fn run(lifetime: Lifetime) -> Fixture {
        let mut run = Fixture::json();
        run.history.conditions.has_cache = true;
        run.create(lifetime, created(0));
        run.append(2, acked(0, 2));
        run
    }

    /// The first page is read, by the object's answer.
    fn read(run: &mut Fixture) -> usize {
        run.walk_messages(&[(0, 0)], told("MISS", part(0, 1)));
        run.charge_last(1);
        run.history.ops.len() - 1
    }

    #[test]
    fn who_asks_the_object_has_the_answer_stored() {
        for (visited, harm, expected) in [
            (Some(Visited::Stored { visible_ms: 0 }), None, 0),
            (Some(Visited::Lost), None, 0),
            (Some(Visited::Refused), None, 1),
            (None, None, 1),
            (None, Some(Harm::Vanished), 0),
        ] {
            let mut run = run(Lifetime::Endless);
            read(&mut run);
            if let Some(visited) = visited {
                run.visit(1, visited);
            }
            run.harm(harm.as_slice());
            check(&run, expected);
        }
        // What ends at the tail is not kept.
        let mut tail = run(Lifetime::Endless);
        tail.walk(&[0], page(0, 2));
        tail.charge_last(1);
        check(&tail, 0);
        // A cache in front was told that what it had still held.
        for (why, expected) in [(FetchedFor::Freshness, 0), (FetchedFor::Miss, 1)] {
            let mut run = run(Lifetime::Endless);
            let op = read(&mut run);
            run.fetch_for(op, 5, why);
            check(&run, expected);
        }
    }

    #[test]
    fn nobody_asks_for_what_can_be_seen() {
        for (lifetime, visible_after_ms, waits_ms, visited, x_cache, expected) in [
            (Lifetime::Endless, 5, 1_000, Visited::Missed, "MISS", 1),
            (Lifetime::Endless, 5, 1_000, Visited::Hit { by: 3 }, "HIT", 0),
            (Lifetime::Endless, 5, 1_000, Visited::Hit { by: 3 }, "MISS", 1),
            (Lifetime::Endless, 2_000, 1_000, Visited::NotVisibleYet, "MISS", 0),
            (Lifetime::Endless, 5, 1_000, Visited::Evicted, "MISS", 0),
            (Lifetime::Endless, 5, 1_000, Visited::Failed, "MISS", 0),
            (Lifetime::Endless, 5, 1_000, Visited::Stuck, "MISS", 0),
            (Lifetime::Endless, 5, 61_000, Visited::Ended, "MISS", 0),
            // Its slack is 20 s, of which half is certain.
            (Lifetime::Ttl(160), 5, 9_000, Visited::Hit { by: 3 }, "MISS", 1),
            (Lifetime::Ttl(160), 5, 11_000, Visited::Hit { by: 3 }, "MISS", 0),
        ] {
            let mut run = run(lifetime);
            read(&mut run);
            run.visit(1, Visited::Missed);
            run.store(visible_after_ms);
            run.wait_ms(waits_ms);
            run.walk_messages(&[(0, 0)], told(x_cache, part(0, 1)));
            run.charge_last(u64::from(x_cache == "MISS"));
            run.visit(0, visited);
            if x_cache == "MISS" {
                run.store(5);
            }
            check(&run, expected);
        }
    }

    #[test]
    fn nobody_waits_for_what_another_one_was_told() {
        for (waits_ms, visited, expected) in
            [(1_000, Visited::Missed, 1), (1_000, Visited::Evicted, 0), (21_000, Visited::Ended, 0)]
        {
            let told = |x_cache: &str| {
                let control = Some("public, max-age=20".to_owned());
                told(x_cache, polled(0, 2, 9)).map(|answer| ClientAnswer { cache_control: control, ..answer })
            };
            let mut run = run(Lifetime::Endless);
            let readers = [(); 2].map(|()| run.join(Mode::LongPoll));
            run.poll_with(readers[0], &[0], told("MISS"));
            run.store(5);
            run.wait_ms(waits_ms);
            run.poll_with(readers[1], &[0], told("MISS"));
            run.visit(0, visited);
            check(&run, expected);
        }
    }

    #[test]
    fn identical_reads_of_an_isolate_share_a_call() {
        for (isolate, is_late, expected) in [(0, false, 1), (1, false, 0), (0, true, 0)] {
            let mut run = run(Lifetime::Endless);
            let first = read(&mut run);
            run.visit(0, Visited::Missed);
            run.wait_ms(20);
            if is_late {
                run.visit_of(first, 0, 0, Visited::Stored { visible_ms: run.now_ms() + 1_000 });
                run.wait_ms(20);
            }
            let second = read(&mut run);
            run.visit_of(second, isolate, 0, if is_late { Visited::NotVisibleYet } else { Visited::Missed });
            run.wait_ms(20);
            if !is_late {
                run.visit_of(first, 0, 0, Visited::Stored { visible_ms: run.now_ms() + 1_000 });
            }
            run.visit_of(second, isolate, 0, Visited::Stored { visible_ms: run.now_ms() + 1_000 });
            check(&run, expected);
        }
    }

    #[test]
    fn the_copy_that_came_last_is_in_the_place_of_the_others() {
        for (waits_ms, expected) in [(39_000, 1), (41_000, 0)] {
            let mut run = run(Lifetime::Endless);
            let older = read(&mut run);
            run.wait_ms(20_000);
            let newer = read(&mut run);
            run.visit_of(newer, 1, 0, Visited::Stored { visible_ms: run.now_ms() });
            run.wait_ms(5);
            run.visit_of(older, 2, 0, Visited::Stored { visible_ms: run.now_ms() });
            run.wait_ms(waits_ms);
            let third = read(&mut run);
            run.visit_of(third, 0, 0, Visited::Hit { by: 2 });
            run.visit_of(third, 0, 0, Visited::Stored { visible_ms: run.now_ms() });
            check(&run, expected);
        }
    }

    #[test]
    fn nobody_shares_a_flight_that_takes_too_long() {
        for (takes_ms, expected) in [(2_900, 1), (3_100, 0)] {
            let mut run = run(Lifetime::Endless);
            let first = read(&mut run);
            run.visit_of(first, 0, 0, Visited::Missed);
            run.wait_ms(2_800);
            let second = read(&mut run);
            run.visit_of(second, 0, 0, Visited::Missed);
            run.wait_ms(takes_ms - 2_800);
            run.visit_of(first, 0, 0, Visited::Stored { visible_ms: run.now_ms() });
            run.visit_of(second, 0, 0, Visited::Stored { visible_ms: run.now_ms() });
            check(&run, expected);
        }
    }

    /// It is too old to be waited for, and while it lasts nobody starts another flight.
    #[test]
    fn what_its_client_no_longer_waits_for_may_still_be_under_way() {
        for (is_given_up, expected) in [(true, 0), (false, 1)] {
            let mut run = run(Lifetime::Endless);
            let old = if is_given_up {
                run.walk_messages(&[(0, 0)], None);
                run.history.ops.len() - 1
            } else {
                read(&mut run)
            };
            run.visit_of(old, 0, 0, Visited::Missed);
            if !is_given_up {
                run.visit_of(old, 0, 0, Visited::Lost);
            }
            run.wait_ms(3_500);
            let first = read(&mut run);
            run.visit_of(first, 0, 0, Visited::Missed);
            run.wait_ms(20);
            let second = read(&mut run);
            run.visit_of(second, 0, 0, Visited::Missed);
            run.wait_ms(20);
            run.visit_of(first, 0, 0, Visited::Stored { visible_ms: run.now_ms() });
            run.visit_of(second, 0, 0, Visited::Stored { visible_ms: run.now_ms() });
            check(&run, expected);
        }
    }
}
