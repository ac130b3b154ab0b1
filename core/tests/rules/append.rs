//! Bodies, messages, rows, limits and commit times.

use tailrace_core::protocol::limits::LOG_ROW_BYTES;
use tailrace_core::storage::{SqlParam, SqlStorage, row_key};
use tailrace_core::stream::{AppendOutcome, StreamLimits};

use crate::request::{CLOSE, PUT, Put as Creation, post};
use crate::step::Step::{Get, Post, Put, Rotate};
use crate::step::{check, run};
use crate::url::{START_MS, Url, short};

/// What a row counts besides its bytes.
const ROW: u64 = LOG_ROW_BYTES;

const ROWS_OF_FOUR: StreamLimits = StreamLimits { row_bytes: 4, ..ROOMY };

/// Limits that no case here reaches.
const ROOMY: StreamLimits = StreamLimits {
    body_bytes: 8 << 20,
    row_bytes: 1 << 20,
    page_bytes: 1 << 20,
    segment_rows: 1_000,
    segment_bytes: 4 << 20,
    hot_bytes: 1 << 30,
    database_bytes: 10_000_000_000,
    producers: 65_536,
    producer_idle_ms: 86_400_000,
};

#[test]
fn a_body_takes_as_few_rows_as_it_can_and_is_read_back_whole() {
    let (bytes, json) = (PUT, PUT.json());
    let cases: &[(Creation, &str, usize, &str, &str)] = &[
        // Bytes, in rows of four.
        (bytes, "a", 1, "0_1", "a"),
        (bytes, "abcd", 1, "0_4", "abcd"),
        (bytes, "abcde", 2, "0_5", "abcde"),
        (bytes, "abcdefghi", 3, "0_9", "abcdefghi"),
        // Messages: a row holds whole ones, as many as fit with their commas.
        (json, "1", 1, "0_1", "[1]"),
        (json, "[1]", 1, "0_1", "[1]"),
        (json, "[1,2]", 1, "0_2", "[1,2]"),
        (json, " [ 1 , 22 ] ", 1, "0_2", "[1,22]"),
        (json, "[1,222]", 2, "0_2", "[1,222]"),
        (json, "[1,2,3,4]", 2, "0_4", "[1,2,3,4]"),
        (json, "[[1]]", 1, "0_1", "[[1]]"),
        (json, "[[],[]]", 2, "0_2", "[[],[]]"),
        // A message that is larger than a row has rows of its own.
        (json, "12345", 2, "0_1", "[12345]"),
        (json, "[12345678]", 2, "0_1", "[12345678]"),
        (json, "[1,123456789,2]", 5, "0_3", "[1,123456789,2]"),
        (json, "[1,2,12345,3,4]", 4, "0_5", "[1,2,12345,3,4]"),
    ];
    for (put, body, rows, next, content) in cases {
        let mut url = Url::with(ROWS_OF_FOUR, *put);
        match url.append(post(body)) {
            Ok(AppendOutcome::Appended { next: end, rows: written, content: added, took_place: false }) => {
                assert_eq!((short(end).as_str(), written), (*next, *rows), "{body}");
                let added = String::from_utf8(added.to_vec()).unwrap();
                let inner = content.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
                assert_eq!(added, inner.unwrap_or(content), "{body}");
            }
            other => panic!("{body}: {other:?}"),
        }
        let stored = url.sql.first("SELECT count(*) FROM log", &[], |row| row.count(0));
        assert_eq!(stored, Ok(Some(*rows as u64)), "{body}");
        check(
            &ROWS_OF_FOUR,
            &[(Put(*put), "201 0_0"), (Post(post(body)), next), (Get("-1"), &format!("{content} {next} tail"))],
        );
    }
}

#[test]
fn appends_follow_each_other() {
    check(
        &ROWS_OF_FOUR,
        &[
            (Put(PUT.body("ab")), "201 0_2"),
            (Post(post("cdefg")), "0_7"),
            (Post(post("h")), "0_8"),
            (Get("-1"), "abcdefgh 0_8 tail"),
        ],
    );
    check(
        &ROWS_OF_FOUR,
        &[
            (Put(PUT.json().body("[1,2]")), "201 0_2"),
            (Post(post("{\"a\":3}")), "0_3"),
            (Post(post("[4,5]")), "0_5"),
            (Get("-1"), "[1,2,{\"a\":3},4,5] 0_5 tail"),
        ],
    );
}

#[test]
fn what_is_refused_changes_nothing() {
    for (put, refused, outcome) in [
        (PUT, post("a").typed("text/plain"), "409 content_type_mismatch"),
        (PUT, post("a").untyped(), "409 content_type_mismatch"),
        (PUT, post("a").typed("text/plain").closing(), "409 content_type_mismatch"),
        (PUT.json(), post("1").typed("text/json"), "409 content_type_mismatch"),
        (PUT.json(), post("[]"), "400 empty_array"),
        (PUT.json(), post(" [ ] ").closing(), "400 empty_array"),
        (PUT.json(), post("[1"), "400 invalid_json"),
        (PUT.json(), post("1 2"), "400 invalid_json"),
        (PUT.json(), post(" "), "400 invalid_json"),
    ] {
        let mut url = Url::with(ROOMY, put);
        let before = url.stream().clone();
        url.now_ms += 1;
        assert_eq!(url.post(refused), outcome, "{refused:?}");
        assert_eq!(*url.stream(), before, "{refused:?}");
    }
    for (put, accepted) in [
        (PUT.typed("text/plain"), post("1").typed("TEXT/plain; charset=utf-8")),
        (PUT.json(), post("1").typed("application/JSON;a=b")),
        (PUT, post("1").typed("application/octet-stream")),
    ] {
        check(&ROOMY, &[(Put(put), "201 0_0"), (Post(accepted), "0_1")]);
    }
}

#[test]
fn of_several_reasons_for_a_refusal_the_first_in_order_is_told() {
    let wrong_seq = post("x").seq("m");
    let wrong_producer = wrong_seq.by("p", 3, 9);
    let wrong_type = wrong_producer.typed("text/plain");
    let stale = wrong_seq.by("p", 2, 0);
    let duplicate = wrong_seq.by("p", 3, 0);
    let open = &[
        (Put(PUT), "201 0_0"),
        (Post(post("ab").by("p", 3, 0).seq("n")), "0_2"),
        (Post(wrong_type), "409 content_type_mismatch"),
        (Post(wrong_producer), "gap 1"),
        (Post(stale), "stale 3"),
        (Post(duplicate), "duplicate 0_2 last 0"),
        (Post(wrong_seq), "409 stream_seq_regression"),
        (Post(CLOSE), "0_2 closed"),
        (Post(wrong_type), "closed"),
        (Post(wrong_producer), "closed"),
        (Post(stale), "closed"),
        (Post(duplicate), "closed"),
        (Post(wrong_seq), "closed"),
    ];
    check(&ROOMY, open);
    // A full log is the last reason.
    run(&mut Url::new(StreamLimits { hot_bytes: ROW + 3, ..ROOMY }), &open[..7]);
}

#[test]
fn the_hot_log_takes_rows_up_to_its_limit() {
    const LONG: &str = "\"a message whose bytes would fit if they were all, but not with the row itself\"";
    for (put, hot_bytes, steps) in [
        (
            PUT,
            2 * ROW + 10,
            &[
                (Post(post("abcde")), "0_5"),
                (Post(post("fghijk")), "507 storage_full"),
                (Post(post("fghij")), "1_5"),
                (Post(post("k")), "507 storage_full"),
                (Post(post("k").closing()), "507 storage_full"),
                (Rotate, ""),
                (Post(post("k")), "2_1"),
                (Post(post("abcdefghij")), "507 storage_full"),
                (Post(CLOSE), "2_1 closed"),
            ][..],
        ),
        // Messages count together with the commas between them, and with their lengths where there are several.
        (
            PUT.json(),
            2 * ROW + 15,
            &[
                (Post(post(LONG)), "507 storage_full"),
                (Post(post("[1,2,3,4,5]")), "0_5"),
                (Post(post("[1,2]")), "507 storage_full"),
                (Post(post("12")), "507 storage_full"),
                (Post(post("1")), "1_1"),
                (Post(CLOSE), "1_1 closed"),
            ][..],
        ),
        // A row has the last `Stream-Seq`.
        (
            PUT,
            2 * ROW + 6,
            &[(Post(post("a").seq("abc")), "0_1"), (Post(post("b")), "507 storage_full"), (Post(CLOSE), "0_1 closed")]
                [..],
        ),
    ] {
        run(&mut Url::with(StreamLimits { hot_bytes, segment_bytes: 5, ..ROOMY }, put), steps);
    }
}

#[test]
fn a_stream_ends_with_the_segments_that_offsets_can_count() {
    let last = row_key::READ_SEQS - 1;
    let mut url = Url::with(StreamLimits { segment_bytes: 2, ..ROOMY }, PUT);
    url.delete();
    url.sql.run("UPDATE stream SET first_read_seq = ?1", &[SqlParam::count(last).unwrap()]).unwrap();
    url.restart();
    let at = |position| format!("{last}_{position}");
    run(
        &mut url,
        &[
            (Put(PUT), &format!("201 {}", at(0))),
            (Post(post("a")), &at(1)),
            (Post(post("bc")), &at(3)),
            (Post(post("d")), "507 stream_full"),
            (Get(at(0).leak()), &format!("abc {} tail", at(3))),
            (Rotate, ""),
            (Get(at(1).leak()), &format!("bc {} tail", at(3))),
            (Post(CLOSE), &format!("{} closed", at(3))),
        ],
    );
}

#[test]
fn commit_times_strictly_increase_whatever_the_clock_does() {
    for rotates in [false, true] {
        let mut url = Url::with(StreamLimits { segment_bytes: 1, ..ROOMY }, PUT);
        assert_eq!(url.stream().tail.commit_ms, 0, "before the first append");
        for (now_ms, post, commit_ms) in [
            (START_MS, post("a"), START_MS),
            (START_MS, post("b"), START_MS + 1),
            (START_MS - 900_000, post("c"), START_MS + 2),
            (START_MS + 2, post("d"), START_MS + 3),
            (START_MS + 500, post("e"), START_MS + 500),
            (START_MS + 499, CLOSE, START_MS + 501),
        ] {
            url.now_ms = now_ms;
            url.post(post);
            while rotates && url.rotate() {}
            url.restart();
            assert_eq!(url.stream().tail.commit_ms, commit_ms, "{post:?} at {now_ms}");
        }
    }
}

#[test]
fn the_tail_counts_what_all_rows_of_the_stream_have_taken() {
    for (put, posts, totals) in [
        (PUT.body("ab"), [post("cdefg"), post("h"), CLOSE], [ROW + 2, 3 * ROW + 7, 4 * ROW + 8, 5 * ROW + 8]),
        (
            PUT.json().body("[1, 2]"),
            [post("[ 345 ]"), post("[6,7]"), CLOSE],
            [ROW + 5, 2 * ROW + 8, 3 * ROW + 13, 4 * ROW + 13],
        ),
    ] {
        let mut url = Url::with(StreamLimits { segment_bytes: 4, ..ROWS_OF_FOUR }, put);
        let mut seen = vec![url.stream().tail.total];
        for post in posts {
            url.post(post);
            url.rotate();
            seen.push(url.stream().tail.total);
        }
        assert_eq!(seen, totals, "{put:?}");
    }
}

#[test]
fn an_append_is_stored_whole_or_not_at_all() {
    for (trigger, post) in [
        (
            "CREATE TRIGGER fail BEFORE INSERT ON log WHEN NEW.count = 1 BEGIN SELECT RAISE(ABORT, 'no'); END",
            post("abcde"),
        ),
        (
            "CREATE TRIGGER fail BEFORE INSERT ON producers BEGIN SELECT RAISE(ABORT, 'no'); END",
            post("abcd").by("p", 0, 0),
        ),
    ] {
        let mut url = Url::with(ROWS_OF_FOUR, PUT.body("ab"));
        let before = url.slot.clone();
        url.sql.run(trigger, &[]).unwrap();
        assert!(url.append_with(post, || Ok(())).unwrap().is_err(), "{trigger}");
        assert_eq!(url.slot, before, "memory is not ahead of storage");
        url.restart();
        assert_eq!(url.slot, before, "{trigger}");
        url.sql.run("DROP TRIGGER fail", &[]).unwrap();
        run(&mut url, &[(Post(post), &format!("0_{}", if trigger.contains("log") { 7 } else { 6 }))]);
    }
}
