//! What a stream object sends to an edge that waits on a socket.
//!
//! A message is a header of fixed length and a payload. The header says all that an edge needs about an event, so that
//! a host can pass the payload on without looking into it.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0 | version |
//! | 1 | kind |
//! | 2 | flags |
//! | 3..11 | where the reader goes on: segment |
//! | 11..19 | and position |
//! | 19..27 | commit time of the last message there, in ms; the least cursor for a reader that is ahead of the clock |
//!
//! Integers are big-endian.

use bytes::{Buf, BufMut, Bytes};

use super::sse::{self, Control, Encoding};
use super::{Headers, Offset, Readership, Response};

/// The version of the messages. Edge and object may belong to different deployments: an edge drops a socket on which it
/// receives a message that it does not know.
const VERSION: u8 = 1;

const JOINED: u8 = 1;
const EVENT: u8 = 2;
const ANSWER: u8 = 3;
const PULL: u8 = 4;
const GONE: u8 = 5;

/// Flag of an event: the stream is closed, and nothing follows.
const CLOSED: u8 = 1;

/// Flag of a greeting: events carry base64.
const BASE64: u8 = 1;

/// Length of a header.
pub const HEADER_LENGTH: usize = 27;

/// For how many bytes of status and fields an answer's message has room from the start: more than they take.
const FIELDS_LENGTH: usize = 1_024;

/// For how many bytes of a readership a greeting has room from the start: the digest of a reader key.
const READERS_LENGTH: usize = 43;

/// The first bytes of the header of an event that is not the last one. A host passes the payload of such an event on as
/// it is.
pub const EVENT_PREFIX: &[u8] = &[VERSION, EVENT, 0];

/// Where a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderPosition {
    /// Where it goes on.
    pub next: Offset,
    /// Commit time of the last message before that, in ms; 0 where there is none. For a reader whose cursor is ahead of
    /// the clock, the least cursor that it is told.
    pub commit_ms: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveMessage {
    /// The first message: the reader waits at the tail.
    Joined {
        /// The tail.
        position: ReaderPosition,
        /// The object's time in ms since the Unix epoch.
        now_ms: u64,
        /// Readers that come by this time, by the object's clock in ms since the Unix epoch, need not ask by themselves
        /// in order to start the stream's sliding TTL again.
        touched_until_ms: u64,
        /// When the stream expires if nobody touches it, by the object's clock in ms since the Unix epoch; the end of
        /// time for one that does not.
        ends_ms: u64,
        /// How events carry payloads.
        encoding: Encoding,
        /// Who may be handed the edge's own answers by a cache that checks no token; `None` if the object does not tell.
        readers: Option<Readership>,
    },
    /// What was appended, as the text of a data event and a control event.
    Event {
        /// Where the reader is after it.
        position: ReaderPosition,
        /// Whether the stream is closed, so that nothing follows.
        closed: bool,
        /// The events.
        text: Bytes,
    },
    /// The answer to a long-poll, without its cursor.
    Answer {
        /// Where the reader is after it.
        position: ReaderPosition,
        /// The answer, less what differs from reader to reader.
        answer: Response,
    },
    /// More was appended than is pushed. The reader has to read it from the log.
    Pull {
        /// Over how many ms those who are told come: each draws a moment of its own. Earlier versions say nothing of it
        /// and do not look for it, which means that all come at once.
        spread_ms: u32,
    },
    /// The stream is gone.
    Gone,
}

impl LiveMessage {
    /// Encodes an event. `encoding` and `payload` are those of [`sse::write_events`]; the control event says that the
    /// reader is at the tail.
    pub fn event(position: ReaderPosition, cursor: u64, closed: bool, encoding: Encoding, payload: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_LENGTH + payload.len() * 3 / 2 + 192);
        put_header(&mut out, EVENT, if closed { CLOSED } else { 0 }, Some(position));
        let control = Control { next: position.next, cursor: (!closed).then_some(cursor), up_to_date: true, closed };
        sse::write_events(&mut out, encoding, payload, &control);
        out.into()
    }

    /// The bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(match self {
            Self::Event { text, .. } => HEADER_LENGTH + text.len(),
            Self::Answer { answer, .. } => HEADER_LENGTH + FIELDS_LENGTH + answer.body.len(),
            Self::Joined { .. } | Self::Pull { .. } | Self::Gone => {
                HEADER_LENGTH + 3 * size_of::<u64>() + READERS_LENGTH
            }
        });
        match self {
            Self::Joined { position, now_ms, touched_until_ms, ends_ms, encoding, readers } => {
                let flags = if *encoding == Encoding::Base64 { BASE64 } else { 0 };
                put_header(&mut out, JOINED, flags, Some(*position));
                out.put_u64(*now_ms);
                out.put_u64(*touched_until_ms);
                out.put_u64(*ends_ms);
                out.extend_from_slice(readers.as_ref().map_or("", Readership::as_str).as_bytes());
            }
            Self::Event { position, closed, text } => {
                put_header(&mut out, EVENT, if *closed { CLOSED } else { 0 }, Some(*position));
                out.extend_from_slice(text);
            }
            Self::Answer { position, answer } => {
                put_header(&mut out, ANSWER, 0, Some(*position));
                out.put_u16(answer.status);
                let fields = answer.headers.to_lines();
                out.put_u32(fields.len() as u32);
                out.extend_from_slice(fields.as_bytes());
                out.extend_from_slice(&answer.body);
            }
            Self::Pull { spread_ms } => {
                put_header(&mut out, PULL, 0, None);
                out.put_u32(*spread_ms);
            }
            Self::Gone => put_header(&mut out, GONE, 0, None),
        }
        out.into()
    }

    /// Decodes a message; `None` if it is malformed or of another version.
    pub fn decode(mut bytes: Bytes) -> Option<Self> {
        let header = take_header(&mut bytes)?;
        let position = header.position;
        match header.kind {
            JOINED => {
                let encoding = if header.flags & BASE64 == 0 { Encoding::Text } else { Encoding::Base64 };
                let now_ms = bytes.try_get_u64().ok()?;
                // The object of an earlier release does not tell it, and has no readers extend a lifetime.
                let touched_until_ms = bytes.try_get_u64().unwrap_or(u64::MAX);
                // Nor this, and its answers that nothing came are not kept.
                let ends_ms = bytes.try_get_u64().unwrap_or(now_ms);
                // Nor this: nobody may be handed what its readers are answered.
                let readers = std::str::from_utf8(&bytes).ok().and_then(Readership::parse);
                Some(Self::Joined { position, now_ms, touched_until_ms, ends_ms, encoding, readers })
            }
            EVENT => Some(Self::Event { position, closed: header.flags & CLOSED != 0, text: bytes }),
            ANSWER => {
                let status = bytes.try_get_u16().ok()?;
                let length = bytes.try_get_u32().ok()? as usize;
                if length > bytes.len() {
                    return None;
                }
                let fields = bytes.split_to(length);
                let headers = Headers::from_lines(std::str::from_utf8(&fields).ok()?.split_terminator('\n'));
                Some(Self::Answer { position, answer: Response { status, headers, body: bytes } })
            }
            PULL => Some(Self::Pull { spread_ms: bytes.try_get_u32().unwrap_or(0) }),
            GONE => Some(Self::Gone),
            _ => None,
        }
    }
}

impl ReaderPosition {
    /// From the header of a message.
    pub fn decode(mut header: &[u8]) -> Option<Self> {
        take_header(&mut header).map(|header| header.position)
    }
}

struct Header {
    kind: u8,
    flags: u8,
    position: ReaderPosition,
}

fn put_header(out: &mut Vec<u8>, kind: u8, flags: u8, position: Option<ReaderPosition>) {
    let ReaderPosition { next, commit_ms } =
        position.unwrap_or(ReaderPosition { next: Offset::start_of(0), commit_ms: 0 });
    out.extend_from_slice(&[VERSION, kind, flags]);
    out.put_u64(next.read_seq);
    out.put_u64(next.position);
    out.put_u64(commit_ms);
}

fn take_header(bytes: &mut impl Buf) -> Option<Header> {
    if bytes.remaining() < HEADER_LENGTH || bytes.get_u8() != VERSION {
        return None;
    }
    let (kind, flags) = (bytes.get_u8(), bytes.get_u8());
    let next = Offset { read_seq: bytes.get_u64(), position: bytes.get_u64() };
    Some(Header { kind, flags, position: ReaderPosition { next, commit_ms: bytes.get_u64() } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn positions() -> impl Strategy<Value = ReaderPosition> {
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(read_seq, position, commit_ms)| ReaderPosition {
            next: Offset { read_seq, position },
            commit_ms,
        })
    }

    fn bodies() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from)
    }

    fn messages() -> impl Strategy<Value = LiveMessage> {
        let encoding = prop_oneof![Just(Encoding::Text), Just(Encoding::Base64)];
        let readers = "(everybody|[A-Za-z0-9_-]{43})?".prop_map(|text| Readership::parse(&text));
        let fields = prop::collection::vec(("[a-z-]{1,9}", "[^\n]{0,9}"), 0..4);
        prop_oneof![
            (positions(), any::<[u64; 3]>(), encoding, readers).prop_map(
                |(position, [now_ms, touched_until_ms, ends_ms], encoding, readers)| {
                    LiveMessage::Joined { position, now_ms, touched_until_ms, ends_ms, encoding, readers }
                }
            ),
            (positions(), any::<bool>(), bodies()).prop_map(|(position, closed, text)| LiveMessage::Event {
                position,
                closed,
                text
            }),
            (positions(), any::<u16>(), fields, bodies()).prop_map(|(position, status, fields, body)| {
                let mut headers = Headers::default();
                fields.into_iter().for_each(|(name, value)| headers.push(name, value));
                LiveMessage::Answer { position, answer: Response { status, headers, body } }
            }),
            any::<u32>().prop_map(|spread_ms| LiveMessage::Pull { spread_ms }),
            Just(LiveMessage::Gone),
        ]
    }

    #[test]
    fn releases_that_know_nothing_of_a_spread_understand_and_are_understood() {
        let spread = LiveMessage::Pull { spread_ms: 7 }.encode();
        // What the release before sent, and all that it looks at.
        let before = spread.slice(..HEADER_LENGTH);
        assert_eq!(before.get(..2), Some(&[VERSION, PULL][..]));
        assert_eq!(LiveMessage::decode(before), Some(LiveMessage::Pull { spread_ms: 0 }));
    }

    proptest! {
        #[test]
        fn messages_round_trip(message in messages()) {
            prop_assert_eq!(LiveMessage::decode(message.encode()), Some(message));
        }

        #[test]
        fn what_is_cut_short_or_of_another_version_is_refused(message in messages(), cut: prop::sample::Index) {
            let bytes = message.encode();
            let header = bytes.slice(..cut.index(HEADER_LENGTH));
            prop_assert_eq!(LiveMessage::decode(header), None);
            let other = [&[VERSION + 1], bytes.get(1..).expect("a header")].concat();
            prop_assert_eq!(LiveMessage::decode(other.into()), None);
        }

        #[test]
        fn the_greeting_of_an_earlier_release_has_no_reader_extend_a_lifetime_and_nothing_of_its_own_kept(position in positions(), now_ms: u64) {
            let greets = |touched_until_ms, ends_ms| {
                let (encoding, readers) = (Encoding::Text, None);
                LiveMessage::Joined { position, now_ms, touched_until_ms, ends_ms, encoding, readers }
            };
            let told_all = LiveMessage::Joined {
                position,
                now_ms,
                touched_until_ms: 0,
                ends_ms: 0,
                encoding: Encoding::Text,
                readers: Some(Readership::Everybody),
            };
            for (told, expected) in [(1, greets(u64::MAX, now_ms)), (2, greets(0, now_ms)), (3, greets(0, 0))] {
                let earlier = told_all.encode().slice(..HEADER_LENGTH + told * size_of::<u64>());
                prop_assert_eq!(LiveMessage::decode(earlier), Some(expected));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), kind in 0..9_u8) {
            let _ = ReaderPosition::decode(&bytes);
            let _ = LiveMessage::decode(Bytes::from([&[VERSION, kind], bytes.as_slice()].concat()));
            let _ = LiveMessage::decode(bytes.into());
        }

        #[test]
        fn an_event_is_passed_on_without_its_header_unless_it_is_the_last(position in positions(), closed: bool) {
            let event = LiveMessage::event(position, 7, closed, Encoding::Text, b"payload");
            prop_assert_eq!(event.starts_with(EVENT_PREFIX), !closed);
            prop_assert_eq!(ReaderPosition::decode(&event), Some(position));
            let control =
                Control { next: position.next, cursor: (!closed).then_some(7), up_to_date: true, closed };
            let mut text = Vec::new();
            sse::write_events(&mut text, Encoding::Text, b"payload", &control);
            prop_assert_eq!(event.slice(HEADER_LENGTH..), Bytes::from(text.clone()));
            let expected = LiveMessage::Event { position, closed, text: text.into() };
            prop_assert_eq!(LiveMessage::decode(event), Some(expected));
        }

        #[test]
        fn nothing_else_is_passed_on(message in messages()) {
            let passed_on = message.encode().starts_with(EVENT_PREFIX);
            prop_assert_eq!(passed_on, matches!(message, LiveMessage::Event { closed: false, .. }));
        }
    }
}
