//! This version serves streams that earlier versions stored, and moves those of version 1 to R2; a crash during the
//! migration loses nothing.

use tailrace_core::object::Settings;
use tailrace_core::protocol::Address;
use tailrace_core::protocol::Method;
use tailrace_core::protocol::Offset;
use tailrace_core::protocol::limits::LOG_ROW_BYTES;
use tailrace_core::stream::StreamLimits;
use tailrace_sim::bill::Meter;
use tailrace_sim::kernel::random::{Delay, Seeds};
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::{Faults, Piece};
use tailrace_tests::stream_client::StreamClient;

const OBJECT: &str = "_default/old";

/// The tables of version 1.
const TABLES: [&str; 3] = [
    "CREATE TABLE stream (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, \
     first_read_seq INTEGER NOT NULL, incarnation TEXT, content_type TEXT, ttl_s INTEGER, expires_at TEXT, \
     deadline_ms INTEGER)",
    "CREATE TABLE log (key INTEGER PRIMARY KEY, count INTEGER NOT NULL, commit_ms INTEGER NOT NULL, \
     flags INTEGER NOT NULL, tally INTEGER NOT NULL, stream_seq TEXT, closed_by TEXT, lengths BLOB, \
     body BLOB NOT NULL)",
    "CREATE TABLE producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, \
     read_seq INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
];

/// A stream of two sealed segments and an open one: `[1,22]`, `[333]`, `[4]`, the last by a producer.
const STREAM: [&str; 5] = [
    "INSERT INTO stream VALUES (0, 1, 0, '00112233445566778899aabbccddeeff', 'application/json', NULL, NULL, NULL)",
    "INSERT INTO log VALUES (0, 2, 1000, 2, 4, NULL, NULL, x'0102', CAST('1,22' AS BLOB))",
    "INSERT INTO log VALUES ((1 << 24 | 0) << 4, 1, 1001, 2, 3, 's', NULL, NULL, CAST('333' AS BLOB))",
    "INSERT INTO log VALUES ((2 << 24 | 0) << 4, 1, 1002, 0, 1, 's', NULL, NULL, CAST('4' AS BLOB))",
    "INSERT INTO producers VALUES ('p', 0, 7, 2, 1)",
];

/// The tombstone of a stream of five segments.
const TOMBSTONE: [&str; 1] = ["INSERT INTO stream VALUES (0, 1, 5, NULL, NULL, NULL, NULL, NULL)"];

/// The same as version 3 left it.
const TOMBSTONE_OF_VERSION_3: [&str; 1] = ["INSERT INTO stream VALUES (0, 3, 5, NULL, NULL, NULL, NULL, NULL, 0, 0)"];

fn world(faults: Faults, seed: u64) -> World {
    World::new(WorldConfig { faults, seeds: Seeds::of(seed), ..WorldConfig::of(Settings::default()) })
}

const CLIENT: StreamClient = StreamClient { path: "old", fields: &[("tailrace-debug", "1")], patience_ms: 10_000 };

fn offset(read_seq: u64, position: u64) -> String {
    Offset { read_seq, position }.to_string()
}

/// Pages of the stream from the start to the tail.
async fn read_all(world: &World) -> Vec<String> {
    let mut pages = Vec::new();
    let mut from = "-1".to_owned();
    loop {
        let page = CLIENT.ask(world, Method::Get, &format!("?offset={from}"), &[], "").await;
        assert_eq!(page.status, 200);
        pages.push(String::from_utf8_lossy(&page.body).into_owned());
        if page.headers.get("stream-up-to-date").is_some() {
            return pages;
        }
        from = page.headers.get("stream-next-offset").expect("an offset").to_owned();
    }
}

/// What the debug header says about segments in R2, and the tail.
async fn head(world: &World) -> (String, String) {
    let head = CLIENT.ask(world, Method::Head, "", &[], "").await;
    let cold = head.headers.get("tailrace-cold").expect("a debug header");
    let segments = cold.split("; ").next().unwrap_or_default().to_owned();
    (segments, head.headers.get("stream-next-offset").unwrap_or_default().to_owned())
}

#[test]
fn a_stream_of_version_1_reads_as_before_goes_on_and_moves_to_r2() {
    rt::block_on(1, async {
        let world = world(Faults::default().with(|faults| faults.alarm.late = Delay::new(5_000, 5_000)), 1);
        world.prepare(Address::stream(OBJECT), &TABLES);
        world.prepare(Address::stream(OBJECT), &STREAM);
        let pages = ["[1,22]", "[333]", "[4]"];
        assert_eq!(read_all(&world).await, pages);
        assert_eq!(head(&world).await, ("segments=0".to_owned(), offset(2, 1)));
        let producer = [
            ("content-type", "application/json"),
            ("producer-id", "p"),
            ("producer-epoch", "0"),
            ("producer-seq", "7"),
        ];
        let duplicate = CLIENT.ask(&world, Method::Post, "", &producer, "9").await;
        assert_eq!((duplicate.status, duplicate.headers.get("stream-next-offset")), (204, Some(&*offset(2, 1))));
        rt::sleep_ms(10_000).await;
        assert_eq!(head(&world).await, ("segments=2".to_owned(), offset(2, 1)));
        assert_eq!(world.services().bucket.objects().len(), 2);
        assert_eq!(read_all(&world).await, pages);
        let append = [("content-type", "application/json"), ("stream-seq", "t")];
        assert_eq!(CLIENT.ask(&world, Method::Post, "", &append, "5").await.status, 204);
        assert_eq!(read_all(&world).await, ["[1,22]", "[333]", "[4,5]"]);
    });
}

#[test]
fn a_tombstone_of_version_1_still_counts_the_segments_of_the_next_stream() {
    rt::block_on(1, async {
        let world = world(Faults::default(), 1);
        world.prepare(Address::stream(OBJECT), &TABLES[..1]);
        world.prepare(Address::stream(OBJECT), &TOMBSTONE);
        assert_eq!(CLIENT.ask(&world, Method::Get, "", &[], "").await.status, 404);
        let created = CLIENT.ask(&world, Method::Put, "", &[("content-type", "text/plain")], "").await;
        assert_eq!((created.status, created.headers.get("stream-next-offset")), (201, Some(&*offset(5, 0))));
    });
}

#[test]
fn a_tombstone_of_version_3_loses_an_agenda_without_duties_and_keeps_one_with_some() {
    const AGENDA: &str = "CREATE TABLE agenda (kind INTEGER NOT NULL, subject TEXT NOT NULL, due_ms INTEGER NOT NULL, \
                          payload BLOB, PRIMARY KEY (kind, subject)) WITHOUT ROWID";
    const COUNTS: [&str; 2] = [
        "ALTER TABLE stream ADD COLUMN unswept INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE stream ADD COLUMN swept INTEGER NOT NULL DEFAULT 0",
    ];
    const FAR_OFF: &str = "INSERT INTO agenda VALUES (4, 'an earlier stream', 9000000000000, NULL)";
    for (duties, tables) in [(&[][..], &["stream"][..]), (&[FAR_OFF], &["agenda", "stream"])] {
        rt::block_on(1, async {
            let world = world(Faults::default(), 1);
            world.prepare(Address::stream(OBJECT), &TABLES[..1]);
            world.prepare(Address::stream(OBJECT), &COUNTS);
            world.prepare(Address::stream(OBJECT), &TOMBSTONE_OF_VERSION_3);
            world.prepare(Address::stream(OBJECT), &[AGENDA]);
            world.prepare(Address::stream(OBJECT), duties);
            assert_eq!(CLIENT.ask(&world, Method::Get, "", &[], "").await.status, 404);
            let left: Vec<_> = world.stored(OBJECT).tables.into_iter().map(|(name, _)| name).collect();
            assert_eq!(left, tables);
        });
    }
}

#[test]
fn a_migration_that_a_crash_undoes_is_done_again_and_one_that_stays_is_not() {
    for seed in 1..=20 {
        rt::block_on(seed, async {
            let world = world(Faults::default().with(|faults| faults.storage.flush = Delay::new(50, 50)), seed);
            world.prepare(Address::stream(OBJECT), &TABLES);
            world.prepare(Address::stream(OBJECT), &STREAM);
            for _ in 0..3 {
                let read = CLIENT.ask(&world, Method::Get, "", &[], "");
                let crash = async {
                    rt::sleep_ms(10).await;
                    world.crash(OBJECT);
                };
                futures_util::future::join(read, crash).await;
            }
            world.calm();
            rt::sleep_ms(30_000).await;
            assert_eq!(read_all(&world).await, ["[1,22]", "[333]", "[4]"]);
            assert_eq!(head(&world).await, ("segments=2".to_owned(), offset(2, 1)), "seed {seed}");
            let rows = world.stored(OBJECT).rows_written;
            world.crash(OBJECT);
            assert_eq!(CLIENT.ask(&world, Method::Get, "", &[], "").await.status, 200);
            assert_eq!(world.stored(OBJECT).rows_written, rows, "a start without a migration writes nothing");
        });
    }
}

/// Takes the tables of a stream without hot rows and without producers back to what version 2 made of them.
const TABLES_OF_VERSION_2: [&str; 14] = [
    "CREATE TABLE kept (read_seq, attempt, end, bytes, index_at, index_bytes, commit_ms, flags, stream_seq, \
     closed_by, total)",
    "INSERT INTO kept SELECT read_seq, attempt, end, bytes, index_at, index_bytes, commit_ms, flags, stream_seq, \
     closed_by, total FROM segments",
    "DROP TABLE segments",
    "CREATE TABLE segments (read_seq INTEGER PRIMARY KEY, attempt TEXT NOT NULL, end INTEGER NOT NULL, \
     bytes INTEGER NOT NULL, index_at INTEGER NOT NULL, index_bytes INTEGER NOT NULL, commit_ms INTEGER NOT NULL, \
     flags INTEGER NOT NULL, stream_seq TEXT, closed_by TEXT, total INTEGER NOT NULL)",
    "INSERT INTO segments SELECT * FROM kept",
    "DROP TABLE kept",
    "CREATE TABLE kept (id, version, first_read_seq, incarnation, content_type, unswept, swept)",
    "INSERT INTO kept SELECT id, 2, first_read_seq, incarnation, content_type, unswept, swept FROM stream",
    "DROP TABLE stream",
    "CREATE TABLE stream (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, \
     first_read_seq INTEGER NOT NULL, incarnation TEXT, content_type TEXT, ttl_s INTEGER, expires_at TEXT, \
     deadline_ms INTEGER, unswept INTEGER NOT NULL DEFAULT 0, swept INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO stream (id, version, first_read_seq, incarnation, content_type, unswept, swept) SELECT * FROM kept",
    "DROP TABLE kept",
    "DROP TABLE producers",
    TABLES[2],
];

/// What an event stream from an offset holds until it is at the tail: the lines of its data events.
async fn events(world: &World, from: &str) -> Vec<String> {
    let opened = CLIENT.open(world, &format!("?offset={from}&live=sse")).await;
    assert_eq!(opened.response.status, 200);
    let body = opened.body.expect("events");
    let mut text = String::new();
    while !text.contains("upToDate") {
        let Piece::Bytes(bytes) = body.next().await else { panic!("the connection has ended after {text:?}") };
        text.push_str(std::str::from_utf8(&bytes).expect("events are UTF-8"));
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter(|line| !line.contains("streamNextOffset")).map(str::to_owned).collect()
}

#[test]
fn segments_of_version_2_do_not_tell_how_their_text_ends_and_r2_is_asked() {
    const TEXT: [(&str, &str); 1] = [("content-type", "text/plain")];
    rt::block_on(1, async {
        let limits = StreamLimits { segment_rows: 1, ..StreamLimits::default() };
        let settings = Settings { limits, ..Settings::default() };
        let world = World::new(WorldConfig::of(settings));
        assert_eq!(CLIENT.ask(&world, Method::Put, "", &TEXT, "").await.status, 201);
        for append in ["a\r", "\nb"] {
            assert_eq!(CLIENT.ask(&world, Method::Post, "", &TEXT, append).await.status, 204);
        }
        rt::sleep_ms(10_000).await;
        assert_eq!(head(&world).await.0, "segments=2");
        let at_lf = offset(0, 2);
        assert_eq!(events(&world, "-1").await, ["a", "", "b"]);
        let before = world.usage().total(Meter::R2ClassB);
        assert_eq!(events(&world, &at_lf).await, ["b"]);
        let known = world.usage().total(Meter::R2ClassB) - before;
        // As version 2 has left it.
        world.crash(OBJECT);
        world.prepare(Address::stream(OBJECT), &TABLES_OF_VERSION_2);
        let before = world.usage().total(Meter::R2ClassB);
        assert_eq!(events(&world, &at_lf).await, ["b"]);
        assert!(world.usage().total(Meter::R2ClassB) - before > known, "the byte before is fetched");
        // What is recorded from now on tells it.
        for append in ["c\r", "\nd"] {
            assert_eq!(CLIENT.ask(&world, Method::Post, "", &TEXT, append).await.status, 204);
        }
        rt::sleep_ms(10_000).await;
        assert_eq!(head(&world).await.0, "segments=4");
        assert_eq!(events(&world, &offset(2, 2)).await, ["d"]);
    });
}

/// A stream of version 3: `ab` in R2, and `abc` and `d` in the second table of the log; two producers.
const STREAM_OF_VERSION_3: [&str; 11] = [
    "CREATE TABLE stream (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, \
     first_read_seq INTEGER NOT NULL, incarnation TEXT, content_type TEXT, ttl_s INTEGER, expires_at TEXT, \
     deadline_ms INTEGER, unswept INTEGER NOT NULL DEFAULT 0, swept INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO stream VALUES (0, 3, 0, '00112233445566778899aabbccddeeff', 'text/plain', NULL, NULL, NULL, 0, 0)",
    "CREATE TABLE segments (read_seq INTEGER PRIMARY KEY, attempt TEXT NOT NULL, end INTEGER NOT NULL, \
     bytes INTEGER NOT NULL, index_at INTEGER NOT NULL, index_bytes INTEGER NOT NULL, commit_ms INTEGER NOT NULL, \
     flags INTEGER NOT NULL, stream_seq TEXT, closed_by TEXT, total INTEGER NOT NULL, text_end BLOB)",
    "INSERT INTO segments VALUES (0, 'a', 2, 100, 50, 50, 1001, 2, NULL, NULL, 2, NULL)",
    "CREATE TABLE log_b (key INTEGER PRIMARY KEY, count INTEGER NOT NULL, commit_ms INTEGER NOT NULL, \
     flags INTEGER NOT NULL, tally INTEGER NOT NULL, stream_seq TEXT, closed_by TEXT, lengths BLOB, \
     body BLOB NOT NULL, total INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO log_b VALUES ((1 << 24 | 0) << 4, 3, 2000, 0, 1, 's', NULL, NULL, CAST('abc' AS BLOB), 5)",
    "INSERT INTO log_b VALUES ((1 << 24 | 3) << 4, 1, 2001, 0, 2, 's', NULL, NULL, CAST('d' AS BLOB), 6)",
    "CREATE TABLE producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, \
     read_seq INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO producers VALUES ('p', 0, 7, 0, 2), ('q', 0, 0, 1, 4)",
    "CREATE TABLE agenda (kind INTEGER NOT NULL, subject TEXT NOT NULL, due_ms INTEGER NOT NULL, payload BLOB, \
     PRIMARY KEY (kind, subject)) WITHOUT ROWID",
    "INSERT INTO agenda VALUES (3, '', 9000000000000, NULL)",
];

#[test]
fn a_stream_of_version_3_counts_its_rows_and_its_producers_from_now_on() {
    rt::block_on(1, async {
        let world = world(Faults::default(), 1);
        world.prepare(Address::stream(OBJECT), &STREAM_OF_VERSION_3);
        let hot = async || {
            let head = CLIENT.ask(&world, Method::Head, "", &[], "").await;
            let cold = head.headers.get("tailrace-cold").expect("a debug header").to_owned();
            cold.split("; ").find_map(|word| word.strip_prefix("hot-bytes=")?.parse::<u64>().ok()).expect("a number")
        };
        // Two rows with a byte of `Stream-Seq` each.
        assert_eq!(hot().await, 4 + 2 * (LOG_ROW_BYTES + 1));
        let read = CLIENT.ask(&world, Method::Get, &format!("?offset={}", offset(0, 2)), &[], "").await;
        assert_eq!((read.status, &*read.body), (200, b"abcd".as_slice()));
        let idle_since = || world.texts(OBJECT, "SELECT id || ' ' || commit_ms FROM producers ORDER BY id");
        assert_eq!(idle_since(), ["p 2001", "q 2001"]);
        let producer = |id, seq| {
            [("content-type", "text/plain"), ("producer-id", id), ("producer-epoch", "0"), ("producer-seq", seq)]
        };
        for (id, seq, status) in [("p", "8", 200), ("q", "0", 204), ("r", "0", 200)] {
            assert_eq!(CLIENT.ask(&world, Method::Post, "", &producer(id, seq), "e").await.status, status, "{id}");
        }
        let counts = world.texts(OBJECT, "SELECT CAST(producers AS TEXT) FROM log_b ORDER BY key");
        assert_eq!(counts, ["0", "2", "2", "3"]);
        assert_eq!(hot().await, 6 + 4 * (LOG_ROW_BYTES + 1));
    });
}

/// A stream of version 3, of a content type, and the last rows of its segment: `a` and `b`, or `1,2` and `3`.
fn version_3(json: bool) -> [&'static str; 6] {
    let (stream, one, two) = match json {
        true => (
            "INSERT INTO stream VALUES (0, 3, 0, '00', 'application/json', NULL, NULL, NULL, 0, 0)",
            "INSERT INTO log VALUES (1 << 28, 2, 1000, 0, 3, NULL, NULL, x'0101', CAST('1,2' AS BLOB), 3)",
            "INSERT INTO log VALUES ((1 << 24 | 2) << 4, 1, 1001, 0, 4, NULL, NULL, NULL, CAST('3' AS BLOB), 4)",
        ),
        false => (
            "INSERT INTO stream VALUES (0, 3, 0, '00', 'text/plain', NULL, NULL, NULL, 0, 0)",
            "INSERT INTO log VALUES (1 << 28, 1, 1000, 0, 1, NULL, NULL, NULL, CAST('a' AS BLOB), 1)",
            "INSERT INTO log VALUES ((1 << 24 | 1) << 4, 1, 1001, 0, 2, NULL, NULL, NULL, CAST('b' AS BLOB), 2)",
        ),
    };
    [
        "CREATE TABLE stream (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, \
         first_read_seq INTEGER NOT NULL, incarnation TEXT, content_type TEXT, ttl_s INTEGER, expires_at TEXT, \
         deadline_ms INTEGER, unswept INTEGER NOT NULL DEFAULT 0, swept INTEGER NOT NULL DEFAULT 0)",
        "CREATE TABLE log (key INTEGER PRIMARY KEY, count INTEGER NOT NULL, commit_ms INTEGER NOT NULL, \
         flags INTEGER NOT NULL, tally INTEGER NOT NULL, stream_seq TEXT, closed_by TEXT, lengths BLOB, \
         body BLOB NOT NULL, total INTEGER NOT NULL DEFAULT 0)",
        TABLES[2],
        stream,
        one,
        two,
    ]
}

/// A row of a first segment of version 3, which holds nothing but this row.
const FIRST_SEGMENT: &str = "INSERT INTO log VALUES (0, 1, 999, 2, 1, NULL, NULL, NULL, CAST('0' AS BLOB), 0)";

#[test]
fn rows_of_version_3_count_when_their_segment_is_sealed() {
    for json in [false, true] {
        rt::block_on(1, async {
            let limits = StreamLimits { segment_rows: 3, ..StreamLimits::default() };
            let world = World::new(WorldConfig::of(Settings { limits, ..Settings::default() }));
            world.prepare(Address::stream(OBJECT), &version_3(json));
            world.prepare(Address::stream(OBJECT), &[FIRST_SEGMENT]);
            let fields = [("content-type", if json { "application/json" } else { "text/plain" })];
            for segments in ["segments=2", "segments=2"] {
                assert_eq!(CLIENT.ask(&world, Method::Post, "", &fields, "4").await.status, 204);
                rt::sleep_ms(10_000).await;
                assert_eq!(head(&world).await.0, segments);
            }
            let pages = if json { ["[0]", "[1,2,3,4]", "[4]"] } else { ["0", "ab4", "4"] };
            assert_eq!(read_all(&world).await, pages);
        });
    }
}
