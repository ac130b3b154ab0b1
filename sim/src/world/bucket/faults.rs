//! What goes wrong with R2.

use crate::kernel::random::Delay;

/// The knobs of R2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketFaults {
    /// How long a get takes.
    pub get: Delay,
    /// How long a put takes.
    pub put: Delay,
    /// How long a deletion takes.
    pub delete: Delay,
    /// How long a listing takes.
    pub list: Delay,
    /// Of 1,000 calls, those that fail before the store has seen them.
    pub error_before_permille: u32,
    /// Of 1,000 puts and deletions, those that are applied although they fail.
    pub error_after_permille: u32,
    /// Of 1,000 puts and deletions, those that fail, and are applied later.
    pub late_permille: u32,
    /// How much later.
    pub late: Delay,
    /// Of 1,000 listings, those that hold fewer objects than were asked for although more follow.
    pub short_page_permille: u32,
    /// Of 1,000 gets, those that bring other bytes than are stored: one of their bits differs.
    pub damaged_permille: u32,
    /// Of 1,000 calls, those that never come to an end. A put or a deletion may be applied all the same.
    pub stuck_permille: u32,
}

impl BucketFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { get: self.get, put: self.put, delete: self.delete, list: self.list, ..Self::default() }
    }
}
