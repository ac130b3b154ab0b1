//! A request for the registry, and what its answer says.

use serde_json::Value;
use tailrace_core::protocol::{Headers, Method, Response};

use super::holder::HeldKey;
use crate::kernel::rt;
use crate::tailrace::World;
use crate::world::{EPOCH_MS, Request, RequestBody};

/// How long an operator waits, in ms: longer than a change waits for KV.
pub(super) const PATIENCE_MS: u64 = 60_000;

/// Where the registry is.
pub(super) const ORIGIN: &str = "https://tailrace.test";

/// Whose tokens those of the operator of the whole deployment are.
pub(super) const ROOT: &str = "_root";

/// Virtual ms since the run began.
pub(super) fn now_ms() -> u64 {
    rt::now_ns() / 1_000_000
}

/// Sends a request of that number. `None` if there is no answer.
pub(super) async fn request(
    world: &World,
    number: u64,
    method: Method,
    path: &str,
    headers: Headers,
    patience_ms: u64,
) -> Option<Response> {
    let url = format!("{ORIGIN}{path}");
    let request = Request { method, url, headers, body: RequestBody::Empty };
    world.request_as(number, request, patience_ms).await.ok()
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// The key that an answer tells, and from when on it is usable, in virtual ms.
pub(super) fn made(project: &str, response: &Response) -> Option<(HeldKey, u64)> {
    let told = json(response);
    let key = HeldKey::of(project, told["key"]["id"].as_str()?, told["key"]["secret"].as_str()?)?;
    Some((key, (told["usableAt"].as_u64()? * 1_000).saturating_sub(EPOCH_MS)))
}

/// The ids of the keys that an answer lists.
pub(super) fn listed(response: &Response) -> Vec<String> {
    let told = json(response);
    let ids = told["keys"].as_array().into_iter().flatten().filter_map(|key| key["id"].as_str());
    ids.map(str::to_owned).collect()
}
