//! Plain reads: from the cache, by the flight of an identical one, or from the object.

use std::borrow::Cow;

use crate::edge::config::EdgeConfig;
use crate::edge::failure::unreachable;
use crate::mutant::mutated;
use crate::protocol::cache::EntryNote;
use crate::protocol::message::{Message, Operation};
use crate::protocol::{Address, Admission, Method, Response, header};
use crate::runtime::{
    Along, CallError, Called, EdgeEnv, JoinedFlight, Kept, Landing, Reply, Sharing, StartedFlight, marks,
};

use super::{Caching, admitted, age_s, ahead_ms, answer_stored, asked, store};

/// For how long a plain read waits for the flight of another one, in ms, counted from its start. Our choice: a page
/// comes from memory or storage in less, and who has waited in vain has lost no more.
const FLIGHT_MS: u64 = 3_000;

/// The status with which a flight lands whose answer is of no use to others.
const NOT_SHARED: u16 = 204;

/// Answers a plain read: from the cache, or by the flight of an identical one, or by asking the object.
///
/// What ends at the tail is not taken from a flight: that began before this request came, and what was acknowledged
/// since would be missing.
pub(in crate::edge) async fn read<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    object: &str,
    message: &Message,
    caching: &Caching,
) {
    let Operation::Read(read) = &message.operation else { return };
    if answer_stored(env, caching, read.if_none_match.as_deref()).await {
        return;
    }
    let everybody = mutated!(TokenlessJoiner).then(|| Message { admission: Admission::Granted, ..message.clone() });
    let message = message.encode();
    if !caching.looks_up {
        return ask(env, config, object, message, caching, None).await;
    }
    let shared = everybody.map_or_else(|| Cow::Borrowed(&message), |everybody| Cow::Owned(everybody.encode()));
    match env.share(&format!("{object}\n{shared}")) {
        Sharing::Started(flight) => ask(env, config, object, message, caching, Some(flight)).await,
        Sharing::Joined { flight, age_ms } => match landed(env, flight, FLIGHT_MS.saturating_sub(age_ms)).await {
            Some((kept, age_s)) => {
                env.sometimes(marks::PAGE_FLIGHT_SHARED);
                env.answer_kept(kept, &asked(Some(caching), age_s));
            }
            None => ask(env, config, object, message, caching, None).await,
        },
    }
}

/// The answer of a flight that this request has joined, and its age in s, if that comes in time and is of use to it.
async fn landed<E: EdgeEnv>(env: &E, flight: E::JoinedFlight, wait_ms: u64) -> Option<(E::Kept, u64)> {
    let arrived_ms = env.now_ms();
    let mut left_ms = wait_ms;
    loop {
        match flight.landing(left_ms).await {
            Landing::Landed { kept, age_s } if kept.status() != NOT_SHARED => return Some((kept, age_s)),
            Landing::Landed { .. } => {
                env.sometimes(marks::PAGE_FLIGHT_OF_NO_USE);
                return None;
            }
            Landing::Noted(until_ms) if arrived_ms > until_ms => return None,
            Landing::Noted(_) => left_ms = (arrived_ms + wait_ms).saturating_sub(env.now_ms()),
            Landing::TimedOut => {
                env.sometimes(marks::PAGE_FLIGHT_GIVEN_UP);
                flight.give_up();
                return None;
            }
        }
    }
}

/// Asks the object, answers the client, lands the flight, and stores the answer if the policy keeps it.
async fn ask<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    object: &str,
    message: String,
    caching: &Caching,
    flight: Option<E::StartedFlight>,
) {
    let asked_ms = env.now_ms();
    let brought = match env.call(Address::stream(object), message, Along::Nothing).await {
        Ok(Called::Reply(reply)) => Ok(reply),
        Ok(Called::Socket(_)) => Err(CallError::Exception("a socket instead of a reply".to_owned())),
        Err(error) => Err(error),
    };
    let land_nothing = |flight: Option<E::StartedFlight>| {
        if let Some(flight) = flight {
            flight.land(&env.keep_own(Response::new(NOT_SHARED)), 0);
        }
    };
    let failed = |error: CallError| env.answer(unreachable(Method::Get, &error));
    let reply = match brought {
        Ok(reply) => reply,
        Err(error) => {
            land_nothing(flight);
            return failed(error);
        }
    };
    let head = reply.head();
    // The object has answered since it was asked, and its answer may have been on its way for long.
    let note = admitted(&config.policy, false, &head, asked_ms);
    let Some(note) = note.or(mutated!(TailTakenFromAFlight).then_some(EntryNote { answered_ms: 0, lasts_ms: 0 }))
    else {
        land_nothing(flight);
        let age_s = if may_be_kept(&head) { age_s(env, asked_ms) } else { 0 };
        return env.pass_on(reply, &asked(Some(caching), age_s));
    };
    match env.keep(reply).await {
        Ok(kept) => {
            let age_s = age_s(env, asked_ms);
            if let Some(flight) = flight {
                if let Some(ahead_ms) = ahead_ms(&head) {
                    flight.note(asked_ms + ahead_ms);
                }
                flight.land(&kept, age_s);
            }
            env.answer_kept(kept.clone(), &asked(Some(caching), age_s));
            if note.lasts_ms > 0 {
                store(env, caching, &kept, note).await;
            }
        }
        Err(error) => {
            land_nothing(flight);
            failed(error);
        }
    }
}

/// Whether a cache may hand it out for a while without asking. The age of anything else is nothing to anybody, and costs a
/// look at the clock.
fn may_be_kept(head: &Response) -> bool {
    head.headers.get(header::CACHE_CONTROL).is_some_and(|control| control.contains("max-age="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scripted::{Happens, START_MS, Says, Scripted, UnderWay, at, config, greeting};
    use crate::edge::serve::serve;
    use crate::protocol::Headers;
    use crate::protocol::live::{LiveMessage, ReaderPosition};
    use crate::runtime::{Isolate as _, Past, Request};

    const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1";
    const POLL_KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1&live=long-poll";
    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";

    /// Serves a GET of the stream `a`: the answer, the notes, and what the cache has then under both keys.
    struct Got {
        answer: Response,
        notes: Vec<String>,
        kept: [Option<Response>; 2],
    }

    fn get(env: &Scripted, query: &str, fields: &[(&'static str, &str)]) -> Got {
        let mut headers = Headers::default();
        fields.iter().for_each(|(name, value)| headers.push(*name, *value));
        let url = format!("http://localhost/v1/stream/a{query}");
        let request = Request { method: Method::Get, url, headers, body: None, past: Past::default() };
        Scripted::run(serve(env, &config(), request)).expect("it waits for nothing but the script");
        let answer = env.answered().expect("an answer");
        Got { answer, notes: env.notes(), kept: [KEY, POLL_KEY].map(|key| env.stored(key)) }
    }

    /// The answer of an object to a read: this status, `Cache-Control`, and whether it ends at the tail.
    fn page(status: u16, cache_control: &str, up_to_date: bool) -> Response {
        Response::new(status)
            .with(header::CACHE_CONTROL, cache_control)
            .with(header::ETAG, "\"i:0:1\"")
            .with_some(header::STREAM_UP_TO_DATE, up_to_date.then_some(header::TRUE))
            .with_body("data")
    }

    fn kept(answered_ms: u64, lasts_ms: u64) -> Response {
        let note = EntryNote { answered_ms, lasts_ms };
        page(200, PAGE, false).with(header::TAILRACE_KEPT, note.to_text()).with(header::TAILRACE_AHEAD, "7")
    }

    fn told<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
        answer.headers.get(name)
    }

    #[test]
    fn what_the_policy_keeps_is_stored_with_its_time_and_nothing_else_is() {
        for (query, answer, lasts_ms) in [
            ("", page(200, PAGE, false), Some(60_000)),
            ("", page(200, "public, max-age=2, stale-while-revalidate=0", false), Some(2_000)),
            ("", page(200, PAGE, false).with(header::TAILRACE_AHEAD, "2500"), Some(2_500)),
            ("", page(200, PAGE, false).with(header::TAILRACE_AHEAD, "0"), None),
            ("", page(200, "public, max-age=0, stale-while-revalidate=0", false), None),
            ("", page(200, "no-store", false), None),
            ("", page(200, "no-cache", true), None),
            ("", page(200, PAGE, true), None),
            ("", page(304, PAGE, false), None),
            ("", page(404, PAGE, false), None),
            ("", page(500, PAGE, false), None),
            ("?offset=-1&live=long-poll", page(200, "public, max-age=20", true), Some(20_000)),
            ("?offset=-1&live=long-poll", page(200, "public, max-age=20", false), Some(20_000)),
            ("?offset=-1&live=long-poll", page(204, "no-store", true), None),
            ("?offset=-1&live=long-poll", page(204, "public, max-age=20", true), None),
            ("?offset=-1&live=long-poll", page(410, "no-store", true), None),
        ] {
            let env = Scripted::new([Says::Reply(answer.clone())]);
            let got = get(&env, query, &[]);
            let note = got.kept[usize::from(!query.is_empty())]
                .as_ref()
                .map(|kept| EntryNote::parse(told(kept, header::TAILRACE_KEPT).unwrap_or_default()));
            let expected = lasts_ms.map(|lasts_ms| Some(EntryNote { answered_ms: START_MS, lasts_ms }));
            assert_eq!(note, expected, "{query} {answer:?}");
            assert_eq!(got.answer.status, answer.status);
            let fields = [header::X_CACHE, header::AGE, header::TAILRACE_AHEAD, header::TAILRACE_KEPT];
            assert_eq!(fields.map(|name| told(&got.answer, name)), [Some("MISS"), None, None, None]);
        }
    }

    #[test]
    fn what_comes_while_a_long_poll_waits_is_stored_until_the_sliding_ttl_has_to_be_started_again() {
        for (touched_for_ms, lasts_ms) in [(u64::MAX, Some(20_000)), (4_000, Some(1_000)), (3_000, None)] {
            let joined = LiveMessage::Joined {
                position: ReaderPosition { next: at(2), commit_ms: START_MS },
                now_ms: START_MS,
                touched_until_ms: START_MS.saturating_add(touched_for_ms),
                ends_ms: u64::MAX,
                encoding: crate::protocol::sse::Encoding::Text,
                readers: None,
            };
            let position = ReaderPosition { next: at(5), commit_ms: START_MS + 3_000 };
            let answer = page(200, "public, max-age=20", true);
            let comes = Happens::Message(LiveMessage::Answer { position, answer }.encode());
            let env =
                Scripted::new([Says::Socket(vec![Happens::Message(joined.encode()), Happens::Quiet(3_000), comes])]);
            let got = get(&env, "?offset=-1&live=long-poll", &[]);
            let note = got.kept[1].as_ref().and_then(|kept| told(kept, header::TAILRACE_KEPT));
            let expected = lasts_ms.map(|lasts_ms| EntryNote { answered_ms: START_MS + 3_000, lasts_ms }.to_text());
            assert_eq!(note, expected.as_deref());
            assert_eq!([header::TAILRACE_AHEAD, header::AGE].map(|name| told(&got.answer, name)), [None; 2]);
        }
    }

    #[test]
    fn a_copy_of_what_was_pushed_is_as_old_as_what_was_committed() {
        // Committed half a second after the reader has joined, or told a cursor ahead of the clock instead.
        for (commit_ms, answered_ms, age_s) in [(1_000, 500, Some("3")), (90_000, 3_000, None)] {
            let position = ReaderPosition { next: at(5), commit_ms: START_MS + commit_ms };
            let answer = page(200, "public, max-age=20", true);
            let comes = Happens::Message(LiveMessage::Answer { position, answer }.encode());
            let env = Scripted::new([Says::Socket(vec![greeting(2), Happens::Quiet(3_000), comes])]);
            let got = get(&env, "?offset=-1&live=long-poll", &[]);
            let note = got.kept[1].as_ref().and_then(|kept| told(kept, header::TAILRACE_KEPT));
            let expected = EntryNote { answered_ms: START_MS + answered_ms, lasts_ms: 20_000 }.to_text();
            assert_eq!((note, told(&got.answer, header::AGE)), (Some(expected.as_str()), age_s));
            let land = age_s.map_or("land 200".to_owned(), |age_s| format!("land 200 of {age_s} s"));
            assert!(got.notes.contains(&land), "{:?}", got.notes);
        }
    }

    #[test]
    fn an_answer_is_as_old_as_the_question() {
        for (late_ms, age_s) in [(0, None), (999, None), (1_000, Some("1")), (1_001, Some("2")), (5_000, Some("5"))] {
            let env = Scripted::new([Says::Late(page(200, PAGE, false), late_ms)]);
            let got = get(&env, "", &[]);
            let note = EntryNote { answered_ms: START_MS, lasts_ms: 60_000 }.to_text();
            assert_eq!(got.kept[0].as_ref().and_then(|kept| told(kept, header::TAILRACE_KEPT)), Some(note.as_str()));
            assert_eq!([header::X_CACHE, header::AGE].map(|name| told(&got.answer, name)), [Some("MISS"), age_s]);
        }
    }

    #[test]
    fn what_nobody_may_keep_says_nothing_of_its_age_and_what_others_may_keep_does() {
        let not_for_long = page(200, PAGE, false).with(header::TAILRACE_AHEAD, "0");
        for (answer, age_s) in [(page(200, "no-cache", true), None), (not_for_long, Some("2"))] {
            let got = get(&Scripted::new([Says::Late(answer, 1_500)]), "", &[]);
            assert_eq!([header::X_CACHE, header::AGE].map(|name| told(&got.answer, name)), [Some("MISS"), age_s]);
            assert!(got.kept[0].is_none());
        }
    }

    #[test]
    fn what_a_long_poll_was_told_to_read_is_as_old_as_the_question_after_that() {
        let pull = Happens::Message(LiveMessage::Pull { spread_ms: 0 }.encode());
        let env = Scripted::new([
            Says::Socket(vec![greeting(2), Happens::Quiet(12_000), pull]),
            Says::Reply(page(200, "public, max-age=20", false)),
        ]);
        let got = get(&env, "?offset=-1&live=long-poll", &[]);
        let note = EntryNote { answered_ms: START_MS + 12_000, lasts_ms: 20_000 }.to_text();
        assert_eq!(got.kept[1].as_ref().and_then(|kept| told(kept, header::TAILRACE_KEPT)), Some(note.as_str()));
    }

    #[test]
    fn a_stored_answer_is_served_with_its_age_until_it_is_too_old() {
        for (answered_ms, lasts_ms, expected) in [
            (START_MS, 60_000, [Some("HIT"), Some("0")]),
            (START_MS - 59_999, 60_000, [Some("HIT"), Some("59")]),
            (START_MS - 60_000, 60_000, [Some("MISS"), None]),
            (START_MS - 2_500, 2_500, [Some("MISS"), None]),
            (START_MS + 5_000, 2_500, [Some("HIT"), Some("0")]),
        ] {
            let asked = Says::Reply(page(200, PAGE, false));
            let env = Scripted::new([asked]).with_stored(KEY, kept(answered_ms, lasts_ms));
            let got = get(&env, "", &[]);
            assert_eq!([header::X_CACHE, header::AGE].map(|name| told(&got.answer, name)), expected);
            assert_eq!([header::TAILRACE_AHEAD, header::TAILRACE_KEPT].map(|name| told(&got.answer, name)), [None; 2]);
            assert_eq!(got.answer.body, "data");
        }
        let strange = page(200, PAGE, false);
        let env = Scripted::new([Says::Reply(page(404, "no-store", false))]).with_stored(KEY, strange);
        assert_eq!(get(&env, "", &[]).answer.status, 404, "what has no note is not served");
    }

    #[test]
    fn a_cache_that_never_answers_has_nothing_and_holds_a_read_up_for_a_second() {
        for (query, answer) in [("", page(200, PAGE, false)), ("?offset=-1&live=long-poll", page(200, PAGE, true))] {
            let kept = kept(START_MS, 60_000);
            let env = Scripted::new([Says::Reply(answer)]).with_stored(KEY, kept).with_stuck_cache();
            let got = get(&env, query, &[]);
            assert_eq!((got.answer.status, told(&got.answer, header::X_CACHE)), (200, Some("MISS")), "{query}");
            assert_eq!(env.now_ms() - START_MS, 1_000, "{query}");
        }
    }

    #[test]
    fn a_stored_answer_that_the_client_has_is_confirmed() {
        for (if_none_match, status) in
            [("\"i:0:1\"", 304), ("\"x\", W/\"i:0:1\"", 304), ("*", 304), ("\"j:0:1\"", 200), ("i:0:1", 200), ("", 200)]
        {
            let env = Scripted::new([]).with_stored(KEY, kept(START_MS - 3_000, 60_000));
            let got = get(&env, "", &[(header::IF_NONE_MATCH, if_none_match)]);
            let fields = [header::X_CACHE, header::AGE, header::ETAG, header::TAILRACE_KEPT];
            let expected = [Some("HIT"), Some("3"), Some("\"i:0:1\""), None];
            assert_eq!(got.answer.status, status, "{if_none_match}");
            assert_eq!(fields.map(|name| told(&got.answer, name)), expected);
            assert_eq!(got.answer.body.is_empty(), status == 304);
        }
    }

    #[test]
    fn a_client_that_wants_no_copy_asks_the_object_and_leaves_a_new_copy() {
        let env = Scripted::new([Says::Reply(page(200, PAGE, false).with(header::STREAM_TTL, "new"))])
            .with_stored(KEY, kept(START_MS, 60_000));
        let got = get(&env, "", &[(header::CACHE_CONTROL, "no-cache")]);
        let kept = got.kept[0].as_ref().expect("a new copy");
        let told =
            [&got.answer, kept].map(|answer| [header::X_CACHE, header::STREAM_TTL].map(|name| told(answer, name)));
        assert_eq!(told, [[Some("BYPASS"), Some("new")], [None, Some("new")]]);
        assert_eq!(got.notes, ["call _default/a", "store"]);
    }

    #[test]
    fn what_no_cache_may_keep_says_nothing_of_caches() {
        let asked = || Says::Reply(page(200, PAGE, false));
        for (query, fields) in [
            ("?offset=now", &[][..]),
            ("?offset=now&live=long-poll", &[]),
            ("", &[(header::TAILRACE_DEBUG, "1")]),
            ("", &[(header::CACHE_CONTROL, "no-store")]),
        ] {
            let env = Scripted::new([asked()]).with_stored(KEY, kept(START_MS, 60_000));
            let got = get(&env, query, fields);
            assert_eq!(told(&got.answer, header::X_CACHE), None, "{query}");
            assert!(!got.notes.iter().any(|note| note == "store"), "{query}");
        }
    }

    #[test]
    fn who_joins_the_flight_of_a_page_takes_it_and_asks_itself_for_anything_else() {
        let brings = |status| Some(Response::new(status).with(header::STREAM_TTL, "flown"));
        for (under_way, is_taken) in [
            (UnderWay { brings: brings(200), ..UnderWay::default() }, true),
            (UnderWay { brings: brings(200), brings_age_s: 2, ..UnderWay::default() }, true),
            (UnderWay { brings: brings(NOT_SHARED), ..UnderWay::default() }, false),
            (UnderWay { brings: None, ..UnderWay::default() }, false),
            (UnderWay { brings: brings(200), noted: Some(START_MS), ..UnderWay::default() }, true),
            (UnderWay { brings: brings(200), noted: Some(START_MS - 1), ..UnderWay::default() }, false),
        ] {
            let is_lost = under_way.brings.is_none();
            let age_s = (under_way.brings_age_s > 0).then(|| under_way.brings_age_s.to_string());
            let env = Scripted::new([Says::Reply(page(200, PAGE, false))]).with_flights([under_way]);
            let got = get(&env, "", &[]);
            assert_eq!(told(&got.answer, header::STREAM_TTL).is_some(), is_taken);
            assert_eq!(env.now_ms() - START_MS, if is_lost { FLIGHT_MS } else { 0 });
            let fields = [header::X_CACHE, header::AGE];
            assert_eq!(fields.map(|name| told(&got.answer, name)), [Some("MISS"), age_s.as_deref()]);
        }
    }

    #[test]
    fn a_flight_lands_with_the_page_or_with_nothing_for_others() {
        for (says, landed) in [
            (Says::Reply(page(200, PAGE, false)), "land 200"),
            (Says::Late(page(200, PAGE, false), 1_500), "land 200 of 2 s"),
            (Says::Reply(page(200, "no-cache", true)), "land 204"),
            (Says::Reply(page(404, "no-store", true)), "land 204"),
            (Says::Torn(page(200, PAGE, false)), "land 204"),
            (Says::Socket(vec![greeting(0)]), "land 204"),
            (Says::Fails, "land 204"),
        ] {
            let got = get(&Scripted::new([says]), "", &[]);
            assert!(got.notes.contains(&landed.to_owned()), "{:?}", got.notes);
        }
        let sliding = Says::Reply(page(200, PAGE, false).with(header::TAILRACE_AHEAD, "2500"));
        let got = get(&Scripted::new([sliding]), "", &[]);
        assert_eq!(got.notes, ["call _default/a", "note 1002500", "land 200", "store"]);
    }
}
