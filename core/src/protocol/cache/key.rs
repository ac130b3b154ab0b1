//! Under which URL the edge keeps an answer.

use crate::mutant::mutated;
use crate::protocol::ReadFrom;
use crate::protocol::message::Read;
use crate::protocol::percent::encode_path;

/// The path below which answers are kept. Requests for it are answered with 404, so no other cache has entries there.
/// The number changes with what is kept.
const KEPT: &str = "/.tailrace/2/";

/// The URL under which the edge keeps the answer to a read of an object's stream, or what stands for one in the making.
/// However a client has spelled the path and ordered the parameters, it is the same; nothing else that a client has
/// sent is part of it, but the origin (scheme and host), because a cache belongs to a zone. `None` for what has another
/// answer at each moment, and where the origin is not plain ASCII.
pub fn key(origin: &str, object: &str, read: &Read, query: &str) -> Option<String> {
    let question = question(origin, read)?;
    let path = encode_path(object);
    if mutated!(KeyWithParameterOrder) {
        return Some(format!("{origin}{KEPT}{path}?{query}"));
    }
    Some(format!("{origin}{KEPT}{path}?{question}"))
}

/// The query of a read in one spelling: what caches may tell apart. `None` for what has another answer at each moment, and
/// where the origin is not plain ASCII.
pub fn question(origin: &str, read: &Read) -> Option<String> {
    if read.from == ReadFrom::Now || read.from_now || !origin.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut question = format!("offset={}", read.from);
    if read.live.is_some() {
        question.push_str("&live=long-poll");
        if let Some(cursor) = read.cursor.filter(|_| !mutated!(KeyWithoutCursor)) {
            question.push_str(&format!("&cursor={cursor}"));
        }
    }
    Some(question)
}

/// The origin that is part of a key.
pub fn origin_of(key: &str) -> Option<&str> {
    key.split_once(KEPT).map(|(origin, _)| origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Offset;
    use crate::protocol::message::Live;

    fn read(from: ReadFrom, live: Option<Live>, cursor: Option<u64>) -> Read {
        Read { from, if_none_match: None, live, cursor, from_now: from == ReadFrom::Now, is_kept: true }
    }

    #[test]
    fn a_key_names_the_stream_the_position_and_the_cursor_and_nothing_else() {
        let at = ReadFrom::At(Offset { read_seq: 1, position: 2 });
        let (poll, base) = (Some(Live::LongPoll), "https://a.example/.tailrace/2/_default/x%20y/%C3%BC?offset=");
        for (read, expected) in [
            (read(ReadFrom::Start, None, None), Some(format!("{base}-1"))),
            (read(at, None, None), Some(format!("{base}0000000000000001_0000000000000002"))),
            (read(at, poll, None), Some(format!("{base}0000000000000001_0000000000000002&live=long-poll"))),
            (read(at, poll, Some(7)), Some(format!("{base}0000000000000001_0000000000000002&live=long-poll&cursor=7"))),
            (read(ReadFrom::Now, None, None), None),
            (read(ReadFrom::Now, poll, Some(7)), None),
        ] {
            let key = key("https://a.example", "_default/x y/ü", &read, "token=secret");
            assert_eq!(key, expected);
            assert_eq!(key.as_deref().and_then(origin_of), expected.and(Some("https://a.example")));
        }
        assert_eq!(key("https://ü.example", "a", &read(at, None, None), ""), None);
    }
}
