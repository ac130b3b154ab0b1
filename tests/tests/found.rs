//! Scenarios that failed once, as they were when they had become short: each holds every invariant now. The entries of
//! docs/findings.md name them.

use tailrace_sim::scenario::Scenario;
use tailrace_sim::swarm::judge;

/// Schedules that each is played under, the one that showed the bug first: a small change moves what happens when.
const SCHEDULES: u64 = 12;

/// Each line of a scenario is one fact; see `cargo sim shrink`.
#[track_caller]
fn check(scenario: &str) {
    let found: Scenario = scenario.parse().expect("a scenario");
    for offset in 0..SCHEDULES {
        let scenario = Scenario { schedule: found.schedule.wrapping_add(offset), ..found.clone() };
        let verdict = judge(&scenario, None, false);
        assert!(verdict.violations.is_empty(), "{:#?}\n{scenario}", verdict.violations);
    }
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

#[test]
fn a_long_poll_takes_no_refusal_of_a_flight_that_is_older_than_itself() {
    check(
        "schedule 13268992152285396174
         isolates 3
         limit body_bytes 5760
         limit row_bytes 960
         limit page_bytes 516
         limit segment_messages 30
         limit segment_bytes 1048576
         fault object_link.latency.max_ms 39
         fault object_link.response_loss_permille 2
         fault crash_permille 13
         stream bytes ttl:7
         calm 337659
         at 0 c2 create s0 ttl:7
         at 4 c0 join s0 sse resume 2
         at 4 c2 join s0 sse now 1
         at 4 c3 join s0 long-poll resume 1
         at 41 c0 join s0 long-poll start 1
         at 501 c4 sequenced s0 1x0
         at 554 evict s0",
    );
}

#[test]
fn a_long_poll_asks_again_where_an_instance_whose_time_is_over_refuses_its_position() {
    check(
        "schedule 15610319815417023405
         isolates 3
         client-buffer 1335
         limit body_bytes 1820
         limit row_bytes 182
         limit page_bytes 1383
         limit segment_messages 8
         limit segment_bytes 4127
         fault object_link.latency.min_ms 12
         fault object_link.latency.max_ms 73
         fault crash_permille 95
         fault superseded.max_ms 22219
         fault superseded_reads_fail 0
         fault stale_route_permille 220
         stream text endless
         calm 215185
         at 0 c1 create s0 endless
         at 41 c1 join s0 long-poll resume 1
         at 592 c3 produce s0 1x0 1 1
         at 601 c3 produce s0 1x0 1 1
         at 6937 c0 produce s0 1x0 2 1
         at 6937 c3 produce s0 1x0 1 1
         at 6937 c0 join s0 long-poll resume 1
         at 6956 crash s0
         at 130840 c2 append s0 1x0 too-large
         at 133779 c1 join s0 long-poll now 5
         at 133794 c1 append s0 1x0
         at 133801 c3 produce s0 1x0 1 1
         at 133804 c1 produce s0 1x0 1 1
         at 133854 supersede s0",
    );
}

#[test]
fn an_instance_that_has_lost_its_storage_refuses_no_position_of_its_successor() {
    check(
        "schedule 14029806889297380231
         isolates 1
         limit body_bytes 2101
         limit row_bytes 191
         limit page_bytes 516
         limit segment_messages 1
         limit segment_bytes 992
         fault client_link.latency.min_ms 4
         fault client_link.latency.max_ms 9
         fault client_link.request_loss_permille 188
         fault client_link.response_loss_permille 107
         fault isolate_restart_permille 2
         fault superseded.max_ms 3413
         fault stale_route_permille 383
         fault socket_half_dead_permille 46
         fault answer_lost_permille 19
         stream json endless
         stream json ttl:8
         calm 17201
         at 0 c2 create s0 endless 1x31
         at 0 c0 create s1 endless
         at 41 c4 join s1 sse start 2
         at 62 c4 append s1 1x0
         at 144 c3 join s0 long-poll start 5
         at 206 c1 produce s1 1x0 1 1
         at 273 crash s0
         at 701 c3 join s1 long-poll resume 1
         at 2297 supersede s1
         at 2330 c1 append s0 1x0
         at 2421 c1 sequenced s1 1x0 passed",
    );
}
