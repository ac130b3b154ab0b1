//! Tailrace itself as the program of a world: the only file that names core's edge, objects and streams.

use std::collections::BTreeSet;

use tailrace_core::edge::{self, Access, EdgeConfig, LiveConfig};
use tailrace_core::object::StreamObject;
use tailrace_core::protocol::segment::Whole;
use tailrace_core::protocol::{Offset, ProjectMode, Response};
use tailrace_core::runtime::Request;
use tailrace_core::storage::{RowKey, schema};

pub use tailrace_core::object::{ColdSettings, Settings};
pub use tailrace_core::protocol::{MemoryLimits, Waits};
pub use tailrace_core::stream::{EncodingStep, StreamLimits};

use crate::kernel::random::Seeds;
use crate::world::{EdgeState, Faults, ObjectClass, ObjectSql, ObjectState, Program, Upload, WorldConfigOf, WorldOf};

/// Core's edge and core's stream object.
pub struct Tailrace;

impl Program for Tailrace {
    type Settings = Settings;
    type EdgeConfig = EdgeConfig;
    type Object = StreamObject<ObjectState>;

    fn answer_when_lost(config: &EdgeConfig) -> Response {
        edge::answer_when_lost(config)
    }

    async fn serve(env: &EdgeState, config: &EdgeConfig, request: Request<Upload>) {
        edge::serve(env, config, request).await;
    }

    async fn serve_inner(env: &EdgeState, config: &EdgeConfig, request: Request<Upload>) {
        edge::serve_inner(env, config, request).await;
    }
}

impl ObjectClass for StreamObject<ObjectState> {
    /// It may only to migrate. If another instance has taken over the storage, this one has nothing to migrate.
    fn may_write_at_start(storage: &ObjectSql) -> bool {
        schema::outdated(storage).is_ok_and(|version| version.is_some())
    }

    fn answer_when_lost() -> Response {
        edge::answer_when_lost(&WorldConfig::of(Settings::default()).edge)
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
                projects: ProjectMode::Single,
                body_limit,
                live,
                memory: settings.memory.clone(),
                policy: settings.policy,
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
    use tailrace_core::protocol::{Headers, Method};

    use super::*;
    use crate::kernel::rt;
    use crate::world::{Request, RequestBody};

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
}
