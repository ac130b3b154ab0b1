//! The segments of a URL are counted down, and its operator is told before they are used up.

use futures_util::FutureExt;
use tailrace_core::object::{ColdSettings, StreamObject};
use tailrace_core::protocol::message::{Append, Operation};
use tailrace_core::protocol::{ContentType, Expiry, Response};
use tailrace_core::runtime::{Actor, ActorState, marks};
use tailrace_core::storage::{SqlParam, SqlStorage, row_key};

use crate::host::{Bucket, Host, append, ask, create, debugged, object, start};

/// A stream whose first segment is this one.
fn stream_from(read_seq: u64) -> (StreamObject<Host>, Host) {
    let (first, host) = object();
    host.store().does.set(Bucket::Works);
    assert_eq!((create(&first, Expiry::Never), ask(&first, Operation::Delete, "").status), (201, 204));
    let update = "UPDATE stream SET first_read_seq = ?1";
    host.sql().run(update, &[SqlParam::count(read_seq).expect("a segment")]).expect("a tombstone");
    let object = start(&host, ColdSettings::default());
    assert_eq!(create(&object, Expiry::Never), 201);
    (object, host)
}

fn alarm(object: &StreamObject<Host>) {
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
}

/// Seals a segment and moves it.
fn fill(object: &StreamObject<Host>) {
    assert_eq!((append(object), append(object)), (204, 204));
    alarm(object);
}

fn append_x() -> Append {
    Append { content_type: Some(ContentType::default()), producer: None, stream_seq: None, close: false }
}

fn left(object: &StreamObject<Host>) -> u64 {
    let head = debugged(object);
    let summary = head.headers.get("tailrace-cold").expect("a summary");
    let left = summary.split("; ").find_map(|part| part.strip_prefix("segments-left="));
    left.and_then(|left| left.parse().ok()).expect("a number")
}

#[test]
fn an_operator_is_told_once_an_instance_when_nine_tenths_are_used_up() {
    let tenth = row_key::READ_SEQS / 10;
    let (object, host) = stream_from(row_key::READ_SEQS - tenth - 1);
    let told = || host.0.marks.borrow().iter().filter(|mark| **mark == marks::FEW_SEGMENTS_LEFT).count();
    fill(&object);
    assert_eq!((left(&object), told()), (tenth, 0));
    for _ in 0..3 {
        fill(&object);
        assert_eq!(told(), 1);
    }
    assert_eq!(left(&object), tenth - 3);
    fill(&start(&host, ColdSettings::default()));
    assert_eq!(told(), 2);
}

#[test]
fn the_last_segment_takes_appends_and_after_it_the_url_takes_none() {
    let (object, _) = stream_from(row_key::READ_SEQS - 2);
    assert_eq!(left(&object), 1);
    fill(&object);
    assert_eq!(append(&object), 204);
    assert_eq!(left(&object), 0);
    assert_eq!(append(&object), 204, "it seals the last segment");
    let refused = |answer: Response| {
        assert!(answer.body.windows(11).any(|words| words == b"stream_full"), "{answer:?}");
        assert_eq!(answer.status, 507);
    };
    refused(ask(&object, Operation::Append(append_x()), "x"));
    alarm(&object);
    let summary = debugged(&object).headers.get("tailrace-cold").map(str::to_owned);
    assert_eq!(
        summary.as_deref().and_then(|summary| summary.split(" hot").next()),
        Some("segments=2; waiting=0;"),
        "{summary:?}"
    );
    refused(ask(&object, Operation::Append(append_x()), "x"));
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    assert_eq!(create(&object, Expiry::Never), 507, "nor does it take another stream");
}
