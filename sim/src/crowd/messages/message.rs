//! Messages by their numbers: each has a number that tells of which stream it is, and which of its messages, and no other
//! digits. What was in a stream before is texts without digits.

use std::rc::Rc;

use tailrace_core::protocol::{Headers, Method, header};

use crate::kernel::rt;
use crate::tailrace::World;
use crate::world::{Request, RequestBody};

/// How long a writer waits for its answer, in ms.
const PATIENCE_MS: u64 = 10_000;
/// How long it waits until it sends again what was not acknowledged, in ms.
const WRITES_AGAIN_MS: u64 = 100;

/// The number that is written as the message of that place in that stream.
pub(in crate::crowd) fn number(stream: usize, place: usize) -> u64 {
    (stream as u64) << 32 | place as u64
}

/// The JSON text of the message of that place in that stream, of about so many bytes, or of as many as it takes.
pub(in crate::crowd) fn text(stream: usize, place: usize, bytes: usize) -> String {
    let number = number(stream, place).to_string();
    match bytes.checked_sub(number.len() + PADDED.len()) {
        None => number,
        Some(pad) => format!("{{\"n\":{number},\"pad\":\"{}\"}}", "x".repeat(pad)),
    }
}

/// What is around the number of a message that is padded, and its padding.
const PADDED: &str = r#"{"n":,"pad":""}"#;

/// Appends to the stream of that URL, as an ordinary client does: again and again until it is told that it has. `writer` is
/// the name of the one who writes, and the message's number among its own.
pub(in crate::crowd) async fn append(world: &World, url: &str, writer: Option<(&str, usize)>, body: String) {
    let mut headers = Headers::default();
    headers.push(header::CONTENT_TYPE, "application/json");
    if let Some((name, number)) = writer {
        headers.push(header::PRODUCER_ID, name);
        headers.push(header::PRODUCER_EPOCH, "0");
        headers.push(header::PRODUCER_SEQ, number.to_string());
    }
    loop {
        let (url, headers, body) = (url.to_owned(), headers.clone(), RequestBody::of(body.clone()));
        let answer = world.request(Request { method: Method::Post, url, headers, body }, PATIENCE_MS).await;
        if answer.is_ok_and(|answer| answer.status < 300) {
            return;
        }
        assert!(writer.is_some(), "a world without faults answers");
        rt::sleep_ms(WRITES_AGAIN_MS).await;
    }
}

/// The messages of an answer, by their numbers, one at least; clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::crowd) struct Messages(Rc<[u64]>);

impl Messages {
    /// Those in a JSON text; `None` if there are none.
    pub(in crate::crowd) fn of(json: &str) -> Option<Self> {
        let numbers = json.split(|letter: char| !letter.is_ascii_digit()).filter_map(|text| text.parse().ok());
        let numbers: Rc<[u64]> = numbers.collect();
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// These, and those after them.
    pub(in crate::crowd) fn then(&self, next: &Self) -> Self {
        Self(self.0.iter().chain(&*next.0).copied().collect())
    }

    /// The place of each in that stream; `None` if that stream has not all of them, of which so many were written.
    pub(in crate::crowd) fn places(&self, stream: u16, written: usize) -> Option<impl Iterator<Item = u32>> {
        let is_of_stream = |number: &u64| number >> 32 == u64::from(stream) && (*number as u32 as usize) < written;
        self.0.iter().all(is_of_stream).then(|| self.0.iter().map(|number| *number as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_as_many_bytes_as_it_is_to_have_or_as_its_number_takes() {
        assert_eq!([0, 1, 15, 16, 17, 1_000].map(|bytes| text(0, 7, bytes).len()), [1, 1, 1, 16, 17, 1_000]);
        assert_eq!(text(0, 7, 18), r#"{"n":7,"pad":"xx"}"#);
        assert_eq!(text(1, 7, 0), number(1, 7).to_string());
    }

    #[test]
    fn messages_are_told_by_stream_and_place() {
        let third = |place| number(3, place);
        for (json, stream, expected) in [
            ("[]".to_owned(), 0, None),
            ("[\"xx\"]".to_owned(), 0, None),
            ("[4]".to_owned(), 0, Some(&[4][..])),
            (format!("[{},{}]", text(0, 4, 100), text(0, 5, 100)), 0, Some(&[4, 5])),
            ("[\"xx\",12,13,14]".to_owned(), 0, Some(&[12, 13, 14])),
            ("[13,12,12]".to_owned(), 0, Some(&[13, 12, 12])),
            (format!("[{},{}]", third(1), third(2)), 3, Some(&[1, 2])),
            // Another stream's.
            (format!("[{}]", third(1)), 2, None),
            (format!("[1,{}]", third(2)), 3, None),
            (format!("[{},1,{}]", third(1), third(2)), 3, None),
            // Nobody has written it yet.
            ("[20]".to_owned(), 0, None),
            ("[20,19]".to_owned(), 0, None),
        ] {
            let messages = Messages::of(&json);
            let places = messages.as_ref().and_then(|messages| messages.places(stream, 20));
            assert_eq!(places.map(Iterator::collect::<Vec<u32>>).as_deref(), expected, "{json}");
        }
        let both = Messages::of("[1,2]").zip(Messages::of("[2]")).map(|(one, other)| one.then(&other));
        assert_eq!(both, Messages::of("[1,2,2]"));
    }
}
