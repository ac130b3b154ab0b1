//! What goes wrong with alarms.

use crate::kernel::random::Delay;

/// The knobs of the alarm service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmFaults {
    /// How much too late an alarm goes off.
    pub late: Delay,
    /// Of 1,000 alarms, those that go off too early.
    pub early_permille: u32,
    /// How much too early.
    pub early: Delay,
    /// Of 1,000 alarms whose handler succeeded, those that go off once more.
    pub duplicate_permille: u32,
    /// How often an alarm whose handler fails is tried again before the platform gives it up.
    pub retry_limit: u32,
    /// Whether a handler that was cut off has failed. If not, its alarm is always tried again.
    pub cut_off_fails: bool,
    /// Of 1,000 settings, those that the service rejects; it always rejects a time at or before the Unix epoch. The
    /// object learns of it after its turn, and its host resets it.
    pub reject_permille: u32,
}

impl AlarmFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self::default()
    }
}

impl Default for AlarmFaults {
    fn default() -> Self {
        Self {
            late: Delay::NONE,
            early_permille: 0,
            early: Delay::NONE,
            duplicate_permille: 0,
            // Cloudflare's documentation of alarms.
            retry_limit: 6,
            cut_off_fails: false,
            reject_permille: 0,
        }
    }
}
