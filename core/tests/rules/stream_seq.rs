//! The writers' own order: `Stream-Seq` increases as text, byte by byte.

use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, post};
use crate::step::Step::{Delete, Get, Post, Put};
use crate::step::{Step, check};

/// Appends with these values one after another, and checks whether each is accepted.
fn values(cases: &[(&'static str, bool)]) {
    let mut steps: Vec<(Step, String)> = vec![(Put(PUT), "201 0_0".into())];
    let mut taken = 0;
    for (value, is_taken) in cases {
        taken += u32::from(*is_taken);
        let outcome = if *is_taken { format!("0_{taken}") } else { "409 stream_seq_regression".into() };
        steps.push((Post(post("a").seq(value)), outcome));
    }
    let steps: Vec<(Step, &str)> = steps.iter().map(|(step, outcome)| (*step, outcome.as_str())).collect();
    check(&StreamLimits::default(), &steps);
}

#[test]
fn a_value_is_taken_if_it_sorts_after_the_last_one() {
    for cases in [
        &[("a", true), ("a", false), ("b", true), ("a", false), ("c", true)][..],
        // As text: shorter before longer, capitals before small letters, "10" before "9".
        &[("a", true), ("aa", true), ("a", false), ("ab", true), ("b", true)],
        &[("b", true), ("B", false), ("C", false), ("c", true)],
        &[("9", true), ("10", false), ("90", true)],
        &[("09", true), ("10", true), ("2", true), ("19", false)],
        &[("~", true), ("z", false), ("~~", true)],
        &[(" ", true), ("!", true), (" !", false)],
    ] {
        values(cases);
    }
}

#[test]
fn the_last_value_stays_whatever_comes_between() {
    let limits = StreamLimits { segment_bytes: 3, ..StreamLimits::default() };
    for between in [
        &[(Post(post("b")), "0_2")][..],
        &[(Post(post("b").by("p", 0, 0)), "0_2")],
        // Across segments, and in one of several rows.
        &[(Post(post("bcd")), "0_4"), (Post(post("e")), "1_1")],
        &[(Post(post("b").seq("a")), "409 stream_seq_regression")],
        &[(Post(post("b").seq("z").typed("text/plain")), "409 content_type_mismatch")],
        &[(Post(post("b").seq("z").by("p", 0, 1)), "gap 0")],
        &[(Get("-1"), "a 0_1 tail")],
    ] {
        let first = [(Put(PUT), "201 0_0"), (Post(post("a").seq("m")), "0_1")];
        let last = [
            (Post(post("x").seq("m")), "409 stream_seq_regression"),
            (Post(post("x").seq("lz")), "409 stream_seq_regression"),
        ];
        check(&limits, &[&first[..], between, &last].concat());
    }
}

#[test]
fn a_close_has_its_place_in_the_order() {
    check(
        &StreamLimits::default(),
        &[
            (Put(PUT), "201 0_0"),
            (Post(post("a").seq("m")), "0_1"),
            (Post(CLOSE.seq("m")), "409 stream_seq_regression"),
            (Post(CLOSE.seq("n")), "0_1 closed"),
        ],
    );
}

#[test]
fn the_order_is_that_of_one_stream_for_all_its_producers() {
    check(
        &StreamLimits::default(),
        &[
            (Put(PUT), "201 0_0"),
            (Post(post("a").seq("m").by("p", 0, 0)), "0_1"),
            (Post(post("b").seq("k").by("q", 0, 0)), "409 stream_seq_regression"),
            (Post(post("b").seq("n").by("q", 0, 0)), "0_2"),
            // A repeated batch is a duplicate, though its value no longer sorts after the last one.
            (Post(post("a").seq("m").by("p", 0, 0)), "duplicate 0_1 last 0"),
            (Delete, ""),
            (Put(PUT), "201 2_0"),
            (Post(post("a").seq("a")), "2_1"),
        ],
    );
}
