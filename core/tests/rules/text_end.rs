//! How a text ends before an offset: rows tell, or the record of a segment in R2, or R2 alone.

use tailrace_core::protocol::{Offset, TextEnd};
use tailrace_core::storage::SqlStorage;
use tailrace_core::stream::{StreamLimits, TextBefore};

use crate::request::{PUT, post};
use crate::url::Url;

const fn at(read_seq: u64, position: u64) -> Offset {
    Offset { read_seq, position }
}

fn check(url: &Url, cases: &[(Offset, TextBefore)]) {
    for (offset, before) in cases {
        assert_eq!(url.stream().text_end(&url.sql, *offset).as_ref(), Ok(before), "{offset}");
    }
}

#[test]
fn what_is_known_of_a_text_before_an_offset_does_not_depend_on_where_its_segments_are() {
    let limits = StreamLimits { segment_rows: 2, ..StreamLimits::default() };
    let mut url = Url::with(limits, PUT.typed("text/plain"));
    for body in ["ab", "\r", "\n"] {
        url.post(post(body));
    }
    let known = |text: &[u8]| TextBefore::Known(TextEnd::of(text));
    let of_the_boundary = [(at(0, 3), known(b"ab\r")), (at(1, 0), known(b"ab\r")), (at(1, 1), known(b"b\r\n"))];
    check(&url, &of_the_boundary);
    check(&url, &[(at(0, 0), known(b"")), (at(0, 1), known(b"a"))]);
    assert!(url.rotate());
    check(&url, &of_the_boundary);
    check(&url, &[(at(0, 1), TextBefore::InR2(at(0, 0)))]);
    // An earlier release did not record it. What the rows tell is enough.
    url.sql.run("UPDATE segments SET text_end = NULL", &[]).expect("a record of an earlier release");
    check(&url, &[(at(1, 0), TextBefore::InR2(at(0, 2))), (at(1, 1), known(b"\n"))]);
}
