//! Storage of whole objects by key: R2.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// The most objects of one listing, and the most keys of one deletion (Cloudflare, R2 Workers API).
pub const BATCH_LIMIT: usize = 1_000;

/// The longest key, in bytes (Cloudflare, R2 limits).
pub const KEY_LIMIT: usize = 1_024;

/// Under which condition a put stores its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutCondition {
    /// Always; an object that has the key is replaced.
    Always,
    /// Only if no object has the key. A refused put is billed like any other.
    Absent,
}

/// What the store answered to a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object is stored: every later read, listing and put sees it.
    Stored,
    /// The condition did not hold; nothing was stored.
    Refused,
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was stored, by the store's clock, in ms since the Unix epoch.
    pub uploaded_ms: u64,
}

/// A page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Listed>,
    /// Whether more objects follow. They may even after a page that has none.
    pub more: bool,
}

/// Why the store did not do what it was asked. The words are for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Nothing was changed.
    NotApplied(String),
    /// Whether it was applied is unknown. It may still be applied, minutes later.
    Unknown(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotApplied(words) => write!(formatter, "object store: {words}"),
            Self::Unknown(words) => write!(formatter, "object store, outcome unknown: {words}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// A bucket. It is strongly consistent: a call sees all calls whose answers came before it was made. The last writer of
/// a key wins.
///
/// Like everything that leaves an object, puts and deletions wait until what the object wrote before is durable. So an
/// instance that has lost its storage stores and deletes nothing more, but a call that has left before that may be
/// applied minutes later.
///
/// Each call ends within `limit_ms`, whatever becomes of it in the store: one that the store does not answer by then
/// fails, with an unknown outcome. Core tells the limit, and the host keeps the time.
pub trait ObjectStore {
    /// Stores an object under a key of at most [`KEY_LIMIT`] bytes.
    async fn put(
        &self,
        key: &str,
        body: Bytes,
        condition: PutCondition,
        limit_ms: u64,
    ) -> Result<PutOutcome, StoreError>;

    /// The bytes of an object in the range, as far as the object has them; `None` if there is no object.
    async fn get(&self, key: &str, range: Range<u64>, limit_ms: u64) -> Result<Option<Bytes>, StoreError>;

    /// Deletes at most [`BATCH_LIMIT`] keys; a key without an object is no error. If it fails, some may be deleted.
    async fn delete(&self, keys: &[String], limit_ms: u64) -> Result<(), StoreError>;

    /// Lists objects whose keys begin with `prefix` and come after `after`: at most `limit`, and at most
    /// [`BATCH_LIMIT`].
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize, limit_ms: u64)
    -> Result<Listing, StoreError>;
}
