//! The crowd of a scenario: some hundred readers beside its clients, in a world of their own with the same troubles. They
//! are too many to be written down one by one; but each knows which message it is to get next.

use super::checker::{Invariant, Violation};
use super::known_bug::KnownBug;
use super::scenario::Scenario;
use crate::crowd::{Class, Figures, InFront, Origin, Setting, Span, run};
use crate::front::WorkersCacheKnobs;
use crate::kernel::random::Random;
use crate::world::{Faults, FrontFaults, Link, NetworkFaults};

/// For how long messages are written to a crowd, in s.
const WRITES_S: u64 = 12;

/// For how long it goes on after that, in s: longer than a poll or a lost connection, and a fetch in front that hangs.
const LINGERS_S: u64 = 150;

/// Bytes of a page where pages are small.
const PAGE_BYTES: usize = 64;

/// How long connections with events last, about, in ms.
const CONNECTIONS_MS: [u64; 4] = [60_000, 15_000, 3_000, 400];

/// How long they last at most where many of them have to end, in ms.
const SHORT_CONNECTIONS_MS: u64 = 3_000;

/// How often connections begin at most, on average, in ms: each calls an object, and a crowd of them would take longer than
/// all else in a seed.
const BEGIN_EVERY_MS: u64 = 20;

/// The crowd of a scenario; `None` if it has none.
pub(super) fn setting(scenario: &Scenario, bug: Option<KnownBug>) -> Option<Setting> {
    if scenario.crowd == 0 {
        return None;
    }
    let random = Random::new(scenario.schedule);
    let front = scenario.faults.front;
    let mut setting = Setting::of(scenario.policy, 0);
    // Half of them, or all, or none, wait by long-polls.
    let polls = scenario.crowd * random.between(0, 2) as usize / 2;
    setting.readers = [polls, scenario.crowd - polls, scenario.crowd / 8, scenario.crowd / 16];
    setting.streams = random.between(1, 3) as usize;
    setting.write_every_us = random.between(1, 15) * 100_000;
    setting.seconds = WRITES_S;
    setting.lingers_s = LINGERS_S;
    setting.come_and_go = random.chance(500);
    if !scenario.colos.is_empty() {
        setting.colos.clone_from(&scenario.colos);
    }
    setting.front = if scenario.policy.has_gateway { InFront::Between } else { in_front(&front) };
    setting.front_bug = bug.and_then(KnownBug::of_front);
    if let Some(KnownBug::Crowd(bug)) = bug {
        setting.bug = Some(bug);
    }
    (setting.knobs.zone, setting.knobs.workers_cache) = (front.for_zone(), front.for_workers_cache());
    if front.origin_unresolved_permille > 0 && matches!(setting.front, InFront::Zone | InFront::WorkersCache) {
        setting.origin = Origin::UnresolvedUntilCalm;
        setting.knobs.unresolved_permille = front.origin_unresolved_permille;
        setting.knobs.unresolved = Span::ms(front.origin_gives_up.min_ms, front.origin_gives_up.max_ms);
    }
    setting.troubles = troubles(&scenario.faults);
    setting.seed = scenario.schedule;
    // Pages of a few messages, and connections that end while messages are written.
    if random.chance(500) {
        (setting.knobs.stays, setting.knobs.away) = (Span::ms(300, 30_000), Span::ms(10, 5_000));
    }
    setting.page_bytes = random.chance(500).then_some(PAGE_BYTES);
    let mut sse_ms = CONNECTIONS_MS[random.between(0, 3) as usize];
    if matches!(bug, Some(KnownBug::Crowd(bug)) if bug.needs_leavers()) {
        setting.come_and_go = true;
        (setting.knobs.stays, setting.knobs.away) = (Span::ms(300, 30_000), Span::ms(10, 5_000));
        sse_ms = sse_ms.min(SHORT_CONNECTIONS_MS);
    }
    setting.policy.waits.sse_ms = sse_ms;
    let events = &mut setting.readers[Class::Events as usize];
    *events = (*events).min((sse_ms / BEGIN_EVERY_MS) as usize);
    // A crowd's gateway always asks a cache, though there may be none between the entrypoints of the scenario's world.
    if setting.front == InFront::Between && !front.is_between() {
        setting.knobs.workers_cache = WorkersCacheKnobs::default();
    }
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
/// scenario's, and a crowd has a host of its own at the edge.
fn troubles(faults: &Faults) -> Faults {
    Faults {
        objects: faults.objects,
        storage: faults.storage,
        network: NetworkFaults { client_link: Link::default(), ..faults.network },
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
    let unexcused = |count| if is_faultless { count } else { 0 };
    for (class, figures) in Class::ALL.iter().zip(&figures.classes) {
        let complaints = [
            (Invariant::Exact, figures.gaps, "got other messages than the next ones, each once"),
            (Invariant::Leak, figures.foreign, "got messages that nobody has written to their stream"),
            (Invariant::Fresh, figures.outdated, "were handed out a copy that was too old"),
            (Invariant::Live, figures.behind, "had not got the last message long after all was well, or read no more"),
            (Invariant::Answers, figures.late, "had no answer though nothing had gone wrong for long"),
            (Invariant::Answers, unexcused(figures.refused), "were refused, and nothing went wrong"),
            (Invariant::Answers, unexcused(figures.given_up), "had no answer in time, and nothing went wrong"),
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
    use tailrace_core::protocol::CachePolicy;

    use super::*;
    use crate::crowd::ClassFigures;
    use crate::kernel::random::Delay;

    #[test]
    fn a_crowd_is_judged_by_what_it_missed() {
        let of = |turn: fn(&mut ClassFigures)| {
            let mut class = ClassFigures::default();
            turn(&mut class);
            class
        };
        for (class, is_faultless, expected) in [
            (of(|_| {}), true, &[][..]),
            (of(|class| class.refused = 3), false, &[]),
            (of(|class| class.refused = 3), true, &[Invariant::Answers]),
            (of(|class| class.given_up = 3), false, &[]),
            (of(|class| class.given_up = 3), true, &[Invariant::Answers]),
            // What had to do with a fetch that had not found the origin is excused, and nothing else is by that.
            (of(|class| class.unreached = 3), true, &[]),
            (of(|class| (class.unreached, class.refused) = (3, 1)), true, &[Invariant::Answers]),
            (of(|class| class.late = 1), false, &[Invariant::Answers]),
            (of(|class| class.gaps = 1), false, &[Invariant::Exact]),
            (of(|class| class.foreign = 1), false, &[Invariant::Leak]),
            (of(|class| class.outdated = 1), false, &[Invariant::Fresh]),
            (of(|class| class.behind = 1), false, &[Invariant::Live]),
            (of(|class| (class.gaps, class.behind) = (1, 1)), false, &[Invariant::Exact, Invariant::Live]),
        ] {
            let mut figures = Figures::default();
            figures.classes[1] = class;
            let found: Vec<Invariant> =
                judge(&figures, is_faultless).into_iter().map(|violation| violation.invariant).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_crowd_has_the_unresolved_origin_of_its_scenario_where_a_cache_in_front_has_an_origin() {
        for (policy, turn, expected) in [
            ("zone", (|front| front.zone = true) as fn(&mut FrontFaults), Origin::UnresolvedUntilCalm),
            ("workers-cache", |front| front.workers_cache = true, Origin::UnresolvedUntilCalm),
            ("zone", |front| (front.zone, front.origin_unresolved_permille) = (true, 0), Origin::Resolves),
            ("immutable", |_| {}, Origin::Resolves),
            // Between two entrypoints of one Worker no name is resolved.
            ("gateway", |_| {}, Origin::Resolves),
        ] {
            let policy = CachePolicy::named(policy).expect("a policy");
            let mut scenario = Scenario { crowd: 80, policy, ..Scenario::draw(1) };
            let origin_gives_up = Delay::new(10, 700);
            let front = FrontFaults { origin_unresolved_permille: 70, origin_gives_up, ..FrontFaults::default() };
            scenario.faults.front = front;
            turn(&mut scenario.faults.front);
            let setting = setting(&scenario, None).expect("it has a crowd");
            assert_eq!(setting.origin, expected, "{}", policy.name);
            if expected == Origin::UnresolvedUntilCalm {
                assert_eq!((setting.knobs.unresolved_permille, setting.knobs.unresolved), (70, Span::ms(10, 700)));
            }
        }
    }

    #[test]
    fn a_scenario_without_a_crowd_has_none_and_one_with_a_crowd_has_its_readers_unless_they_came_back_too_often() {
        let scenario = Scenario { crowd: 0, ..Scenario::draw(1) };
        assert!(setting(&scenario, None).is_none());
        let crowded = (0..9).map(|schedule| Scenario { crowd: 80, schedule, ..scenario.clone() });
        for setting in crowded.filter_map(|scenario| setting(&scenario, None)) {
            let most = (setting.policy.waits.sse_ms / BEGIN_EVERY_MS) as usize;
            assert_eq!(setting.readers[1], (80 - setting.readers[0]).min(most));
        }
    }
}
