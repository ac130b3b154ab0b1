//! Many seeds, each on a thread of its own, and known bugs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tailrace_core::mutant::Mutant;

use super::checker::check;
use super::history::RegistryHistory;
use super::plan::Plan;
use super::run::run;

/// The known bugs that are caught here.
pub const BUGS: &[Mutant] = &[
    Mutant::RecordPublishedOutOfOrder,
    Mutant::LatePutNotFollowed,
    Mutant::LastKeyRemovedByTwo,
    Mutant::ImportSkipped,
];

/// Seeds within which each of them is found, wherever one starts.
pub const WITHIN_SEEDS: u64 = 200;

/// How many seeds it took until a bug was found, and what was violated.
#[derive(Clone, Debug)]
pub struct Hunted {
    /// How many.
    pub seeds: u64,
    /// The first violation.
    pub violation: String,
}

/// What a seed violates, and its history.
pub fn judge(seed: u64, bug: Option<Mutant>, keep_trace: bool) -> (Vec<String>, RegistryHistory) {
    let played = thread::scope(|scope| scope.spawn(|| run(&Plan::draw(seed), bug, keep_trace)).join());
    match played {
        Ok(history) => (check(&history), history),
        Err(_) => (vec!["panic".to_owned()], RegistryHistory::default()),
    }
}

/// The seeds that violate something, with what.
pub fn sweep(from: u64, seeds: u64, bug: Option<Mutant>) -> BTreeMap<u64, Vec<String>> {
    let (next, failures) = (AtomicU64::new(from), Mutex::new(BTreeMap::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let (violations, _) = judge(seed, bug, false);
                    if !violations.is_empty() {
                        failures.lock().expect("no panic").insert(seed, violations);
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no panic")
}

/// Looks for a bug from a seed on; `None` if it is not found in time.
pub fn hunt(bug: Mutant, from: u64) -> Option<Hunted> {
    (from..from + WITHIN_SEEDS).find_map(|seed| {
        let violation = judge(seed, Some(bug), false).0.into_iter().next()?;
        Some(Hunted { seeds: seed - from + 1, violation })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_keep_what_the_registry_promises() {
        let failures = sweep(0, 150, None);
        assert!(failures.is_empty(), "{:?}", failures.into_iter().next());
    }

    #[test]
    fn every_known_bug_of_the_registry_is_caught_from_wherever_one_starts() {
        let starts = [0, 10_000, 200_000, 3_000_000, 40_000_000];
        for bug in BUGS {
            for start in starts {
                assert!(hunt(*bug, start).is_some(), "{} from {start}", bug.name());
            }
        }
    }
}
