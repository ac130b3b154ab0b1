//! Readers of a text get the text of all its bytes, however these are cut: into appends, pages, segments and events.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tailrace_core::object::Settings;
use tailrace_core::protocol::{Method, Offset};
use tailrace_core::stream::StreamLimits;
use tailrace_sim::kernel::random::Random;
use tailrace_sim::kernel::rt;
use tailrace_sim::tailrace::{World, WorldConfig};
use tailrace_sim::world::Piece;
use tailrace_tests::stream_client::StreamClient;

const STREAM: StreamClient = StreamClient { path: "s", fields: &[("content-type", "text/plain")], patience_ms: 60_000 };

/// By then a write has reached everybody, in ms.
const SETTLED_MS: u64 = 50;

/// By then an object that nobody asks anything sleeps, in ms.
const ASLEEP_MS: u64 = 15_000;

/// What an event stream says, piece by piece: texts of data events, and where control events say that the reader
/// stands.
#[derive(Clone, Debug, Default)]
struct Heard {
    text: String,
    /// Where the last control event says that the reader stands.
    next: String,
    id: String,
    is_up_to_date: bool,
    is_closed: bool,
    events: usize,
}

impl Heard {
    fn take(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("events are UTF-8");
        for event in text.split("\n\n").filter(|event| event.starts_with("event: ")) {
            let mut data = Vec::new();
            for line in event.lines() {
                if let Some(line) = line.strip_prefix("data:") {
                    data.push(line.strip_prefix(' ').unwrap_or(line));
                } else if let Some(id) = line.strip_prefix("id:") {
                    id.clone_into(&mut self.id);
                }
            }
            let data = data.join("\n");
            if event.starts_with("event: data\n") {
                self.text.push_str(&data);
                self.events += 1;
                continue;
            }
            let (_, rest) = data.split_once("\"streamNextOffset\":\"").expect("an offset");
            rest.get(..33).expect("an offset").clone_into(&mut self.next);
            self.is_up_to_date = data.contains("\"upToDate\":true");
            self.is_closed = data.contains("\"streamClosed\":true");
            assert_eq!(self.id, self.next, "an id is where the reader stands");
        }
    }
}

/// Listens from an offset beside what else happens, and comes back with the last id whenever the connection ends, until
/// the stream is closed.
fn listen(world: &World, from: &str) -> Rc<RefCell<Heard>> {
    let heard = Rc::new(RefCell::new(Heard::default()));
    let (world, from, hears) = (world.clone(), from.to_owned(), heard.clone());
    rt::Node::new().spawn(async move {
        let mut query = format!("?offset={from}&live=sse");
        while !hears.borrow().is_closed {
            let opened = STREAM.open(&world, &query).await;
            assert_eq!(opened.response.status, 200);
            let body = opened.body.expect("events");
            while let Piece::Bytes(bytes) = body.next().await {
                hears.borrow_mut().take(&bytes);
            }
            query = format!("?offset={}&live=sse", hears.borrow().next);
        }
    });
    heard
}

fn world(segment_rows: u64, page_bytes: usize) -> World {
    let limits = StreamLimits { segment_rows, page_bytes, ..StreamLimits::default() };
    World::new(WorldConfig::of(Settings { limits, ..Settings::default() }))
}

async fn post(world: &World, body: impl Into<Bytes>, closes: bool) {
    let fields: &[_] = if closes { &[("stream-closed", "true")] } else { &[] };
    let answer = STREAM.ask(world, Method::Post, "", fields, body).await;
    assert_eq!(answer.status, 204);
}

async fn create(world: &World) {
    assert_eq!(STREAM.ask(world, Method::Put, "", &[], "").await.status, 201);
}

fn offset(read_seq: u64, position: u64) -> String {
    Offset { read_seq, position }.to_string()
}

/// A text as events carry it; what was before it ended with a CR or did not.
fn mapped(bytes: &[u8], follows_cr: bool) -> String {
    let bytes = if follows_cr { bytes.strip_prefix(b"\n").unwrap_or(bytes) } else { bytes };
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// Appends one after the other, and holds what a reader from the start has had after each against what it says here:
/// the text so far, and the position in the one segment at which the reader stands. It is at the tail all the time, and
/// what a reader gets that comes then is the same.
fn check(appends: &[(&[u8], &str, u64)], closed: &str, sleeps: bool) {
    rt::block_on(1, async {
        let world = world(1_000, 1 << 20);
        create(&world).await;
        let reader = listen(&world, "-1");
        rt::sleep_ms(SETTLED_MS).await;
        for (append, text, position) in appends {
            post(&world, append.to_vec(), false).await;
            rt::sleep_ms(if sleeps { ASLEEP_MS } else { SETTLED_MS }).await;
            let late = listen(&world, "-1");
            rt::sleep_ms(SETTLED_MS).await;
            for heard in [&reader, &late] {
                let heard = heard.borrow().clone();
                assert_eq!((heard.text.as_str(), heard.next), (*text, offset(0, *position)), "after {append:?}");
                assert!(heard.is_up_to_date && !heard.is_closed);
            }
        }
        post(&world, "", true).await;
        rt::sleep_ms(SETTLED_MS).await;
        let heard = reader.borrow().clone();
        assert_eq!((heard.text.as_str(), heard.is_closed), (closed, true));
    });
}

#[test]
fn a_code_point_in_four_appends_arrives_once_it_is_whole() {
    for sleeps in [false, true] {
        let appends: &[(&[u8], &str, u64)] = &[
            (b"a\xf0", "a", 1),
            (b"\x9f", "a", 1),
            (b"\x98", "a", 1),
            (b"\x80", "a😀", 5),
            (b"\xe2", "a😀", 5),
            (b"\x82\xac!", "a😀€!", 9),
        ];
        check(appends, "a😀€!", sleeps);
    }
}

#[test]
fn half_a_code_point_whose_rest_does_not_come_is_marked_as_such_once_that_is_known() {
    check(&[(b"\xe2\x82", "", 0), (b"A", "\u{fffd}A", 3)], "\u{fffd}A", false);
    check(&[(b"\xf0", "", 0), (b"\xf0\x9f", "\u{fffd}", 1), (b"\x98\x80", "\u{fffd}😀", 5)], "\u{fffd}😀", false);
    check(&[(b"\xe2\x82", "", 0), (b"\xc3", "\u{fffd}", 2), (b"\xa9", "\u{fffd}é", 4)], "\u{fffd}é", false);
    check(&[(b"\x80\xc3", "\u{fffd}", 1), (b"\xc3", "\u{fffd}\u{fffd}", 2)], "\u{fffd}\u{fffd}\u{fffd}", false);
    check(&[(b"x\xed", "x", 1), (b"\xa0", "x\u{fffd}\u{fffd}", 3)], "x\u{fffd}\u{fffd}", false);
}

#[test]
fn a_line_end_in_two_appends_is_one() {
    for sleeps in [false, true] {
        let appends: &[(&[u8], &str, u64)] = &[
            (b"a\r", "a\n", 2),
            (b"\n", "a\n", 3),
            (b"\n", "a\n\n", 4),
            (b"\r", "a\n\n\n", 5),
            (b"\r", "a\n\n\n\n", 6),
            (b"\nb", "a\n\n\n\nb", 8),
        ];
        check(appends, "a\n\n\n\nb", sleeps);
    }
}

#[test]
fn who_begins_inside_of_a_code_point_gets_what_is_left_of_it_and_nobody_else_does() {
    rt::block_on(1, async {
        let world = world(1_000, 1 << 20);
        create(&world).await;
        post(&world, &b"a\xf0\x9f"[..], false).await;
        let (whole, now, inside) = (listen(&world, "-1"), listen(&world, "now"), listen(&world, &offset(0, 2)));
        rt::sleep_ms(SETTLED_MS).await;
        for (heard, text, position) in [(&whole, "a", 1), (&now, "", 3), (&inside, "\u{fffd}", 3)] {
            assert_eq!((heard.borrow().text.as_str(), &heard.borrow().next), (text, &offset(0, position)));
            assert!(heard.borrow().is_up_to_date);
        }
        post(&world, &b"\x98"[..], false).await;
        rt::sleep_ms(ASLEEP_MS).await;
        post(&world, &b"\x80b\xe2"[..], false).await;
        post(&world, &b"\x82\xac"[..], false).await;
        rt::sleep_ms(SETTLED_MS).await;
        for (heard, text) in [(&whole, "a😀b€"), (&now, "\u{fffd}\u{fffd}b€"), (&inside, "\u{fffd}\u{fffd}\u{fffd}b€")]
        {
            assert_eq!((heard.borrow().text.as_str(), &heard.borrow().next), (text, &offset(0, 9)));
        }
    });
}

#[test]
fn where_a_reader_waits_is_spelled_as_the_end_of_a_segment() {
    rt::block_on(1, async {
        // Each append is a segment of its own.
        let world = world(1, 1 << 20);
        create(&world).await;
        post(&world, "ab", false).await;
        post(&world, &b"\xe2\x82"[..], false).await;
        for from in [offset(1, 0), offset(0, 2), "-1".to_owned()] {
            for ms in [SETTLED_MS, ASLEEP_MS] {
                let heard = listen(&world, &from);
                rt::sleep_ms(ms).await;
                assert_eq!((&heard.borrow().next, heard.borrow().is_up_to_date), (&offset(0, 2), true), "from {from}");
            }
        }
        let waiting = listen(&world, "-1");
        rt::sleep_ms(SETTLED_MS).await;
        post(&world, &b"\xf0"[..], false).await;
        let late = listen(&world, "-1");
        rt::sleep_ms(SETTLED_MS).await;
        for heard in [waiting, late] {
            assert_eq!((heard.borrow().text.as_str(), &heard.borrow().next), ("ab\u{fffd}", &offset(1, 2)));
        }
    });
}

#[test]
fn what_was_held_back_comes_with_content_that_is_too_large_to_push() {
    rt::block_on(1, async {
        let world = world(1_000, 1 << 20);
        create(&world).await;
        let reader = listen(&world, "-1");
        post(&world, &b"\xf0\x9f"[..], false).await;
        rt::sleep_ms(SETTLED_MS).await;
        let large = [b"\x98\x80".as_slice(), "é".repeat(100_000).as_bytes(), b"\xc3"].concat();
        post(&world, large, false).await;
        rt::sleep_ms(SETTLED_MS).await;
        let heard = reader.borrow().clone();
        assert!(heard.text == format!("😀{}", "é".repeat(100_000)));
        assert_eq!(heard.next, offset(0, 200_004));
        // The reader waits again, and before what is held back.
        post(&world, &b"\xa9"[..], false).await;
        rt::sleep_ms(SETTLED_MS).await;
        assert!(reader.borrow().text.ends_with("éé") && reader.borrow().next == offset(0, 200_006));
    });
}

/// Appends small pieces of everything that matters, in a world where pages and segments are as small, while readers
/// come and stay; and holds the whole text of each of them against the bytes from where it began.
fn check_by_chance(seed: u64) {
    const PIECES: &[&[u8]] = &[
        b"\r",
        b"\n",
        b"a",
        b"\xf0",
        b"\x9f",
        b"\x98",
        b"\x80",
        b"\xe2\x82",
        b"\xac",
        b"\xc3",
        b"\xa9",
        b"\r\n",
        b"\xff",
        b"\xf0\x9f\x98",
        b"\xed",
        b"\xa0\x80",
        b"bc",
    ];
    rt::block_on(seed, async {
        let random = Random::new(seed);
        let world = world(random.between(1, 6), random.between(1, 7) as usize);
        create(&world).await;
        let (mut log, mut ends) = (Vec::new(), vec![(offset(0, 0), 0_usize)]);
        let mut readers = Vec::new();
        for _ in 0..random.between(4, 40) {
            match random.below(8) {
                0 => {
                    readers.push((listen(&world, "now"), log.len()));
                    rt::sleep_ms(SETTLED_MS).await;
                }
                1 => {
                    let (from, at) = ends[random.below(ends.len() as u32) as usize].clone();
                    readers.push((listen(&world, &from), at));
                }
                // The object sleeps, and segments move to R2.
                2 => rt::sleep_ms(ASLEEP_MS).await,
                _ => {
                    let piece = random.among(PIECES);
                    post(&world, piece, false).await;
                    log.extend_from_slice(piece);
                    let tail = STREAM.ask(&world, Method::Head, "", &[], "").await;
                    ends.push((tail.headers.get("stream-next-offset").expect("an offset").to_owned(), log.len()));
                }
            }
        }
        rt::sleep_ms(ASLEEP_MS).await;
        post(&world, "", true).await;
        rt::sleep_ms(ASLEEP_MS).await;
        readers.push((listen(&world, "-1"), 0));
        rt::sleep_ms(ASLEEP_MS).await;
        for (number, (heard, at)) in readers.iter().enumerate() {
            let heard = heard.borrow().clone();
            assert!(heard.is_closed, "seed {seed}, reader {number} from {at}");
            let expected = mapped(&log[*at..], log[..*at].ends_with(b"\r"));
            assert_eq!(heard.text, expected, "seed {seed}, reader {number} from {at} of {log:x?}");
        }
    });
}

#[test]
fn small_pieces_of_everything_make_one_text() {
    (0..150).for_each(check_by_chance);
}
