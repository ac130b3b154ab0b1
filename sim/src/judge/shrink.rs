//! The shortest history that still fails: delta debugging over a scenario's events, then its faults one by one.

use tailrace_core::protocol::CachePolicy;

use crate::judge::checker::Invariant;
use crate::judge::history::Lifetime;
use crate::judge::known_bug::KnownBug;
use crate::judge::scenario::knobs::FAULTS;
use crate::judge::scenario::{AccessPlan, Action, Happening, Load, Scenario};
use crate::judge::swarm::judge;
use crate::judge::tenancy::Tenancy;
use crate::tailrace::Waits;
use crate::world::Faults;

/// Schedules that a candidate is tried with: one event less moves every draw after it.
const SCHEDULES: u64 = 6;

/// Candidates after which shrinking ends with what it has.
const CANDIDATES: usize = 3_000;

/// Makes a failing scenario small, as long as it violates the same invariant.
pub fn shrink(scenario: &Scenario, bug: Option<KnownBug>, invariant: Invariant) -> Scenario {
    let fails = |candidate: &Scenario| {
        (0..SCHEDULES).find_map(|offset| {
            let schedule = scenario.schedule.wrapping_add(offset);
            let candidate = Scenario { schedule, ..candidate.clone() };
            judge(&candidate, bug, false).violates(invariant).then_some(candidate)
        })
    };
    minimize(scenario.clone(), fails)
}

/// Makes a scenario small. `fails` answers the candidate, as it failed, or nothing.
pub fn minimize(scenario: Scenario, fails: impl FnMut(&Scenario) -> Option<Scenario>) -> Scenario {
    let mut search = Search { best: scenario, fails, left: CANDIDATES };
    loop {
        let before = search.best.clone();
        // Fewer faults draw less, so that an event less moves less.
        search.reset_faults();
        search.drop_events();
        search.lessen_loads();
        search.drop_streams();
        search.drop_colos();
        if search.best == before || search.left == 0 {
            return search.best;
        }
    }
}

struct Search<F> {
    best: Scenario,
    fails: F,
    left: usize,
}

impl<F: FnMut(&Scenario) -> Option<Scenario>> Search<F> {
    /// Keeps a candidate that still fails.
    fn keep(&mut self, candidate: &Scenario) -> bool {
        if self.left == 0 || *candidate == self.best {
            return false;
        }
        self.left -= 1;
        match (self.fails)(candidate) {
            Some(failed) => {
                self.best = failed;
                true
            }
            None => false,
        }
    }

    /// Drops ever smaller pieces until no single event can go (ddmin, complements only).
    fn drop_events(&mut self) {
        let mut piece = self.best.events.len().div_ceil(2);
        while piece > 0 && self.left > 0 {
            let (mut at, mut dropped) = (0, false);
            while at < self.best.events.len() {
                let mut candidate = self.best.clone();
                candidate.events.drain(at..(at + piece).min(self.best.events.len()));
                if self.keep(&candidate) {
                    dropped = true;
                } else {
                    at += piece;
                }
            }
            if !dropped || piece > 1 {
                piece /= 2;
            }
        }
    }

    fn reset_faults(&mut self) {
        let usual_waits = Scenario { waits: Waits::default(), ..self.best.clone() };
        self.keep(&usual_waits);
        let usual_policy = Scenario { policy: CachePolicy::default(), ..self.best.clone() };
        self.keep(&usual_policy);
        let open = Scenario { access: None, ..self.best.clone() };
        self.keep(&open);
        if let Some(plan) = self.best.access {
            let access = Some(AccessPlan { strangers_permille: 0, passers_permille: 0, ..plan });
            let unseen = Scenario { access, ..self.best.clone() };
            self.keep(&unseen);
        }
        if let Some(plan) = self.best.access {
            let access = Some(AccessPlan { strangers_permille: 0, ..plan });
            let fewer = Scenario { access, ..self.best.clone() };
            self.keep(&fewer);
        }
        if let Some(plan) = self.best.access {
            let access = Some(AccessPlan { reader_keys_permille: 0, ..plan });
            let keyless = Scenario { access, ..self.best.clone() };
            self.keep(&keyless);
        }
        if let Some(plan) = self.best.access {
            let access = Some(AccessPlan { tenancy: Tenancy::One, ..plan });
            let alone = Scenario { access, ..self.best.clone() };
            self.keep(&alone);
        }
        let alone = Scenario { crowd: 0, ..self.best.clone() };
        self.keep(&alone);
        while self.best.crowd > 1 {
            let fewer = Scenario { crowd: self.best.crowd / 2, ..self.best.clone() };
            if !self.keep(&fewer) {
                break;
            }
        }
        let good_day = Scenario { faults: Faults::default(), ..self.best.clone() };
        if self.keep(&good_day) {
            return;
        }
        for knob in FAULTS {
            let mut candidate = self.best.clone();
            knob.set(&mut candidate.faults, knob.get(&Faults::default()));
            self.keep(&candidate);
        }
    }

    /// One small message where there were several or large ones, one request where there were more, lifetimes without
    /// an end where it does not matter.
    fn lessen_loads(&mut self) {
        for index in 0..self.best.events.len() {
            for lessen in [small as fn(&mut Action), single, endless] {
                let mut candidate = self.best.clone();
                if let Happening::Client { action, .. } = &mut candidate.events[index].what {
                    lessen(action);
                }
                self.keep(&candidate);
            }
        }
    }

    /// Forgets the last streams that no event names.
    fn drop_streams(&mut self) {
        let text_names = |scenario: &Scenario, stream: usize| {
            let name = format!(" {}", Scenario::name(stream));
            scenario.events.iter().any(|event| {
                let text = event.to_string();
                text.split(&name).skip(1).any(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        };
        while self.best.streams.len() > 1 && !text_names(&self.best, self.best.streams.len() - 1) {
            let mut candidate = self.best.clone();
            candidate.streams.pop();
            if !self.keep(&candidate) {
                return;
            }
        }
    }

    /// One datacenter, or at least fewer of them, with one isolate each.
    fn drop_colos(&mut self) {
        let single = Scenario { isolates: 1, ..self.best.clone() };
        self.keep(&single);
        let alone = Scenario { colos: Vec::new(), ..self.best.clone() };
        if self.keep(&alone) {
            return;
        }
        for colo in (0..self.best.colos.len()).rev() {
            let mut candidate = self.best.clone();
            candidate.colos.remove(colo);
            self.keep(&candidate);
        }
    }
}

fn small(action: &mut Action) {
    let least = Load { count: 1, pad_bytes: 0 };
    match action {
        Action::Create { load, .. } => *load = None,
        Action::Append { load, .. }
        | Action::Sequenced { load, .. }
        | Action::Produce { load, .. }
        | Action::Skip { load, .. } => *load = least,
        _ => {}
    }
}

fn single(action: &mut Action) {
    match action {
        Action::Produce { depth, copies, closes, .. } => (*depth, *copies, *closes) = (1, 1, false),
        Action::Join { readers, .. } => *readers = 1,
        _ => {}
    }
}

fn endless(action: &mut Action) {
    if let Action::Create { lifetime, .. } = action {
        *lifetime = Lifetime::Endless;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scenario::Disturbance;

    /// Fails as long as an append to the first stream is followed by a crash of it, and requests can be lost.
    fn synthetic(scenario: &Scenario) -> Option<Scenario> {
        let append = scenario
            .events
            .iter()
            .position(|event| matches!(event.action(), Some((_, Action::Append { stream: 0, .. }))))?;
        let crash = Some(Disturbance::Crash { stream: 0 });
        let crashes = scenario.events[append..].iter().any(|event| event.disturbance() == crash);
        let lossy = scenario.faults.network.client_link.request_loss_permille > 0;
        (crashes && lossy).then(|| scenario.clone())
    }

    #[test]
    fn what_does_not_matter_is_dropped_and_what_does_is_kept() {
        let found: Vec<Scenario> =
            (0..2_000).map(Scenario::draw).filter_map(|drawn| synthetic(&drawn)).take(20).collect();
        assert_eq!(found.len(), 20, "the predicate is met by some seeds");
        for scenario in found {
            let shrunk = minimize(scenario.clone(), synthetic);
            assert!(synthetic(&shrunk).is_some());
            assert_eq!(shrunk.events.len(), 2, "{shrunk}");
            assert_eq!(shrunk.streams.len(), 1, "{shrunk}");
            assert_eq!((&shrunk.colos[..], shrunk.isolates), (&[][..], 1), "{shrunk}");
            let link = shrunk.faults.network.client_link;
            let mut rest = shrunk.faults;
            rest.network.client_link.request_loss_permille = 0;
            assert!(link.request_loss_permille > 0);
            assert_eq!(rest, Faults::default());
        }
    }

    #[test]
    fn what_cannot_be_made_smaller_stays() {
        let scenario = Scenario::draw(1);
        let same = minimize(scenario.clone(), |candidate| (*candidate == scenario).then(|| candidate.clone()));
        assert_eq!(same, scenario);
    }
}
