//! Serving a request, from its route to the end of its answer.

use super::body::{self, Taken, is_declared_within};
use super::config::{Access, EdgeConfig};
use super::egress::{Outlet, Terms};
use super::failure::{lost, refused, unreachable};
use super::route::{query_of, resumes, route};
use super::routed::{Forward, ProjectForward, Routed};
use super::stream_request::Entrance;
use super::{cached, event_source, gateway, long_poll, projects, rates, registry, sse};
use crate::mutant::mutated;
use crate::protocol::limits::{LOSSES_ENDURED, WATCHED_UPLOAD};
use crate::protocol::message::{Live, Operation};
use crate::protocol::{Address, ErrorCode, Headers, Method, ReadFrom, Refusal, Response};
use crate::runtime::{
    Along, CallError, CallOutcome, Called, Changes, EdgeEnv, Past, RateLimit, Request, Upload, UploadBroken, marks,
};

/// Serves a request that a client has sent, from its route to the end of its answer. Where the policy has a gateway, it is
/// this: it forwards the reads that a cache may have answers to.
///
/// A body that is not needed is read to its end before the answer: a client that gets an answer while it still writes
/// takes its connection for broken.
pub async fn serve<E: EdgeEnv>(env: &E, config: &EdgeConfig, request: Request<E::Upload>) {
    let found = projects::config_for(env, config, &request.url).await;
    let unknown = found.is_err().then(|| projects::config_if_unknown(config, &request.url));
    let config = found.as_deref().ok().or(unknown.as_deref()).unwrap_or(config);
    let terms = Terms::of(config, query_of(&request.url), &request.headers);
    let env = Outlet::new(env.clone(), terms, config.rates.has_failures);
    let (method, address) = (request.method, config.rates.has_failures.then(|| rates::address(&request.headers)));
    match &found {
        Ok(_) => serve_at(&env, config, request, false).await,
        Err(refusal) => answer_unknown(&env, request, refusal).await,
    }
    env.release(method, address.flatten().as_deref()).await;
}

/// Serves a request at the inner entrypoint, which only the gateway can reach. Access has been checked. It answers what a
/// gateway forwards, and nothing else.
pub async fn serve_inner<E: EdgeEnv>(env: &E, config: &EdgeConfig, request: Request<E::Upload>) {
    let env = Outlet::new(env.clone(), Terms::of_gateway(), false);
    serve_at(&env, config, request, true).await;
}

/// Answers a request of whose project nobody knows anything now.
async fn answer_unknown<E: EdgeEnv>(env: &E, request: Request<E::Upload>, refusal: &Refusal) {
    let Request { method, url, headers, body, .. } = request;
    if resumes(method, &url, &headers) {
        return answer(env, body, event_source::come_again(env)).await;
    }
    answer(env, body, refused(method, refusal)).await;
}

async fn serve_at<E: EdgeEnv>(env: &E, config: &EdgeConfig, request: Request<E::Upload>, is_inner: bool) {
    let Request { method, url, headers, body, past } = request;
    if body.is_some() && !is_declared_within(&headers, WATCHED_UPLOAD) {
        env.watch_client();
    }
    let entrance = if is_inner { Entrance::Inner } else { Entrance::Outer { age_ms: past.age_ms } };
    let routed = route(config, method, &url, &headers, entrance, || env.now_ms());
    if mutated!(CacheBeforeAuth | RefusedReadTouches) && !is_inner && is_denied(&routed) {
        let open = EdgeConfig { access: Access::NoAuth, ..config.clone() };
        let open = route(&open, method, &url, &headers, entrance, || env.now_ms());
        if looks_before_it_refuses(env, open).await {
            return;
        }
    }
    if !is_inner && !past.has_called && config.rates.has_openings && rates::is_opening(&routed) {
        let client = rates::client(config, method, query_of(&url), &headers);
        if let Some(client) = client
            && rates::is_too_often(env, RateLimit::Openings, &client).await
        {
            let resumes = resumes(method, &url, &headers);
            return answer(env, body, rates::too_many_openings(env, method, resumes)).await;
        }
    }
    let is_answer = method == Method::Get && matches!(routed, Routed::Answer(_));
    match routed.forwarded() {
        Some((url, if_none_match)) if !is_inner && past.losses <= LOSSES_ENDURED => {
            drain(body).await;
            if let Routed::Live(live) = &routed {
                live.hold(env).await;
            }
            return gateway::forward(env, url, if_none_match, past.has_called).await;
        }
        None if is_inner && !is_answer => {
            let nothing = Refusal::new(ErrorCode::UnknownRoute, "the gateway forwards nothing like this");
            return answer(env, body, refused(method, &nothing)).await;
        }
        _ => {}
    }
    match routed {
        Routed::Answer(response) if is_failure(&response) && resumes(method, &url, &headers) => {
            answer(env, body, event_source::come_again(env)).await;
        }
        Routed::Answer(response) => answer(env, body, response).await,
        Routed::Live(live) if live.resumes && (past.has_called || past.losses > LOSSES_ENDURED) => {
            env.sometimes(marks::LIVE_READ_LOST_ITS_INSTANCE);
            answer(env, body, event_source::come_again(env)).await;
        }
        // What the request asks for may be what loses the instances.
        _ if past.losses > LOSSES_ENDURED => answer(env, body, lost(method)).await,
        // So may the call of a live read. A client that asks again misses nothing.
        Routed::Live(_) if past.has_called => {
            env.sometimes(marks::LIVE_READ_LOST_ITS_INSTANCE);
            answer(env, body, lost(method)).await;
        }
        Routed::Live(live) => {
            drain(body).await;
            if !is_inner {
                live.hold(env).await;
            }
            match live.mode {
                Live::Sse => sse::listen(env, config, &live).await,
                Live::LongPoll => long_poll::wait(env, config, &live, past.age_ms).await,
            }
        }
        Routed::Projects { cursor } => {
            drain(body).await;
            env.answer(registry::list(env, cursor.as_deref()).await);
        }
        Routed::Project(forward) => {
            let ProjectForward { mut message, takes_body } = forward;
            let project = message.project.clone();
            let message = |is_too_large| {
                message.body_too_large = is_too_large;
                message.encode()
            };
            let object = Address::project(&project);
            let calling = Calling { object, takes_body, body_limit: config.body_limit, message };
            let outcome = call(env, config, calling, &headers, body, past).await;
            answer_outcome(env, method, outcome, Changes::NONE);
        }
        Routed::Forward(Forward { object, message, caching: Some(caching), .. }) if !past.has_called => {
            drain(body).await;
            cached::read(env, config, &object, &message, &caching).await;
        }
        Routed::Forward(forward) => {
            // No cache keeps what is read from `now`.
            let is_kept = matches!(&forward.message.operation, Operation::Read(read) if read.from != ReadFrom::Now);
            let asked_ms = is_kept.then(|| env.now_ms().saturating_sub(past.age_ms));
            let caching = forward.caching.clone();
            let Forward { object, mut message, takes_body, body_limit, .. } = forward;
            let message = |is_too_large| {
                message.body_too_large = is_too_large;
                message.encode()
            };
            let calling = Calling { object: Address::stream(&object), takes_body, body_limit, message };
            let outcome = call(env, config, calling, &headers, body, past).await;
            let age_s = asked_ms.map_or(0, |asked_ms| cached::age_s(env, asked_ms));
            answer_outcome(env, method, outcome, &cached::asked(caching.as_ref(), age_s));
        }
    }
}

/// Whether a request was refused for want of a grant.
fn is_denied(routed: &Routed) -> bool {
    matches!(routed, Routed::Answer(response) if matches!(response.status, 401 | 403))
}

/// What known bugs do for a read without a grant, which goes where it would go with one. Returns whether it is answered.
async fn looks_before_it_refuses<E: EdgeEnv>(env: &E, open: Routed) -> bool {
    match open {
        Routed::Forward(Forward { caching: Some(caching), .. }) if mutated!(CacheBeforeAuth) => {
            cached::answer_stored(env, &caching, None).await
        }
        Routed::Forward(Forward { object, message, takes_body: false, .. })
            if mutated!(RefusedReadTouches) && matches!(message.operation, Operation::Read(_)) =>
        {
            _ = env.call(Address::stream(&object), message.encode(), Along::Nothing).await;
            false
        }
        _ => false,
    }
}

/// Answers with what a call of an object has brought.
fn answer_outcome<E: EdgeEnv>(env: &E, method: Method, outcome: Result<CallOutcome<E>, Unsent>, changes: &Changes) {
    match outcome {
        Err(Unsent::NoRoom) => {
            env.sometimes(marks::BODY_FOUND_NO_ROOM);
            let message = "the service holds as many bytes of requests as it may; nothing was applied";
            env.answer(refused(method, &Refusal::new(ErrorCode::Busy, message)));
        }
        Ok(Ok(Called::Reply(reply))) => env.pass_on(reply, changes),
        Ok(Ok(Called::Socket(_))) => {
            let error = CallError::Exception("a socket instead of a reply".to_owned());
            env.answer(unreachable(method, &error));
        }
        Ok(Err(error)) => env.answer(unreachable(method, &error)),
        // If the connection is gone, the answer reaches nobody. A client whose chunks are malformed gets it.
        Err(Unsent::Broken) => env.answer(broken_off(method)),
    }
}

/// Whether a response says that something failed, and may be mended. That something is not offered is no failure.
fn is_failure(response: &Response) -> bool {
    response.status >= 500 && response.status != 501
}

/// Why no object was called.
enum Unsent {
    /// The body broke off.
    Broken,
    /// There was no room for it.
    NoRoom,
}

impl From<UploadBroken> for Unsent {
    fn from(_: UploadBroken) -> Self {
        Self::Broken
    }
}

/// A call of an object.
struct Calling<'a, M> {
    object: Address<'a>,
    /// Whether the body goes along. If not, it is read and dropped.
    takes_body: bool,
    /// The largest body that goes along, in bytes.
    body_limit: usize,
    /// The encoded message, given whether the body was larger than that. The object is told instead of the client: what is
    /// missing is 404 whatever the body's size.
    message: M,
}

/// Calls an object, with the body if the operation takes one. A call that an earlier task has made is not made again: it may
/// have been applied.
async fn call<E: EdgeEnv>(
    env: &E,
    config: &EdgeConfig,
    calling: Calling<'_, impl FnOnce(bool) -> String>,
    headers: &Headers,
    body: Option<E::Upload>,
    past: Past,
) -> Result<CallOutcome<E>, Unsent> {
    let Calling { object, takes_body, body_limit, message } = calling;
    if past.has_called && !mutated!(CalledAgainWhenServedAnew) {
        env.sometimes(marks::EARLIER_CALL_TAKEN);
        let _held = body.is_some().then(|| body::hold_again(env, headers, body_limit));
        return Ok(env.earlier_call().await);
    }
    let mut is_too_large = false;
    let body = match body {
        Some(body) if takes_body => match body::take(env, config, headers, body, body_limit).await? {
            Taken::Whole(body, held) => Some((body, held)),
            Taken::TooLarge => {
                is_too_large = true;
                None
            }
            Taken::NoRoom => return Err(Unsent::NoRoom),
        },
        unwanted => {
            drain(unwanted).await;
            None
        }
    };
    let along = body.as_ref().map_or(Along::Nothing, |(body, _)| Along::Body(body));
    Ok(env.call(object, message(is_too_large), along).await)
}

/// Answers a request whose body is not needed.
async fn answer<E: EdgeEnv>(env: &E, body: Option<E::Upload>, response: Response) {
    drain(body).await;
    env.answer(response);
}

async fn drain(body: Option<impl Upload>) {
    if let Some(body) = body {
        body.drain().await;
    }
}

fn broken_off(method: Method) -> Response {
    let message = "the body of the request is malformed or broke off; nothing was applied";
    let refusal = Refusal::new(ErrorCode::InvalidBody, message);
    refused(method, &refusal)
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{START_MS, Says, Scripted, config, greeting};
    use super::*;
    use crate::protocol::limits::{CURSOR_AHEAD_MS, LONG_POLL_MS};
    use crate::protocol::{CachePolicy, header};
    use crate::runtime::Isolate as _;

    /// Serves a request with a body of so many bytes, its length declared or not, which may break off; expects this
    /// status and these notes.
    fn check(
        (method, path): (Method, &str),
        (bytes, is_declared, breaks): (usize, bool, bool),
        says: Says,
        expected: (u16, &[&str]),
    ) {
        let env = Scripted::new([says]);
        let mut headers = Headers::default();
        headers.push(header::CONTENT_TYPE, "text/plain");
        if is_declared {
            headers.push(header::CONTENT_LENGTH, bytes.to_string());
        }
        let url = format!("http://localhost{path}");
        let body = Some(env.upload(bytes, breaks));
        Scripted::run(serve(&env, &config(), Request { method, url, headers, body, past: Past::default() }))
            .expect("it waits for nothing but the script");
        let notes = env.notes();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        assert_eq!((env.answered().map(|answer| answer.status), notes.as_slice()), (Some(expected.0), expected.1));
    }

    fn created() -> Says {
        Says::Reply(Response::new(201))
    }

    const PUT: (Method, &str) = (Method::Put, "/v1/stream/a");

    #[test]
    fn a_body_within_the_limit_goes_along_and_of_a_larger_one_the_object_is_told() {
        check(PUT, (4, true, false), created(), (201, &["read all", "call _default/a with 4 bytes"]));
        check(PUT, (4, false, false), created(), (201, &["watch", "read 4", "call _default/a with 4 bytes"]));
        let told = "call _default/a, told of a body too large";
        check(PUT, (5, true, false), created(), (201, &["read 4", "drain", told]));
        check(PUT, (5, false, false), created(), (201, &["watch", "read 4", "drain", told]));
        let large = WATCHED_UPLOAD + 1;
        check(PUT, (large, true, false), created(), (201, &["watch", "read 4", "drain", told]));
    }

    #[test]
    fn a_body_that_is_not_needed_is_read_before_the_answer() {
        let found = || Says::Reply(Response::new(200));
        check((Method::Get, "/nowhere"), (9, true, false), found(), (404, &["drain"]));
        check((Method::Post, "/health"), (9, true, false), found(), (405, &["drain"]));
        check((Method::Delete, "/v1/stream/a"), (9, true, false), found(), (200, &["drain", "call _default/a"]));
        let live = (Method::Get, "/v1/stream/a?offset=now&live=long-poll");
        check(live, (9, true, false), found(), (200, &["drain", "ask now"]));
    }

    #[test]
    fn a_body_that_breaks_off_reaches_no_object() {
        check(PUT, (3, true, true), created(), (400, &["read all"]));
        check(PUT, (3, false, true), created(), (400, &["watch", "read 4"]));
    }

    #[test]
    fn a_body_for_which_there_is_no_room_is_read_and_its_request_told_to_come_again() {
        for (before, status) in [(6, 201), (7, 503)] {
            let env = Scripted::new([created()]);
            let others = env.held_bodies().hold(before, usize::MAX, || START_MS);
            let mut headers = Headers::default();
            headers.push(header::CONTENT_LENGTH, "4");
            let url = "http://localhost/v1/stream/a".to_owned();
            let (body, past) = (Some(env.upload(4, false)), Past::default());
            let request = Request { method: Method::Put, url, headers, body, past };
            Scripted::run(serve(&env, &config(), request)).expect("it waits for nothing but the script");
            let answer = env.answered().expect("an answer");
            let is_told_when = answer.headers.get(header::RETRY_AFTER).is_some();
            assert_eq!((answer.status, is_told_when, env.held_bodies().bytes()), (status, status == 503, before));
            assert_eq!(env.notes().first().map(String::as_str), Some(if status == 503 { "drain" } else { "read all" }));
            drop(others);
        }
    }

    #[test]
    fn an_object_that_does_not_answer_or_answers_with_a_socket_is_a_failure() {
        check(PUT, (0, true, false), Says::Fails, (503, &["read all", "call _default/a with 0 bytes"]));
        check(
            PUT,
            (0, true, false),
            Says::Socket(vec![]),
            (500, &["read all", "call _default/a with 0 bytes", "close"]),
        );
    }

    #[test]
    fn what_a_client_reads_says_how_long_it_was_on_its_way_and_what_it_writes_does_not() {
        let page = || Response::new(200).with(header::CACHE_CONTROL, "public, max-age=60");
        let late = || Says::Late(page(), 1_500);
        for (method, query, policy, age_ms, age_s) in [
            (Method::Get, "", "immutable-and-long-poll", 0, Some("2")),
            // Nothing is kept at the edge.
            (Method::Get, "", "zone", 0, Some("2")),
            (Method::Get, "", "zone", 700, Some("3")),
            (Method::Get, "?offset=now", "zone", 0, None),
            (Method::Delete, "", "zone", 0, None),
        ] {
            let env = Scripted::new([late()]);
            let url = format!("http://localhost/v1/stream/a{query}");
            let past = Past { age_ms, ..Past::default() };
            let request = Request { method, url, headers: Headers::default(), body: None, past };
            let config = EdgeConfig { policy: CachePolicy::named(policy).expect("a policy"), ..config() };
            Scripted::run(serve(&env, &config, request)).expect("it waits for nothing but the script");
            let answer = env.answered().expect("an answer");
            assert_eq!((answer.status, answer.headers.get(header::AGE)), (200, age_s), "{method:?} {query} {policy}");
        }
    }

    #[test]
    fn the_last_cursor_that_is_accepted_waits_until_the_next_one_is() {
        let last = START_MS + CURSOR_AHEAD_MS;
        let path = |cursor: u64| format!("/v1/stream/a?offset=now&live=long-poll&cursor={cursor}");
        let ask = |cursor: u64| format!("ask now cursor {cursor}");
        let found = || Says::Reply(Response::new(200));
        check((Method::Get, &path(last - 1)), (0, true, false), found(), (200, &["drain", &ask(last - 1)]));
        check((Method::Get, &path(last)), (0, true, false), found(), (200, &["drain", "sleep 1", &ask(last)]));
        check((Method::Get, &path(last + 1)), (0, true, false), found(), (400, &["drain"]));
        let plain = format!("/v1/stream/a?offset=now&cursor={}", last + 1);
        check((Method::Get, &plain), (0, true, false), found(), (400, &["drain"]));
    }

    /// Serves a request, with a body of so many bytes or none, anew; expects this status, code and notes. Returns how
    /// long it took, in ms.
    fn check_anew(
        (method, path, bytes): (Method, &str, Option<usize>),
        past: Past,
        says: Says,
        expected: (u16, &str, &[&str]),
    ) -> u64 {
        let env = Scripted::new([says]);
        let url = format!("http://localhost{path}");
        let mut headers = Headers::default();
        if let Some(bytes) = bytes {
            headers.push(header::CONTENT_TYPE, "text/plain");
            headers.push(header::CONTENT_LENGTH, bytes.to_string());
        }
        let body = bytes.map(|bytes| env.upload(bytes, false));
        Scripted::run(serve(&env, &config(), Request { method, url, headers, body, past }))
            .expect("it waits for nothing but the script");
        let answered = env.answered().expect("an answer");
        let body: serde_json::Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        let notes = env.notes();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        assert_eq!((answered.status, code, notes.as_slice()), expected, "{method:?} {path} {past:?}");
        env.now_ms() - START_MS
    }

    #[test]
    fn a_browser_that_comes_back_meets_no_failure_that_may_pass() {
        const ID: &str = "0000000000000000_0000000000000005";
        let misconfigured = || EdgeConfig { access: Access::Misconfigured("x".to_owned()), ..config() };
        let lost = |losses, has_called| Past { losses, has_called, age_ms: 0 };
        let events = "/v1/stream/a?offset=now&live=sse";
        for (config, past, target, id, expected) in [
            (config(), lost(1, true), events, ID, 200),
            (config(), lost(LOSSES_ENDURED + 1, false), events, ID, 200),
            (misconfigured(), Past::default(), events, ID, 200),
            // Whoever is no browser that comes back is told.
            (config(), lost(1, true), events, "7", 500),
            (misconfigured(), Past::default(), events, "7", 500),
            (misconfigured(), Past::default(), "/v1/stream/a?offset=now&live=long-poll", ID, 500),
            (misconfigured(), Past::default(), "/v1/stream/a", ID, 500),
            // What is not offered will not be a moment later.
            (config(), Past::default(), "/v1/stream/__ds/x?offset=now&live=sse", ID, 501),
            (config(), Past::default(), "/v1/elsewhere?offset=now&live=sse", ID, 404),
        ] {
            let env = Scripted::new([]);
            let mut headers = Headers::default();
            headers.push(header::LAST_EVENT_ID, id);
            let url = format!("http://localhost{target}");
            let request = Request { method: Method::Get, url, headers, body: None, past };
            Scripted::run(serve(&env, &config, request)).expect("it waits for nothing but the script");
            let answered = env.answered().expect("an answer");
            assert_eq!(answered.status, expected, "{target} {id} {past:?}");
            assert_eq!(answered.body.starts_with(b"retry:"), expected == 200, "{target} {id} {past:?}");
            assert_eq!(env.notes(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_request_whose_instance_was_lost_makes_no_call_twice_and_is_given_up_after_many_losses() {
        const DELETE: (Method, &str, Option<usize>) = (Method::Delete, "/v1/stream/a", None);
        const PUT: (Method, &str, Option<usize>) = (Method::Put, "/v1/stream/a", Some(4));
        const POLL: (Method, &str, Option<usize>) = (Method::Get, "/v1/stream/a?offset=now&live=long-poll", None);
        const LISTEN: (Method, &str, Option<usize>) = (Method::Get, "/v1/stream/a?offset=now&live=sse", None);
        let gone = || Says::Reply(Response::new(204));
        let past = |losses, has_called| Past { losses, has_called, age_ms: 0 };
        check_anew(DELETE, past(1, false), gone(), (204, "", &["call _default/a"]));
        check_anew(DELETE, past(1, true), gone(), (204, "", &["earlier call"]));
        check_anew(DELETE, past(LOSSES_ENDURED, true), gone(), (204, "", &["earlier call"]));
        check_anew(DELETE, past(LOSSES_ENDURED + 1, true), gone(), (500, "instance_lost", &[]));
        let called = ["read all", "call _default/a with 4 bytes"];
        check_anew(PUT, past(1, false), gone(), (204, "", &called));
        check_anew(PUT, past(1, true), gone(), (204, "", &["earlier call"]));
        check_anew(PUT, past(LOSSES_ENDURED + 1, false), gone(), (500, "instance_lost", &["drain"]));
        check_anew(POLL, past(1, false), gone(), (204, "", &["ask now"]));
        for live in [POLL, LISTEN] {
            check_anew(live, past(1, true), gone(), (500, "instance_lost", &[]));
            check_anew(live, past(LOSSES_ENDURED + 1, false), gone(), (500, "instance_lost", &[]));
            let with_body = (live.0, live.1, Some(4));
            check_anew(with_body, past(1, true), gone(), (500, "instance_lost", &["drain"]));
        }
        let waits = Says::Socket(vec![greeting(2)]);
        let aged = Past { age_ms: LONG_POLL_MS - 1_000, ..past(1, false) };
        let waited_ms = check_anew(POLL, aged, waits, (204, "", &["ask now", "close"]));
        assert_eq!(waited_ms, 1_000, "its time runs from its arrival");
        check_anew((Method::Get, "/health", None), past(LOSSES_ENDURED + 1, false), gone(), (200, "", &[]));
    }
}
