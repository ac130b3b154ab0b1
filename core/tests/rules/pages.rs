//! Where a page ends.

use tailrace_core::protocol::ReadFrom;
use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, Put as Creation, post};
use crate::url::{START_MS, Url, position};

/// A page: its largest size in bytes, the offset it is read from, its content and end offset (exclusive), whether that
/// end is inside an append, and the number of the append that its last message came with, 0 if it is empty.
type Case = (usize, &'static str, &'static str, bool, u64);

/// Reads pages of a stream with these appends, each a millisecond after the last, hot and from R2.
fn check(put: Creation, row_bytes: usize, bodies: &[&'static str], cases: &[Case]) {
    for is_cold in [false, true] {
        let limits = StreamLimits { row_bytes, ..StreamLimits::default() };
        let mut url = Url::with(limits, put);
        for body in bodies {
            url.now_ms += 1;
            url.post(post(body));
        }
        if is_cold {
            url.post(CLOSE);
            assert!(url.rotate());
        }
        for (page_bytes, from, text, inside_append, append) in cases {
            url.limits.page_bytes = *page_bytes;
            let text = if is_cold { text.replace("tail", "closed") } else { (*text).to_owned() };
            assert_eq!(url.get(from), text, "{page_bytes} bytes from {from}, cold {is_cold}");
            let page = url.page(position(from)).unwrap();
            let commit_ms = if *append == 0 { 0 } else { START_MS + append };
            assert_eq!(page.commit_ms, commit_ms, "{page_bytes} bytes from {from}, cold {is_cold}");
            // A page from R2 may not know that it ends inside an append: no more is fetched than the page needs.
            let inside = page.inside_append || is_cold && *inside_append;
            assert_eq!(inside, *inside_append, "{page_bytes} bytes from {from}, cold {is_cold}");
            assert_eq!(page.start, if let ReadFrom::At(offset) = position(from) { offset } else { page.start });
        }
    }
}

#[test]
fn a_page_of_bytes_is_cut_anywhere() {
    // Rows `abcd`, `efg`, and `hij`.
    check(
        PUT,
        4,
        &["abcdefg", "hij"],
        &[
            (100, "-1", "abcdefghij 0_10 tail", false, 2),
            (10, "-1", "abcdefghij 0_10 tail", false, 2),
            (9, "-1", "abcdefghi 0_9", true, 2),
            (8, "-1", "abcdefgh 0_8", true, 2),
            (7, "-1", "abcdefg 0_7", false, 1),
            (6, "-1", "abcdef 0_6", true, 1),
            (4, "-1", "abcd 0_4", true, 1),
            (3, "-1", "abc 0_3", true, 1),
            (1, "-1", "a 0_1", true, 1),
            (1, "0_6", "g 0_7", false, 1),
            (2, "0_3", "de 0_5", true, 1),
            (2, "0_6", "gh 0_8", true, 2),
            (3, "0_7", "hij 0_10 tail", false, 2),
            (1, "0_10", "- 0_10 tail", false, 0),
        ],
    );
}

#[test]
fn a_page_of_messages_holds_whole_ones_and_at_least_one() {
    // Rows `1,22,333`, and `4,5`.
    check(
        PUT.json(),
        10,
        &["[1,22,333]", "[4,5]"],
        &[
            (100, "-1", "[1,22,333,4,5] 0_5 tail", false, 2),
            (12, "-1", "[1,22,333,4,5] 0_5 tail", false, 2),
            (11, "-1", "[1,22,333,4] 0_4", true, 2),
            (10, "-1", "[1,22,333,4] 0_4", true, 2),
            (9, "-1", "[1,22,333] 0_3", false, 1),
            (8, "-1", "[1,22,333] 0_3", false, 1),
            (7, "-1", "[1,22] 0_2", true, 1),
            (4, "-1", "[1,22] 0_2", true, 1),
            (3, "-1", "[1] 0_1", true, 1),
            (1, "-1", "[1] 0_1", true, 1),
            (1, "0_1", "[22] 0_2", true, 1),
            (6, "0_1", "[22,333] 0_3", false, 1),
            (5, "0_1", "[22] 0_2", true, 1),
            (8, "0_1", "[22,333,4] 0_4", true, 2),
            (1, "0_4", "[5] 0_5 tail", false, 2),
            (1, "0_5", "[] 0_5 tail", false, 0),
        ],
    );
}

#[test]
fn a_message_of_several_rows_is_taken_whole_or_not_at_all() {
    // Rows `1`, the three parts of a text of ten bytes, and `2`.
    check(
        PUT.json(),
        4,
        &["1", "\"abcdefgh\"", "2"],
        &[
            (100, "-1", "[1,\"abcdefgh\",2] 0_3 tail", false, 3),
            (12, "-1", "[1,\"abcdefgh\"] 0_2", false, 2),
            (11, "-1", "[1] 0_1", false, 1),
            (2, "-1", "[1] 0_1", false, 1),
            (1, "0_1", "[\"abcdefgh\"] 0_2", false, 2),
            (11, "0_1", "[\"abcdefgh\"] 0_2", false, 2),
            (12, "0_1", "[\"abcdefgh\",2] 0_3 tail", false, 3),
            (1, "0_2", "[2] 0_3 tail", false, 3),
        ],
    );
}

#[test]
fn a_page_may_take_more_than_storage_hands_over_at_once() {
    const MIB: usize = 1 << 20;
    let text = |length: usize| "x".repeat(length).leak() as &'static str;
    let large = text(3 * MIB + 5);
    let quoted = format!("\"{large}\"").leak() as &'static str;
    let cases: [(Creation, &[&'static str], String, usize); 3] = [
        (PUT, &[large], large[..2 * MIB].to_owned(), 2 * MIB),
        (PUT.json(), &[quoted], format!("[{quoted}]"), 1),
        (PUT.json(), &["1", quoted, "2"], format!("[1,{quoted},2]"), 4 * MIB),
    ];
    for (put, bodies, content, page_bytes) in cases {
        let mut url = Url::with(StreamLimits { page_bytes, ..StreamLimits::default() }, put);
        bodies.iter().for_each(|body| drop(url.post(post(body))));
        let hot = url.page(ReadFrom::Start).unwrap();
        assert!(hot.body == content, "{put:?}: {} bytes of {}", hot.body.len(), content.len());
        url.post(CLOSE);
        while url.rotate() {}
        let cold = url.page(ReadFrom::Start).unwrap();
        assert_eq!((cold.start, cold.next, cold.commit_ms), (hot.start, hot.next, hot.commit_ms));
        assert!(cold.body == content, "{put:?}: {} bytes of {}", cold.body.len(), content.len());
    }
}
