//! The stream of a test in a world of its own, and what answers say of caches.

use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::object::Settings;
use tailrace_core::protocol::{Method, Offset, Response, header};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_tests::stream_client::{Fields, StreamClient};

/// Bytes of a page.
pub(crate) const PAGE: usize = 100;
/// A page, and what follows it up to the tail.
pub(crate) const FIRST: &str =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const REST: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

pub(crate) const CLOSES: Fields<'static> = &[(header::STREAM_CLOSED, "true")];
pub(crate) const NO_CACHE: Fields<'static> = &[(header::CACHE_CONTROL, "no-cache")];
pub(crate) const DEBUG: Fields<'static> = &[(header::TAILRACE_DEBUG, "1")];
const TEXT: Fields<'static> = &[(header::CONTENT_TYPE, "text/plain")];

const STREAM: StreamClient = StreamClient { path: "a", fields: &[], patience_ms: 120_000 };

/// A world with one stream; clones share it.
#[derive(Clone)]
pub(crate) struct Site(Rc<World>);

/// The offset of a position in the first segment of the URL's first stream.
pub(crate) fn at(position: usize) -> String {
    Offset { read_seq: 0, position: position as u64 }.to_string()
}

/// The tail of [`Site::long`].
pub(crate) fn tail() -> String {
    at(PAGE + REST.len())
}

/// Status and `X-Cache` of an answer.
pub(crate) fn told(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.headers.get(header::X_CACHE))
}

/// Status and `Cache-Control` of an answer.
pub(crate) fn rule(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.headers.get(header::CACHE_CONTROL))
}

/// A field of an answer that has it.
pub(crate) fn field(answer: &Response, name: &str) -> String {
    answer.headers.get(name).unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_owned()
}

/// Seconds for which an answer is fresh, and for which it may be served stale.
pub(crate) fn seconds(answer: &Response) -> (u64, u64) {
    let value = field(answer, header::CACHE_CONTROL);
    let rest = value.strip_prefix("public, max-age=").unwrap_or_else(|| panic!("{value}"));
    let (fresh, stale) = rest.split_once(", stale-while-revalidate=").unwrap_or((rest, "0"));
    (fresh.parse().expect("seconds"), stale.parse().expect("seconds"))
}

/// Runs a test in a world without faults, whose datacenter has a cache, and whose pages are short.
pub(crate) fn run<T: Future<Output = ()>>(test: impl FnOnce(Site) -> T) {
    rt::block_on(1, async {
        let limits = StreamLimits { page_bytes: PAGE, ..StreamLimits::default() };
        let world = World::new(WorldConfig::of(Settings { limits, ..Settings::default() }));
        test(Site(Rc::new(world))).await;
    });
}

impl Site {
    pub(crate) async fn ask(
        &self,
        method: Method,
        query: &str,
        fields: Fields<'_>,
        body: impl Into<Bytes>,
    ) -> Response {
        STREAM.ask(&self.0, method, query, fields, body).await
    }

    /// A GET by another spelling of the stream's path.
    pub(crate) async fn ask_as(&self, client: &StreamClient, query: &str) -> Response {
        client.ask(&self.0, Method::Get, query, &[], "").await
    }

    /// Creates the stream.
    pub(crate) async fn create(&self, fields: Fields<'_>) {
        assert_eq!(self.ask(Method::Put, "", &[fields, TEXT].concat(), "").await.status, 201);
    }

    /// Creates a stream of a page and a half.
    pub(crate) async fn long(&self, fields: Fields<'_>) {
        self.create(fields).await;
        self.append(FIRST, &[]).await;
        self.append(REST, &[]).await;
    }

    pub(crate) async fn append(&self, body: &'static str, fields: Fields<'_>) {
        let answer = self.ask(Method::Post, "", &[fields, TEXT].concat(), body).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    pub(crate) async fn delete(&self) {
        assert_eq!(self.ask(Method::Delete, "", &[], "").await.status, 204);
    }

    /// A plain GET.
    pub(crate) async fn get(&self, offset: &str, fields: Fields<'_>) -> Response {
        self.ask(Method::Get, &format!("?offset={offset}"), fields, "").await
    }

    /// A long-poll.
    pub(crate) async fn poll(&self, offset: &str, cursor: Option<&str>, fields: Fields<'_>) -> Response {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.ask(Method::Get, &format!("?offset={offset}&live=long-poll{cursor}"), fields, "").await
    }

    /// Events, until the connection ends.
    pub(crate) async fn listen(&self, offset: &str) -> Response {
        self.ask(Method::Get, &format!("?offset={offset}&live=sse"), &[], "").await
    }

    /// A plain GET or a long-poll.
    pub(crate) async fn read(&self, is_poll: bool, offset: &str, fields: Fields<'_>) -> Response {
        if is_poll { self.poll(offset, None, fields).await } else { self.get(offset, fields).await }
    }

    /// Asks twice for what is stored: a MISS, and then a HIT with the same body.
    pub(crate) async fn stored(&self, is_poll: bool, offset: &str) -> [Response; 2] {
        let miss = self.read(is_poll, offset, &[]).await;
        assert_eq!(told(&miss), (200, Some("MISS")));
        self.settle().await;
        let hit = self.read(is_poll, offset, &[]).await;
        assert_eq!((told(&hit), &hit.body), ((200, Some("HIT")), &miss.body));
        [miss, hit]
    }

    /// Asks twice for what is not stored.
    pub(crate) async fn not_stored(
        &self,
        is_poll: bool,
        offset: &str,
        fields: Fields<'_>,
        expected: (u16, Option<&str>),
    ) {
        for _ in 0..2 {
            let answer = self.read(is_poll, offset, fields).await;
            assert_eq!(told(&answer), expected, "{is_poll} {offset}: {answer:?}");
            self.settle().await;
        }
    }

    /// Waits until what was answered is stored: no answer waits for that.
    pub(crate) async fn settle(&self) {
        self.sleep_ms(10).await;
    }

    pub(crate) async fn sleep_ms(&self, ms: u64) {
        rt::sleep_ms(ms).await;
    }

    /// Virtual ms since the Unix epoch.
    pub(crate) fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    /// The time after so many ms from now, as an end of streams is written.
    pub(crate) fn in_ms(&self, ms: u64) -> String {
        let since = (self.now_ms() + ms) - tailrace_sim::world::EPOCH_MS;
        assert!(since < 60_000, "within the first minute of the seed");
        format!("2026-01-01T00:00:{:02}.{:03}Z", since / 1_000, since % 1_000)
    }
}
