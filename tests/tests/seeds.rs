//! Core as it is, under many seeds: every invariant holds, and what the suite claims to reach is reached.

use tailrace_sim::judge::report;
use tailrace_sim::judge::swarm::Swarm;

/// Seeds of the suite: enough that every required mark is reached, few enough for every run of the tests.
const SEEDS: u64 = 1_200;

#[test]
fn every_invariant_holds_in_every_seed_and_every_mark_is_reached() {
    let swarm = Swarm { from: 0, seeds: SEEDS, bug: None, stops: false };
    let tally = swarm.run();
    if let Some(seed) = tally.failures.keys().next() {
        panic!("{}", report::failure(*seed, None));
    }
    assert_eq!(tally.seeds, SEEDS);
    assert_eq!(tally.missing_marks(), [""; 0], "{}", report::summary(&swarm, &tally));
}
