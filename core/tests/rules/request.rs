//! Requests as tables write them.

use bytes::Bytes;
use tailrace_core::protocol::message::{Append, Create};
use tailrace_core::protocol::{ContentType, Expiry, ProducerId, ProducerStamp};

/// A creation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put {
    content_type: Option<&'static str>,
    expiry: Ends,
    closed: bool,
    public: bool,
    body: Option<&'static str>,
}

/// When a stream ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    Never,
    /// Seconds after it was last read or written.
    Ttl(u64),
    /// At an instant.
    At(&'static str),
}

impl Ends {
    fn parse(self) -> Expiry {
        match self {
            Self::Never => Expiry::Never,
            Self::Ttl(seconds) => Expiry::Ttl { seconds },
            Self::At(text) => Expiry::parse(None, Some(text)).expect(text),
        }
    }
}

/// Creates a stream of the default content type, without an end and without content.
pub(crate) const PUT: Put =
    Put { content_type: None, expiry: Ends::Never, closed: false, public: false, body: Some("") };

impl Put {
    pub(crate) const fn typed(self, content_type: &'static str) -> Self {
        Self { content_type: Some(content_type), ..self }
    }

    pub(crate) const fn json(self) -> Self {
        self.typed("application/json")
    }

    pub(crate) const fn ends(self, expiry: Ends) -> Self {
        Self { expiry, ..self }
    }

    pub(crate) const fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    pub(crate) const fn public(self) -> Self {
        Self { public: true, ..self }
    }

    pub(crate) const fn body(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// With a body that is larger than the limit.
    pub(crate) const fn too_large(self) -> Self {
        Self { body: None, ..self }
    }

    /// What the object is told.
    pub(crate) fn message(self) -> (Create, Option<Bytes>) {
        let create = Create {
            location: "https://example.com/v1/stream/a".into(),
            content_type: self.content_type.map(media_type),
            expiry: self.expiry.parse(),
            closed: self.closed,
            public: self.public,
        };
        (create, self.body.map(Bytes::from))
    }
}

/// An append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    body: &'static str,
    content_type: Typed,
    close: bool,
    producer: Option<(&'static str, u64, u64)>,
    stream_seq: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Typed {
    AsTheStream,
    As(&'static str),
    Missing,
}

/// Appends a body of the stream's own content type.
pub(crate) const fn post(body: &'static str) -> Post {
    Post { body, content_type: Typed::AsTheStream, close: false, producer: None, stream_seq: None }
}

/// Closes the stream, without content.
pub(crate) const CLOSE: Post = post("").untyped().closing();

impl Post {
    pub(crate) const fn typed(self, content_type: &'static str) -> Self {
        Self { content_type: Typed::As(content_type), ..self }
    }

    pub(crate) const fn untyped(self) -> Self {
        Self { content_type: Typed::Missing, ..self }
    }

    pub(crate) const fn closing(self) -> Self {
        Self { close: true, ..self }
    }

    /// By a producer: its id, epoch and sequence number.
    pub(crate) const fn by(self, id: &'static str, epoch: u64, seq: u64) -> Self {
        Self { producer: Some((id, epoch, seq)), ..self }
    }

    /// With a `Stream-Seq`.
    pub(crate) const fn seq(self, stream_seq: &'static str) -> Self {
        Self { stream_seq: Some(stream_seq), ..self }
    }

    /// What the object of a stream of this content type is told.
    pub(crate) fn message(self, of_stream: &ContentType) -> (Append, Bytes) {
        let append = Append {
            content_type: match self.content_type {
                Typed::AsTheStream => Some(of_stream.clone()),
                Typed::As(text) => Some(media_type(text)),
                Typed::Missing => None,
            },
            producer: self.producer.map(|(id, epoch, seq)| ProducerStamp {
                id: ProducerId::parse(id).expect(id),
                epoch,
                seq,
            }),
            stream_seq: self.stream_seq.map(str::to_owned),
            close: self.close,
        };
        (append, Bytes::from(self.body))
    }
}

fn media_type(text: &str) -> ContentType {
    ContentType::parse(text).expect(text)
}
