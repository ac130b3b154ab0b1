//! The crowd of a scenario: some hundred readers beside its clients, in a world of their own with the same troubles. They
//! are too many to be written down one by one; but each knows which message it is to get next.

use super::checker::{Invariant, Violation};
use super::known_bug::KnownBug;
use super::scenario::Scenario;
use crate::crowd::{Class, Figures, InFront, Setting, run};
use crate::kernel::random::Random;
use crate::world::{Faults, FrontFaults, Link, NetworkFaults};

/// For how long messages are written to a crowd, in s.
const WRITES_S: u64 = 12;

/// For how long it goes on after that, in s: longer than a poll or a lost connection, and a fetch in front that hangs.
const LINGERS_S: u64 = 150;

/// The crowd of a scenario; `None` if it has none.
pub(super) fn setting(scenario: &Scenario, bug: Option<KnownBug>) -> Option<Setting> {
    // A crowd has no gateway.
    if scenario.crowd == 0 || scenario.policy.has_gateway {
        return None;
    }
    let random = Random::new(scenario.schedule);
    let front = scenario.faults.front;
    let mut setting = Setting::of(scenario.policy, 0);
    // Half of them, or all, or none, wait by long-polls.
    let polls = scenario.crowd * random.between(0, 2) as usize / 2;
    setting.readers = [polls, scenario.crowd - polls, scenario.crowd / 8, 0];
    setting.streams = random.between(1, 3) as usize;
    setting.write_every_ms = random.between(1, 15) * 100;
    setting.seconds = WRITES_S;
    setting.lingers_s = LINGERS_S;
    setting.come_and_go = random.chance(500);
    if !scenario.colos.is_empty() {
        setting.colos.clone_from(&scenario.colos);
    }
    setting.front = in_front(&front);
    setting.front_bug = match bug {
        Some(KnownBug::Front(bug)) => Some(bug),
        _ => None,
    };
    (setting.knobs.zone, setting.knobs.workers_cache) = (front.for_zone(), front.for_workers_cache());
    setting.troubles = troubles(&scenario.faults);
    setting.seed = scenario.schedule;
    Some(setting)
}

fn in_front(front: &FrontFaults) -> InFront {
    match (front.zone, front.workers_cache) {
        (true, _) => InFront::Zone,
        (false, true) => InFront::WorkersCache,
        (false, false) => InFront::Nothing,
    }
}

/// What goes wrong around a crowd: what befalls objects, and calls of them. Streams and their writer are not the
/// scenario's, and a crowd has a host of its own at the edge. No call gets stuck: readers of a crowd have no patience that
/// would end.
fn troubles(faults: &Faults) -> Faults {
    Faults {
        objects: faults.objects,
        storage: faults.storage,
        network: NetworkFaults { client_link: Link::default(), call_stuck_permille: 0, ..faults.network },
        alarm: faults.alarm,
        bucket: faults.bucket,
        ..Faults::default()
    }
}

/// Plays the crowd of a scenario, if it has one, and says what does not hold. Must run on a thread of its own.
pub(super) fn check(scenario: &Scenario, bug: Option<KnownBug>) -> Vec<Violation> {
    let Some(setting) = setting(scenario, bug) else { return Vec::new() };
    let is_faultless = setting.troubles == setting.troubles.delays();
    judge(&run(setting), is_faultless)
}

fn judge(figures: &Figures, is_faultless: bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (class, figures) in Class::ALL.iter().zip(&figures.classes) {
        let complaints = [
            (Invariant::Exact, figures.gaps, "got another message than the one that was next"),
            (Invariant::Live, figures.behind, "had not got the last message long after all was well"),
            (
                Invariant::Answers,
                if is_faultless { figures.failures } else { 0 },
                "were refused, and nothing went wrong",
            ),
        ];
        for (invariant, count, complaint) in complaints.into_iter().filter(|(_, count, _)| *count > 0) {
            let message = format!("{count} times, readers of the class {} in the crowd {complaint}", class.name());
            violations.push(Violation { invariant, stream: "the crowd's".to_owned(), ops: Vec::new(), message });
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_judged_by_what_it_missed() {
        for (gaps, behind, failures, is_faultless, expected) in [
            (0, 0, 0, true, &[][..]),
            (0, 0, 3, false, &[]),
            (0, 0, 3, true, &[Invariant::Answers]),
            (1, 2, 0, false, &[Invariant::Exact, Invariant::Live]),
        ] {
            let mut figures = Figures::default();
            let class = &mut figures.classes[1];
            (class.gaps, class.behind, class.failures) = (gaps, behind, failures);
            let found: Vec<Invariant> =
                judge(&figures, is_faultless).into_iter().map(|violation| violation.invariant).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_scenario_without_a_crowd_has_none_and_one_with_a_crowd_has_all_its_readers() {
        let scenario = Scenario { crowd: 0, ..Scenario::draw(1) };
        assert!(setting(&scenario, None).is_none());
        let crowded = (0..9).map(|schedule| Scenario { crowd: 80, schedule, ..scenario.clone() });
        for setting in crowded.filter_map(|scenario| setting(&scenario, None)) {
            assert_eq!(setting.readers[0] + setting.readers[1], 80);
        }
    }
}
