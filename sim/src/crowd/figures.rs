//! What came of a crowd, in numbers.

use super::setting::Class;
use crate::bill::Usage;

/// Delays are counted by ms up to this one.
const MOST_MS: usize = 120_000;

/// What a tier was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierFigures {
    /// Requests that it has answered, or has passed an answer on for.
    pub requests: u64,
    /// Those that it answered by itself from what it had.
    pub hits: u64,
    /// Those that it passed on without having looked.
    pub bypassed: u64,
    /// Requests of its own, or passed on, to the next tier, by the URL's number.
    pub onward: Vec<u32>,
}

/// What readers of a class saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassFigures {
    /// Requests that were sent.
    pub requests: u64,
    /// Answers that were neither data nor silence.
    pub refused: u64,
    /// Requests for whose answer a reader had no patience left.
    pub given_up: u64,
    /// Requests without an answer that had to do with a fetch for which the origin's name did not resolve: their own, or
    /// one that was under way for the same URL.
    pub unreached: u64,
    /// Of all these, those that were asked for when nothing had gone wrong for long.
    pub late: u64,
    /// Messages that reached their readers.
    pub deliveries: u64,
    /// How often a reader got other messages than the next ones, each once and in order.
    pub gaps: u64,
    /// How often a reader got messages that nobody has written to its stream.
    pub foreign: u64,
    /// How often a browser handed out a copy that was too old.
    pub outdated: u64,
    /// Readers that had not got the last message in the end, or had stopped to read.
    pub behind: u64,
    /// How many deliveries took so many ms.
    delays: Vec<u32>,
}

/// What came of a crowd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// By class.
    pub classes: [ClassFigures; 4],
    /// The browsers of those who have one.
    pub browser: TierFigures,
    /// Requests of browsers' own, by which they freshen what they hand out stale.
    pub refreshes: u64,
    /// The gateway, where there is one.
    pub gateway: TierFigures,
    /// What stands in front, or between the gateway and the inner entrypoint.
    pub front: TierFigures,
    /// The Worker, with the caches of datacenters; the inner entrypoint, where there is a gateway.
    pub edge: TierFigures,
    /// Calls of objects.
    pub object_calls: u64,
    /// Messages that were written.
    pub writes: u64,
    /// What is billed of all that.
    pub usage: Usage,
    /// For how long that was counted, in us: while messages were written.
    pub metered_us: u64,
}

impl TierFigures {
    /// A request for the URL of that number goes on to the next tier.
    pub(super) fn pass_on(&mut self, url: u32) {
        let place = url as usize;
        if self.onward.len() <= place {
            self.onward.resize(place + 1, 0);
        }
        self.onward[place] += 1;
    }

    /// The share of requests that it answered by itself, in percent.
    pub fn hit_percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.requests.max(1) as f64
    }

    /// Requests that went on to the next tier.
    pub fn passed_on(&self) -> u64 {
        self.onward.iter().map(|count| u64::from(*count)).sum()
    }

    /// How many URLs went on, how often each did on average, and at most.
    pub fn by_key(&self) -> (u64, f64, u32) {
        let keys = self.onward.iter().filter(|count| **count > 0).count() as u64;
        (keys, self.passed_on() as f64 / keys.max(1) as f64, self.onward.iter().copied().max().unwrap_or(0))
    }
}

impl ClassFigures {
    /// Begins to count anew what is told by numbers alone; whatever should never happen is counted from the start.
    pub(super) fn count_anew(&mut self) {
        (self.requests, self.deliveries) = (0, 0);
        self.delays.clear();
    }

    pub(super) fn deliver(&mut self, delay_us: u64) {
        let place = (delay_us as usize / 1_000).min(MOST_MS);
        if self.delays.len() <= place {
            self.delays.resize(place + 1, 0);
        }
        self.delays[place] += 1;
        self.deliveries += 1;
    }

    /// The delay that so many of 1,000 deliveries do not exceed, in ms; 0 if nothing was delivered.
    pub fn delay_ms(&self, permille: u64) -> usize {
        let wanted = (self.deliveries * permille).div_ceil(1_000);
        let mut seen = 0;
        let reached = self.delays.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted && seen > 0
        });
        reached.unwrap_or(0)
    }
}

impl Figures {
    /// As a table, the same for the same numbers.
    pub fn table(&self, readers: &[usize; 4]) -> String {
        let mut text = format!(
            "{:<10} {:>10} {:>10} {:>7} {:>10} {:>8} {:>8} {:>6}\n",
            "tier", "requests", "HIT", "HIT %", "onward", "keys", "a key", "most"
        );
        let has_gateway = self.gateway.requests > 0;
        let (front, edge) = if has_gateway { ("between", "inner") } else { ("front", "edge") };
        let tiers = [("browser", &self.browser), ("gateway", &self.gateway), (front, &self.front), (edge, &self.edge)];
        for (name, tier) in tiers {
            if tier.requests == 0 {
                continue;
            }
            let (keys, average, most) = tier.by_key();
            text.push_str(&format!(
                "{name:<10} {:>10} {:>10} {:>7.1} {:>10} {keys:>8} {average:>8.2} {most:>6}\n",
                tier.requests,
                tier.hits,
                tier.hit_percent(),
                tier.passed_on(),
            ));
        }
        text.push_str(&format!("{:<10} {:>10}   ({} messages written)\n", "object", self.object_calls, self.writes));
        text.push('\n');
        text.push_str(&format!(
            "{:<10} {:>8} {:>10} {:>11} {:>8} {:>8} {:>6} {:>9}\n",
            "class", "readers", "requests", "deliveries", "p50 ms", "p99 ms", "gaps", "failures"
        ));
        for ((class, figures), readers) in Class::ALL.iter().zip(&self.classes).zip(readers) {
            if *readers == 0 {
                continue;
            }
            text.push_str(&format!(
                "{:<10} {readers:>8} {:>10} {:>11} {:>8} {:>8} {:>6} {:>9}\n",
                class.name(),
                figures.requests,
                figures.deliveries,
                figures.delay_ms(500),
                figures.delay_ms(990),
                figures.gaps + figures.foreign,
                figures.refused + figures.given_up + figures.unreached,
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_by_their_place_and_of_nothing_too() {
        let mut figures = ClassFigures::default();
        assert_eq!(figures.delay_ms(990), 0);
        (0..100).for_each(|ms| figures.deliver(ms * 1_000 + 999));
        figures.deliver(1_000_000_000);
        assert_eq!([0, 500, 990, 1_000].map(|permille| figures.delay_ms(permille)), [0, 50, 99, MOST_MS]);
    }

    #[test]
    fn what_goes_on_is_told_by_key() {
        let mut tier = TierFigures { requests: 10, hits: 6, ..TierFigures::default() };
        assert_eq!(tier.by_key(), (0, 0.0, 0));
        [0, 3, 3, 3].iter().for_each(|url| tier.pass_on(*url));
        assert_eq!((tier.hit_percent(), tier.passed_on(), tier.by_key()), (60.0, 4, (2, 2.0, 3)));
    }
}
