//! How often marks were reached.

use std::collections::BTreeMap;

/// Counts by mark, in the order of the marks' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// Counts one more.
    pub fn hit(&mut self, mark: &'static str) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// How often that mark was reached.
    pub fn count(&self, mark: impl AsRef<str>) -> u64 {
        self.0.get(mark.as_ref()).copied().unwrap_or_default()
    }

    /// All marks that were reached.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(mark, count)| (*mark, *count))
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (mark, count) in other.iter() {
            *self.0.entry(mark).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_runs_and_come_in_the_order_of_names() {
        let mut first = Marks::default();
        first.hit("b");
        first.hit("a");
        first.hit("b");
        let mut second = Marks::default();
        second.hit("b");
        first.merge(&second);
        assert_eq!(first.iter().collect::<Vec<_>>(), [("a", 1), ("b", 3)]);
        assert_eq!((first.count("b"), first.count("c")), (3, 0));
    }
}
