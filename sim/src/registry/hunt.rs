//! Many seeds, each on a thread of its own, and known bugs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tailrace_core::mutant::Mutant;
use tailrace_core::runtime::{Mark, marks as core_marks};

use super::checker::check;
use super::history::RegistryHistory;
use super::plan::Plan;
use super::run::run;
use crate::kernel::marks::Marks;
use crate::world::marks as world_marks;

/// The known bugs that are caught here.
pub const BUGS: &[Mutant] = &[
    Mutant::RecordPublishedOutOfOrder,
    Mutant::LatePutNotFollowed,
    Mutant::LastKeyRemovedByTwo,
    Mutant::ImportSkipped,
];

/// What no other seeds reach, and enough of these do.
const MARKS: &[Mark] = &[
    core_marks::RECORD_NOT_PUBLISHED,
    core_marks::RECORD_TO_BE_PUBLISHED_AGAIN,
    core_marks::RECORD_IMPORTED,
    core_marks::PROJECT_READ_IN_VAIN,
    world_marks::KV_GAVE_STALE,
    world_marks::KV_ABSENCE_KEPT,
    world_marks::KV_PUT_REFUSED,
    world_marks::KV_PUT_FAILED_THOUGH_STORED,
    world_marks::KV_PUT_LANDED_LATE,
    world_marks::KV_PUT_OVERTAKEN,
    world_marks::KV_WAS_DOWN,
    world_marks::KV_CALL_GIVEN_UP,
];

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Swept {
    /// The seeds that violate something, with what.
    pub failures: BTreeMap<u64, Vec<String>>,
    /// What was reached.
    pub marks: Marks,
}

impl Swept {
    /// What none of the seeds has reached, of what enough of them do.
    pub fn missing_marks(&self) -> Vec<&'static str> {
        MARKS.iter().filter(|mark| self.marks.count(mark) == 0).map(|mark| mark.name).collect()
    }
}

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

/// Plays so many seeds.
pub fn sweep(from: u64, seeds: u64, bug: Option<Mutant>) -> Swept {
    let (next, swept) = (AtomicU64::new(from), Mutex::new(Swept::default()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let (violations, history) = judge(seed, bug, false);
                    let mut swept = swept.lock().expect("no panic");
                    swept.marks.merge(&history.marks);
                    if !violations.is_empty() {
                        swept.failures.insert(seed, violations);
                    }
                }
            });
        }
    });
    swept.into_inner().expect("no panic")
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
        let swept = sweep(0, 150, None);
        assert!(swept.failures.is_empty(), "{:?}", swept.failures.into_iter().next());
        assert_eq!(swept.missing_marks(), [""; 0], "{:?}", swept.marks);
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
