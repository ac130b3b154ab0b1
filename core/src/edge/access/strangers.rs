//! Requests that show no token, at an edge with keys: what is public is served like anything else, and nothing else is told.

use crate::edge::scripted::{Happens, START_MS, Says, Scripted, UnderWay, config, event, greeting};
use crate::edge::serve::{serve, serve_inner};
use crate::edge::{Access, EdgeConfig};
use crate::protocol::KeyRing;
use crate::protocol::cache::EntryNote;
use crate::protocol::{Admission, CachePolicy, Headers, Method, Refusal, Response, header};
use crate::runtime::{Past, Request};

const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1";
const POLL_KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1&live=long-poll";
const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";
const POLL: &str = "?offset=-1&live=long-poll";
const SSE: &str = "?offset=-1&live=sse";

fn keyed(policy: &str) -> EdgeConfig {
    let policy = CachePolicy::named(policy).expect("a policy");
    let keys = KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key");
    EdgeConfig { access: Access::Keys(keys), policy, ..config() }
}

/// A page whose object says that about its readers.
fn page(readers: Option<&str>) -> Response {
    Response::new(200)
        .with(header::CACHE_CONTROL, PAGE)
        .with(header::ETAG, "\"1\"")
        .with_some(header::TAILRACE_READERS, readers)
        .with_body("data")
}

/// The same as the cache of the datacenter has it.
fn kept(readers: Option<&str>) -> Response {
    let note = EntryNote { answered_ms: START_MS, lasts_ms: 60_000 };
    page(readers).with(header::TAILRACE_KEPT, note.to_text())
}

/// An object's answer to a stranger.
fn refused() -> Says {
    Says::Reply(Response::refusal(&Refusal::no_token()))
}

fn request(
    method: Method,
    query: &str,
    fields: &[(&'static str, &str)],
) -> Request<<Scripted as crate::runtime::EdgeEnv>::Upload> {
    let mut headers = Headers::default();
    fields.iter().for_each(|(name, value)| headers.push(*name, *value));
    let url = format!("http://localhost/v1/stream/a{query}");
    Request { method, url, headers, body: None, past: Past::default() }
}

/// What a stranger is answered.
fn served(env: &Scripted, policy: &str, method: Method, query: &str, fields: &[(&'static str, &str)]) -> Response {
    let request = request(method, query, fields);
    Scripted::run(serve(env, &keyed(policy), request)).expect("it waits for nothing but the script");
    env.answered().expect("an answer")
}

#[test]
fn what_the_cache_of_the_datacenter_has_is_for_strangers_only_if_it_is_public() {
    for (readers, is_public) in [(Some("everybody"), true), (Some("digest"), false), (Some(""), false), (None, false)] {
        for (query, key) in [("", KEY), (POLL, POLL_KEY)] {
            for tags in [&[][..], &[(header::IF_NONE_MATCH, "\"1\"")], &[(header::IF_NONE_MATCH, "*")]] {
                let env = Scripted::new([refused(), refused()]).with_stored(key, kept(readers));
                let answer = served(&env, "immutable-and-long-poll", Method::Get, query, tags);
                let status = if tags.is_empty() { 200 } else { 304 };
                assert_eq!(answer.status, if is_public { status } else { 401 }, "{readers:?} {query} {tags:?}");
                let said = [header::X_CACHE, header::CACHE_CONTROL].map(|name| answer.headers.get(name));
                let expected = if is_public { [Some("HIT"), Some(PAGE)] } else { [None, Some("no-store")] };
                assert_eq!(said, expected, "{readers:?} {query}");
                for name in [header::TAILRACE_READERS, header::TAILRACE_KEPT] {
                    assert_eq!(answer.headers.get(name), None, "{name}");
                }
                let told = [header::ETAG, header::AGE].map(|name| answer.headers.get(name).is_some());
                assert_eq!(told, [is_public; 2], "{readers:?} {query}");
            }
        }
    }
}

#[test]
fn what_is_public_is_served_to_strangers_and_kept_like_anything_else() {
    for (query, key) in [("", KEY), (POLL, POLL_KEY)] {
        let env = Scripted::new([Says::Reply(page(Some("everybody")))]);
        let answer = served(&env, "immutable-and-long-poll", Method::Get, query, &[]);
        let said = [header::X_CACHE, header::CACHE_CONTROL, header::TAILRACE_READERS];
        assert_eq!(said.map(|name| answer.headers.get(name)), [Some("MISS"), Some(PAGE), None]);
        let stored = env.stored(key).expect("it is kept");
        assert_eq!(stored.headers.get(header::TAILRACE_READERS), Some("everybody"));
    }
    let env = Scripted::new([Says::Socket(vec![greeting(0), Happens::Message(event(1, "one", true))])]);
    assert_eq!(served(&env, "immutable", Method::Get, SSE, &[]).status, 200);
    assert!(env.notes().iter().any(|note| note.starts_with("write one")), "{:?}", env.notes());
    let env = Scripted::new([Says::Reply(Response::new(200))]);
    assert_eq!(served(&env, "immutable", Method::Head, "", &[]).status, 200);
}

/// The edges of one deployment tell the object who asks; nothing else of a request differs.
#[test]
fn a_stranger_and_who_has_a_grant_share_no_flight() {
    let key_of = |config: &EdgeConfig, token: Option<&str>, query: &str| {
        let env = Scripted::new([Says::Reply(page(None))]);
        let bearer = token.map(|token| format!("Bearer {token}"));
        let fields: Vec<_> = bearer.iter().map(|bearer| (header::AUTHORIZATION, bearer.as_str())).collect();
        Scripted::run(serve(&env, config, request(Method::Get, query, &fields))).expect("it ends");
        env.shared()
    };
    let keys = KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key");
    let token = |scope, lasts_s: u64| {
        let claims = super::Claims {
            project: "_default".to_owned(),
            scope,
            expires_s: START_MS / 1_000 + lasts_s,
            begins_s: None,
            stream: None,
            stream_id: None,
        };
        super::mint(&keys, &claims).expect("a token")
    };
    let config = keyed("immutable-and-long-poll");
    for query in ["", POLL] {
        let [stranger, reader, manager] =
            [None, Some(token(super::Scope::Read, 90)), Some(token(super::Scope::Manage, 99))]
                .map(|token| key_of(&config, token.as_deref(), query));
        assert_eq!((stranger.len(), reader.len()), (1, 1), "{query}");
        assert_eq!(reader, manager, "{query}");
        assert_ne!(stranger, reader, "{query}");
    }
}

#[test]
fn a_stranger_waits_for_nobody_who_has_announced_to_ask_and_announces_nothing() {
    for policy in ["sentinel", "bridge"] {
        let env = Scripted::new([refused(), refused()]);
        assert_eq!(served(&env, policy, Method::Get, POLL, &[]).status, 401);
        let notes = env.notes();
        assert!(
            notes.iter().all(|note| !note.starts_with("store") && !note.starts_with("remove")),
            "{policy} {notes:?}"
        );
    }
}

#[test]
fn a_refusal_says_nothing_of_caches_and_is_the_same_however_it_came() {
    let expected = served(&Scripted::new([refused()]), "nothing", Method::Get, "", &[]);
    assert_eq!(expected.status, 401);
    let landed = |brings| UnderWay { brings, ..UnderWay::default() };
    let unused = || landed(Some(Response::new(204)));
    let refuses = || landed(Some(Response::refusal(&Refusal::no_token())));
    for (policy, query, env) in [
        ("immutable", "", Scripted::new([refused()])),
        ("immutable", "", Scripted::new([refused()]).with_flights([unused()])),
        ("immutable-and-long-poll", POLL, Scripted::new([refused()])),
        ("immutable-and-long-poll", POLL, Scripted::new([]).with_flights([refuses(), refuses()])),
        ("immutable", SSE, Scripted::new([refused()])),
        ("gateway", "", Scripted::new([refused()])),
        ("gateway", POLL, Scripted::new([refused()])),
    ] {
        assert_eq!(served(&env, policy, Method::Get, query, &[]), expected, "{policy} {query}");
    }
}

#[test]
fn what_an_object_does_not_answer_a_stranger_says_nothing_of_caches_either() {
    let failure = || Response::new(503).with(header::AGE, "5").with(header::X_CACHE, "HIT");
    for policy in ["immutable", "gateway", "nothing"] {
        for says in [Says::Reply(failure()), Says::Late(failure(), 5_000), Says::Fails] {
            let answer = served(&Scripted::new([says]), policy, Method::Get, "", &[]);
            assert_eq!(answer.status, 503);
            assert_eq!([header::X_CACHE, header::AGE].map(|name| answer.headers.get(name)), [None, None], "{policy}");
        }
    }
}

#[test]
fn a_gateway_tells_the_inner_entrypoint_that_it_asks_for_a_stranger() {
    let env = Scripted::new([refused()]);
    served(&env, "gateway", Method::Get, "?offset=-1&readers=everybody", &[]);
    let url = "http://localhost/v1/stream/a?offset=-1&readers=everybody";
    assert_eq!(env.notes(), [format!("inner {url}")]);
    // There its answer may be kept, under that URL, and still says whom it is for.
    for (query, admission) in
        [("?offset=-1&readers=everybody", Admission::Stranger), ("?offset=-1", Admission::Granted)]
    {
        let env = Scripted::new([Says::Reply(page(Some("digest")))]);
        Scripted::run(serve_inner(&env, &keyed("gateway"), request(Method::Get, query, &[]))).expect("it ends");
        assert_eq!(env.admissions(), [admission], "{query}");
        let told = env.answered().expect("an answer");
        assert_eq!(told.headers.get(header::TAILRACE_READERS), Some("digest"), "{query}");
    }
}

#[test]
fn a_client_cannot_say_of_itself_that_it_has_a_grant() {
    for query in ["", "?readers=everybody", "?admission=granted", "?granted=1", "?rk=key"] {
        for method in [Method::Get, Method::Head] {
            let env = Scripted::new([refused()]);
            let fields = [(header::TAILRACE_READERS, "everybody"), (header::TAILRACE_DEBUG, "1")];
            assert_eq!(served(&env, "nothing", method, query, &fields).status, 401);
            assert_eq!(env.admissions(), [Admission::Stranger], "{method:?} {query}");
        }
    }
}
