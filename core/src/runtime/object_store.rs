//! Storage of whole objects by key: R2.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// Most objects of one listing, and most keys of one deletion (Cloudflare, R2 Workers API).
pub const BATCH_LIMIT: usize = 1_000;

/// Longest key, in bytes (Cloudflare, R2 limits).
pub const KEY_LIMIT: usize = 1_024;

/// When a put takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutCondition {
    /// Whatever is there is replaced.
    Always,
    /// Only where no object has the key; a refused put is billed all the same.
    Absent,
}

/// How a put ended that the store has answered.
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
    /// Its length.
    pub bytes: u64,
    /// When it was stored, by the store's clock, in ms since the Unix epoch.
    pub uploaded_ms: u64,
}

/// A page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Listed>,
    /// Whether more follow; they may, even behind a page without objects.
    pub more: bool,
}

/// Why the store has not answered. The words are for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Nothing was changed.
    NotApplied(String),
    /// Whether it was applied is unknown, and it may be applied yet, minutes later.
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

/// A bucket: strongly consistent for whoever awaits an answer before the next call, and the last writer of a key wins.
///
/// Puts and deletions wait, as everything that leaves an object, until what the object wrote before is durable: an
/// instance that has lost its storage stores and deletes nothing more. One that was on its way before may be applied
/// minutes later.
pub trait ObjectStore {
    /// Stores an object under a key of at most [`KEY_LIMIT`] bytes.
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<PutOutcome, StoreError>;

    /// Bytes of an object, as many of the range as there are; `None` if there is no object.
    async fn get(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError>;

    /// Deletes at most [`BATCH_LIMIT`] keys, each whether or not it is there. Where it fails, some may be gone.
    async fn delete(&self, keys: &[String]) -> Result<(), StoreError>;

    /// At most `limit` objects, itself at most [`BATCH_LIMIT`], whose keys begin with `prefix` and come after `after`.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Listing, StoreError>;
}
