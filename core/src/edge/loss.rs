//! The answers that a host gives to requests at which its instance was lost: they have no task any more.

use super::config::EdgeConfig;
use super::egress::Terms;
use super::failure::lost;
use super::projects::config_if_unknown;
use super::route::query_of;
use crate::protocol::{Headers, Method, Response};

/// The answer to a client's request of that URL and with these fields (those of `picked_headers`). It depends on who asks,
/// so the host has the next instance make it.
pub fn answer_when_lost(config: &EdgeConfig, url: &str, headers: &Headers) -> Response {
    Terms::of(&config_if_unknown(config, url), query_of(url), headers).response(object_when_lost())
}

/// The answer of an object, or of the inner entrypoint. It is the same for all, so a host may ask for it in advance.
pub fn object_when_lost() -> Response {
    lost(Method::Get)
}
