//! How long objects are active for what they do: assumed, and not simulated. A turn takes no virtual time.

use super::{Cause, Meter, Usage};

/// How long a turn takes that changes something, and waits for its storage, in ms: what 1,000 objects that each took a
/// write a second were billed in production, 36.5 dollars a month, is 10.2 ms a write (SPEC, section 6).
const CHANGE_MS: u64 = 10;
/// How long any other turn takes, in ms (assumed: it reads rows, or has a socket joined).
const TURN_MS: u64 = 1;

/// How long objects are active for what was used for that cause, in ms, beside what the simulator has counted.
pub(super) fn object_ms(usage: &Usage, cause: Cause) -> u64 {
    let turn_ms = match cause {
        Cause::Write | Cause::Rotation | Cause::Sweep | Cause::Expiry => CHANGE_MS,
        Cause::Read | Cause::Poll | Cause::Connection | Cause::Deploy | Cause::Storage => TURN_MS,
    };
    let turns = usage.of(cause, Meter::ObjectRequests).saturating_add(usage.of(cause, Meter::SocketMessages));
    turns.saturating_mul(turn_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Invoice;

    #[test]
    fn a_thousand_objects_with_a_write_a_second_cost_what_they_did_in_production() {
        let mut usage = Usage::default();
        usage.add(Cause::Write, Meter::ObjectRequests, 1_000 * 30 * 24 * 3_600);
        usage.add(Cause::Write, Meter::ObjectMs, object_ms(&usage, Cause::Write));
        let dollars = Invoice::of(|meter| usage.total(meter)).costs(Meter::ObjectMs) as f64 / 1e6;
        assert!((dollars / 36.5 - 1.0).abs() < 0.05, "{dollars}");
    }

    #[test]
    fn what_changes_nothing_takes_a_tenth_of_that() {
        let mut usage = Usage::default();
        usage.add(Cause::Rotation, Meter::ObjectRequests, 3);
        usage.add(Cause::Poll, Meter::ObjectRequests, 5);
        usage.add(Cause::Connection, Meter::SocketMessages, 7);
        usage.add(Cause::Poll, Meter::WorkerRequests, 100);
        let ms = [Cause::Rotation, Cause::Poll, Cause::Connection].map(|cause| object_ms(&usage, cause));
        assert_eq!(ms, [3 * CHANGE_MS, 5 * TURN_MS, 7 * TURN_MS]);
    }
}
