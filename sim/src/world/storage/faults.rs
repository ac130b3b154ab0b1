//! How slow the disks of objects are, and what goes wrong with them.

use crate::kernel::random::Delay;

/// The knobs of storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFaults {
    /// The time from the end of a turn until its writes are durable.
    pub flush: Delay,
    /// Of 1,000 statements, those that fail: before they have done anything, or after some of the rows that they read.
    pub statement_fails_permille: u32,
}

impl StorageFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { flush: self.flush, ..Self::default() }
    }
}
