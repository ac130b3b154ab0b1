//! A token as its client holds it.

use std::collections::BTreeMap;

/// What a token is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::judge::client) enum Need {
    Read,
    Write,
    Manage,
}

/// A token as its client holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::judge::client) struct Pass {
    pub(in crate::judge::client) token: String,
    /// When it expires, in ms since the Unix epoch.
    pub(in crate::judge::client) until_ms: u64,
    /// Whether it is an operator's.
    pub(in crate::judge::client) manages: bool,
    /// The id of the key that has signed it.
    pub(super) key: String,
}

/// The tokens of all clients: of each, for a stream, what for.
pub(super) type Wallet = BTreeMap<(usize, usize, Need), Pass>;
