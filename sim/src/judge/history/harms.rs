//! What faults have done to the requests and to the streams of a run: the only excuses there are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::world::{Harm, Harms as HarmsDone};

/// What faults have done in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harms {
    of_requests: BTreeMap<u64, Vec<Harm>>,
    /// Of each stream, in the order of time, each with its virtual ms.
    of_streams: BTreeMap<usize, Vec<(u64, Harm)>>,
}

impl Harms {
    /// Those that the world has written down; `stream` finds the stream of an object by its name.
    pub fn of(done: HarmsDone, stream: impl Fn(&str) -> Option<usize>) -> Self {
        let mut harms = Self { of_requests: done.to_requests, ..Self::default() };
        for (at_ms, object, harm) in done.to_objects {
            if let Some(stream) = stream(&object) {
                harms.harm_stream(stream, at_ms, harm);
            }
        }
        harms
    }

    /// A harm was done to the request of that number.
    pub fn harm_request(&mut self, number: u64, harm: Harm) {
        self.of_requests.entry(number).or_default().push(harm);
    }

    /// A harm was done to a stream's object at that virtual ms, which is not before those of the earlier ones.
    pub fn harm_stream(&mut self, stream: usize, at_ms: u64, harm: Harm) {
        self.of_streams.entry(stream).or_default().push((at_ms, harm));
    }

    /// How many harms of these kinds were done to the request of that number.
    pub fn count(&self, number: u64, kinds: &[Harm]) -> usize {
        self.of_requests.get(&number).map_or(0, |harms| harms.iter().filter(|harm| kinds.contains(harm)).count())
    }

    /// Whether a harm of these kinds was done to the request of that number.
    pub fn has(&self, number: u64, kinds: &[Harm]) -> bool {
        !self.of_requests.is_empty() && self.count(number, kinds) > 0
    }

    /// Whether any harm was done to the request of that number.
    pub fn has_any(&self, number: u64) -> bool {
        self.of_requests.get(&number).is_some_and(|harms| !harms.is_empty())
    }

    /// Whether any harm was done to a stream within these virtual ms that its clients may feel.
    pub fn has_any_of_stream(&self, stream: usize, within_ms: RangeInclusive<u64>) -> bool {
        let is_felt = |(at_ms, harm): &(u64, Harm)| within_ms.contains(at_ms) && !harm.is_of_upkeep();
        self.of_streams.get(&stream).is_some_and(|harms| harms.iter().any(is_felt))
    }

    /// How large the database of a stream's object was at most when it asked within these virtual ms, in pages. It is
    /// told only where databases have a limit.
    pub fn most_pages(&self, stream: usize, within_ms: RangeInclusive<u64>) -> Option<u64> {
        let of_stream = self.of_streams.get(&stream)?;
        let first = of_stream.partition_point(|(at_ms, _)| at_ms < within_ms.start());
        let within = of_stream[first..].iter().take_while(|(at_ms, _)| at_ms <= within_ms.end());
        let pages = within.filter_map(|(_, harm)| match harm {
            Harm::DatabaseHas { pages } => Some(*pages),
            _ => None,
        });
        pages.max()
    }

    /// When each harm was done to a stream, in virtual ms, in the order of time.
    pub fn times_of_stream(&self, stream: usize) -> impl Iterator<Item = u64> {
        let harms = self.of_streams.get(&stream).into_iter().flatten();
        harms.filter(|(_, harm)| !matches!(harm, Harm::DatabaseHas { .. })).map(|(at_ms, _)| *at_ms)
    }

    /// Whether a harm of these kinds was done to a stream within these virtual ms.
    pub fn has_stream(&self, stream: usize, kinds: &[Harm], within_ms: RangeInclusive<u64>) -> bool {
        let Some(harms) = self.of_streams.get(&stream) else { return false };
        let first = harms.partition_point(|(at_ms, _)| at_ms < within_ms.start());
        harms[first..].iter().take_while(|(at_ms, _)| at_ms <= within_ms.end()).any(|(_, harm)| kinds.contains(harm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harm_excuses_the_request_that_it_was_done_to_and_a_stream_within_its_time() {
        let object = |at_ms, name: &str| (at_ms, name.into(), Harm::GetFailed);
        let done = HarmsDone {
            to_requests: BTreeMap::from([(7, vec![Harm::Stale, Harm::Stale]), (8, vec![Harm::CallLost])]),
            to_objects: vec![
                object(10, "a"),
                object(15, "elsewhere"),
                (16, "a".into(), Harm::DatabaseHas { pages: 7 }),
                object(20, "a"),
                (25, "a".into(), Harm::ListingFailed),
            ],
        };
        let harms = Harms::of(done, |name| (name == "a").then_some(0));
        assert_eq!(harms.count(7, &[Harm::Stale, Harm::CallLost]), 2);
        assert!(harms.has(8, &[Harm::CallLost]) && !harms.has(8, &[Harm::Stale]) && !harms.has(9, &[Harm::Stale]));
        for (stream, kind, within_ms, expected) in [
            (0, Harm::GetFailed, 10..=10, true),
            (0, Harm::GetFailed, 11..=19, false),
            (0, Harm::GetFailed, 0..=30, true),
            (0, Harm::PutFailed, 0..=30, false),
            (1, Harm::GetFailed, 0..=30, false),
        ] {
            assert_eq!(harms.has_stream(stream, &[kind], within_ms), expected);
        }
        assert!(harms.has_any(7) && !harms.has_any(9));
        for (stream, within_ms, expected) in
            [(0, 10..=10, true), (0, 11..=19, false), (0, 21..=30, false), (1, 0..=30, false)]
        {
            assert_eq!(harms.has_any_of_stream(stream, within_ms), expected);
        }
        assert_eq!(harms.times_of_stream(0).collect::<Vec<_>>(), [10, 20, 25]);
    }
}
