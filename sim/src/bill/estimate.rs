//! From slices of simulated time to a month, with how sure that is.
//!
//! What happens again and again (the time from one write to the next, a rotation, a deploy, the end of a connection, an
//! hour of silence) is a cycle. A slice holds some of them, of one kind, and was measured after a warm-up. What a cycle
//! uses, times how many of them a month has, is what the month uses.

use super::{Invoice, Meter, Usage};

/// What one seed's slice has used.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What was used.
    pub usage: Usage,
    /// How many cycles it holds; more than 0.
    pub cycles: f64,
}

/// The slices of one kind of cycle, one of each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// What the cycle is, in reports.
    pub name: &'static str,
    /// The slices. Their seeds differ, so that they are independent.
    pub slices: Vec<Slice>,
    /// How many cycles a month has.
    pub cycles_a_month: f64,
}

/// What a month uses and costs: its mean, and the ends of the interval that holds it with 95 % confidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// At the mean.
    pub mean: Invoice,
    /// At the lower end of each meter's interval.
    pub low: Invoice,
    /// At the upper end.
    pub high: Invoice,
}

/// How wide the interval of a total may be on either side, of 1,000.
const PRECISE_PERMILLE: u64 = 20;

/// Half of the width of an interval that holds the mean with 95 % confidence, in standard errors, by degrees of freedom
/// from 1 on: Student's t (any table of it; the values are rounded up).
const T_95: [f64; 30] = [
    12.707, 4.303, 3.183, 2.777, 2.571, 2.447, 2.365, 2.307, 2.263, 2.229, 2.201, 2.179, 2.161, 2.145, 2.132, 2.120,
    2.110, 2.101, 2.094, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.049, 2.046, 2.043,
];

/// The same for any higher number: that of 30, which is too wide rather than too narrow.
fn t_95(degrees: usize) -> f64 {
    T_95[degrees.clamp(1, T_95.len()) - 1]
}

/// The mean of some values, and half of the width of its interval. Of one value nothing is known: the width is infinite.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    if values.len() < 2 {
        return (mean, f64::INFINITY);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    (mean, t_95(values.len() - 1) * error)
}

impl Class {
    /// What a month uses of a meter by these cycles, and half of the width of its interval.
    fn month(&self, meter: Meter) -> (f64, f64) {
        let a_cycle = |slice: &Slice| slice.usage.total(meter) as f64 / slice.cycles;
        let values: Vec<f64> = self.slices.iter().map(a_cycle).collect();
        let (mean, half) = interval(&values);
        (mean * self.cycles_a_month, half * self.cycles_a_month)
    }
}

impl Estimate {
    /// Of these classes together. Their errors are independent.
    pub fn of(classes: &[Class]) -> Self {
        let totals = |meter| {
            let months = || classes.iter().map(|class| class.month(meter));
            let mean: f64 = months().map(|(mean, _)| mean).sum();
            let half = months().map(|(_, half)| half.powi(2)).sum::<f64>().sqrt();
            (mean, half)
        };
        let at = |side: f64| {
            // Nothing times an infinite width is no number: the mean has none.
            Invoice::of(|meter| {
                let (mean, half) = totals(meter);
                let shift = if side == 0.0 { 0.0 } else { side * half };
                (mean + shift).max(0.0).round() as u64
            })
        };
        Self { mean: at(0.0), low: at(-1.0), high: at(1.0) }
    }

    /// Whether the total, beside the plan, is known to 2 %, or to a cent.
    pub fn is_precise(&self) -> bool {
        let [low, mean, high] = [&self.low, &self.mean, &self.high].map(Invoice::beside_plan);
        let half = high.saturating_sub(mean).max(mean.saturating_sub(low));
        u128::from(half) * 1_000 <= u128::from(mean) * u128::from(PRECISE_PERMILLE) || half <= CENT
    }
}

/// In millionths of a dollar.
const CENT: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Cause;

    fn class(counts: &[u64], cycles: f64, cycles_a_month: f64) -> Class {
        let slice = |count: &u64| {
            let mut usage = Usage::default();
            usage.add(Cause::Poll, Meter::WorkerRequests, *count);
            Slice { usage, cycles }
        };
        Class { name: "a write", slices: counts.iter().map(slice).collect(), cycles_a_month }
    }

    #[test]
    fn an_interval_is_that_of_student() {
        // Of 1 to 5: mean 3, deviation 1.5811, error 0.7071, 4 degrees of freedom.
        let (mean, half) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(mean, 3.0);
        assert!((half - 2.777 * 0.5_f64.sqrt()).abs() < 1e-6, "{half}");
        assert_eq!(interval(&[7.0, 7.0]), (7.0, 0.0));
        assert_eq!(interval(&[7.0]), (7.0, f64::INFINITY));
        assert_eq!(interval(&[]), (0.0, f64::INFINITY));
        assert_eq!((t_95(1), t_95(9), t_95(30), t_95(1_000)), (12.707, 2.263, 2.043, 2.043));
    }

    #[test]
    fn a_month_is_what_a_cycle_uses_times_their_number() {
        // 10 requests a cycle, 2,592,000 cycles: 25.92 M, of which 10 M are included.
        let estimate = Estimate::of(&[class(&[1_000; 10], 100.0, 2_592_000.0)]);
        assert_eq!(estimate.mean.costs(Meter::WorkerRequests), 4_776_000);
        assert_eq!((&estimate.low, &estimate.high), (&estimate.mean, &estimate.mean));
        assert!(estimate.is_precise());
        // A second class of 4.08 M more.
        let both = Estimate::of(&[class(&[1_000; 10], 100.0, 2_592_000.0), class(&[4_080; 10], 1.0, 1_000.0)]);
        assert_eq!(both.mean.costs(Meter::WorkerRequests), 6_000_000);
    }

    #[test]
    fn what_is_included_is_taken_off_at_each_end_and_not_from_the_mean_alone() {
        // 9 or 11 M: half of the seeds pay nothing, and the mean does not either.
        let estimate = Estimate::of(&[class(&[9, 11, 9, 11, 9, 11, 9, 11, 9, 11], 1.0, 1_000_000.0)]);
        assert_eq!((estimate.low.beside_plan(), estimate.mean.beside_plan()), (0, 0));
        let high = estimate.high.beside_plan();
        assert!((200_000..300_000).contains(&high), "{high}");
        assert!(!estimate.is_precise());
    }

    #[test]
    fn errors_of_classes_add_as_squares_and_one_seed_is_no_estimate() {
        let counts = [98, 102, 98, 102, 98, 102, 98, 102, 98, 102];
        let one = Estimate::of(&[class(&counts, 1.0, 1_000_000.0)]);
        let two = Estimate::of(&[class(&counts, 1.0, 1_000_000.0), class(&counts, 1.0, 1_000_000.0)]);
        let half = |estimate: &Estimate| (estimate.high.beside_plan() - estimate.mean.beside_plan()) as f64;
        assert!((half(&two) / half(&one) - 2.0_f64.sqrt()).abs() < 1e-3);
        assert!(!Estimate::of(&[class(&counts[..1], 1.0, 1_000_000.0)]).is_precise());
        assert!(one.is_precise());
    }
}
