//! The checkers catch every known bug, from each starting point of the seeds.

use tailrace_sim::judge::mutants::{REGISTER, STARTS, WITHIN_SEEDS};

#[test]
fn every_known_bug_is_caught_within_200_seeds_of_every_start() {
    for entry in REGISTER {
        for start in STARTS {
            let caught = entry.hunt(start);
            assert!(
                caught.is_some(),
                "{} is not caught within {WITHIN_SEEDS} seeds from {start}: \
                 cargo sim run --mutant {} --from {start} --seeds {WITHIN_SEEDS}",
                entry.name(),
                entry.name()
            );
        }
    }
}
