//! How slow the disks of objects are.

use crate::kernel::random::Delay;

/// The knobs of storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFaults {
    /// The time from the end of a turn until its writes are durable.
    pub flush: Delay,
}

impl StorageFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        *self
    }
}
