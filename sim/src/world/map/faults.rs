//! How far datacenters are apart, and what goes wrong with them.

/// The knobs of the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapFaults {
    /// How far datacenters are apart, in thousandths of what was measured: 0, as if there were no distances; 1,000, as
    /// far as they are.
    pub distance_permille: u32,
    /// Of 1,000 objects, those that are placed in another datacenter than the one from which they are first called: not
    /// every one has objects, and a hint may ask for another region (Cloudflare, Durable Objects, "Data location").
    pub object_elsewhere_permille: u32,
    /// By how much the clocks of a datacenter differ from the world's at most, either way, in ms. By how much a machine
    /// in it is off comes besides.
    pub clock_off_ms: u64,
}

impl MapFaults {
    pub(in crate::world) fn delays(&self) -> Self {
        Self { distance_permille: self.distance_permille, ..Self::default() }
    }
}
