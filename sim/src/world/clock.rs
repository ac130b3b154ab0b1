//! The clock of a world, and those of its machines.

use crate::kernel::random::Random;
use crate::kernel::rt;

/// 2026-01-01T00:00:00Z in ms since the Unix epoch: when every seed begins.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

/// Converts virtual ns since the seed began to virtual ms since the Unix epoch.
pub(crate) fn ms_of(ns: u64) -> u64 {
    EPOCH_MS + ns / 1_000_000
}

/// How the clock of a machine differs from the world's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MachineClock {
    off_ms: i64,
}

impl MachineClock {
    /// The clock of one of the machines whose clocks differ by at most that much, either way, in ms.
    pub(crate) fn draw(random: &Random, off_ms: u64) -> Self {
        let drawn_ms = random.between(0, 2 * off_ms);
        Self { off_ms: drawn_ms.cast_signed() - off_ms.cast_signed() }
    }

    /// The clock of a machine in a datacenter: it is off by as much more as this one.
    pub(crate) fn in_colo(self, colo: Self) -> Self {
        Self { off_ms: self.off_ms + colo.off_ms }
    }

    /// What it shows, in ms since the Unix epoch.
    pub(crate) fn now_ms(self) -> u64 {
        now_ms().saturating_add_signed(self.off_ms)
    }

    /// By how much it is ahead of the world's, in ms.
    #[cfg(test)]
    pub(crate) fn off_ms(self) -> i64 {
        self.off_ms
    }

    /// Whether it shows an earlier time than another one at the same moment.
    pub(crate) fn is_behind(self, other: Self) -> bool {
        self.off_ms < other.off_ms
    }
}

/// The time now, in virtual ms since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    ms_of(rt::now_ns())
}
