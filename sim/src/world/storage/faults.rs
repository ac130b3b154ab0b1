//! How slow and how large the disks of objects are, and what goes wrong with them.

use crate::kernel::random::Delay;

/// The knobs of storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFaults {
    /// The time from the end of a turn until its writes are durable.
    pub flush: Delay,
    /// Of 1,000 statements, those that fail: before they have done anything, or after some of the rows that they read.
    pub statement_fails_permille: u32,
    /// Of 1,000 statements that write, those that fail because the database is said to be full: a disk of the platform
    /// is, or a quota that nobody knows of. Nothing of the statement is done.
    pub statement_full_permille: u32,
    /// How many pages of 4 KiB the database of an object may have, those that are free not counted; 0 for any number. A
    /// statement that would make it larger fails, and nothing of it is done.
    pub database_pages: u64,
}

impl StorageFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { flush: self.flush, database_pages: self.database_pages, ..Self::default() }
    }
}
