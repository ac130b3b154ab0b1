//! When a segment ends, where its rows go, and what does not change.

use tailrace_core::protocol::limits::LOG_ROW_BYTES;
use tailrace_core::protocol::{Offset, segment::Place};
use tailrace_core::storage::{SqlError, SqlStorage};
use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, Put as Creation, post};
use crate::step::Step::{Delete, Get, Post, Put, Rotate};
use crate::step::{Step, check, run};
use crate::url::Url;

/// Rows hold at most four bytes.
fn limits(segment_rows: u64, segment_bytes: u64) -> StreamLimits {
    StreamLimits { row_bytes: 4, segment_rows, segment_bytes, ..StreamLimits::default() }
}

const MANY: u64 = 1_000;

/// What a row counts besides its bytes.
const ROW: u64 = LOG_ROW_BYTES;

#[test]
fn the_append_that_reaches_a_limit_seals_its_segment() {
    type Bodies<'a> = &'a [(&'static str, &'a str)];
    let cases: &[(StreamLimits, Creation, Bodies<'_>)] = &[
        // An append is a row.
        (
            limits(3, MANY),
            PUT,
            &[("a", "0_1"), ("b", "0_2"), ("c", "0_3"), ("d", "1_1"), ("e", "1_2"), ("f", "1_3"), ("g", "2_1")],
        ),
        // Or several, and all of them are in its segment.
        (limits(4, MANY), PUT, &[("abcdefghij", "0_10"), ("k", "0_11"), ("l", "1_1")]),
        (limits(2, MANY), PUT, &[("abcdefghij", "0_10"), ("k", "1_1"), ("l", "1_2"), ("m", "2_1")]),
        (limits(1, MANY), PUT, &[("a", "0_1"), ("bc", "1_2"), ("d", "2_1")]),
        // Bytes: the append that crosses the limit is in the segment as a whole.
        (limits(MANY, 5), PUT, &[("abcd", "0_4"), ("e", "0_5"), ("f", "1_1")]),
        (limits(MANY, 5), PUT, &[("abcd", "0_4"), ("efghijklm", "0_13"), ("n", "1_1"), ("opqr", "1_5"), ("s", "2_1")]),
        (limits(MANY, 5), PUT, &[("abcdefghijklm", "0_13"), ("n", "1_1")]),
        // The messages of a batch do not count, only its rows, and a batch is never divided.
        (
            limits(3, MANY),
            PUT.json(),
            &[
                ("[1,2]", "0_2"),
                ("[3,4]", "0_4"),
                ("5", "0_5"),
                ("[6,7]", "1_2"),
                ("8", "1_3"),
                ("9", "1_4"),
                ("0", "2_1"),
            ],
        ),
        (limits(5, MANY), PUT.json(), &[("[1,2,3,4,5,6,7]", "0_7"), ("8", "0_8"), ("9", "1_1")]),
        (limits(3, MANY), PUT.json(), &[("[1,2,3,4,5,6,7]", "0_7"), ("8", "1_1")]),
        (limits(6, MANY), PUT.json(), &[("\"in several rows\"", "0_1"), ("2", "0_2"), ("3", "1_1")]),
        (limits(2, MANY), PUT.json(), &[("\"in several rows\"", "0_1"), ("2", "1_1")]),
        // The bytes of messages count together with the commas inside a row.
        (limits(MANY, 5), PUT.json(), &[("[1,2]", "0_2"), ("3", "0_3"), ("4", "0_4"), ("5", "1_1")]),
        (limits(MANY, 5), PUT.json(), &[("\"abc\"", "0_1"), ("2", "1_1")]),
        (limits(MANY, 6), PUT.json(), &[("\"abc\"", "0_1"), ("2", "0_2"), ("3", "1_1")]),
        // Whichever limit comes first.
        (limits(2, 5), PUT, &[("a", "0_1"), ("b", "0_2"), ("cdefg", "1_5"), ("h", "2_1")]),
    ];
    for (limits, put, appends) in cases {
        let mut steps = vec![(Put(*put), "201 0_0")];
        steps.extend(appends.iter().map(|(body, outcome)| (Post(post(body)), *outcome)));
        check(limits, &steps);
    }
}

#[test]
fn a_creation_and_a_close_seal_as_an_append_does() {
    check(&limits(MANY, 5), &[(Put(PUT.body("abcdef")), "201 0_6"), (Post(post("g")), "1_1")]);
    check(&limits(2, MANY), &[(Put(PUT.json().body("[1,2,3]")), "201 0_3"), (Post(post("4")), "1_1")]);
    for (put, posts, sealed) in [
        (PUT, &[][..], 0),
        (PUT, &[CLOSE][..], 0),
        (PUT, &[post("a").closing()][..], 1),
        (PUT.body("a"), &[CLOSE][..], 1),
        (PUT.body("abcdef"), &[][..], 1),
        (PUT.body("abcdef"), &[post("g"), CLOSE][..], 2),
        (PUT.body("a").closed(), &[][..], 1),
        (PUT.closed(), &[][..], 0),
    ] {
        let mut url = Url::with(limits(MANY, 5), put);
        posts.iter().for_each(|post| drop(url.post(*post)));
        assert_eq!(url.stream().waiting(), sealed, "{put:?} {posts:?}");
    }
}

#[test]
fn what_waits_for_r2_is_the_sealed_segments_with_content() {
    let mut url = Url::with(limits(MANY, 5), PUT);
    let cases: &[(Step, &str, u64, Option<u64>, u64)] = &[
        (Post(post("abcd")), "0_4", 0, None, ROW + 4),
        (Post(post("efgh")), "0_8", 1, Some(0), 2 * ROW + 8),
        (Post(post("i")), "1_1", 1, Some(0), 3 * ROW + 9),
        (Post(post("jklm")), "1_5", 2, Some(0), 4 * ROW + 13),
        (Rotate, "", 0, None, 0),
        (Post(post("n")), "2_1", 0, None, ROW + 1),
        (Post(post("opqr")), "2_5", 1, Some(2), 2 * ROW + 5),
        (Post(post("s").closing()), "3_1 closed", 2, Some(2), 3 * ROW + 6),
        (Rotate, "", 0, None, 0),
    ];
    for (step, outcome, waiting, first, hot_bytes) in cases {
        run(&mut url, &[(*step, outcome)]);
        let stream = url.stream();
        assert_eq!(
            (stream.waiting(), stream.first_sealed(), stream.hot_bytes()),
            (*waiting, *first, *hot_bytes),
            "{step:?}"
        );
    }
}

#[test]
fn an_append_says_in_its_transaction_that_it_seals() {
    let mut url = Url::with(limits(MANY, 5), PUT);
    for (post, told) in [
        (post("abcd"), 0),
        (post("e"), 1),
        (post("f"), 1),
        (post("ghijk").by("p", 0, 0), 2),
        (post("l").by("p", 0, 1).closing(), 3),
    ] {
        url.post(post);
        assert_eq!(url.sealed.get(), told, "{post:?}");
    }
    // If that fails, the append is undone.
    for sealing in [post("efghijkl"), post("e").by("p", 0, 0), post("e").closing()] {
        let mut url = Url::with(limits(MANY, 5), PUT.body("abcd"));
        let before = url.slot.clone();
        assert_eq!(url.append_with(sealing, || Err(SqlError::new("no"))), Ok(Err(SqlError::new("no"))));
        assert_eq!(url.slot, before, "memory is not ahead of storage");
        url.restart();
        assert_eq!(url.slot, before, "{sealing:?}");
    }
}

#[test]
fn a_move_to_r2_changes_no_tail() {
    let stamped = post("abcdef").by("p", 0, 0).seq("k");
    for posts in [
        &[stamped][..],
        &[stamped.closing()],
        &[stamped, post("g")],
        &[stamped, CLOSE],
        &[stamped, post("g"), CLOSE.by("p", 0, 1).seq("l")],
    ] {
        for put in [PUT, PUT.typed("text/plain")] {
            let mut url = Url::with(limits(MANY, 5), put);
            posts.iter().for_each(|post| drop(url.post(*post)));
            let before = url.stream().clone();
            assert!(url.rotate(), "{posts:?}");
            while url.rotate() {}
            let mut after = url.stream().clone();
            // Counts of a segment that takes no more appends are not kept in memory.
            if after.layout.is_cold(after.tail.offset.read_seq) {
                (after.tail.tally, after.tail.rows) = (before.tail.tally, before.tail.rows);
            }
            assert_eq!(after.tail, before.tail, "{posts:?}");
            assert_eq!((after.tail.next_append(), after.ends_ms()), (before.tail.next_append(), before.ends_ms()));
        }
    }
}

#[test]
fn tables_come_with_segments_and_go_whole() {
    let mut url = Url::new(limits(MANY, 5));
    for (step, outcome, tables) in [
        (Put(PUT), "201 0_0", "log producers stream"),
        (Post(post("abcde")), "0_5", "log producers stream"),
        // The next segment goes into the other table.
        (Post(post("f")), "1_1", "log log_b producers stream"),
        (Rotate, "", "log_b producers segments stream"),
        (Post(post("ghij")), "1_5", "log_b producers segments stream"),
        (Post(post("k")), "2_1", "log log_b producers segments stream"),
        (Post(post("lmno")), "2_5", "log log_b producers segments stream"),
        // Both tables are there, and there is no third one.
        (Post(post("p")), "3_1", "log log_b producers segments stream"),
        (Rotate, "", "log producers segments stream"),
        (Post(post("qrst")), "3_5", "log producers segments stream"),
        (Rotate, "", "producers segments stream"),
        (Get("2_5"), "pqrst 3_5 tail", "producers segments stream"),
        (Post(post("u")), "4_1", "log producers segments stream"),
        (Post(CLOSE), "4_1 closed", "log producers segments stream"),
        (Rotate, "", "producers segments stream"),
        (Delete, "", "stream"),
        (Put(PUT.closed()), "201 6_0 closed", "log producers stream"),
        (Delete, "", "stream"),
    ] {
        run(&mut url, &[(step, outcome)]);
        assert_eq!(url.tables().join(" "), tables, "{step:?}");
    }
}

#[test]
fn only_the_first_sealed_segment_is_recorded() {
    let place = Place { bytes: 2, index_at: 1, index_bytes: 1 };
    let mut url = Url::with(limits(MANY, 5), PUT);
    for (post, recorded) in
        [(post("abcd"), &[][..]), (post("e"), &[0][..]), (post("fghij"), &[0][..]), (post("k"), &[0][..])]
    {
        url.post(post);
        for read_seq in 0..4 {
            let mut stream = url.stream().clone();
            url.sql.begin(tailrace_sqlite::Savepoint::Batch).unwrap();
            let outcome = stream.record(&url.sql, read_seq, place, "attempt", false);
            url.sql.undo(tailrace_sqlite::Savepoint::Batch).unwrap();
            assert_eq!(outcome.is_ok(), recorded.contains(&read_seq), "{read_seq} after {post:?}");
        }
    }
    assert!(url.rotate() && url.rotate() && !url.rotate());
    assert_eq!(url.stream().attempts(&url.sql, 0..9).map(|attempts| attempts.into_keys().collect()), Ok(vec![0, 1]));
    assert_eq!(url.stream().attempts(&url.sql, 1..2).map(|attempts| attempts.into_keys().collect()), Ok(vec![1]));
    assert_eq!(url.stream().tail.next_append(), Offset { read_seq: 2, position: 1 });
}

#[test]
fn an_object_takes_hardly_more_memory_than_its_bytes() {
    let numbers: &str = format!("[{}]", vec!["10"; 300].join(",")).leak();
    let limits = StreamLimits { segment_rows: 3, ..StreamLimits::default() };
    // In spare are at most the frame of a close, and a byte a message.
    for (put, body, most_spare) in
        [(PUT, "abcdefghij", 44), (PUT.json(), "[1,2,3]", 44 + 9), (PUT.json(), numbers, 44 + 910)]
    {
        let mut url = Url::with(limits.clone(), put);
        for _ in 0..3 {
            url.post(post(body));
        }
        let object = url.encode().expect("a sealed segment").object;
        let spare = object.capacity() - object.len();
        assert!(spare <= most_spare, "{spare} of {} for {put:?}", object.capacity());
    }
}

#[test]
fn an_object_takes_bounded_memory_for_rows_that_storage_only_claims() {
    let mut url = Url::with(StreamLimits { segment_rows: 3, ..StreamLimits::default() }, PUT);
    for _ in 0..3 {
        url.post(post("a"));
    }
    url.sql.run("UPDATE log SET segment_rows = 1 << 50", &[]).expect("storage that is wrong");
    let object = url.encode().expect("a sealed segment").object;
    assert!(object.capacity() < 32 << 20, "{}", object.capacity());
}
