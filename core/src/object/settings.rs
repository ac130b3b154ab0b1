//! What a deployment sets.

use crate::mutant::mutated;
use crate::protocol::limits::{ENCODED_BYTES, ENCODED_ROWS, R2_CHANGE_MS, R2_LIMIT_MS, R2_READ_MS};
use crate::protocol::{CachePolicy, MemoryLimits, Waits};
use crate::runtime::BATCH_LIMIT;
use crate::stream::{EncodingStep, StreamLimits};

/// Settings of a stream object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Limits of bodies, rows, pages, segments and the hot log.
    pub limits: StreamLimits,
    /// How long live reads wait.
    pub waits: Waits,
    /// How segments move to R2 and are read there.
    pub cold: ColdSettings,
    /// What may be in memory at a time.
    pub memory: MemoryLimits,
    /// What caches are told, the same as at the edge.
    pub policy: CachePolicy,
}

/// How long the encoding of a segment takes at most, in ms: some dozens of turns, between which others may come.
const ENCODING_MS: u64 = 10_000;

/// Longer than anything lasts, in ms. For a known bug.
const FOR_EVER_MS: u64 = 1 << 40;

/// How segments move to R2 and are read there. Every default is our choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdSettings {
    /// The wait after the first failure of a duty, in ms; each further failure in a row doubles it.
    pub retry_min_ms: u64,
    /// The longest wait between two attempts, in ms.
    pub retry_max_ms: u64,
    /// How long a put may take until it is applied, in ms. An older object that no row names is an orphan.
    pub orphan_age_ms: u64,
    /// How many objects a step of a sweep lists.
    pub sweep_page: usize,
    /// How many times a read asks R2 before it gives up.
    pub read_attempts: u32,
    /// The wait before the second attempt of a read, in ms; it doubles before each further one.
    pub read_retry_ms: u64,
    /// Bytes of indexes that an object keeps in memory.
    pub index_bytes: usize,
    /// How much of a segment is encoded in one turn.
    pub encoding: EncodingStep,
    /// How long a get or a listing may take, in ms.
    pub read_limit_ms: u64,
    /// How long a put or a deletion may take, in ms. What is still under way then may be applied later.
    pub change_limit_ms: u64,
}

impl Default for ColdSettings {
    fn default() -> Self {
        Self {
            retry_min_ms: 1_000,
            retry_max_ms: 300_000,
            orphan_age_ms: 3_600_000,
            sweep_page: BATCH_LIMIT,
            read_attempts: 3,
            read_retry_ms: 100,
            index_bytes: 1 << 20,
            encoding: EncodingStep { rows: ENCODED_ROWS, bytes: ENCODED_BYTES },
            read_limit_ms: R2_READ_MS,
            change_limit_ms: R2_CHANGE_MS,
        }
    }
}

impl ColdSettings {
    /// A sentence on what is wrong with these settings, if anything is.
    pub fn problem(&self) -> Option<&'static str> {
        if self.retry_min_ms == 0 || self.retry_max_ms < self.retry_min_ms {
            return Some("the wait before a rotation is tried again is zero, or longer than the longest");
        }
        if self.orphan_age_ms == 0 || self.read_attempts == 0 || !(1..=BATCH_LIMIT).contains(&self.sweep_page) {
            return Some("the orphan age or the count of read attempts is zero, or a sweep's step beyond 1,000");
        }
        if self.encoding.rows == 0 || self.encoding.bytes == 0 {
            return Some("a step of the encoding of a segment is empty");
        }
        if [self.read_limit_ms, self.change_limit_ms].iter().any(|limit_ms| !(1..=R2_LIMIT_MS).contains(limit_ms)) {
            return Some("a time limit of R2 is zero, or longer than 5 minutes");
        }
        None
    }

    /// How long a get or a listing may take, in ms.
    pub(super) fn read_limit_ms(&self) -> u64 {
        if mutated!(R2CallsUnlimited) { FOR_EVER_MS } else { self.read_limit_ms }
    }

    /// How long a put or a deletion may take, in ms.
    pub(super) fn change_limit_ms(&self) -> u64 {
        if mutated!(R2CallsUnlimited) { FOR_EVER_MS } else { self.change_limit_ms }
    }

    /// How long a step of a duty lasts at most, in ms: it lists and then deletes, or encodes a segment and puts it.
    pub(super) fn longest_step_ms(&self) -> u64 {
        self.read_limit_ms.max(ENCODING_MS) + self.change_limit_ms
    }
}

impl Settings {
    /// From the deployment's variables:
    ///
    /// | variable | what |
    /// | --- | --- |
    /// | `TAILRACE_PAGE_BYTES` | bytes after which a page of a read ends |
    /// | `TAILRACE_SEGMENT_ROWS`, `TAILRACE_SEGMENT_BYTES` | when an append seals its segment |
    /// | `TAILRACE_HOT_BYTES` | bytes that may wait for R2 |
    /// | `TAILRACE_ROTATION_RETRY_MIN_MS`, `TAILRACE_ROTATION_RETRY_MAX_MS` | the waits between attempts |
    /// | `TAILRACE_R2_READ_LIMIT_MS`, `TAILRACE_R2_CHANGE_LIMIT_MS` | how long a call of R2 may take |
    /// | `TAILRACE_ORPHAN_AGE_MS` | age at which an object without a row is an orphan |
    /// | that of [`CachePolicy`] | what caches are told |
    /// | those of [`Waits`] | how long live reads wait |
    ///
    /// Fails with a sentence for the operator where a value is no decimal, or the limits do not fit each other.
    pub fn from_vars<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let mut limits = StreamLimits::default();
        let mut cold = ColdSettings::default();
        let number = |name: &str, value: &mut u64| match variable(name) {
            None => Ok(()),
            Some(text) => text.parse().map(|parsed| *value = parsed).map_err(|_| format!("{name} is no decimal")),
        };
        let mut page_bytes = limits.page_bytes as u64;
        number("TAILRACE_PAGE_BYTES", &mut page_bytes)?;
        number("TAILRACE_SEGMENT_ROWS", &mut limits.segment_rows)?;
        number("TAILRACE_SEGMENT_BYTES", &mut limits.segment_bytes)?;
        number("TAILRACE_HOT_BYTES", &mut limits.hot_bytes)?;
        number("TAILRACE_ROTATION_RETRY_MIN_MS", &mut cold.retry_min_ms)?;
        number("TAILRACE_ROTATION_RETRY_MAX_MS", &mut cold.retry_max_ms)?;
        number("TAILRACE_R2_READ_LIMIT_MS", &mut cold.read_limit_ms)?;
        number("TAILRACE_R2_CHANGE_LIMIT_MS", &mut cold.change_limit_ms)?;
        number("TAILRACE_ORPHAN_AGE_MS", &mut cold.orphan_age_ms)?;
        limits.page_bytes = usize::try_from(page_bytes).map_err(|_| "TAILRACE_PAGE_BYTES is too large".to_owned())?;
        if let Some(problem) = limits.problem().or(cold.problem()) {
            return Err(problem.to_owned());
        }
        let policy = CachePolicy::from_vars(&variable)?;
        let waits = Waits::from_vars(policy.waits, variable)?;
        Ok(Self { limits, waits, cold, memory: MemoryLimits::default(), policy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_decimals_that_fit_each_other() {
        let from = |name: &'static str, value: &'static str| {
            Settings::from_vars(|variable| (variable == name).then_some(value))
        };
        // How long live reads wait is the policy's to say.
        let waits = Settings::default().policy.waits;
        assert_eq!(from("", ""), Ok(Settings { waits, ..Settings::default() }));
        let number = |name, value| {
            let Settings { limits, cold, .. } = from(name, value).expect("a value that fits the others");
            [limits.page_bytes as u64, limits.segment_rows, limits.segment_bytes, limits.hot_bytes]
                .into_iter()
                .chain([cold.retry_min_ms, cold.retry_max_ms, cold.orphan_age_ms])
                .chain([cold.read_limit_ms, cold.change_limit_ms])
                .filter(|number| number.to_string() == value)
                .count()
        };
        for (name, value) in [
            ("TAILRACE_PAGE_BYTES", "512"),
            ("TAILRACE_SEGMENT_ROWS", "3"),
            ("TAILRACE_SEGMENT_BYTES", "9"),
            ("TAILRACE_HOT_BYTES", "20000000"),
            ("TAILRACE_ROTATION_RETRY_MIN_MS", "20"),
            ("TAILRACE_ROTATION_RETRY_MAX_MS", "2000"),
            ("TAILRACE_ORPHAN_AGE_MS", "77"),
            ("TAILRACE_R2_READ_LIMIT_MS", "500"),
            ("TAILRACE_R2_CHANGE_LIMIT_MS", "299999"),
        ] {
            assert_eq!(number(name, value), 1, "{name}");
        }
        for (name, value) in [
            ("TAILRACE_PAGE_BYTES", "0"),
            ("TAILRACE_PAGE_BYTES", "1k"),
            ("TAILRACE_SEGMENT_BYTES", "99999999999"),
            ("TAILRACE_HOT_BYTES", "1000"),
            ("TAILRACE_ROTATION_RETRY_MIN_MS", "0"),
            ("TAILRACE_ROTATION_RETRY_MAX_MS", "1"),
            ("TAILRACE_ORPHAN_AGE_MS", "0"),
            ("TAILRACE_R2_READ_LIMIT_MS", "0"),
            ("TAILRACE_R2_CHANGE_LIMIT_MS", "300001"),
            ("TAILRACE_LONG_POLL_MS", "25001"),
            ("TAILRACE_LONG_POLL_MS", "3000.5"),
        ] {
            assert!(from(name, value).is_err(), "{name}={value}");
        }
    }
}
