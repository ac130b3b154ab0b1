//! Tailrace itself as the program of a world: the only file that names core's edge, objects and streams.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tailrace_core::edge::{self, LiveConfig};
use tailrace_core::object::AnyObject;
use tailrace_core::protocol::message::{Live, Message, Operation};
use tailrace_core::protocol::segment::Whole;
use tailrace_core::protocol::{Address, Admission, Headers, Method, Offset, ProjectMode, Response};
use tailrace_core::runtime::Request;
use tailrace_core::storage::{RowKey, schema};

pub use tailrace_core::edge::{
    Access, Claims, EdgeConfig, KeyRing, Origins, Rates, Registry, Scope, StreamPattern, mint, verify,
};
pub use tailrace_core::object::{ColdSettings, Settings};
pub use tailrace_core::protocol::{MemoryLimits, Waits};
pub use tailrace_core::stream::{EncodingStep, StreamLimits};

use crate::bill::Cause;
use crate::kernel::random::Seeds;
use crate::kernel::rt;
use crate::world::{
    EdgeState, Faults, LineAnswer, ObjectClass, ObjectSql, ObjectState, Program, Upload, WorldConfigOf, WorldOf,
};

/// Core's edge and core's objects.
pub struct Tailrace;

impl Program for Tailrace {
    type Settings = Settings;
    type EdgeConfig = EdgeConfig;
    type Object = AnyObject<ObjectState>;

    fn cause(method: Method, url: &str) -> Cause {
        let waits = |how: &str| url.split(['?', '&']).any(|parameter| parameter == how);
        match method {
            Method::Get if waits("live=long-poll") => Cause::Poll,
            Method::Get if waits("live=sse") => Cause::Connection,
            Method::Get | Method::Head | Method::Options | Method::Other => Cause::Read,
            Method::Put | Method::Post | Method::Delete => Cause::Write,
        }
    }

    fn shown(url: &str) -> Cow<'_, str> {
        const PARAMETER: &str = "token=";
        let Some((before, rest)) = url.split_once(PARAMETER) else { return Cow::Borrowed(url) };
        let rest = rest.find('&').map_or("", |end| &rest[end..]);
        Cow::Owned(format!("{before}{PARAMETER}...{}", Self::shown(rest)))
    }

    fn answer_when_lost(config: &EdgeConfig, url: &str, headers: &Headers) -> Response {
        edge::answer_when_lost(config, url, headers)
    }

    fn inner_when_lost() -> Response {
        edge::object_when_lost()
    }

    async fn serve(env: &EdgeState, config: &EdgeConfig, request: Request<Upload>) {
        edge::serve(env, config, request).await;
    }

    async fn serve_inner(env: &EdgeState, config: &EdgeConfig, request: Request<Upload>) {
        edge::serve_inner(env, config, request).await;
    }
}

impl ObjectClass for AnyObject<ObjectState> {
    /// It may only to migrate. If another instance has taken over the storage, this one has nothing to migrate.
    fn may_write_at_start(storage: &ObjectSql) -> bool {
        schema::outdated(storage).is_ok_and(|version| version.is_some())
    }

    fn cause(message: &str) -> Cause {
        match Message::decode(message).map(|message| message.operation) {
            Some(
                Operation::Create(_)
                | Operation::Fork(_)
                | Operation::Append(_)
                | Operation::RotateReaderKey
                | Operation::Delete,
            ) => Cause::Write,
            Some(Operation::Read(read)) => match read.live {
                Some(Live::LongPoll) => Cause::Poll,
                Some(Live::Sse) => Cause::Connection,
                None => Cause::Read,
            },
            Some(Operation::EventRest(_)) => Cause::Connection,
            Some(Operation::Head) => Cause::Read,
            // What is asked of a project's object.
            None => Cause::Write,
        }
    }

    fn answer_when_lost() -> Response {
        edge::object_when_lost()
    }

    /// The version is its first character.
    fn of_another_release(message: &str) -> String {
        let (_, rest) = message.split_at_checked(1).unwrap_or_default();
        format!("0{rest}")
    }
}

/// A world in which Tailrace runs.
pub type World = WorldOf<Tailrace>;

/// The configuration of such a world.
pub type WorldConfig = WorldConfigOf<Tailrace>;

impl WorldConfig {
    /// A world without faults: one isolate, whose edge is open to everybody and configured as the objects are.
    pub fn of(settings: Settings) -> Self {
        let live = LiveConfig { waits: settings.waits, ..LiveConfig::default() };
        let body_limit = settings.limits.body_bytes;
        Self {
            faults: Faults::default(),
            edge: EdgeConfig {
                access: Access::NoAuth,
                registry: None,
                projects: ProjectMode::Single,
                body_limit,
                live,
                memory: settings.memory.clone(),
                policy: settings.policy,
                origins: Origins::Any,
                rates: Rates::default(),
            },
            settings,
            colos: Vec::new(),
            isolates: 1,
            host_mutant: None,
            front_bug: None,
            seeds: Seeds::of(1),
        }
    }
}

impl World {
    /// The keys in R2 that an object's rows name, built from the documented form of keys and not by core's own code.
    pub fn named_keys(&self, object: &str) -> BTreeSet<String> {
        const NAMES: &str = "SELECT stream.incarnation || '/' || printf('%010d', read_seq) || '/' || attempt \
                             FROM segments, stream";
        let id = self.object_id(object);
        self.texts(object, NAMES).into_iter().map(|name| format!("segments/{id}/{name}")).collect()
    }

    /// What an object tells its operators about a stream, asked without the edge.
    pub async fn inspect(&self, object: &str, within_ms: u64) -> Option<Response> {
        let (admission, operation) = (Admission::Open, Operation::Head);
        let message = Message { admission, debug: true, body_too_large: false, body_encoded: false, operation };
        let line = self.line();
        match rt::within_ms(within_ms, line.call(Address::stream(object), message.encode(), 0)).await? {
            Ok(LineAnswer::Answer(response)) => Some(response),
            _ => None,
        }
    }

    /// The commit times of an object's log, each in ms with the first position of its row or frame: those in R2 by these
    /// keys, and then those in the tables.
    pub fn commit_times(&self, object: &str, keys: &BTreeSet<String>) -> BTreeSet<(Offset, u64)> {
        const TABLES: [&str; 2] =
            ["SELECT key || ' ' || commit_ms FROM log", "SELECT key || ' ' || commit_ms FROM log_b"];
        let mut times = BTreeSet::new();
        for content in keys.iter().filter_map(|key| self.services().bucket.content(key)) {
            if let Ok(Whole { head, frames, .. }) = Whole::decode(&content) {
                let at = |position| Offset { read_seq: head.read_seq, position };
                times.extend(frames.iter().map(|frame| (at(frame.first), frame.commit_ms)));
            }
        }
        let rows = TABLES.into_iter().flat_map(|table| self.texts(object, table));
        times.extend(rows.filter_map(|row| {
            let (key, commit_ms) = row.split_once(' ')?;
            Some((RowKey::unpack(key.parse().ok()?).offset, commit_ms.parse().ok()?))
        }));
        times
    }
}

#[cfg(test)]
mod tests {
    use tailrace_core::protocol::CachePolicy;

    use super::*;
    use crate::bill::{Meter, Usage};
    use crate::world::{Request, RequestBody};

    #[test]
    fn a_url_is_written_down_without_its_token() {
        for (url, shown) in [
            ("/v1/stream/a?offset=-1", "/v1/stream/a?offset=-1"),
            ("/v1/stream/a?token=x.y.z", "/v1/stream/a?token=..."),
            ("/v1/stream/a?token=x&offset=-1&token=y&live=sse", "/v1/stream/a?token=...&offset=-1&token=...&live=sse"),
        ] {
            assert_eq!(Tailrace::shown(url), shown);
        }
    }

    #[test]
    fn a_stream_is_created_appended_to_read_and_deleted() {
        rt::block_on(1, async {
            let world = World::new(WorldConfig { isolates: 2, ..WorldConfig::of(Settings::default()) });
            let ask = async |method, body: &'static str| {
                let mut headers = Headers::default();
                headers.push("content-type", "text/plain");
                let body = RequestBody::of(body);
                let url = "https://example.test/v1/stream/a/b".to_owned();
                world.request(Request { method, url, headers, body }, 1000).await.unwrap()
            };
            assert_eq!(ask(Method::Put, "").await.status, 201);
            assert_eq!(ask(Method::Post, "one").await.status, 204);
            assert_eq!(ask(Method::Post, "two").await.status, 204);
            assert_eq!(ask(Method::Get, "").await.body, "onetwo");
            assert_eq!(world.objects(), ["_default/a/b"]);
            assert_eq!(ask(Method::Delete, "").await.status, 204);
            assert_eq!(ask(Method::Get, "").await.status, 404);
        });
    }

    /// What a client does.
    enum Does {
        Ask(Request),
        /// It opens a connection with events.
        Listen,
        /// It leaves the connection that it has.
        Leave,
    }

    /// What was used since then, but for time: a line for each cause.
    fn used(world: &World, before: &Usage) -> Vec<String> {
        let now = world.usage();
        let of = |cause: Cause| {
            let counts = Meter::ALL.iter().filter(|meter| **meter != Meter::ObjectMs);
            let counts = counts.map(|meter| (meter.name(), now.of(cause, *meter) - before.of(cause, *meter)));
            let counts: Vec<_> =
                counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
            (!counts.is_empty()).then(|| format!("{}: {}", cause.name(), counts.join(", ")))
        };
        Cause::ALL.iter().filter_map(|cause| of(*cause)).collect()
    }

    #[test]
    fn what_is_used_is_billed_for_the_kind_of_event_that_has_caused_it() {
        rt::block_on(1, async {
            let limits = StreamLimits { segment_rows: 2, ..StreamLimits::default() };
            let mut settings = Settings { limits, ..Settings::default() };
            settings.policy = CachePolicy::named("immutable-and-long-poll").expect("a policy");
            let world = World::new(WorldConfig::of(settings));
            let request = |method, query: &str, body: &'static str, fields: &[(&'static str, &str)]| {
                let mut headers = Headers::default();
                headers.push("content-type", "text/plain");
                fields.iter().for_each(|(name, value)| headers.push(*name, *value));
                let url = format!("https://example.test/v1/stream/a{query}");
                Request { method, url, headers, body: RequestBody::of(body) }
            };
            let sse = |world: &World| {
                let (world, asked) = (world.clone(), request(Method::Get, "?offset=now&live=sse", "", &[]));
                async move { world.open(world.number(), asked, 1_000).await.expect("an answer").body }
            };
            let mut events = None;
            let poll = "?offset=now&live=long-poll";
            for (what, asked, wait_ms, expected) in [
                (
                    "a creation",
                    Does::Ask(request(Method::Put, "", "", &[("stream-ttl", "60")])),
                    0,
                    &["write: 1 Worker requests, 1 object requests, 8 rows read, 11 rows written"][..],
                ),
                (
                    "an append",
                    Does::Ask(request(Method::Post, "", "one", &[])),
                    0,
                    &["write: 1 Worker requests, 1 object requests, 1 rows read, 1 rows written"],
                ),
                (
                    "one that seals a segment",
                    Does::Ask(request(Method::Post, "", "two", &[])),
                    2_000,
                    &[
                        "write: 1 Worker requests, 1 object requests, 3 rows read, 3 rows written",
                        "rotation: 1 object requests, 49 rows read, 7 rows written, 1 R2 class A",
                    ],
                ),
                (
                    "a page out of R2",
                    Does::Ask(request(Method::Get, "", "", &[])),
                    0,
                    &["read: 1 Worker requests, 1 object requests, 2 rows read, 2 R2 class B"],
                ),
                (
                    "a long-poll in vain",
                    Does::Ask(request(Method::Get, poll, "", &[])),
                    0,
                    &["poll: 1 Worker requests, 1 object requests, 1 rows read"],
                ),
                (
                    "a HEAD, and the end of the poll's socket, which has woken the object",
                    Does::Ask(request(Method::Head, "", "", &[])),
                    5_000,
                    &["read: 1 Worker requests, 1 object requests, 3 rows read", "poll: 7 rows read"],
                ),
                (
                    "a connection with events, which has started the TTL again",
                    Does::Listen,
                    1_000,
                    &[
                        "connection: 1 Worker requests, 1 object requests, 3 rows read, 1 rows written, 1 events delivered",
                    ],
                ),
                (
                    "an append that it is told of",
                    Does::Ask(request(Method::Post, "", "three", &[])),
                    5_000,
                    &[
                        "write: 1 Worker requests, 1 object requests, 2 rows read, 3 rows written",
                        "connection: 1 events delivered",
                    ],
                ),
                (
                    "its client leaves, and an alarm comes whose time has been moved",
                    Does::Leave,
                    40_000,
                    &["connection: 10 rows read", "expiry: 1 object requests, 18 rows read, 2 rows written"],
                ),
                (
                    "the end of the stream, and of its object in R2",
                    Does::Leave,
                    120_000,
                    &[
                        "sweep: 1 object requests, 46 rows read, 7 rows written, 1 R2 class A, 1 R2 deletions",
                        "expiry: 1 object requests, 10 rows read",
                    ],
                ),
            ] {
                let before = world.usage();
                match asked {
                    Does::Ask(asked) => assert!(world.request(asked, 30_000).await.is_ok(), "{what}"),
                    Does::Listen => events = sse(&world).await,
                    Does::Leave => drop(events.take()),
                }
                rt::sleep_ms(wait_ms).await;
                assert_eq!(used(&world, &before), expected, "{what}");
            }
        });
    }
}
