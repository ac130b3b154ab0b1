//! What was measured of one server, a value a round, and how it is shown beside the other server.

use std::time::Duration;

use super::subject::Subject;

/// Values of several figures, each with one value a round.
pub(super) struct Series<const N: usize> {
    values: [Vec<f64>; N],
}

impl<const N: usize> Series<N> {
    /// No rounds yet.
    pub(super) fn new() -> Self {
        Self { values: std::array::from_fn(|_| Vec::new()) }
    }

    /// Adds a round.
    pub(super) fn push(&mut self, round: [f64; N]) {
        for (values, value) in self.values.iter_mut().zip(round) {
            values.push(value);
        }
    }

    /// The value in the middle of each figure.
    pub(super) fn medians(&self) -> [f64; N] {
        self.values.each_ref().map(|values| median(values))
    }
}

/// Prints the medians of both servers, and their ratios: a title and the names of the figures, each with its number
/// of decimals, above them.
pub(super) fn print_table<const N: usize>(
    title: &str,
    figures: [(&str, usize); N],
    subjects: &[Subject; 2],
    series: &[Series<N>; 2],
) {
    let head: String = figures.iter().map(|(name, _)| format!("{name:>14}")).collect();
    println!("\n{title:<16}{head}");
    let rows = series.each_ref().map(Series::medians);
    for (subject, row) in subjects.iter().zip(&rows) {
        let cells = row.iter().zip(figures).map(|(value, (_, decimals))| format!("{value:>14.decimals$}"));
        println!("{:<16}{}", subject.name, cells.collect::<String>());
    }
    let [first, second] = rows;
    let ratios: String = first.iter().zip(second).map(|(first, second)| format!("{:>14.2}", second / first)).collect();
    println!("{:<16}{ratios}", "ratio");
}

/// The time within which this share of them lies.
pub(super) fn percentile(latencies: &[Duration], share: f64) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * share) as usize;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The value in the middle.
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
