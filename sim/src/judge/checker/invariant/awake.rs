//! An object is billed only while it has work: what keeps it in memory is an event, and no event lasts longer than what
//! it asks of other services.

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let event_ms = case.history.conditions.event_ms;
    let awake = case.history.awake.iter().filter(|awake| awake.stream == case.stream);
    let spells = awake.flat_map(|awake| &awake.spells);
    let idle = spells.filter(|spell| {
        let waited_ms = (spell.end_ms - spell.begin_ms).saturating_sub(spell.calling_ms);
        waited_ms > spell.events.max(1) * event_ms
    });
    idle.map(|spell| {
        let message = format!(
            "the object was kept in memory from {} to {} ms, for {} events of {event_ms} ms at most",
            spell.begin_ms, spell.end_ms, spell.events
        );
        case.violation(Invariant::Awake, &[], message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Cause;
    use crate::judge::checker::fixture::{Fixture, created};
    use crate::judge::history::{Awake, Lifetime};
    use crate::world::Spell;

    /// Spells by their length, their events, and the time that calls of other services took, in ms.
    fn check(spells: &[(u64, u64, u64)], expected: usize) {
        let mut run = Fixture::json();
        run.create(Lifetime::Endless, created(0));
        run.history.conditions.event_ms = 100;
        let spell = |(length_ms, events, calling_ms): &(u64, u64, u64)| Spell {
            begin_ms: 7,
            end_ms: 7 + length_ms,
            events: *events,
            calling_ms: *calling_ms,
            cause: Cause::Write,
        };
        run.history.awake.push(Awake { stream: 0, spells: spells.iter().map(spell).collect() });
        run.check(Invariant::Awake, super::check, expected);
    }

    #[test]
    fn events_may_take_their_time() {
        check(&[(0, 1, 0), (100, 1, 0), (350, 4, 0), (60, 0, 0), (5_000, 2, 4_900)], 0);
    }

    #[test]
    fn an_object_that_waits_with_its_readers_is_found() {
        check(&[(100, 1, 0), (20_000, 3, 0), (101, 0, 0), (5_000, 2, 4_000)], 3);
    }
}
