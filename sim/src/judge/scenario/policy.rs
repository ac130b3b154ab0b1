//! Which cache policies keep what a service promises.

use tailrace_core::protocol::CachePolicy;

/// The names of the policies under which everything must hold. Core has others as well: what those break stands in the
/// register of known bugs.
const CORRECT: [&str; 10] = [
    "immutable-and-long-poll",
    "immutable",
    "nothing",
    "silence",
    "zone",
    "workers-cache",
    "gateway",
    "collapsed-events",
    "long-lived",
    "zone-silence",
];

/// The policies under which everything must hold, the default first.
pub fn correct() -> Vec<CachePolicy> {
    CORRECT.iter().filter_map(|name| CachePolicy::named(name)).collect()
}

/// The one of them that does least for readers: seeds draw it twice as often as the others.
const OFTEN: &str = "nothing";

/// The policies that seeds draw from, one of them twice.
pub(super) fn drawn() -> Vec<CachePolicy> {
    correct().into_iter().chain(CachePolicy::named(OFTEN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_correct_policy_is_one_of_core_and_the_first_is_the_default() {
        let correct = correct();
        assert_eq!(correct.len(), CORRECT.len());
        assert_eq!(correct.first(), Some(&CachePolicy::default()));
    }
}
