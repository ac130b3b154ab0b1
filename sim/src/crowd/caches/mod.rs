//! The cache in front of the Worker, the one between its entrypoints, and those of browsers.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `front_cache` | such a cache, and what it keeps for a crowd |
//! | `in_front` | what it does for its visitors, and asks of the Worker |
//! | `browser` | the browsers of readers that have one |
//! | `gateway` | the gateway, whose requests are visitors of the cache before the inner entrypoint |

mod browser;
mod front_cache;
mod gateway;
mod in_front;

pub(in crate::crowd) use front_cache::{Front, Handle};
