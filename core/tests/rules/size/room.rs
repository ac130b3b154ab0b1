//! What rows take in a database, and that there is always room to free them.

use futures_util::FutureExt;
use tailrace_core::object::{Settings, StreamObject};
use tailrace_core::protocol::limits::{LOG_ROW_BYTES, RESERVE_BYTES, ROW_LIMIT};
use tailrace_core::protocol::message::Operation;
use tailrace_core::protocol::{Expiry, Response};
use tailrace_core::runtime::{Actor, ActorState};
use tailrace_core::storage::{SqlParam, SqlStorage, row_key};
use tailrace_core::stream::StreamLimits;

use crate::host::{Bucket, Host, append_body, ask, close, create, object_of};
use crate::request::{PUT, post};
use crate::url::Url;

/// Bytes of a page of SQLite.
const PAGE: u64 = 4_096;

fn bytes(sql: &impl SqlStorage) -> u64 {
    sql.database_bytes().expect("SQLite tells its size")
}

/// What is counted of a log of rows of so many bytes, and what it takes. The numbers in its rows are as large as any
/// stream has them.
fn counted_and_taken(body: usize, rows: usize) -> (u64, u64) {
    let mut url = Url::new(StreamLimits { hot_bytes: 1 << 55, database_bytes: 1 << 60, ..StreamLimits::default() });
    url.now_ms = 1_800_000_000_000;
    url.put(PUT);
    url.delete();
    let late = SqlParam::count(row_key::READ_SEQS - 1_000).expect("a segment");
    url.sql.run("UPDATE stream SET first_read_seq = ?1", &[late]).expect("storage works");
    url.restart();
    url.put(PUT.body("x"));
    url.sql.run("UPDATE log SET total = 1 << 50", &[]).expect("storage works");
    url.restart();
    let before = (url.stream().hot_bytes(), bytes(&url.sql));
    let body: &'static str = "x".repeat(body).leak();
    for _ in 0..rows {
        url.append_with(post(body), || Ok(())).expect("a stream").expect("storage works");
    }
    (url.stream().hot_bytes() - before.0, bytes(&url.sql) - before.1)
}

#[test]
fn rows_take_what_is_counted_of_them_and_at_most_twice_as_much() {
    for (body, rows, fills_its_pages) in [
        (1, 100_000, true),
        (10, 100_000, true),
        (100, 20_000, true),
        (500, 4_000, false),
        (1_300, 2_000, false),
        // Two of them do not fit a page.
        (2_040, 1_000, false),
        (4_000, 500, false),
        // The rest of these takes a page of its own.
        (4_200, 500, false),
        (100_000, 20, false),
        (ROW_LIMIT, 4, false),
    ] {
        let (counted, taken) = counted_and_taken(body, rows);
        let of_a_row = |bytes: u64| bytes as f64 / rows as f64;
        let text = format!("{body}: {:.1} counted, {:.1} taken", of_a_row(counted), of_a_row(taken));
        println!("{text}");
        assert!(taken <= counted * 2, "{text}");
        assert!(!fills_its_pages || taken <= counted, "{text}");
        // What is counted besides the content is no more than numbers need.
        assert!(counted <= taken + (LOG_ROW_BYTES / 4) * rows as u64, "{text}");
    }
}

/// An object whose database may have so many bytes, and whose segments hold so many rows.
fn object_in(database_bytes: u64, segment_rows: u64) -> (StreamObject<Host>, Host) {
    let limits = StreamLimits {
        body_bytes: 2_000,
        segment_rows,
        segment_bytes: 30_000,
        database_bytes,
        ..StreamLimits::default()
    };
    assert_eq!(limits.problem(), None);
    object_of(Settings { limits, ..Settings::default() })
}

/// Appends until the stream takes no more; returns how often it did, and the refusal.
fn fill(object: &StreamObject<Host>, body: &'static str) -> (usize, Response) {
    for appended in 0..100_000 {
        let response = append_body(object, body);
        if response.status != 204 {
            return (appended, response);
        }
    }
    panic!("the stream takes everything");
}

fn is_full(response: &Response) -> bool {
    let body = String::from_utf8_lossy(&response.body);
    response.status == 507 && response.headers.get("retry-after") == Some("60") && body.contains("storage_full")
}

/// Runs the alarm's handler until nothing waits any more.
fn rotate_all(object: &StreamObject<Host>, host: &Host) {
    host.store().does.set(Bucket::Works);
    for _ in 0..50 {
        host.pass_ms(600_000);
        assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
        if host.rows("SELECT '' FROM agenda WHERE kind = 2").is_empty() {
            return;
        }
    }
    panic!("segments are left: {:?}", host.rows("SELECT kind || ' ' || coalesce(payload, '') FROM agenda"));
}

#[test]
fn a_database_that_takes_no_more_content_has_room_for_the_close_and_for_the_rotation() {
    const LIMIT: u64 = 160 * PAGE;
    // Where segments are tiny, their records need more room than their rows.
    let half_a_page: &str = "x".repeat(2_000).leak();
    for (body, segment_rows, least) in [
        ("x", 100, LIMIT / 2),
        ("x", 2, LIMIT / 5),
        ("a body of some bytes, but not of many", 50, LIMIT / 2),
        // A segment has pages enough for what the rotation needs, so that each append has to look.
        (half_a_page, 1_000, LIMIT / 2),
    ] {
        let (object, host) = object_in(LIMIT, segment_rows);
        assert_eq!(create(&object, Expiry::Never), 201);
        let (appended, refusal) = fill(&object, body);
        assert!(is_full(&refusal), "{refusal:?}");
        let taken = bytes(host.sql());
        assert!((least..=LIMIT - RESERVE_BYTES).contains(&taken), "{taken} bytes of {LIMIT}");
        // From here on SQLite itself has the limit.
        host.limit_pages(LIMIT / PAGE);
        assert_eq!(close(&object), 204);
        let mut most = bytes(host.sql());
        host.store().does.set(Bucket::Works);
        for _ in 0..appended {
            host.pass_ms(600_000);
            assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
            most = most.max(bytes(host.sql()));
        }
        assert!(host.rows("SELECT '' FROM agenda").is_empty(), "all is done");
        println!("{appended} of {segment_rows}: {taken} bytes, {most} at most");
        assert!(most <= taken + RESERVE_BYTES / 2, "{taken} bytes, then {most}");
    }
}

#[test]
fn what_sqlite_has_no_room_for_is_refused_undone_and_moved_to_r2_when_that_is_back() {
    let (object, host) = object_in(10_000_000_000, 200);
    assert_eq!(create(&object, Expiry::Never), 201);
    host.limit_pages(60);
    let (first, refusal) = fill(&object, "a body of some bytes, but not of many");
    assert!(first > 1_000 && is_full(&refusal), "{first} {refusal:?}");
    for _ in 0..5 {
        assert!(is_full(&append_body(&object, "a body of some bytes, but not of many")));
        assert_eq!(ask(&object, Operation::Head, "").status, 200);
    }
    let rows: usize = ["log", "log_b"].iter().map(|table| rows_of(&host, table)).sum();
    assert_eq!(rows, first, "what was acknowledged is there, and nothing else");
    rotate_all(&object, &host);
    assert_eq!(host.rows("SELECT '' FROM segments").len(), first / 200);
    let mut again = 0;
    for _ in 0..3 {
        again += fill(&object, "a body of some bytes, but not of many").0;
        rotate_all(&object, &host);
    }
    assert!(again > first, "there is room again: {again} after {first}");
}

fn rows_of(host: &Host, table: &str) -> usize {
    host.rows(format!("SELECT '' FROM {table}").leak()).len()
}

#[test]
fn a_stream_in_a_database_without_a_free_byte_is_deleted_or_expires() {
    for deletes in [true, false] {
        let (object, host) = object_in(10_000_000_000, 200);
        assert_eq!(create(&object, Expiry::Ttl { seconds: 60 }), 201);
        host.store().does.set(Bucket::Works);
        for _ in 0..2 {
            host.limit_pages(40);
            assert!(is_full(&fill(&object, "a body of some bytes, but not of many").1));
            assert_eq!(object.alarm().now_or_never(), Some(Ok(())));
        }
        host.limit_pages(host.file_pages());
        if deletes {
            assert_eq!(ask(&object, Operation::Delete, "").status, 204);
        } else {
            host.pass_ms(100_000);
        }
        rotate_all(&object, &host);
        assert_eq!(host.rows("SELECT name FROM sqlite_schema"), ["stream"], "one row is left");
        assert!(bytes(host.sql()) <= 2 * PAGE);
    }
}

#[test]
fn an_open_segment_that_has_no_room_beside_rows_of_r2_gets_that_of_those_rows() {
    let (object, host) = object_in(60 * PAGE, 100);
    assert_eq!(create(&object, Expiry::Never), 201);
    // The first segment, and with it the first table, is small: to drop it makes room for next to nothing.
    for _ in 0..100 {
        assert_eq!(append_body(&object, "x").status, 204);
    }
    let body: &'static str = "y".repeat(1_900).leak();
    for _ in 0..5 {
        let (appended, refusal) = fill(&object, body);
        assert!(appended >= 16 && is_full(&refusal), "a segment has room: {appended}");
        rotate_all(&object, &host);
    }
}

/// Takes all the room there is, down to the last byte of the pages of a table, by these inserts.
fn exhaust(host: &Host, insert: &'static str) {
    host.sql().run("CREATE TABLE filler (bytes BLOB)", &[]).expect("room for a table");
    host.limit_pages(host.file_pages());
    while host.sql().run("INSERT INTO filler VALUES (zeroblob(3000))", &[]).is_ok() {}
    while host.sql().run("INSERT INTO filler VALUES (zeroblob(10))", &[]).is_ok() {}
    let error = (0..1_000).find_map(|_| host.sql().run(insert, &[]).err()).expect("a page is full at some time");
    assert!(error.is_full, "{error}");
}

#[test]
fn a_rotation_that_finds_no_room_for_its_record_makes_some() {
    let (object, host) = object_in(10_000_000_000, 200);
    assert_eq!(create(&object, Expiry::Never), 201);
    let append = |rows| (0..rows).for_each(|_| assert_eq!(append_body(&object, "a body of some bytes").status, 204));
    append(200);
    rotate_all(&object, &host);
    // The second segment has a table of its own, the others share one.
    host.store().does.set(Bucket::Fails);
    append(610);
    host.store().does.set(Bucket::WorksOnce);
    host.pass_ms(600_000);
    assert_eq!(object.alarm().now_or_never(), None, "the put after the first is not answered");
    assert_eq!((rows_of(&host, "segments"), rows_of(&host, "log"), rows_of(&host, "log_b")), (2, 0, 410));
    exhaust(
        &host,
        "INSERT INTO segments SELECT min(read_seq) - 1, 'of no stream', 0, 0, 0, 0, 0, 0, NULL, NULL, 0, NULL, 0 \
         FROM segments",
    );
    let records = rows_of(&host, "segments");
    rotate_all(&object, &host);
    assert_eq!(rows_of(&host, "segments"), records + 2);
    assert!(rows_of(&host, "log_b") < 410, "rows that are in R2 made room");
    assert_eq!(append_body(&object, "more").status, 204);
}

#[test]
fn a_removal_that_finds_no_room_for_its_duty_takes_that_of_the_stream() {
    let (object, host) = object_in(10_000_000_000, 2);
    assert_eq!(create(&object, Expiry::Never), 201);
    for _ in 0..3 {
        assert_eq!(append_body(&object, "x").status, 204);
    }
    rotate_all(&object, &host);
    exhaust(&host, "INSERT INTO agenda SELECT 90, 'of another version ' || count(*), 9000000000000, NULL FROM agenda");
    assert_eq!(ask(&object, Operation::Delete, "").status, 204);
    assert_eq!(host.rows("SELECT '' FROM agenda WHERE kind = 4").len(), 1, "its objects are removed later");
}
