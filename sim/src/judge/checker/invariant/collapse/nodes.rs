//! Where a policy promises that each cache node in front asks once for one key ([`Bound::Node`]): nobody is sent to the
//! Worker while another one's answer is under way that may be shared, or is there.

use std::collections::BTreeMap;

use tailrace_core::protocol::cache::Bound;

use crate::judge::checker::case::Case;
use crate::judge::checker::invariant::leak::question;
use crate::judge::checker::told::told_shared_s;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::Unserved;
use crate::world::{FetchedFor, FrontFetch, UPPER_TIER};

/// How much later than it could something happens at most, in ms: the world's clock shows no less than 1 ms.
const STEP_MS: u64 = 2;

/// What was asked of the Worker for one key of one cache.
struct Asked<'a> {
    op: usize,
    fetch: &'a FrontFetch,
    /// When its answer may be shared; `None` if it may not, or that is not known.
    sharing: Option<Sharing>,
}

/// When an answer of a cache in front is shared for sure, in virtual ms.
#[derive(Clone, Copy)]
struct Sharing {
    /// Others wait for it.
    waited_for: (u64, u64),
    /// It is there. A cache may count its age from the question or from the answer.
    kept: (u64, u64),
}

impl Sharing {
    fn is_at(&self, ms: u64) -> bool {
        [self.waited_for, self.kept].iter().any(|(from_ms, to_ms)| from_ms + STEP_MS < ms && ms + STEP_MS < *to_ms)
    }
}

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    if case.history.conditions.policy.bound != Bound::Node {
        return Vec::new();
    }
    let mut places: BTreeMap<_, Vec<Asked<'_>>> = BTreeMap::new();
    let of_requests: BTreeMap<u64, usize> = case.iter().map(|(index, op)| (op.request, index)).collect();
    for fetch in &case.history.fronts.fetches {
        let Some(op) = of_requests.get(&fetch.asks).copied() else { continue };
        let told = case
            .op(op)
            .definite()
            .filter(|_| fetch.asks == fetch.request && !case.history.harms.has_any(fetch.request));
        let lasts_ms = told.filter(|answer| answer.status == 200).map(|answer| told_shared_s(answer).0 * 1_000);
        // Events that have broken off are kept no longer, and those that have ended may be of no use.
        let ends_ms = case.history.listenings.get(&op).and_then(|listening| listening.end).map(|(end, _)| end.ms);
        let sharing = |ms: u64| {
            let (from_ms, to_ms) = (fetch.from_ms, fetch.to_ms?);
            let waited_for = (from_ms, to_ms.min(from_ms + case.history.conditions.lock_age_ms));
            Some(Sharing { waited_for, kept: (to_ms, (from_ms + ms).min(ends_ms.unwrap_or(u64::MAX))) })
        };
        let sharing = lasts_ms.filter(|ms| *ms > 0).and_then(sharing);
        places.entry(&fetch.place).or_default().push(Asked { op, fetch, sharing });
    }
    let mut violations: Vec<Violation> = places.values_mut().flat_map(|asked| asked_twice(case, asked)).collect();
    violations.extend(waited_for_nobody(case));
    violations
}

fn asked_twice(case: &Case<'_>, asked: &mut [Asked<'_>]) -> Vec<Violation> {
    asked.sort_by_key(|asked| asked.fetch.from_ms);
    let mut violations = Vec::new();
    // Who has asked first.
    let mut shared: Option<(usize, Sharing)> = None;
    for Asked { op, fetch, sharing } in asked.iter() {
        if fetch.why == FetchedFor::Miss
            && let Some((first, sharing)) = shared
            && sharing.is_at(fetch.from_ms)
            // Under one URL there may be several answers, by a field of the request.
            && question(case.op(first)) == question(case.op(*op))
            && case.op(first).last_event_id == case.op(*op).last_event_id
            && !was_told_for_strangers(case, fetch, sharing.kept.0)
        {
            let message = format!("{}: a cache in front asks for what it has, or is asking for already", at(fetch));
            violations.push(case.violation(Invariant::Collapse, &[first, *op], message));
        }
        if let Some(sharing) = sharing.filter(|_| fetch.why == FetchedFor::Miss) {
            shared = Some((*op, sharing));
        }
        if let Some(last) = last_of_use(asked, fetch).filter(|_| !was_asked_by_strangers(case, fetch)) {
            let message = format!("{}: a cache in front takes what others have use for as if they had none", at(fetch));
            violations.push(case.violation(Invariant::Collapse, &[last, *op], message));
        }
    }
    violations
}

/// Whether the cache has asked for strangers before, be it to freshen what it has served them stale: it may have been
/// told then that nobody else has use for the answer.
fn was_asked_by_strangers(case: &Case<'_>, fetch: &FrontFetch) -> bool {
    asked_for_strangers(case, fetch).next().is_some()
}

/// Whether what the cache had been brought by `since_ms` gave way to what a stranger was told after that, who had asked by
/// itself.
fn was_told_for_strangers(case: &Case<'_>, fetch: &FrontFetch, since_ms: u64) -> bool {
    let meanwhile = since_ms.saturating_sub(STEP_MS)..=fetch.from_ms + STEP_MS;
    asked_for_strangers(case, fetch).any(|own| own.to_ms.is_some_and(|to_ms| meanwhile.contains(&to_ms)))
}

/// What the same cache had asked for strangers by then, for the same key.
fn asked_for_strangers<'a>(case: &'a Case<'_>, fetch: &'a FrontFetch) -> impl Iterator<Item = &'a FrontFetch> {
    let before =
        case.history.fronts.fetches.iter().filter(|own| own.place == fetch.place && own.from_ms <= fetch.from_ms);
    before.filter(|own| case.strangers().any(|trespass| trespass.request == own.asks))
}

/// Who waits in front waits for something that is under way: for a request to the Worker for the same key. And who is
/// told that there is no answer is told so because that request was lost, and not because its visitor has left.
fn waited_for_nobody(case: &Case<'_>) -> Vec<Violation> {
    let of_requests: BTreeMap<u64, usize> =
        case.history.ops.iter().enumerate().map(|(index, op)| (op.request, index)).collect();
    let fronts = &case.history.fronts;
    // Before an upper tier it waits there, and not at a cache of its own.
    let asking =
        |unserved: &Unserved| fronts.fetches.iter().filter(|fetch| fetch.place == unserved.place).collect::<Vec<_>>();
    let of_stream = |unserved: &Unserved| {
        of_requests.get(&unserved.request).copied().filter(|op| case.op(*op).stream == case.stream)
    };
    let mut violations = Vec::new();
    for unserved in &fronts.in_vain {
        let Some(op) = of_stream(unserved) else { continue };
        let asking = asking(unserved);
        let is_under_way = |fetch: &FrontFetch| {
            fetch.from_ms <= unserved.ms && fetch.over_ms.is_none_or(|over_ms| over_ms + STEP_MS >= unserved.ms)
        };
        if !asking.is_empty() && !asking.iter().any(|fetch| is_under_way(fetch)) {
            let message =
                format!("{} ms, {}: it has waited in front, and nobody was asking", unserved.ms, unserved.place.0);
            violations.push(case.violation(Invariant::Collapse, &[op], message));
        }
    }
    for unserved in &fronts.failed {
        let Some(op) = of_stream(unserved) else { continue };
        let asking = asking(unserved);
        let is_over =
            |fetch: &&&FrontFetch| fetch.over_ms.is_some_and(|over_ms| over_ms.abs_diff(unserved.ms) <= STEP_MS);
        let mut over = asking.iter().filter(is_over).peekable();
        if over.peek().is_some() && over.all(|fetch| fetch.is_given_up) {
            let message =
                format!("{} ms, {}: it has no answer because another one has left", unserved.ms, unserved.place.0);
            violations.push(case.violation(Invariant::Collapse, &[op], message));
        }
    }
    violations
}

/// Where and when.
fn at(fetch: &FrontFetch) -> String {
    format!("{} ms, {}", fetch.from_ms, fetch.place.0)
}

/// The last answer before this fetch, which was sent because nobody else has use for its answer, if others had use for
/// that.
fn last_of_use(asked: &[Asked<'_>], fetch: &FrontFetch) -> Option<usize> {
    let before = |asked: &&Asked<'_>| asked.fetch.to_ms.is_none_or(|to_ms| to_ms <= fetch.from_ms + STEP_MS);
    let last = asked.iter().filter(before).max_by_key(|asked| asked.fetch.to_ms.unwrap_or(u64::MAX))?;
    let last_ms = last.fetch.to_ms?;
    let is_over = last_ms + STEP_MS < fetch.from_ms;
    // Of answers that came at one moment, any may have been the last.
    let came_last = |asked: &&Asked<'_>| asked.fetch.to_ms.is_some_and(|to_ms| to_ms + STEP_MS >= last_ms);
    let all_of_use = asked.iter().filter(before).filter(came_last).all(|asked| asked.sharing.is_some());
    // Before an upper tier it is the lower one that remembers, of what it has seen itself.
    let is_its_own = &*fetch.place.0 != UPPER_TIER;
    (is_its_own && fetch.why == FetchedFor::Uncacheable && is_over && all_of_use).then_some(last.op)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tailrace_core::protocol::{CachePolicy, Method};

    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, created, part};
    use crate::judge::history::{ClientAnswer, Forgery, From, Lifetime};
    use crate::world::Harm;

    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    /// Reads the same page twice, each time by way of the Worker.
    fn asked_twice(
        policy: &str,
        cache_control: &str,
        takes_ms: u64,
        after_ms: u64,
        why: FetchedFor,
        harm: Option<Harm>,
    ) -> Fixture {
        let mut run = Fixture::json();
        run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
        run.history.conditions.lock_age_ms = 60_000;
        run.create(Lifetime::Endless, created(0));
        run.append(2, acked(0, 2));
        for (number, why) in [FetchedFor::Miss, why].into_iter().enumerate() {
            let told = ClientAnswer { cache_control: Some(cache_control.to_owned()), ..part(0, 1).expect("a page") };
            run.walk_messages(&[(0, 0)], Some(told));
            run.fetch_for(2 + number, takes_ms, why);
            if number == 0 {
                run.harm(harm.as_slice());
                run.wait_ms(after_ms);
            }
        }
        run
    }

    #[test]
    fn a_cache_in_front_asks_once_for_what_may_be_shared() {
        for (policy, cache_control, takes_ms, after_ms, why, harm, expected) in [
            // While it is asking, and while it has the answer.
            ("zone", PAGE, 5_000, 4_000, FetchedFor::Miss, None, 1),
            ("zone", PAGE, 5, 50_000, FetchedFor::Miss, None, 1),
            // Its lock is too old.
            ("zone", PAGE, 70_000, 65_000, FetchedFor::Miss, None, 0),
            ("zone", PAGE, 5, 61_000, FetchedFor::Miss, None, 0),
            ("zone", "no-cache", 5_000, 4_000, FetchedFor::Miss, None, 0),
            ("zone", PAGE, 5_000, 4_000, FetchedFor::Waiter, None, 0),
            ("zone", PAGE, 5, 50_000, FetchedFor::Freshness, None, 0),
            ("zone", PAGE, 5_000, 4_000, FetchedFor::Miss, Some(Harm::Vanished), 0),
            ("nothing", PAGE, 5_000, 4_000, FetchedFor::Miss, None, 0),
            // It was not told that others have no use for it.
            ("zone", PAGE, 5, 50_000, FetchedFor::Uncacheable, None, 1),
            ("zone", "no-cache", 5, 50_000, FetchedFor::Uncacheable, None, 0),
        ] {
            let run = asked_twice(policy, cache_control, takes_ms, after_ms, why, harm);
            run.check(Invariant::Collapse, super::check, expected);
            // What a browser's `EventSource` says by itself makes it another question.
            let mut run = run;
            run.history.ops.last_mut().expect("a read").last_event_id = Some("0".to_owned());
            let is_other = why == FetchedFor::Miss;
            run.check(Invariant::Collapse, super::check, if is_other { 0 } else { expected });
        }
    }

    #[test]
    fn a_cache_in_front_remembers_no_longer_than_it_is_true_that_others_have_no_use_for_an_answer() {
        for (second, expected) in [("no-cache", 0), (PAGE, 1)] {
            let mut run = Fixture::json();
            run.history.conditions.policy = CachePolicy::named("zone").expect("a policy");
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            let told =
                [("no-cache", FetchedFor::Miss), (second, FetchedFor::Uncacheable), (PAGE, FetchedFor::Uncacheable)];
            for (number, (cache_control, why)) in told.into_iter().enumerate() {
                let told =
                    ClientAnswer { cache_control: Some(cache_control.to_owned()), ..part(0, 1).expect("a page") };
                run.walk_messages(&[(0, 0)], Some(told));
                run.fetch_for(2 + number, 5, why);
                run.wait_ms(1_000);
            }
            run.check(Invariant::Collapse, super::check, expected);
        }
    }

    /// A cache freshens what it has served a stranger stale, and is told that others have no use for it.
    #[test]
    fn what_a_cache_in_front_remembers_it_may_have_been_told_when_it_asked_for_a_stranger() {
        for (asks_for_a_stranger, expected) in [(false, 1), (true, 0)] {
            let mut run = asked_twice("zone", PAGE, 5, 400_000, FetchedFor::Uncacheable, None);
            let stranger = run.trespass(Method::Get, Forgery::Nothing, None);
            let [brought, _] = &run.history.fronts.fetches[..] else { panic!("two") };
            let asks = if asks_for_a_stranger { stranger } else { stranger + 1 };
            let (from_ms, to_ms) = (brought.from_ms + 100_000, Some(brought.from_ms + 100_005));
            let why = FetchedFor::Freshness;
            let own = FrontFetch { request: 2_000, asks, from_ms, to_ms, why, ..brought.clone() };
            run.history.fronts.fetch(own);
            run.check(Invariant::Collapse, super::check, expected);
        }
    }

    /// A stranger has waited in front, asked by itself, and was refused after the cache had the page.
    #[test]
    fn what_a_cache_in_front_had_may_give_way_to_what_a_stranger_was_told() {
        for (is_stranger, told_after_ms, expected) in
            [(true, 20_000, 0), (false, 20_000, 1), (true, 0, 1), (true, 70_000, 1)]
        {
            let mut run = asked_twice("zone", PAGE, 5_000, 50_000, FetchedFor::Miss, None);
            let stranger = run.trespass(Method::Get, Forgery::Nothing, None);
            let [brought, _] = &run.history.fronts.fetches[..] else { panic!("two") };
            let asks = if is_stranger { stranger } else { stranger + 1 };
            let (from_ms, to_ms) = (brought.from_ms + 1_000, Some(brought.from_ms + 4_000 + told_after_ms));
            let why = FetchedFor::Waiter;
            let own = FrontFetch { request: asks, asks, from_ms, to_ms, why, ..brought.clone() };
            run.history.fronts.fetch(own);
            run.check(Invariant::Collapse, super::check, expected);
        }
    }

    /// Two answers come at one moment, one that others have use for, and one that they have not.
    #[test]
    fn of_answers_that_came_at_one_moment_any_may_have_been_the_last() {
        for (apart_ms, expected) in [(0, 0), (10, 1)] {
            let mut run = Fixture::json();
            run.history.conditions.policy = CachePolicy::named("zone").expect("a policy");
            run.create(Lifetime::Endless, created(0));
            run.append(2, acked(0, 2));
            for (number, (cache_control, why)) in
                [("no-cache", FetchedFor::Miss), (PAGE, FetchedFor::Miss), (PAGE, FetchedFor::Uncacheable)]
                    .into_iter()
                    .enumerate()
            {
                let told =
                    ClientAnswer { cache_control: Some(cache_control.to_owned()), ..part(0, 1).expect("a page") };
                run.walk_messages(&[(0, 0)], Some(told));
                run.fetch_for(2 + number, 5, why);
            }
            let [of_no_use, of_use, later] = &mut run.history.fronts.fetches[..] else { panic!("three") };
            let came_ms = of_use.to_ms.expect("an answer").max(of_no_use.to_ms.expect("an answer"));
            (of_no_use.to_ms, of_use.to_ms) = (Some(came_ms - apart_ms), Some(came_ms));
            later.from_ms = came_ms + 100;
            later.to_ms = Some(came_ms + 105);
            run.check(Invariant::Collapse, super::check, expected);
        }
    }

    #[test]
    fn nobody_waits_for_nothing_and_nobody_fails_because_another_one_leaves() {
        for (over_after_ms, is_given_up, expected) in
            [(Some(50), false, [1, 0]), (Some(100), false, [0, 0]), (None, false, [0, 0]), (Some(100), true, [0, 1])]
        {
            let run = |tells: fn(&mut Fixture, Unserved)| {
                let mut run = Fixture::json();
                run.history.conditions.policy = CachePolicy::named("zone").expect("a policy");
                run.create(Lifetime::Endless, created(0));
                run.append(2, acked(0, 2));
                run.walk_messages(&[(0, 0)], part(0, 1));
                run.fetch(2, 0);
                // Under one URL it may ask for something else, by a field of its request.
                run.read(From::Now, 9, Bytes::new(), None);
                let fetch = run.history.fronts.fetches.last_mut().expect("a fetch");
                fetch.over_ms = over_after_ms.map(|ms| fetch.from_ms + ms);
                fetch.is_given_up = is_given_up;
                let (ms, place) = (fetch.from_ms + 100, fetch.place.clone());
                let request = run.history.ops[3].request;
                tells(&mut run, Unserved { request, ms, place });
                run
            };
            run(|run, wait| run.history.fronts.in_vain.push(wait)).check(
                Invariant::Collapse,
                super::check,
                expected[0],
            );
            run(|run, wait| run.history.fronts.failed.push(wait)).check(Invariant::Collapse, super::check, expected[1]);
        }
    }
}
