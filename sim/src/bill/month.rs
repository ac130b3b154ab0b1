//! The bill of a month, as a table.

use super::{Cause, Invoice, PLAN, Usage, with_unsimulated};

/// Seconds of a month of 30 days.
pub const MONTH_S: f64 = 30.0 * 24.0 * 3_600.0;

/// What a month costs in which everything goes on as in so many seconds in which this was used: a table, the same for the
/// same numbers. Rare events that did not happen are not in it, nor what is stored.
pub fn month(usage: &Usage, seconds: f64) -> String {
    let of_month = with_unsimulated(usage).times(MONTH_S / seconds.max(1.0));
    let invoice = Invoice::of(|meter| of_month.total(meter));
    let mut text = format!("{:<24} {:>16} {:>12}   {}\n", "a month of this", "count", "dollars", "most of it for");
    for line in &invoice.lines {
        let share = |cause: &&Cause| of_month.of(**cause, line.meter);
        let most = Cause::ALL.iter().max_by_key(share).map_or("", |cause| cause.name());
        text.push_str(&format!("{:<24} {:>16} {:>12}   {most}\n", line.meter.name(), line.count, dollars(line.costs)));
    }
    text.push_str(&format!(
        "{:<24} {:>16} {:>12}\n",
        "beside the plan's",
        dollars(PLAN),
        dollars(invoice.beside_plan())
    ));
    text
}

/// Millionths of a dollar as dollars, to the cent.
pub fn dollars(millionths: u64) -> String {
    format!("{:.2}", millionths as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Meter;

    #[test]
    fn a_month_has_a_line_for_whatever_is_billed() {
        let mut usage = Usage::default();
        // 10,000 polls a second, each of which calls an object, and a write a second.
        usage.add(Cause::Poll, Meter::WorkerRequests, 600_000);
        usage.add(Cause::Poll, Meter::ObjectRequests, 600_000);
        usage.add(Cause::Write, Meter::WorkerRequests, 60);
        usage.add(Cause::Write, Meter::RowsWritten, 60);
        usage.add(Cause::Poll, Meter::ZoneHits, 7);
        let lines: Vec<String> = month(&usage, 60.0).lines().map(str::to_owned).collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        let found: Vec<String> = lines.iter().map(|line| words(line)).collect();
        assert_eq!(found[0], "a month of this count dollars most of it for");
        assert_eq!(found[1], "Worker requests 25922592000 7773.78 poll");
        assert!(found[2].starts_with("Worker CPU "), "{found:?}");
        assert_eq!(found[3], "object requests 25920000000 3887.85 poll");
        assert!(found[4].starts_with("object duration 25920000000 "), "{found:?}");
        assert_eq!(found[5], "rows written 2592000 0.00 write");
        assert!(found[6].starts_with("beside the plan's 5.00 1"), "{found:?}");
        assert_eq!(found.len(), 7);
    }
}
