//! A token's text: who has signed it, and whether it is its time. It is a JSON Web Token (RFC 7519) of one kind alone:
//! signed by HMAC with SHA-256, and by a key of this deployment.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::Claims;
use crate::mutant::mutated;
use crate::protocol::limits::ACCESS_TOKEN_LIMIT;
use crate::protocol::members::Members;
use crate::protocol::{ErrorCode, KeyRing, Refusal};

/// The one algorithm of signatures.
const ALGORITHM: &str = "HS256";

/// Members of a header by which a token would say how it is to be verified, or with which key.
const REFUSED_MEMBERS: &[&str] = &["crit", "jwk", "jku", "x5u"];

/// What a token says, if a key of the ring has signed it, and if it is its time. Its claims are read only once its
/// signature has proved right.
pub fn verify(keys: &KeyRing, token: &str, now_ms: u64) -> Result<Claims, Refusal> {
    let claims = read(keys, token)
        .map_err(|wrong| Refusal::new(ErrorCode::TokenInvalid, format!("the token is not valid: {wrong}")))?;
    if now_ms >= claims.expires_s.saturating_mul(1_000) && !mutated!(TokenExpiryIgnored) {
        return Err(Refusal::new(ErrorCode::TokenExpired, "the token has expired"));
    }
    if claims.begins_s.is_some_and(|begins_s| now_ms < begins_s.saturating_mul(1_000)) {
        return Err(Refusal::new(ErrorCode::TokenInvalid, "the token is not valid yet"));
    }
    Ok(claims)
}

/// A token that says so, signed by the first key; `None` if none can: it would be too long, or a number too large.
pub fn mint(keys: &KeyRing, claims: &Claims) -> Option<String> {
    let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"JWT","kid":"{}"}}"#, keys.signing_id());
    let token = signed(keys, &header, &claims.to_json());
    (read(keys, &token).as_ref() == Ok(claims)).then_some(token)
}

/// The token of a header and a payload, signed by the first key.
fn signed(keys: &KeyRing, header: &str, payload: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(keys.sign(&text));
    format!("{text}.{signature}")
}

/// What a token says, if a key of the ring has signed it. Fails with a sentence for whoever makes tokens.
fn read(keys: &KeyRing, token: &str) -> Result<Claims, &'static str> {
    if token.len() > ACCESS_TOKEN_LIMIT {
        return Err("it is longer than 4096 bytes");
    }
    const PARTS: &str = "it has not three parts of base64url without padding";
    let (text, signature) = token.rsplit_once('.').ok_or(PARTS)?;
    let (header, payload) = text.split_once('.').ok_or(PARTS)?;
    let header = decode(header).ok_or(PARTS)?;
    let header = Members::parse(&header).ok_or("its header is no object whose names are not repeated")?;
    let is_unsigned = mutated!(AlgNoneAccepted) && header.text("alg") == Ok(Some("none".to_owned()));
    if header.text("alg") != Ok(Some(ALGORITHM.to_owned())) && !is_unsigned {
        return Err("its alg is not HS256");
    }
    if REFUSED_MEMBERS.iter().any(|name| header.has(name)) {
        return Err("its header has crit, jwk, jku or x5u");
    }
    let key_id = header.text("kid").map_err(|_| "its kid is no text")?;
    let signature = decode(signature).ok_or(PARTS)?;
    let key_id = key_id.as_deref().filter(|_| !mutated!(KidTriesAllKeys));
    if !is_unsigned && !keys.try_on(key_id, text, &signature).is_signed {
        return Err("no key of this deployment has signed it");
    }
    let payload = decode(payload).ok_or(PARTS)?;
    let payload = Members::parse(&payload).ok_or("its claims are no object whose names are not repeated")?;
    Claims::of(&payload)
}

/// The bytes of base64url in its one spelling: without padding, and with unused bits that are 0.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, StreamPattern};
    use super::*;

    const NOW_MS: u64 = 1_000_000_000;
    const HEADER: &str = r#"{"alg":"HS256"}"#;
    const PAYLOAD: &str = r#"{"sub":"_default","scope":"read","exp":1000001}"#;
    const NOT_SIGNED: &str = "no key of this deployment has signed it";
    const PARTS: &str = "it has not three parts of base64url without padding";
    const CLAIMS: &str = "its claims are no object whose names are not repeated";

    /// A ring of keys of these ids, each of 32 times its first letter.
    fn ring(ids: &[&str]) -> KeyRing {
        let key = |id: &&str| format!("{id}:{}", URL_SAFE_NO_PAD.encode(id[..1].repeat(32)));
        KeyRing::parse(&ids.iter().map(key).collect::<Vec<_>>().join(",")).expect("keys")
    }

    /// Verifies a token by a ring whose keys are `a`, `b` and `c`; expects its claims to be read, or this sentence.
    fn check(token: &str, expected: Result<(), &str>) {
        let verified = verify(&ring(&["a", "b", "c"]), token, NOW_MS);
        let expected = expected.map_err(|wrong| (ErrorCode::TokenInvalid, format!("the token is not valid: {wrong}")));
        let found = verified.map(drop).map_err(|refusal| (refusal.code, refusal.message.into_owned()));
        assert_eq!(found, expected, "{token}");
    }

    fn check_header(header: &str, expected: Result<(), &str>) {
        check(&signed(&ring(&["a"]), header, PAYLOAD), expected);
    }

    fn check_payload(payload: &str, expected: Result<(), &str>) {
        check(&signed(&ring(&["a"]), HEADER, payload), expected);
    }

    #[test]
    fn there_is_one_algorithm_and_it_is_looked_at_before_anything_else() {
        const WRONG: Result<(), &str> = Err("its alg is not HS256");
        check_header(HEADER, Ok(()));
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS256 "}"#,
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":null}"#,
            r#"{"ALG":"HS256"}"#,
            "{}",
            r#"{"alg":"none","crit":["x"],"kid":7}"#,
        ] {
            check_header(header, WRONG);
            // Neither the signature nor the claims matter.
            let header = URL_SAFE_NO_PAD.encode(header);
            check(&format!("{header}.."), WRONG);
            check(&format!("{header}.?.?"), WRONG);
        }
    }

    #[test]
    fn a_header_that_says_how_to_verify_is_refused_and_one_that_means_nothing_is_not() {
        const REFUSED: Result<(), &str> = Err("its header has crit, jwk, jku or x5u");
        const BROKEN: Result<(), &str> = Err("its header is no object whose names are not repeated");
        for (header, expected) in [
            (r#"{"alg":"HS256","typ":"JWT"}"#, Ok(())),
            (r#"{"alg":"HS256","typ":7,"cty":null,"x":{"crit":1}}"#, Ok(())),
            (r#"{"\u0061lg":"HS\u003256"}"#, Ok(())),
            (r#"{"alg":"HS256","crit":["exp"]}"#, REFUSED),
            (r#"{"alg":"HS256","crit":[]}"#, REFUSED),
            (r#"{"alg":"HS256","cri\u0074":null}"#, REFUSED),
            (r#"{"alg":"HS256","jwk":{"kty":"oct","k":"YQ"}}"#, REFUSED),
            (r#"{"alg":"HS256","jku":"https://a.example"}"#, REFUSED),
            (r#"{"alg":"HS256","x5u":""}"#, REFUSED),
            (r#"{"alg":"HS256","alg":"HS256"}"#, BROKEN),
            (r#"{"alg":"HS256","typ":1,"typ":1}"#, BROKEN),
            (r#"["HS256"]"#, BROKEN),
            ("", BROKEN),
        ] {
            check_header(header, expected);
        }
    }

    #[test]
    fn a_key_is_named_or_all_are_tried() {
        for (signer, header, expected) in [
            ("a", HEADER, Ok(())),
            ("b", HEADER, Ok(())),
            ("c", HEADER, Ok(())),
            ("d", HEADER, Err(NOT_SIGNED)),
            ("a", r#"{"alg":"HS256","kid":"a"}"#, Ok(())),
            ("c", r#"{"alg":"HS256","kid":"c"}"#, Ok(())),
            ("b", r#"{"alg":"HS256","kid":"a"}"#, Err(NOT_SIGNED)),
            ("a", r#"{"alg":"HS256","kid":"d"}"#, Err(NOT_SIGNED)),
            ("d", r#"{"alg":"HS256","kid":"d"}"#, Err(NOT_SIGNED)),
            ("a", r#"{"alg":"HS256","kid":""}"#, Err(NOT_SIGNED)),
            ("a", r#"{"alg":"HS256","kid":null}"#, Err("its kid is no text")),
            ("a", r#"{"alg":"HS256","kid":["a"]}"#, Err("its kid is no text")),
        ] {
            check(&signed(&ring(&[signer]), header, PAYLOAD), expected);
        }
    }

    #[test]
    fn a_token_has_three_parts_without_padding() {
        let token = signed(&ring(&["a"]), HEADER, PAYLOAD);
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
        check(&token, Ok(()));
        for (token, wrong) in [
            (header.to_owned(), PARTS),
            (String::new(), PARTS),
            (format!("{token}."), NOT_SIGNED),
            (format!(".{token}"), "its header is no object whose names are not repeated"),
            (format!("{header}.{payload}.{payload}.{signature}"), NOT_SIGNED),
            (format!("{header}.{payload}."), NOT_SIGNED),
            (format!("{header}..{signature}"), NOT_SIGNED),
            (format!("{header}={payload}.{signature}"), PARTS),
            (format!("{header}=.{payload}.{signature}"), PARTS),
            (format!("{header}.{payload}.{signature}="), PARTS),
            (format!("{header}.{payload}=.{signature}"), NOT_SIGNED),
            (format!("{token} "), PARTS),
            (format!(" {token}"), PARTS),
        ] {
            check(&token, Err(wrong));
        }
    }

    #[test]
    fn base64url_has_one_spelling() {
        let keys = ring(&["a"]);
        let parts = |header: &str, payload: &str| {
            let text = format!("{header}.{payload}");
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(keys.sign(&text)))
        };
        let (header, payload) = (URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(PAYLOAD));
        check(&parts(&header, &payload), Ok(()));
        // Payloads of each length modulo 3: with 16 and 4 values of unused bits, and with none.
        for blanks in 0..3 {
            let payload = URL_SAFE_NO_PAD.encode(format!("{PAYLOAD}{}", " ".repeat(blanks)));
            check(&parts(&header, &payload), Ok(()));
            let (start, last) = payload.split_at(payload.len() - 1);
            for letter in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']) {
                let is_padded = payload.len() % 4 != 0;
                if is_padded && letter.to_string() != last {
                    let verified = verify(&keys, &parts(&header, &format!("{start}{letter}")), NOW_MS);
                    assert!(verified.is_err(), "{letter} in the place of {last}");
                }
            }
        }
        // Signed as they are, and still refused.
        for (header, payload) in [
            (format!("{header}="), payload.clone()),
            (header.clone(), format!("{payload}=")),
            (header.clone(), format!("{payload}\n")),
            (header.clone(), format!("{payload}%3D")),
            // One letter is no byte.
            (header.clone(), format!("{payload}A")),
        ] {
            let token = parts(&header, &payload);
            assert!(verify(&keys, &token, NOW_MS).is_err(), "{token}");
        }
        // The other alphabet: bytes that both write, and write differently.
        let text = format!(r#"{{"sub":"_default","scope":"read","exp":1000001,"x":"{}"}}"#, "?>~".repeat(3));
        let url_safe = URL_SAFE_NO_PAD.encode(&text);
        let other = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&text);
        assert_ne!(url_safe, other);
        check(&parts(&header, &url_safe), Ok(()));
        check(&parts(&header, &other), Err(PARTS));
    }

    #[test]
    fn any_other_spelling_of_a_signature_is_none() {
        let token = signed(&ring(&["a"]), HEADER, PAYLOAD);
        check(&token, Ok(()));
        for bit in 0..8 * token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(verify(&ring(&["a"]), &changed, NOW_MS).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn no_claim_is_repeated() {
        let more = |claim: &str| PAYLOAD.replace('}', &format!(",{claim}}}"));
        check_payload(&more(r#""x":{"exp":1,"exp":1}"#), Ok(()));
        for claim in [
            r#""exp":1000001"#,
            r#""exp":9999999"#,
            r#""sub":"_default""#,
            r#""scope":"write""#,
            r#""\u0065xp":9999999"#,
            r#""x":1,"x":1"#,
            r#""stream":"a","stream":"b""#,
        ] {
            check_payload(&more(claim), Err(CLAIMS));
        }
    }

    #[test]
    fn claims_are_one_object_whose_values_have_their_types() {
        for payload in ["", "null", "[]", "\"x\"", "{}x", "{\"exp\":NaN}", "{\"exp\":Infinity}", "{'sub':1}"] {
            check_payload(payload, Err(CLAIMS));
        }
        check_payload("{}", Err("it has no scope"));
        check_payload(&PAYLOAD.replace("1000001", "1000001.0"), Err("its exp is no integer"));
        check_payload(&PAYLOAD.replace("1000001", "1e9"), Err("its exp is no integer"));
        check_payload(&PAYLOAD.replace("1000001", "9007199254740992"), Err("its exp is no integer"));
        check_payload(&PAYLOAD.replace("1000001", "9007199254740991"), Ok(()));
        let mut bytes = PAYLOAD.as_bytes().to_vec();
        bytes.splice(1..1, *b"\"x\":\"\xff\",");
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(bytes));
        check(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(ring(&["a"]).sign(&text))), Err(CLAIMS));
    }

    #[test]
    fn a_token_is_valid_from_its_first_ms_until_the_last_before_it_expires() {
        let keys = ring(&["a"]);
        let (invalid, expired) = (Some(ErrorCode::TokenInvalid), Some(ErrorCode::TokenExpired));
        for (begins, exp, now_ms, expected) in [
            ("", 1_000, 0, None),
            ("", 1_000, 999_999, None),
            ("", 1_000, 1_000_000, expired),
            ("", 1_000, 1_000_001, expired),
            ("", 0, 0, expired),
            (r#","nbf":1000"#, 1_001, 999_999, invalid),
            (r#","nbf":1000"#, 1_001, 1_000_000, None),
            (r#","nbf":1000"#, 1_001, 1_000_999, None),
            (r#","nbf":1000"#, 1_001, 1_001_000, expired),
            (r#","nbf":0"#, 1, 0, None),
            // It never is its time.
            (r#","nbf":1000"#, 1_000, 999_999, invalid),
            (r#","nbf":1000"#, 1_000, 1_000_000, expired),
            ("", 9_007_199_254_740_991_u64, 9_007_199_254_740_990_999, None),
        ] {
            let payload = format!(r#"{{"sub":"_default","scope":"read","exp":{exp}{begins}}}"#);
            let found = verify(&keys, &signed(&keys, HEADER, &payload), now_ms).err().map(|refusal| refusal.code);
            assert_eq!(found, expected, "{payload} at {now_ms}");
        }
    }

    #[test]
    fn a_token_is_at_most_4096_bytes() {
        // The payload's length in base64url leaves out each fourth one, so the header takes the rest.
        let of_length = |length: usize| {
            (0..8).find_map(|filling| {
                let header = format!(r#"{{"alg":"HS256","x":"{}"}}"#, "y".repeat(filling));
                let rest = length - 2 - 43 - URL_SAFE_NO_PAD.encode(&header).len();
                let payload = PAYLOAD.replace('}', r#","x":""#) + &"z".repeat(rest * 3 / 4 - PAYLOAD.len() - 7) + "\"}";
                Some(signed(&ring(&["a"]), &header, &payload)).filter(|token| token.len() == length)
            })
        };
        for (length, expected) in [
            (4_000, Ok(())),
            (4_095, Ok(())),
            (4_096, Ok(())),
            (4_097, Err("it is longer than 4096 bytes")),
            (8_000, Err("it is longer than 4096 bytes")),
        ] {
            check(&of_length(length).unwrap_or_else(|| panic!("no token of {length} bytes")), expected);
        }
    }

    #[test]
    fn who_has_not_signed_learns_nothing_of_the_claims() {
        let stranger = ring(&["d"]);
        for payload in [PAYLOAD, "", "{}", &PAYLOAD.replace("1000001", "1"), &PAYLOAD.replace("_default", "other")] {
            check(&signed(&stranger, HEADER, payload), Err(NOT_SIGNED));
        }
    }

    #[test]
    fn a_minted_token_says_what_it_was_to_say_and_names_the_first_key() {
        let least = Claims {
            project: "_default".to_owned(),
            scope: Scope::Write,
            expires_s: 2_000_000,
            begins_s: None,
            stream: None,
            stream_id: None,
        };
        let most = Claims {
            begins_s: Some(7),
            stream: StreamPattern::parse("ä/\"b\"/*"),
            stream_id: Some("x".to_owned()),
            ..least.clone()
        };
        let keys = ring(&["b", "a"]);
        for claims in [&least, &most] {
            let token = mint(&keys, claims).expect("a token");
            assert_eq!(verify(&ring(&["a", "b"]), &token, NOW_MS).as_ref(), Ok(claims));
            let header = decode(token.split('.').next().unwrap_or_default()).expect("a header");
            assert_eq!(header, br#"{"alg":"HS256","typ":"JWT","kid":"b"}"#);
        }
        for claims in [
            Claims { expires_s: 1 << 53, ..least.clone() },
            Claims { begins_s: Some(1 << 53), ..least.clone() },
            Claims { stream_id: Some("x".repeat(4_000)), ..least.clone() },
            Claims { stream: Some(StreamPattern::Exact("*".to_owned())), ..least.clone() },
        ] {
            assert_eq!(mint(&keys, &claims), None, "{claims:?}");
        }
    }

    #[test]
    fn the_example_of_rfc_7515_is_signed_right_and_says_too_little() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly\
                     9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let keys = KeyRing::parse(&format!("rfc:{key}")).expect("a key");
        assert_eq!(read(&keys, token), Err("it has no scope"));
        assert_eq!(read(&ring(&["a"]), token), Err(NOT_SIGNED));
    }
}
