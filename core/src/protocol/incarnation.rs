//! The incarnation of a stream: tells it from other streams at the same URL, before and after it.

use std::fmt;

/// 16 random bytes, as 32 hexadecimal digits. A stream that is deleted and created again at the same URL is another
/// incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation(String);

impl Incarnation {
    /// From fresh random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        use fmt::Write;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// From storage.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
