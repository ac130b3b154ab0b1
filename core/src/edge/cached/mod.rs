//! The edge cache: the cache of the datacenter, as reads use it.
//!
//! A stored answer is served only within the time that its own note allows: the cache may keep it longer. What is
//! stored is complete, and its kind is one that the policy keeps. No client waits for it to be stored.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `caching` | how the cache takes part in a read: a pure function of the request |
//! | `answer` | what all reads do with the cache: they look for an answer, and have theirs kept |
//! | `read` | plain reads |
//! | `marker` | the marker of a long-poll whose answer is in the making |
//! | `bridge` | a long-poll that has been answered, and goes on for those that come after it |

mod answer;
pub(super) mod bridge;
mod caching;
pub(super) mod marker;
mod read;

pub(super) use answer::{admitted, age_s, ahead_ms, answer_stored, asked, kept, served, store};
pub use caching::Caching;
pub(super) use caching::refuses_copies;
pub(super) use read::read;
