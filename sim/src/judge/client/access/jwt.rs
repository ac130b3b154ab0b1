//! JSON Web Tokens (RFC 7519), signed by HMAC with SHA-256, as any library makes them: what core verifies is not what it has
//! made itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes as base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is signed of a token: its header and its payload.
pub(super) fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()))
}

/// A token of this header and payload, signed with a secret.
pub(super) fn signed(secret: &[u8], header: &str, payload: &str) -> String {
    let text = unsigned(header, payload);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    format!("{text}.{}", encode(&mac.finalize().into_bytes()))
}

/// The part of a token that nobody else can make.
pub(super) fn signature(token: &str) -> &str {
    token.rsplit_once('.').map_or("", |(_, signature)| signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tailrace::{KeyRing, verify};

    #[test]
    fn core_takes_what_a_library_signs() {
        let secret = [7; 32];
        let ring = KeyRing::parse(&format!("a:{}", encode(&secret))).expect("a key");
        let payload = r#"{"sub":"_default","scope":"read","exp":9,"stream":"a/*"}"#;
        for (header, is_taken) in [
            (r#"{"alg":"HS256"}"#, true),
            (r#"{"typ":"JWT","alg":"HS256","kid":"a"}"#, true),
            (r#"{"alg":"HS256","kid":"b"}"#, false),
            (r#"{"alg":"none"}"#, false),
        ] {
            let token = signed(&secret, header, payload);
            assert_eq!(verify(&ring, &token, 0).is_ok(), is_taken, "{header}");
            assert_eq!(signature(&token).len(), 43);
        }
        assert!(verify(&ring, &signed(&[8; 32], r#"{"alg":"HS256"}"#, payload), 0).is_err());
    }
}
