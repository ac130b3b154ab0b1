//! What came of a workload.

/// What came of a workload under one policy. The first messages are not counted: followers come one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Answers to followers while messages were written.
    pub answers: u64,
    /// Those of them that the cache of the datacenter had.
    pub hits: u64,
    /// Messages that were written meanwhile.
    pub writes: u64,
    /// Calls of the object for followers meanwhile.
    pub object_calls: u64,
    /// How long each message took to each follower, in ms, in order.
    pub delays_ms: Vec<u64>,
    /// The most requests that one follower has sent within a second, silence included.
    pub most_requests: u64,
}

impl Figures {
    /// The share of answers that the cache of the datacenter had, in percent.
    pub fn hit_percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.answers.max(1) as f64
    }

    /// Calls of the object for each message.
    pub fn calls_a_write(&self) -> f64 {
        self.object_calls as f64 / self.writes.max(1) as f64
    }

    /// The delay that so many of 100 deliveries do not exceed, in ms; 0 if nothing was delivered.
    pub fn delay_ms(&self, percent: usize) -> u64 {
        let last = self.delays_ms.len().saturating_sub(1);
        self.delays_ms.get(last * percent / 100).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_delays_are_told_of_nothing_too() {
        let none = Figures::default();
        assert_eq!((none.hit_percent(), none.calls_a_write(), none.delay_ms(99)), (0.0, 0.0, 0));
        let some = Figures {
            answers: 8,
            hits: 6,
            writes: 2,
            object_calls: 3,
            delays_ms: (1..=101).collect(),
            most_requests: 1,
        };
        assert_eq!((some.hit_percent(), some.calls_a_write()), (75.0, 1.5));
        assert_eq!([0, 50, 99, 100].map(|percent| some.delay_ms(percent)), [1, 51, 100, 101]);
    }
}
