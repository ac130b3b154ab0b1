//! What an object keeps of a stream that is gone: one row, once nothing is left to do.

use futures_util::FutureExt;
use tailrace_core::object::StreamObject;
use tailrace_core::protocol::Expiry;
use tailrace_core::protocol::message::Operation;
use tailrace_core::runtime::{Actor, ActorState};
use tailrace_core::storage::SqlStorage;

use crate::host::{Bucket, Host, append, ask, create, object};

const MINUTE: Expiry = Expiry::Ttl { seconds: 60 };

/// The tables.
fn tables(host: &Host) -> Vec<String> {
    host.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
}

/// Whether one row is left, and no table but its own.
fn is_only_a_tombstone(host: &Host) -> bool {
    let rows = host.rows("SELECT coalesce(incarnation, 'none') FROM stream");
    tables(host) == ["stream"] && rows == ["none"]
}

/// Pages of 4 KiB that the database takes.
fn pages(host: &Host) -> u64 {
    const PAGES: &str = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count";
    host.sql().first(PAGES, &[], |row| row.count(0)).expect("SQLite tells its pages").expect("a row")
}

fn alarm(object: &StreamObject<Host>) {
    assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
}

#[test]
fn a_stream_without_objects_in_r2_leaves_one_row_at_once() {
    for (expiry, deletes) in [(Expiry::Never, true), (MINUTE, true), (MINUTE, false)] {
        let (object, host) = object();
        assert_eq!((create(&object, expiry.clone()), append(&object)), (201, 204));
        if deletes {
            assert_eq!(ask(&object, Operation::Delete, "").status, 204);
        } else {
            host.pass_ms(100_000);
            alarm(&object);
        }
        assert!(is_only_a_tombstone(&host), "{expiry:?}: {:?}", tables(&host));
        // Whatever comes now finds no table that it may count on.
        alarm(&object);
        for operation in [Operation::Head, Operation::Delete] {
            assert_eq!(ask(&object, operation, "").status, 404);
        }
        assert!(is_only_a_tombstone(&host));
        assert_eq!((create(&object, expiry), append(&object)), (201, 204), "the next stream makes what it needs");
    }
}

#[test]
fn a_tombstone_takes_two_pages_however_much_the_stream_held() {
    let (object, host) = object();
    assert_eq!(create(&object, MINUTE), 201);
    for _ in 0..1_000 {
        assert_eq!(append(&object), 204);
    }
    assert!(pages(&host) > 10);
    host.store().does.set(Bucket::Works);
    host.pass_ms(100_000);
    alarm(&object);
    // One of the schema, one of the row: docs/architecture.md tells what a million of them cost.
    assert_eq!((is_only_a_tombstone(&host), pages(&host)), (true, 2));
}

#[test]
fn what_is_in_r2_goes_first_and_the_agenda_with_the_last_duty() {
    let (object, host) = object();
    host.store().does.set(Bucket::Works);
    assert_eq!((create(&object, MINUTE), append(&object), append(&object)), (201, 204, 204));
    alarm(&object);
    assert_eq!(tables(&host), ["agenda", "producers", "segments", "stream"]);
    host.store().does.set(Bucket::Fails);
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    alarm(&object);
    assert_eq!(tables(&host), ["agenda", "stream"], "its objects are still there");
    host.store().does.set(Bucket::Works);
    host.pass_ms(600_000);
    alarm(&object);
    assert!(is_only_a_tombstone(&host), "{:?}", tables(&host));
}

#[test]
fn the_duties_of_an_earlier_stream_outlive_the_next_one() {
    let (object, host) = object();
    host.store().does.set(Bucket::Works);
    assert_eq!((create(&object, Expiry::Never), append(&object), append(&object)), (201, 204, 204));
    alarm(&object);
    host.store().does.set(Bucket::Fails);
    for _ in 0..2 {
        assert_eq!(ask(&object, Operation::Delete, "").status, 204);
        alarm(&object);
        assert_eq!(tables(&host), ["agenda", "stream"]);
        assert_eq!(create(&object, Expiry::Never), 201);
    }
    host.store().does.set(Bucket::Works);
    host.pass_ms(600_000);
    alarm(&object);
    assert_eq!(tables(&host), ["agenda", "log", "producers", "stream"], "a living stream keeps its agenda");
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    assert!(is_only_a_tombstone(&host));
}

#[test]
fn a_creation_that_is_refused_where_a_stream_has_expired_leaves_one_row() {
    let (object, host) = object();
    assert_eq!(create(&object, MINUTE), 201);
    host.pass_ms(100_000);
    let json = tailrace_core::protocol::message::Create {
        location: "https://example.test/a".to_owned(),
        content_type: tailrace_core::protocol::ContentType::parse("application/json").ok(),
        expiry: Expiry::Never,
        closed: false,
        public: false,
    };
    assert_eq!(ask(&object, Operation::Create(json), "{").status, 400);
    assert!(is_only_a_tombstone(&host), "{:?}", tables(&host));
}

/// A stream is removed while its segment is being put, as if the attempt had never been noted: no sweep, and so nothing to
/// remove. Then `ends` has the put come to its end, after which the handler has nothing more to do.
fn removed_during_a_put(ends: impl FnOnce(&Host)) {
    let (object, host) = object();
    assert_eq!((create(&object, Expiry::Never), append(&object), append(&object)), (201, 204, 204));
    host.store().does.set(Bucket::Silent);
    let mut handler = std::pin::pin!(object.alarm());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(handler.as_mut().poll(&mut context).is_pending());
    host.rows("DELETE FROM agenda WHERE kind = 3 RETURNING 'gone'");
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    assert!(is_only_a_tombstone(&host), "{:?}", tables(&host));
    assert!(handler.as_mut().poll(&mut context).is_pending(), "the put is still under way");
    ends(&host);
    assert_eq!(handler.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(())));
    assert!(is_only_a_tombstone(&host), "{:?}", tables(&host));
}

#[test]
fn an_agenda_that_is_lost_during_a_duty_fails_no_handler() {
    // The object of the put is looked for.
    removed_during_a_put(|host| host.store().does.set(Bucket::Works));
}

#[test]
fn a_check_for_an_orphan_is_entered_whole_or_not_at_all() {
    removed_during_a_put(|host| {
        host.store().does.set(Bucket::WorksOnce);
        host.0.refuses.set(true);
    });
}
