//! Storage of small texts by key, which is read everywhere at little cost, and is seen everywhere only by and by: KV.

use std::fmt;

/// The longest key, in bytes (Cloudflare, KV limits).
pub const KV_KEY_LIMIT: usize = 512;

/// The most keys of one listing (Cloudflare, KV limits).
pub const KV_LIST_LIMIT: usize = 1_000;

/// How long it takes at most until a put is seen everywhere, and until one whose end is unknown has been applied if it ever
/// is, in ms. Our choice: the platform promises "60 seconds or more".
pub const KV_SETTLES_MS: u64 = 90_000;

/// How long it takes at least from one put of a key to the next, in ms (Cloudflare, KV limits: one write a second).
pub const KV_PUT_INTERVAL_MS: u64 = 1_000;

/// A key of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvKey {
    /// The key.
    pub name: String,
    /// What its last put has noted; empty for one that something else has stored.
    pub note: String,
}

/// A page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvListing {
    /// The keys.
    pub keys: Vec<KvKey>,
    /// Where the next page begins, as the store calls it; `None` if there is none.
    pub next: Option<String>,
}

/// The store did not do what it was asked, or did not say so in time. Whether a put was applied is unknown: it may still be.
/// The words are for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvError(pub String);

impl fmt::Display for KvError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KV: {}", self.0)
    }
}

impl std::error::Error for KvError {}

/// A namespace of KV, as requests at the edge read it. What is read somewhere may be as old as [`KV_SETTLES_MS`], absence too,
/// and may be older than what was read there before. Each call ends within `limit_ms`, whatever becomes of it in the store.
pub trait KvView {
    /// The text of a key; `None` if there is none.
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError>;

    /// Lists at most [`KV_LIST_LIMIT`] keys, from where an earlier page has said that the next one begins.
    async fn list(&self, from: Option<&str>, limit_ms: u64) -> Result<KvListing, KvError>;
}

/// The same namespace, as objects change it. Each call ends within `limit_ms`, whatever becomes of it in the store.
///
/// Like everything that leaves an object, its puts wait until what the object wrote before is durable.
pub trait KvStore {
    /// The text of a key; `None` if there is none. It may be as old as at the edge.
    async fn get(&self, key: &str, limit_ms: u64) -> Result<Option<String>, KvError>;

    /// Stores a text under a key of at most [`KV_KEY_LIMIT`] bytes, with a short note that listings tell. One that comes
    /// sooner after another one than [`KV_PUT_INTERVAL_MS`] fails.
    async fn put(&self, key: &str, text: &str, note: &str, limit_ms: u64) -> Result<(), KvError>;
}
