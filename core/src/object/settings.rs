//! What a deployment sets.

use crate::protocol::Waits;
use crate::stream::StreamLimits;

/// Settings of a stream object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Sizes of bodies, rows, pages and segments.
    pub limits: StreamLimits,
    /// How long live reads wait.
    pub waits: Waits,
}

impl Settings {
    /// From the deployment's variables: `TAILRACE_PAGE_BYTES`, `TAILRACE_SEGMENT_MESSAGES`, `TAILRACE_SEGMENT_BYTES`,
    /// and those of [`Waits`].
    ///
    /// Fails with a sentence for the operator where a value is no decimal, or the limits do not fit each other.
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let mut limits = StreamLimits::default();
        let number = |name: &str, value: &mut u64| match variable(name) {
            None => Ok(()),
            Some(text) => text.parse().map(|parsed| *value = parsed).map_err(|_| format!("{name} is no decimal")),
        };
        let mut page_bytes = limits.page_bytes as u64;
        number("TAILRACE_PAGE_BYTES", &mut page_bytes)?;
        number("TAILRACE_SEGMENT_MESSAGES", &mut limits.segment_messages)?;
        number("TAILRACE_SEGMENT_BYTES", &mut limits.segment_bytes)?;
        limits.page_bytes = usize::try_from(page_bytes).map_err(|_| "TAILRACE_PAGE_BYTES is too large".to_owned())?;
        match limits.problem() {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(Self { limits, waits: Waits::from_vars(variable)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_decimals_that_fit_each_other() {
        let from = |name: &'static str, value: &'static str| {
            Settings::from_vars(|variable| (variable == name).then_some(value)).map(|settings| settings.limits)
        };
        assert_eq!(from("", ""), Ok(StreamLimits::default()));
        assert_eq!(from("TAILRACE_PAGE_BYTES", "512").map(|limits| limits.page_bytes), Ok(512));
        assert_eq!(from("TAILRACE_SEGMENT_MESSAGES", "3").map(|limits| limits.segment_messages), Ok(3));
        assert_eq!(from("TAILRACE_SEGMENT_BYTES", "9").map(|limits| limits.segment_bytes), Ok(9));
        for (name, value) in
            [("TAILRACE_PAGE_BYTES", "0"), ("TAILRACE_PAGE_BYTES", "1k"), ("TAILRACE_SEGMENT_BYTES", "99999999999")]
        {
            assert!(from(name, value).is_err(), "{name}={value}");
        }
    }
}
