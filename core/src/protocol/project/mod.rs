//! What a project is: the keys that sign and verify its tokens, and the origins whose scripts may read its streams.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `keys` | keys, which sign tokens and verify them |
//! | `origins` | the origins whose scripts may read answers, and whether the one that asks is one of them |

pub mod keys;
pub mod origins;

pub use keys::KeyRing;
pub use origins::Origins;
