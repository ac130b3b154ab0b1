//! Tokens: whatever bytes come as one, none is valid that was not signed as it is. What was signed is valid only if it says
//! what a token has to say, as another reader finds. A token that was minted says what it was to say, and no other one is
//! valid that is made from it by a change.

use arbitrary::{Arbitrary, Unstructured};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::edge::{Claims, KeyRing, Scope, StreamPattern, mint, verify};
use crate::protocol::ErrorCode;

/// Two keys, whose bytes the inputs cannot know by chance.
const KEYS: &str = "new:b0ODl6kQfmL0Zt6mBFCdYxHgnGZ9BI4kzMbdBAkEGdU,old:Tk3Qv9iKJp8m0L1h5mY0c2n7sE4xW6aRzUuGdHqPfVY";

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    scope: u8,
    expires_s: u64,
    begins_s: Option<u64>,
    now_ms: u64,
    project: &'a str,
    stream: Option<&'a str>,
    stream_id: Option<&'a str>,
    /// What a change of the token puts there, how many bytes of it that replaces, and where.
    at: u16,
    replaced: u8,
    by: &'a [u8],
}

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let keys = KeyRing::parse(KEYS);
    assert!(keys.is_ok(), "{keys:?}");
    let Ok(keys) = keys else { return };
    let text = String::from_utf8_lossy(bytes);
    // What nobody has signed is a stranger's, whatever it says and whenever it comes.
    for now_ms in [0, u64::MAX] {
        refused(&keys, &text, now_ms);
    }
    if let Some((header, payload)) = text.split_once('\n') {
        signed(&keys, header, payload);
    }
    // A ring may be anything, too.
    let _ = KeyRing::parse(&text).map(|ring| format!("{ring:?}"));
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        minted(&keys, &input);
    }
}

/// Signs a header and a payload with the first key, and has another reader judge what is read of them.
fn signed(keys: &KeyRing, header: &str, payload: &str) {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = KEYS.split([':', ',']).nth(1).and_then(|key| URL_SAFE_NO_PAD.decode(key).ok()).unwrap_or_default();
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(&key) else { return };
    let signature = mac.chain_update(&text).finalize().into_bytes();
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
    for now_ms in [0, 1_700_000_000_000] {
        let Ok(claims) = verify(keys, &token, now_ms) else { continue };
        let value = |text: &str| serde_json::from_str::<Value>(&paired(text)).unwrap_or_default();
        let (header, payload) = (value(header), value(payload));
        assert_eq!(header.get("alg").and_then(Value::as_str), Some("HS256"));
        assert!(["crit", "jwk", "jku", "x5u"].iter().all(|name| header.get(name).is_none()), "{header}");
        assert!(header.get("kid").is_none_or(|kid| kid == "new"), "{header}");
        let named = |name: &str| payload.get(name);
        assert_eq!(named("sub").and_then(Value::as_str), Some(claims.project.as_str()));
        assert_eq!(named("scope").and_then(Value::as_str), Some(claims.scope.name()));
        assert_eq!(named("exp").and_then(Value::as_u64), Some(claims.expires_s));
        assert_eq!(named("nbf").and_then(Value::as_u64), claims.begins_s);
        assert_eq!(named("stream"), claims.stream.map(|stream| stream.to_string().into()).as_ref());
        assert_eq!(named("stream_id"), claims.stream_id.map(Value::from).as_ref());
        assert!(now_ms / 1_000 < claims.expires_s && claims.begins_s.unwrap_or(0) <= now_ms / 1_000);
    }
}

/// JSON in which no half of a surrogate pair stands alone. Whoever reads a token looks at no text that means nothing to it,
/// where such a half may be; the other reader here looks at every text.
fn paired(json: &str) -> String {
    let escaped = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut written = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        written.push_str(before);
        let next = escape.get(6..).unwrap_or_default();
        let (kept, length) = match (escaped(escape), escaped(next)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (escape.get(..12), 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            // Whatever is escaped is no second backslash that escapes.
            _ => (escape.get(..2), 2),
        };
        written.push_str(kept.unwrap_or(escape));
        rest = escape.get(length..).unwrap_or_default();
    }
    written + rest
}

fn minted(keys: &KeyRing, input: &Input<'_>) {
    let claims = Claims {
        project: input.project.to_owned(),
        scope: *Scope::ALL.get(usize::from(input.scope) % Scope::ALL.len()).unwrap_or(&Scope::Read),
        expires_s: input.expires_s,
        begins_s: input.begins_s,
        stream: input.stream.and_then(StreamPattern::parse),
        stream_id: input.stream_id.map(str::to_owned),
    };
    let Some(token) = mint(keys, &claims) else { return };
    let is_its_time = input.now_ms / 1_000 < claims.expires_s
        && claims.begins_s.is_none_or(|begins_s| begins_s <= input.now_ms / 1_000);
    match verify(keys, &token, input.now_ms) {
        Ok(read) => assert!(is_its_time && read == claims, "{read:?} instead of {claims:?}"),
        Err(refusal) => assert!(!is_its_time, "{} at {}", refusal.message, input.now_ms),
    }
    let mut changed = token.clone().into_bytes();
    let at = usize::from(input.at) % (changed.len() + 1);
    let until = (at + usize::from(input.replaced)).min(changed.len());
    changed.splice(at..until, input.by.iter().copied());
    let changed = String::from_utf8_lossy(&changed);
    if changed != token {
        refused(keys, &changed, input.now_ms);
    }
}

fn refused(keys: &KeyRing, token: &str, now_ms: u64) {
    let refusal = verify(keys, token, now_ms).err();
    let code = refusal.map(|refusal| refusal.code);
    // That it has expired is told of tokens that were signed.
    assert_eq!(code, Some(ErrorCode::TokenInvalid), "{token}");
}
