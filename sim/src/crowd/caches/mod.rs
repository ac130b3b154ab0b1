//! The cache in front of the Worker, and the one between its entrypoints.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `front_cache` | such a cache, and what it keeps for a crowd |
//! | `in_front` | what it does for its visitors, and asks of the Worker |
//! | `gateway` | the gateway, whose requests are visitors of the cache before the inner entrypoint |

mod front_cache;
mod gateway;
mod in_front;

pub(in crate::crowd) use front_cache::{Front, Handle};
