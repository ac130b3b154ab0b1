//! A segment is encoded in steps. Between two of them anything may happen to its stream.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tailrace_core::object::{ColdSettings, StreamObject};
use tailrace_core::protocol::Expiry;
use tailrace_core::protocol::message::{Append, Operation};
use tailrace_core::runtime::{Actor, marks};
use tailrace_core::stream::EncodingStep;

use crate::host::{Bucket, Host, append, ask, create, object_with};

/// A stream whose first segment of two rows is sealed; a step of the encoding reads one row.
fn sealed() -> (StreamObject<Host>, Host) {
    let encoding = EncodingStep { rows: 1, bytes: 1 };
    let (object, host) = object_with(ColdSettings { encoding, ..ColdSettings::default() });
    assert_eq!(create(&object, Expiry::Never), 201);
    assert_eq!((append(&object), append(&object)), (204, 204));
    host.store().does.set(Bucket::Works);
    (object, host)
}

fn delete(object: &StreamObject<Host>) {
    assert_eq!(ask(object, Operation::Delete, "").status, 204);
}

fn create_again(object: &StreamObject<Host>) {
    delete(object);
    assert_eq!(create(object, Expiry::Never), 201);
}

fn seal_again(object: &StreamObject<Host>) {
    create_again(object);
    assert_eq!((append(object), append(object)), (204, 204));
}

fn close(object: &StreamObject<Host>) {
    let append = Append { content_type: None, producer: None, stream_seq: None, close: true };
    assert_eq!(ask(object, Operation::Append(append), "").status, 204);
}

#[test]
fn a_turn_between_two_steps_may_do_anything_and_only_what_is_still_wanted_is_put() {
    type Turn = fn(&StreamObject<Host>);
    let cases: [(&str, Turn, &[&str], &[&str]); 6] = [
        ("nothing", |_| {}, &["put"], &["0 0"]),
        ("append", |object| assert_eq!(append(object), 204), &["put"], &["0 0"]),
        ("close", close, &["put"], &["0 4"]),
        ("delete", delete, &[], &[]),
        ("create again", create_again, &[], &[]),
        ("seal again", seal_again, &["put"], &["2 0"]),
    ];
    for (name, turn, calls, segments) in cases {
        // After the first step, and after the last row was read.
        for steps in 1..=2 {
            let (object, host) = sealed();
            let mut context = Context::from_waker(Waker::noop());
            let mut handler = pin!(object.alarm());
            for _ in 0..steps {
                assert_eq!(handler.as_mut().poll(&mut context), Poll::Pending, "{name}");
                assert!(host.store().calls.borrow().is_empty(), "a turn ends before the next step");
                host.pass_ms(1);
            }
            turn(&object);
            let mut ended = handler.as_mut().poll(&mut context);
            for _ in 0..9 {
                host.pass_ms(1);
                ended = if ended.is_ready() { ended } else { handler.as_mut().poll(&mut context) };
            }
            assert_eq!(ended, Poll::Ready(Ok(())), "{name}");
            let called: Vec<_> = host.store().calls.borrow().iter().map(|(name, _)| *name).collect();
            assert_eq!(called, calls, "{name} after {steps} steps");
            let recorded = host.rows("SELECT read_seq || ' ' || (flags & 4) FROM segments");
            assert_eq!(recorded, segments, "{name} after {steps} steps");
            assert!(!host.0.marks.borrow().contains(&marks::DUTY_FAILED), "{name}: nothing is wrong with that");
            let duties = host.rows("SELECT kind || coalesce(payload, '') FROM agenda WHERE kind = 2");
            assert_eq!(duties, [""; 0], "{name}: the rotation has ended, and no attempt of it has failed");
        }
    }
}
