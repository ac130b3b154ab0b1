//! What happens in a seed, drawn from it.

use crate::kernel::random::{Delay, Random, Seeds};
use crate::world::{Faults, Link, Region};

/// The projects of a run.
pub(super) const PROJECTS: [&str; 2] = ["one", "two"];

/// Has the randomness of plans differ from what worlds draw.
const OF_PLANS: u64 = 0x7265_6769_7374_7279;

/// The regions of the datacenters, of which a run has the first ones.
const REGIONS: [Region; 3] = [Region::WesternEurope, Region::SouthAmerica, Region::Oceania];

/// Something that happens. A project is the index of its name, and `near` is the datacenter of whoever acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An operator creates a project.
    Create { project: usize, near: usize },
    /// An operator adds a key.
    Add { project: usize, near: usize },
    /// An operator removes one of the keys that somebody was told of, but not the newest.
    Remove { project: usize, pick: usize, near: usize },
    /// An operator adds a key, and so many ms later another one removes one, while the first may still wait.
    Churn { project: usize, pick: usize, after_ms: u64, near: usize },
    /// Several operators remove a key each at once, until none would be left.
    RemoveAll { project: usize, near: usize },
    /// An operator removes a project.
    Delete { project: usize, near: usize },
    /// The holder of one of the keys of a project asks for a stream of one.
    Ask { of: usize, pick: usize, project: usize, near: usize },
    /// The object of a project crashes.
    Crash { project: usize },
    /// Another instance takes over from it.
    Supersede { project: usize },
    /// KV does nothing for so many ms.
    KvDown { for_ms: u64 },
    /// An isolate of the edge starts anew.
    Restart { isolate: usize },
}

/// A run, as it is drawn from a seed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Where the world's randomness comes from.
    pub(super) seeds: Seeds,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// The region of each datacenter.
    pub(super) colos: Vec<Region>,
    /// Isolates of a datacenter at most.
    pub(super) isolates: usize,
    /// Whether the earlier system has left the first project in KV.
    pub(super) is_left: bool,
    /// What happens, and when, in virtual ms.
    pub(super) events: Vec<(u64, Event)>,
}

impl Plan {
    /// The run of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let random = Random::new(seed ^ OF_PLANS);
        let colos = REGIONS[..random.between(1, 3) as usize].to_vec();
        let (isolates, is_left) = (random.between(1, 2) as usize, random.chance(300));
        let fails = random.chance(400);
        let faults = faults(&random, fails);
        let events = events(&random, colos.len(), fails);
        Self { seeds: Seeds::of(seed), faults, colos, isolates, is_left, events }
    }
}

fn faults(random: &Random, fails: bool) -> Faults {
    let most = |random: &Random, choices: &[u64]| Delay::new(0, random.among(choices));
    Faults::default().with(|faults| {
        faults.kv.get = most(random, &[0, 30, 300]);
        faults.kv.put = most(random, &[10, 500, 9_000, 14_000]);
        faults.kv.lag = most(random, &[0, 5_000, 30_000]);
        faults.kv.kept = most(random, &[0, 30_000, 60_000]);
        faults.kv.error_after_permille = random.among(&[0, 0, 100, 300]);
        faults.kv.late_permille = random.among(&[0, 100, 400]);
        faults.kv.late = Delay::new(1_000, 80_000);
        if fails {
            faults.kv.error_before_permille = random.among(&[0, 50, 200]);
        }
        let loss = random.among(&[0, 0, 30]);
        let latency = Delay::new(1, 40);
        faults.network.object_link = Link { latency, response_loss_permille: loss, ..Link::default() };
        faults.network.client_link = Link { latency, ..Link::default() };
        faults.map.distance_permille = 1_000;
    })
}

fn events(random: &Random, colos: usize, fails: bool) -> Vec<(u64, Event)> {
    let project = || random.between(0, PROJECTS.len() as u64 - 1) as usize;
    let near = || random.between(0, colos as u64 - 1) as usize;
    let pick = || random.between(0, 1_000) as usize;
    let mut events = vec![];
    let mut at_ms = 0;
    for project in 0..PROJECTS.len() {
        events.push((at_ms, Event::Create { project, near: near() }));
        at_ms += random.between(0, 3_000);
    }
    for _ in 0..random.between(25, 60) {
        // Bursts, and waits that are long enough for what is known to grow old.
        at_ms += match random.below(10) {
            0..5 => random.between(0, 1_500),
            5..8 => random.between(1_500, 20_000),
            _ => random.between(20_000, 200_000),
        };
        let event = match random.below(100) {
            0..4 => Event::Create { project: project(), near: near() },
            4..18 => Event::Add { project: project(), near: near() },
            18..30 => Event::Remove { project: project(), pick: pick(), near: near() },
            30..40 => {
                let after_ms = random.between(100, 4_000);
                Event::Churn { project: project(), pick: pick(), after_ms, near: near() }
            }
            40..44 => Event::RemoveAll { project: project(), near: near() },
            44..45 => Event::Delete { project: project(), near: near() },
            45..50 => Event::Crash { project: project() },
            50..53 => Event::Supersede { project: project() },
            53..56 => Event::Restart { isolate: pick() },
            56..58 if fails => Event::KvDown { for_ms: random.between(1_000, 120_000) },
            58..62 => Event::Ask { of: project(), pick: pick(), project: project(), near: near() },
            _ => {
                let of = project();
                Event::Ask { of, pick: pick(), project: of, near: near() }
            }
        };
        events.push((at_ms, event));
    }
    // What is changed last is not mended by a later change.
    for project in 0..PROJECTS.len() {
        let after_ms = random.between(100, 4_000);
        at_ms += random.between(0, 30_000);
        events.push((at_ms, Event::Churn { project, pick: pick(), after_ms, near: near() }));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_run_and_all_that_may_happen_is_drawn() {
        assert_eq!(Plan::draw(3).events, Plan::draw(3).events);
        assert_ne!(Plan::draw(3).events, Plan::draw(4).events);
        let plans: Vec<Plan> = (0..100).map(Plan::draw).collect();
        let has = |is_meant: fn(&Event) -> bool| {
            plans.iter().any(|plan| plan.events.iter().any(|(_, event)| is_meant(event)))
        };
        assert!(has(|event| matches!(event, Event::Create { .. })));
        assert!(has(|event| matches!(event, Event::Add { .. })));
        assert!(has(|event| matches!(event, Event::Remove { .. })));
        assert!(has(|event| matches!(event, Event::Churn { .. })));
        assert!(has(|event| matches!(event, Event::RemoveAll { .. })));
        assert!(has(|event| matches!(event, Event::Delete { .. })));
        assert!(has(|event| matches!(event, Event::Crash { .. })));
        assert!(has(|event| matches!(event, Event::Supersede { .. })));
        assert!(has(|event| matches!(event, Event::KvDown { .. })));
        assert!(has(|event| matches!(event, Event::Restart { .. })));
        assert!(has(|event| matches!(event, Event::Ask { of, project, .. } if of != project)));
        assert!(plans.iter().any(|plan| plan.is_left) && plans.iter().any(|plan| !plan.is_left));
    }
}
