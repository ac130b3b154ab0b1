//! Segments of very many messages, as small as messages can be: what a key, an index and memory have to hold.

use tailrace_core::protocol::limits::{BODY_LIMIT, PAGE_BYTES, SEGMENT_BYTES};
use tailrace_core::protocol::{Offset, ReadFrom};
use tailrace_core::storage::row_key;
use tailrace_core::stream::{AppendOutcome, StreamLimits};

use crate::request::{PUT, post};
use crate::url::Url;

/// The largest array of messages of one byte each whose text has at most so many bytes, and how many messages it has.
fn array(bytes: usize) -> (&'static str, u64) {
    let messages = (bytes - 1) / 2;
    let text = format!("[{}]", vec!["1"; messages].join(","));
    assert!(text.len() <= bytes);
    (text.leak(), messages as u64)
}

fn append(url: &mut Url, body: &'static str) -> Offset {
    match url.append(post(body)) {
        Ok(AppendOutcome::Appended { next, .. }) => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_largest_segment_of_the_smallest_messages_fits_keys_index_and_memory() {
    let mut url = Url::with(StreamLimits::default(), PUT.json());
    // Just below the threshold, and then the largest body.
    let (first, before) = array(SEGMENT_BYTES as usize);
    let (last, messages) = array(BODY_LIMIT);
    assert_eq!(append(&mut url, first), Offset { read_seq: 0, position: before });
    let end = Offset { read_seq: 0, position: before + messages };
    assert_eq!(append(&mut url, last), end);
    assert!(end.position < row_key::POSITIONS);
    assert_eq!((url.stream().waiting(), url.stream().tail.rows), (1, 12));
    let positions = [0, 1, before - 1, before, before + 1, end.position / 2, end.position - 1];
    let read = |url: &mut Url| {
        let page = |position| url.page(ReadFrom::At(Offset { read_seq: 0, position })).expect("a page");
        positions.map(page).map(|page| (page.next, page.body))
    };
    let hot = read(&mut url);
    for (position, (next, body)) in positions.into_iter().zip(&hot) {
        assert_eq!((next.position - position) as usize, body.len() / 2, "each message has a comma or a bracket");
        assert!(body.len() > PAGE_BYTES - 2 || *next == end, "the page is full");
    }
    assert!(url.rotate());
    assert_eq!(read(&mut url), hot);
    url.page(ReadFrom::At(Offset { read_seq: 0, position: end.position / 2 })).expect("a page");
    // A row is a page, and its lengths half of it. A read from the middle may need two.
    assert!(url.fetched < 4 * PAGE_BYTES, "{} bytes for a page", url.fetched);
    let [object] = url.bucket.values().collect::<Vec<_>>()[..] else { panic!("one object") };
    let unused = object.capacity() - object.len();
    assert!(unused < object.len() / 64, "{unused} bytes more than the {} that the object needs", object.len());
}

#[test]
fn the_largest_count_of_rows_has_an_index_that_fits_the_memory_for_indexes() {
    use tailrace_core::object::ColdSettings;
    use tailrace_core::protocol::limits::ROWS_LIMIT;
    use tailrace_core::protocol::segment::{ENTRY_BYTES, INDEX_BYTES};
    // An append of 8 MiB has no more rows than this.
    let most = ROWS_LIMIT as usize + 2 * (BODY_LIMIT >> 20) + 1;
    assert!(INDEX_BYTES + most * ENTRY_BYTES <= ColdSettings::default().index_bytes);
}
