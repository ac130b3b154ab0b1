//! Epochs and sequence numbers.

use tailrace_core::protocol::limits::MAX_INTEGER;
use tailrace_core::stream::StreamLimits;

use crate::request::{PUT, post};
use crate::step::Step::{Get, Post, Put};
use crate::step::{Step, check};
use crate::url::Url;

fn limits() -> StreamLimits {
    StreamLimits { segment_bytes: 3, ..StreamLimits::default() }
}

/// Appends with these stamps of one producer, each with its outcome.
fn stamps(cases: &[(u64, u64, &str)]) {
    let stamped = cases.iter().map(|(epoch, seq, outcome)| (Post(post("a").by("p", *epoch, *seq)), *outcome));
    let steps: Vec<(Step, &str)> = std::iter::once((Put(PUT), "201 0_0")).chain(stamped).collect();
    // Segments are long here, so that outcomes are easy to read.
    check(&StreamLimits::default(), &steps);
}

#[test]
fn a_producer_counts_from_zero_without_a_gap() {
    for cases in [
        &[(0, 0, "0_1"), (0, 1, "0_2"), (0, 2, "0_3")][..],
        // An unknown producer begins with any epoch, and with sequence number 0.
        &[(7, 0, "0_1"), (7, 1, "0_2")],
        &[(MAX_INTEGER, 0, "0_1"), (MAX_INTEGER, 1, "0_2"), (MAX_INTEGER, 1, "duplicate 0_2 last 1")],
        &[(0, 1, "gap 0"), (0, 0, "0_1")],
        &[(7, 3, "gap 0"), (0, 0, "0_1")],
        &[(0, 0, "0_1"), (0, 2, "gap 1"), (0, MAX_INTEGER, "gap 1"), (0, 1, "0_2"), (0, 3, "gap 2")],
    ] {
        stamps(cases);
    }
}

#[test]
fn what_was_accepted_before_is_a_duplicate() {
    for cases in [
        &[(0, 0, "0_1"), (0, 0, "duplicate 0_1 last 0"), (0, 0, "duplicate 0_1 last 0"), (0, 1, "0_2")][..],
        &[(3, 0, "0_1"), (3, 1, "0_2"), (3, 1, "duplicate 0_2 last 1"), (3, 2, "0_3")],
    ] {
        stamps(cases);
    }
    // A repeat of the last batch answers that batch's end, and one of an older batch the tail, whatever others have
    // appended.
    check(
        &limits(),
        &[
            (Put(PUT), "201 0_0"),
            (Post(post("a").by("p", 0, 0)), "0_1"),
            (Post(post("b").by("p", 0, 1)), "0_2"),
            (Post(post("xy")), "0_4"),
            (Post(post("z").by("q", 0, 0)), "1_1"),
            (Post(post("b").by("p", 0, 1)), "duplicate 0_2 last 1"),
            (Post(post("a").by("p", 0, 0)), "duplicate 1_1 last 1"),
            (Post(post("z").by("q", 0, 0)), "duplicate 1_1 last 0"),
            // Of its body only the content type is checked.
            (Post(post("something else").by("p", 0, 1)), "duplicate 0_2 last 1"),
            (Get("-1"), "abxy 0_4"),
            (Get("0_4"), "z 1_1 tail"),
        ],
    );
}

#[test]
fn a_later_epoch_takes_over_from_zero() {
    for cases in [
        &[(0, 0, "0_1"), (1, 0, "0_2"), (1, 1, "0_3")][..],
        &[(0, 0, "0_1"), (5, 1, "400 epoch_must_start_at_zero"), (0, 1, "0_2"), (5, 0, "0_3"), (5, 1, "0_4")],
        &[(2, 0, "0_1"), (1, 0, "stale 2"), (0, 9, "stale 2"), (1, 1, "stale 2"), (2, 1, "0_2")],
        &[
            (0, 0, "0_1"),
            (0, 1, "0_2"),
            (1, 0, "0_3"),
            (0, 1, "stale 1"),
            (0, 2, "stale 1"),
            (1, 0, "duplicate 0_3 last 0"),
        ],
        // The same sequence number in two epochs is two batches.
        &[(0, 0, "0_1"), (1, 0, "0_2"), (2, 0, "0_3"), (2, 0, "duplicate 0_3 last 0")],
    ] {
        stamps(cases);
    }
}

#[test]
fn producers_know_nothing_of_each_other() {
    check(
        &limits(),
        &[
            (Put(PUT), "201 0_0"),
            (Post(post("a").by("p", 9, 0)), "0_1"),
            (Post(post("b").by("q", 0, 0)), "0_2"),
            (Post(post("c").by("P", 0, 0)), "0_3"),
            (Post(post("d").by("q", 0, 1)), "1_1"),
            (Post(post("e").by("p", 9, 1)), "1_2"),
            (Post(post("f").by("P", 0, 2)), "gap 1"),
            (Post(post("b").by("q", 0, 0)), "duplicate 1_2 last 1"),
        ],
    );
}

#[test]
fn what_was_refused_leaves_the_producer_where_it_was() {
    for refused in [
        (Post(post("x").by("p", 0, 1).seq("k")), "409 stream_seq_regression"),
        (Post(post("x").by("p", 0, 1).typed("text/plain")), "409 content_type_mismatch"),
        (Post(post("x").by("p", 0, 5)), "gap 1"),
        (Post(post("x").by("p", 4, 1)), "400 epoch_must_start_at_zero"),
        (Post(post("x").by("p", 4, 0).seq("k")), "409 stream_seq_regression"),
    ] {
        check(
            &limits(),
            &[
                (Put(PUT), "201 0_0"),
                (Post(post("a").by("p", 0, 0).seq("k")), "0_1"),
                refused,
                (Post(post("b").by("p", 0, 1).seq("l")), "0_2"),
            ],
        );
    }
}

#[test]
fn a_duplicate_writes_nothing() {
    let mut url = Url::with(limits(), PUT);
    url.post(post("a").by("p", 0, 0).seq("k"));
    let before = url.stream().clone();
    url.now_ms += 10_000;
    for again in
        [post("a").by("p", 0, 0).seq("k"), post("abc").by("p", 0, 0).seq("z"), post("a").by("p", 0, 0).closing()]
    {
        assert_eq!(url.post(again), "duplicate 0_1 last 0", "{again:?}");
        assert_eq!(*url.stream(), before, "{again:?}");
    }
}
