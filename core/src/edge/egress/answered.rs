//! What every kind of answer says to browsers and to caches, whoever has made it.

use std::sync::Arc;

use super::Terms;
use crate::edge::scripted::{Happens, START_MS, Says, Scripted, UnderWay, at, config, event, greeting};
use crate::edge::serve::{serve, serve_inner};
use crate::edge::{Access, EdgeConfig, KeyRing, Origins, answer_when_lost};
use crate::protocol::cache::EntryNote;
use crate::protocol::cors::EXPOSED_HEADERS;
use crate::protocol::limits::LOSSES_ENDURED;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::{CachePolicy, Headers, Method, Response, header};
use crate::runtime::{Changes, Past, Request};

const KEY: &str = "http://localhost/.tailrace/2/_default/a?offset=-1";
const PAGE: &str = "public, max-age=60, stale-while-revalidate=300";
const LISTED: &str = "https://a.test";

fn page() -> Response {
    Response::new(200).with(header::CACHE_CONTROL, PAGE).with(header::ETAG, "\"i:0:1\"").with_body("data")
}

fn listed(front_varies: bool) -> Origins {
    Origins::Listed { listed: ["https://first.test", LISTED].map(Arc::from).into(), front_varies }
}

/// A request to an edge, and what it is answered.
struct Case {
    what: &'static str,
    env: Scripted,
    policy: &'static str,
    method: Method,
    target: &'static str,
    fields: &'static [(&'static str, &'static str)],
    past: Past,
    access: Access,
    status: u16,
}

impl Case {
    fn get(what: &'static str, env: Scripted, target: &'static str, status: u16) -> Self {
        let (policy, method, fields, past) = ("immutable-and-long-poll", Method::Get, &[], Past::default());
        Self { what, env, policy, method, target, fields, past, access: Access::NoAuth, status }
    }

    /// The answer of an edge with these origins to a request with these fields `Origin`.
    fn answer(self, origins: &Origins, asking: &[&str]) -> (Response, Scripted) {
        let mut headers = Headers::default();
        self.fields.iter().for_each(|(name, value)| headers.push(*name, *value));
        asking.iter().for_each(|origin| headers.push(header::ORIGIN, *origin));
        let policy = CachePolicy::named(self.policy).expect("a policy");
        let config = EdgeConfig { access: self.access, policy, origins: origins.clone(), ..config() };
        let url = format!("http://localhost{}", self.target);
        let request = Request { method: self.method, url, headers, body: None, past: self.past };
        Scripted::run(serve(&self.env, &config, request)).expect("it waits for nothing but the script");
        let answer = self.env.answered().expect("an answer");
        assert_eq!(answer.status, self.status, "{}", self.what);
        (answer, self.env)
    }
}

/// Every kind of answer.
fn cases() -> Vec<Case> {
    const POLL: &str = "/v1/stream/a?offset=-1&live=long-poll";
    const SSE: &str = "/v1/stream/a?offset=-1&live=sse";
    let says = |says| Scripted::new([says]);
    let reply = |response: Response| says(Says::Reply(response));
    let nothing = || Scripted::new([]);
    let kept = || {
        let note = EntryNote { answered_ms: START_MS, lasts_ms: 60_000 };
        nothing().with_stored(KEY, page().with(header::TAILRACE_KEPT, note.to_text()))
    };
    let others = |brings: Response| nothing().with_flights([UnderWay { brings: Some(brings), ..UnderWay::default() }]);
    let pushed = LiveMessage::Answer {
        position: ReaderPosition { next: at(5), commit_ms: START_MS },
        answer: page().with(header::STREAM_NEXT_OFFSET, at(5).to_string()),
    };
    let greeted = |happens: Vec<Happens>| says(Says::Socket([greeting(2)].into_iter().chain(happens).collect()));
    let keys = || Access::Keys(KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key"));
    let stream = "/v1/stream/a";
    let get = Case::get;
    let tags: &[_] = &[(header::IF_NONE_MATCH, "\"i:0:1\"")];
    let resumes: &[_] = &[(header::LAST_EVENT_ID, "0000000000000000_0000000000000005")];
    let write = |what, method, env, status| Case { method, ..get(what, env, stream, status) };
    let tail = Response::new(200).with(header::CACHE_CONTROL, "no-cache").with(header::STREAM_UP_TO_DATE, header::TRUE);
    let closed = page().with(header::STREAM_NEXT_OFFSET, at(5).to_string()).with(header::STREAM_CLOSED, header::TRUE);
    vec![
        // The edge's own answers.
        get("health", nothing(), "/health", 200),
        get("an unknown route", nothing(), "/nowhere", 404),
        get("a malformed request", nothing(), "/v1/stream/a?offset=x", 400),
        write("a preflight", Method::Options, nothing(), 204),
        write("a wrong method", Method::Other, nothing(), 405),
        Case { access: keys(), ..write("no token", Method::Post, nothing(), 401) },
        Case { access: keys(), ..write("a preflight without a token", Method::Options, nothing(), 204) },
        Case { access: Access::NotConfigured, ..get("no configuration", nothing(), stream, 500) },
        Case { access: Access::Misconfigured("x".to_owned()), ..get("a wrong one", nothing(), stream, 500) },
        get("an object that does not answer", says(Says::Fails), stream, 503),
        Case {
            past: Past { losses: LOSSES_ENDURED + 1, ..Past::default() },
            ..get("an instance lost too often", nothing(), stream, 500)
        },
        // Those of objects.
        write("a creation", Method::Put, reply(Response::new(201)), 201),
        write("an append", Method::Post, reply(Response::new(204)), 204),
        write("a deletion", Method::Delete, reply(Response::new(204)), 204),
        write("a HEAD", Method::Head, reply(Response::new(200)), 200),
        write("a full stream", Method::Post, reply(Response::new(507).with(header::RETRY_AFTER, "30")), 507),
        get("a missing stream", reply(Response::new(404)), stream, 404),
        get("the tail", reply(tail), stream, 200),
        get("the tail at this moment", reply(Response::new(200)), "/v1/stream/a?offset=now", 200),
        Case { policy: "nothing", ..get("a page that nothing keeps", reply(page()), stream, 200) },
        Case { policy: "nothing", ..get("one that has not changed", reply(Response::new(304)), stream, 304) },
        // Those of caches and flights.
        get("a MISS", reply(page()), stream, 200),
        get("a HIT", kept(), stream, 200),
        Case { fields: tags, ..get("a HIT that has not changed", kept(), stream, 304) },
        Case { fields: &[(header::CACHE_CONTROL, "no-cache")], ..get("a BYPASS", reply(page()), stream, 200) },
        get("a flight's", others(page()), stream, 200),
        get("a poll's flight's", others(page()), POLL, 200),
        Case { policy: "gateway", ..get("one of the inner entrypoint", reply(page()), stream, 200) },
        Case {
            policy: "gateway",
            fields: tags,
            ..get("one of the inner entrypoint that has not changed", reply(page()), stream, 304)
        },
        Case { policy: "gateway", ..get("an inner entrypoint that fails", says(Says::Fails), stream, 503) },
        // Live ones.
        get("a poll", reply(page()), POLL, 200),
        get("a poll that has waited", greeted(vec![Happens::Message(pushed.encode())]), POLL, 200),
        get("a poll in vain", greeted(vec![]), POLL, 204),
        get("events", greeted(vec![Happens::Message(event(5, "x", true))]), SSE, 200),
        get("events from a page", reply(closed.clone()), SSE, 200),
        Case { policy: "collapsed-events", ..get("shared events", greeted(vec![]), SSE, 200) },
        get("events of a missing stream", reply(Response::new(404)), SSE, 404),
        Case { fields: resumes, ..get("events after a failure", says(Says::Fails), SSE, 200) },
        Case { fields: resumes, ..get("events after the end", reply(closed), SSE, 204) },
    ]
}

/// All values of a field.
fn values<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(own, _)| *own == name).map(|(_, value)| value).collect()
}

#[test]
fn every_answer_says_whose_scripts_may_read_it() {
    for (origins, asking, expected) in [
        (Origins::Any, &[][..], Some("*")),
        (Origins::Any, &["https://any.test"], Some("*")),
        (Origins::NotConfigured, &[LISTED], None),
        (listed(false), &[LISTED], Some(LISTED)),
        (listed(true), &[LISTED], Some(LISTED)),
        // Never the first entry by default.
        (listed(false), &[], None),
        (listed(false), &["https://unlisted.test"], None),
        (listed(false), &["null"], None),
        (listed(false), &[LISTED, LISTED], None),
    ] {
        for case in cases() {
            let what = format!("{} for {asking:?} of {origins:?}", case.what);
            let (answer, env) = case.answer(&origins, asking);
            let allowed: Vec<&str> = expected.into_iter().collect();
            assert_eq!(values(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{what}");
            let exposed: Vec<&str> = expected.map(|_| EXPOSED_HEADERS).into_iter().collect();
            assert_eq!(values(&answer, header::ACCESS_CONTROL_EXPOSE_HEADERS), exposed, "{what}");
            // What is kept is kept for all.
            for name in [header::ACCESS_CONTROL_ALLOW_ORIGIN, header::ACCESS_CONTROL_EXPOSE_HEADERS, header::VARY] {
                assert!(env.stored(KEY).is_none_or(|stored| stored.headers.get(name).is_none()), "{what}: {name}");
            }
        }
    }
}

#[test]
fn every_answer_that_depends_on_the_origin_says_so_whether_it_may_be_read_or_not() {
    for asking in [&[][..], &[LISTED], &["https://unlisted.test"]] {
        for (origins, depends) in
            [(listed(false), true), (listed(true), true), (Origins::Any, false), (Origins::NotConfigured, false)]
        {
            for case in cases() {
                let what = format!("{} for {asking:?} of {origins:?}", case.what);
                // Browsers that come back are told otherwise than those that come.
                let others = (case.policy == "collapsed-events").then_some("Last-Event-ID");
                let expected = match (others, depends) {
                    (Some(others), true) => vec![format!("{others}, Origin")],
                    (None, true) => vec!["Origin".to_owned()],
                    (others, false) => others.into_iter().map(str::to_owned).collect(),
                };
                let (answer, _) = case.answer(&origins, asking);
                assert_eq!(values(&answer, header::VARY), expected, "{what}");
            }
        }
    }
}

#[test]
fn caches_in_front_keep_what_depends_on_the_origin_only_if_they_keep_origins_apart() {
    let told = |case: Case, origins: &Origins| {
        let (answer, env) = case.answer(origins, &[LISTED]);
        (values(&answer, header::CACHE_CONTROL).join("; "), env)
    };
    let mut shared = 0;
    let (mixed, apart) = (listed(false), listed(true));
    for ((any, case), front) in cases().into_iter().zip(cases()).zip(cases()) {
        let what = case.what;
        let own = told(any, &Origins::Any).0;
        shared += u32::from(own.starts_with("public"));
        let (private, env) = told(case, &mixed);
        let expected = own.replace("public", "private").replace("no-cache", "private, no-cache");
        assert_eq!(private, expected, "{what}");
        assert_eq!(told(front, &apart).0, own, "{what}");
        // The edge itself looks at no origin, so what it keeps is for all.
        let stored = env.stored(KEY).and_then(|stored| stored.headers.get(header::CACHE_CONTROL).map(str::to_owned));
        assert!(stored.is_none_or(|stored| stored == PAGE), "{what}");
    }
    assert_eq!(shared, 12);
    // With keys they keep what is public, in the same way.
    let keys = || Access::Keys(KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key"));
    for (origins, readers, query, expected) in [
        (apart.clone(), Some("everybody"), "", PAGE),
        (mixed.clone(), Some("everybody"), "", "private, max-age=60, stale-while-revalidate=300"),
        (apart.clone(), None, "", "private, no-store"),
        (mixed, None, "", "private, no-store"),
        (apart, Some("everybody"), "token=x", "private, no-store"),
    ] {
        let config = EdgeConfig { access: keys(), origins, ..config() };
        let answer = page().with_some(header::TAILRACE_READERS, readers);
        let told = Terms::of(&config, query, &Headers::default()).response(answer);
        assert_eq!(values(&told, header::CACHE_CONTROL), [expected]);
        assert_eq!(values(&told, header::VARY), ["Origin"]);
    }
}

#[test]
fn the_inner_entrypoint_says_nothing_of_origins_and_its_answers_stay_public() {
    for origins in [listed(false), Origins::Any] {
        let env = Scripted::new([Says::Reply(page())]);
        let config = EdgeConfig { origins, policy: CachePolicy::named("gateway").expect("a policy"), ..config() };
        let mut headers = Headers::default();
        headers.push(header::ORIGIN, LISTED);
        let url = "http://localhost/v1/stream/a?offset=-1".to_owned();
        let request = Request { method: Method::Get, url, headers, body: None, past: Past::default() };
        Scripted::run(serve_inner(&env, &config, request)).expect("it waits for nothing but the script");
        let answer = env.answered().expect("an answer");
        assert_eq!(values(&answer, header::CACHE_CONTROL), [PAGE]);
        for name in [header::ACCESS_CONTROL_ALLOW_ORIGIN, header::ACCESS_CONTROL_EXPOSE_HEADERS, header::VARY] {
            assert_eq!(answer.headers.get(name), None, "{name}");
        }
    }
}

#[test]
fn a_lost_instance_is_told_to_scripts_as_well() {
    for (origins, asking, allowed, vary) in [
        (Origins::Any, LISTED, Some("*"), None),
        (Origins::NotConfigured, LISTED, None, None),
        (listed(false), LISTED, Some(LISTED), Some("Origin")),
        (listed(false), "https://unlisted.test", None, Some("Origin")),
    ] {
        let config = EdgeConfig { origins, ..config() };
        let mut headers = Headers::default();
        headers.push(header::ORIGIN, asking);
        let answer = answer_when_lost(&config, "http://localhost/v1/stream/a", &headers);
        assert_eq!((answer.status, answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN)), (500, allowed));
        assert_eq!(answer.headers.get(header::VARY), vary);
    }
}

#[test]
fn nothing_is_looked_up_in_an_answer_where_nothing_depends_on_it() {
    let head = || -> Response { panic!("nobody needs it") };
    let terms = |origins| Terms::of(&EdgeConfig { origins, ..config() }, "", &Headers::default());
    assert_eq!(*terms(Origins::NotConfigured).changes(Changes::NONE, head), *Changes::NONE);
    assert_eq!(terms(Origins::Any).changes(Changes::NONE, head).set.iter().count(), 2);
}
