//! What the edge takes of the CPU time that Workers bill: measured, and not simulated.
//!
//! `cargo xtask bench edge --rounds 7 --seconds 4` printed these figures on 2026-11-27, on two cores of a virtual machine
//! (AMD EPYC); they are medians of a machine that other load shared a little, and Cloudflare's are others. What
//! an object takes is billed as its duration, and is not among them; nor is what the runtime takes for connections, as a
//! Worker has it that answers at once, or that only looks into a cache. So a bill has a little too little CPU.

use super::{Cause, Meter, Usage};

/// What an append takes, or any other write, in us: 251 with an object that answers at once, less 176.
const WRITE_US: u64 = 75;
/// What a page takes that no cache has, in us: 237 less 165.
const PAGE_US: u64 = 72;
/// What a long-poll takes that waits on a socket of its own, in us: 444 less 177. A connection with events begins as one
/// does.
const POLL_US: u64 = 268;
/// What an answer from the cache of the datacenter takes, in us: 577 less 412.
const HIT_US: u64 = 165;
/// What an event takes that is passed on to one of 200 clients, in us: 76.9 less 38.1 on the object's own sockets, or 38.1
/// where each round is taken by itself. An edge that only pipes takes 36.9; ours takes 1.09 times as much (95 %: 1.00 to
/// 1.17).
const DELIVERY_US: u64 = 38;

/// What the verification of a token takes, in us: 616.6 less 594.0 with one client that appends, 475.3 less 452.2 with 32
/// (`cargo xtask bench append --tokens`).
const TOKEN_US: u64 = 23;

/// The CPU time of the edge, in us, for the tokens of the requests for that cause.
pub(super) fn tokens_us(usage: &Usage, cause: Cause) -> u64 {
    let count = |meter| usage.of(cause, meter);
    count(Meter::WorkerRequests).saturating_sub(count(Meter::WorkersCacheHits)) * TOKEN_US
}

/// The CPU time of the edge, in us, for what was used for that cause.
pub(super) fn worker_us(usage: &Usage, cause: Cause) -> u64 {
    let count = |meter| usage.of(cause, meter);
    let request_us = match cause {
        Cause::Write => WRITE_US,
        Cause::Poll | Cause::Connection => POLL_US,
        _ => PAGE_US,
    };
    // What Workers Cache answers reaches no Worker.
    let reached = count(Meter::WorkerRequests).saturating_sub(count(Meter::WorkersCacheHits));
    let hits = count(Meter::EdgeHits).min(reached);
    (reached - hits) * request_us + hits * HIT_US + count(Meter::Deliveries) * DELIVERY_US
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_request_takes_its_time_and_what_workers_cache_answers_takes_none() {
        for (cause, counts, expected) in [
            (Cause::Write, &[(Meter::WorkerRequests, 2)][..], 2 * WRITE_US),
            (Cause::Read, &[(Meter::WorkerRequests, 3)], 3 * PAGE_US),
            (Cause::Read, &[(Meter::WorkerRequests, 3), (Meter::EdgeHits, 1)], 2 * PAGE_US + HIT_US),
            (Cause::Poll, &[(Meter::WorkerRequests, 5), (Meter::WorkersCacheHits, 4)], POLL_US),
            (Cause::Connection, &[(Meter::WorkerRequests, 1), (Meter::Deliveries, 7)], POLL_US + 7 * DELIVERY_US),
            (Cause::Rotation, &[(Meter::ObjectRequests, 9)], 0),
            (Cause::Poll, &[(Meter::ZoneHits, 9)], 0),
        ] {
            let mut usage = Usage::default();
            counts.iter().for_each(|(meter, count)| usage.add(cause, *meter, *count));
            assert_eq!(worker_us(&usage, cause), expected, "{counts:?}");
            let reached = match counts {
                [(Meter::WorkerRequests, all), (Meter::WorkersCacheHits, hits)] => all - hits,
                [(Meter::WorkerRequests, all), ..] => *all,
                _ => 0,
            };
            assert_eq!(tokens_us(&usage, cause), reached * TOKEN_US, "{counts:?}");
        }
    }
}
