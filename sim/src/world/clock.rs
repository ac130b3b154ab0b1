//! The clock of a world.

use crate::kernel::rt;

/// 2026-01-01T00:00:00Z in ms since the Unix epoch: when every seed begins.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

/// Converts virtual ns since the seed began to virtual ms since the Unix epoch.
pub(crate) fn ms_of(ns: u64) -> u64 {
    EPOCH_MS + ns / 1_000_000
}

/// The time now, in virtual ms since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    ms_of(rt::now_ns())
}
