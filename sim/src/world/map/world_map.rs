//! The datacenters of a world, and the ways between them.

use crate::kernel::random::Random;
use crate::world::clock::MachineClock;
use crate::world::map::Region;
use crate::world::map::colo::Colo;
use crate::world::map::placement::Placement;

/// The datacenters of a world, and the objects in them.
pub(crate) struct WorldMap {
    colos: Vec<Colo>,
    /// Where objects are.
    pub(crate) placement: Placement,
}

impl WorldMap {
    /// One datacenter in each of these regions, in their order; a single one if there are none.
    pub(crate) fn of(regions: &[Region]) -> Self {
        let alone = [Region::ALL[0]];
        let regions = if regions.is_empty() { &alone } else { regions };
        let colos = regions.iter().map(|region| Colo::at(*region)).collect();
        Self { colos, placement: Placement::default() }
    }

    /// Sets the clocks, each off by at most that much, either way, in ms.
    pub(crate) fn set_clocks(&mut self, random: &Random, off_ms: u64) {
        for colo in &mut self.colos {
            colo.clock = MachineClock::draw(random, off_ms);
        }
    }

    /// How many datacenters there are: at least one.
    pub(crate) fn count(&self) -> usize {
        self.colos.len()
    }

    /// What the clocks of a datacenter share, by its index.
    pub(crate) fn clock(&self, colo: usize) -> MachineClock {
        self.colos[colo].clock
    }

    /// Cuts a datacenter off from the others until then, in ms since the Unix epoch.
    pub(crate) fn cut_off(&self, colo: usize, until_ms: u64) {
        self.colos[colo].cut_off_until_ms.set(until_ms);
    }

    /// From here on none is cut off.
    pub(crate) fn calm(&self) {
        self.colos.iter().for_each(|colo| colo.cut_off_until_ms.set(0));
    }

    /// Whether nothing passes between two datacenters at that time, in ms since the Unix epoch.
    pub(crate) fn are_apart(&self, from: usize, to: usize, now_ms: u64) -> bool {
        from != to && [from, to].iter().any(|colo| self.colos[*colo].is_cut_off(now_ms))
    }

    /// How much longer than within a datacenter a message is on its way between two of them, by their indices, in ms.
    pub(crate) fn distance_ms(&self, from: usize, to: usize, permille: u32) -> u64 {
        if from == to || permille == 0 {
            return 0;
        }
        self.colos[from].region.one_way_ms(self.colos[to].region) * u64::from(permille) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_between_datacenters_are_scaled_and_within_one_there_is_none() {
        let map = WorldMap::of(&["weur", "sam", "weur"].map(|name| Region::named(name).unwrap()));
        assert_eq!(map.count(), 3);
        for (from, to, permille, expected) in
            [(0, 1, 0, 0), (0, 1, 500, 47), (0, 1, 1_000, 94), (1, 0, 2_000, 188), (0, 2, 1_000, 5), (1, 1, 1_000, 0)]
        {
            assert_eq!(map.distance_ms(from, to, permille), expected, "{from} to {to} at {permille}");
        }
    }

    #[test]
    fn a_world_without_regions_has_one_datacenter() {
        assert_eq!(WorldMap::of(&[]).count(), 1);
    }

    #[test]
    fn clocks_of_datacenters_differ_by_twice_as_much_at_most_as_they_are_off() {
        let mut map = WorldMap::of(&[Region::ALL[0]; 40]);
        let now_ms = |map: &WorldMap| (0..40).map(|colo| map.clock(colo).off_ms()).collect::<Vec<_>>();
        assert!(now_ms(&map).iter().all(|off_ms| *off_ms == 0));
        map.set_clocks(&Random::new(1), 100);
        let off_ms = now_ms(&map);
        assert!(off_ms.iter().all(|off_ms| off_ms.abs() <= 100) && off_ms.iter().any(|off_ms| off_ms.abs() > 50));
    }
}
