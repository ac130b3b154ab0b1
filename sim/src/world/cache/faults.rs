//! What goes wrong with the caches of datacenters.

use crate::kernel::random::Delay;

/// The knobs of the caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFaults {
    /// Of how many parts, which know nothing of each other, the cache of a datacenter consists; 0 is as 1. An isolate
    /// uses the part of the machine on which it has started (inferred from load tests: about 20).
    pub partitions: u64,
    /// How long a look-up takes, or a removal.
    pub look_up: Delay,
    /// How long a put takes, until whoever has stored something is told so.
    pub put: Delay,
    /// How long after it was stored an answer can be seen, also by the isolate that has stored it (measured in
    /// production: 5 to 10 ms).
    pub visible: Delay,
    /// Of 1,000 puts, those of which nothing is stored. Nobody is told.
    pub put_lost_permille: u32,
    /// Of 1,000 look-ups, those before which the answer was evicted.
    pub evicted_permille: u32,
    /// Of 1,000 look-ups, those that fail.
    pub look_up_fails_permille: u32,
    /// Of 1,000 look-ups, those that never come to an end.
    pub look_up_stuck_permille: u32,
    /// Whether the host name belongs to no zone, as those of `workers.dev`: then there is no cache, and no operation
    /// fails.
    pub no_zone: bool,
}

impl CacheFaults {
    /// What a cache is like stays: how long it takes, and whether there is one.
    pub(in crate::world) fn delays(&self) -> Self {
        Self {
            put_lost_permille: 0,
            evicted_permille: 0,
            look_up_fails_permille: 0,
            look_up_stuck_permille: 0,
            ..*self
        }
    }
}
