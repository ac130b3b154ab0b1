//! Messages by their numbers: each has a number that tells of which stream it is, and which of its messages, and no other
//! digits. What was in a stream before is texts without digits.

use tailrace_core::protocol::{Headers, Method, header};

use crate::kernel::rt;
use crate::tailrace::World;
use crate::world::{Request, RequestBody};

/// How long a writer waits for its answer, in ms.
const PATIENCE_MS: u64 = 10_000;
/// How long it waits until it sends again what was not acknowledged, in ms.
const WRITES_AGAIN_MS: u64 = 100;

/// The number that is written as the message of that place in that stream.
pub(super) fn number(stream: usize, place: usize) -> u64 {
    (stream as u64) << 32 | place as u64
}

/// The JSON text of the message of that place in that stream, of about so many bytes, or of as many as it takes.
pub(super) fn text(stream: usize, place: usize, bytes: usize) -> String {
    let number = number(stream, place).to_string();
    match bytes.checked_sub(number.len() + PADDED.len()) {
        None => number,
        Some(pad) => format!("{{\"n\":{number},\"pad\":\"{}\"}}", "x".repeat(pad)),
    }
}

/// What is around the number of a message that is padded, and its padding.
const PADDED: &str = r#"{"n":,"pad":""}"#;

/// Appends to the stream of that URL, as an ordinary client does: again and again until it is told that it has. `number` is the
/// message's among those of the one who writes.
pub(super) async fn append(world: &World, url: &str, number: Option<usize>, body: String) {
    let mut headers = Headers::default();
    headers.push(header::CONTENT_TYPE, "application/json");
    if let Some(number) = number {
        headers.push(header::PRODUCER_ID, "writer");
        headers.push(header::PRODUCER_EPOCH, "0");
        headers.push(header::PRODUCER_SEQ, number.to_string());
    }
    loop {
        let (url, headers, body) = (url.to_owned(), headers.clone(), RequestBody::of(body.clone()));
        let answer = world.request(Request { method: Method::Post, url, headers, body }, PATIENCE_MS).await;
        if answer.is_ok_and(|answer| answer.status < 300) {
            return;
        }
        assert!(number.is_some(), "a world without faults answers");
        rt::sleep_ms(WRITES_AGAIN_MS).await;
    }
}

/// The messages of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Messages {
    /// The number of the first.
    first: u64,
    /// The number of the last.
    last: u64,
    /// Whether each is the next one after the one before it.
    are_in_order: bool,
}

impl Messages {
    /// Those in a JSON text; `None` if there are none.
    pub(super) fn of(json: &str) -> Option<Self> {
        let numbers = json.split(|letter: char| !letter.is_ascii_digit()).filter_map(|text| text.parse().ok());
        numbers.map(|number| Self { first: number, last: number, are_in_order: true }).reduce(Self::then)
    }

    /// These, and those after them.
    pub(super) fn then(self, next: Self) -> Self {
        let are_in_order = self.are_in_order && next.are_in_order && next.first == self.last + 1;
        Self { first: self.first, last: next.last, are_in_order }
    }

    /// The places of the first and the last of them in that stream; `None` if that stream has no such messages, of which
    /// so many were written.
    pub(super) fn places(self, stream: u16, written: usize) -> Option<(u32, u32)> {
        let is_of_stream = [self.first, self.last].iter().all(|number| number >> 32 == u64::from(stream));
        let (first, last) = (self.first as u32, self.last as u32);
        (is_of_stream && (last as usize) < written).then_some((first, last))
    }

    /// Whether they go on from that place, each once and in order.
    pub(super) fn follow(self, place: u32) -> bool {
        self.are_in_order && self.first as u32 == place
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
    fn messages_are_told_by_stream_and_place_and_whether_one_is_missing() {
        let third = |place| number(3, place);
        for (json, stream, expected) in [
            ("[]".to_owned(), 0, None),
            ("[\"xx\"]".to_owned(), 0, None),
            ("[4]".to_owned(), 0, Some((4, 4, true))),
            (format!("[{},{}]", text(0, 4, 100), text(0, 5, 100)), 0, Some((4, 5, true))),
            ("[\"xx\",12,13,14]".to_owned(), 0, Some((12, 14, true))),
            ("[12,14]".to_owned(), 0, Some((12, 14, false))),
            ("[12,12]".to_owned(), 0, Some((12, 12, false))),
            ("[13,12]".to_owned(), 0, Some((13, 12, false))),
            (format!("[{},{}]", third(1), third(2)), 3, Some((1, 2, true))),
            // Another stream's.
            (format!("[{}]", third(1)), 2, None),
            (format!("[1,{}]", third(2)), 3, None),
            // Nobody has written it yet.
            ("[20]".to_owned(), 0, None),
        ] {
            let messages = Messages::of(&json);
            let places = messages.and_then(|messages| messages.places(stream, 20));
            let told = places.zip(messages).map(|((first, last), messages)| (first, last, messages.follow(first)));
            assert_eq!(told, expected, "{json}");
        }
        let (first, second) = (Messages::of("[1,2]"), Messages::of("[3]"));
        let both = |one: Option<Messages>, other: Option<Messages>| one.zip(other).map(|(one, other)| one.then(other));
        assert_eq!(both(first, second), Messages::of("[1,2,3]"));
        assert!(!both(second, first).is_some_and(|messages| messages.follow(3)));
        assert!(!first.is_some_and(|messages| messages.follow(0)));
    }
}
