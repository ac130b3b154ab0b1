//! Caches in front of a Worker, as state machines that know neither a world nor Tailrace, only HTTP caching. They are
//! synchronous and have no clock: each call is told the time, in us since the Unix epoch. What they decide, they decide by
//! the [`Head`] of an answer; the answer itself is opaque, so that ordinary clients use them with whole responses, and
//! crowds with numbers. Where Cloudflare does not say how it works, the open-source proxy Pingora is the model, and what is
//! assumed is a knob.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `head` | what a cache decides by |
//! | `asking` | a visitor's request, as a cache sees it |
//! | `arrival` | what becomes of a request, and what a cache keeps |
//! | `machine` | the calls that every cache in front has |
//! | `knobs` | what they are like, as numbers |
//! | `bug` | their known bugs |
//! | `freshness` | what a shared cache may keep, and for how long |
//! | `store` | what a node keeps |
//! | `lock` | of those who miss together, one fetches |
//! | `predictor` | keys that are remembered as uncacheable |
//! | `fetching` | what is noted of a fetch and of those who wait |
//! | `tiers`, `settle` | nodes and an upper tier: who is served, who waits, who fetches |
//! | `zone` | a zone's CDN |
//! | `workers_cache` | Workers Cache |
//! | `browser` | a browser's own cache |
//! | `stage`, `scripts` | tests of all of it: what they do, and what comes of it, is text |
//! | `fates` | tests of all of it: whatever happens |

mod arrival;
mod asking;
mod browser;
mod bug;
#[cfg(test)]
mod fates;
mod fetching;
mod freshness;
mod head;
mod knobs;
mod lock;
mod machine;
mod predictor;
#[cfg(test)]
mod scripts;
mod settle;
#[cfg(test)]
mod stage;
mod store;
mod tiers;
mod workers_cache;
mod zone;

pub use arrival::{Abandoned, Answer, Arrival, Failed, Fetch, How, Outcome, Served, Tier, Verdict};
pub use asking::{Asking, Fields, Kind};
pub use browser::{Browser, Look};
pub use bug::FrontBug;
pub use head::{Control, Head, Vary};
pub use knobs::{AgeFrom, FreshnessKnobs, LockKnobs, OriginKnobs, WorkersCacheKnobs, ZoneKnobs};
pub use machine::Front;
pub use workers_cache::{WorkersCache, WorkersKey};
pub use zone::Zone;
