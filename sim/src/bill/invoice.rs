//! The bill of a month.

use super::{Meter, PLAN};

/// The bill of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// What was used and costs something, or would if it were more.
    pub lines: Vec<Line>,
}

/// A line of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was used.
    pub meter: Meter,
    /// How much, in the meter's unit, with what is billed as the same.
    pub count: u64,
    /// What that costs, in millionths of a dollar.
    pub costs: u64,
}

impl Invoice {
    /// The bill of what a month has used of each meter, in the meter's unit.
    pub fn of(total: impl Fn(Meter) -> u64) -> Self {
        let line = |meter: &Meter| {
            let price = meter.price()?;
            let billed = Meter::ALL.iter().filter(|other| other.billed_as().0 == *meter);
            let count =
                billed.fold(0_u64, |count, other| count.saturating_add(total(*other).div_ceil(other.billed_as().1)));
            (count > 0).then(|| Line { meter: *meter, count, costs: price.of(count) })
        };
        Self { lines: Meter::ALL.iter().filter_map(line).collect() }
    }

    /// What a meter costs, in millionths of a dollar.
    pub fn costs(&self, meter: Meter) -> u64 {
        self.lines.iter().find(|line| line.meter == meter).map_or(0, |line| line.costs)
    }

    /// What everything costs beside the plan itself, in millionths of a dollar.
    pub fn beside_plan(&self) -> u64 {
        self.lines.iter().fold(0, |total, line| total.saturating_add(line.costs))
    }

    /// What everything costs, in millionths of a dollar.
    pub fn total(&self) -> u64 {
        self.beside_plan().saturating_add(PLAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{Cause, Usage};

    const MONTH_S: u64 = 30 * 24 * 3_600;

    fn month(counts: &[(Meter, u64)]) -> Invoice {
        let mut usage = Usage::default();
        counts.iter().for_each(|(meter, count)| usage.add(Cause::Poll, *meter, *count));
        Invoice::of(|meter| usage.total(meter))
    }

    #[test]
    fn a_month_without_use_costs_the_plan() {
        let invoice = month(&[]);
        assert_eq!((invoice.lines.len(), invoice.beside_plan(), invoice.total()), (0, 0, 5_000_000));
        // What is included stands on the bill, and costs nothing.
        let invoice = month(&[(Meter::WorkerRequests, 9_000_000), (Meter::ZoneHits, 9_000_000_000)]);
        assert_eq!((invoice.lines.len(), invoice.total()), (1, 5_000_000));
    }

    #[test]
    fn twenty_messages_are_a_request_and_share_what_is_included() {
        for (messages, requests, billed) in [(0, 1_000_000, 0), (20, 1_000_000, 1), (21, 1_000_000, 2), (1, 0, 0)] {
            let invoice = month(&[(Meter::SocketMessages, messages), (Meter::ObjectRequests, requests)]);
            let expected = (u128::from(150_000_u64 * billed)).div_ceil(1_000_000) as u64;
            assert_eq!(invoice.costs(Meter::ObjectRequests), expected, "{messages} messages");
            assert_eq!(invoice.costs(Meter::SocketMessages), 0);
        }
    }

    /// Workloads of which it is known what they cost (SPEC, section 6), by their arithmetic: requests of the edge and of
    /// objects, and seconds of objects, a month; dollars.
    #[test]
    fn known_workloads_cost_what_their_arithmetic_says() {
        let polls = 10_000 * MONTH_S;
        for (name, edge, object, object_s, dollars) in [
            ("10,000 readers, a message a second", polls, polls + MONTH_S, 0, [7_773, 3_888, 0]),
            ("of which 91 % hit after the Worker", polls, polls / 100 * 9 + MONTH_S, 0, [7_773, 350, 0]),
            ("one miss in a thousand before it", polls / 1_000, polls / 1_000, 0, [5, 4, 0]),
            ("one in a hundred", polls / 100, polls / 100, 0, [75, 39, 0]),
            ("21 in a hundred", polls / 100 * 21, polls / 100 * 21, 0, [1_630, 816, 0]),
            (
                "1,000 objects held by events",
                1_000 * MONTH_S / 60,
                1_000 * MONTH_S / 60,
                1_000 * MONTH_S,
                [10, 6, 4_142],
            ),
            ("the same by polls", 1_000 * MONTH_S / 4, 1_000 * MONTH_S / 4, 1_000 * MONTH_S, [191, 97, 4_142]),
            ("idle, polls of 4 s", polls / 4, polls / 4, 0, [1_941, 972, 0]),
            ("idle, polls of 20 s", polls / 20, polls / 20, 0, [386, 194, 0]),
        ] {
            let invoice = month(&[
                (Meter::WorkerRequests, edge),
                (Meter::ObjectRequests, object),
                (Meter::ObjectMs, object_s * 1_000),
            ]);
            let meters = [Meter::WorkerRequests, Meter::ObjectRequests, Meter::ObjectMs];
            let rounded = meters.map(|meter| (invoice.costs(meter) + 500_000) / 1_000_000);
            assert_eq!(rounded, dollars, "{name}");
        }
    }
}
