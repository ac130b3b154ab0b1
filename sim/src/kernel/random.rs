//! Seeded randomness, one stream for each purpose: draws from one stream change nothing in the others.

use std::cell::RefCell;
use std::rc::Rc;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A range of delays, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// At least this many ms.
    pub min_ms: u64,
    /// At most this many ms.
    pub max_ms: u64,
}

impl Delay {
    /// No delay.
    pub const NONE: Self = Self { min_ms: 0, max_ms: 0 };

    /// From `min_ms` to `max_ms`.
    pub const fn new(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms }
    }
}

/// The seeds of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// Decides which ready task runs next: the seed of [`crate::kernel::rt::block_on`].
    pub schedule: u64,
    /// Seeds the randomness that core is given.
    pub core: u64,
    /// Decides which faults happen, and when.
    pub faults: u64,
}

impl Seeds {
    /// Three independent seeds, from one.
    pub fn of(seed: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        Self { schedule: source.next_u64(), core: source.next_u64(), faults: source.next_u64() }
    }
}

/// A stream of randomness; clones share it.
#[derive(Clone)]
pub struct Random(Rc<RefCell<ChaCha8Rng>>);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    /// 64 random bits.
    pub fn next_u64(&self) -> u64 {
        self.0.borrow_mut().next_u64()
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(bytes);
    }

    /// A number from `min` to `max`, both included; draws nothing if there is no choice.
    pub fn between(&self, min: u64, max: u64) -> u64 {
        if max <= min { min } else { self.0.borrow_mut().random_range(min..=max) }
    }

    /// Draws true in `permille` of 1,000 cases; draws nothing for 0 and 1,000.
    pub fn chance(&self, permille: u32) -> bool {
        match permille {
            0 => false,
            1000.. => true,
            _ => self.below(1_000) < permille,
        }
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&self, limit: u32) -> u32 {
        self.0.borrow_mut().random_range(0..limit)
    }

    /// One of the choices, of which there is at least one.
    pub fn among<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.0.borrow_mut().random_range(0..choices.len())]
    }

    /// A number from `min` (at least 1) to `max` whose logarithm is drawn evenly.
    pub fn scale(&self, min: u64, max: u64) -> u64 {
        let exponent = self.0.borrow_mut().random_range((min as f64).ln()..=(max as f64).ln());
        (exponent.exp() as u64).clamp(min, max)
    }

    /// A delay within its bounds, in ms.
    pub fn delay_ms(&self, delay: Delay) -> u64 {
        self.between(delay.min_ms, delay.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let draw = |seed| {
            let random = Random::new(seed);
            (0..8).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let seeds = Seeds::of(7);
        assert_eq!(seeds, Seeds::of(7));
        assert_ne!(seeds.core, seeds.faults);
    }

    #[test]
    fn chances_are_never_always_and_in_between() {
        let random = Random::new(1);
        let count = |permille| (0..2000).filter(|_| random.chance(permille)).count();
        assert_eq!(count(0), 0);
        assert_eq!(count(1000), 2000);
        let third = count(333);
        assert!((560..770).contains(&third), "{third} of 2000 at 333 permille");
    }

    #[test]
    fn a_delay_reaches_both_its_bounds_and_nothing_beyond() {
        let random = Random::new(1);
        let drawn: std::collections::BTreeSet<u64> =
            (0..200).map(|_| random.delay_ms(Delay { min_ms: 3, max_ms: 6 })).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(random.delay_ms(Delay { min_ms: 9, max_ms: 2 }), 9);
    }
}
