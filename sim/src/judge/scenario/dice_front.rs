//! What stands in front of a seed's world. It is drawn from randomness of its own, so that all else is what it would be
//! without it.

use tailrace_core::protocol::CachePolicy;

use super::Scenario;
use super::dice::Dice;
use crate::kernel::random::Delay;
use crate::world::FrontFaults;

/// Has the randomness of what stands in front differ from that of the rest.
const OWN: u64 = 0x66_72_6f_6e_74;

/// The policies that are meant for a cache in front, each with whether a zone may be it, and whether Workers Cache may.
const MEANT: [(&str, bool, bool); 3] =
    [("zone", true, false), ("workers-cache", false, true), ("collapsed-events", true, true)];

impl Scenario {
    /// The same behind a zone's CDN, for known bugs of such.
    pub fn behind_a_zone(&self) -> Self {
        let policy = CachePolicy::named("zone").expect("a policy of core");
        let mut scenario = Self { policy, ..self.clone() };
        let is_faultless = scenario.faults == scenario.faults.delays();
        // Most are behind one, but not all.
        let drawn = (0..100).map(|more| front(self.schedule.wrapping_add(more), policy, is_faultless));
        scenario.faults.front = drawn.into_iter().find(FrontFaults::is_there).unwrap_or_default();
        scenario
    }
}

/// What stands in front of a seed's world under a policy. `is_faultless`: nothing goes wrong in the world.
pub(super) fn front(seed: u64, policy: CachePolicy, is_faultless: bool) -> FrontFaults {
    let meant = MEANT.iter().find(|(name, ..)| *name == policy.name);
    let Some((_, may_be_zone, may_be_workers_cache)) = meant else { return FrontFaults::default() };
    let dice = Dice::new(seed ^ OWN);
    let zone = *may_be_zone && (!may_be_workers_cache || dice.chance(500));
    if dice.chance(100) {
        return FrontFaults::default();
    }
    let front = FrontFaults {
        zone,
        workers_cache: !zone,
        nodes: dice.among(&[1, 1, 2, 9]),
        affinity_lost_permille: dice.among(&[0, 0, 300, 1_000]) as u32,
        sub_request_permille: dice.among(&[0, 0, 300, 1_000]) as u32,
        tiered: dice.chance(300),
        age_from_start: dice.chance(500),
        keeps_no_cache: dice.chance(700),
        // Who comes back with `Last-Event-ID` asks for the same URL.
        ignores_vary: !dice.chance(300) && policy.name != "collapsed-events",
        // Mostly longer than a poll waits; sometimes there is no lock.
        lock_wait_ms: dice.among(&[30_000, 30_000, 5_000, 500, 0]),
        lock_age_ms: dice.among(&[60_000, 60_000, 10_000, 1_000]),
        // Events that nobody has before they have all come are of no use.
        holds_back: !dice.chance(700) && policy.name != "collapsed-events",
        predicts: dice.among(&[10_000, 10_000, 1, 0]),
        cross_version: dice.chance(300),
        origin_unresolved_permille: if dice.chance(300) { dice.scale(10, 400) as u32 } else { 0 },
        origin_gives_up: Delay::new(0, dice.scale(1, 30_000)),
    };
    if is_faultless { FrontFaults { origin_unresolved_permille: 0, ..front } } else { front }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_under_the_policies_that_are_meant_for_it_something_stands_in_front() {
        for policy in CachePolicy::ALL {
            let fronts: Vec<FrontFaults> = (0..200).map(|seed| front(seed, *policy, false)).collect();
            let share = |is_it: fn(&FrontFaults) -> bool| fronts.iter().filter(|front| is_it(front)).count();
            let (zones, caches) = (share(|front| front.zone), share(|front| front.workers_cache));
            match policy.name {
                "zone" => assert!(zones > 150 && caches == 0, "{zones} {caches}"),
                "workers-cache" => assert!(zones == 0 && caches > 150, "{zones} {caches}"),
                "collapsed-events" => assert!(zones > 60 && caches > 60, "{zones} {caches}"),
                _ => assert_eq!((zones, caches), (0, 0), "{}", policy.name),
            }
            assert!(share(|front| front.is_there()) < 200);
        }
    }

    #[test]
    fn in_a_world_in_which_nothing_goes_wrong_the_origins_name_resolves() {
        let policy = CachePolicy::named("zone").expect("a policy");
        let unresolved = |is_faultless| {
            (0..200).filter(|seed| front(*seed, policy, is_faultless).origin_unresolved_permille > 0).count()
        };
        assert_eq!(unresolved(true), 0);
        assert!((20..120).contains(&unresolved(false)));
    }
}
