//! Builds the response to each outcome.

use crate::mutant::mutated;
use crate::protocol::cache::AnswerKind;
use crate::protocol::etag::RangeEnd;
use crate::protocol::message::{Append, Create, Read};
use crate::protocol::sse::{self, Control, Encoding, Piece};
use crate::protocol::{
    Admission, CacheControl, CachePolicy, ETag, ErrorCode, Offset, Refusal, Response, cursor, header,
};
use crate::stream::{AppendOutcome, Page, Stream};

/// A response with the header that every answer about a stream has.
fn base(status: u16, cache_control: CacheControl) -> Response {
    Response::new(status).with(header::CACHE_CONTROL, cache_control.to_string())
}

fn closed(closed: bool) -> Option<&'static str> {
    closed.then_some(header::TRUE)
}

/// The reader key, for a client that may read the stream. Who reads what is public needs none, and where everybody is let in
/// nobody does.
fn reader_key(stream: &Stream, admission: Admission) -> Option<&str> {
    (admission == Admission::Granted && !stream.readers.is_everybody()).then_some(stream.reader_key.as_str())
}

/// The response to a PUT that created the stream or found it with the same configuration.
pub(super) fn created(stream: &Stream, create: &Create, is_new: bool, admission: Admission) -> Response {
    base(if is_new { 201 } else { 200 }, CacheControl::NoStore)
        .with_some(header::LOCATION, is_new.then_some(create.location.as_str()))
        .with(header::CONTENT_TYPE, stream.content_type.as_str())
        .with(header::STREAM_NEXT_OFFSET, stream.tail.offset.to_string())
        .with_some(header::STREAM_CLOSED, closed(stream.tail.closed))
        .with_some(header::STREAM_READER_KEY, reader_key(stream, admission).filter(|_| is_new))
}

/// The response to a request for a new reader key.
pub(super) fn rotated(stream: &Stream) -> Response {
    let key = stream.reader_key.as_str();
    base(200, CacheControl::NoStore)
        .with(header::CONTENT_TYPE, "application/json")
        .with(header::STREAM_READER_KEY, key)
        // A key needs no escape.
        .with_body(format!(r#"{{"readerKey":"{key}"}}"#))
}

/// The response to a POST.
pub(super) fn appended(stream: &Stream, append: &Append, outcome: AppendOutcome) -> Response {
    let stamp = append.producer.as_ref();
    let success = |status, next: Offset| {
        base(status, CacheControl::NoStore)
            .with(header::STREAM_NEXT_OFFSET, next.to_string())
            .with_some(header::STREAM_CLOSED, closed(stream.tail.closed))
    };
    match outcome {
        AppendOutcome::Appended { next, content, .. } => match stamp {
            None => success(204, next),
            // The protocol distinguishes an append of data (200) from one without (204).
            Some(stamp) => success(if content.is_empty() { 204 } else { 200 }, next)
                .with(header::PRODUCER_EPOCH, stamp.epoch.to_string())
                .with(header::PRODUCER_SEQ, stamp.seq.to_string()),
        },
        AppendOutcome::Duplicate { next, last_seq } => success(204, next)
            .with_some(header::PRODUCER_EPOCH, stamp.map(|stamp| stamp.epoch.to_string()))
            .with(header::PRODUCER_SEQ, last_seq.to_string()),
        AppendOutcome::AlreadyClosed => success(204, stream.tail.offset),
        AppendOutcome::Closed => refused(&Refusal::new(ErrorCode::StreamClosed, "the stream is closed"))
            .with(header::STREAM_NEXT_OFFSET, stream.tail.offset.to_string())
            .with(header::STREAM_CLOSED, header::TRUE),
        AppendOutcome::StaleEpoch { current } => {
            refused(&Refusal::new(ErrorCode::StaleEpoch, "another instance of this producer has taken over"))
                .with(header::PRODUCER_EPOCH, current.to_string())
        }
        AppendOutcome::SequenceGap { expected } => {
            refused(&Refusal::new(ErrorCode::SequenceGap, "the producer skipped sequence numbers"))
                .with(header::PRODUCER_EXPECTED_SEQ, expected.to_string())
                .with_some(header::PRODUCER_RECEIVED_SEQ, stamp.map(|stamp| stamp.seq.to_string()))
        }
        AppendOutcome::Refused(refusal) => refused(&refusal),
    }
}

/// The response to a GET that is not live.
pub(super) fn page(stream: &Stream, page: Page, read: &Read, policy: &CachePolicy, now_ms: u64) -> Response {
    let remaining_ms = stream.remaining_ms(now_ms).filter(|_| !mutated!(PageOutlivesItsStream));
    let kind = match page.up_to_date && !mutated!(TailIsStored) {
        true => AnswerKind::Tail,
        false => AnswerKind::Page,
    };
    let answer = tagged(stream, page, read.if_none_match.as_deref(), policy.cache_control(kind, remaining_ms));
    answer.with_some(header::TAILRACE_AHEAD, touched_ahead(stream, read, now_ms).filter(|_| kind == AnswerKind::Page))
}

/// For how many ms the edge may serve its copy of the answer to others, who do not start a sliding TTL again.
fn touched_ahead(stream: &Stream, read: &Read, now_ms: u64) -> Option<String> {
    let until_ms = Some(stream.touched_until_ms()).filter(|until_ms| read.is_kept && *until_ms < u64::MAX)?;
    Some(until_ms.saturating_sub(now_ms).to_string())
}

/// Whether the client is told that the page ends at the tail.
fn says_up_to_date(stream: &Stream, page: &Page) -> bool {
    if mutated!(TailHiddenWhereItIsSealed) && stream.tail.sealed {
        return false;
    }
    let is_last_segment = page.next.read_seq == stream.tail.offset.read_seq;
    page.up_to_date || mutated!(LastSegmentIsTheTail) && is_last_segment
}

/// A page with its entity tag; 304 if the client has that page already.
fn tagged(stream: &Stream, page: Page, if_none_match: Option<&str>, cache_control: CacheControl) -> Response {
    let kind = match (page.up_to_date, page.closed) {
        (false, _) => RangeEnd::Inside,
        (true, false) if mutated!(TagWithoutTail) => RangeEnd::Inside,
        (true, true) if mutated!(TagWithoutClosure) => RangeEnd::Tail,
        (true, false) => RangeEnd::Tail,
        (true, true) => RangeEnd::Closed,
    };
    let etag = ETag::new(&stream.incarnation, page.start, page.next, kind);
    let unchanged = if_none_match.is_some_and(|header| etag.matches(header));
    let response = base(if unchanged { 304 } else { 200 }, cache_control)
        .with(header::ETAG, etag.to_string())
        .with(header::STREAM_NEXT_OFFSET, page.next.to_string())
        .with_some(header::STREAM_UP_TO_DATE, says_up_to_date(stream, &page).then_some(header::TRUE))
        .with_some(header::STREAM_CLOSED, closed(page.closed))
        .with(header::CONTENT_SECURITY_POLICY, header::SANDBOX)
        .with(header::TAILRACE_READERS, stream.readers.as_str());
    match unchanged {
        true => response,
        false => response.with(header::CONTENT_TYPE, stream.content_type.as_str()).with_body(page.body),
    }
}

/// The response to a long-poll: 200 with a page, or 204 at the end of a closed stream. The cursor is missing, because
/// it differs from client to client.
pub(super) fn long_poll(
    stream: &Stream,
    page: Page,
    if_none_match: Option<&str>,
    policy: &CachePolicy,
    now_ms: u64,
) -> Response {
    if page.next == page.start {
        return base(204, CacheControl::NoStore)
            .with(header::STREAM_NEXT_OFFSET, page.next.to_string())
            .with(header::STREAM_UP_TO_DATE, header::TRUE)
            .with_some(header::STREAM_CLOSED, closed(page.closed))
            .with(header::TAILRACE_READERS, stream.readers.as_str());
    }
    let remaining_ms = stream.remaining_ms(now_ms).filter(|_| !mutated!(PollOutlivesItsStream));
    tagged(stream, page, if_none_match, policy.cache_control(AnswerKind::Delivery, remaining_ms))
}

/// The same for a client that has asked from `now`: its URL has another answer at each moment, so no cache may keep
/// this one, and it has no entity tag.
fn of_now(mut answer: Response) -> Response {
    answer.headers.remove(&[header::ETAG, header::CACHE_CONTROL]);
    answer.with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
}

/// The response to a long-poll that does not have to wait, with its cursor.
pub(super) fn long_poll_page(
    stream: &Stream,
    page: Page,
    read: &Read,
    policy: &CachePolicy,
    jitter_ms: u64,
    now_ms: u64,
) -> Response {
    let cursor = cursor::after_data(page.commit_ms + jitter_ms, read.cursor);
    let cursor = (!page.closed).then(|| cursor.to_string());
    let tag = read.if_none_match.as_deref().filter(|_| !read.from_now && !mutated!(PollTagIgnored));
    let mut answer = long_poll(stream, page, tag, policy, now_ms);
    let cursor = cursor.filter(|_| !(mutated!(UnchangedPollWithoutCursor) && answer.status == 304));
    if read.from_now && !mutated!(PollFromNowIsStored) {
        answer = of_now(answer);
    }
    answer
        .with_some(header::STREAM_CURSOR, cursor)
        .with_some(header::TAILRACE_AHEAD, touched_ahead(stream, read, now_ms))
}

/// The response to a read of events: a page as the text of its events, from that byte of the page's body on. The header
/// fields tell the edge where to go on. If the text has more than `most_bytes`, it is a piece, and a field tells where
/// in the body the next one begins.
pub(super) fn events(stream: &Stream, page: &Page, at: usize, client: Option<u64>, most_bytes: usize) -> Response {
    let encoding = stream.content_type.sse_encoding();
    let cursor = (!page.closed).then(|| cursor::after_data(page.commit_ms, client));
    let control = Control { next: page.next, cursor, up_to_date: page.up_to_date, closed: page.closed };
    let has_data = page.next != page.start;
    let payload: &[u8] = if has_data { &page.body } else { &[] };
    let mut text = Vec::with_capacity((payload.len() + payload.len() / 3).min(most_bytes) + 192);
    let rest = sse::write_piece(&mut text, encoding, Piece { payload, at, most_bytes }, &control);
    base(200, CacheControl::Events)
        .with(header::CONTENT_TYPE, "text/event-stream")
        .with_some(header::STREAM_SSE_DATA_ENCODING, (encoding == Encoding::Base64).then_some("base64"))
        .with(header::STREAM_NEXT_OFFSET, page.next.to_string())
        .with_some(header::STREAM_CURSOR, cursor.map(|cursor| cursor.to_string()))
        .with_some(header::STREAM_UP_TO_DATE, page.up_to_date.then_some(header::TRUE))
        .with_some(header::STREAM_CLOSED, closed(page.closed))
        .with_some(header::TAILRACE_EVENT_REST, rest.map(|at| at.to_string()))
        .with(header::TAILRACE_READERS, stream.readers.as_str())
        .with_body(text)
}

/// The response to a GET of `offset=now`: the tail at this moment. No cache may keep it, so it has no entity tag.
pub(super) fn now(stream: &Stream, page: Page) -> Response {
    base(200, if mutated!(NowIsStored) { CacheControl::NoCache } else { CacheControl::NoStore })
        .with(header::STREAM_NEXT_OFFSET, page.next.to_string())
        .with(header::STREAM_UP_TO_DATE, header::TRUE)
        .with_some(header::STREAM_CLOSED, closed(page.closed))
        .with(header::CONTENT_TYPE, stream.content_type.as_str())
        .with(header::CONTENT_SECURITY_POLICY, header::SANDBOX)
        .with(header::TAILRACE_READERS, stream.readers.as_str())
        .with_body(page.body)
}

/// The response to a HEAD.
pub(super) fn head(stream: &Stream, admission: Admission) -> Response {
    use crate::protocol::Expiry;
    let (ttl, expires_at) = match &stream.expiry {
        Expiry::Never => (None, None),
        Expiry::Ttl { seconds } => (Some(seconds.to_string()), None),
        Expiry::At { text, .. } => (None, Some(text.as_str())),
    };
    base(200, CacheControl::NoStore)
        .with(header::CONTENT_TYPE, stream.content_type.as_str())
        .with(header::STREAM_NEXT_OFFSET, stream.tail.offset.to_string())
        .with_some(header::STREAM_TTL, ttl)
        .with_some(header::STREAM_EXPIRES_AT, expires_at)
        .with_some(header::STREAM_CLOSED, closed(stream.tail.closed && !mutated!(HeadHidesTheClose)))
        .with_some(header::STREAM_READER_KEY, reader_key(stream, admission))
}

/// The response to a DELETE.
pub(super) fn deleted() -> Response {
    base(204, CacheControl::NoStore)
}

/// The response to a refused request.
pub(super) fn refused(refusal: &Refusal) -> Response {
    Response::refusal(refusal)
}

/// A reader for whom there is no socket left.
pub(super) fn no_socket() -> Response {
    refused(&Refusal::new(ErrorCode::ObjectOverloaded, "the stream is overloaded; nothing was applied"))
}
