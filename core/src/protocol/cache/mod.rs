//! What caches may keep: policies as values, and the pure functions that follow from them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `kind` | what an answer is, as far as caches are concerned |
//! | `rule` | what caches are told of a kind of answer |
//! | `collapse` | how requests that miss at the same time are kept from all asking the object |
//! | `policy` | a policy: its rules, and what follows from them |
//! | `policies` | every policy, as a table |
//! | `key` | under which URL the edge keeps an answer |
//! | `entry` | what the edge notes about an answer that it keeps |

mod collapse;
mod entry;
mod key;
mod kind;
mod policies;
mod policy;
mod rule;

pub use collapse::{Bound, Collapse, Cursors, Marker};
pub use entry::EntryNote;
pub use key::{key, origin_of, question};
pub use kind::AnswerKind;
pub use policy::CachePolicy;
pub use rule::Rule;
