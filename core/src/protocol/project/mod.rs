//! What a project is: the keys that sign and verify its tokens, and the origins whose scripts may read its streams.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `keys` | keys, which sign tokens and verify them |
//! | `origins` | the origins whose scripts may read answers, and whether the one that asks is one of them |
//! | `record` | both as KV holds them and the project's object keeps them |
//! | `message` | what the edge sends to a project's object |

pub mod keys;
pub mod message;
pub mod origins;
pub mod record;

pub use keys::KeyRing;
pub use message::{ProjectMessage, ProjectOperation};
pub use origins::Origins;
pub use record::{ProjectKey, ProjectRecord};

/// What KV notes, for listings, of a project that is no more.
pub const DELETED: &str = "deleted";

/// Whose tokens those of the operator of the whole deployment are (`sub`). No project has this name.
pub const ROOT_PROJECT: &str = "_root";
