//! How often one client may do what costs the service more than it costs the client.
//!
//! A deployment has such limits or has not; without one nothing is asked. Appends and plain reads never ask, and neither
//! do long-polls: each of them ends by itself, and a reader makes one for every message. What a client *holds* is bounded
//! elsewhere ([`MemoryLimits`](crate::protocol::MemoryLimits), and the platform); this bounds what it *begins*.

use std::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::access;
use super::config::EdgeConfig;
use super::event_source;
use super::failure::refused;
use super::routed::{Forward, Routed};
use crate::mutant::mutated;
use crate::protocol::limits::RATE_MS;
use crate::protocol::message::{Live, Message, Operation};
use crate::protocol::{ErrorCode, Headers, Method, Refusal, Response, header};
use crate::runtime::{EdgeEnv, RateLimit, marks};

/// The longest text of an IPv4 address, in bytes.
const IPV4_LENGTH: usize = "255.255.255.255".len();

/// Whether a request opens something that is limited.
pub(super) fn is_opening(routed: &Routed) -> bool {
    match routed {
        Routed::Live(live) => live.mode == Live::Sse || mutated!(LongPollsAskLimits),
        Routed::Forward(Forward { message: Message { operation, .. }, .. }) => {
            matches!(operation, Operation::Create(_) | Operation::Fork(_))
        }
        Routed::Answer(_) | Routed::Project(_) | Routed::Projects { .. } => false,
    }
}

/// Who a client is that may do what it asks for: whoever has its token, or without one its address. `None` if the host
/// does not know where the request comes from.
pub(super) fn client(config: &EdgeConfig, method: Method, query: &str, headers: &Headers) -> Option<String> {
    // Where nobody checks tokens, a client might show another one each time.
    let is_checked = config.access.is_checked();
    let token = is_checked.then(|| access::token_of(method, query, headers)).flatten();
    match token {
        // The token says of which project it is.
        Some(token) => Some(format!("token {}", URL_SAFE_NO_PAD.encode(Sha256::digest(token)))),
        None => address(headers),
    }
}

/// Where a request comes from: an IPv4 address, or the network of 64 bits of an IPv6 address, all of which one client
/// usually has.
pub(super) fn address(headers: &Headers) -> Option<String> {
    let text = headers.get(header::CF_CONNECTING_IP)?;
    let Ok(address) = text.parse::<Ipv6Addr>() else {
        // What the platform says is an IPv4 address then.
        return (1..=IPV4_LENGTH).contains(&text.len()).then(|| format!("address {text}"));
    };
    let [a, b, c, d, .., g, h] = address.segments();
    Some(match address.to_ipv4_mapped() {
        Some(_) => format!("address {}.{}.{}.{}", g >> 8, g & 255, h >> 8, h & 255),
        None => format!("address {a:x}:{b:x}:{c:x}:{d:x}/64"),
    })
}

/// Whether a client does something more often than it may. A limit that cannot be asked limits nobody.
pub(super) async fn is_too_often<E: EdgeEnv>(env: &E, limit: RateLimit, client: &str) -> bool {
    let is_within = env.is_within(limit, client, RATE_MS).await;
    match is_within {
        Some(true) => {}
        Some(false) => env.sometimes(marks::RATE_EXCEEDED),
        None => env.sometimes(marks::RATE_UNKNOWN),
    }
    is_within == Some(false) || is_within.is_none() && mutated!(LimitFailsClosed)
}

/// The answer to a client that opens more than it may. A browser that comes back by itself would take the status for the
/// end: it is told when to come back.
pub(super) fn too_many_openings(env: &impl EdgeEnv, method: Method, resumes: bool) -> Response {
    if resumes { event_source::come_later(env) } else { too_often(method) }
}

/// The answer to a client that does something too often.
pub(super) fn too_often(method: Method) -> Response {
    refused(method, &Refusal::new(ErrorCode::RateLimited, "the client does this too often; nothing was applied"))
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Happens, START_MS, Says, Scripted, UnderWay, config, greeting};
    use super::super::{Access, Claims, KeyRing, Origins, Rates, Scope, mint, picked_headers, serve, serve_inner};
    use super::*;
    use crate::protocol::CachePolicy;
    use crate::runtime::{Past, Request};

    const ADDRESS: (&str, &str) = (header::CF_CONNECTING_IP, "192.0.2.7");
    const EVENTS: &str = "/v1/stream/a?offset=-1&live=sse";
    const POLL: &str = "/v1/stream/a?offset=-1&live=long-poll";
    const READ: &str = "/v1/stream/a?offset=-1";

    fn ring() -> KeyRing {
        KeyRing::parse(&format!("k:{}", "A".repeat(43))).expect("a key")
    }

    fn token(scope: Scope, lasts_s: u64) -> String {
        let (project, expires_s) = ("_default".to_owned(), START_MS / 1_000 + lasts_s);
        let claims = Claims { project, scope, expires_s, begins_s: None, stream: None, stream_id: None };
        mint(&ring(), &claims).expect("a token")
    }

    fn limited(access: Access) -> EdgeConfig {
        let policy = CachePolicy::named("immutable-and-long-poll").expect("a policy");
        let rates = Rates::bound(["STREAMS", "OPENINGS", "FAILURES"]);
        EdgeConfig { access, policy, rates, ..config() }
    }

    fn keyed() -> EdgeConfig {
        limited(Access::Keys(ring()))
    }

    /// What a request is answered.
    fn served(
        env: &Scripted,
        config: &EdgeConfig,
        (method, target): (Method, &str),
        fields: &[(&'static str, &str)],
    ) -> Response {
        let mut headers = Headers::default();
        headers.push(header::CONTENT_TYPE, "text/plain");
        fields.iter().for_each(|(name, value)| headers.push(*name, *value));
        let url = format!("http://localhost{target}");
        let body = matches!(method, Method::Put | Method::Post).then(|| env.upload(1, false));
        let request = Request { method, url, headers, body, past: Past::default() };
        Scripted::run(serve(env, config, request)).expect("it waits for nothing but the script");
        env.answered().expect("an answer")
    }

    fn code(answer: &Response) -> String {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The limits that were asked.
    fn asked(env: &Scripted) -> Vec<String> {
        let is_limit = |note: &String| RateLimit::ALL.iter().any(|limit| note.starts_with(limit.name()));
        env.notes().into_iter().filter(is_limit).collect()
    }

    #[test]
    fn what_a_client_opens_is_counted_and_nothing_else() {
        let fork = (header::STREAM_FORKED_FROM, "/v1/stream/b");
        let debug = (header::TAILRACE_DEBUG, "1");
        for (request, field, counts) in [
            ((Method::Put, "/v1/stream/a"), debug, true),
            ((Method::Put, "/v1/stream/a"), fork, true),
            ((Method::Get, EVENTS), debug, true),
            ((Method::Get, POLL), debug, false),
            ((Method::Get, READ), debug, false),
            ((Method::Get, "/v1/stream/a?offset=now"), debug, false),
            ((Method::Head, "/v1/stream/a"), debug, false),
            ((Method::Post, "/v1/stream/a"), debug, false),
            ((Method::Delete, "/v1/stream/a"), debug, false),
            ((Method::Options, "/v1/stream/a"), debug, false),
            ((Method::Post, "/v1/projects/_default/reader-keys/a"), debug, false),
            // What is refused has opened nothing.
            ((Method::Put, "/v1/stream/a//b"), debug, false),
            ((Method::Get, "/v1/stream/a?live=sse"), debug, false),
            ((Method::Get, "/health"), debug, false),
        ] {
            let env = Scripted::new([Says::Reply(Response::new(404))]);
            served(&env, &limited(Access::NoAuth), request, &[ADDRESS, field]);
            let expected = if counts { vec!["OPENINGS address 192.0.2.7".to_owned()] } else { vec![] };
            assert_eq!(asked(&env), expected, "{request:?} {field:?}");
            // Without a limit nothing is asked.
            let env = Scripted::new([Says::Reply(Response::new(404))]);
            served(
                &env,
                &EdgeConfig { rates: Rates::default(), ..limited(Access::NoAuth) },
                request,
                &[ADDRESS, field],
            );
            assert_eq!(asked(&env), Vec::<String>::new());
        }
    }

    #[test]
    fn who_opens_too_much_is_told_when_to_come_again_and_nothing_is_done() {
        for request in [(Method::Put, "/v1/stream/a"), (Method::Get, EVENTS)] {
            let env = Scripted::new([Says::Reply(Response::new(201))]).with_rates([Some(false)]);
            let answer = served(&env, &limited(Access::NoAuth), request, &[ADDRESS]);
            assert_eq!((answer.status, code(&answer).as_str()), (429, "rate_limited"), "{request:?}");
            assert_eq!(answer.headers.get(header::RETRY_AFTER), Some("60"));
            assert_eq!(answer.headers.get(header::CACHE_CONTROL), Some("no-store"));
            let counted = "OPENINGS address 192.0.2.7";
            let expected = if request.0 == Method::Put { vec!["watch", counted, "drain"] } else { vec![counted] };
            assert_eq!(env.notes(), expected, "{request:?}");
            // A limit that cannot be asked limits nobody.
            let env = Scripted::new([Says::Reply(Response::new(404))]).with_rates([None]);
            assert_eq!(served(&env, &limited(Access::NoAuth), request, &[ADDRESS]).status, 404, "{request:?}");
        }
    }

    #[test]
    fn a_browser_that_comes_back_too_often_is_told_to_come_back_later() {
        let env = Scripted::new([]).with_rates([Some(false)]);
        let last = (header::LAST_EVENT_ID, "0000000000000000_0000000000000005");
        let answer = served(&env, &limited(Access::NoAuth), (Method::Get, EVENTS), &[ADDRESS, last]);
        let retry = std::str::from_utf8(&answer.body).ok().and_then(|text| text.strip_prefix("retry:"));
        let retry_ms = retry.and_then(|text| text.trim_end().parse::<u64>().ok());
        assert_eq!(
            (answer.status, retry_ms.is_some_and(|ms| (60_000..=90_000).contains(&ms))),
            (200, true),
            "{retry:?}"
        );
    }

    #[test]
    fn a_client_is_its_token_or_its_address() {
        let [read, write] = [Scope::Read, Scope::Write].map(|scope| format!("Bearer {}", token(scope, 99)));
        let key_of = |config: &EdgeConfig, fields: &[(&'static str, &str)]| {
            let env = Scripted::new([Says::Reply(Response::new(404))]);
            served(&env, config, (Method::Get, EVENTS), fields);
            asked(&env).pop()
        };
        let of_token = |token: &str| key_of(&keyed(), &[ADDRESS, (header::AUTHORIZATION, token)]).expect("a key");
        assert!(of_token(&read).starts_with("OPENINGS token "), "{}", of_token(&read));
        assert_eq!((of_token(&read) == of_token(&read), of_token(&read) == of_token(&write)), (true, false));
        // No part of a token stands in a key that others may see.
        assert!(read.split(['.', ' ']).all(|part| part == "Bearer" || !of_token(&read).contains(part)));
        // Where nobody checks tokens, one is worth nothing.
        let open = limited(Access::NoAuth);
        let shown = key_of(&open, &[ADDRESS, (header::AUTHORIZATION, &read)]);
        assert_eq!(shown.as_deref(), Some("OPENINGS address 192.0.2.7"));
        for (address, expected) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2/64")),
            ("2001:db8:1:2::", Some("2001:db8:1:2/64")),
            ("2001:db8:1:3:3:4:5:6", Some("2001:db8:1:3/64")),
            // Whoever is not known cannot be counted.
            ("", None),
            ("192.0.2.7, 192.0.2.8", None),
        ] {
            let found = key_of(&keyed(), &[(header::CF_CONNECTING_IP, address)]);
            let expected = expected.map(|network| format!("OPENINGS address {network}"));
            assert_eq!(found.filter(|key| key.starts_with("OPENINGS")), expected, "{address}");
        }
    }

    /// A refusal of an object.
    fn no_token() -> Says {
        Says::Reply(Response::refusal(&Refusal::no_token()).with_common())
    }

    #[test]
    fn who_is_refused_for_want_of_a_token_is_counted_and_at_last_told_so() {
        let forged = format!("Bearer {}x", token(Scope::Manage, 99));
        let expired = format!("Bearer {}", token(Scope::Manage, 0));
        let narrow = format!("Bearer {}", token(Scope::Read, 99));
        let origins = Origins::from_vars(false, |name| (name == "TAILRACE_ORIGINS").then_some("https://a.test"));
        let config = EdgeConfig { origins: origins.expect("a list"), ..keyed() };
        let put = (Method::Put, "/v1/stream/a");
        let landed =
            || UnderWay { brings: Some(Response::refusal(&Refusal::no_token()).with_common()), ..UnderWay::default() };
        for (request, authorization, lands, status) in [
            (put, None, false, 401),
            (put, Some(&forged), false, 401),
            (put, Some(&expired), false, 401),
            ((Method::Get, READ), Some(&forged), false, 401),
            ((Method::Head, "/v1/stream/a"), Some(&forged), false, 401),
            ((Method::Get, "/v1/stream/__ds/x"), None, false, 401),
            // Of these the object has found that they need one.
            ((Method::Get, READ), None, false, 401),
            ((Method::Get, READ), None, true, 401),
            ((Method::Get, "/v1/stream/a?offset=now"), None, false, 401),
            ((Method::Get, POLL), None, false, 401),
            ((Method::Get, POLL), None, true, 401),
            ((Method::Get, EVENTS), None, false, 401),
            ((Method::Head, "/v1/stream/a"), None, false, 401),
            // Who is known and may not is no stranger that guesses.
            (put, Some(&narrow), false, 403),
        ] {
            let fields = [Some(ADDRESS), authorization.map(|text| (header::AUTHORIZATION, text.as_str()))];
            let fields: Vec<(&'static str, &str)> = fields.into_iter().flatten().collect();
            let env = || match lands {
                true => Scripted::new([]).with_flights([landed(), landed()]),
                false => Scripted::new([no_token(), no_token()]),
            };
            let (within, plain) = (env(), env());
            let answer = served(&within, &config, request, &fields);
            let expected = served(&plain, &EdgeConfig { rates: Rates::default(), ..config.clone() }, request, &fields);
            // The host sends no body of an object's in answer to HEAD.
            let expected = if request.0 == Method::Head { expected.without_body() } else { expected };
            assert_eq!((answer.status, &answer), (status, &expected), "{request:?} {authorization:?}");
            let failures = |env: &Scripted| asked(env).into_iter().filter(|note| note.starts_with("FAIL")).collect();
            let counted: Vec<String> = failures(&within);
            let is_counted = status == 401;
            assert_eq!(counted, if is_counted { vec!["FAILURES address 192.0.2.7"] } else { vec![] }, "{request:?}");
            assert_eq!(asked(&plain), Vec::<String>::new());
            // A connection with events is an opening, too.
            let opens = if request.1 == EVENTS { vec![Some(true)] } else { vec![] };
            let beyond = env().with_rates(opens.into_iter().chain([Some(false)]));
            let answer = served(&beyond, &config, request, &fields);
            assert_eq!(answer.status, if is_counted { 429 } else { 403 }, "{request:?} {authorization:?}");
            if is_counted && request.0 != Method::Head {
                assert_eq!(code(&answer), "rate_limited");
            }
            // It leaves on the same terms.
            let of_terms = [header::CACHE_CONTROL, header::VARY, header::X_CACHE, header::AGE];
            assert_eq!(of_terms.map(|name| answer.headers.get(name)), of_terms.map(|name| expected.headers.get(name)));
            let unknown = env().with_rates([None, None]);
            assert_eq!(served(&unknown, &config, request, &fields).status, status, "{request:?}");
        }
    }

    #[test]
    fn what_is_answered_otherwise_asks_for_no_limit_of_failures() {
        let granted = format!("Bearer {}", token(Scope::Manage, 99));
        for (config, says, authorization, status) in [
            (keyed(), Says::Reply(Response::new(200)), None, 200),
            (keyed(), Says::Reply(Response::new(404)), Some(granted.as_str()), 404),
            (keyed(), Says::Fails, None, 503),
            (EdgeConfig { rates: Rates::bound(["OPENINGS"]), ..keyed() }, no_token(), None, 401),
        ] {
            let env = Scripted::new([says]);
            let fields = [Some(ADDRESS), authorization.map(|text| (header::AUTHORIZATION, text))];
            let fields: Vec<(&'static str, &str)> = fields.into_iter().flatten().collect();
            assert_eq!(served(&env, &config, (Method::Get, READ), &fields).status, status);
            assert_eq!(asked(&env), Vec::<String>::new(), "{status}");
        }
        // Nor does one for whom nobody knows where it comes from.
        let env = Scripted::new([no_token()]);
        assert_eq!((served(&env, &keyed(), (Method::Get, READ), &[]).status, asked(&env)), (401, vec![]));
    }

    #[test]
    fn nobody_is_counted_at_the_inner_entrypoint_nor_again_when_served_anew() {
        let request = |past| {
            let mut headers = Headers::default();
            headers.push(ADDRESS.0, ADDRESS.1);
            let url = format!("http://localhost{EVENTS}");
            Request { method: Method::Get, url, headers, body: None, past }
        };
        let env = Scripted::new([Says::Socket(vec![greeting(2), Happens::Cut])]);
        Scripted::run(serve_inner(&env, &keyed(), request(Past::default()))).expect("it ends");
        assert_eq!(asked(&env), Vec::<String>::new());
        let env = Scripted::new([]);
        let past = Past { losses: 1, has_called: true, age_ms: 5 };
        Scripted::run(serve(&env, &limited(Access::NoAuth), request(past))).expect("it ends");
        assert_eq!(asked(&env), Vec::<String>::new());
    }

    #[test]
    fn the_address_is_looked_for_only_where_something_is_limited() {
        for (names, expected) in [(&[][..], false), (&["STREAMS"], false), (&["OPENINGS"], true), (&["FAILURES"], true)]
        {
            let config = EdgeConfig { rates: Rates::bound(names.iter().copied()), ..config() };
            let is_picked = picked_headers(&config).any(|name| name == header::CF_CONNECTING_IP);
            assert_eq!(is_picked, expected, "{names:?}");
        }
    }
}
