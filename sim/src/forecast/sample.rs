//! How much of a workload is simulated: streams share nothing, so a few of them stand for all.

use super::workload::Workload;

/// The most streams that are simulated.
const MOST_STREAMS: u64 = 20;
/// About the most readers that are simulated where these are of several streams.
const MOST_READERS: f64 = 10_000.0;
/// About the most messages a second that are simulated where these are of several streams.
const MOST_WRITES: f64 = 2_000.0;

/// A part of a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// How many streams are simulated.
    pub(super) streams: u64,
    /// How many readers follow them.
    pub(super) followers: usize,
    /// How many read them from their start.
    pub(super) catch_up: usize,
}

impl Sample {
    /// So many of the streams that their readers are about a whole number: as many as the others have.
    pub(super) fn of(workload: &Workload) -> Self {
        let of_stream = workload.readers as f64 / workload.streams as f64;
        let rate = workload.writes_per_second.iter().copied().fold(1.0, f64::max);
        let fit = (MOST_READERS / of_stream.max(1.0)).min(MOST_WRITES / rate) as u64;
        // Where hardly one stream in many has a reader, so many are looked at that one does.
        let least = if of_stream > 0.0 { (1.0 / of_stream).ceil() as u64 } else { 1 };
        let most = workload.streams.min(MOST_STREAMS.min(fit).max(least)).max(1);
        let error = |streams: u64| {
            let readers = of_stream * streams as f64;
            (readers - readers.round()).abs() / readers.max(f64::MIN_POSITIVE)
        };
        let streams = (1..=most).rev().min_by(|one, other| error(*one).total_cmp(&error(*other))).unwrap_or(1);
        let readers = (of_stream * streams as f64).round() as u64;
        let catch_up = (readers * workload.catch_up_permille + 500) / 1_000;
        Self { streams, followers: (readers - catch_up) as usize, catch_up: catch_up as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_streams_with_their_readers_stand_for_all() {
        for (readers, streams, catch_up_permille, expected) in [
            (10_000, 1, 0, (1, 10_000, 0)),
            (10_000, 1_000, 0, (20, 200, 0)),
            (10_000, 1_000, 100, (20, 180, 20)),
            (1_000_000, 1_000, 0, (10, 10_000, 0)),
            (0, 5, 0, (5, 0, 0)),
            (50, 50, 0, (20, 20, 0)),
            // Three readers of two streams each: of an even number of them.
            (150, 100, 0, (20, 30, 0)),
            // One stream in a hundred has a reader.
            (10, 1_000, 0, (100, 1, 0)),
        ] {
            let sample = Sample::of(&Workload { readers, streams, catch_up_permille, ..Workload::default() });
            assert_eq!((sample.streams, sample.followers, sample.catch_up), expected, "{readers} of {streams}");
        }
        // Those with many messages are fewer.
        for (rate, expected) in [(100.0, (20, 200)), (500.0, (4, 40)), (2_000.0, (1, 10))] {
            let workload = Workload { streams: 1_000, writes_per_second: [rate; 24], ..Workload::default() };
            let sample = Sample::of(&workload);
            assert_eq!((sample.streams, sample.followers), expected, "{rate}");
        }
    }
}
