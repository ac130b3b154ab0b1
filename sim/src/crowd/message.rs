//! Messages by their numbers: each is a JSON number that tells of which stream it is, and which of its messages. What was
//! in a stream before is texts without digits.

/// The number that is written as the message of that place in that stream.
pub(super) fn number(stream: usize, place: usize) -> u64 {
    (stream as u64) << 32 | place as u64
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
    fn messages_are_told_by_stream_and_place_and_whether_one_is_missing() {
        let third = |place| number(3, place);
        for (json, stream, expected) in [
            ("[]".to_owned(), 0, None),
            ("[\"xx\"]".to_owned(), 0, None),
            ("[4]".to_owned(), 0, Some((4, 4, true))),
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
