//! What the platform stores at all, and for how long (Cloudflare, "Cache API": `put`).

use tailrace_core::protocol::{Response, header};

/// Why an answer is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `put` throws: a part of something (206), or `Vary: *`.
    Throws,
    /// It says by itself that it is not to be stored, or not for how long; or it has a cookie.
    NotToBeStored,
}

/// For how many ms an answer is stored.
pub(super) fn lifetime_ms(answer: &Response) -> Result<u64, Refused> {
    let field = |name| answer.headers.get(name).unwrap_or_default();
    if answer.status == 206 || field("vary").split(',').any(|name| name.trim() == "*") {
        return Err(Refused::Throws);
    }
    let control = field(header::CACHE_CONTROL).to_ascii_lowercase();
    let directives = || control.split(',').map(str::trim);
    let has = |name: &str| directives().any(|directive| directive == name);
    // A cookie is meant for one client, unless caches are told to leave it out.
    if answer.headers.get("set-cookie").is_some() && !has("private=set-cookie") {
        return Err(Refused::NotToBeStored);
    }
    if has("no-store") || has("private") || has("no-cache") {
        return Err(Refused::NotToBeStored);
    }
    let seconds = |name: &str| directives().find_map(|directive| directive.strip_prefix(name)?.parse::<u64>().ok());
    match seconds("s-maxage=").or_else(|| seconds("max-age=")) {
        None | Some(0) => Err(Refused::NotToBeStored),
        Some(seconds) => Ok(seconds.saturating_mul(1_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_for_how_long_is_stored_and_what_belongs_to_one_client_or_is_a_part_is_not() {
        let answer = |status, fields: &[(&'static str, &str)]| {
            fields.iter().fold(Response::new(status), |answer, (name, value)| answer.with(*name, *value))
        };
        let refused = Err(Refused::NotToBeStored);
        for (status, fields, expected) in [
            (200, &[("cache-control", "public, max-age=60, stale-while-revalidate=300")][..], Ok(60_000)),
            (200, &[("cache-control", "max-age=60, s-maxage=5")], Ok(5_000)),
            (404, &[("cache-control", "Max-Age=1")], Ok(1_000)),
            (200, &[("cache-control", "public, max-age=0")], refused),
            (200, &[("cache-control", "public")], refused),
            (200, &[], refused),
            (200, &[("cache-control", "no-store, max-age=9")], refused),
            (200, &[("cache-control", "private, max-age=9")], refused),
            (200, &[("cache-control", "no-cache")], refused),
            (206, &[("cache-control", "max-age=9")], Err(Refused::Throws)),
            (200, &[("cache-control", "max-age=9"), ("vary", "origin, *")], Err(Refused::Throws)),
            (200, &[("cache-control", "max-age=9"), ("vary", "origin")], Ok(9_000)),
            (200, &[("cache-control", "max-age=9"), ("set-cookie", "a=b")], refused),
            (200, &[("cache-control", "max-age=9, private=Set-Cookie"), ("set-cookie", "a=b")], Ok(9_000)),
        ] {
            assert_eq!(lifetime_ms(&answer(status, fields)), expected, "{status} {fields:?}");
        }
    }
}
