//! A datacenter: isolates serve the requests of the clients that are near, and objects live there.

use crate::world::clock::MachineClock;
use crate::world::map::Region;

/// A datacenter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Colo {
    /// Where it is.
    pub(crate) region: Region,
    /// What all clocks in it share.
    pub(crate) clock: MachineClock,
}
