//! The keys of a project, which sign tokens and verify them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::mutant::mutated;
use crate::protocol::limits::{KEY_BYTES_MIN, KEY_ID_LIMIT, KEYS_LIMIT};

/// The keys of a project: the first one signs, and all verify. Clones share them.
#[derive(Clone)]
pub struct KeyRing {
    first: Key,
    others: Arc<[Key]>,
}

#[derive(Clone)]
struct Key {
    id: Arc<str>,
    /// What HMAC is after it has taken the key.
    keyed: Arc<Hmac<Sha256>>,
}

/// What trying keys on a signature has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// How many keys were tried.
    pub(crate) keys: usize,
    /// Whether one of them has made the signature.
    pub(crate) is_signed: bool,
}

impl KeyRing {
    /// From the deployment's secret `TAILRACE_KEYS`: keys as `id:base64url`, with a comma between any two. Fails with a
    /// sentence for the operator, which tells nothing of a key but its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_secret("TAILRACE_KEYS", text)
    }

    /// The same of the secret of that name.
    pub fn parse_secret(name: &str, text: &str) -> Result<Self, String> {
        let mut keys = Vec::<Key>::new();
        for (index, entry) in text.split(',').enumerate() {
            let wrong = |what: &str| format!("{name}: key {} {what}", index + 1);
            let (id, secret) = entry.split_once(':').ok_or_else(|| wrong("is no id:base64url"))?;
            if !(1..=KEY_ID_LIMIT).contains(&id.len()) || !id.bytes().all(is_of_id) {
                return Err(wrong("has an id that is not 1 to 32 of A-Z a-z 0-9 _ -"));
            }
            if keys.iter().any(|key| &*key.id == id) {
                return Err(wrong("has the id of an earlier one"));
            }
            let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| wrong("is no base64url without padding"))?;
            if secret.len() < KEY_BYTES_MIN {
                return Err(wrong("is shorter than 32 bytes"));
            }
            if index >= KEYS_LIMIT {
                return Err(format!("{name} has more than {KEYS_LIMIT} keys"));
            }
            // HMAC takes keys of any length.
            let keyed = Hmac::new_from_slice(&secret).map_err(|_| wrong("is no key"))?;
            keys.push(Key { id: id.into(), keyed: Arc::new(keyed) });
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or_else(|| format!("{name} has no key"))?;
        Ok(Self { first, others: keys.collect() })
    }

    /// Of these keys, each with its id and its bytes, of any length; the first one signs. `None` if there is none.
    pub(crate) fn of<'a>(keys: impl Iterator<Item = (&'a str, &'a [u8])>) -> Option<Self> {
        let mut keys = keys.filter_map(|(id, secret)| {
            // HMAC takes keys of any length.
            let keyed = Hmac::new_from_slice(secret).ok()?;
            Some(Key { id: id.into(), keyed: Arc::new(keyed) })
        });
        let first = keys.next()?;
        Some(Self { first, others: keys.collect() })
    }

    /// The signature of the key that signs.
    pub(crate) fn sign(&self, text: &str) -> [u8; 32] {
        self.first.sign(text)
    }

    /// The id of the key that signs.
    pub(crate) fn signing_id(&self) -> &str {
        &self.first.id
    }

    /// Tries the key of this id on a signature, or all where none is named. It takes as long whichever key has signed:
    /// none is left out, and each compares all bytes of the signature.
    pub(crate) fn try_on(&self, id: Option<&str>, text: &str, signature: &[u8]) -> Tried {
        let mut tried = Tried { keys: 0, is_signed: false };
        for key in self.keys().filter(|key| id.is_none_or(|id| *key.id == *id)) {
            tried.keys += 1;
            tried.is_signed |= key.has_signed(text, signature);
        }
        tried
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        let others = if mutated!(OnlyFirstKeyVerifies) { &[] } else { &*self.others };
        std::iter::once(&self.first).chain(others)
    }
}

impl Key {
    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::clone(&self.keyed);
        mac.update(text.as_bytes());
        mac
    }

    fn sign(&self, text: &str) -> [u8; 32] {
        self.mac(text).finalize().into_bytes().into()
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Names the keys, and tells nothing else of them: what is configured may get into a log.
impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.keys().map(|key| &key.id)).finish()
    }
}

/// Rings are equal if their keys have the same ids and sign alike.
impl PartialEq for KeyRing {
    fn eq(&self, other: &Self) -> bool {
        self.keys().map(|key| (&key.id, key.sign(""))).eq(other.keys().map(|key| (&key.id, key.sign(""))))
    }
}

impl Eq for KeyRing {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of so many bytes, as base64url.
    fn secret(bytes: usize, byte: u8) -> String {
        URL_SAFE_NO_PAD.encode(vec![byte; bytes])
    }

    #[test]
    fn keys_are_read_with_their_ids_or_the_operator_is_told_which_is_wrong() {
        let (short, long, other) = (secret(31, 1), secret(32, 1), secret(200, 2));
        let many = |count: usize| (0..count).map(|id| format!("k{id}:{long}")).collect::<Vec<_>>().join(",");
        let id = "Az09_-".repeat(6);
        for (text, problem) in [
            (format!("a:{long}"), None),
            (format!("a:{long},b:{other}"), None),
            (format!("a:{long},b:{long}"), None),
            (format!("{}:{long}", &id[..32]), None),
            (many(8), None),
            (many(9), Some("has more than 8 keys")),
            (String::new(), Some("key 1 is no id:base64url")),
            (format!("a:{long},"), Some("key 2 is no id:base64url")),
            (long.clone(), Some("key 1 is no id:base64url")),
            (format!(":{long}"), Some("key 1 has an id that is not")),
            (format!("{}:{long}", &id[..33]), Some("key 1 has an id that is not")),
            (format!("a.b:{long}"), Some("key 1 has an id that is not")),
            (format!("a:{long}, b:{long}"), Some("key 2 has an id that is not")),
            (format!("ä:{long}"), Some("key 1 has an id that is not")),
            (format!("a:{long},a:{other}"), Some("key 2 has the id of an earlier one")),
            (format!("a:{short}"), Some("key 1 is shorter than 32 bytes")),
            ("a:".to_owned(), Some("key 1 is shorter than 32 bytes")),
            (format!("a:{long}="), Some("key 1 is no base64url")),
            (format!("a:{long}\n"), Some("key 1 is no base64url")),
            (format!("a:{}+/", &long[..41]), Some("key 1 is no base64url")),
            // The last letter has bits that mean nothing, and must be 0.
            (format!("a:{}F", &long[..42]), Some("key 1 is no base64url")),
        ] {
            let found = KeyRing::parse(&text);
            assert_eq!(found.is_err(), problem.is_some(), "{text}");
            let sentence = found.err().unwrap_or_default();
            assert!(sentence.contains(problem.unwrap_or_default()), "{text}: {sentence}");
            assert!(!sentence.contains(&long[..8]), "it tells the key: {sentence}");
        }
    }

    #[test]
    fn no_key_is_ever_shown() {
        let (text, bytes) = (secret(32, 7), format!("{:?}", [7; 8]));
        let ring = KeyRing::parse(&format!("first:{text},second:{}", secret(40, 7))).expect("keys");
        for shown in [format!("{ring:?}"), format!("{ring:#?}")] {
            assert!(shown.contains("first") && shown.contains("second"), "{shown}");
            assert!(!shown.contains(&text[..8]) && !shown.contains(&bytes[1..9]), "{shown}");
        }
    }

    #[test]
    fn the_first_key_signs_as_rfc_4231_has_it() {
        // Test case 7: a key of 131 bytes, which is longer than a block.
        let ring = KeyRing::parse(&format!("long:{},b:{}", secret(131, 0xaa), secret(32, 1))).expect("keys");
        let text = "This is a test using a larger than block-size key and a larger than block-size data. The key needs \
                    to be hashed before being used by the HMAC algorithm.";
        let hex: String = ring.sign(text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
        assert_eq!(ring.signing_id(), "long");
    }

    #[test]
    fn an_id_selects_one_key_and_without_one_all_are_tried_whichever_has_signed() {
        let (a, b) = (secret(32, 1), secret(32, 2));
        let ring = |text: String| KeyRing::parse(&text).expect("keys");
        let (both, swapped) = (ring(format!("a:{a},b:{b},c:{a}")), ring(format!("b:{b},a:{a}")));
        let tried = |keys, is_signed| Tried { keys, is_signed };
        for (id, signer, expected) in [
            (None, &both, tried(3, true)),
            (None, &swapped, tried(3, true)),
            (None, &ring(format!("a:{}", secret(32, 3))), tried(3, false)),
            (Some("a"), &both, tried(1, true)),
            (Some("b"), &both, tried(1, false)),
            (Some("a"), &swapped, tried(1, false)),
            (Some("b"), &swapped, tried(1, true)),
            (Some("d"), &both, tried(0, false)),
            (Some("A"), &both, tried(0, false)),
            (Some(""), &both, tried(0, false)),
        ] {
            assert_eq!(both.try_on(id, "text", &signer.sign("text")), expected, "{id:?} {signer:?}");
        }
        let signature = both.sign("text");
        assert!(!both.try_on(None, "texT", &signature).is_signed);
        for length in [0, 16, 31] {
            assert!(!both.try_on(None, "text", &signature[..length]).is_signed, "a part of it is no signature");
        }
    }

    #[test]
    fn rings_are_equal_that_name_and_sign_alike() {
        let ring = |text: &str| KeyRing::parse(text).expect("keys");
        let (a, b) = (format!("a:{}", secret(32, 1)), format!("a:{}", secret(32, 2)));
        assert_eq!(ring(&a), ring(&a));
        assert_ne!(ring(&a), ring(&b));
        assert_ne!(ring(&a), ring(&a.replace("a:", "b:")));
        assert_ne!(ring(&a), ring(&format!("{a},c:{}", secret(32, 1))));
    }
}
