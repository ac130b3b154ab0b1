//! The marks that requests reach: each tells what has happened, and is not reached by what is like it.

use futures_util::FutureExt;
use tailrace_core::object::StreamObject;
use tailrace_core::protocol::message::{Append, Operation, Read};
use tailrace_core::protocol::{ContentType, Expiry, Offset, ProducerId, ProducerStamp, ReadFrom};
use tailrace_core::runtime::{Actor, Mark, marks};

use crate::host::{Bucket, Host, append, ask, create, object};

/// What an operation reaches of these.
fn check(object: &StreamObject<Host>, host: &Host, of: &[Mark], operation: Operation, body: &'static str, is: &[Mark]) {
    host.0.marks.take();
    let told = format!("{operation:?}");
    ask(object, operation, body);
    let reached: Vec<Mark> = host.0.marks.take().into_iter().filter(|mark| of.contains(mark)).collect();
    assert_eq!(reached, is, "{told}");
}

#[test]
fn a_duplicate_is_an_append_that_was_there_before() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    let append = |seq| {
        let id = ProducerId::parse("p").expect("a producer");
        let producer = Some(ProducerStamp { id, epoch: 0, seq });
        Operation::Append(Append {
            content_type: Some(ContentType::default()),
            producer,
            stream_seq: None,
            close: false,
        })
    };
    let duplicate = marks::APPEND_DEDUPLICATED;
    for (seq, is) in [(0, &[][..]), (0, &[duplicate]), (1, &[]), (0, &[duplicate]), (5, &[])] {
        check(&object, &host, &[duplicate], append(seq), "x", is);
    }
}

#[test]
fn a_page_inside_a_segment_does_not_begin_with_it() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    assert_eq!((append(&object), append(&object)), (204, 204));
    host.store().does.set(Bucket::Works);
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())), "the segment is moved");
    let read = |position| {
        let from = ReadFrom::At(Offset { read_seq: 0, position });
        Operation::Read(Read { from, live: None, cursor: None, if_none_match: None, from_now: false, is_kept: false })
    };
    let (fetched, inside) = (marks::COLD_PAGE_FETCHED, marks::COLD_PAGE_INSIDE_SEGMENT);
    check(&object, &host, &[fetched, inside], read(0), "", &[fetched]);
    check(&object, &host, &[fetched, inside], read(1), "", &[fetched, inside]);
}

#[test]
fn a_rotation_that_never_failed_succeeds_after_no_failures() {
    let (object, host) = object();
    assert_eq!(create(&object, Expiry::Never), 201);
    let outcomes = [marks::ROTATION_FAILED, marks::SEGMENT_ROTATED, marks::ROTATION_SUCCEEDED_AFTER_FAILURES];
    let [failed, rotated, after_failures] = outcomes;
    for (bucket, is) in [
        (Bucket::Works, &[rotated][..]),
        (Bucket::Fails, &[failed]),
        (Bucket::Works, &[rotated, after_failures]),
        (Bucket::Works, &[rotated]),
    ] {
        if !matches!(is, [_, _]) {
            assert_eq!((append(&object), append(&object)), (204, 204), "a segment is sealed");
        }
        host.0.marks.take();
        host.store().does.set(bucket);
        host.pass_ms(600_000);
        assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
        let reached: Vec<Mark> = host.0.marks.take().into_iter().filter(|mark| outcomes.contains(mark)).collect();
        assert_eq!(reached, is, "{bucket:?}");
    }
}
