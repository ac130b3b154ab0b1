//! The regions of the world, and how far they are from one another.

/// The time that a message and its answer take between two datacenters of one region, in ms. Source: as of the first
/// rows of [`ROUND_TRIPS_MS`], where Tokyo and Osaka are 9 ms apart, London and Frankfurt 13.
const WITHIN_A_REGION_MS: u64 = 10;

macro_rules! regions {
    ($($(#[doc = $doc:literal])* $region:ident = $name:literal: $round_trips_ms:expr;)*) => {
        /// A region, named as the places are that an object can be given a hint of (Cloudflare, Durable Objects,
        /// "Data location").
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Region {
            $($(#[doc = $doc])* $region,)*
        }

        impl Region {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$region,)*];

            /// Its name in scenarios.
            pub fn name(self) -> &'static str {
                match self { $(Self::$region => $name,)* }
            }
        }

        /// The time that a message and its answer take, in ms, from each region to each of those before it.
        const ROUND_TRIPS_MS: &[&[u64]] = &[$(&$round_trips_ms,)*];
    };
}

// Source of the first five: IBM Cloud, "Network latency" of its regions, averages of 17 August to 15 September 2024,
// for Washington DC, London, Sao Paulo, Tokyo and Sydney. It has no datacenters in the other four. Those are known
// roughly, to 10 or 20 ms, from the live tables of AWS (cloudping.co; Oregon, Cape Town, Bahrain) and Azure ("Azure network
// round-trip latency statistics"; Poland, South Africa, UAE). No run depends on the figures: `distance_permille` scales
// them.
regions! {
    /// Eastern North America.
    EasternNorthAmerica = "enam": [];
    /// Western Europe.
    WesternEurope = "weur": [76];
    /// South America.
    SouthAmerica = "sam": [118, 187];
    /// Asia-Pacific.
    AsiaPacific = "apac": [166, 242, 284];
    /// Oceania.
    Oceania = "oc": [214, 261, 328, 115];
    /// Western North America.
    WesternNorthAmerica = "wnam": [65, 135, 175, 100, 140];
    /// Eastern Europe.
    EasternEurope = "eeur": [110, 35, 215, 250, 280, 165];
    /// Africa.
    Africa = "afr": [230, 155, 340, 350, 390, 280, 180];
    /// The Middle East.
    MiddleEast = "me": [190, 110, 300, 160, 190, 230, 120, 240];
}

impl Region {
    /// The region of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|region| region.name() == name)
    }

    /// How long a message is on its way between two datacenters, one in each region, in ms: half a round trip.
    pub fn one_way_ms(self, other: Self) -> u64 {
        let (near, far) = (self.min(other) as usize, self.max(other) as usize);
        let round_trip_ms = if near == far { WITHIN_A_REGION_MS } else { ROUND_TRIPS_MS[far][near] };
        round_trip_ms.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_a_distance_to_each_and_the_way_back_is_as_long() {
        for (place, one) in Region::ALL.iter().enumerate() {
            assert_eq!(ROUND_TRIPS_MS[place].len(), place, "{}", one.name());
            assert_eq!(Region::named(one.name()), Some(*one));
            for other in Region::ALL {
                assert_eq!(one.one_way_ms(*other), other.one_way_ms(*one));
                assert!((5..=200).contains(&one.one_way_ms(*other)), "{} to {}", one.name(), other.name());
            }
        }
        assert_eq!(Region::named("nowhere"), None);
    }

    #[test]
    fn distances_are_half_of_what_was_measured() {
        let way = |one, other| Region::named(one).unwrap().one_way_ms(Region::named(other).unwrap());
        for (one, other, expected) in
            [("enam", "weur", 38), ("weur", "enam", 38), ("oc", "apac", 58), ("sam", "me", 150), ("weur", "weur", 5)]
        {
            assert_eq!(way(one, other), expected, "{one} to {other}");
        }
    }

    /// Light in a fibre takes about 1 ms for 200 km: no detour over a third region is much shorter than the way that
    /// was measured.
    #[test]
    fn no_detour_is_much_shorter() {
        for one in Region::ALL {
            for other in Region::ALL {
                for over in Region::ALL {
                    let detour_ms = one.one_way_ms(*over) + over.one_way_ms(*other);
                    let names = [one, over, other].map(|region| region.name());
                    assert!(one.one_way_ms(*other) <= detour_ms + 40, "{names:?}: {detour_ms} ms");
                }
            }
        }
    }
}
