//! What each location has found of a key, and keeps for a while. One knows nothing of the others.

use std::collections::BTreeMap;

/// What a location has found of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// How many puts of the key had been applied; with none it was absent.
    pub(super) puts: usize,
    /// When that was so, in ms since the Unix epoch.
    pub(super) as_of_ms: u64,
}

/// What the locations have found, by the indices of their datacenters and by key, each with the time until which it is
/// kept.
#[derive(Default)]
pub(super) struct Locations(BTreeMap<(usize, String), (Found, u64)>);

impl Locations {
    /// What a location still keeps of a key.
    pub(super) fn kept(&mut self, colo: usize, key: &str, now_ms: u64) -> Option<Found> {
        let place = (colo, key.to_owned());
        let (found, until_ms) = *self.0.get(&place)?;
        if now_ms < until_ms {
            return Some(found);
        }
        self.0.remove(&place);
        None
    }

    /// A location keeps what it has found until that time.
    pub(super) fn keep(&mut self, colo: usize, key: &str, found: Found, until_ms: u64) {
        self.0.insert((colo, key.to_owned()), (found, until_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_kept_where_it_was_and_until_its_time_is_up() {
        let mut locations = Locations::default();
        let found = Found { puts: 0, as_of_ms: 5 };
        locations.keep(1, "a", found, 20);
        for (colo, key, now_ms, expected) in [
            (1, "a", 10, Some(found)),
            (1, "a", 19, Some(found)),
            (0, "a", 19, None),
            (1, "b", 19, None),
            (1, "a", 20, None),
            // It was let go.
            (1, "a", 19, None),
        ] {
            assert_eq!(locations.kept(colo, key, now_ms), expected, "{key} in {colo} at {now_ms}");
        }
    }
}
