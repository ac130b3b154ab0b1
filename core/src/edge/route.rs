//! A request's route, and the message to its object: a pure function.

use std::borrow::Cow;

use super::config::{Access, EdgeConfig};
use super::registry::{RegistryPath, RegistryRequest};
use super::routed::Routed;
use super::stream_request::{Entrance, STREAM_ROUTE, StreamRequest, last_event_id};
use crate::protocol::cors::{self, STREAM_METHODS};
use crate::protocol::message::Live;
use crate::protocol::path::DEFAULT_PROJECT;
use crate::protocol::query::Query;
use crate::protocol::{CacheControl, ErrorCode, Headers, Method, ProjectMode, Refusal, Response, header};

/// What the paths begin with of what belongs to a project, and what follows the project in those of reader keys.
pub(super) const PROJECT_ROUTE: &str = "/v1/projects/";
const READER_KEYS: &str = "/reader-keys/";

/// The request header fields that core reads, in lower case. A host may leave out all others.
pub const PICKED_HEADERS: &[&str] = &[
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CF_CONNECTING_IP,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::LAST_EVENT_ID,
    header::ORIGIN,
    header::PRODUCER_EPOCH,
    header::PRODUCER_ID,
    header::PRODUCER_SEQ,
    header::STREAM_CLOSED,
    header::STREAM_EXPIRES_AT,
    header::STREAM_FORK_OFFSET,
    header::STREAM_FORK_SUB_OFFSET,
    header::STREAM_FORKED_FROM,
    header::STREAM_SEQ,
    header::STREAM_TTL,
    header::TAILRACE_DEBUG,
];

/// Those of them that mean something to a deployment. Each costs a host a look.
pub fn picked_headers(config: &EdgeConfig) -> impl Iterator<Item = &'static str> {
    // A project may list them whatever the deployment does.
    let are_origins_listed = config.origins.are_listed() || config.registry.is_some();
    let are_rates_limited = config.rates.are_there();
    PICKED_HEADERS.iter().copied().filter(move |name| match *name {
        header::ORIGIN => are_origins_listed,
        header::CF_CONNECTING_IP => are_rates_limited,
        _ => true,
    })
}

/// Decides where a request goes. `url` is absolute. The clock, in ms since the Unix epoch, is asked only if it matters.
pub fn route(
    config: &EdgeConfig,
    method: Method,
    url: &str,
    headers: &Headers,
    entrance: Entrance,
    now_ms: impl Fn() -> u64,
) -> Routed {
    let answer = |response: Response| {
        let response = response.with_common();
        Routed::Answer(if method == Method::Head { response.without_body() } else { response })
    };
    if method == Method::Options {
        return answer(cors::preflight());
    }
    let (origin, path, query) = split(url);
    if path == "/health" {
        return answer(match method {
            Method::Get | Method::Head => health(),
            _ => method_not_allowed("GET, HEAD, OPTIONS"),
        });
    }
    let registry_path = config.registry.as_ref().and_then(|_| RegistryPath::parse(path));
    if let Some(registry_path) = registry_path {
        let methods = registry_path.methods();
        let request = RegistryRequest { config, method, query, headers, entrance };
        return match request.routed(registry_path, now_ms) {
            None => answer(method_not_allowed(methods)),
            Some(Ok(routed)) => routed,
            Some(Err(refusal)) => answer(Response::refusal(&refusal)),
        };
    }
    let (place, stream_path) = match (path.strip_prefix(STREAM_ROUTE), reader_key_path(config, path)) {
        (Some(stream_path), _) => (Place::Stream, Cow::Borrowed(stream_path)),
        (None, Some(stream_path)) => (Place::ReaderKey, stream_path),
        (None, None) => {
            return answer(Response::refusal(&Refusal::new(ErrorCode::UnknownRoute, "there is nothing at this path")));
        }
    };
    match &config.access {
        // The request is refused for what is wrong with it before it is for what its client may not do.
        Access::NoAuth | Access::Keys(_) | Access::Projects | Access::Absent(_) => {}
        Access::NotConfigured => {
            let message = "neither authentication nor the no-auth mode is configured";
            return answer(Response::refusal(&Refusal::new(ErrorCode::AuthNotConfigured, message)));
        }
        Access::Misconfigured(problem) => {
            tracing::error!(problem, "misconfigured");
            let refusal = Refusal::new(ErrorCode::Misconfigured, "the service is misconfigured");
            return answer(Response::refusal(&refusal));
        }
    }
    let request = StreamRequest { config, method, origin, path, query, headers, entrance };
    let routed = match (place, method) {
        (Place::Stream, Method::Other) => return answer(method_not_allowed(STREAM_METHODS)),
        (Place::Stream, _) => request.routed(&stream_path, now_ms),
        (Place::ReaderKey, Method::Post) => request.routed_to_reader_key(&stream_path, now_ms),
        (Place::ReaderKey, _) => return answer(method_not_allowed("POST, OPTIONS")),
    };
    match routed {
        Ok(routed) => routed,
        Err(refusal) => answer(Response::refusal(&refusal)),
    }
}

/// What is at a path.
#[derive(Clone, Copy)]
enum Place {
    Stream,
    ReaderKey,
}

/// The path of the stream whose reader key is at this path, as it stands after the stream route.
fn reader_key_path<'a>(config: &EdgeConfig, path: &'a str) -> Option<Cow<'a, str>> {
    let (project, stream_path) = path.strip_prefix(PROJECT_ROUTE)?.split_once(READER_KEYS)?;
    match config.projects {
        ProjectMode::Single => (project == DEFAULT_PROJECT).then_some(Cow::Borrowed(stream_path)),
        ProjectMode::Multi => Some(Cow::Owned(format!("{project}/{stream_path}"))),
    }
}

/// Whether a request comes from a browser's `EventSource` that goes on by itself where its last connection ended. An
/// answer with a failure would end that for good.
pub(super) fn resumes(method: Method, url: &str, headers: &Headers) -> bool {
    let query = query_of(url);
    let is_sse = || Query::parse(query).single("live").is_ok_and(|live| live.and_then(Live::parse) == Some(Live::Sse));
    method == Method::Get && last_event_id(headers).is_some() && is_sse()
}

/// The query of an absolute URL.
pub(super) fn query_of(url: &str) -> &str {
    split(url).2
}

/// The path of an absolute URL.
pub(super) fn path_of(url: &str) -> &str {
    split(url).1
}

/// Origin, path and query of an absolute URL; a fragment never reaches a server.
fn split(url: &str) -> (&str, &str, &str) {
    let after_scheme = url.find("://").map_or(0, |index| index + 3);
    let path_at = url.get(after_scheme..).and_then(|rest| rest.find(['/', '?'])).map(|index| after_scheme + index);
    let (origin, target) = url.split_at(path_at.unwrap_or(url.len()));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (origin, if path.is_empty() { "/" } else { path }, query)
}

fn health() -> Response {
    Response::new(200)
        .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
        .with(header::CONTENT_TYPE, "application/json")
        .with_body(r#"{"status":"ok"}"#)
}

fn method_not_allowed(allow: &'static str) -> Response {
    let refusal = Refusal::new(ErrorCode::MethodNotAllowed, format!("this path takes {allow}"));
    Response::refusal(&refusal).with(header::ALLOW, allow)
}

#[cfg(test)]
mod tests {
    use super::super::{LiveConfig, Origins};
    use super::*;
    use crate::edge::routed::Forward;
    use crate::protocol::limits::TOKEN_LIMIT;
    use crate::protocol::message::{Message, Operation, Read};
    use crate::protocol::{Offset, ProjectMode, ReadFrom};

    const OUTER: Entrance = Entrance::Outer { age_ms: 0 };

    fn config() -> EdgeConfig {
        EdgeConfig {
            access: Access::NoAuth,
            registry: None,
            projects: ProjectMode::Single,
            body_limit: 100,
            live: LiveConfig::default(),
            memory: crate::protocol::MemoryLimits::default(),
            policy: crate::protocol::CachePolicy::default(),
            origins: Origins::Any,
            rates: crate::edge::Rates::default(),
        }
    }

    fn routed(config: &EdgeConfig, method: Method, target: &str, fields: &[(&'static str, &str)]) -> Routed {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        route(config, method, &format!("http://localhost:8787{target}"), &headers, OUTER, || 0)
    }

    fn check(method: Method, target: &str, fields: &[(&'static str, &str)], expected: Result<Operation, u16>) {
        let found = match routed(&config(), method, target, fields) {
            Routed::Answer(response) => Err(response.status),
            Routed::Forward(forward) => Ok(forward.message.operation),
            Routed::Live(live) => Ok(Operation::Read(live.read)),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{method:?} {target} {fields:?}");
    }

    #[test]
    fn routes_and_methods() {
        check(Method::Get, "/health", &[], Err(200));
        check(Method::Post, "/health", &[], Err(405));
        check(Method::Get, "/", &[], Err(404));
        check(Method::Get, "/v1/stream", &[], Err(404));
        check(Method::Get, "/v1/projects/p", &[], Err(404));
        check(Method::Get, "/v1/stream/", &[], Err(400));
        check(Method::Get, "/v1/stream/a//b", &[], Err(400));
        check(Method::Other, "/v1/stream/a", &[], Err(405));
        check(Method::Get, "/v1/stream/__ds/subscriptions/x", &[], Err(501));
        check(Method::Options, "/v1/stream/a", &[], Err(204));
        check(Method::Options, "/anywhere", &[], Err(204));
        check(Method::Head, "/v1/stream/a", &[], Ok(Operation::Head));
        check(Method::Delete, "/v1/stream/a", &[], Ok(Operation::Delete));
    }

    #[test]
    fn reads_are_checked_before_an_object_is_asked() {
        let read = |from, live| {
            Ok(Operation::Read(Read {
                from,
                if_none_match: None,
                live,
                cursor: None,
                from_now: from == ReadFrom::Now,
                is_kept: live != Some(Live::Sse) && from != ReadFrom::Now,
            }))
        };
        check(Method::Get, "/v1/stream/a", &[], read(ReadFrom::Start, None));
        check(Method::Get, "/v1/stream/a?offset=-1&unknown=x", &[], read(ReadFrom::Start, None));
        check(Method::Get, "/v1/stream/a?offset=now&live=sse", &[], read(ReadFrom::Now, Some(Live::Sse)));
        for query in ["offset=", "offset=0", "offset=-1&offset=-1", "live=sse", "offset=-1&live=x", "cursor=x"] {
            check(Method::Get, &format!("/v1/stream/a?{query}"), &[], Err(400));
        }
    }

    #[test]
    fn the_object_is_told_the_entity_tags_of_a_poll_and_the_cursor_of_each_live_read() {
        let tags = &[(header::IF_NONE_MATCH, "\"x\"")];
        let read = |live, if_none_match: Option<&str>, cursor| {
            let if_none_match = if_none_match.map(str::to_owned);
            let is_kept = live != Some(Live::Sse);
            Ok(Operation::Read(Read { from: ReadFrom::Start, if_none_match, live, cursor, from_now: false, is_kept }))
        };
        let target = "/v1/stream/a?offset=-1&cursor=7";
        check(Method::Get, target, tags, read(None, Some("\"x\""), None));
        let long_poll = read(Some(Live::LongPoll), Some("\"x\""), Some(7));
        check(Method::Get, &format!("{target}&live=long-poll"), tags, long_poll);
        check(Method::Get, &format!("{target}&live=sse"), tags, read(Some(Live::Sse), None, Some(7)));
    }

    #[test]
    fn a_browser_goes_on_after_its_last_event_whatever_the_offset_says() {
        const ID: &str = "0000000000000003_0000000000000007";
        let offset = Offset { read_seq: 3, position: 7 };
        let read = |from, live, cursor| {
            Ok(Operation::Read(Read {
                from,
                if_none_match: None,
                live,
                cursor,
                from_now: from == ReadFrom::Now,
                is_kept: live != Some(Live::Sse) && from != ReadFrom::Now,
            }))
        };
        let sse = Some(Live::Sse);
        let resumed = read(ReadFrom::At(offset), sse, None);
        for offset in ["offset=-1", "offset=now", "offset=nonsense", "offset=-1&offset=-1", ""] {
            let target = format!("/v1/stream/a?live=sse&{offset}");
            check(Method::Get, &target, &[(header::LAST_EVENT_ID, ID)], resumed.clone());
        }
        // What we never wrote is no place to go on.
        for id in ["", "7", "-1", "now", "3_7", "0000000000000003_0000000000000007, x"] {
            let fields = &[(header::LAST_EVENT_ID, id)];
            check(Method::Get, "/v1/stream/a?live=sse&offset=now", fields, read(ReadFrom::Now, sse, None));
            check(Method::Get, "/v1/stream/a?live=sse", fields, Err(400));
        }
        // Only events have ids.
        let fields = &[(header::LAST_EVENT_ID, ID)];
        check(Method::Get, "/v1/stream/a", fields, read(ReadFrom::Start, None, None));
        let long_poll = read(ReadFrom::Now, Some(Live::LongPoll), None);
        check(Method::Get, "/v1/stream/a?live=long-poll&offset=now", fields, long_poll);
        for (target, id, expected) in [
            ("?live=sse&offset=-1", ID, true),
            ("?live=sse&offset=-1", "7", false),
            ("?live=long-poll&offset=-1", ID, false),
        ] {
            let fields = &[(header::LAST_EVENT_ID, id)];
            match routed(&config(), Method::Get, &format!("/v1/stream/a{target}"), fields) {
                Routed::Live(live) => assert_eq!(live.resumes, expected, "{target} {id}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn identical_polls_share_a_flight_unless_they_wait_from_now() {
        let key = |target: &str, fields: &[(&'static str, &str)]| match routed(&config(), Method::Get, target, fields) {
            Routed::Live(live) => live.flight_key(),
            other => panic!("{other:?}"),
        };
        let target = "/v1/stream/a?offset=-1&live=long-poll&cursor=7";
        assert!(key(target, &[]).is_some());
        assert_eq!(key(target, &[]), key("/v1/stream/a?live=long-poll&cursor=7&offset=-1&other=x", &[]));
        for other in [
            key("/v1/stream/b?offset=-1&live=long-poll&cursor=7", &[]),
            key("/v1/stream/a?offset=-1&live=long-poll&cursor=8", &[]),
            key("/v1/stream/a?offset=-1&live=long-poll", &[]),
            key(target, &[(header::IF_NONE_MATCH, "\"x\"")]),
            key(target, &[(header::TAILRACE_DEBUG, "1")]),
        ] {
            assert!(other.is_some());
            assert_ne!(other, key(target, &[]));
        }
        assert_eq!(key("/v1/stream/a?offset=now&live=long-poll", &[]), None);
    }

    #[test]
    fn malformed_headers_are_refused_before_an_object_is_asked() {
        let long = "s".repeat(TOKEN_LIMIT + 1);
        for fields in [
            &[(header::STREAM_SEQ, "")][..],
            &[(header::STREAM_SEQ, long.as_str())],
            &[(header::STREAM_SEQ, "\u{fffd}")],
            &[(header::STREAM_SEQ, "é")],
            &[(header::CONTENT_TYPE, "nonsense")],
            &[(header::PRODUCER_ID, "p")],
        ] {
            check(Method::Post, "/v1/stream/a", fields, Err(400));
        }
        for fields in [
            &[(header::STREAM_TTL, "01")][..],
            &[(header::STREAM_EXPIRES_AT, "soon")],
            &[(header::STREAM_TTL, "1"), (header::STREAM_EXPIRES_AT, "2030-01-01T00:00:00Z")],
            &[(header::STREAM_FORK_SUB_OFFSET, "1")],
            &[(header::STREAM_FORKED_FROM, "http://elsewhere/a")],
        ] {
            check(Method::Put, "/v1/stream/a", fields, Err(400));
        }
    }

    #[test]
    fn a_stream_is_public_if_its_creation_says_so() {
        for (query, expected) in [
            ("", Ok(false)),
            ("?public=false", Ok(false)),
            ("?public=true", Ok(true)),
            ("?x=1&%70ublic=tru%65", Ok(true)),
            ("?public", Err(400)),
            ("?public=1", Err(400)),
            ("?public=True", Err(400)),
            ("?public=true&public=true", Err(400)),
        ] {
            let found = match routed(&config(), Method::Put, &format!("/v1/stream/a{query}"), &[]) {
                Routed::Forward(Forward { message: Message { operation: Operation::Create(create), .. }, .. }) => {
                    assert_eq!(create.location, "http://localhost:8787/v1/stream/a");
                    Ok(create.public)
                }
                Routed::Answer(response) => Err(response.status),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{query}");
        }
    }

    #[test]
    fn a_fork_is_asked_of_its_source() {
        let fork = routed(&config(), Method::Put, "/v1/stream/b", &[(header::STREAM_FORKED_FROM, "/v1/stream/a")]);
        let Routed::Forward(forward) = fork else { panic!("{fork:?}") };
        assert_eq!((forward.object.as_str(), forward.takes_body), ("_default/a", false));
    }

    #[test]
    fn without_configuration_every_stream_request_is_500_and_health_answers() {
        let closed = EdgeConfig { access: Access::NotConfigured, ..config() };
        let broken = EdgeConfig { access: Access::Misconfigured("x".into()), ..config() };
        for config in [closed, broken] {
            for (method, target, expected) in [
                (Method::Get, "/health", 200),
                (Method::Get, "/v1/stream/a", 500),
                (Method::Put, "/v1/stream/a", 500),
                (Method::Options, "/v1/stream/a", 204),
            ] {
                match routed(&config, method, target, &[(header::TAILRACE_DEBUG, "1")]) {
                    Routed::Answer(response) => {
                        assert_eq!(response.status, expected);
                        assert_eq!(response.headers.get(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
                    }
                    forward => panic!("{forward:?}"),
                }
            }
        }
    }

    #[test]
    fn scripts_of_other_origins_may_send_every_header_that_means_something() {
        let Routed::Answer(preflight) = routed(&config(), Method::Options, "/v1/stream/a", &[]) else { panic!() };
        let allowed = preflight.headers.get(header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap_or_default();
        // Browsers set these, and let no script set them (the Fetch standard, "forbidden request-header"); or the platform
        // does.
        let of_others = [header::CONTENT_LENGTH, header::ORIGIN, header::CF_CONNECTING_IP];
        let traces = ["baggage", "traceparent", "tracestate"];
        for name in PICKED_HEADERS.iter().filter(|name| !of_others.contains(name)).chain(&traces) {
            assert!(allowed.split(", ").any(|allowed| allowed.eq_ignore_ascii_case(name)), "{name}");
        }
        let methods = preflight.headers.get(header::ACCESS_CONTROL_ALLOW_METHODS);
        assert_eq!(methods, Some("GET, HEAD, PUT, POST, DELETE, OPTIONS"));
    }

    #[test]
    fn the_origin_is_looked_for_only_where_an_answer_depends_on_it() {
        let listed = Origins::from_vars(true, |name| (name == "TAILRACE_ORIGINS").then_some("https://a.test"));
        for (origins, is_picked) in [(Origins::Any, 0), (Origins::NotConfigured, 0), (listed.expect("a list"), 1)] {
            let picked = picked_headers(&EdgeConfig { origins, ..config() }).count();
            // The address of a client is looked for only where something is limited.
            assert_eq!(picked, PICKED_HEADERS.len() - 2 + is_picked);
        }
    }

    #[test]
    fn a_location_is_the_url_without_its_query() {
        let created = routed(&config(), Method::Put, "/v1/stream/a/b?x=1", &[]);
        let Routed::Forward(forward) = created else { panic!("{created:?}") };
        let Operation::Create(create) = forward.message.operation else { panic!("{forward:?}") };
        assert_eq!(create.location, "http://localhost:8787/v1/stream/a/b");
    }

    #[test]
    fn a_location_is_ascii_and_names_the_same_stream() {
        for (host, path, expected) in [
            ("http://h", "ä/b+c d", "http://h/v1/stream/%C3%A4/b+c%20d"),
            ("http://h", "%61%2fb%2B%25", "http://h/v1/stream/a/b+%25"),
            ("http://h\u{fffd}", "a", "/v1/stream/a"),
            ("http://h i", "a", "/v1/stream/a"),
        ] {
            let url = format!("{host}/v1/stream/{path}");
            let created = route(&config(), Method::Put, &url, &Headers::default(), OUTER, || 0);
            let Routed::Forward(created) = created else { panic!("{url}") };
            let Operation::Create(create) = created.message.operation else { panic!("{url}") };
            assert_eq!(create.location, expected);
            match route(
                &config(),
                Method::Head,
                &format!("http://h{}", expected.trim_start_matches("http://h")),
                &Headers::default(),
                OUTER,
                || 0,
            ) {
                Routed::Forward(found) => assert_eq!(found.object, created.object),
                other => panic!("{other:?}"),
            }
        }
    }
}
