//! Epochs and sequence numbers.

use tailrace_core::protocol::limits::MAX_INTEGER;
use tailrace_core::storage::SqlStorage;
use tailrace_core::stream::StreamLimits;

use crate::request::{PUT, Post as Append, post};
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

/// A stream of these limits whose producers have these names, in the order in which they have appended, a second apart.
fn kept(limits: StreamLimits, names: &[&'static str]) -> Url {
    let mut url = Url::with(limits, PUT);
    for name in names {
        url.now_ms += 1_000;
        assert!(url.post(post("a").by(name, 0, 0)).starts_with("0_"), "{name}");
    }
    url
}

fn names(url: &Url) -> Vec<String> {
    let select = "SELECT id FROM producers ORDER BY id";
    url.sql.query(select, &[], |row| Ok(row.text(0)?.to_owned())).expect("storage works")
}

#[test]
fn beyond_its_producers_a_stream_takes_one_more_only_in_the_place_of_an_idle_one() {
    const FULL: &str = "507 too_many_producers";
    for restarts in [false, true] {
        let mut url =
            kept(StreamLimits { producers: 2, producer_idle_ms: 10_000, ..StreamLimits::default() }, &["p", "q"]);
        let steps: &[(u64, Append, &str)] = &[
            (0, post("b").by("r", 0, 0), FULL),
            // Those that have a place go on, and a gap is a gap.
            (0, post("b").by("q", 0, 1), "0_3"),
            (0, post("b").by("r", 0, 1), "gap 0"),
            (8_999, post("b").by("r", 0, 0), FULL),
            // Ten seconds after its last append `p` is idle. A duplicate is no append.
            (0, post("a").by("p", 0, 0), "duplicate 0_1 last 0"),
            (1, post("b").by("r", 0, 0), "0_4"),
            (0, post("b").by("s", 0, 0), FULL),
            // Whoever has lost its place begins anew, where there is one.
            (0, post("a").by("p", 0, 1), "gap 0"),
            (0, post("a").by("p", 0, 0), FULL),
            // That of `q`, whose last append was a ms after the one before.
            (1_000, post("a").by("p", 0, 0), FULL),
            (1, post("a").by("p", 0, 0), "0_5"),
        ];
        for (wait_ms, post, outcome) in steps {
            url.now_ms += wait_ms;
            assert_eq!(url.post(*post), *outcome, "{post:?}");
            if restarts {
                url.restart();
            }
        }
        assert_eq!((names(&url), url.stream().tail.producers), (vec!["p".to_owned(), "r".to_owned()], 2));
    }
}

#[test]
fn the_count_of_producers_is_that_of_their_rows_wherever_the_tail_is() {
    for rotates in [false, true] {
        let mut url = kept(StreamLimits { segment_rows: 2, ..StreamLimits::default() }, &[]);
        for (name, seq) in [("p", 0), ("q", 0), ("p", 1), ("r", 0), ("r", 1), ("q", 1)] {
            url.post(post("a").by(name, 0, seq));
            while rotates && url.rotate() {}
            url.restart();
            assert_eq!(url.stream().tail.producers, names(&url).len() as u64);
        }
        url.post(post("").untyped().by("s", 0, 0).closing());
        url.restart();
        assert_eq!((url.stream().tail.producers, names(&url).len()), (4, 4));
    }
}

#[test]
fn a_look_for_an_idle_producer_takes_256_and_the_next_one_goes_on_after_them() {
    let limits = StreamLimits { producers: 600, producer_idle_ms: 100_000_000, ..StreamLimits::default() };
    let all: Vec<&'static str> = (0..600).map(|number| &*format!("p{number:03}").leak()).collect();
    for restarts in [false, true] {
        let mut url = kept(limits.clone(), &all);
        let idle = "UPDATE producers SET commit_ms = 0 WHERE id = 'p599'";
        url.sql.run(idle, &[]).expect("storage works");
        let mut outcomes = Vec::new();
        for _ in 0..6 {
            outcomes.push(url.post(post("b").by("new", 0, 0)));
            if restarts {
                url.restart();
            }
        }
        let full = || "507 too_many_producers".to_owned();
        let next = "0_601".to_owned();
        let expected = [full(), full(), next, "duplicate 0_601 last 0".to_owned()];
        assert_eq!(outcomes[..4], expected, "restarts: {restarts}");
        assert!(!names(&url).contains(&"p599".to_owned()));
        // The look goes round.
        url.sql.run("UPDATE producers SET commit_ms = 0 WHERE id = 'p000'", &[]).expect("storage works");
        let outcomes: Vec<_> = (0..2).map(|_| url.post(post("c").by("newer", 0, 0))).collect();
        assert!(outcomes.contains(&"0_602".to_owned()), "{outcomes:?}");
    }
}
