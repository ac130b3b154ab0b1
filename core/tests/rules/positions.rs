//! Reads from every kind of position, hot and from R2.

use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, Put as Creation, post};
use crate::step::Step::{Get, Post, Put};
use crate::step::{Step, Steps, run};
use crate::url::Url;

/// Reads a stream at a URL that had another one before, so that this one begins with segment 1. Checks that the answers
/// are the same after a fresh start, and after each segment that moves to R2.
fn check(put: Creation, posts: Steps<'_>, reads: &[(&'static str, &str)]) {
    let limits = StreamLimits { row_bytes: 4, segment_bytes: 10, ..StreamLimits::default() };
    let mut url = Url::with(limits, PUT.body("before"));
    url.delete();
    run(&mut url, &[(Put(put), "201 2_0")]);
    run(&mut url, posts);
    let reads: Vec<(Step, &str)> = reads.iter().map(|(from, page)| (Get(from), *page)).collect();
    run(&mut url, &reads);
    url.restart();
    run(&mut url, &reads);
    while url.rotate() {
        run(&mut url, &reads);
        url.restart();
        run(&mut url, &reads);
    }
    assert_eq!(url.stream().waiting(), 0, "all that is sealed is in R2");
}

const GONE: &str = "410 offset_gone";
const INVALID: &str = "400 invalid_offset";

/// Rows `abcd`, `ef`, `ghij`, `klm` in segment 1, and `nopq` in segment 2.
const BYTES: Steps<'static> =
    &[(Post(post("abcdef")), "2_6"), (Post(post("ghijklm")), "2_13"), (Post(post("nopq")), "3_4")];

/// Rows `1,2` and `3`, a message in three parts in segment 1, and `4,5` in segment 2.
const MESSAGES: Steps<'static> =
    &[(Post(post("[1,2,3]")), "2_3"), (Post(post("\"abcdefg\"")), "2_4"), (Post(post("[4,5]")), "3_2")];

#[test]
fn every_byte_up_to_the_tail_is_a_position() {
    check(
        PUT,
        BYTES,
        &[
            ("-1", "abcdefghijklm 2_13"),
            ("2_0", "abcdefghijklm 2_13"),
            ("2_1", "bcdefghijklm 2_13"),
            ("2_3", "defghijklm 2_13"),
            // The start of a row, of an append, and the last byte of a segment.
            ("2_4", "efghijklm 2_13"),
            ("2_5", "fghijklm 2_13"),
            ("2_6", "ghijklm 2_13"),
            ("2_12", "m 2_13"),
            // The end of a segment in both spellings.
            ("2_13", "nopq 3_4 tail"),
            ("3_0", "nopq 3_4 tail"),
            ("3_1", "opq 3_4 tail"),
            ("3_3", "q 3_4 tail"),
            ("3_4", "- 3_4 tail"),
            ("now", "- 3_4 tail"),
            // After the end of a segment, and after the tail.
            ("2_14", INVALID),
            ("2_99", INVALID),
            ("2_16777215", INVALID),
            ("2_16777216", INVALID),
            ("2_9999999999999999", INVALID),
            ("3_5", INVALID),
            ("4_0", INVALID),
            ("4_1", INVALID),
            ("9999999999999999_0", INVALID),
            // Offsets of the stream before.
            ("0_0", GONE),
            ("0_6", GONE),
            ("0_9999999999999999", GONE),
        ],
    );
}

#[test]
fn every_message_up_to_the_tail_is_a_position() {
    check(
        PUT.json(),
        MESSAGES,
        &[
            ("-1", "[1,2,3,\"abcdefg\"] 2_4"),
            ("2_0", "[1,2,3,\"abcdefg\"] 2_4"),
            // Inside a row, at the start of a row, and at a message in parts.
            ("2_1", "[2,3,\"abcdefg\"] 2_4"),
            ("2_2", "[3,\"abcdefg\"] 2_4"),
            ("2_3", "[\"abcdefg\"] 2_4"),
            ("2_4", "[4,5] 3_2 tail"),
            ("3_0", "[4,5] 3_2 tail"),
            ("3_1", "[5] 3_2 tail"),
            ("3_2", "[] 3_2 tail"),
            ("now", "[] 3_2 tail"),
            ("2_5", INVALID),
            ("2_13", INVALID),
            ("3_3", INVALID),
            ("4_0", INVALID),
            ("0_0", GONE),
        ],
    );
}

#[test]
fn the_end_of_a_closed_stream_has_two_spellings_too() {
    check(
        PUT,
        &[BYTES, &[(Post(CLOSE), "3_4 closed")]].concat(),
        &[
            ("-1", "abcdefghijklm 2_13"),
            ("2_13", "nopq 3_4 closed"),
            ("3_0", "nopq 3_4 closed"),
            ("3_2", "pq 3_4 closed"),
            ("3_4", "- 3_4 closed"),
            ("4_0", "- 3_4 closed"),
            ("now", "- 3_4 closed"),
            ("3_5", INVALID),
            ("4_1", INVALID),
            ("5_0", INVALID),
            ("0_0", GONE),
        ],
    );
    check(
        PUT.json(),
        &[MESSAGES, &[(Post(post("[6]").closing()), "3_3 closed")]].concat(),
        &[
            ("2_3", "[\"abcdefg\"] 2_4"),
            ("2_4", "[4,5,6] 3_3 closed"),
            ("3_2", "[6] 3_3 closed"),
            ("3_3", "[] 3_3 closed"),
            ("4_0", "[] 3_3 closed"),
            ("3_4", INVALID),
        ],
    );
}

#[test]
fn a_sealed_segment_at_the_tail_ends_where_the_next_begins() {
    check(
        PUT,
        &BYTES[..2],
        &[
            ("-1", "abcdefghijklm 2_13 tail"),
            ("2_7", "hijklm 2_13 tail"),
            ("2_13", "- 2_13 tail"),
            ("3_0", "- 2_13 tail"),
            ("now", "- 2_13 tail"),
            ("2_14", INVALID),
            ("3_1", INVALID),
            ("4_0", INVALID),
        ],
    );
    check(
        PUT.json(),
        &MESSAGES[..2],
        &[("2_3", "[\"abcdefg\"] 2_4 tail"), ("2_4", "[] 2_4 tail"), ("3_0", "[] 2_4 tail"), ("3_1", INVALID)],
    );
}

#[test]
fn a_stream_without_content_has_one_position() {
    check(
        PUT,
        &[],
        &[
            ("-1", "- 2_0 tail"),
            ("2_0", "- 2_0 tail"),
            ("now", "- 2_0 tail"),
            ("2_1", INVALID),
            ("3_0", INVALID),
            ("0_6", GONE),
        ],
    );
    check(
        PUT,
        &[(Post(CLOSE), "2_0 closed")],
        &[
            ("-1", "- 2_0 closed"),
            ("2_0", "- 2_0 closed"),
            ("3_0", "- 2_0 closed"),
            ("now", "- 2_0 closed"),
            ("2_1", INVALID),
        ],
    );
}

#[test]
fn many_segments_are_read_one_after_another() {
    let posts = [
        (Post(post("aaaaaaaaaa")), "2_10"),
        (Post(post("bbbbbbbbbb")), "3_10"),
        (Post(post("cccccccccc")), "4_10"),
        (Post(post("dd")), "5_2"),
    ];
    check(
        PUT,
        &posts,
        &[
            ("-1", "aaaaaaaaaa 2_10"),
            ("2_10", "bbbbbbbbbb 3_10"),
            ("3_0", "bbbbbbbbbb 3_10"),
            ("3_9", "b 3_10"),
            ("3_10", "cccccccccc 4_10"),
            ("4_10", "dd 5_2 tail"),
            ("5_0", "dd 5_2 tail"),
            ("4_11", INVALID),
            ("6_0", INVALID),
        ],
    );
}
