//! The gateway: a read whose access has been checked is answered by the inner entrypoint of the same Worker. A cache of the
//! platform stands between the two and has identical reads answered once, whoever asks and however they spell it.

use super::cached::refuses_copies;
use super::failure::unreachable;
use crate::protocol::message::{Live, Read};
use crate::protocol::percent::encode_path;
use crate::protocol::{Admission, Headers, Method, Response, cache, etag, header};
use crate::runtime::{CallError, Called, Changes, EdgeEnv, Reply, marks};

/// The end of a URL of which the inner entrypoint is asked for a client that has shown no grant. The cache between the two
/// keeps such answers apart from those that were granted.
const PUBLIC_ONLY: &str = "&readers=everybody";

/// The URL of which the inner entrypoint is asked; `None` if the request is served where it is.
///
/// It is the same for all identical reads: the path in one spelling (`stream_path` is decoded, without the route), the
/// parameters in one order, and nothing else that a client has sent, a token least of all. What has another answer at each
/// moment is not forwarded, and events are not, of which no cache has a use; nor is what a client wants no copy of.
pub(super) fn inner_url(
    origin: &str,
    route: &str,
    stream_path: &str,
    read: &Read,
    headers: &Headers,
    admission: Admission,
) -> Option<String> {
    if read.live == Some(Live::Sse) || refuses_copies(headers) {
        return None;
    }
    let question = cache::question(origin, read)?;
    let public_only = if admission.is_stranger() { PUBLIC_ONLY } else { "" };
    Some(format!("{origin}{route}{}?{question}{public_only}", encode_path(stream_path)))
}

/// Whether a gateway asks for a client that has shown no grant.
pub(super) fn asks_for_stranger(query: &str) -> bool {
    query.ends_with(PUBLIC_ONLY)
}

/// Answers a read with what the inner entrypoint answers. It is asked without the client's entity tags, since others
/// share its answer, so they are compared here.
pub(super) async fn forward<E: EdgeEnv>(env: &E, url: &str, if_none_match: Option<&str>, has_asked: bool) {
    env.sometimes(marks::READ_FORWARDED);
    // What an earlier task has asked is not asked again.
    let reply = match if has_asked { env.earlier_call().await } else { env.ask_inner(url).await } {
        Ok(Called::Reply(reply)) => reply,
        Ok(Called::Socket(_)) => {
            let error = CallError::Exception("a socket instead of a reply".to_owned());
            return env.answer(unreachable(Method::Get, &error));
        }
        Err(error) => return env.answer(unreachable(Method::Get, &error)),
    };
    let Some(if_none_match) = if_none_match else { return env.pass_on(reply, Changes::NONE) };
    let mut head = reply.head();
    let has_copy =
        head.status == 200 && head.headers.get(header::ETAG).is_some_and(|tag| etag::names(if_none_match, tag));
    if !has_copy {
        return env.pass_on(reply, Changes::NONE);
    }
    env.sometimes(marks::FORWARDED_READ_UNCHANGED);
    head.headers.remove(&[header::CONTENT_TYPE, header::CONTENT_LENGTH]);
    env.answer(Response { status: 304, ..head });
}

#[cfg(test)]
mod tests {
    use super::super::EdgeConfig;
    use super::super::scripted::{START_MS, Says, Scripted, config};
    use super::super::serve::{serve, serve_inner};
    use super::*;
    use crate::protocol::CachePolicy;
    use crate::protocol::limits::{CURSOR_AHEAD_MS, LOSSES_ENDURED};
    use crate::runtime::{Past, Request};

    const AT: &str = "0000000000000001_0000000000000002";

    fn gateway() -> EdgeConfig {
        EdgeConfig { policy: CachePolicy::named("gateway").expect("a policy"), ..config() }
    }

    fn get(target: &str, fields: &[(&'static str, &str)]) -> Request<super::super::scripted::ScriptedUpload> {
        let mut headers = Headers::default();
        fields.iter().for_each(|(name, value)| headers.push(*name, *value));
        let url = format!("http://localhost/v1/stream/{target}");
        Request { method: Method::Get, url, headers, body: None, past: Past::default() }
    }

    fn page(status: u16) -> Response {
        Response::new(status)
            .with(header::ETAG, "\"i:0:1\"")
            .with(header::CONTENT_TYPE, "text/plain")
            .with(header::CACHE_CONTROL, "no-cache")
            .with_body("data")
    }

    #[test]
    fn identical_reads_are_forwarded_with_one_url_and_nothing_else_of_theirs() {
        let page_url = format!("inner http://localhost/v1/stream/a%20b/c?offset={AT}");
        let poll_url = |cursor: &str| format!("{page_url}&live=long-poll{cursor}");
        for (target, fields, expected) in [
            (format!("a%20b/c?offset={AT}"), &[][..], Some(page_url.clone())),
            (format!("%61%20b%2fc?token=x&offset={AT}"), &[(header::IF_NONE_MATCH, "\"x\"")], Some(page_url.clone())),
            (format!("a%20b/c?cursor=7&offset={AT}"), &[(header::CACHE_CONTROL, "max-age=5")], Some(page_url.clone())),
            ("a".to_owned(), &[], Some("inner http://localhost/v1/stream/a?offset=-1".to_owned())),
            (format!("a%20b/c?live=long-poll&offset={AT}"), &[], Some(poll_url(""))),
            (format!("a%20b/c?cursor=7&live=long-poll&offset={AT}&x=y"), &[], Some(poll_url("&cursor=7"))),
            // Whatever no cache has an answer to.
            (format!("a%20b/c?live=sse&offset={AT}"), &[], None),
            ("a?offset=now".to_owned(), &[], None),
            ("a?offset=now&live=long-poll".to_owned(), &[], None),
            ("a".to_owned(), &[(header::CACHE_CONTROL, "no-cache")], None),
            ("a".to_owned(), &[(header::CACHE_CONTROL, "No-Store")], None),
            ("a".to_owned(), &[(header::CACHE_CONTROL, "max-age=0")], None),
            ("a".to_owned(), &[(header::TAILRACE_DEBUG, "1")], None),
            ("a?offset=x".to_owned(), &[], None),
        ] {
            let env = Scripted::new([Says::Reply(page(200))]);
            Scripted::run(serve(&env, &gateway(), get(&target, fields))).expect("it waits for nothing but the script");
            let notes = env.notes();
            let forwarded = notes.iter().find(|note| note.starts_with("inner"));
            assert_eq!(forwarded, expected.as_ref(), "{target} {fields:?}");
            let env = Scripted::new([Says::Reply(page(200))]);
            Scripted::run(serve(&env, &config(), get(&target, fields))).expect("it waits for nothing but the script");
            assert!(!env.notes().iter().any(|note| note.starts_with("inner")), "no other policy has a gateway");
        }
    }

    #[test]
    fn what_is_no_read_of_a_stream_is_served_where_it_is() {
        for method in [Method::Put, Method::Post, Method::Delete, Method::Head] {
            let env = Scripted::new([Says::Reply(Response::new(200))]);
            let request = Request { method, ..get("a", &[]) };
            Scripted::run(serve(&env, &gateway(), request)).expect("it waits for nothing but the script");
            assert!(!env.notes().iter().any(|note| note.starts_with("inner")), "{method:?}");
        }
        let closed = EdgeConfig { access: super::super::Access::NotConfigured, ..gateway() };
        let env = Scripted::new([Says::Reply(page(200))]);
        Scripted::run(serve(&env, &closed, get("a", &[]))).expect("it waits for nothing but the script");
        assert_eq!(
            (env.answered().map(|answer| answer.status), env.notes().len()),
            (Some(500), 0),
            "access comes first"
        );
    }

    #[test]
    fn the_gateway_compares_entity_tags_and_passes_on_all_else() {
        for (status, if_none_match, expected) in [
            (200, None, 200),
            (200, Some("\"i:0:1\""), 304),
            (200, Some("\"x\", W/\"i:0:1\""), 304),
            (200, Some("\"x\""), 200),
            (204, Some("*"), 204),
            (404, Some("*"), 404),
        ] {
            let env = Scripted::new([Says::Reply(page(status))]);
            let fields: Vec<_> = if_none_match.map(|tags| (header::IF_NONE_MATCH, tags)).into_iter().collect();
            Scripted::run(serve(&env, &gateway(), get("a", &fields))).expect("it waits for nothing but the script");
            let answer = env.answered().expect("an answer");
            assert_eq!(answer.status, expected, "{status} {if_none_match:?}");
            let told = [header::ETAG, header::CACHE_CONTROL, header::CONTENT_TYPE].map(|name| answer.headers.get(name));
            let content_type = (expected != 304).then_some("text/plain");
            assert_eq!(told, [Some("\"i:0:1\""), Some("no-cache"), content_type]);
            assert_eq!(answer.body.is_empty(), expected == 304);
        }
    }

    #[test]
    fn an_inner_entrypoint_that_fails_is_a_failure_and_one_that_loses_instances_is_not_asked_again_and_again() {
        let env = Scripted::new([Says::Fails]);
        Scripted::run(serve(&env, &gateway(), get("a", &[]))).expect("it waits for nothing but the script");
        assert_eq!(env.answered().map(|answer| answer.status), Some(503));
        let url = "inner http://localhost/v1/stream/a?offset=-1";
        for (losses, has_called, notes, status) in [
            (LOSSES_ENDURED, false, &[url][..], 200),
            (LOSSES_ENDURED, true, &["earlier call"], 200),
            (LOSSES_ENDURED + 1, false, &[], 500),
            (LOSSES_ENDURED + 1, true, &[], 500),
        ] {
            let env = Scripted::new([Says::Reply(page(200))]);
            let past = Past { losses, has_called, age_ms: 0 };
            Scripted::run(serve(&env, &gateway(), Request { past, ..get("a", &[]) })).expect("it ends");
            assert_eq!(env.notes(), notes, "{past:?}");
            assert_eq!(env.answered().map(|answer| answer.status), Some(status), "{past:?}");
        }
    }

    #[test]
    fn the_gateway_judges_a_cursor_and_waits_until_the_next_one_is_accepted() {
        let last = START_MS + CURSOR_AHEAD_MS;
        let target = |cursor| format!("a?offset=-1&live=long-poll&cursor={cursor}");
        let url = |cursor| format!("inner http://localhost/v1/stream/{}", target(cursor));
        let served = |is_inner, cursor| {
            let env = Scripted::new([Says::Reply(page(200))]);
            let (config, request) = (gateway(), get(&target(cursor), &[]));
            if is_inner {
                Scripted::run(serve_inner(&env, &config, request)).expect("it waits for nothing but the script");
            } else {
                Scripted::run(serve(&env, &config, request)).expect("it waits for nothing but the script");
            }
            (env.answered().map(|answer| answer.status), env.notes())
        };
        assert_eq!(served(false, last - 1), (Some(200), vec![url(last - 1)]));
        assert_eq!(served(false, last), (Some(200), vec!["sleep 1".to_owned(), url(last)]));
        assert_eq!(served(false, last + 1), (Some(400), vec![]));
        // The gateway's clock may be ahead.
        for cursor in [last, last + 1, last + 1_000] {
            let notes = vec![format!("ask -1 cursor {cursor}"), "land 200".to_owned()];
            assert_eq!(served(true, cursor), (Some(200), notes));
        }
    }

    #[test]
    fn the_inner_entrypoint_answers_what_a_gateway_forwards_and_nothing_else() {
        for (policy, method, target, status, notes) in [
            ("gateway", Method::Get, "a", 200, &["call _default/a"][..]),
            ("gateway", Method::Get, "a?offset=-1&live=long-poll", 200, &["ask -1", "land 200"]),
            ("gateway", Method::Get, "a?offset=now", 404, &[]),
            ("gateway", Method::Get, "a?offset=-1&live=sse", 404, &[]),
            ("gateway", Method::Delete, "a", 404, &[]),
            ("gateway", Method::Put, "a", 404, &[]),
            ("gateway", Method::Head, "a", 404, &[]),
            ("workers-cache", Method::Get, "a", 404, &[]),
        ] {
            let config = EdgeConfig { policy: CachePolicy::named(policy).expect("a policy"), ..config() };
            let env = Scripted::new([Says::Reply(page(200))]);
            let request = Request { method, ..get(target, &[]) };
            Scripted::run(serve_inner(&env, &config, request)).expect("it waits for nothing but the script");
            let noted = env.notes();
            assert_eq!(env.answered().map(|answer| answer.status), Some(status), "{policy} {method:?} {target}");
            assert_eq!(noted, notes, "{policy} {method:?} {target}");
        }
    }
}
