//! Closing with and without content, and what a closed stream answers.

use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, Put as Creation, post};
use crate::step::Step::{Get, Post, Put, Rotate};
use crate::step::{Step, Steps, check, run};
use crate::url::Url;

fn limits() -> StreamLimits {
    StreamLimits { row_bytes: 4, segment_bytes: 5, ..StreamLimits::default() }
}

#[test]
fn closing_moves_the_tail_by_its_own_content_alone() {
    let cases: &[(Creation, Steps<'_>, &str)] = &[
        (PUT, &[(Post(CLOSE), "0_0 closed")], "- 0_0 closed"),
        (PUT, &[(Post(post("abc").closing()), "0_3 closed")], "abc 0_3 closed"),
        (PUT, &[(Post(post("abcdef").closing()), "0_6 closed")], "abcdef 0_6 closed"),
        (PUT, &[(Post(post("a")), "0_1"), (Post(CLOSE), "0_1 closed")], "a 0_1 closed"),
        (PUT, &[(Post(post("a")), "0_1"), (Post(post("b").closing()), "0_2 closed")], "ab 0_2 closed"),
        // The tail of a sealed segment stays where it is, whether the segment is in R2 or not.
        (PUT, &[(Post(post("abcdef")), "0_6"), (Post(CLOSE), "0_6 closed")], "abcdef 0_6 closed"),
        (PUT, &[(Post(post("abcdef")), "0_6"), (Rotate, ""), (Post(CLOSE), "0_6 closed")], "abcdef 0_6 closed"),
        (PUT, &[(Post(post("abcdef")), "0_6"), (Post(post("g").closing()), "1_1 closed")], "abcdef 0_6"),
        (PUT.json(), &[(Post(CLOSE), "0_0 closed")], "[] 0_0 closed"),
        (PUT.json(), &[(Post(post("[1,2]").closing()), "0_2 closed")], "[1,2] 0_2 closed"),
        (PUT.json(), &[(Post(post("123456").closing()), "0_1 closed")], "[123456] 0_1 closed"),
        // A close without content may carry any content type.
        (PUT.json(), &[(Post(CLOSE.typed("text/plain")), "0_0 closed")], "[] 0_0 closed"),
        (PUT, &[(Post(CLOSE.by("p", 0, 0).seq("a")), "0_0 closed")], "- 0_0 closed"),
    ];
    for (put, closing, content) in cases {
        check(&limits(), &[&[(Put(*put), "201 0_0")], *closing, &[(Get("-1"), content)]].concat());
    }
}

#[test]
fn a_refused_close_closes_nothing() {
    for (put, refused, outcome) in [
        (PUT, post("b").closing().typed("text/plain"), "409 content_type_mismatch"),
        (PUT, CLOSE.by("p", 0, 2), "gap 1"),
        (PUT, CLOSE.by("p", 1, 1), "400 epoch_must_start_at_zero"),
        (PUT, CLOSE.by("q", 0, 1), "gap 0"),
        (PUT, CLOSE.by("p", 0, 0), "duplicate 0_1 last 0"),
        (PUT, CLOSE.seq("k"), "409 stream_seq_regression"),
        (PUT.json(), post("[]").closing(), "400 empty_array"),
        (PUT.json(), post("]").closing(), "400 invalid_json"),
    ] {
        check(
            &limits(),
            &[
                (Put(put), "201 0_0"),
                (Post(post("1").by("p", 0, 0).seq("k")), "0_1"),
                (Post(refused), outcome),
                (Post(post("2")), "0_2"),
            ],
        );
    }
}

#[test]
fn a_closed_stream_takes_nothing_and_knows_the_request_that_closed_it() {
    let by_producer = post("b").by("p", 0, 1).closing();
    let cases: &[(Step, Steps<'_>)] = &[
        (
            Post(by_producer),
            &[
                (Post(CLOSE), "already closed"),
                (Post(CLOSE.seq("a")), "already closed"),
                (Post(CLOSE.by("q", 0, 0)), "already closed"),
                (Post(CLOSE.by("p", 0, 0)), "already closed"),
                // The same stamp as that of the request that closed it, whatever comes with it.
                (Post(by_producer), "duplicate 0_2 last 1"),
                (Post(CLOSE.by("p", 0, 1)), "duplicate 0_2 last 1"),
                (Post(post("x").by("p", 0, 1)), "duplicate 0_2 last 1"),
                (Post(post("a").by("p", 0, 0)), "closed"),
                (Post(post("c").by("p", 0, 2)), "closed"),
                (Post(post("c").by("p", 1, 0)), "closed"),
                (Post(post("c").by("p", 1, 1).closing()), "closed"),
                (Post(post("b").by("q", 0, 1).closing()), "closed"),
                (Post(post("c")), "closed"),
                (Post(post("c").closing()), "closed"),
                (Post(post("c").typed("text/html")), "closed"),
            ],
        ),
        (
            Post(post("b").closing()),
            &[
                (Post(CLOSE), "already closed"),
                (Post(CLOSE.by("p", 0, 1)), "already closed"),
                (Post(CLOSE.by("p", 0, 0)), "already closed"),
                (Post(post("a").by("p", 0, 0)), "closed"),
                (Post(post("b").closing()), "closed"),
            ],
        ),
        (
            Post(post("b").closing().by("q", 4, 0)),
            &[
                (Post(post("b").closing().by("q", 4, 0)), "duplicate 0_2 last 0"),
                (Post(post("b").closing().by("q", 5, 0)), "closed"),
                (Post(post("b").closing().by("q", 3, 0)), "closed"),
                (Post(post("a").by("p", 0, 0)), "closed"),
            ],
        ),
    ];
    for (closing, asked) in cases {
        let open = [(Put(PUT), "201 0_0"), (Post(post("a").by("p", 0, 0).seq("k")), "0_1"), (*closing, "0_2 closed")];
        let content = [(Get("-1"), "ab 0_2 closed")];
        check(&limits(), &[&open[..], *asked, &content].concat());
    }
}

#[test]
fn a_stream_created_closed_is_closed_by_nobody() {
    check(
        &limits(),
        &[
            (Put(PUT.body("ab").closed()), "201 0_2 closed"),
            (Post(CLOSE), "already closed"),
            (Post(CLOSE.by("p", 0, 0)), "already closed"),
            (Post(post("c").by("p", 0, 0)), "closed"),
            (Get("-1"), "ab 0_2 closed"),
        ],
    );
}

#[test]
fn closing_a_segment_with_content_is_told_in_its_transaction() {
    for (closing, told) in [(CLOSE, 0), (post("a").closing(), 1)] {
        let mut url = Url::with(limits(), PUT);
        url.post(closing);
        assert_eq!(url.sealed.get(), told, "{closing:?}");
    }
    let mut url = Url::with(limits(), PUT.body("a"));
    run(&mut url, &[(Post(CLOSE), "0_1 closed")]);
    assert_eq!(url.sealed.get(), 1);
    // A segment that is in R2 already needs no alarm.
    let mut url = Url::with(limits(), PUT.body("abcde"));
    run(&mut url, &[(Rotate, ""), (Post(CLOSE), "0_5 closed")]);
    assert_eq!(url.sealed.get(), 0);
}
