//! Reader keys: what a URL has to carry so that caches in front may keep what it answers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Bytes of a reader key.
const BYTES: usize = 16;

/// The reader key of a stream: 16 random bytes, in unpadded base64url. Caches that stand before the edge check no token, so they
/// may keep what is not public only at URLs that nobody can guess. Whoever knows such a URL may be answered by them.
#[derive(Clone, PartialEq, Eq)]
pub struct ReaderKey(String);

/// The SHA-256 of a reader key, in unpadded base64url. By it an edge knows the key that held when the object answered, and
/// nobody finds the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderKeyDigest(String);

impl ReaderKey {
    /// From fresh random bytes.
    pub fn from_random(bytes: [u8; BYTES]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// From storage.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, as it stands in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digest.
    pub fn digest(&self) -> ReaderKeyDigest {
        ReaderKeyDigest::of(&self.0)
    }
}

/// Without the key, which no log may hold.
impl std::fmt::Debug for ReaderKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ReaderKey")
    }
}

impl ReaderKeyDigest {
    /// Of what a client has sent as a reader key, whatever that is.
    pub fn of(text: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
    }

    /// From the text of [`Self::as_str`].
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_bytes_and_a_digest_the_sha256_of_its_text() {
        let key = ReaderKey::from_random([0xff; BYTES]);
        assert_eq!(key.as_str(), "_____________________w");
        assert_eq!(ReaderKey::from_stored(key.as_str()), key);
        assert_eq!(key.digest(), ReaderKeyDigest::of("_____________________w"));
        // printf abc | sha256sum
        assert_eq!(ReaderKeyDigest::of("abc").as_str(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_ne!(key.digest(), ReaderKeyDigest::of("_____________________x"));
    }

    #[test]
    fn nothing_that_is_printed_for_people_holds_a_key() {
        assert_eq!(format!("{:?}", ReaderKey::from_random([7; BYTES])), "ReaderKey");
    }
}
