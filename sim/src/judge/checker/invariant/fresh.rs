//! A strong read is never answered by a cache, or by the flight of another; what a cache hands out says so and how old it
//! is; and a stream that was deleted is gone when its copies may no longer be used, over any chain of caches.

use std::collections::HashMap;

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::cache::{AnswerKind, Rule};

use crate::judge::checker::case::{Case, LEAST_STAY_MS, slack_ms};
use crate::judge::checker::told::{told_s, told_shared_s};
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, ClientAnswer, From, Giver, HIDDEN_FAILURE, Handed, How, Lifetime, Manner, Mode, Op};
use crate::world::{Visit, Visited};

/// By how much caches in front may take an answer for younger than it is, in ms: there are two tiers of them, and each
/// tells the next one an age in whole seconds.
const AGE_STEPS_MS: u64 = 2_000;

/// How much later than it could something happens at most, in ms: the world's clock shows no less than 1 ms.
const STEP_MS: u64 = 2;

/// How long the messages of a request are on their way at most, in ms, where a cache answers.
const HIT_TRAVEL_MS: u64 = 1_000;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let ages = Ages::of(case);
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let Some(answer) = &op.answer else { continue };
        let giver = case.history.giver(op);
        let complaints = [
            wrong_mark(case, op, answer),
            not_to_be_given(&case.history.conditions.policy, op, answer, giver),
            too_old(case, op, answer, giver),
            ages.untrue(case, op, answer, giver),
            outlives_its_stream(case, op, answer, giver),
            handed_out_too_late(case, answer, giver).filter(|_| !is_kept_by_nobody(answer)),
            kept_too_long(case, op, giver),
        ];
        let complaints = complaints.into_iter().flatten();
        violations.extend(complaints.map(|complaint| case.violation(Invariant::Fresh, &[index], complaint)));
    }
    violations
}

/// Whether a client is told about instances, if it asks: where tokens are needed, only an operator is.
pub(in crate::judge::checker) fn may_be_debugged(case: &Case<'_>, op: &Op) -> bool {
    !case.history.conditions.is_keyed || op.shown.is_some_and(|shown| shown.manages)
}

/// Whether caches may take part in a read, by what it asks for.
pub(in crate::judge::checker) fn is_cacheable(case: &Case<'_>, op: &Op) -> bool {
    let keeps = |kind| case.history.conditions.policy.kept.contains(&kind);
    match &op.call {
        Call::Read { from, manner, .. } => {
            let is_debugged = *manner == Some(Manner::Debugged) && may_be_debugged(case, op);
            *from != From::Now && !is_debugged && keeps(AnswerKind::Page)
        }
        Call::Live { mode: Mode::LongPoll, from, .. } => *from != From::Now && keeps(AnswerKind::Delivery),
        _ => false,
    }
}

/// `X-Cache` stands on every answer of the object or the cache to a read in which caches may take part, and on no other.
fn wrong_mark(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let told = answer.x_cache.as_deref();
    let is_answer = matches!(answer.status, 200 | 204 | 304);
    match (is_cacheable(case, op), told) {
        (false, Some(told)) => Some(format!("X-Cache: {told} where no cache takes part")),
        (true, None) if is_answer => Some("no X-Cache".to_owned()),
        (true, Some(told)) => {
            let is_bypass = matches!(op.call, Call::Read { manner: Some(Manner::NoCache), .. });
            let is_known = ["HIT", "MISS"].contains(&told) && !is_bypass || told == "BYPASS" && is_bypass;
            (!is_known).then(|| format!("X-Cache: {told}"))
        }
        _ => None,
    }
}

/// What ends at the tail is the object's to answer, and so is what a client wants no copy of.
fn not_to_be_given(policy: &CachePolicy, op: &Op, answer: &ClientAnswer, giver: Giver) -> Option<String> {
    let is_read = matches!(op.call, Call::Read { .. });
    let keeps_silence = policy.kept.contains(&AnswerKind::Silence);
    let complaint = match giver {
        Giver::Object => return None,
        Giver::Flight if answer.up_to_date => "the tail is taken from another one's flight",
        Giver::Edge { .. } if is_read && answer.up_to_date => "the tail comes from a cache",
        Giver::Edge { .. } if answer.status == 204 && keeps_silence && !answer.closed => return None,
        Giver::Edge { .. } if !matches!(answer.status, 200 | 304) => "a refusal, or nothing, comes from a cache",
        Giver::Front(_) | Giver::Browser { .. } if is_read && answer.up_to_date => {
            "the tail comes from a cache in front, or from a browser's"
        }
        Giver::Front(_) | Giver::Browser { .. }
            if answer.status == 204 && is_fresh(policy.silence) && !answer.closed =>
        {
            return None;
        }
        // Events that broke off before the first one look like a failure that is hidden, and were open to be shared.
        Giver::Front(_)
            if answer.code.as_deref() == Some(HIDDEN_FAILURE) && is_fresh(policy.events) && told_s(answer).0 > 0 =>
        {
            return None;
        }
        Giver::Front(_) | Giver::Browser { .. } if !matches!(answer.status, 200 | 304) => {
            "a refusal, or nothing, comes from a cache in front, or from a browser's"
        }
        Giver::Edge { .. } if answer.age_s.is_none() => "a kept answer does not tell its age",
        _ => return None,
    };
    Some(complaint.to_owned())
}

fn is_fresh(rule: Rule) -> bool {
    matches!(rule, Rule::Fresh { .. })
}

/// A copy is used for as long as it says, and that of a stream with a sliding TTL for its slack.
fn too_old(case: &Case<'_>, op: &Op, answer: &ClientAnswer, giver: Giver) -> Option<String> {
    let Giver::Edge { age_s } = giver else { return None };
    let fresh_s = told_shared_s(answer).0;
    // Whom caches in front must not hand it to anybody for is told to keep nothing, whatever the edge does.
    if age_s >= fresh_s && !is_kept_by_nobody(answer) {
        return Some(format!("it is {age_s} s old, and was fresh for {fresh_s} s"));
    }
    // One that has gone on for its readers lives on by itself for as long as that takes.
    let has_readers = case.readers().next().is_some();
    let stay_ms = |seconds: u64| if has_readers { LEAST_STAY_MS.saturating_sub(seconds * 1_000) } else { 0 };
    let slack = |lifetime| match lifetime {
        Lifetime::Ttl(seconds) => slack_ms(seconds).max(stay_ms(seconds)),
        _ => u64::MAX,
    };
    let most_ms = case.lifetimes(op.ended.unwrap_or(op.settled())).map(slack).max()?;
    // Where the clock of the object has stepped back, its deadline is as much later.
    let most_ms = most_ms.saturating_add(case.history.conditions.clocks_apart_ms);
    (age_s * 1_000 > most_ms).then(|| format!("it is {age_s} s old, and its stream may live on for {most_ms} ms"))
}

/// Whether its client was told that nobody may keep it, since the URL has a token, or lacks a reader key.
fn is_kept_by_nobody(answer: &ClientAnswer) -> bool {
    answer.cache_control.as_deref().is_some_and(|told| told.starts_with("private, no-store"))
}

/// What the world knows of the answers that its caches handed out: which request has stored each, and when.
struct Ages<'a> {
    hits: HashMap<u64, &'a Visit>,
    stored: HashMap<u64, &'a Visit>,
}

impl<'a> Ages<'a> {
    fn of(case: &Case<'a>) -> Self {
        let (mut hits, mut stored) = (HashMap::new(), HashMap::new());
        for visit in &case.history.visits {
            match visit.what {
                Visited::Hit { .. } => hits.insert(visit.request, visit),
                Visited::Stored { .. } => stored.insert(visit.request, visit),
                _ => None,
            };
        }
        Self { hits, stored }
    }

    /// `Age` is the time since the object has answered: before the answer was stored, and after it was asked for.
    fn untrue(&self, case: &Case<'_>, op: &Op, answer: &ClientAnswer, giver: Giver) -> Option<String> {
        let (Giver::Edge { .. }, Some(age_s)) = (giver, answer.age_s) else { return None };
        let hit = self.hits.get(&op.request)?;
        let Visited::Hit { by } = hit.what else { return None };
        let stored = self.stored.get(&by)?;
        let asked = case.iter().find(|(_, other)| other.request == by)?.1.invoked;
        let apart_ms = case.history.conditions.edges_apart_ms;
        let least_ms = hit.ms.saturating_sub(stored.ms + apart_ms);
        let most_ms = hit.ms + HIT_TRAVEL_MS + apart_ms - asked.ms;
        let is_true = age_s * 1_000 + 1_000 > least_ms && age_s * 1_000 <= most_ms;
        (!is_true).then(|| format!("it says that it is {age_s} s old, and is {least_ms} to {most_ms} ms old"))
    }
}

/// A cache in front hands out what it was given or told last no longer than that said: fresh, or stale while it asks
/// again.
fn handed_out_too_late(case: &Case<'_>, answer: &ClientAnswer, giver: Giver) -> Option<String> {
    let Giver::Front(Handed { ms, by, confirmed_ms, how }) = giver else { return None };
    let (_, brought_ms) = case.history.fronts.given_ms(by);
    let to_ms = confirmed_ms.map_or(brought_ms, |ms| ms.max(brought_ms));
    let (fresh_s, stale_s) = told_in_front(case, answer);
    let most_ms = match how {
        How::Hit => fresh_s * 1_000,
        How::Stale => (fresh_s + stale_s) * 1_000,
        // It has waited for the answer.
        How::Joined => return None,
    };
    let age_ms = ms.saturating_sub(to_ms);
    (age_ms > most_ms + AGE_STEPS_MS)
        .then(|| format!("a cache in front hands it out after {age_ms} ms, and it lasts for {most_ms} ms"))
}

/// What a cache in front was told that has handed out this answer. One between a gateway and the inner entrypoint may serve
/// for a while what was fresh, also where the gateway lets no client's cache do so, since that looks at no token.
fn told_in_front(case: &Case<'_>, answer: &ClientAnswer) -> (u64, u64) {
    let (fresh_s, stale_s) = told_shared_s(answer);
    let conditions = &case.history.conditions;
    match conditions.policy.page {
        Rule::Fresh { stale_s: Some(between_s), .. } if conditions.policy.has_gateway && conditions.is_keyed => {
            (fresh_s, stale_s.max(between_s))
        }
        _ => (fresh_s, stale_s),
    }
}

/// A browser hands out what it was given, or told last that it still holds, no longer than that said: fresh, or stale while
/// it asks again. An answer is as old as its question, and what that was told of its age.
fn kept_too_long(case: &Case<'_>, op: &Op, giver: Giver) -> Option<String> {
    let Giver::Browser { by } = giver else { return None };
    let confirms = |other: &Op| {
        other.client == op.client
            && other.revalidates() == Some(by)
            && other.status() == Some(304)
            && other.precedes(op)
    };
    let brought = case.history.ops.get(by).into_iter();
    let told = brought.chain(case.iter().map(|(_, other)| other).filter(|other| confirms(other)));
    let last = told.max_by_key(|told| told.settled())?;
    let (fresh_s, stale_s) = last.definite().map_or((0, 0), told_s);
    let age_s = last.definite().and_then(|told| told.age_s).unwrap_or(0);
    let until_ms = last.invoked.ms + (fresh_s + stale_s).saturating_sub(age_s) * 1_000;
    (op.invoked.ms > until_ms + STEP_MS)
        .then(|| format!("a browser hands it out, which was told that it may be used until {until_ms} ms"))
}

/// A copy of a stream that is gone was made before that, and is used no longer than it says.
fn outlives_its_stream(case: &Case<'_>, op: &Op, answer: &ClientAnswer, giver: Giver) -> Option<String> {
    // A superseded instance may have read a stream that its successor had removed.
    if giver == Giver::Object || !matches!(answer.status, 200 | 304) || !case.history.is_true(op) {
        return None;
    }
    let gone_ms = gone_ms(case, op)?;
    let (given_ms, _) = case.history.given_ms(op);
    let flight_ms = if matches!(op.call, Call::Live { .. }) { case.history.conditions.flight_ms() } else { 0 };
    if given_ms > gone_ms + flight_ms {
        return Some(format!("it was made after {given_ms} ms, and its stream was gone at {gone_ms} ms"));
    }
    let (fresh_s, stale_s) = match giver {
        Giver::Browser { .. } => told_s(answer),
        Giver::Front(_) => told_in_front(case, answer),
        _ => told_shared_s(answer),
    };
    let most_ms = match giver {
        Giver::Browser { .. } | Giver::Front(_) => (fresh_s + stale_s) * 1_000,
        _ => fresh_s * 1_000,
    };
    let apart_ms = case.history.conditions.edges_apart_ms + flight_ms + HIT_TRAVEL_MS;
    let is_late = giver.is_cache()
        && !op.answer.as_ref().is_some_and(is_kept_by_nobody)
        && op.invoked.ms > gone_ms + most_ms + apart_ms;
    is_late.then(|| format!("its stream was gone at {gone_ms} ms, and copies last for {most_ms} ms"))
}

/// Whether a cache handed out a page of a stream that was gone.
pub(in crate::judge::checker) fn is_of_gone_stream(case: &Case<'_>, op: &Op) -> bool {
    case.history.giver(op).is_cache() && gone_ms(case, op).is_some_and(|gone_ms| gone_ms < op.invoked.ms)
}

/// When the stream of which this answer is was certainly gone, in virtual ms, if it was: another one had been created, or
/// it had been deleted.
fn gone_ms(case: &Case<'_>, op: &Op) -> Option<u64> {
    let segment = case.offset(op)?.segment;
    let starts = case.creations().filter(|(_, other)| other.status() == Some(201) && case.history.is_true(other));
    let (mut created, mut gone_ms): (Option<(u64, &Op)>, Option<u64>) = (None, None);
    for (_, other) in starts {
        let (Some(at), Some(ended)) = (case.offset(other), other.ended) else { continue };
        if at.segment > segment {
            gone_ms = Some(gone_ms.map_or(ended.ms, |ms: u64| ms.min(ended.ms)));
        } else if created.is_none_or(|(start, _)| start < at.segment) {
            created = Some((at.segment, other));
        }
    }
    let (start, creation) = created?;
    let deleted = case.deletions().filter(|(_, other)| other.status() == Some(204) && creation.precedes(other));
    let deleted_ms = deleted.filter_map(|(_, other)| Some(other.ended?.ms)).min();
    let is_one = case.log.same_incarnation(start, segment);
    [gone_ms, deleted_ms.filter(|_| is_one)].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, created, deleted, empty, kept, page, part, polled, unchanged,
    };
    use crate::judge::history::{End, Lifetime};

    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Fresh, super::check, expected);
    }

    fn told(x_cache: Option<&str>, age_s: Option<u64>, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
        let x_cache = x_cache.map(str::to_owned);
        answer.map(|answer| ClientAnswer { x_cache, age_s, cache_control: Some(PAGE.to_owned()), ..answer })
    }

    fn run(lifetime: Lifetime) -> Fixture {
        let mut run = Fixture::json();
        run.create(lifetime, created(0));
        run.append(2, acked(0, 2));
        run
    }

    #[test]
    fn every_cacheable_read_says_what_caches_did_and_no_other_does() {
        for (x_cache, age_s, expected) in [
            (Some("MISS"), None, 0),
            (Some("HIT"), Some(1), 0),
            (Some("HIT"), None, 1),
            (Some("BYPASS"), None, 1),
            (None, None, 1),
        ] {
            let mut run = run(Lifetime::Endless);
            run.wait_ms(5_000);
            run.walk_messages(&[(0, 0)], told(x_cache, age_s, part(0, 1)));
            check(&run, expected);
            run.head(told(x_cache, age_s, page(0, 2)));
            check(
                &run,
                expected + usize::from(x_cache.is_some()) + usize::from(x_cache == Some("HIT") && age_s.is_none()),
            );
        }
    }

    #[test]
    fn a_client_that_wants_no_copy_gets_none() {
        for (x_cache, expected) in [("BYPASS", 0), ("MISS", 1), ("HIT", 1)] {
            let mut run = run(Lifetime::Endless);
            run.wait_ms(5_000);
            run.walk_messages(&[(0, 0)], told(Some(x_cache), Some(1), part(0, 1)));
            let last = run.history.ops.last_mut().expect("a request");
            last.call = Call::Read { from: From::Start, revalidates: None, walk: 1, manner: Some(Manner::NoCache) };
            check(&run, expected);
        }
    }

    #[test]
    fn the_tail_is_never_a_copy_unless_a_long_poll_waited_for_it() {
        let mut run = run(Lifetime::Endless);
        run.wait_ms(5_000);
        run.walk(&[0], told(Some("HIT"), Some(1), page(0, 2)));
        check(&run, 1);
        // Nobody has asked the object: it shares a flight.
        run.walk(&[0], told(Some("MISS"), None, page(0, 2)));
        check(&run, 2);
        run.charge_last(1);
        check(&run, 1);
        let reader = run.join(Mode::LongPoll);
        run.poll_with(reader, &[0], told(Some("HIT"), Some(1), polled(0, 2, 7)));
        check(&run, 1);
    }

    #[test]
    fn a_copy_is_used_for_as_long_as_it_says_or_its_stream_may_live_on() {
        for (lifetime, age_s, expected) in [
            (Lifetime::Endless, 59, 0),
            (Lifetime::Endless, 60, 1),
            // Its slack is 20 s.
            (Lifetime::Ttl(160), 20, 0),
            (Lifetime::Ttl(160), 21, 1),
        ] {
            let mut run = run(lifetime);
            run.wait_ms(70_000);
            run.walk_messages(&[(0, 0)], told(Some("HIT"), Some(age_s), part(0, 1)));
            check(&run, expected);
        }
    }

    #[test]
    fn a_cache_in_front_has_no_tail_and_no_refusal_and_keeps_a_page_for_as_long_as_that_says() {
        let poll = |run: &mut Fixture, answer| {
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[0], answer);
        };
        type Ask = fn(&mut Fixture, &dyn Fn(&mut Fixture, Option<ClientAnswer>));
        let page_part: Ask = |run, _| run.walk_messages(&[(0, 0)], told(None, None, part(0, 1)));
        let tail: Ask = |run, _| run.walk(&[0], told(None, None, page(0, 2)));
        let refusal: Ask = |run, _| run.walk(&[], told(None, None, absent()));
        let delivery: Ask = |run, poll| poll(run, told(None, None, polled(0, 2, 7)));
        for (ask, after_ms, how, expected) in [
            (page_part, 59_900, How::Hit, 0),
            (page_part, 62_100, How::Hit, 1),
            (page_part, 60_100, How::Stale, 0),
            (page_part, 359_900, How::Stale, 0),
            (page_part, 362_100, How::Stale, 1),
            (page_part, 400_000, How::Joined, 0),
            (tail, 0, How::Hit, 1),
            (tail, 0, How::Joined, 1),
            (refusal, 0, How::Hit, 1),
            (refusal, 0, How::Joined, 1),
            (delivery, 0, How::Joined, 0),
        ] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.policy = CachePolicy::named("zone").expect("a policy");
            ask(&mut run, &poll);
            run.fetch(2, 0);
            run.charge_last(1);
            run.wait_ms(after_ms);
            ask(&mut run, &poll);
            run.hand_out(2, how);
            check(&run, expected);
        }
    }

    #[test]
    fn events_that_broke_off_before_the_first_one_may_be_shared_and_a_hidden_failure_may_not() {
        for (policy, cache_control, expected) in [
            ("collapsed-events", "public, max-age=1", 0),
            ("collapsed-events", "no-cache, no-transform", 1),
            ("zone", "public, max-age=1", 1),
        ] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
            let reader = run.join(Mode::Sse);
            for number in 0..2 {
                let op = run.listen(reader);
                let answer = run.history.ops[op].answer.as_mut().expect("an answer");
                answer.cache_control = Some(cache_control.to_owned());
                run.hang_up(op, End::Finished);
                run.history.name_hidden_failure(op);
                match number {
                    0 => run.fetch(op, 0),
                    _ => run.hand_out(op - 1, How::Hit),
                }
            }
            check(&run, expected);
        }
    }

    #[test]
    fn an_age_is_the_time_since_the_answer_was_given() {
        for (age_s, expected) in [(9, 1), (10, 0), (11, 0), (12, 1)] {
            let mut run = run(Lifetime::Endless);
            run.walk_messages(&[(0, 0)], told(Some("MISS"), None, part(0, 1)));
            run.charge_last(1);
            run.store(1_000);
            run.wait_ms(9_999);
            run.walk_messages(&[(0, 0)], told(Some("HIT"), Some(age_s), part(0, 1)));
            run.hit(2);
            check(&run, expected);
        }
    }

    #[test]
    fn a_deleted_stream_is_gone_when_its_copies_are_too_old() {
        for (x_cache, after_ms, age_s, expected) in [
            ("HIT", 1_000, 4, 0),
            ("HIT", 10_000, 4, 1),
            ("HIT", 10_000, 10, 0),
            ("HIT", 59_000, 59, 0),
            ("MISS", 1_000, 0, 0),
            ("MISS", 4_000, 0, 1),
        ] {
            let mut run = run(Lifetime::Endless);
            run.wait_ms(5_000);
            run.delete(deleted());
            run.wait_ms(after_ms);
            let age_s = (x_cache == "HIT").then_some(age_s);
            run.walk_messages(&[(0, 0)], told(Some(x_cache), age_s, part(0, 1)));
            check(&run, expected);
        }
    }

    #[test]
    fn a_browser_hands_a_deleted_stream_out_until_its_copy_is_too_old() {
        // At last it may be handed out no more, whatever became of its stream.
        for (after_ms, expected) in [(100, 0), (359_000, 0), (362_000, 2)] {
            let mut run = run(Lifetime::Endless);
            run.walk_messages(&[(0, 0)], told(Some("MISS"), None, part(0, 1)));
            run.charge_last(1);
            let first = run.history.ops.len() - 1;
            run.delete(deleted());
            run.wait_ms(after_ms);
            run.walk_messages(&[(0, 0)], kept(first, told(Some("MISS"), None, part(0, 1))));
            check(&run, expected);
        }
    }

    /// A long-poll that has brought something, which may be kept for 20 s.
    fn run_with_a_poll(age_s: Option<u64>) -> (Fixture, usize) {
        let mut run = run(Lifetime::Endless);
        let reader = run.join(Mode::LongPoll);
        let delivery = told(Some("MISS"), age_s, polled(0, 2, 7));
        let control = || Some("public, max-age=20".to_owned());
        run.poll_with(reader, &[0], delivery.map(|answer| ClientAnswer { cache_control: control(), ..answer }));
        let op = run.history.ops.len() - 1;
        (run, op)
    }

    #[test]
    fn a_browser_hands_out_what_has_answered_a_long_poll_as_long_as_that_says_and_is_confirmed() {
        for (age_s, confirmed_by, after_ms, expected) in [
            (None, None, 19_990, 0),
            (None, None, 20_010, 1),
            (Some(5), None, 14_990, 0),
            (Some(5), None, 15_010, 1),
            (None, Some(0), 30_000, 0),
            (None, Some(0), 45_010, 1),
            // What another browser was told is nothing to this one.
            (None, Some(1), 30_000, 1),
        ] {
            let (mut run, first) = run_with_a_poll(age_s);
            let began_ms = run.history.ops[first].invoked.ms;
            if let Some(client) = confirmed_by {
                run.wait_ms(25_000);
                let confirmed = run.poll_again(first, true, unchanged(run.told(first)));
                run.history.ops[confirmed].client = client;
            }
            run.wait_ms(began_ms + after_ms - run.now_ms());
            run.poll_again(first, false, kept(first, run.told(first)));
            check(&run, expected);
        }
    }

    #[test]
    fn a_browser_has_no_tail_and_no_silence_unless_that_may_be_kept() {
        for (policy, expected) in [("immutable-and-long-poll", 1), ("silence", 0)] {
            let mut run = run(Lifetime::Endless);
            run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, told(Some("MISS"), None, empty(0, 0, 7)));
            let first = run.history.ops.len() - 1;
            run.poll_again(first, false, kept(first, run.told(first)));
            check(&run, expected);
        }
        let mut run = run(Lifetime::Endless);
        run.walk(&[0], told(Some("MISS"), None, page(0, 2)));
        run.charge_last(1);
        let first = run.history.ops.len() - 1;
        run.walk(&[0], kept(first, run.told(first)));
        check(&run, 1);
    }
}
