//! When a stream expires.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::field_value::is_visible;
use super::limits::{EXPIRES_AT_LIMIT, TTL_LIMIT_S};
use super::{ErrorCode, Refusal};

/// When a stream expires, as its creator has configured it.
#[derive(Clone, Debug)]
pub enum Expiry {
    /// It lives until it is deleted.
    Never,
    /// It lives for this long after it was last read or written.
    Ttl {
        /// Seconds, at most [`TTL_LIMIT_S`].
        seconds: u64,
    },
    /// It lives until an instant.
    At {
        /// The instant in ms since the Unix epoch, rounded up; 0 for any earlier one.
        at_ms: u64,
        /// The instant as it was given, which HEAD returns.
        text: String,
    },
}

impl Expiry {
    /// From the values of `Stream-TTL` and `Stream-Expires-At`, of which at most one may be present.
    pub fn parse(ttl: Option<&str>, expires_at: Option<&str>) -> Result<Self, Refusal> {
        match (ttl, expires_at) {
            (None, None) => Ok(Self::Never),
            (Some(_), Some(_)) => {
                Err(Refusal::new(ErrorCode::ConflictingExpiry, "Stream-TTL and Stream-Expires-At exclude each other"))
            }
            (Some(ttl), None) => parse_ttl(ttl).map(|seconds| Self::Ttl { seconds }),
            (None, Some(text)) => {
                // The fraction of a second may have as many digits as one likes, and HEAD tells all of them again.
                let is_short = text.len() <= EXPIRES_AT_LIMIT && is_visible(text);
                Self::from_stored(text).filter(|_| is_short).ok_or_else(|| {
                    let message = "Stream-Expires-At is no RFC 3339 instant of at most 64 bytes";
                    Refusal::new(ErrorCode::InvalidExpiresAt, message)
                })
            }
        }
    }

    /// An instant from a text that was stored; `None` if it is none. Earlier versions also took texts that are too long
    /// for [`Self::parse`], and their streams stay.
    pub fn from_stored(text: &str) -> Option<Self> {
        parse_instant(text).map(|at_ms| Self::At { at_ms, text: text.to_owned() })
    }
}

/// Instants are compared as times, not as texts.
impl PartialEq for Expiry {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Never, Self::Never) => true,
            (Self::Ttl { seconds }, Self::Ttl { seconds: others }) => seconds == others,
            (Self::At { at_ms, .. }, Self::At { at_ms: others, .. }) => at_ms == others,
            _ => false,
        }
    }
}

impl Eq for Expiry {}

fn parse_ttl(text: &str) -> Result<u64, Refusal> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    match text.parse::<u64>() {
        Ok(seconds) if canonical && seconds <= TTL_LIMIT_S => Ok(seconds),
        _ => Err(Refusal::new(
            ErrorCode::InvalidTtl,
            "Stream-TTL is no decimal integer without sign and leading zeros, of at most a hundred years in seconds",
        )),
    }
}

fn parse_instant(text: &str) -> Option<u64> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanoseconds = u128::try_from(instant.unix_timestamp_nanos()).unwrap_or(0);
    Some(u64::try_from(nanoseconds.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// By how much, in ms, the persisted deadline of a sliding TTL may be later than the exact one.
///
/// A read writes a row only if the last row is older than this. So a larger slack costs fewer rows, but lets an idle
/// stream live longer. It is an eighth of the TTL: at most 60 s, and at most 5 s for a TTL under a minute.
pub fn slack_ms(ttl_s: u64) -> u64 {
    let most_ms = if ttl_s < 60 { 5_000 } else { 60_000 };
    (ttl_s.saturating_mul(1_000) / 8).min(most_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_a_canonical_decimal() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("1", Some(1)),
            ("3600", Some(3_600)),
            ("3162240000", Some(TTL_LIMIT_S)),
            ("3162240001", None),
            ("99999999999999999999999", None),
            ("", None),
            ("00", None),
            ("03600", None),
            ("+3600", None),
            ("-1", None),
            ("3600.0", None),
            ("3.6e3", None),
            (" 1", None),
            ("abc", None),
        ] {
            let expected = seconds.map(|seconds| Expiry::Ttl { seconds });
            assert_eq!(Expiry::parse(Some(text), None).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_instant_is_compared_as_an_instant() {
        let parse = |text| Expiry::parse(None, Some(text)).ok();
        let utc = parse("2026-01-01T00:00:00Z");
        assert!(utc.is_some());
        assert_eq!(utc, parse("2026-01-01T01:00:00.000+01:00"));
        assert_ne!(utc, parse("2026-01-01T00:00:00.001Z"));
        assert_ne!(utc, Expiry::parse(None, None).ok());
        for text in ["", "2026-01-01", "tomorrow", "2026-13-01T00:00:00Z", "1767225600"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_instant_is_short_and_one_that_was_stored_may_be_long() {
        let fraction = |digits: usize| format!("2099-01-01T00:00:00.{}Z", "1".repeat(digits));
        let longest = fraction(EXPIRES_AT_LIMIT - 21);
        assert_eq!(longest.len(), EXPIRES_AT_LIMIT);
        assert!(Expiry::parse(None, Some(&longest)).is_ok());
        for text in [fraction(EXPIRES_AT_LIMIT - 20), fraction(20_000)] {
            let refused = Expiry::parse(None, Some(&text)).map_err(|refusal| refusal.code);
            assert_eq!(refused, Err(ErrorCode::InvalidExpiresAt));
            assert_eq!(Expiry::from_stored(&text), Expiry::parse(None, Some("2099-01-01T00:00:00.112Z")).ok());
        }
    }

    #[test]
    fn an_instant_is_rounded_up_and_never_negative() {
        let at_ms = |text: &str| match Expiry::parse(None, Some(text)) {
            Ok(Expiry::At { at_ms, .. }) => at_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(at_ms("1970-01-01T00:00:01.0000001Z"), 1_001);
        assert_eq!(at_ms("1969-12-31T23:59:59Z"), 0);
        assert_eq!(at_ms("0000-01-01T00:00:00Z"), 0);
    }

    #[test]
    fn one_kind_of_expiry_at_most() {
        let refused = Expiry::parse(Some("1"), Some("2026-01-01T00:00:00Z"));
        assert_eq!(refused.map_err(|refusal| refusal.code), Err(ErrorCode::ConflictingExpiry));
    }

    #[test]
    fn the_slack_is_an_eighth_within_its_bounds() {
        for (ttl_s, expected_ms) in
            [(0, 0), (1, 125), (39, 4_875), (40, 5_000), (59, 5_000), (60, 7_500), (480, 60_000), (TTL_LIMIT_S, 60_000)]
        {
            assert_eq!(slack_ms(ttl_s), expected_ms, "{ttl_s} s");
        }
    }
}
