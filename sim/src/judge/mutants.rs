//! The register of known bugs: each has a name, and checkers that must catch it within a stated number of seeds from
//! wherever one starts.

use tailrace_core::mutant::Mutant;

use crate::judge::checker::Invariant;
use crate::judge::scenario::{Known, Scenario};
use crate::judge::swarm::{Swarm, judge};
use crate::world::HostMutant;

/// Seeds within which every known bug is found, from each of [`STARTS`].
pub const WITHIN_SEEDS: u64 = 200;

/// Seeds at which the hunts start.
pub const STARTS: [u64; 5] = [0, 10_000, 200_000, 3_000_000, 40_000_000];

/// A known bug and who catches it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The bug.
    pub bug: Known,
    /// The invariants of which a failing seed violates at least one.
    pub caught_by: &'static [Invariant],
}

/// All known bugs.
pub const REGISTER: &[Entry] = &[
    Entry { bug: Known::Core(Mutant::DedupeOff), caught_by: &[Invariant::Once] },
    Entry { bug: Known::Core(Mutant::DedupeWithoutEpoch), caught_by: &[Invariant::Once, Invariant::Durable] },
    Entry { bug: Known::Core(Mutant::TailNotMoved), caught_by: &[Invariant::Stable, Invariant::Exact] },
    Entry { bug: Known::Core(Mutant::OffsetReusedAfterCrash), caught_by: &[Invariant::Stable, Invariant::Durable] },
    Entry { bug: Known::Core(Mutant::ExpiryBeforeLastTouch), caught_by: &[Invariant::Expiry] },
    Entry { bug: Known::Core(Mutant::LostWakeUp), caught_by: &[Invariant::Live, Invariant::Exact] },
    Entry { bug: Known::Core(Mutant::CatchUpNotJoined), caught_by: &[Invariant::Exact, Invariant::Live] },
    Entry { bug: Known::Core(Mutant::ModeInMemory), caught_by: &[Invariant::Live] },
    Entry { bug: Known::Core(Mutant::CloseNotPushed), caught_by: &[Invariant::Live] },
    Entry { bug: Known::Core(Mutant::CursorRepeats), caught_by: &[Invariant::Cursors] },
    Entry { bug: Known::Core(Mutant::CursorNeverConverges), caught_by: &[Invariant::Cursors] },
    Entry { bug: Known::Core(Mutant::KeyWithoutAttempt), caught_by: &[Invariant::Cold] },
    Entry {
        bug: Known::Core(Mutant::RowsDroppedBeforeRecord),
        caught_by: &[Invariant::Exact, Invariant::Stable, Invariant::Cold],
    },
    Entry {
        bug: Known::Core(Mutant::BoundaryAtEndOfPut),
        caught_by: &[Invariant::Durable, Invariant::Exact, Invariant::Stable, Invariant::Cold],
    },
    Entry { bug: Known::Core(Mutant::RecreatedStreamReusesObjects), caught_by: &[Invariant::Exact, Invariant::Cold] },
    Entry { bug: Known::Core(Mutant::OffsetReencodedAtRotation), caught_by: &[Invariant::Stable] },
    Entry { bug: Known::Core(Mutant::SweepRemovesLiveObject), caught_by: &[Invariant::Cold] },
    Entry { bug: Known::Core(Mutant::DeletionForgottenAtCrash), caught_by: &[Invariant::Cold] },
    Entry { bug: Known::Host(HostMutant::AnswerBeforeGate), caught_by: &[Invariant::Durable, Invariant::Stable] },
    Entry { bug: Known::Host(HostMutant::AlarmLostAtEviction), caught_by: &[Invariant::Expiry] },
    Entry { bug: Known::Host(HostMutant::WaiterKeepsAwake), caught_by: &[Invariant::Awake] },
    Entry { bug: Known::Host(HostMutant::SocketsForgottenAtHibernation), caught_by: &[Invariant::Live] },
    Entry {
        bug: Known::Host(HostMutant::MessageBeforeGate),
        caught_by: &[Invariant::Stable, Invariant::Linear, Invariant::Exact],
    },
];

/// A hunt's catch.
#[derive(Clone, Debug)]
pub struct Catch {
    /// The seed.
    pub seed: u64,
    /// The seeds it took, this one included.
    pub seeds: u64,
    /// Which of the expected invariants it violates.
    pub invariants: Vec<Invariant>,
}

impl Entry {
    /// The name on command lines.
    pub fn name(&self) -> &'static str {
        match self.bug {
            Known::Core(mutant) => mutant.name(),
            Known::Host(mutant) => mutant.name(),
        }
    }

    /// The bug of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        REGISTER.iter().find(|entry| entry.name() == name)
    }

    /// Runs seeds until the bug is caught by one of its checkers, [`WITHIN_SEEDS`] at most.
    pub fn hunt(&self, from: u64) -> Option<Catch> {
        let mut done = 0;
        while done < WITHIN_SEEDS {
            let swarm = Swarm { from: from + done, seeds: WITHIN_SEEDS - done, bug: Some(self.bug), stops: true };
            let tally = swarm.run();
            let (seed, _) = tally.failures.first_key_value()?;
            done = seed - from + 1;
            let verdict = judge(&Scenario::draw(*seed), Some(self.bug), false);
            let caught = self.caught_by.iter().copied().filter(|invariant| verdict.violates(*invariant));
            let invariants: Vec<Invariant> = caught.collect();
            if !invariants.is_empty() {
                return Some(Catch { seed: *seed, seeds: done, invariants });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_bug_is_registered_once_under_its_name() {
        for mutant in Mutant::ALL {
            let entry = Entry::named(mutant.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(Known::Core(*mutant)));
        }
        for mutant in HostMutant::ALL {
            let entry = Entry::named(mutant.name());
            assert_eq!(entry.map(|entry| entry.bug), Some(Known::Host(mutant)));
        }
        assert_eq!(REGISTER.len(), Mutant::ALL.len() + HostMutant::ALL.len());
    }
}
