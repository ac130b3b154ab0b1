//! Sliding and fixed ends.

use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, Ends, PUT, post};
use crate::step::Step::{Get, Post, Put, Restart, Rotate, Wait};
use crate::step::{Steps, check, run};
use crate::url::{START_MS, Url};

/// Creates a stream with this end at the start, and runs the steps. Checks when it ends and which deadline is stored,
/// both in ms after the start, and that it is gone at its end and not a millisecond before.
fn ends(ends: Ends, steps: Steps<'_>, ends_ms: u64, stored_ms: u64) {
    for restarts in [false, true] {
        let limits = StreamLimits { segment_bytes: 3, ..StreamLimits::default() };
        let mut url = Url::with(limits, PUT.ends(ends));
        for step in steps {
            run(&mut url, &[*step]);
            if restarts {
                url.restart();
            }
        }
        let stream = url.stream();
        assert_eq!(stream.ends_ms(), Some(START_MS + ends_ms), "{ends:?} {steps:?}");
        assert_eq!(stream.deadline_ms, Some(START_MS + stored_ms), "{ends:?} {steps:?}");
        for (now_ms, remaining_ms) in [(0, ends_ms), (ends_ms - 1, 1), (ends_ms, 0), (ends_ms + 1, 0)] {
            assert_eq!(stream.remaining_ms(START_MS + now_ms), Some(remaining_ms));
        }
        assert!(url.slot.living(START_MS + ends_ms - 1).is_ok(), "{ends:?} {steps:?}");
        url.now_ms = START_MS + ends_ms;
        for step in [Get("-1"), Get("now"), Get("0_0"), Get("9_9"), Post(post("x")), Post(CLOSE)] {
            run(&mut url, &[(step, "404 stream_not_found")]);
        }
    }
}

#[test]
fn a_sliding_end_has_a_slack_of_an_eighth_within_bounds() {
    for (ttl_s, ends_ms) in
        [(1, 1_125), (8, 9_000), (40, 45_000), (59, 64_000), (60, 67_500), (480, 540_000), (3_600, 3_660_000)]
    {
        ends(Ends::Ttl(ttl_s), &[], ends_ms, ends_ms);
    }
}

#[test]
fn a_read_moves_the_stored_deadline_only_where_it_has_to() {
    let tail = "- 0_0 tail";
    for (steps, ends_ms) in [
        (&[(Wait(7_500), ""), (Get("-1"), tail)][..], 67_500),
        (&[(Wait(7_501), ""), (Get("-1"), tail)], 75_001),
        (&[(Wait(7_501), ""), (Get("now"), tail)], 75_001),
        (&[(Wait(7_501), ""), (Get("0_0"), tail)], 75_001),
        (&[(Wait(67_499), ""), (Get("-1"), tail)], 134_999),
        (&[(Wait(10_000), ""), (Get("-1"), tail), (Wait(7_500), ""), (Get("-1"), tail)], 77_500),
        (&[(Wait(10_000), ""), (Get("-1"), tail), (Wait(7_501), ""), (Get("-1"), tail)], 85_001),
        // A refused read moves nothing.
        (&[(Wait(10_000), ""), (Get("0_1"), "400 invalid_offset")], 67_500),
    ] {
        ends(Ends::Ttl(60), steps, ends_ms, ends_ms);
    }
}

#[test]
fn an_append_counts_by_the_commit_time_of_its_row() {
    let a = Post(post("a"));
    for (steps, ends_ms, stored_ms) in [
        (&[(a, "0_1")][..], 67_500, 67_500),
        (&[(Wait(7_501), ""), (a, "0_1")], 67_501, 67_500),
        (&[(Wait(20_000), ""), (a, "0_1")], 80_000, 67_500),
        (&[(Wait(20_000), ""), (Post(CLOSE), "0_0 closed")], 80_000, 67_500),
        (&[(Wait(20_000), ""), (Post(post("abc")), "0_3"), (Rotate, "")], 80_000, 67_500),
        // A later read moves the end that the append has set.
        (&[(Wait(20_000), ""), (a, "0_1"), (Get("-1"), "a 0_1 tail")], 80_000, 67_500),
        (&[(Wait(20_000), ""), (a, "0_1"), (Wait(1), ""), (Get("-1"), "a 0_1 tail")], 87_501, 87_501),
        // The clock went back: the commit time did not.
        (&[(Wait(20_000), ""), (a, "0_1"), (a, "0_2")], 80_001, 67_500),
    ] {
        ends(Ends::Ttl(60), steps, ends_ms, stored_ms);
    }
}

#[test]
fn of_requests_that_write_nothing_only_those_that_succeed_count_as_a_use() {
    let same = PUT.ends(Ends::Ttl(60));
    let stamped = Post(post("a").by("p", 1, 0).seq("k"));
    let closing = Post(CLOSE.by("p", 0, 0));
    for (before, asked, is_use) in [
        (&[][..], (Put(same), "200 0_0"), true),
        (&[], (Put(same.body("ignored")), "200 0_0"), true),
        (&[], (Put(PUT), "409 configuration_conflict"), false),
        (&[(stamped, "0_1")], (stamped, "duplicate 0_1 last 0"), true),
        (&[(stamped, "0_1")], (Post(post("a").by("p", 1, 2)), "gap 1"), false),
        (&[(stamped, "0_1")], (Post(post("a").by("p", 0, 1)), "stale 1"), false),
        (&[(stamped, "0_1")], (Post(post("a").by("p", 2, 1)), "400 epoch_must_start_at_zero"), false),
        (&[(stamped, "0_1")], (Post(post("a").seq("k")), "409 stream_seq_regression"), false),
        (&[], (Post(post("a").typed("text/plain")), "409 content_type_mismatch"), false),
        (&[(Post(CLOSE), "0_0 closed")], (Post(CLOSE), "already closed"), true),
        (&[(Post(CLOSE), "0_0 closed")], (Post(post("a")), "closed"), false),
        (&[(closing, "0_0 closed")], (closing, "duplicate 0_0 last 0"), true),
        (&[(closing, "0_0 closed")], (Post(post("a").by("p", 0, 0)), "duplicate 0_0 last 0"), true),
        (&[(closing, "0_0 closed")], (Post(post("a").by("p", 0, 1)), "closed"), false),
    ] {
        let ends_ms = if is_use { 77_500 } else { 67_500 };
        ends(Ends::Ttl(60), &[before, &[(Wait(10_000), ""), asked]].concat(), ends_ms, ends_ms);
    }
}

#[test]
fn a_fixed_end_is_moved_by_nothing() {
    let at = Ends::At("1970-01-01T00:16:50Z");
    let uses = &[
        (Wait(5_000), ""),
        (Get("-1"), "- 0_0 tail"),
        (Post(post("a")), "0_1"),
        (Put(PUT.ends(Ends::At("1970-01-01T01:16:50.000+01:00"))), "200 0_1"),
        (Post(CLOSE), "0_1 closed"),
        (Post(CLOSE), "already closed"),
    ];
    ends(at, &[], 10_000, 10_000);
    ends(at, uses, 10_000, 10_000);
}

#[test]
fn a_stream_may_be_past_its_end_as_soon_as_it_is_there() {
    for over in [
        Ends::Ttl(0),
        Ends::At("1970-01-01T00:00:01Z"),
        Ends::At("1970-01-01T00:16:40Z"),
        Ends::At("0001-01-01T00:00:00Z"),
    ] {
        // Each request creates it anew, since the one before has expired.
        check(
            &StreamLimits::default(),
            &[
                (Put(PUT.ends(over).body("a")), "201 0_1"),
                (Get("-1"), "404 stream_not_found"),
                (Post(post("b")), "404 stream_not_found"),
                (Put(PUT.ends(over).closed()), "201 2_0 closed"),
                (Put(PUT), "201 4_0"),
                (Get("0_0"), "410 offset_gone"),
                (Get("-1"), "- 4_0 tail"),
            ],
        );
    }
}

#[test]
fn a_stream_without_an_end_lives_on() {
    let mut url = Url::with(StreamLimits::default(), PUT.body("a"));
    assert_eq!(
        (url.stream().ends_ms(), url.stream().deadline_ms, url.stream().remaining_ms(START_MS)),
        (None, None, None)
    );
    run(&mut url, &[(Wait(1 << 50), ""), (Get("-1"), "a 0_1 tail"), (Restart, ""), (Post(post("b")), "0_2")]);
}
