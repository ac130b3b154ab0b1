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
    run(&mut url, &[(Put(put), "201 1_0")]);
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
    &[(Post(post("abcdef")), "1_6"), (Post(post("ghijklm")), "1_13"), (Post(post("nopq")), "2_4")];

/// Rows `1,2` and `3`, a message in three parts in segment 1, and `4,5` in segment 2.
const MESSAGES: Steps<'static> =
    &[(Post(post("[1,2,3]")), "1_3"), (Post(post("\"abcdefg\"")), "1_4"), (Post(post("[4,5]")), "2_2")];

#[test]
fn every_byte_up_to_the_tail_is_a_position() {
    check(
        PUT,
        BYTES,
        &[
            ("-1", "abcdefghijklm 1_13"),
            ("1_0", "abcdefghijklm 1_13"),
            ("1_1", "bcdefghijklm 1_13"),
            ("1_3", "defghijklm 1_13"),
            // The start of a row, of an append, and the last byte of a segment.
            ("1_4", "efghijklm 1_13"),
            ("1_5", "fghijklm 1_13"),
            ("1_6", "ghijklm 1_13"),
            ("1_12", "m 1_13"),
            // The end of a segment in both spellings.
            ("1_13", "nopq 2_4 tail"),
            ("2_0", "nopq 2_4 tail"),
            ("2_1", "opq 2_4 tail"),
            ("2_3", "q 2_4 tail"),
            ("2_4", "- 2_4 tail"),
            ("now", "- 2_4 tail"),
            // After the end of a segment, and after the tail.
            ("1_14", INVALID),
            ("1_99", INVALID),
            ("1_16777215", INVALID),
            ("1_16777216", INVALID),
            ("1_9999999999999999", INVALID),
            ("2_5", INVALID),
            ("3_0", INVALID),
            ("3_1", INVALID),
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
            ("-1", "[1,2,3,\"abcdefg\"] 1_4"),
            ("1_0", "[1,2,3,\"abcdefg\"] 1_4"),
            // Inside a row, at the start of a row, and at a message in parts.
            ("1_1", "[2,3,\"abcdefg\"] 1_4"),
            ("1_2", "[3,\"abcdefg\"] 1_4"),
            ("1_3", "[\"abcdefg\"] 1_4"),
            ("1_4", "[4,5] 2_2 tail"),
            ("2_0", "[4,5] 2_2 tail"),
            ("2_1", "[5] 2_2 tail"),
            ("2_2", "[] 2_2 tail"),
            ("now", "[] 2_2 tail"),
            ("1_5", INVALID),
            ("1_13", INVALID),
            ("2_3", INVALID),
            ("3_0", INVALID),
            ("0_0", GONE),
        ],
    );
}

#[test]
fn the_end_of_a_closed_stream_has_two_spellings_too() {
    check(
        PUT,
        &[BYTES, &[(Post(CLOSE), "2_4 closed")]].concat(),
        &[
            ("-1", "abcdefghijklm 1_13"),
            ("1_13", "nopq 2_4 closed"),
            ("2_0", "nopq 2_4 closed"),
            ("2_2", "pq 2_4 closed"),
            ("2_4", "- 2_4 closed"),
            ("3_0", "- 2_4 closed"),
            ("now", "- 2_4 closed"),
            ("2_5", INVALID),
            ("3_1", INVALID),
            ("4_0", INVALID),
            ("0_0", GONE),
        ],
    );
    check(
        PUT.json(),
        &[MESSAGES, &[(Post(post("[6]").closing()), "2_3 closed")]].concat(),
        &[
            ("1_3", "[\"abcdefg\"] 1_4"),
            ("1_4", "[4,5,6] 2_3 closed"),
            ("2_2", "[6] 2_3 closed"),
            ("2_3", "[] 2_3 closed"),
            ("3_0", "[] 2_3 closed"),
            ("2_4", INVALID),
        ],
    );
}

#[test]
fn a_sealed_segment_at_the_tail_ends_where_the_next_begins() {
    check(
        PUT,
        &BYTES[..2],
        &[
            ("-1", "abcdefghijklm 1_13 tail"),
            ("1_7", "hijklm 1_13 tail"),
            ("1_13", "- 1_13 tail"),
            ("2_0", "- 1_13 tail"),
            ("now", "- 1_13 tail"),
            ("1_14", INVALID),
            ("2_1", INVALID),
            ("3_0", INVALID),
        ],
    );
    check(
        PUT.json(),
        &MESSAGES[..2],
        &[("1_3", "[\"abcdefg\"] 1_4 tail"), ("1_4", "[] 1_4 tail"), ("2_0", "[] 1_4 tail"), ("2_1", INVALID)],
    );
}

#[test]
fn a_stream_without_content_has_one_position() {
    check(
        PUT,
        &[],
        &[
            ("-1", "- 1_0 tail"),
            ("1_0", "- 1_0 tail"),
            ("now", "- 1_0 tail"),
            ("1_1", INVALID),
            ("2_0", INVALID),
            ("0_6", GONE),
        ],
    );
    check(
        PUT,
        &[(Post(CLOSE), "1_0 closed")],
        &[
            ("-1", "- 1_0 closed"),
            ("1_0", "- 1_0 closed"),
            ("2_0", "- 1_0 closed"),
            ("now", "- 1_0 closed"),
            ("1_1", INVALID),
        ],
    );
}

#[test]
fn many_segments_are_read_one_after_another() {
    let posts = [
        (Post(post("aaaaaaaaaa")), "1_10"),
        (Post(post("bbbbbbbbbb")), "2_10"),
        (Post(post("cccccccccc")), "3_10"),
        (Post(post("dd")), "4_2"),
    ];
    check(
        PUT,
        &posts,
        &[
            ("-1", "aaaaaaaaaa 1_10"),
            ("1_10", "bbbbbbbbbb 2_10"),
            ("2_0", "bbbbbbbbbb 2_10"),
            ("2_9", "b 2_10"),
            ("2_10", "cccccccccc 3_10"),
            ("3_10", "dd 4_2 tail"),
            ("4_0", "dd 4_2 tail"),
            ("3_11", INVALID),
            ("5_0", INVALID),
        ],
    );
}
