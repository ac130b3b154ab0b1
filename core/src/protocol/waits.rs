//! How long live reads wait.

use super::limits::{LONG_POLL_LIMIT_MS, LONG_POLL_MS, SSE_MS, WAIT_LIMIT_MS};

/// How much longer than planned a wait may last, in ms, before its edge is considered gone. Our choice: an edge that
/// still exists ends a wait in time.
const GRACE_MS: u64 = 30_000;

/// How long live reads wait: the same for edges and objects of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// How long a long-poll waits, in ms. This is also the interval of the cursors.
    pub long_poll_ms: u64,
    /// About how long a connection with events lasts, in ms.
    pub sse_ms: u64,
}

/// Those under which caches may share connections with events. A policy has its own
/// ([`super::CachePolicy::waits`]).
impl Default for Waits {
    fn default() -> Self {
        Self { long_poll_ms: LONG_POLL_MS, sse_ms: SSE_MS }
    }
}

impl Waits {
    /// From the deployment's variables: `TAILRACE_LONG_POLL_MS`, `TAILRACE_SSE_MS`. Without them it is as `default`
    /// says.
    ///
    /// Fails with a sentence for the operator where a value is no decimal between 1 and its limit: of a long-poll
    /// [`LONG_POLL_LIMIT_MS`], of a connection with events [`WAIT_LIMIT_MS`].
    pub fn from_vars<'a>(default: Self, variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let number = |name: &str, default: u64, most_ms: u64| match variable(name).map(str::parse) {
            None => Ok(default),
            Some(Ok(ms)) if (1..=most_ms).contains(&ms) => Ok(ms),
            Some(_) => Err(format!("{name} is no decimal between 1 and {most_ms}")),
        };
        Ok(Self {
            long_poll_ms: number("TAILRACE_LONG_POLL_MS", default.long_poll_ms, LONG_POLL_LIMIT_MS)?,
            sse_ms: number("TAILRACE_SSE_MS", default.sse_ms, WAIT_LIMIT_MS)?,
        })
    }

    /// How long one connection with events lasts, in ms: what is configured plus or minus a tenth, so that readers
    /// which came at the same time do not come back at the same time.
    pub fn sse_lifetime_ms(&self, random: u64) -> u64 {
        let tenth = self.sse_ms / 10;
        self.sse_ms - tenth + random % (2 * tenth + 1)
    }

    /// How long a connection with events lasts that begins now and ends together with all others, in ms: until the next
    /// of the moments that are as far apart as is configured, or the one after if less than a tenth is left.
    pub fn left_together_ms(&self, now_ms: u64) -> u64 {
        let left_ms = self.sse_ms - now_ms % self.sse_ms;
        if left_ms < self.sse_ms / 10 { left_ms + self.sse_ms } else { left_ms }
    }

    /// After how many ms no edge holds the other end of a socket any more.
    pub fn longest_ms(&self) -> u64 {
        self.long_poll_ms.max(self.sse_ms + self.sse_ms / 10) + GRACE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_poll_waits_twenty_seconds_and_events_last_a_minute() {
        let default = Waits::default();
        assert_eq!((default.long_poll_ms, default.sse_ms), (20_000, 60_000));
        assert_eq!(Waits::from_vars(default, |_| None), Ok(default));
    }

    #[test]
    fn variables_are_decimals_within_their_limit() {
        let from = |name: &'static str, text: &'static str| {
            Waits::from_vars(Waits::default(), |variable| (variable == name).then_some(text))
                .map(|waits| (waits.long_poll_ms, waits.sse_ms))
        };
        assert_eq!(from("TAILRACE_LONG_POLL_MS", "3000"), Ok((3_000, SSE_MS)));
        for (name, most, beyond) in
            [("TAILRACE_LONG_POLL_MS", "25000", "25001"), ("TAILRACE_SSE_MS", "3600000", "3600001")]
        {
            assert!(from(name, most).is_ok(), "{name}");
            for text in ["", "0", "-1", "3s", "3e3", "3000.5", "true", "null", beyond, "99999999999999999999"] {
                assert!(from(name, text).is_err(), "{name} {text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_lifetime_is_within_a_tenth_of_the_configured_one(sse_ms in 1..=WAIT_LIMIT_MS, random: u64) {
            let waits = Waits { sse_ms, ..Waits::default() };
            let lifetime_ms = waits.sse_lifetime_ms(random);
            prop_assert!(lifetime_ms * 10 >= sse_ms * 9 && lifetime_ms * 10 <= sse_ms * 11, "{lifetime_ms}");
            prop_assert!(lifetime_ms < waits.longest_ms());
        }

        #[test]
        fn connections_that_end_together_do(sse_ms in 1..=WAIT_LIMIT_MS, now_ms in 0..1_u64 << 50) {
            let waits = Waits { sse_ms, ..Waits::default() };
            let lifetime_ms = waits.left_together_ms(now_ms);
            prop_assert_eq!((now_ms + lifetime_ms) % sse_ms, 0);
            prop_assert!(lifetime_ms * 10 >= sse_ms && lifetime_ms * 10 <= sse_ms * 11, "{}", lifetime_ms);
            prop_assert!(lifetime_ms < waits.longest_ms());
        }
    }
}
