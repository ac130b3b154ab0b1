//! What storage does for a start, a request and a step of the rotation: as much for a long log as for a short one. It is
//! told by the steps of SQLite's machine, some for each row that a statement looks at.

use tailrace_core::protocol::{Offset, ReadFrom};
use tailrace_core::stream::StreamLimits;

use crate::request::{CLOSE, PUT, Post, Put, post};
use crate::url::Url;

/// Sealed segments that are in R2, those that wait for it, rows of the last segment, and producers.
type Shape = [u64; 4];

/// A URL with a stream of this shape. Its segments hold at most a thousand rows, and its pages four bytes.
fn url(put: Put, [cold, waiting, rows, producers]: Shape) -> Url {
    let mut url = Url::with(StreamLimits { segment_rows: 1_000, page_bytes: 4, ..StreamLimits::default() }, put);
    for (segments, moves) in [(cold, true), (waiting, false)] {
        url.limits.segment_rows = 4;
        for _ in 0..segments {
            (0..4).for_each(|_| drop(url.post(post("1"))));
            assert!(!moves || url.rotate());
        }
    }
    url.limits.segment_rows = 1_000;
    for number in 0..producers {
        let name: &'static str = format!("p{number}").leak();
        url.post(post("1").by(name, 0, 0));
    }
    for _ in producers..rows {
        url.post(post("1"));
    }
    url
}

/// Steps of what is done at a URL.
fn steps(url: &mut Url, what: fn(&mut Url)) -> u64 {
    let before = url.sql.steps();
    what(url);
    url.sql.steps() - before
}

#[test]
fn a_long_log_costs_no_more_than_a_short_one() {
    const BY: Post = post("1").by("p1", 0, 1);
    type What = fn(&mut Url);
    let what: [(&str, What); 10] = [
        ("a start", |url| url.restart()),
        ("an append", |url| drop(url.append(post("1")))),
        ("an append of a producer", |url| drop(url.append(BY))),
        ("a close", |url| drop(url.append(CLOSE))),
        ("a HEAD", |url| drop(url.stream().strong_tail(&url.sql))),
        ("a read from the start", |url| drop(url.page(ReadFrom::Start))),
        ("a read at the tail", |url| drop(url.page(ReadFrom::Now))),
        ("a look at the end of a text", |url| {
            assert!(url.stream().text_end(&url.sql, url.stream().tail.offset).is_ok());
        }),
        ("a rotation", |url| assert!(url.rotate())),
        ("a read before the tail", |url| {
            let Offset { read_seq, position } = url.stream().tail.offset;
            drop(url.page(ReadFrom::At(Offset { read_seq, position: position - 1 })));
        }),
    ];
    for put in [PUT, PUT.json()] {
        for (name, what) in what {
            let short = steps(&mut url(put, [2, 2, 9, 3]), what);
            let long = steps(&mut url(put, [50, 50, 900, 400]), what);
            assert_eq!(short, long, "{name}: {put:?}");
        }
    }
}
