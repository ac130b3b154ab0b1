//! A datacenter: isolates serve the requests of the clients that are near, and objects live there.

use std::cell::Cell;

use crate::world::clock::MachineClock;
use crate::world::map::Region;

/// A datacenter.
#[derive(Debug)]
pub(crate) struct Colo {
    /// Where it is.
    pub(crate) region: Region,
    /// What all clocks in it share.
    pub(crate) clock: MachineClock,
    /// Until when it is cut off from the others, in ms since the Unix epoch.
    pub(crate) cut_off_until_ms: Cell<u64>,
}

impl Colo {
    /// One whose clocks are right.
    pub(crate) fn at(region: Region) -> Self {
        Self { region, clock: MachineClock::default(), cut_off_until_ms: Cell::default() }
    }

    /// Whether it is cut off from the others at that time, in ms since the Unix epoch.
    pub(crate) fn is_cut_off(&self, now_ms: u64) -> bool {
        now_ms < self.cut_off_until_ms.get()
    }
}
