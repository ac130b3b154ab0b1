//! What a stranger is told who shows no token: of a public stream what the log holds, and of any other nothing. What is told of
//! a stream that was public may come from a cache when there is another one in its place.

use tailrace_core::protocol::Response;

use crate::judge::checker::LogPosition;
use crate::judge::checker::case::Case;
use crate::judge::checker::publicity::Publicity;
use crate::judge::history::{Content, Moment, Op, Trespass};

/// What stands before an offset in a control event.
const OFFSET: &str = "\"streamNextOffset\":\"";

/// Later than everything.
const EVER: Moment = Moment { tick: u64::MAX, ms: u64::MAX };

/// Whether a stranger was told something, and not that it has no right. A cache in front asks nobody for a token, so who shows
/// it one that is none is told the same.
pub(in crate::judge::checker) fn is_told(case: &Case<'_>, trespass: &Trespass) -> bool {
    let is_from_front = case.history.fronts.handed.contains_key(&trespass.request);
    let is_admitted = trespass.may_be_of_the_public() || trespass.reads() && is_from_front;
    let answer = trespass.answer.as_ref().filter(|_| is_admitted);
    answer.is_some_and(|answer| matches!(answer.status, 200..400 | 404 | 410))
}

/// What is wrong with what a stranger was told.
pub(super) fn complaint(case: &Case<'_>, trespass: &Trespass) -> Option<String> {
    let answer = trespass.answer.as_ref()?;
    let offsets = offsets(answer);
    let of = |segment| case.publicities.of_segment(segment, EVER);
    let is_private = match offsets.is_empty() {
        true => of(None) == Publicity::Private,
        false => offsets.iter().any(|at| of(Some(at.segment)) == Publicity::Private),
    };
    if is_private {
        return Some(format!("something of a stream that is not public, by the status {}", answer.status));
    }
    let is_page = answer.status == 200 && answer.headers.get("etag").is_some();
    (is_page && (is_unlike_others(case, answer) || is_unlike_the_log(case, trespass, answer, &offsets)))
        .then(|| "what the log does not hold".to_owned())
}

/// The offsets that an answer has: in its header, or in its events.
fn offsets(answer: &Response) -> Vec<LogPosition> {
    let body = String::from_utf8_lossy(&answer.body);
    let events = match answer.headers.get("content-type") {
        Some(text) if text.starts_with("text/event-stream") => body.split(OFFSET).skip(1).collect(),
        _ => Vec::new(),
    };
    let of_events = events.into_iter().filter_map(|rest| rest.split('"').next());
    of_events.chain(answer.headers.get("stream-next-offset")).filter_map(LogPosition::parse).collect()
}

/// Whether others were told another thing under the same tag.
fn is_unlike_others(case: &Case<'_>, answer: &Response) -> bool {
    let (tag, next) = (answer.headers.get("etag"), answer.headers.get("stream-next-offset"));
    let is_unlike = |op: &Op| {
        let told = op.definite().filter(|told| told.status == 200 && told.etag.as_deref() == tag);
        told.is_some_and(|told| told.next_offset.as_deref() != next || told.body != answer.body)
    };
    case.iter().any(|(_, op)| is_unlike(op))
}

/// Whether the bytes are other ones than those between its offsets, where that is known.
fn is_unlike_the_log(case: &Case<'_>, trespass: &Trespass, answer: &Response, offsets: &[LogPosition]) -> bool {
    let Some(to) = offsets.last().copied().filter(|_| trespass.method == tailrace_core::protocol::Method::Get) else {
        return false;
    };
    if case.history.streams[case.stream].content == Content::Json {
        return false;
    }
    let mut parameters = trespass.url.split_once('?').map_or("", |(_, query)| query).split('&');
    let from = match parameters.find_map(|parameter| parameter.strip_prefix("offset=")) {
        None | Some("-1") => {
            let start = case.log.starts.range(..=to.segment).next_back();
            // Another stream may have begun since, of which nobody knows when.
            let own = start.filter(|segment| case.log.same_incarnation(**segment, to.segment));
            own.map(|segment| LogPosition { segment: *segment, index: 0 })
        }
        Some(offset) => LogPosition::parse(offset),
    };
    let held = from.filter(|from| *from <= to).and_then(|from| case.log.bytes(from, to));
    held.is_some_and(|bytes| bytes != answer.body)
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::Method;

    use super::*;
    use crate::judge::checker::fixture::{Fixture, acked, created, deleted, offset, part, run, tagged};
    use crate::judge::history::Forgery;

    /// A public stream of one message, whose page everybody is told under this tag, and a private one in its place.
    fn replaced() -> Fixture {
        let mut run = run().keyed(0);
        run.history.ops.clear();
        run.create_public(true, created(0));
        run.append(1, acked(0, 1));
        run.walk(&[0], tagged("\"t\"", part(0, 1)));
        run.delete(deleted());
        run.create_public(false, created(1));
        run
    }

    #[test]
    fn a_stranger_is_told_what_the_log_of_a_public_stream_holds_and_nothing_of_a_private_one() {
        let page = |segment, tag: &str| {
            let next = offset(segment, 1).expect("an offset");
            Response::new(200).with("etag", tag.to_owned()).with("stream-next-offset", next)
        };
        let events = |segment| {
            let next = offset(segment, 1).expect("an offset");
            let body = format!("event: control\ndata: {{\"streamNextOffset\":\"{next}\"}}\n\n");
            Response::new(200).with("content-type", "text/event-stream").with_body(body)
        };
        let own = replaced().history.ops[2].definite().expect("a page").body.clone();
        for (what, answer, expected) in [
            ("the page", page(0, "\"t\"").with_body(own.clone()), false),
            ("other bytes", page(0, "\"t\"").with_body("[]"), true),
            ("another end", page(1, "\"t\"").with_body(own.clone()), true),
            ("a page that nobody knows", page(0, "\"u\"").with_body(own.clone()), false),
            ("a private page", page(1, "\"u\"").with_body(own), true),
            ("that it has not changed", Response { status: 304, ..page(0, "\"t\"") }, false),
            ("that a private one has not", Response { status: 304, ..page(1, "\"t\"") }, true),
            ("events", events(0), false),
            ("private events", events(1), true),
        ] {
            let mut run = replaced();
            run.trespass(Method::Get, Forgery::Nothing, Some(answer));
            assert_eq!(complaint(&run.case(), &run.history.strangers[0]).is_some(), expected, "{what}");
        }
    }
}
