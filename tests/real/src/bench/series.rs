//! What was measured of a server in each round, and how servers are compared.

use std::time::Duration;

/// Values of several figures, each with one value a round.
pub(super) struct Series<const N: usize> {
    values: [Vec<f64>; N],
}

impl<const N: usize> Series<N> {
    /// No rounds yet.
    pub(super) fn new() -> Self {
        Self { values: std::array::from_fn(|_| Vec::new()) }
    }

    /// These rounds.
    pub(super) fn of(rounds: impl Iterator<Item = [f64; N]>) -> Self {
        let mut series = Self::new();
        rounds.for_each(|round| series.push(round));
        series
    }

    /// Adds a round.
    pub(super) fn push(&mut self, round: [f64; N]) {
        for (values, value) in self.values.iter_mut().zip(round) {
            values.push(value);
        }
    }

    /// The median of each figure.
    pub(super) fn medians(&self) -> [f64; N] {
        self.values.each_ref().map(|values| median(values))
    }
}

/// The order of measurements in a round, which is reversed in every other round: A B, B A, A B. So a machine that
/// becomes slower and slower favours none of them.
pub(super) fn in_turn<T>(round: usize, items: impl DoubleEndedIterator<Item = T>) -> Vec<T> {
    if round % 2 == 1 { items.collect() } else { items.rev().collect() }
}

/// How one server's figure relates to another's.
#[derive(Debug, PartialEq)]
struct Ratio {
    /// The median of the ratios of each round.
    median: f64,
    /// Where the true median lies with a confidence of 95 %; `None` with fewer than six rounds.
    interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Divides values of the second server by those of the first in the same round.
    ///
    /// The interval is that of the sign test. Of the ratios in order, it reaches from the k-th to the k-th from the
    /// end, where k is the largest number such that a coin thrown once for each round shows fewer than k heads with a
    /// probability of at most 2.5 %. It assumes nothing about the distribution of ratios. With 20 rounds it reaches
    /// from the 6th to the 15th.
    fn of(first: &[f64], second: &[f64]) -> Self {
        let mut ratios: Vec<f64> = first.iter().zip(second).map(|(first, second)| second / first).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let rank = rank(ratios.len());
        let interval = rank.checked_sub(1).map(|least| (ratios[least], ratios[ratios.len() - rank]));
        Self { median: median(&ratios), interval }
    }
}

/// The largest k such that this many throws of a coin show fewer than k heads with a probability of at most 2.5 %.
fn rank(throws: usize) -> usize {
    let (mut heads, mut fewer) = (0, 0.0);
    // The probability of exactly `heads`.
    let mut exactly = 0.5_f64.powi(i32::try_from(throws).unwrap_or(i32::MAX));
    while fewer + exactly <= 0.025 && heads < throws {
        fewer += exactly;
        exactly *= (throws - heads) as f64 / (heads + 1) as f64;
        heads += 1;
    }
    heads
}

/// Prints a table: a title, the names of the figures (each has its number of decimals), the medians of the servers, and
/// the ratios of those that are compared, the second to the first.
pub(super) fn print_table<const N: usize>(
    title: &str,
    figures: [(&str, usize); N],
    names: &[&str],
    series: &[Series<N>],
    pairs: &[(usize, usize)],
) {
    let head: String = figures.iter().map(|(name, _)| format!("{name:>14}")).collect();
    println!("\n{title:<22}{head}");
    for (name, series) in names.iter().zip(series) {
        let cells = series.medians().into_iter().zip(figures);
        let cells: String = cells.map(|(value, (_, decimals))| format!("{value:>14.decimals$}")).collect();
        println!("{name:<22}{cells}");
    }
    for &(first, second) in pairs {
        let name = if pairs.len() == 1 { String::new() } else { format!(", {}", names[second]) };
        let values = series[first].values.iter().zip(&series[second].values);
        let ratios: Vec<Ratio> = values.map(|(first, second)| Ratio::of(first, second)).collect();
        println!("{:<22}{}", format!("ratio{name}"), row(ratios.iter().map(|ratio| ratio.median)));
        let intervals: Option<Vec<(f64, f64)>> = ratios.iter().map(|ratio| ratio.interval).collect();
        if let Some(intervals) = intervals {
            println!("{:<22}{}", "  95 %: from", row(intervals.iter().map(|(least, _)| *least)));
            println!("{:<22}{}", "  95 %: to", row(intervals.iter().map(|(_, most)| *most)));
        }
    }
}

/// The cells of a row of ratios.
fn row(ratios: impl Iterator<Item = f64>) -> String {
    ratios.map(|ratio| if ratio.is_finite() { format!("{ratio:>14.3}") } else { format!("{:>14}", "-") }).collect()
}

/// The time below which this share of the latencies lies.
pub(crate) fn percentile(latencies: &[Duration], share: f64) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * share) as usize;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The median.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn every_other_round_goes_backwards() {
        assert_eq!(in_turn(1, ["a", "b"].into_iter()), ["a", "b"]);
        assert_eq!(in_turn(2, ["a", "b"].into_iter()), ["b", "a"]);
    }

    /// The expected ranks are those of published tables of the sign test.
    #[test]
    fn the_interval_of_a_median_reaches_from_rank_to_rank() {
        let check = |throws, expected| assert_eq!(rank(throws), expected, "{throws}");
        [0, 1, 5].into_iter().for_each(|throws| check(throws, 0));
        check(6, 1);
        check(8, 1);
        check(9, 2);
        check(20, 6);
        check(25, 8);
        check(100, 40);
        check(1000, 469);
    }

    #[test]
    fn rounds_are_paired_before_they_are_compared() {
        // Each round is slower than the one before it, which changes no ratio.
        let first: Vec<f64> = (1..=20).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|value| value * 1.5).collect();
        assert_eq!(Ratio::of(&first, &second), Ratio { median: 1.5, interval: Some((1.5, 1.5)) });
        let second: Vec<f64> = (1..=20).map(|round| f64::from(round * round)).collect();
        assert_eq!(Ratio::of(&first, &second), Ratio { median: 10.5, interval: Some((6.0, 15.0)) });
        assert_eq!(Ratio::of(&first[..3], &second[..3]), Ratio { median: 2.0, interval: None });
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 0.5), Duration::from_millis(101));
        assert_eq!(percentile(&values, 0.99), Duration::from_millis(199));
        assert_eq!(percentile(&values, 1.0), Duration::from_millis(200));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn each_figure_has_its_own_median() {
        let mut series = Series::new();
        [[1.0, 9.0], [3.0, 8.0], [2.0, 1.0]].into_iter().for_each(|round| series.push(round));
        assert_eq!(series.medians(), [2.0, 8.0]);
    }
}
