//! How much may be in the memory of an isolate in the world of a scenario: the bounds of a service, for the scenario's
//! limits.

use super::{Action, Scenario};
use crate::tailrace::StreamLimits;
use crate::world::Footprint;

/// What a message, a control event or the head of an answer takes beside its content, in bytes.
const BESIDE_BYTES: usize = 1_500;

/// How much larger than the limit what is refused for its size may be when that is seen, in bytes: a message's frame.
const OVERSIZE_BYTES: usize = 200;

/// How many connections a reader may have at once: those that it has left are noticed by writing.
const CONNECTIONS: usize = 3;

/// What an object answers a reader of events at most, in bytes.
pub(super) fn piece_bytes(limits: &StreamLimits) -> usize {
    limits.page_bytes * 3 / 2 + BESIDE_BYTES
}

/// The most bytes that may ever be in memory.
pub(super) fn memory_bounds(scenario: &Scenario) -> Footprint {
    let limits = &scenario.limits;
    let piece = piece_bytes(limits);
    let at_once = scenario.memory.bodies_bytes / limits.body_bytes + 1;
    let bodies = scenario.memory.bodies_bytes.saturating_add(at_once.saturating_mul(OVERSIZE_BYTES));
    // A client's buffer may be exceeded by one write, and what waits on a socket by one message.
    let client = scenario.client_buffer_bytes + piece;
    let socket = scenario.client_buffer_bytes + piece;
    // What is counted within a second may be from two seconds of the service.
    let pushed = scenario.memory.pushed_bytes.saturating_mul(2);
    let (mut readers, mut askers) = (0, 0);
    for (client, action) in scenario.events.iter().filter_map(|event| event.action()) {
        askers = askers.max(client + 1);
        if let Action::Join { readers: more, .. } = action {
            readers += more;
        }
    }
    // Beyond the limit each reader gets one more message, if it has taken all before, and its signs of life. What a lost
    // instance has asked for comes besides.
    let clients = scenario.memory.clients_bytes.saturating_add((readers * CONNECTIONS + 1) * piece);
    let answers = (askers + readers + 1) * (limits.body_bytes + piece);
    let object =
        pushed.saturating_add(bodies.saturating_mul(scenario.isolates * scenario.colo_count())).saturating_add(answers);
    // Each body is there twice while it is on its way to its object.
    let all = bodies
        .saturating_mul(2)
        .saturating_add(readers * CONNECTIONS * (client + socket + piece))
        .saturating_add(answers)
        .saturating_add(object.saturating_mul(scenario.streams.len()));
    Footprint { all, bodies, client, clients, socket, pushed }
}
