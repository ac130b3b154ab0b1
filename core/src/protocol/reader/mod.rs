//! Who reads, as far as objects and caches are told.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `admission` | what an edge has found out about a client |
//! | `key` | what a URL has to carry so that caches in front may keep what it answers |
//! | `readership` | who may be handed an answer by a cache that checks no token |

mod admission;
mod key;
mod readership;

pub use admission::Admission;
pub use key::{ReaderKey, ReaderKeyDigest};
pub use readership::Readership;
