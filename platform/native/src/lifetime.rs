//! How long a token lasts, as people say it.

use std::str::FromStr;

/// The longest that a token may last, in s: ten years. Who wants more has another need.
const LONGEST_S: u64 = 10 * 366 * 86_400;

/// How long a token lasts: a number and `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// In s.
    pub(crate) seconds: u64,
}

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time like 90s, 30m, 1h or 7d");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let a_unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number = &text[..text.len() - 1];
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(a_unit));
        match seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds)) {
            Some(seconds) => Ok(Self { seconds }),
            None => Err("a token lasts for a second at least, and for ten years at most".to_owned()),
        }
    }
}

/// So many seconds, in the largest unit in which they are two at least.
pub(crate) fn said(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    match units.into_iter().find(|(unit, _)| seconds >= 2 * unit) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("1s", 1), ("90s", 90), ("30m", 1_800), ("1h", 3_600), ("7d", 604_800), ("007d", 604_800)]
        {
            assert_eq!(text.parse(), Ok(Lifetime { seconds }), "{text}");
        }
        for text in [
            "",
            "1",
            "h",
            "0s",
            "-1h",
            "1.5h",
            "1H",
            "1 h",
            "1w",
            "3661d",
            "18446744073709551615d",
            "99999999999999999999s",
            "é",
            "1é",
        ] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_said_in_the_largest_unit_that_says_something() {
        for (seconds, expected) in
            [(0, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7_199, "119 minutes"), (172_800, "2 days")]
        {
            assert_eq!(said(seconds), expected);
        }
    }
}
