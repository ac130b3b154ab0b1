//! Requests to an edge with keys, from their token to the end of their answer.

use super::{Claims, Scope, StreamPattern, mint};
use crate::edge::scripted::{Happens, START_MS, Says, Scripted, UnderWay, at, config, event, greeting};
use crate::edge::serve::{serve, serve_inner};
use crate::edge::{Access, EdgeConfig, KeyRing};
use crate::protocol::limits::LONG_POLL_MS;
use crate::protocol::live::LiveMessage;
use crate::protocol::{CachePolicy, Headers, Method, Response, header};
use crate::runtime::{Isolate as _, Past, Request};

const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1";
const POLL_KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1&live=long-poll";

/// An edge with a key and the policy of that name.
fn keyed(policy: &str) -> EdgeConfig {
    let policy = CachePolicy::named(policy).expect("a policy");
    EdgeConfig { access: Access::Keys(ring()), policy, ..config() }
}

fn ring() -> KeyRing {
    KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key")
}

/// A token that expires so many seconds after the start.
fn token(scope: Scope, stream: Option<&str>, lasts_s: u64) -> String {
    token_until(scope, stream, START_MS + lasts_s * 1_000)
}

fn token_until(scope: Scope, stream: Option<&str>, until_ms: u64) -> String {
    let claims = Claims {
        project: "_default".to_owned(),
        scope,
        expires_s: until_ms / 1_000,
        begins_s: None,
        stream: stream.map(|stream| StreamPattern::parse(stream).expect("a pattern")),
        stream_id: None,
    };
    mint(&ring(), &claims).expect("a token")
}

fn request(
    method: Method,
    target: &str,
    fields: &[(&'static str, &str)],
) -> Request<<Scripted as crate::runtime::EdgeEnv>::Upload> {
    let mut headers = Headers::default();
    fields.iter().for_each(|(name, value)| headers.push(*name, *value));
    let url = format!("http://localhost{target}");
    Request { method, url, headers, body: None, past: Past::default() }
}

/// What a client is answered whose `Authorization` is this.
fn served(
    env: &Scripted,
    config: &EdgeConfig,
    method: Method,
    target: &str,
    fields: &[(&'static str, &str)],
    authorization: Option<&str>,
) -> Response {
    let bearer = authorization.map(|token| format!("Bearer {token}"));
    let mut fields = fields.to_vec();
    fields.extend(bearer.as_deref().map(|bearer| (header::AUTHORIZATION, bearer)));
    Scripted::run(serve(env, config, request(method, target, &fields))).expect("it waits for nothing but the script");
    env.answered().expect("an answer")
}

fn code(answer: &Response) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// Everything that can be asked of a stream.
const ASKED: &[(Method, &str)] = &[
    (Method::Get, "/v1/stream/a"),
    (Method::Get, "/v1/stream/a?offset=now"),
    (Method::Get, "/v1/stream/a?offset=-1&live=long-poll"),
    (Method::Get, "/v1/stream/a?offset=-1&live=sse"),
    (Method::Head, "/v1/stream/a"),
    (Method::Delete, "/v1/stream/a"),
    (Method::Post, "/v1/stream/a"),
    (Method::Put, "/v1/stream/a"),
];

#[test]
fn who_has_no_grant_is_told_the_same_of_every_stream_and_nothing_is_asked_for_it() {
    let (expired, other) = (token(Scope::Manage, None, 0), token(Scope::Manage, Some("b/*"), 9));
    let forged = token(Scope::Manage, None, 9).replace('.', ".A");
    for policy in ["immutable-and-long-poll", "gateway", "sentinel"] {
        for (method, target) in ASKED {
            for (authorization, status, expected) in [
                // Who shows none may read what is public, which the object knows.
                (None, 401, "token_missing"),
                (Some(&forged), 401, "token_invalid"),
                (Some(&expired), 401, "token_expired"),
                (Some(&other), 403, "stream_not_granted"),
            ] {
                if authorization.is_none() && matches!(method, Method::Get | Method::Head) {
                    continue;
                }
                let answers = [200, 404].map(|found| {
                    let says = || Says::Reply(Response::new(found).with_body("x"));
                    let under_way = UnderWay { brings: Some(Response::new(200)), ..UnderWay::default() };
                    let env = Scripted::new([says(), says()])
                        .with_stored(KEY, Response::new(200))
                        .with_stored(POLL_KEY, Response::new(200))
                        .with_flights([under_way]);
                    let fields = [(header::CONTENT_TYPE, "text/plain")];
                    let authorization = authorization.map(String::as_str);
                    let answer = served(&env, &keyed(policy), *method, target, &fields, authorization);
                    assert_eq!((env.notes(), env.looks()), (Vec::new(), 0), "{policy} {method:?} {target}");
                    answer
                });
                let [private, missing] = answers;
                assert_eq!(private, missing, "{method:?} {target} {expected}");
                assert_eq!(private.status, status, "{method:?} {target} {expected}");
                let says_so = if *method == Method::Head { "" } else { expected };
                assert_eq!(code(&private), says_so, "{method:?} {target}");
                let challenge = private.headers.get(header::WWW_AUTHENTICATE);
                assert_eq!(challenge.is_some(), status == 401, "{method:?} {target} {expected}");
                assert_eq!(private.headers.get(header::CACHE_CONTROL), Some("no-store"));
            }
        }
    }
}

#[test]
fn who_has_a_token_is_answered_as_if_none_were_needed() {
    for policy in ["immutable-and-long-poll", "gateway"] {
        let open = EdgeConfig { access: Access::NoAuth, ..keyed(policy) };
        for (method, target) in ASKED {
            let heard = |config: &EdgeConfig, authorization: Option<&str>| {
                let env = Scripted::new([Says::Reply(Response::new(404))]);
                let fields = [(header::CONTENT_TYPE, "text/plain")];
                let answer = served(&env, config, *method, target, &fields, authorization);
                (answer.status, env.notes(), env.looks())
            };
            let granted = token(Scope::Write, Some("a"), 99);
            assert_eq!(heard(&keyed(policy), Some(&granted)), heard(&open, None), "{policy} {method:?} {target}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_request_comes_first_then_its_token_and_then_what_is_there() {
    let (read, write) = (token(Scope::Read, Some("a/*"), 9), token(Scope::Write, Some("a/*"), 9));
    let (get, put) = (Method::Get, Method::Put);
    let fork = header::STREAM_FORKED_FROM;
    for (method, target, fields, authorization, status, expected) in [
        (get, "/v1/stream/a//b", &[][..], None, 400, "invalid_path"),
        (get, "/v1/stream/%zz", &[], None, 400, "invalid_path"),
        (get, "/v1/stream/a/b?offset=x", &[], None, 400, "invalid_offset"),
        (get, "/v1/stream/a/b?offset=x", &[], Some("forged"), 400, "invalid_offset"),
        (get, "/v1/stream/a/b?cursor=x", &[], None, 400, "invalid_cursor"),
        (put, "/v1/stream/a/b", &[(header::STREAM_TTL, "x")], None, 400, "invalid_ttl"),
        (put, "/v1/stream/a/b", &[], None, 401, "token_missing"),
        // The object knows what everybody may read.
        (get, "/v1/stream/a/b", &[], None, 404, ""),
        (get, "/v1/stream/a/b", &[], Some("forged"), 401, "token_invalid"),
        (get, "/v1/stream/a/b", &[], Some(&read), 404, ""),
        (put, "/v1/stream/a/b", &[], Some(&read), 403, "scope_insufficient"),
        (put, "/v1/stream/a/b", &[], Some(&write), 404, ""),
        // A path is compared once it is decoded.
        (get, "/v1/stream/%61%2Fb", &[], Some(&read), 404, ""),
        (get, "/v1/stream/a", &[], Some(&read), 403, "stream_not_granted"),
        (get, "/v1/stream/ab/c", &[], Some(&read), 403, "stream_not_granted"),
        (get, "/v1/stream/b%2Fa/b", &[], Some(&read), 403, "stream_not_granted"),
        // A fork reads its source.
        (put, "/v1/stream/a/b", &[(fork, "/v1/stream/a/c")], Some(&write), 404, ""),
        (put, "/v1/stream/a/b", &[(fork, "/v1/stream/c")], Some(&write), 403, "stream_not_granted"),
        (put, "/v1/stream/c", &[(fork, "/v1/stream/a/b")], Some(&write), 403, "stream_not_granted"),
        (put, "/v1/stream/a/b", &[(fork, "/v1/stream/a/c")], Some(&read), 403, "scope_insufficient"),
        // What is not offered is nobody's secret, but a token that is there is checked.
        (get, "/v1/stream/__ds/x", &[], None, 401, "token_missing"),
        (get, "/v1/stream/__ds/x", &[], Some("forged"), 401, "token_invalid"),
        (get, "/v1/stream/__ds/x", &[], Some(&read), 501, "not_implemented"),
        // These need none.
        (Method::Options, "/v1/stream/a", &[], None, 204, ""),
        (Method::Options, "/v1/stream/a", &[], Some("forged"), 204, ""),
        (Method::Other, "/v1/stream/a", &[], None, 405, "method_not_allowed"),
        (get, "/health", &[], None, 200, ""),
        (get, "/nowhere", &[], None, 404, "unknown_route"),
    ] {
        let env = Scripted::new([Says::Reply(Response::new(404))]);
        let answer = served(&env, &keyed("nothing"), method, target, fields, authorization);
        assert_eq!((answer.status, code(&answer).as_str()), (status, expected), "{method:?} {target} {fields:?}");
        // Where the code is none of the edge's, the object has answered.
        assert_eq!(env.notes().len(), usize::from(status == 404 && expected.is_empty()), "{method:?} {target}");
    }
}

#[test]
fn a_reader_key_is_replaced_by_who_manages_its_stream() {
    let keys = |path: &str| format!("/v1/projects/_default/reader-keys/{path}");
    let write = token(Scope::Write, None, 9);
    let [all, of_stream, of_others] = [None, Some("a/*"), Some("c/*")].map(|stream| token(Scope::Manage, stream, 9));
    for (method, target, authorization, status, expected) in [
        (Method::Post, keys("a/b"), Some(&all), 200, ""),
        (Method::Post, keys("%61%2Fb"), Some(&of_stream), 200, ""),
        (Method::Post, keys("a/b"), None, 401, "token_missing"),
        (Method::Post, format!("{}?token={all}", keys("a/b")), None, 401, "token_missing"),
        (Method::Post, keys("a/b"), Some(&write), 403, "scope_insufficient"),
        (Method::Post, keys("a/b"), Some(&of_others), 403, "stream_not_granted"),
        (Method::Post, keys("a//b"), Some(&all), 400, "invalid_path"),
        (Method::Post, keys(""), Some(&all), 400, "invalid_path"),
        (Method::Post, keys("__ds/x"), Some(&all), 501, "not_implemented"),
        (Method::Get, keys("a/b"), Some(&all), 405, "method_not_allowed"),
        (Method::Put, keys("a/b"), Some(&all), 405, "method_not_allowed"),
        (Method::Options, keys("a/b"), None, 204, ""),
        (Method::Post, "/v1/projects/other/reader-keys/a/b".to_owned(), Some(&all), 404, "unknown_route"),
        (Method::Post, "/v1/projects/_default/reader-keys".to_owned(), Some(&all), 404, "unknown_route"),
        (Method::Post, "/v1/projects/_default".to_owned(), Some(&all), 404, "unknown_route"),
    ] {
        let env = Scripted::new([Says::Reply(Response::new(200))]);
        let authorization = authorization.map(String::as_str);
        let answer = served(&env, &keyed("zone"), method, &target, &[], authorization);
        assert_eq!((answer.status, code(&answer).as_str()), (status, expected), "{method:?} {target}");
        let called = if status == 200 { vec!["call _default/a/b".to_owned()] } else { vec![] };
        assert_eq!(env.notes(), called, "{method:?} {target}");
        let allow = answer.headers.get(header::ALLOW);
        assert_eq!(allow, (status == 405).then_some("POST, OPTIONS"));
    }
    // In multi-project mode the project is that of the path.
    let config = EdgeConfig { projects: crate::protocol::ProjectMode::Multi, ..keyed("zone") };
    for (project, status) in [("_default", 200), ("other", 403), ("a b", 400)] {
        let env = Scripted::new([Says::Reply(Response::new(200))]);
        let target = format!("/v1/projects/{project}/reader-keys/a/b");
        assert_eq!(served(&env, &config, Method::Post, &target, &[], Some(&all)).status, status, "{project}");
    }
}

#[test]
fn a_token_is_checked_wherever_it_is_and_only_one() {
    let granted = token(Scope::Manage, None, 9);
    let path = "/v1/stream/a";
    for (method, query, authorization, status, expected) in [
        (Method::Get, format!("?token={granted}"), None, 200, ""),
        (Method::Get, format!("?%74oken={granted}"), None, 200, ""),
        (Method::Get, String::new(), Some(granted.as_str()), 200, ""),
        (Method::Get, format!("?token={granted}"), Some(granted.as_str()), 400, "token_ambiguous"),
        (Method::Get, format!("?token={granted}&%74oken={granted}"), None, 400, "token_ambiguous"),
        (Method::Get, format!("?token={granted}x"), None, 401, "token_invalid"),
        (Method::Get, "?token".to_owned(), None, 401, "token_invalid"),
        (Method::Delete, format!("?toke={granted}"), None, 401, "token_missing"),
        (Method::Delete, format!("?token={granted}"), None, 401, "token_missing"),
        (Method::Delete, format!("?token={granted}"), Some(granted.as_str()), 400, "token_ambiguous"),
    ] {
        let env = Scripted::new([Says::Reply(Response::new(200))]);
        let target = format!("{path}{query}");
        let answer = served(&env, &keyed("immutable"), method, &target, &[], authorization);
        assert_eq!((answer.status, code(&answer).as_str()), (status, expected), "{method:?} {target}");
        assert_eq!(env.notes().iter().any(|note| note.starts_with("call")), status == 200, "{target}");
    }
}

#[test]
fn debug_fields_are_for_operators_alone() {
    let fields = [(header::TAILRACE_DEBUG, "1")];
    let manage = |stream| Some(token(Scope::Manage, stream, 99));
    let open = EdgeConfig { access: Access::NoAuth, ..keyed("gateway") };
    for (config, authorization, is_told) in [
        (&open, None, true),
        (&keyed("gateway"), manage(None), true),
        (&keyed("gateway"), manage(Some("a")), true),
        (&keyed("gateway"), Some(token(Scope::Write, None, 99)), false),
        (&keyed("gateway"), Some(token(Scope::Read, None, 99)), false),
        (&keyed("gateway"), None, false),
    ] {
        for query in ["", "?offset=-1&live=long-poll"] {
            let env = Scripted::new([Says::Reply(Response::new(200))]);
            let target = format!("/v1/stream/a{query}");
            served(&env, config, Method::Get, &target, &fields, authorization.as_deref());
            // What tells about instances is not forwarded, where others' answers may come from a cache.
            let is_forwarded = env.notes().iter().any(|note| note.starts_with("inner"));
            assert_eq!(is_forwarded, !is_told, "{query} {authorization:?} {:?}", env.notes());
        }
        let env = Scripted::new([Says::Reply(Response::new(200))]);
        served(&env, config, Method::Head, "/v1/stream/a", &fields, authorization.as_deref());
        assert_eq!(env.debugs(), [is_told], "{authorization:?}");
    }
}

#[test]
fn where_there_are_keys_no_cache_in_front_may_keep_an_answer_and_nobody_one_to_a_url_with_a_token() {
    const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";
    let granted = token(Scope::Read, None, 99);
    let page = || {
        let response = Response::new(200).with(header::CACHE_CONTROL, PAGE).with(header::ETAG, "\"1\"");
        response.with_body("data")
    };
    let kept = || {
        let note = format!("{START_MS} 60000");
        page().with(header::TAILRACE_KEPT, note)
    };
    let poll = "offset=-1&live=long-poll";
    let waits = || Says::Socket(vec![greeting(2)]);
    let brings = || UnderWay { brings: Some(page()), ..UnderWay::default() };
    let tags = &[(header::IF_NONE_MATCH, "\"1\"")][..];
    let cases = || {
        [
            ("a miss", Scripted::new([Says::Reply(page())]), "immutable", "", &[][..], 200),
            ("a hit", Scripted::new([]).with_stored(KEY, kept()), "immutable", "", &[], 200),
            ("a hit unchanged", Scripted::new([]).with_stored(KEY, kept()), "immutable", "", tags, 304),
            ("a flight", Scripted::new([]).with_flights([brings()]), "immutable", "", &[], 200),
            ("nothing kept", Scripted::new([Says::Reply(page())]), "nothing", "", &[], 200),
            ("a long-poll", Scripted::new([Says::Reply(page())]), "immutable-and-long-poll", poll, &[], 200),
            ("a long-poll in vain", Scripted::new([waits()]), "silence", poll, &[], 204),
            ("a hit of a long-poll", Scripted::new([]).with_stored(POLL_KEY, kept()), "silence", poll, &[], 200),
            ("a flight of a long-poll", Scripted::new([]).with_flights([brings()]), "zone", poll, &[], 200),
            ("events", Scripted::new([waits()]), "collapsed-events", "offset=-1&live=sse", &[], 200),
            ("a gateway", Scripted::new([Says::Reply(page())]), "gateway", "", &[], 200),
            ("a gateway unchanged", Scripted::new([Says::Reply(page())]), "gateway", "", tags, 304),
            ("a missing stream", Scripted::new([Says::Reply(Response::new(404))]), "zone", "", &[], 404),
            ("a failure", Scripted::new([Says::Fails]), "zone", "", &[], 503),
            ("a mistake", Scripted::new([]), "zone", "offset=x", &[], 400),
        ]
    };
    for (what, env, policy, query, fields, status) in cases() {
        let target = format!("/v1/stream/a?%74oken={granted}&{query}");
        let answer = served(&env, &keyed(policy), Method::Get, &target, fields, None);
        assert_eq!(answer.status, status, "{what}");
        let controls = answer.headers.iter().filter(|(name, _)| *name == header::CACHE_CONTROL);
        assert_eq!(controls.map(|(_, value)| value).collect::<Vec<_>>(), ["private, no-store"], "{what}");
        if what == "a miss" {
            let stored = env.stored(KEY).expect("it is kept for others");
            assert_eq!(stored.headers.get(header::CACHE_CONTROL), Some(PAGE));
        }
        assert!(!env.notes().iter().any(|note| note.contains(&granted)), "{what}: {:?}", env.notes());
    }
    // With a token in the header the URL is no password, but caches in front ask nobody for one, and a browser may have another
    // user tomorrow. Where the object says nothing of who may read what it answers, nobody may keep it.
    for (what, env, policy, query, fields, status) in cases() {
        let target = format!("/v1/stream/a?{query}");
        let answer = served(&env, &keyed(policy), Method::Get, &target, fields, Some(&granted));
        assert_eq!(answer.status, status, "{what}");
        let controls = answer.headers.iter().filter(|(name, _)| *name == header::CACHE_CONTROL);
        let told: Vec<&str> = controls.map(|(_, value)| value).collect();
        let expected = match what {
            // The script says nothing.
            "a missing stream" => vec!["private, no-store"],
            _ if status < 400 => vec!["private, no-store"],
            _ => vec!["no-store"],
        };
        assert_eq!(told, expected, "{what}");
    }
    // Whoever is let in without one, the URL has it.
    let open = EdgeConfig { access: Access::NoAuth, ..keyed("immutable") };
    let env = Scripted::new([Says::Reply(page())]);
    let answer = served(&env, &open, Method::Get, "/v1/stream/a?token=x", &[], None);
    assert_eq!(answer.headers.get(header::CACHE_CONTROL), Some("private, no-store"));
    let refused = Scripted::new([]);
    let answer = served(&refused, &keyed("zone"), Method::Get, "/v1/stream/a?token=x", &[], None);
    assert_eq!((answer.status, answer.headers.get(header::CACHE_CONTROL)), (401, Some("private, no-store")));
}

#[test]
fn the_gateway_checks_and_the_inner_entrypoint_does_not() {
    let env = Scripted::new([Says::Reply(Response::new(200))]);
    let inner = request(Method::Get, "/v1/stream/a?offset=-1", &[]);
    Scripted::run(serve_inner(&env, &keyed("gateway"), inner)).expect("it waits for nothing but the script");
    assert_eq!(env.answered().map(|answer| answer.status), Some(200));
    for (lasts_s, is_forwarded) in [(22, false), (23, true), (24, true)] {
        // Nobody could end the inner entrypoint's wait in time.
        let env = Scripted::new([Says::Reply(Response::new(200))]);
        let target = "/v1/stream/a?offset=-1&live=long-poll";
        served(&env, &keyed("gateway"), Method::Get, target, &[], Some(&token(Scope::Read, None, lasts_s)));
        let asked = if is_forwarded { "inner" } else { "ask -1" };
        assert!(env.notes().first().is_some_and(|note| note.starts_with(asked)), "{lasts_s} {:?}", env.notes());
    }
    // What was decided at its arrival holds when it is served anew.
    let env = Scripted::new([Says::Reply(Response::new(200))]);
    let granted = format!("Bearer {}", token(Scope::Read, None, 13));
    let target = "/v1/stream/a?offset=-1&live=long-poll";
    let past = Past { losses: 1, has_called: true, age_ms: 10_000 };
    let request = Request { past, ..request(Method::Get, target, &[(header::AUTHORIZATION, &granted)]) };
    Scripted::run(serve(&env, &keyed("gateway"), request)).expect("it waits for nothing but the script");
    assert_eq!(env.notes(), ["earlier call"]);
    // A plain read does not wait.
    let env = Scripted::new([Says::Reply(Response::new(200))]);
    served(&env, &keyed("gateway"), Method::Get, "/v1/stream/a", &[], Some(&token(Scope::Read, None, 1)));
    assert!(env.notes().first().is_some_and(|note| note.starts_with("inner")));
}

#[test]
fn a_long_poll_ends_with_its_token_as_if_it_had_waited_in_vain() {
    let target = "/v1/stream/a?offset=-1&live=long-poll";
    let wait_s = LONG_POLL_MS / 1_000;
    let alone = &["ask -1", "close", "land 204"][..];
    // It leaves a flight on which others go on waiting, unless it is lost for all that the reader knows.
    let (leaves, gives_up) = (&["ask -1", "close"][..], &["give up", "ask -1", "close"][..]);
    for (lasts_s, has_joined, waited_s, noted) in [
        (3, false, 3, alone),
        (wait_s - 1, false, wait_s - 1, alone),
        (wait_s, false, wait_s, alone),
        (60, false, wait_s, alone),
        (3, true, 3, leaves),
        (wait_s - 1, true, wait_s - 1, leaves),
        (wait_s, true, wait_s, leaves),
        (60, true, wait_s + 3, gives_up),
    ] {
        let under_way = has_joined.then(UnderWay::default);
        let env = Scripted::new([Says::Socket(vec![greeting(2)])]).with_flights(under_way);
        let granted = token(Scope::Read, None, lasts_s);
        let answer = served(&env, &keyed("immutable-and-long-poll"), Method::Get, target, &[], Some(&granted));
        assert_eq!((answer.status, env.now_ms() - START_MS), (204, waited_s * 1_000), "{lasts_s} {has_joined}");
        assert_eq!(answer.headers.get(header::STREAM_NEXT_OFFSET), Some(at(2).to_string().as_str()));
        assert!(answer.headers.get(header::STREAM_CURSOR).is_some());
        assert_eq!(env.notes(), noted, "{lasts_s} {has_joined}");
    }
    // A silence that its token has cut short is of no use to others, whatever the policy keeps.
    for (lasts_s, is_stored) in [(3, false), (wait_s - 1, false), (60, true)] {
        let env = Scripted::new([Says::Socket(vec![greeting(2)])]);
        let granted = token(Scope::Read, None, lasts_s);
        served(&env, &keyed("silence"), Method::Get, target, &[], Some(&granted));
        assert_eq!(env.notes().contains(&"store".to_owned()), is_stored, "{lasts_s} {:?}", env.notes());
    }
}

#[test]
fn a_long_poll_asks_for_nothing_once_its_token_has_expired() {
    let target = "/v1/stream/a?offset=-1&live=long-poll";
    for (lasts_s, asks) in [(3, 1), (4, 2)] {
        // It is told to ask again within a second, when there is less left than that, or more.
        let pull = Happens::Message(LiveMessage::Pull { spread_ms: 1_000 }.encode());
        let waits = Says::Socket(vec![greeting(2), Happens::Quiet(2_500), pull]);
        let env = Scripted::new([waits, Says::Reply(Response::new(200).with_body("data"))]);
        let granted = token(Scope::Read, None, lasts_s);
        let answer = served(&env, &keyed("immutable-and-long-poll"), Method::Get, target, &[], Some(&granted));
        let asked = env.notes().iter().filter(|note| note.starts_with("ask")).count();
        assert_eq!((asked, answer.status), (asks, if asks == 1 { 204 } else { 200 }), "{:?}", env.notes());
    }
}

#[test]
fn a_connection_with_events_ends_with_its_token_and_says_where() {
    let target = "/v1/stream/a?offset=-1&live=sse";
    for (lasts_s, is_told_second) in [(1, false), (3, true)] {
        let happens = vec![
            greeting(0),
            Happens::Message(event(1, "one", false)),
            Happens::Quiet(2_000),
            Happens::Message(event(2, "two", false)),
        ];
        let env = Scripted::new([Says::Socket(happens)]);
        let granted = token(Scope::Read, None, lasts_s);
        served(&env, &keyed("immutable"), Method::Get, target, &[], Some(&granted));
        let notes = env.notes();
        let written: Vec<&String> = notes.iter().filter(|note| note.starts_with("write")).collect();
        let has = |text: &str| written.iter().any(|note| note.starts_with(&format!("write {text}")));
        assert_eq!((has("one"), has("two")), (true, is_told_second), "{notes:?}");
        let last = format!(r#"write {{"streamNextOffset":"{}""#, if is_told_second { 2 } else { 1 });
        assert!(written.last().is_some_and(|note| note.starts_with(&last)), "{notes:?}");
        assert_eq!(env.now_ms() - START_MS, lasts_s * 1_000);
    }
}

#[test]
fn a_token_is_judged_by_when_its_request_came() {
    for (age_ms, has_called, status) in [(0, false, 401), (1_000, false, 401), (1_001, false, 204), (1_001, true, 204)]
    {
        let env = Scripted::new([Says::Reply(Response::new(204))]);
        // It has expired a second ago.
        let granted = format!("Bearer {}", token_until(Scope::Write, None, START_MS - 1_000));
        let past = Past { losses: 1, has_called, age_ms };
        let request = Request { past, ..request(Method::Delete, "/v1/stream/a", &[(header::AUTHORIZATION, &granted)]) };
        Scripted::run(serve(&env, &keyed("nothing"), request)).expect("it waits for nothing but the script");
        assert_eq!(env.answered().map(|answer| answer.status), Some(status), "{age_ms} {has_called}");
    }
}
