//! When a stream is created, found, or refused, and what is left of an earlier one.

use tailrace_core::protocol::Expiry;
use tailrace_core::protocol::limits::LOG_ROW_BYTES;
use tailrace_core::storage::{SqlParam, SqlStorage, row_key};
use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, Ends, PUT, Put as Creation, post};
use crate::step::Step::{Delete, Get, Post, Put, Restart, Rotate, Wait};
use crate::step::{Step, check, run};
use crate::url::{START_MS, Url};

/// Content types. Those with the same letter count as the same type.
const TYPES: &[(Option<&str>, char)] = &[
    (None, 'o'),
    (Some("application/octet-stream"), 'o'),
    (Some("text/plain"), 't'),
    (Some("Text/PLAIN; charset=utf-8"), 't'),
    (Some("application/json"), 'j'),
];

/// Ends of a stream. Those with the same letter count as the same end.
const ENDS: &[(Ends, char)] = &[
    (Ends::Never, 'n'),
    (Ends::Ttl(60), 's'),
    (Ends::Ttl(61), 'l'),
    (Ends::At("2030-01-01T00:00:00Z"), 'u'),
    (Ends::At("2030-01-01T01:00:00.000+01:00"), 'u'),
    (Ends::At("2030-01-01T00:00:01Z"), 'v'),
];

/// Every way to ask for a stream, with letters that are equal for the same configuration.
fn configurations() -> Vec<(Creation, (char, char, bool, bool))> {
    let mut all = Vec::new();
    for (content_type, kind) in TYPES {
        for (ends, end) in ENDS {
            for (is_closed, is_public) in [(false, false), (true, false), (false, true)] {
                let put = content_type.map_or(PUT, |content_type| PUT.typed(content_type)).ends(*ends);
                let put = if is_closed { put.closed() } else { put };
                all.push((if is_public { put.public() } else { put }, (*kind, *end, is_closed, is_public)));
            }
        }
    }
    all
}

#[test]
fn a_stream_is_found_by_the_same_configuration_and_by_no_other() {
    for (first, of_first) in configurations() {
        let mut url = Url::with(StreamLimits::default(), first);
        let tail = url.tail();
        for (second, of_second) in configurations() {
            let expected = match of_first == of_second {
                true => format!("200 {tail}"),
                false => "409 configuration_conflict".to_owned(),
            };
            assert_eq!(url.put(second.body("1")), expected, "{first:?}, then {second:?}");
        }
        assert_eq!(url.tail(), tail, "{first:?}: a stream that was found takes no content");
    }
}

#[test]
fn whether_it_is_closed_is_asked_of_the_stream_as_it_is_now() {
    for steps in [
        &[(Put(PUT), "201 0_0"), (Post(CLOSE), "0_0 closed"), (Put(PUT), "409 configuration_conflict")][..],
        &[(Put(PUT), "201 0_0"), (Post(CLOSE), "0_0 closed"), (Put(PUT.closed()), "200 0_0 closed")],
        &[
            (Put(PUT.body("a")), "201 0_1"),
            (Put(PUT.closed()), "409 configuration_conflict"),
            (Get("0_1"), "- 0_1 tail"),
        ],
    ] {
        check(&StreamLimits::default(), steps);
    }
}

#[test]
fn the_first_content_is_that_of_an_append() {
    let json = PUT.json();
    for (put, outcome, content) in [
        (PUT, "201 0_0", "- 0_0 tail"),
        (PUT.body("abc"), "201 0_3", "abc 0_3 tail"),
        (PUT.body("abcdefghij"), "201 0_10", "abcdefghij 0_10 tail"),
        (PUT.closed(), "201 0_0 closed", "- 0_0 closed"),
        (PUT.closed().body("abc"), "201 0_3 closed", "abc 0_3 closed"),
        (PUT.too_large(), "413 body_too_large", "404 stream_not_found"),
        (json, "201 0_0", "[] 0_0 tail"),
        (json.body("[]"), "201 0_0", "[] 0_0 tail"),
        (json.body("[]").closed(), "201 0_0 closed", "[] 0_0 closed"),
        (json.body("{\"a\": 1}"), "201 0_1", "[{\"a\": 1}] 0_1 tail"),
        (json.body("[1, [2],\n3]"), "201 0_3", "[1,[2],3] 0_3 tail"),
        (json.body("[[]]"), "201 0_1", "[[]] 0_1 tail"),
        (json.body("[1").closed(), "400 invalid_json", "404 stream_not_found"),
        (json.body(" "), "400 invalid_json", "404 stream_not_found"),
        (json.too_large(), "413 body_too_large", "404 stream_not_found"),
    ] {
        let limits = StreamLimits { row_bytes: 4, ..StreamLimits::default() };
        check(&limits, &[(Put(put), outcome), (Get("-1"), content)]);
    }
}

#[test]
fn what_is_refused_leaves_nothing_in_storage() {
    for put in [PUT.too_large(), PUT.json().body("nul")] {
        let mut url = Url::new(StreamLimits::default());
        url.put(put);
        assert_eq!(url.tables(), Vec::<String>::new(), "{put:?}");
    }
    let mut url = Url::with(StreamLimits::default(), PUT.body("abc"));
    let before = url.stream().clone();
    url.now_ms += 5_000;
    assert_eq!(url.put(PUT.json()), "409 configuration_conflict");
    assert_eq!(*url.stream(), before);
}

#[test]
fn the_next_stream_at_a_url_counts_its_segments_on_and_knows_nothing_of_the_last() {
    let (once, twice) = (Post(post("a").by("p", 5, 0).seq("z")), Post(post("b").by("p", 0, 0).seq("a")));
    // How the first stream ends, and the segment with which the next one begins.
    for (ending, read_seq) in [
        (&[(Delete, "")][..], 2),
        (&[(Post(CLOSE), "0_1 closed"), (Delete, "")], 2),
        (&[(Post(post("bcd")), "0_4"), (Post(post("e")), "1_1"), (Delete, "")], 3),
        (&[(Post(post("bcd")), "0_4"), (Delete, "")], 2),
        (&[(Post(post("bcd")), "0_4"), (Rotate, ""), (Delete, "")], 2),
        (&[(Post(post("bcd")), "0_4"), (Rotate, ""), (Post(post("e")), "1_1"), (Delete, "")], 3),
        (&[(Delete, ""), (Restart, "")], 2),
        (&[(Wait(67_500), "")], 2),
    ] {
        let limits = StreamLimits { segment_bytes: 4, ..StreamLimits::default() };
        let mut url = Url::with(limits, PUT.ends(Ends::Ttl(60)));
        run(&mut url, &[(once, "0_1")]);
        let earlier = url.stream().incarnation.clone();
        run(&mut url, ending);
        let at = |position| format!("{read_seq}_{position}");
        let steps: &[(Step, String)] = &[
            (Get("-1"), "404 stream_not_found".into()),
            (Post(post("x")), "404 stream_not_found".into()),
            (Put(PUT.typed("text/plain")), format!("201 {}", at(0))),
            (Get("0_0"), "410 offset_gone".into()),
            (Get("0_1"), "410 offset_gone".into()),
            // The second spelling of the last one's end, or of an earlier position.
            (Get("1_0"), "410 offset_gone".into()),
            (twice, at(1)),
            (Restart, String::new()),
            (Get("-1"), format!("b {} tail", at(1))),
        ];
        run(&mut url, &steps.iter().map(|(step, outcome)| (*step, outcome.as_str())).collect::<Vec<_>>());
        assert_ne!(url.stream().incarnation, earlier, "{ending:?}");
        assert_eq!(url.stream().first_read_seq, read_seq, "{ending:?}");
    }
}

#[test]
fn a_url_whose_segments_are_used_up_takes_no_further_stream() {
    for (next_read_seq, outcome) in [
        (row_key::READ_SEQS - 1, format!("201 {}_0", row_key::READ_SEQS - 1)),
        (row_key::READ_SEQS, "507 stream_full".into()),
    ] {
        let mut url = Url::with(StreamLimits::default(), PUT);
        url.delete();
        let params = [SqlParam::count(next_read_seq).unwrap()];
        url.sql.run("UPDATE stream SET first_read_seq = ?1", &params).unwrap();
        url.restart();
        assert_eq!(url.put(PUT), outcome);
    }
}

#[test]
fn a_stream_is_stored_as_it_was_asked_for() {
    let put = PUT.typed("Text/Plain; charset=utf-8").ends(Ends::At("2030-01-01T01:00:00.000+01:00"));
    let mut url = Url::with(StreamLimits::default(), put.body("a"));
    url.restart();
    let stream = url.stream();
    assert_eq!(stream.content_type.as_str(), "Text/Plain; charset=utf-8");
    assert!(matches!(&stream.expiry, Expiry::At { text, .. } if text == "2030-01-01T01:00:00.000+01:00"));
    assert_eq!((stream.first_read_seq, stream.tail.total, stream.tail.commit_ms), (0, LOG_ROW_BYTES + 1, START_MS));
}
