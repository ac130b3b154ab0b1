//! Requests as clients send them, and answers as they read them.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tailrace_core::protocol::{Headers, Method, Response};

use crate::judge::history::{ClientAnswer, Content, Lifetime, Stamp};
use crate::judge::scenario::Spelling;
use crate::judge::tenancy::Tenancy;
use crate::kernel::rt;
use crate::world::{Broken, Request, RequestBody};

/// The longest pause between two pieces of a body, in ms, and the most pieces.
const LONGEST_PAUSE_MS: usize = 60;
const MOST_PIECES: usize = 5;

/// A request in the making.
pub(super) struct Ask {
    request: Request,
}

impl Ask {
    /// A request to the stream of a path. Requests of different methods spell it in different ways.
    pub(super) fn new(method: Method, path: &str) -> Self {
        Self::spelled(method, path, Spelling::of(method))
    }

    /// The same, with the path spelled so.
    pub(super) fn spelled(method: Method, path: &str, spelling: Spelling) -> Self {
        let url = format!("https://tailrace.test/v1/stream/{}", spelling.spell(path));
        Self { request: Request { method, url, headers: Headers::default(), body: RequestBody::Empty } }
    }

    /// A request to what belongs to a stream: its reader key.
    pub(super) fn of_reader_key(tenancy: Tenancy, stream: usize) -> Self {
        let (project, path) = (tenancy.project(stream), Spelling::of(Method::Put).spell(&tenancy.path(stream)));
        let url = format!("https://tailrace.test/v1/projects/{project}/reader-keys/{path}");
        Self { request: Request { method: Method::Post, url, headers: Headers::default(), body: RequestBody::Empty } }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.request.headers.push(name, value);
        self
    }

    pub(super) fn with_if(self, wanted: bool, name: &'static str, value: &str) -> Self {
        if wanted { self.with(name, value) } else { self }
    }

    /// A parameter.
    fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.request.url.push(if self.request.url.contains('?') { '&' } else { '?' });
        self.request.url.push_str(&format!("{name}={value}"));
        self
    }

    pub(super) fn with_offset(self, offset: &str) -> Self {
        self.with_parameter("offset", offset)
    }

    /// Whether everybody may read the stream that is created.
    pub(super) fn with_public(self, public: bool) -> Self {
        if public { self.with_parameter("public", "true") } else { self }
    }

    /// The reader key of the stream, as the client knows it.
    pub(super) fn with_reader_key(self, key: Option<&str>) -> Self {
        match key {
            Some(key) => self.with_parameter("rk", key),
            None => self,
        }
    }

    /// A parameter that means nothing.
    pub(super) fn with_nothing(self) -> Self {
        self.with_parameter("a", "b")
    }

    /// The query of a live read, in the order of its names or in another one.
    pub(super) fn with_live(self, cursor: Option<u64>, live: &str, offset: &str, is_in_order: bool) -> Self {
        let cursor = cursor.map(|cursor| cursor.to_string());
        let with_cursor = |ask: Self| match &cursor {
            Some(cursor) => ask.with_parameter("cursor", cursor),
            None => ask,
        };
        match is_in_order {
            true => with_cursor(self).with_parameter("live", live).with_parameter("offset", offset),
            false => with_cursor(self.with_parameter("offset", offset).with_parameter("live", live)),
        }
    }

    pub(super) fn with_lifetime(self, lifetime: Lifetime) -> Self {
        match lifetime {
            Lifetime::Endless => self,
            Lifetime::Ttl(seconds) => self.with("stream-ttl", seconds.to_string()),
            Lifetime::Until(at_ms) => self.with("stream-expires-at", instant(at_ms)),
        }
    }

    pub(super) fn with_stamp(self, stamp: Option<&Stamp>) -> Self {
        match stamp {
            None => self,
            Some(stamp) => self
                .with("producer-id", stamp.producer.clone())
                .with("producer-epoch", stamp.epoch.to_string())
                .with("producer-seq", stamp.seq.to_string()),
        }
    }

    pub(super) fn with_body(mut self, body: Bytes) -> Self {
        self.request.body = match body.len() % 3 {
            // Some libraries declare no length.
            0 => RequestBody::Chunks(in_pieces(&body).boxed_local()),
            _ => RequestBody::Bytes(body),
        };
        self
    }

    /// What follows the first piece of the body is malformed.
    pub(super) fn broken_half_way(mut self) -> Self {
        let whole = match std::mem::replace(&mut self.request.body, RequestBody::Empty) {
            RequestBody::Chunks(chunks) => chunks,
            RequestBody::Bytes(bytes) => in_pieces(&bytes).boxed_local(),
            RequestBody::Empty => stream::empty().boxed_local(),
        };
        self.request.body = RequestBody::Chunks(whole.take(1).chain(stream::iter([Err(Broken)])).boxed_local());
        self
    }

    pub(super) fn build(self) -> Request {
        self.request
    }
}

/// A body that comes in one to five pieces, each a while after the other; how many, and how long after, its length
/// decides.
fn in_pieces(body: &Bytes) -> impl Stream<Item = Result<Bytes, Broken>> + use<> {
    let pieces = 1 + body.len() / 3 % MOST_PIECES;
    let piece_bytes = body.len().div_ceil(pieces).max(1);
    let body = body.clone();
    let piece = move |number: usize| {
        let (from, to) = (number * piece_bytes, ((number + 1) * piece_bytes).min(body.len()));
        let pause_ms = if number == 0 { 0 } else { (body.len() + 7 * number) % LONGEST_PAUSE_MS };
        (pause_ms as u64, body.slice(from.min(to)..to))
    };
    stream::iter((0..pieces).map(piece)).then(async |(after_ms, piece)| {
        rt::sleep_ms(after_ms).await;
        Ok(piece)
    })
}

/// A stream's content type.
pub(super) fn content_type(content: Content) -> &'static str {
    match content {
        Content::Json => "application/json",
        Content::Bytes => "application/octet-stream",
        Content::Text => "text/plain",
    }
}

/// What a client reads in a response.
pub(super) fn read(response: &Response) -> ClientAnswer {
    let text = |name| response.headers.get(name).map(str::to_owned);
    let number = |name| response.headers.get(name).and_then(|text| text.parse().ok());
    let is_true = |name| response.headers.get(name) == Some("true");
    let is_content = matches!(response.status, 200 | 304)
        && ["etag", "stream-up-to-date", "stream-cursor"].into_iter().any(|name| response.headers.get(name).is_some())
        || response.headers.get("content-type") == Some("text/event-stream");
    let mut needed = vec!["cache-control", "x-content-type-options", "cross-origin-resource-policy"];
    needed.extend(is_content.then_some("content-security-policy"));
    needed.extend(matches!(response.status, 503 | 507).then_some("retry-after"));
    ClientAnswer {
        status: response.status,
        next_offset: text("stream-next-offset"),
        closed: is_true("stream-closed"),
        up_to_date: is_true("stream-up-to-date"),
        etag: text("etag"),
        cursor: number("stream-cursor"),
        content_type: text("content-type"),
        base64: response.headers.get("stream-sse-data-encoding") == Some("base64"),
        producer_epoch: number("producer-epoch"),
        producer_seq: number("producer-seq"),
        expected_seq: number("producer-expected-seq"),
        received_seq: number("producer-received-seq"),
        cache_control: text("cache-control"),
        x_cache: text("x-cache"),
        age_s: number("age"),
        from_browser: None,
        reader_key: text("stream-reader-key"),
        allowed_origin: text("access-control-allow-origin"),
        varies_by_origin: text("vary").is_some_and(|vary| vary.split(", ").any(|name| name == "Origin")),
        tells_instance: response.headers.get("tailrace-instance").is_some(),
        tells_internals: ["tailrace-ahead", "tailrace-kept", "tailrace-readers"]
            .iter()
            .any(|name| response.headers.get(name).is_some()),
        code: if response.status >= 400 { code(&response.body) } else { None },
        guarded: needed.into_iter().all(|name| response.headers.get(name).is_some()),
        body: response.body.clone(),
    }
}

/// The stable code of `{"error":{"code":…}}`.
fn code(body: &[u8]) -> Option<String> {
    let error: serde_json::Value = serde_json::from_slice(body).ok()?;
    error.pointer("/error/code")?.as_str().map(str::to_owned)
}

/// RFC 3339 of Unix ms.
fn instant(at_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    let (days, ms) = (at_ms / DAY_MS, at_ms % DAY_MS);
    let (mut year, mut day) = (1970, days);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", day + 1, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_whole_in_one_to_five_pieces() {
        rt::block_on(1, async {
            let mut counts = [0; MOST_PIECES + 1];
            for length in 0..200 {
                let body = Bytes::from_iter((0..length).map(|byte| byte as u8));
                let pieces: Vec<Bytes> = in_pieces(&body).map(|piece| piece.expect("sound")).collect().await;
                assert_eq!(pieces.concat(), body);
                counts[pieces.len()] += 1;
            }
            assert!(counts[0] == 0 && counts[1..].iter().all(|count| *count > 0), "{counts:?}");
        });
    }

    #[test]
    fn instants_are_spelled_as_rfc_3339() {
        for (at_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(instant(at_ms), text);
        }
    }

    #[test]
    fn a_refusal_is_read_with_its_code() {
        let response =
            Response::new(409).with("stream-closed", "true").with_body(r#"{"error":{"code":"x","message":""}}"#);
        let answer = read(&response);
        assert_eq!((answer.status, answer.closed, answer.code.as_deref()), (409, true, Some("x")));
        assert!(!answer.guarded);
    }
}
