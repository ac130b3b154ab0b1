//! What goes wrong with R2.

use crate::kernel::random::Delay;

/// The knobs of R2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketFaults {
    /// A get, there and back.
    pub get: Delay,
    /// A put.
    pub put: Delay,
    /// A deletion.
    pub delete: Delay,
    /// A listing.
    pub list: Delay,
    /// Of 1,000 calls, those that fail before the store has seen them.
    pub error_before_permille: u32,
    /// Of 1,000 puts and deletions, those that are applied and fail all the same.
    pub error_after_permille: u32,
    /// Of 1,000 puts and deletions, those that fail, and are applied later.
    pub late_permille: u32,
    /// By how much.
    pub late: Delay,
    /// Of 1,000 listings, those that hold fewer objects than were asked for, though more follow.
    pub short_page_permille: u32,
}

impl BucketFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self::default()
    }
}
