//! Many seeds: each on a thread of its own, a few at a time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tailrace_core::runtime::{Mark, marks as core_marks};

use crate::judge::checker::{self, Invariant, Violation, reached};
use crate::judge::crowds;
use crate::judge::history::History;
use crate::judge::known_bug::KnownBug;
use crate::judge::scenario::{Scenario, play};
use crate::judge::tenancy::Tenancy;
use crate::kernel::marks::Marks;
use crate::world::marks as world_marks;

/// What a run can reach: of the platform, of core, and of what clients see.
pub fn all_marks() -> impl Iterator<Item = Mark> {
    [world_marks::ALL, core_marks::ALL, reached::ALL].into_iter().flatten().copied()
}

/// Seeds from which a run that misses a required mark is a failure.
pub const BIG_RUN_SEEDS: u64 = 300;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What does not hold; a panic counts as an answer that was not given.
    pub violations: Vec<Violation>,
    /// What was reached, by the host, core and the history.
    pub marks: Marks,
    /// The trace's hash.
    pub hash: u64,
    /// The trace, if it was asked for.
    pub trace: String,
    /// What its clients saw.
    pub history: History,
    /// How long it took, in virtual ms.
    pub virtual_ms: u64,
}

impl Verdict {
    /// Whether this invariant is violated.
    pub fn violates(&self, invariant: Invariant) -> bool {
        self.violations.iter().any(|violation| violation.invariant == invariant)
    }
}

/// Plays a scenario on a thread of its own, and its crowd on the same, and judges both.
pub fn judge(scenario: &Scenario, bug: Option<KnownBug>, keep_trace: bool) -> Verdict {
    let scenario = &bug.map_or_else(|| scenario.clone(), |bug| bug.applied_to(scenario));
    let play_both = || (play(scenario, bug, keep_trace), crowds::check(scenario, bug));
    let played = thread::scope(|scope| scope.spawn(play_both).join());
    match played {
        Ok((played, of_crowd)) => {
            let mut marks = played.marks;
            let (mut violations, reached) = checker::check(&played.history);
            violations.extend(of_crowd);
            reached.into_iter().for_each(|mark| marks.hit(mark.name));
            Verdict {
                violations,
                marks,
                hash: played.hash,
                trace: played.trace,
                history: played.history,
                virtual_ms: played.virtual_ms,
            }
        }
        Err(panic) => Verdict {
            violations: vec![Violation {
                invariant: Invariant::Answers,
                stream: "?".to_owned(),
                ops: Vec::new(),
                message: format!("panic: {}", panic_text(panic.as_ref())),
            }],
            marks: Marks::default(),
            hash: 0,
            trace: String::new(),
            history: History::default(),
            virtual_ms: 0,
        },
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "without a message",
    }
}

/// Seeds to run.
#[derive(Clone, Copy, Debug)]
pub struct Swarm {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// A known bug that is on.
    pub bug: Option<KnownBug>,
    /// Whether to stop at the first seed that fails.
    pub stops: bool,
}

/// What came of a swarm.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many seeds ran.
    pub seeds: u64,
    /// Each seed that failed, with what it violates.
    pub failures: BTreeMap<u64, Vec<Violation>>,
    /// What was reached, summed up.
    pub marks: Marks,
    /// How many seeds have reached each mark, by its name.
    pub seeds_of_marks: BTreeMap<&'static str, u64>,
    /// How many seeds had each cache policy, by its name.
    pub policies: BTreeMap<&'static str, u64>,
    /// How many seeds had clients that need tokens.
    pub keyed: u64,
    /// How many of these had two projects.
    pub of_two_projects: u64,
    /// Virtual time, summed up, in ms.
    pub virtual_ms: u64,
    /// Requests, summed up.
    pub requests: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
}

impl Tally {
    /// The required marks that a big run has not reached; none for a small one.
    pub fn missing_marks(&self) -> Vec<&'static str> {
        let judged = self.seeds >= BIG_RUN_SEEDS;
        let missing = all_marks().filter(|mark| judged && mark.is_required && self.marks.count(mark) == 0);
        missing.map(|mark| mark.name).collect()
    }

    /// How many seeds have reached a mark.
    pub fn seeds_with(&self, mark: Mark) -> u64 {
        self.seeds_of_marks.get(mark.name).copied().unwrap_or_default()
    }

    fn add(&mut self, seed: u64, verdict: &Verdict) {
        self.seeds += 1;
        for (mark, _) in verdict.marks.iter() {
            *self.seeds_of_marks.entry(mark).or_default() += 1;
        }
        *self.policies.entry(verdict.history.conditions.policy.name).or_default() += 1;
        self.keyed += u64::from(verdict.history.conditions.is_keyed);
        self.of_two_projects += u64::from(verdict.history.conditions.tenancy == Tenancy::Two);
        self.marks.merge(&verdict.marks);
        self.virtual_ms += verdict.virtual_ms;
        self.requests += verdict.history.ops.len() as u64;
        if !verdict.violations.is_empty() {
            self.failures.insert(seed, verdict.violations.clone());
        }
    }
}

impl Swarm {
    /// Runs the seeds on as many threads as there are processors. The seeds that ran are the first ones, without a
    /// gap, also if the run stops early.
    pub fn run(&self) -> Tally {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        // The first seed that failed: none after it is begun.
        let first_failure = AtomicU64::new(u64::MAX);
        let tally = Mutex::new(Tally::default());
        let workers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= self.seeds || (self.stops && index > first_failure.load(Ordering::Relaxed)) {
                            return;
                        }
                        let seed = self.from.wrapping_add(index);
                        let verdict = judge(&Scenario::draw(seed), self.bug, false);
                        if !verdict.violations.is_empty() {
                            first_failure.fetch_min(index, Ordering::Relaxed);
                        }
                        if let Ok(mut tally) = tally.lock() {
                            tally.add(seed, &verdict);
                        }
                    }
                });
            }
        });
        let mut tally = tally.into_inner().unwrap_or_default();
        tally.elapsed = began.elapsed();
        tally
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_marks_share_a_name() {
        let names: BTreeSet<&str> = all_marks().map(|mark| mark.name).collect();
        assert_eq!(names.len(), all_marks().count());
    }
}
