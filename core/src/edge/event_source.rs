//! What a browser's `EventSource` is answered that comes back by itself.
//!
//! It takes an error status for the end, and 204 for the wish that it does not come back. Whatever else happens to its
//! connection, it comes back.

use crate::protocol::{CacheControl, Offset, ReadFrom, Response, header, sse};
use crate::runtime::{Isolate, marks};

/// The head of a connection with events.
pub(super) fn head_of_events(cache_control: CacheControl) -> Response {
    Response::new(200)
        .with(header::CACHE_CONTROL, cache_control.to_string())
        .with(header::CONTENT_TYPE, "text/event-stream")
        // Proxies of the family of nginx gather bytes before they pass them on, unless they are told not to.
        .with(header::X_ACCEL_BUFFERING, "no")
        .with(header::CONTENT_SECURITY_POLICY, header::SANDBOX)
        .with_common()
}

/// The answer to a browser's `EventSource` in place of a failure, which would end it for good: no events, so that it
/// comes back from where it is.
pub(super) fn come_again(env: &impl Isolate) -> Response {
    env.sometimes(marks::LIVE_FAILURE_HIDDEN);
    head_of_events(CacheControl::Events).with_body(sse::retry_after_failure(env.random() >> 32))
}

/// The answer to a browser's `EventSource` that comes back more often than its client may: no events, so that it comes back
/// from where it is, and not soon.
pub(super) fn come_later(env: &impl Isolate) -> Response {
    env.sometimes(marks::LIVE_FAILURE_HIDDEN);
    head_of_events(CacheControl::Events).with_body(sse::retry_after_too_often(env.random() >> 32))
}

/// Whether a page says that the stream is closed and has nothing after this position.
pub(super) fn is_end(page: &Response, from: ReadFrom) -> bool {
    let next = page.headers.get(header::STREAM_NEXT_OFFSET).and_then(Offset::parse).map(ReadFrom::At);
    next == Some(from) && header::is_true(page.headers.get(header::STREAM_CLOSED))
}

/// The answer to a browser's `EventSource` that has everything of a closed stream: it does not come back.
pub(super) fn no_more(page: &Response) -> Response {
    let response = Response::new(204).with(header::CACHE_CONTROL, CacheControl::NoStore.to_string());
    let same = [header::STREAM_NEXT_OFFSET, header::STREAM_UP_TO_DATE, header::STREAM_CLOSED];
    with_same(response, page, &same).with_common()
}

/// A response with these fields of an object's reply, and its debug fields.
pub(super) fn with_same(response: Response, reply: &Response, names: &[&'static str]) -> Response {
    let debug = [header::TAILRACE_INSTANCE, header::TAILRACE_ROWS_READ, header::TAILRACE_ROWS_WRITTEN];
    let same = names.iter().copied().chain(debug);
    same.fold(response, |response, name| response.with_some(name, reply.headers.get(name)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::live::LiveRead;
    use super::super::scripted::{Happens, Says, Scripted, at, config, event, greeting, live};
    use super::super::sse::listen;
    use super::*;
    use crate::protocol::message::Live;

    /// What a browser's `EventSource` that goes on from position 5 is answered, and what is written after that.
    fn resumed(reply: Says) -> (Response, Vec<String>) {
        let env = Scripted::new([reply]);
        let live = LiveRead { resumes: true, ..live(ReadFrom::At(at(5)), Live::Sse, None) };
        Scripted::run(listen(&env, &config(), &live));
        let notes = env.notes().into_iter().filter(|note| note.starts_with("write")).collect();
        (env.answered().expect("an answer"), notes)
    }

    #[test]
    fn a_browser_that_comes_back_is_told_to_come_again_in_place_of_a_failure() {
        let no_greeting = || Says::Socket(vec![Happens::Message(event(1, "no greeting", false))]);
        for reply in [
            Says::Reply(Response::new(500)),
            Says::Reply(Response::new(503)),
            Says::Fails,
            Says::Socket(vec![Happens::Cut]),
            no_greeting(),
        ] {
            let (answer, written) = resumed(reply);
            assert_eq!((answer.status, answer.body, written), (200, Bytes::from_static(b"retry:600\n\n"), Vec::new()));
            assert_eq!(answer.headers.get(header::CONTENT_TYPE), Some("text/event-stream"));
        }
        for status in [400, 404, 410] {
            assert_eq!(resumed(Says::Reply(Response::new(status))).0.status, status);
        }
    }

    #[test]
    fn a_browser_that_has_all_of_a_closed_stream_is_told_not_to_come_again() {
        let page = |next: u64, closed: bool| {
            let response = Response::new(200)
                .with(header::STREAM_NEXT_OFFSET, at(next).to_string())
                .with(header::STREAM_UP_TO_DATE, header::TRUE)
                .with_some(header::STREAM_CLOSED, closed.then_some(header::TRUE));
            Says::Reply(response.with_body("x"))
        };
        let (answer, written) = resumed(page(5, true));
        assert_eq!((answer.status, written), (204, Vec::new()));
        assert_eq!(answer.headers.get(header::STREAM_CLOSED), Some(header::TRUE));
        assert_eq!(answer.headers.get(header::CACHE_CONTROL), Some("no-store"));
        for reply in [page(6, true), page(5, false)] {
            let (answer, written) = resumed(reply);
            assert_eq!(answer.status, 200);
            assert_eq!(written.get(..2), Some(&["write retry:200".to_owned(), "write x".to_owned()][..]));
        }
        // Who has come by itself is told of the end.
        let env = Scripted::new([page(5, true)]);
        Scripted::run(listen(&env, &config(), &live(ReadFrom::At(at(5)), Live::Sse, None)));
        assert_eq!(env.answered().map(|answer| answer.status), Some(200));
    }

    #[test]
    fn what_is_wrong_with_a_request_is_answered_as_it_is() {
        for (reply, status) in [
            (Says::Reply(Response::new(404)), 404),
            (Says::Reply(Response::new(410)), 410),
            (Says::Reply(Response::new(500)), 500),
            (Says::Fails, 503),
            (Says::Socket(vec![Happens::Cut]), 503),
            (Says::Socket(vec![Happens::Message(event(1, "no greeting", false))]), 500),
        ] {
            let env = Scripted::new([reply]);
            Scripted::run(listen(&env, &config(), &live(ReadFrom::Start, Live::Sse, None)));
            assert_eq!(env.answered().map(|answer| answer.status), Some(status));
        }
    }

    #[test]
    fn nobody_on_the_way_is_to_keep_events_or_hold_them_back() {
        let env = Scripted::new([Says::Socket(vec![greeting(0)])]);
        Scripted::run(listen(&env, &config(), &live(ReadFrom::Now, Live::Sse, None)));
        let head = env.answered().expect("a head");
        assert_eq!(head.headers.get(header::CACHE_CONTROL), Some("no-cache, no-transform"));
        assert_eq!(head.headers.get(header::X_ACCEL_BUFFERING), Some("no"));
    }
}
