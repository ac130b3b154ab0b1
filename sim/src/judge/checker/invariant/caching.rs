//! What caches may keep: `Cache-Control` says what the answer is (SPEC, section 5), and one entity tag stands for one
//! answer.

use std::collections::HashMap;

use tailrace_core::protocol::CachePolicy;
use tailrace_core::protocol::cache::{AnswerKind, Rule};

use crate::judge::checker::case::Case;
use crate::judge::checker::invariant::leak;
use crate::judge::checker::keepers::Keepers;
use crate::judge::checker::reader_keys::Held;
use crate::judge::checker::told::Told;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::{Call, ClientAnswer, Conditions, From, HIDDEN_FAILURE, Lifetime, Manner, Mode, Op};

const NO_STORE: &str = "no-store";
const NOT_AT_ALL: &str = "private, no-store";
const NO_CACHE: &str = "no-cache";
const EVENTS: &str = "no-cache, no-transform";
const EVENTS_NOT_AT_ALL: &str = "private, no-store, no-transform";

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let answered = case.iter().filter_map(|(index, op)| Some((index, op, op.answer.as_ref()?)));
    for (index, op, answer) in answered {
        let value = wrong_value(case, op, answer);
        if let Some(complaint) = value.or_else(|| wrong_tag(case, op, answer)) {
            violations.push(case.violation(Invariant::Caching, &[index], complaint));
        }
    }
    violations.extend(ambiguous_tags(case));
    violations.extend(mixed_streams(case));
    violations
}

/// A tag begins with the name of its stream, which no other stream at the URL has.
fn mixed_streams(case: &Case<'_>) -> Vec<Violation> {
    let mut segments: HashMap<&str, (usize, u64)> = HashMap::new();
    let mut violations = Vec::new();
    for (index, op) in case.iter().filter(|(_, op)| op.status() == Some(200)) {
        let tag = op.definite().and_then(|answer| answer.etag.as_deref());
        let Some(((name, _), at)) = tag.and_then(|tag| tag.split_once(':')).zip(case.offset(op)) else { continue };
        let (first, segment) = *segments.entry(name).or_insert((index, at.segment));
        let (low, high) = (segment.min(at.segment), segment.max(at.segment));
        if low < high && case.log.starts.range(low + 1..=high).next().is_some() {
            let message = format!("an answer of segment {high} and one of segment {low} are told to be of one stream");
            violations.push(case.violation(Invariant::Caching, &[first, index], message));
        }
    }
    violations
}

/// What caches are told of an answer under a policy.
fn expected(policy: &CachePolicy, op: &Op, answer: &ClientAnswer) -> Rule {
    match (&op.call, answer.status) {
        // A failure that is hidden from a browser comes as events.
        _ if answer.code.as_deref() == Some(HIDDEN_FAILURE) => Rule::Revalidate,
        (Call::Live { mode: Mode::Sse, .. }, 200) => policy.events,
        // What is told about an instance is for the one who has asked.
        _ if answer.tells_instance => Rule::Never,
        // At another moment the same URL has another answer.
        (Call::Read { from: From::Now, .. } | Call::Live { from: From::Now, .. }, _) => Rule::Never,
        (Call::Read { .. }, 200 | 304) if answer.up_to_date => policy.tail,
        (Call::Read { .. }, 200 | 304) => policy.page,
        (Call::Live { mode: Mode::LongPoll, .. }, 200 | 304) => policy.delivery,
        (Call::Live { mode: Mode::LongPoll, .. }, 204) if !answer.closed => policy.silence,
        _ => Rule::Never,
    }
}

fn wrong_value(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    // That there is one is for `answers` to judge.
    let value = answer.cache_control.as_deref()?;
    let are_events = matches!(op.call, Call::Live { mode: Mode::Sse, .. }) && answer.status == 200;
    let is_hidden_failure = answer.code.as_deref() == Some(HIDDEN_FAILURE);
    let Conditions { policy, .. } = &case.history.conditions;
    let kept_by_nobody = match are_events || is_hidden_failure {
        // Events that may be kept may be packed anew, too. Those that have brought none look like a failure that is hidden.
        true if policy.events == Rule::Revalidate => &[EVENTS_NOT_AT_ALL][..],
        true if is_hidden_failure => &[EVENTS_NOT_AT_ALL, NOT_AT_ALL],
        _ => &[NOT_AT_ALL],
    };
    // What a URL with a token is answered, nobody keeps.
    if op.shown.is_some_and(|shown| shown.is_in_url) {
        // Who makes the answer to a request whose instance was lost knows nothing of the request.
        let is_lost = answer.code.as_deref() == Some("instance_lost") && value == NO_STORE;
        let is_kept = !is_lost && !kept_by_nobody.contains(&value);
        return is_kept.then(|| format!("{value:?} to a URL with a token"));
    }
    // Nor a silence that a token has cut short.
    if answer.status == 204 && value == NO_STORE && leak::is_cut_by_a_token(case, op) {
        return None;
    }
    if !case.history.conditions.is_keyed {
        return otherwise_than_the_policy(case, op, answer, value, true);
    }
    // Nor what a token is needed for, unless all who know the URL may.
    let kept_by_somebody = || {
        let is_kept = match expected(policy, op, answer) {
            Rule::Never => value != NO_STORE,
            Rule::Revalidate | Rule::Fresh { .. } => !kept_by_nobody.contains(&value),
        };
        is_kept.then(|| format!("{value:?} where nobody may keep it"))
    };
    // A browser was told when it was brought.
    if answer.from_browser.is_some() {
        return None;
    }
    let kept_otherwise = |may_be_stale| otherwise_than_the_policy(case, op, answer, value, may_be_stale);
    let kept_by_wrong_key = |held| match held {
        Held::Never => kept_by_somebody(),
        // What a failure that is hidden looks like says nothing of any stream.
        Held::Surely if !is_hidden_failure => kept_otherwise(false),
        Held::Surely | Held::Perhaps => kept_by_somebody().and_then(|_| kept_otherwise(false)),
    };
    match case.keepers(op) {
        Keepers::All if !is_hidden_failure => kept_otherwise(true),
        Keepers::All => kept_by_somebody().and_then(|_| kept_otherwise(true)),
        Keepers::Holders(held) => kept_by_wrong_key(held),
        Keepers::Unknown(held) => {
            kept_by_wrong_key(held).and_then(|_| kept_by_somebody()).and_then(|_| kept_otherwise(true))
        }
    }
}

/// Whether caches are told otherwise than the policy says. `may_be_stale`: they may serve for a while what was fresh.
fn otherwise_than_the_policy(
    case: &Case<'_>,
    op: &Op,
    answer: &ClientAnswer,
    value: &str,
    may_be_stale: bool,
) -> Option<String> {
    let are_events = matches!(op.call, Call::Live { mode: Mode::Sse, .. }) && answer.status == 200;
    let is_hidden_failure = answer.code.as_deref() == Some(HIDDEN_FAILURE);
    let Conditions { policy, waits, .. } = &case.history.conditions;
    let exactly = |expected| (value != expected).then(|| format!("{value:?} instead of {expected:?}"));
    // A connection with events that has brought none looks like a failure that is hidden.
    if is_hidden_failure && value == policy.cache_control(AnswerKind::Events, None).to_string() {
        return None;
    }
    let is_silence = answer.status == 204;
    let (fresh_s, shared_s, stale_s) = match expected(policy, op, answer) {
        Rule::Never => return exactly(NO_STORE),
        Rule::Revalidate if are_events || is_hidden_failure => return exactly(EVENTS),
        Rule::Revalidate => return exactly(NO_CACHE),
        // The edge has opened the connection, and does not know when the stream ends.
        Rule::Fresh { fresh_s, .. } if are_events => return exactly(&format!("public, max-age={fresh_s}")),
        // For an interval at most: see core.
        Rule::Fresh { fresh_s, shared_s, stale_s } if is_silence => {
            (fresh_s.min(waits.long_poll_ms / 1_000), shared_s, stale_s)
        }
        Rule::Fresh { fresh_s, shared_s, stale_s } => (fresh_s, shared_s, stale_s),
    };
    let stale_s = stale_s.filter(|_| may_be_stale);
    let is_meant =
        |told: &Told| (told.shared_s.is_some(), told.stale_s.is_some()) == (shared_s.is_some(), stale_s.is_some());
    let Some(told) = Told::parse(value).filter(is_meant) else {
        return Some(format!("{value:?} for what never changes"));
    };
    let kept_s = (told.fresh_s + told.stale_s.unwrap_or(0)).max(told.shared_s.unwrap_or(0));
    let ended = op.ended.unwrap_or(op.settled());
    let is_mortal = case.lifetimes(ended).any(|lifetime| lifetime != Lifetime::Endless);
    let is_too_long = told.fresh_s > fresh_s || told.shared_s > shared_s || told.stale_s > stale_s;
    let is_too_short = !is_mortal && (told.fresh_s < fresh_s || told.shared_s < shared_s || told.stale_s < stale_s);
    if is_too_long || is_too_short {
        return Some(format!("{value:?} instead of {fresh_s} s, {shared_s:?} s and {stale_s:?} s"));
    }
    // Who shares a flight is told what was true when it began.
    let has_called = case.history.charges.get(&op.request).is_some_and(|charge| charge.calls > 0);
    let shares = matches!(op.call, Call::Live { .. }) && !has_called;
    let flight_ms = if shares { case.history.conditions.flight_ms() } else { 0 };
    let end_ms = case.latest_end_ms(None, ended)?;
    let (given_ms, _) = case.history.given_ms(op);
    let left_ms = (end_ms + flight_ms).saturating_sub(given_ms);
    (kept_s * 1_000 > left_ms).then(|| format!("{value:?}, and its stream ends within {left_ms} ms"))
}

/// Whatever has a place in the log has a tag, and what has not has none. A tag that is sent back and still stands for
/// the answer is confirmed, and what it stands for has not changed.
fn wrong_tag(case: &Case<'_>, op: &Op, answer: &ClientAnswer) -> Option<String> {
    let is_now = matches!(op.call, Call::Read { from: From::Now, .. } | Call::Live { from: From::Now, .. });
    match (&op.call, answer.status) {
        (Call::Read { .. } | Call::Live { mode: Mode::LongPoll, .. }, 200) if is_now == answer.etag.is_some() => {
            Some(format!("tag {:?} of a read from {}", answer.etag, if is_now { "now" } else { "an offset" }))
        }
        (Call::Read { manner: Some(Manner::AnyTag), .. }, 200) if !is_now => {
            Some("any tag, and none is recognised".to_owned())
        }
        (_, 200) => {
            let known = case.history.known_tag(op)?;
            (answer.etag.as_deref() == Some(known)).then(|| format!("the tag {known} is not recognised"))
        }
        (_, 304) => {
            let known = case.op(op.revalidates()?).definite()?;
            if known.etag != answer.etag {
                return Some(format!("304 for {:?} instead of {:?}", answer.etag, known.etag));
            }
            let same = |one: &ClientAnswer| (one.next_offset.clone(), one.up_to_date, one.closed);
            (same(known) != same(answer)).then(|| format!("304 for {:?} instead of {:?}", same(answer), same(known)))
        }
        _ => None,
    }
}

/// One tag stands for one answer, and one answer has one tag.
fn ambiguous_tags(case: &Case<'_>) -> Vec<Violation> {
    type Told<'a> = (&'a Option<String>, bool, bool);
    let mut of_tags: HashMap<&str, (usize, Told<'_>, &[u8])> = HashMap::new();
    let mut of_ranges: HashMap<(&str, Told<'_>), (usize, &str)> = HashMap::new();
    let mut violations = Vec::new();
    for (index, op) in case.iter() {
        let from = match &op.call {
            Call::Read { from, .. } | Call::Live { mode: Mode::LongPoll, from, .. } => from,
            _ => continue,
        };
        let Some(answer) = op.definite().filter(|answer| answer.status == 200) else { continue };
        let Some(tag) = answer.etag.as_deref() else { continue };
        let told = (&answer.next_offset, answer.up_to_date, answer.closed);
        let (first, first_told, body) = *of_tags.entry(tag).or_insert((index, told, &answer.body));
        if (first_told, body) != (told, answer.body.as_ref()) {
            let message = format!("the tag {tag} stands for two answers");
            violations.push(case.violation(Invariant::Caching, &[first, index], message));
        }
        let From::At(from) = from else { continue };
        let (first, known) = *of_ranges.entry((from, told)).or_insert((index, tag));
        if known != tag {
            let message = format!("what is after {from} has the tags {known} and {tag}");
            violations.push(case.violation(Invariant::Caching, &[first, index], message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{
        Fixture, absent, acked, closed, created, deleted, empty, hit, keyed_answer, page, part, polled, tagged, tail,
        unchanged,
    };
    use crate::judge::history::Moment;

    fn check(fixture: &Fixture, expected: usize) {
        fixture.check(Invariant::Caching, super::check, expected);
    }

    fn kept(value: &str, answer: Option<ClientAnswer>) -> Option<ClientAnswer> {
        answer.map(|answer| ClientAnswer { cache_control: Some(value.to_owned()), ..answer })
    }

    fn run(lifetime: Lifetime) -> Fixture {
        let mut run = Fixture::json();
        run.create(lifetime, kept(NO_STORE, created(0)));
        run
    }

    /// What the URL with a reader key is told that held.
    const FRESH: &str = "public, max-age=60";

    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    /// What the table of answers says (SPEC, section 5).
    #[test]
    fn the_default_has_the_rules_of_the_table() {
        let default = CachePolicy::default();
        assert_eq!(default.page, Rule::Fresh { fresh_s: 60, shared_s: None, stale_s: Some(300) });
        assert_eq!(default.delivery, Rule::Fresh { fresh_s: 20, shared_s: None, stale_s: None });
        assert_eq!([default.tail, default.silence, default.events], [Rule::Revalidate, Rule::Never, Rule::Revalidate]);
    }

    #[test]
    fn each_kind_of_answer_has_its_value() {
        type Ask = fn(&mut Fixture, &str);
        let asks: [(Ask, &str); 9] = [
            (|run, value| run.head(kept(value, tail(0, 0))), NO_STORE),
            (|run, value| run.head(kept(value, absent())), NO_STORE),
            (|run, value| run.delete(kept(value, deleted())), NO_STORE),
            (
                |run, value| {
                    run.append(1, kept(value, acked(0, 1)));
                },
                NO_STORE,
            ),
            (|run, value| run.read_now(kept(value, tail(0, 0))), NO_STORE),
            (|run, value| run.walk(&[], kept(value, page(0, 0))), NO_CACHE),
            (|run, value| run.walk(&[], kept(value, part(0, 1))), PAGE),
            (
                |run, value| {
                    let reader = run.join(Mode::LongPoll);
                    run.poll(reader, kept(value, polled(0, 1, 1)));
                },
                "public, max-age=20",
            ),
            (
                |run, value| {
                    let reader = run.join(Mode::LongPoll);
                    run.poll(reader, kept(value, empty(0, 0, 1)));
                },
                NO_STORE,
            ),
        ];
        let values = [NO_STORE, NO_CACHE, PAGE, "public, max-age=20", EVENTS, "public, max-age=60", "private"];
        for (number, (ask, expected)) in asks.into_iter().enumerate() {
            for value in values {
                let mut run = run(Lifetime::Endless);
                ask(&mut run, value);
                let found = super::check(&run.case());
                assert_eq!(found.is_empty(), value == expected, "ask {number}, {value}: {found:?}");
            }
        }
    }

    #[test]
    fn where_tokens_are_needed_caches_keep_what_has_the_reader_key_that_held_in_its_url() {
        for (key, value, expected) in [
            (None, NOT_AT_ALL, 0),
            (None, FRESH, 1),
            (Some("a"), FRESH, 0),
            (Some("a"), PAGE, 1),
            (Some("a"), NOT_AT_ALL, 1),
            (Some("a"), "public, max-age=61", 1),
            (Some("b"), FRESH, 1),
            (Some("b"), NOT_AT_ALL, 0),
        ] {
            let mut run = run(Lifetime::Endless).keyed(0);
            run.head(kept(NO_STORE, keyed_answer("a", tail(0, 0))));
            run.wait_ms(5);
            run.walk(&[], kept(value, part(0, 1)));
            key.into_iter().for_each(|key| run.show_reader_key(key));
            check(&run, expected);
            // What is told meanwhile may be of the time before.
            let mut run = run.clone();
            run.walk(&[], kept(value, part(0, 1)));
            key.into_iter().for_each(|key| run.show_reader_key(key));
            let told = run.history.ops.pop().expect("a request");
            run.new_reader_key(kept(NO_STORE, keyed_answer("b", tail(0, 0))));
            run.history.ops.last_mut().expect("a request").invoked = told.invoked;
            run.history.ops.push(told);
            let is_wrong = match key {
                None => value != NOT_AT_ALL,
                Some(_) => ![FRESH, NOT_AT_ALL].contains(&value),
            };
            check(&run, expected + usize::from(is_wrong));
        }
    }

    #[test]
    fn a_silence_that_a_token_has_cut_short_is_nobodys_to_keep() {
        for (policy, value, lasts_ms, expected) in [
            ("silence", NO_STORE, 1_000, 0),
            ("silence", NO_STORE, 60_000, 1),
            ("silence", "public, max-age=20", 60_000, 0),
            ("silence", NOT_AT_ALL, 60_000, 1),
            ("immutable", NO_STORE, 60_000, 0),
        ] {
            let mut run = run(Lifetime::Endless).keyed(0);
            run.history.conditions.policy = CachePolicy::named(policy).expect("a policy");
            run.new_reader_key(kept(NO_STORE, keyed_answer("a", tail(0, 0))));
            run.wait_ms(60_000);
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, kept(value, empty(0, 0, 1)));
            run.show_reader_key("a");
            let op = run.history.ops.len() - 1;
            run.show_until(op, lasts_ms);
            run.times(op, Some(0), 4_000);
            check(&run, expected);
        }
    }

    #[test]
    fn what_a_copy_is_told_may_be_of_when_it_was_brought_and_not_of_when_it_was_asked_for() {
        // The stream got its key while the page that became the copy waited for R2, or after that.
        // Nobody knows when it came if the client had gone by then.
        for (waits_ms, is_there, expected) in [(2_000, true, 0), (0, true, 1), (0, false, 0)] {
            let mut run = run(Lifetime::Endless).keyed(0);
            let begun = run.now_ms();
            run.walk(&[], kept(NOT_AT_ALL, part(0, 1)).filter(|_| is_there));
            run.wait_ms(1_000);
            run.new_reader_key(kept(NO_STORE, keyed_answer("a", tail(0, 0))));
            let asked = run.history.ops.len() - 2;
            let op = &mut run.history.ops[asked];
            op.ended = op.ended.map(|ended| Moment { ms: begun + 1 + waits_ms, ..ended });
            run.wait_ms(2_000);
            let age_s = (run.now_ms() - begun) / 1_000;
            run.walk(&[], kept(FRESH, hit(age_s, part(0, 1))));
            run.show_reader_key("a");
            run.hit(asked);
            check(&run, expected);
        }
    }

    #[test]
    fn nothing_is_kept_longer_than_its_stream_lives() {
        for (value, expected) in [
            ("public, max-age=60, stale-while-revalidate=40", 0),
            ("public, max-age=60, stale-while-revalidate=41", 1),
            ("public, max-age=61, stale-while-revalidate=0", 1),
            (PAGE, 1),
        ] {
            let mut run = run(Lifetime::Until(1_000_000 + 100_500));
            run.walk(&[], kept(value, part(0, 1)));
            check(&run, expected);
        }
        for (told_s, expected) in [(20, 1), (14, 1), (13, 0), (0, 0)] {
            let mut run = run(Lifetime::Until(1_000_000 + 8_500));
            run.history.conditions.waits.long_poll_ms = 0;
            let reader = run.join(Mode::LongPoll);
            run.poll(reader, kept(&format!("public, max-age={told_s}"), polled(0, 1, 1)));
            check(&run, expected);
        }
    }

    #[test]
    fn a_tag_stands_for_one_answer_and_is_recognised() {
        for (tag, body_batches, expected) in [("\"a\"", &[0][..], 0), ("\"a\"", &[1], 1), ("\"b\"", &[0], 1)] {
            let mut run = run(Lifetime::Endless);
            run.append(1, acked(0, 1));
            run.append(1, acked(0, 2));
            run.walk(&[], part(0, 0));
            run.follow(&[0], tagged("\"a\"", part(0, 1)));
            run.walk(&[], part(0, 0));
            run.follow(body_batches, tagged(tag, part(0, 1)));
            check(&run, expected);
        }
        let mut run = run(Lifetime::Endless);
        run.walk(&[], tagged("\"a\"", page(0, 0)));
        let confirmed = |answer: Option<ClientAnswer>| answer.map(|answer| ClientAnswer { status: 304, ..answer });
        run.revalidate_with(confirmed(tagged("\"a\"", page(0, 0))));
        check(&run, 0);
        let again = tagged("\"a\"", page(0, 0)).map(|answer| ClientAnswer { body: run.json_of(&[]), ..answer });
        run.revalidate_with(again);
        check(&run, 1);
        run.revalidate_with(confirmed(closed(tagged("\"a\"", part(0, 0)))));
        check(&run, 2);
        run.revalidate_with(confirmed(tagged("\"b\"", page(0, 0))));
        check(&run, 3);
    }

    #[test]
    fn a_tag_that_comes_with_a_long_poll_is_recognised_too() {
        for (change, expected) in
            [("nothing", 0), ("a 200", 1), ("another tag", 1), ("another end", 1), ("no-store", 1)]
        {
            let mut run = run(Lifetime::Endless);
            run.append(2, acked(0, 2));
            let reader = run.join(Mode::LongPoll);
            run.poll_with(reader, &[0], kept("public, max-age=20", polled(0, 2, 7)));
            let known = run.history.ops.len() - 1;
            let told = run.told(known);
            let answer = match change {
                "a 200" => told,
                "another tag" => unchanged(tagged("\"other\"", told)),
                "another end" => unchanged(closed(told)),
                "no-store" => unchanged(kept("no-store", told)),
                _ => unchanged(told),
            };
            run.poll_again(known, true, answer);
            check(&run, expected);
        }
    }

    #[test]
    fn two_streams_at_a_url_have_tags_of_their_own() {
        for (tag, expected) in [("\"b:1\"", 0), ("\"a:1\"", 1)] {
            let mut run = run(Lifetime::Endless);
            run.walk(&[], tagged("\"a:0\"", page(0, 0)));
            run.delete(deleted());
            run.create(Lifetime::Endless, created(1));
            run.walk(&[], tagged(tag, page(1, 0)));
            check(&run, expected);
        }
    }

    #[test]
    fn what_is_after_now_has_no_tag_and_what_is_after_an_offset_has_one() {
        let mut run = run(Lifetime::Endless);
        run.read_now(tail(0, 0));
        check(&run, 0);
        run.read_now(tagged("\"a\"", tail(0, 0)));
        check(&run, 1);
        run.walk(&[], tagged("\"a\"", page(0, 0)).map(|answer| ClientAnswer { etag: None, ..answer }));
        check(&run, 2);
    }
}
