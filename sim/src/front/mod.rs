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
//! | `arrival` | what becomes of a request |
//! | `machine` | the calls that every cache in front has |
//! | `knobs` | what they are like, as numbers |
//! | `bug` | their known bugs |

mod arrival;
mod asking;
mod bug;
mod head;
mod knobs;
mod machine;

pub use arrival::{Abandoned, Arrival, Failed, Fetch, How, Served, Tier, Verdict};
pub use asking::{Asking, Fields, Kind};
pub use bug::FrontBug;
pub use head::{Control, Head, Vary};
pub use knobs::{AgeFrom, FreshnessKnobs, LockKnobs, OriginKnobs, WorkersCacheKnobs, ZoneKnobs};
pub use machine::{Front, Outcome};
