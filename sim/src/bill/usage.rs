//! How much of each meter was used, by what has caused it.

use super::{Cause, Meter};

/// How much was used, by meter and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    counts: [[u64; Meter::ALL.len()]; Cause::ALL.len()],
}

impl Default for Usage {
    fn default() -> Self {
        Self { counts: [[0; Meter::ALL.len()]; Cause::ALL.len()] }
    }
}

impl Usage {
    /// Counts.
    pub fn add(&mut self, cause: Cause, meter: Meter, count: u64) {
        let counted = &mut self.counts[cause.index()][meter.index()];
        *counted = counted.saturating_add(count);
    }

    /// What was used of a meter for one cause, in the meter's unit.
    pub fn of(&self, cause: Cause, meter: Meter) -> u64 {
        self.counts[cause.index()][meter.index()]
    }

    /// What was used of a meter in all, in the meter's unit.
    pub fn total(&self, meter: Meter) -> u64 {
        self.counts.iter().fold(0, |total, counts| total.saturating_add(counts[meter.index()]))
    }

    /// What was used since an earlier time, of the same counts.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        let pairs = since.counts.iter_mut().flatten().zip(earlier.counts.iter().flatten());
        pairs.for_each(|(count, earlier)| *count = count.saturating_sub(*earlier));
        since
    }

    /// What was used for these causes alone.
    pub fn only(&self, causes: &[Cause]) -> Self {
        let mut only = self.clone();
        let others = Cause::ALL.iter().filter(|cause| !causes.contains(cause));
        others.for_each(|cause| only.counts[cause.index()] = [0; Meter::ALL.len()]);
        only
    }

    /// Adds everything that another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for cause in Cause::ALL {
            for meter in Meter::ALL {
                self.add(*cause, *meter, other.of(*cause, *meter));
            }
        }
    }

    /// So many times as much, rounded to the nearest.
    pub fn times(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        scaled.counts.iter_mut().flatten().for_each(|count| *count = (*count as f64 * factor).round() as u64);
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_cause_and_in_all() {
        let mut usage = Usage::default();
        usage.add(Cause::Write, Meter::RowsWritten, 2);
        usage.add(Cause::Poll, Meter::RowsWritten, 3);
        usage.add(Cause::Poll, Meter::ObjectRequests, u64::MAX);
        usage.add(Cause::Write, Meter::ObjectRequests, 1);
        assert_eq!(usage.since(&usage), Usage::default());
        assert_eq!(usage.since(&Usage::default()), usage);
        let mut twice = usage.clone();
        twice.merge(&usage);
        for (usage, written) in [(&usage, 5), (&twice, 10), (&usage.times(1.5), 8)] {
            assert_eq!(usage.total(Meter::RowsWritten), written);
            assert_eq!(usage.total(Meter::ObjectRequests), u64::MAX, "no count overflows");
            assert_eq!(usage.total(Meter::R2ClassA), 0);
        }
        let written = twice.only(&[Cause::Write]);
        assert_eq!((written.of(Cause::Write, Meter::RowsWritten), written.of(Cause::Poll, Meter::RowsWritten)), (4, 0));
        assert_eq!((twice.of(Cause::Write, Meter::RowsWritten), twice.of(Cause::Poll, Meter::RowsWritten)), (4, 6));
    }
}
