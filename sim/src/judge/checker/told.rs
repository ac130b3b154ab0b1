//! What caches were told of an answer that they may use without asking.

use crate::judge::history::ClientAnswer;

/// What caches were told, in s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// For how long it is fresh.
    pub(super) fresh_s: u64,
    /// For how long it is in a cache that several clients share, if that was told another number.
    pub(super) shared_s: Option<u64>,
    /// For how long it may be handed out stale.
    pub(super) stale_s: Option<u64>,
}

impl Told {
    /// `public, max-age=A`, perhaps with `s-maxage=B` and `stale-while-revalidate=C`, in this order and nothing else.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.strip_prefix("public, max-age=")?.split(", ").peekable();
        let fresh_s = parts.next()?.parse().ok()?;
        let mut seconds = |name: &str| match parts.peek().and_then(|part| part.strip_prefix(name)) {
            Some(seconds) => {
                let seconds = seconds.parse().ok()?;
                parts.next();
                Some(Some(seconds))
            }
            None => Some(None),
        };
        let told = Self { fresh_s, shared_s: seconds("s-maxage=")?, stale_s: seconds("stale-while-revalidate=")? };
        parts.next().is_none().then_some(told)
    }

    fn of(answer: &ClientAnswer) -> Self {
        let nothing = Self { fresh_s: 0, shared_s: None, stale_s: None };
        answer.cache_control.as_deref().and_then(Self::parse).unwrap_or(nothing)
    }
}

/// For how long a browser may use the answer without asking, and stale, in s.
pub(super) fn told_s(answer: &ClientAnswer) -> (u64, u64) {
    let Told { fresh_s, stale_s, .. } = Told::of(answer);
    (fresh_s, stale_s.unwrap_or(0))
}

/// The same for a cache that several clients share, which serves nothing stale where it was told a number of its own.
pub(super) fn told_shared_s(answer: &ClientAnswer) -> (u64, u64) {
    Told::of(answer).shared_s.map_or_else(|| told_s(answer), |shared_s| (shared_s, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_shared_caches_are_told_how_long() {
        for (value, browser, shared) in [
            ("public, max-age=9", (9, 0), (9, 0)),
            ("public, max-age=9, stale-while-revalidate=3", (9, 3), (9, 3)),
            ("public, max-age=9, s-maxage=5", (9, 0), (5, 0)),
            ("public, max-age=9, s-maxage=5, stale-while-revalidate=3", (9, 3), (5, 0)),
            ("no-cache", (0, 0), (0, 0)),
            ("private, max-age=9", (0, 0), (0, 0)),
        ] {
            let answer = ClientAnswer { cache_control: Some(value.to_owned()), ..ClientAnswer::default() };
            assert_eq!((told_s(&answer), told_shared_s(&answer)), (browser, shared), "{value}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for value in [
            "public, max-age=",
            "public, max-age=9,s-maxage=5",
            "public, max-age=9, stale-while-revalidate=3, s-maxage=5",
            "public, max-age=9, immutable",
            "max-age=9",
        ] {
            assert_eq!(Told::parse(value), None, "{value}");
        }
    }
}
