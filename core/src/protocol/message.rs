//! The message from the edge to a stream object: one request, checked as far as possible without the stream.
//!
//! Its text has a first line with version and operation, and a line for each field that is present: a letter and the
//! value, in which `%`, CR and LF are percent-encoded. The body of the request is sent separately.

use super::percent::decode_lossily;
use super::{Admission, ContentType, Expiry, Offset, ProducerId, ProducerStamp, ReadFrom};

/// The version of the text, and of how it and the body travel. Edge and object may belong to different deployments: an
/// object refuses a version that it does not know. Edges of version 2 told the object which origin may read the answer, and
/// put nothing on it themselves: without that its answers would reach no script of another origin. Nor did they say who asks.
const VERSION: char = '3';

/// One request to a stream object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the edge has found out about the client.
    pub admission: Admission,
    /// Whether the answer has debug headers about the instance that gave it.
    pub debug: bool,
    /// Whether the client's body passed the limit and was discarded; the object refuses it once it has looked at what
    /// comes first.
    pub body_too_large: bool,
    /// Whether the client has encoded the body; the object refuses one that it would keep.
    pub body_encoded: bool,
    /// What is asked.
    pub operation: Operation,
}

/// An operation on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// PUT.
    Create(Create),
    /// PUT of a fork, sent to the source of the fork.
    Fork(Fork),
    /// POST.
    Append(Append),
    /// GET.
    Read(Read),
    /// A further piece of an event that is too large for one answer.
    EventRest(EventRest),
    /// HEAD.
    Head,
    /// Gives the stream a new reader key.
    RotateReaderKey,
    /// DELETE.
    Delete,
}

/// Creates a stream, or finds that it exists with this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The stream's URL, for `Location`.
    pub location: String,
    /// The content type; absent, the default.
    pub content_type: Option<ContentType>,
    /// When it expires.
    pub expiry: Expiry,
    /// Whether it is created closed.
    pub closed: bool,
    /// Whether it is read without a token.
    pub public: bool,
}

/// Asks a stream whether it can be forked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Where the fork branches off.
    pub offset: Option<Offset>,
    /// The fork's content type, if it names one.
    pub content_type: Option<ContentType>,
}

/// Appends, closes, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The content type of the body.
    pub content_type: Option<ContentType>,
    /// The producer's stamp, if the append is idempotent.
    pub producer: Option<ProducerStamp>,
    /// The value of `Stream-Seq`, by which writers order their appends.
    pub stream_seq: Option<String>,
    /// Whether this closes the stream.
    pub close: bool,
}

/// Reads a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Where it starts.
    pub from: ReadFrom,
    /// The value of `If-None-Match`.
    pub if_none_match: Option<String>,
    /// How it waits for new data; `None` if it does not.
    pub live: Option<Live>,
    /// The cursor that the client of a live read echoes.
    pub cursor: Option<u64>,
    /// Whether the client has asked from `now`, wherever its edge has come to: its URL has another answer at each
    /// moment.
    pub from_now: bool,
    /// Whether the edge may keep the answer and serve it to others, which then do not ask the object.
    pub is_kept: bool,
}

/// Reads on in a large event, whose first piece a read of events has brought. What it is made of does not change, so an
/// edge may ask for any piece again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRest {
    /// The offset after the event, which is one message.
    pub next: Offset,
    /// Where in the payload of the event the piece begins: where the last one has ended.
    pub at: usize,
    /// The cursor that the client of the read echoes.
    pub cursor: Option<u64>,
}

/// How a live read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// For one answer.
    LongPoll,
    /// With a stream of events.
    Sse,
}

impl Live {
    /// From the value of `live`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "long-poll" => Some(Self::LongPoll),
            "sse" => Some(Self::Sse),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::LongPoll => "long-poll",
            Self::Sse => "sse",
        }
    }
}

impl Message {
    /// The text.
    pub fn encode(&self) -> String {
        let mut writer = Writer(String::with_capacity(160));
        writer.0.push(VERSION);
        writer.0.push(match &self.operation {
            Operation::Create(_) => 'C',
            Operation::Fork(_) => 'F',
            Operation::Append(_) => 'A',
            Operation::Read(_) => 'R',
            Operation::EventRest(_) => 'E',
            Operation::Head => 'H',
            Operation::RotateReaderKey => 'K',
            Operation::Delete => 'D',
        });
        match self.admission {
            Admission::Open => writer.flag('u', true),
            Admission::Granted => writer.flag('g', true),
            Admission::Stranger => {}
        }
        writer.flag('d', self.debug);
        writer.flag('b', self.body_too_large);
        writer.flag('z', self.body_encoded);
        match &self.operation {
            Operation::Create(create) => {
                writer.field('l', &create.location);
                writer.optional('t', create.content_type.as_ref().map(ContentType::as_str));
                match &create.expiry {
                    Expiry::Never => {}
                    Expiry::Ttl { seconds } => writer.field('e', &seconds.to_string()),
                    Expiry::At { text, .. } => writer.field('x', text),
                }
                writer.flag('c', create.closed);
                writer.flag('y', create.public);
            }
            Operation::Fork(fork) => {
                writer.optional('a', fork.offset.map(|offset| offset.to_string()).as_deref());
                writer.optional('t', fork.content_type.as_ref().map(ContentType::as_str));
            }
            Operation::Append(append) => {
                writer.optional('t', append.content_type.as_ref().map(ContentType::as_str));
                if let Some(producer) = &append.producer {
                    writer.field('p', producer.id.as_str());
                    writer.field('n', &producer.epoch.to_string());
                    writer.field('s', &producer.seq.to_string());
                }
                writer.optional('q', append.stream_seq.as_deref());
                writer.flag('c', append.close);
            }
            Operation::Read(read) => {
                writer.field('f', &read.from.to_string());
                writer.optional('m', read.if_none_match.as_deref());
                writer.optional('w', read.live.map(Live::as_str));
                writer.optional('k', read.cursor.map(|cursor| cursor.to_string()).as_deref());
                writer.flag('n', read.from_now);
                writer.flag('h', read.is_kept);
            }
            Operation::EventRest(rest) => {
                writer.field('f', &rest.next.to_string());
                writer.field('i', &rest.at.to_string());
                writer.optional('k', rest.cursor.map(|cursor| cursor.to_string()).as_deref());
            }
            Operation::Head | Operation::RotateReaderKey | Operation::Delete => {}
        }
        writer.0
    }

    /// Decodes a message; `None` if it is malformed or of another version.
    pub fn decode(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut first = lines.next()?.chars();
        if first.next()? != VERSION {
            return None;
        }
        let kind = first.next()?;
        let fields = Fields(lines.filter_map(|line| line.chars().next().map(|key| (key, line))).collect());
        let content_type = match fields.get('t') {
            None => None,
            Some(text) => Some(ContentType::parse(&text).ok()?),
        };
        let operation = match kind {
            'C' => Operation::Create(Create {
                location: fields.get('l')?,
                content_type,
                expiry: Expiry::parse(fields.get('e').as_deref(), fields.get('x').as_deref()).ok()?,
                closed: fields.has('c'),
                public: fields.has('y'),
            }),
            'F' => Operation::Fork(Fork {
                offset: match fields.get('a') {
                    None => None,
                    Some(text) => Some(Offset::parse(&text)?),
                },
                content_type,
            }),
            'A' => Operation::Append(Append {
                content_type,
                producer: match fields.get('p') {
                    None => None,
                    Some(id) => Some(ProducerStamp {
                        id: ProducerId::parse(&id)?,
                        epoch: fields.get('n')?.parse().ok()?,
                        seq: fields.get('s')?.parse().ok()?,
                    }),
                },
                stream_seq: fields.get('q'),
                close: fields.has('c'),
            }),
            'R' => Operation::Read(Read {
                from: ReadFrom::parse(Some(&fields.get('f')?)).ok()?,
                if_none_match: fields.get('m'),
                live: match fields.get('w') {
                    None => None,
                    Some(text) => Some(Live::parse(&text)?),
                },
                cursor: fields.cursor()?,
                from_now: fields.has('n'),
                is_kept: fields.has('h'),
            }),
            'E' => Operation::EventRest(EventRest {
                next: Offset::parse(&fields.get('f')?)?,
                at: fields.get('i')?.parse().ok()?,
                cursor: fields.cursor()?,
            }),
            'H' => Operation::Head,
            'K' => Operation::RotateReaderKey,
            'D' => Operation::Delete,
            _ => return None,
        };
        Some(Self {
            // Who is not said to be more is a stranger.
            admission: match (fields.has('u'), fields.has('g')) {
                (true, _) => Admission::Open,
                (false, true) => Admission::Granted,
                (false, false) => Admission::Stranger,
            },
            debug: fields.has('d'),
            body_too_large: fields.has('b'),
            body_encoded: fields.has('z'),
            operation,
        })
    }
}

struct Writer(String);

impl Writer {
    fn field(&mut self, key: char, value: &str) {
        self.0.push('\n');
        self.0.push(key);
        if value.contains(['%', '\n', '\r']) {
            self.0.push_str(&value.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D"));
        } else {
            self.0.push_str(value);
        }
    }

    fn optional(&mut self, key: char, value: Option<&str>) {
        if let Some(value) = value {
            self.field(key, value);
        }
    }

    fn flag(&mut self, key: char, value: bool) {
        if value {
            self.field(key, "");
        }
    }
}

struct Fields<'a>(Vec<(char, &'a str)>);

impl Fields<'_> {
    fn get(&self, key: char) -> Option<String> {
        let (_, line) = self.0.iter().find(|(name, _)| *name == key)?;
        line.get(key.len_utf8()..).map(decode_lossily)
    }

    /// The cursor, if there is one; `None` if it is malformed.
    fn cursor(&self) -> Option<Option<u64>> {
        self.get('k').map_or(Some(None), |text| text.parse().ok().map(Some))
    }

    fn has(&self, key: char) -> bool {
        self.0.iter().any(|(name, _)| *name == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::{MAX_INTEGER, TTL_LIMIT_S};
    use proptest::prelude::*;

    fn content_types() -> impl Strategy<Value = Option<ContentType>> {
        proptest::option::of("[a-z]{1,8}/[a-z+.-]{1,8}(; [a-z]=[!-~%]{0,8})?")
            .prop_map(|text| text.map(|text| ContentType::parse(&text).expect("valid")))
    }

    fn offsets() -> impl Strategy<Value = Offset> {
        (0..=MAX_INTEGER, 0..=MAX_INTEGER).prop_map(|(read_seq, position)| Offset { read_seq, position })
    }

    fn admissions() -> impl Strategy<Value = Admission> {
        prop_oneof![Just(Admission::Open), Just(Admission::Granted), Just(Admission::Stranger)]
    }

    fn operations() -> impl Strategy<Value = Operation> {
        let expiry = prop_oneof![
            Just(Expiry::Never),
            (0..=TTL_LIMIT_S).prop_map(|seconds| Expiry::Ttl { seconds }),
            Just(Expiry::parse(None, Some("2026-01-01T00:00:00.5+01:00")).expect("valid")),
        ];
        let producer = ("[ -~]{1,20}|[%\\t]{1,5}", 0..=MAX_INTEGER, 0..=MAX_INTEGER)
            .prop_map(|(id, epoch, seq)| ProducerStamp { id: ProducerId::parse(&id).expect("short"), epoch, seq });
        let from = prop_oneof![Just(ReadFrom::Start), Just(ReadFrom::Now), offsets().prop_map(ReadFrom::At)];
        let live = proptest::option::of(prop_oneof![Just(Live::LongPoll), Just(Live::Sse)]);
        prop_oneof![
            (any::<String>(), content_types(), expiry, any::<[bool; 2]>()).prop_map(
                |(location, content_type, expiry, [closed, public])| Operation::Create(Create {
                    location,
                    content_type,
                    expiry,
                    closed,
                    public
                })
            ),
            (proptest::option::of(offsets()), content_types())
                .prop_map(|(offset, content_type)| Operation::Fork(Fork { offset, content_type })),
            (content_types(), proptest::option::of(producer), any::<Option<String>>(), any::<bool>()).prop_map(
                |(content_type, producer, stream_seq, close)| {
                    Operation::Append(Append { content_type, producer, stream_seq, close })
                }
            ),
            (from, any::<Option<String>>(), live, any::<Option<u64>>(), any::<[bool; 2]>()).prop_map(
                |(from, if_none_match, live, cursor, [from_now, is_kept])| {
                    Operation::Read(Read { from, if_none_match, live, cursor, from_now, is_kept })
                }
            ),
            (offsets(), any::<usize>(), any::<Option<u64>>())
                .prop_map(|(next, at, cursor)| Operation::EventRest(EventRest { next, at, cursor })),
            Just(Operation::Head),
            Just(Operation::RotateReaderKey),
            Just(Operation::Delete),
        ]
    }

    proptest! {
        #[test]
        fn text_round_trips(
            admission in admissions(),
            debug: bool,
            body_too_large: bool,
            body_encoded: bool,
            operation in operations(),
        ) {
            let message = Message { admission, debug, body_too_large, body_encoded, operation };
            let decoded = Message::decode(&message.encode());
            prop_assert_eq!(decoded, Some(message));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), fields in "3[CFAREHDK](\n[a-z][ -~é%]{0,9}){0,6}") {
            let _ = Message::decode(&text);
            let _ = Message::decode(&fields);
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert!(Message::decode("3H").is_some());
        for text in ["", "3", "2H", "4H", "H", "3Z", "3R", "3C"] {
            assert!(Message::decode(text).is_none(), "{text:?}");
        }
    }
}
