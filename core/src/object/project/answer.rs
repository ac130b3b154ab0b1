//! What a project's object answers. None of it is for caches, and a secret is told once, to whoever has made it.

use serde_json::{Map, Value};

use crate::protocol::project::{ProjectKey, ProjectRecord};
use crate::protocol::{CacheControl, Response, header};

/// An answer without a body.
pub(super) fn done() -> Response {
    Response::new(204).with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
}

fn json(status: u16, members: Map<String, Value>) -> Response {
    Response::new(status)
        .with(header::CACHE_CONTROL, CacheControl::NoStore.to_string())
        .with(header::CONTENT_TYPE, "application/json")
        .with_body(Value::from(members).to_string())
}

fn of_project(project: &str) -> Map<String, Value> {
    Map::from_iter([("project".to_owned(), project.into())])
}

/// That there is a project already.
pub(super) fn exists(project: &str) -> Response {
    json(200, of_project(project))
}

/// A new key. From `usable_s` on, in s since the Unix epoch, what it signs is accepted everywhere.
pub(super) fn made(project: &str, key: &ProjectKey, usable_s: u64) -> Response {
    let mut members = of_project(project);
    let of_key = [("id", key.id.as_str()), ("secret", &key.secret_text())];
    let of_key = of_key.map(|(name, value)| (name.to_owned(), Value::from(value)));
    members.insert("key".to_owned(), Map::from_iter(of_key).into());
    members.insert("usableAt".to_owned(), usable_s.into());
    json(201, members)
}

/// What there is, but no secret. Times are in s since the Unix epoch; 0 is unknown.
pub(super) fn shown(project: &str, record: &ProjectRecord) -> Response {
    let key = |key: &ProjectKey| {
        let members = [("id", Value::from(key.id.as_str())), ("createdAt", (key.created_ms / 1_000).into())];
        Value::from(Map::from_iter(members.map(|(name, value)| (name.to_owned(), value))))
    };
    let mut members = of_project(project);
    members.insert("keys".to_owned(), record.keys.iter().map(key).collect::<Vec<_>>().into());
    members.insert("origins".to_owned(), record.origins.clone().into());
    json(200, members)
}
