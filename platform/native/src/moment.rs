//! Moments, in s since the Unix epoch, and as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The time in s since the Unix epoch.
pub(crate) fn now_s() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs())
}

/// A moment as RFC 3339 has it, or as the number that it is where there is no such year.
pub(crate) fn written(at_s: u64) -> String {
    let instant = i64::try_from(at_s).ok().and_then(|at_s| OffsetDateTime::from_unix_timestamp(at_s).ok());
    instant.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| at_s.to_string())
}
