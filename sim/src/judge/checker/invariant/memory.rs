//! What is in the memory of an isolate is bounded: the bodies of requests, what waits for one client or on one socket,
//! what an object pushes to all of its sockets, and all of it together.

use crate::judge::checker::case::Case;
use crate::judge::checker::{Invariant, Violation};
use crate::judge::history::Op;
use crate::world::Harm;

/// Isolates are those of all streams: what is wrong is told once.
pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    if case.stream > 0 {
        return Vec::new();
    }
    let (found, mut most) = (case.history.footprint, case.history.conditions.footprint);
    let lost = |op: &Op| case.history.harms.has(op.request, &[Harm::InstanceTaken, Harm::LostInstance]);
    if case.history.ops.iter().any(lost) {
        // The count of bodies is lost with an instance of core, and the bodies are not: they count again once their
        // requests are served anew.
        most.bodies = most.bodies.saturating_mul(2);
    }
    // A body whose call never comes to an end counts for a while only, and stays.
    let stuck = case.history.ops.iter().filter(|op| case.history.harms.has(op.request, &[Harm::CallStuck])).count();
    most.bodies = most.bodies.saturating_add(stuck.saturating_mul(case.history.conditions.body_bytes));
    [
        ("in all", found.all, most.all),
        ("of request bodies", found.bodies, most.bodies),
        ("that waited for one client", found.client, most.client),
        ("that waited for all clients", found.clients, most.clients),
        ("that had arrived on one socket", found.socket, most.socket),
        ("that one object pushed within a second", found.pushed, most.pushed),
    ]
    .into_iter()
    .filter(|(_, found, most)| found > most)
    .map(|(what, found, most)| {
        let message = format!("an isolate had {found} bytes {what}, and may have {most}");
        case.violation(Invariant::Memory, &[], message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::checker::fixture::{Fixture, created};
    use crate::judge::history::Lifetime;
    use crate::world::Footprint;

    fn check(found: Footprint, expected: usize) {
        let mut run = Fixture::json();
        run.history.conditions.footprint =
            Footprint { all: 100, bodies: 40, client: 10, clients: 20, socket: 5, pushed: 30 };
        run.history.footprint = found;
        run.check(Invariant::Memory, super::check, expected);
    }

    #[test]
    fn each_kind_of_bytes_has_a_bound_of_its_own_and_all_of_them_together_have_one() {
        let most = Footprint { all: 100, bodies: 40, client: 10, clients: 20, socket: 5, pushed: 30 };
        check(Footprint::default(), 0);
        check(most, 0);
        check(Footprint { all: 101, ..most }, 1);
        check(Footprint { bodies: 41, ..most }, 1);
        check(Footprint { client: 11, ..most }, 1);
        check(Footprint { clients: 21, ..most }, 1);
        check(Footprint { socket: 6, ..most }, 1);
        check(Footprint { pushed: 31, ..most }, 1);
        check(Footprint { all: 101, bodies: 41, client: 11, clients: 21, socket: 6, pushed: 31 }, 6);
    }

    #[test]
    fn a_body_whose_call_never_ends_may_be_there_besides_those_that_count() {
        for (bodies, stuck, expected) in [(50, true, 0), (50, false, 1), (51, true, 1)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            if stuck {
                let request = run.history.ops.last().expect("a request").request;
                run.history.harms.harm_request(request, Harm::CallStuck);
            }
            run.history.conditions.body_bytes = 10;
            run.history.conditions.footprint =
                Footprint { all: 100, bodies: 40, client: 10, clients: 20, socket: 5, pushed: 30 };
            run.history.footprint = Footprint { bodies, ..Footprint::default() };
            run.check(Invariant::Memory, super::check, expected);
        }
    }

    #[test]
    fn bodies_whose_instance_is_lost_may_be_there_besides_those_that_count() {
        for (bodies, lost, expected) in [(80, true, 0), (80, false, 1), (81, true, 1)] {
            let mut run = Fixture::json();
            run.create(Lifetime::Endless, created(0));
            if lost {
                let request = run.history.ops.last().expect("a request").request;
                run.history.harms.harm_request(request, Harm::InstanceTaken);
            }
            run.history.conditions.footprint =
                Footprint { all: 100, bodies: 40, client: 10, clients: 20, socket: 5, pushed: 30 };
            run.history.footprint = Footprint { bodies, ..Footprint::default() };
            run.check(Invariant::Memory, super::check, expected);
        }
    }
}
