//! Scenarios that failed once, as they were when they had become short: each holds every invariant now. The entries of
//! docs/findings.md name them.

use tailrace_sim::scenario::Scenario;
use tailrace_sim::swarm::judge;

/// Each line of a scenario is one fact; see `cargo sim shrink`.
#[track_caller]
fn check(scenario: &str) {
    let scenario: Scenario = scenario.parse().expect("a scenario");
    let verdict = judge(&scenario, None, false);
    assert!(verdict.violations.is_empty(), "{:#?}\n{scenario}", verdict.violations);
}

#[test]
fn a_stream_closed_before_its_first_append_has_nothing_that_waits_for_r2() {
    check(
        "stream json endless
         calm 1000
         at 0 c0 create s0 endless
         at 500 c1 close s0",
    );
}

#[test]
fn a_sweep_goes_on_behind_a_listing_that_holds_nothing_though_more_follows() {
    check(
        "schedule 8750769374838055765
         limit body_bytes 4752
         limit row_bytes 528
         limit page_bytes 1508
         limit segment_messages 30
         cold retry_min_ms 540
         cold retry_max_ms 16200
         cold orphan_age_ms 19449
         cold sweep_page 2
         fault bucket.late_permille 460
         fault bucket.short_page_permille 622
         stream json endless
         calm 250158
         at 0 c2 create s0 endless
         at 500 c2 produce s0 10x35 1 1
         at 3211 c1 produce s0 11x5 2 1",
    );
}
