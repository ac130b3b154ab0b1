//! What the clients of a run asked and were told, and what of the world bears on it: what was stored and billed, and
//! which instances were lost. Checkers know nothing else.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `access` | tokens that clients have shown, and what strangers were told |
//! | `live` | live readers, and what they were sent |
//! | `kept` | answers that a cache has kept, as they tell by themselves, what they show, and what an answer is worth |
//! | `conditions` | what a checker must know about the world to be sound |
//! | `front` | what caches in front of the Worker have done |
//! | `manner` | how a reader asks, beside where it begins |
//! | `harms` | what faults have done, and to whom |
//! | `stored` | what the platform stores and bills, seen from outside |

mod access;
mod conditions;
mod front;
mod harms;
mod kept;
mod live;
mod manner;
mod stored;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use access::{Forgery, Shown, Trespass, origin_of};
pub use conditions::Conditions;
pub use front::{Fronts, Handed, How, Unserved};
pub use harms::Harms;
pub use kept::Giver;
pub use live::{Arrival, Delivery, End, HIDDEN_FAILURE, Listening, Mode, Parting, Payload, Reader};
pub use manner::Manner;
pub use stored::{Awake, CommitTimes, Holding, Leftover, Stage};

use crate::world::{AlarmCharge, Charge, Footprint, Times, Visit};

/// When something happened. The order of events within one virtual millisecond is told by the tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Counts every invocation and completion of the run, so it orders them totally.
    pub tick: u64,
    /// Virtual Unix time in ms.
    pub ms: u64,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `application/json`: positions count messages.
    Json,
    /// `application/octet-stream`: positions count bytes. Events carry base64.
    Bytes,
    /// `text/plain`: positions count bytes, which need be no valid text. Events carry text.
    Text,
}

/// When a stream ends by itself, as a creation asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifetime {
    /// Never.
    Endless,
    /// This many seconds after it was last touched.
    Ttl(u64),
    /// At this virtual Unix time in ms.
    Until(u64),
}

/// A stream of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// How scenarios and reports call it.
    pub name: String,
    /// Its path after `/v1/stream/`, decoded.
    pub path: String,
    /// What it is made of; every creation at its path asks for the same.
    pub content: Content,
}

/// The idempotent producer's tuple.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// `Producer-Id`.
    pub producer: String,
    /// `Producer-Epoch`.
    pub epoch: u64,
    /// `Producer-Seq`.
    pub seq: u64,
}

/// What one append or creation carries. Its messages exist nowhere else in the run; every retry carries the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentBatch {
    /// The stream, an index of [`History::streams`].
    pub stream: usize,
    /// The messages as they must stand in the log.
    pub messages: Vec<Bytes>,
    /// The producer's tuple, which belongs to this batch alone.
    pub stamp: Option<Stamp>,
    /// `Stream-Seq`.
    pub stream_seq: Option<String>,
}

impl SentBatch {
    /// How many positions it takes in the log.
    pub fn units(&self, content: Content) -> u64 {
        match content {
            Content::Json => self.messages.len() as u64,
            Content::Bytes | Content::Text => self.messages.iter().map(|message| message.len() as u64).sum(),
        }
    }
}

/// What is wrong with an append on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// One element of the batch is no JSON.
    BadElement,
    /// An empty JSON array.
    EmptyArray,
    /// A content type that is not the stream's.
    WrongType,
    /// A body beyond the limit.
    TooLarge,
    /// A producer id with a byte that is no ASCII.
    NotAscii,
    /// A content encoding.
    Compressed,
    /// Chunks that are malformed half-way.
    Malformed,
    /// A producer sequence number far ahead.
    Gap,
}

/// Where a read starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// `-1`.
    Start,
    /// `now`.
    Now,
    /// An offset that an answer carried.
    At(String),
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// PUT.
    Create {
        /// The configured end.
        lifetime: Lifetime,
        /// `Stream-Closed: true`.
        closes: bool,
        /// Whether everybody may read it.
        public: bool,
        /// The body, an index of [`History::batches`].
        batch: Option<usize>,
    },
    /// POST.
    Append {
        /// The body, an index of [`History::batches`]; none for a mere close.
        batch: Option<usize>,
        /// `Stream-Closed: true`.
        closes: bool,
        /// What is wrong with it.
        defect: Option<Defect>,
    },
    /// GET.
    Read {
        /// Where it starts.
        from: From,
        /// The read whose `ETag` is sent as `If-None-Match`, an index of [`History::ops`].
        revalidates: Option<usize>,
        /// Pages of one walk through the stream share this number and follow each other.
        walk: usize,
        /// How it asks, if not as usual.
        manner: Option<Manner>,
    },
    /// GET that waits.
    Live {
        /// How it waits.
        mode: Mode,
        /// Where it starts.
        from: From,
        /// The cursor that it echoes.
        cursor: Option<u64>,
        /// Whose it is, an index of [`History::readers`].
        reader: usize,
        /// The long-poll whose `ETag` is sent as `If-None-Match`, an index of [`History::ops`]; none for events.
        revalidates: Option<usize>,
    },
    /// HEAD.
    Head,
    /// POST for another reader key.
    NewReaderKey,
    /// DELETE.
    Delete,
}

/// What a client was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAnswer {
    /// The status.
    pub status: u16,
    /// `Stream-Next-Offset`.
    pub next_offset: Option<String>,
    /// `Stream-Closed: true`.
    pub closed: bool,
    /// `Stream-Up-To-Date: true`.
    pub up_to_date: bool,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Stream-Cursor`.
    pub cursor: Option<u64>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `stream-sse-data-encoding: base64`.
    pub base64: bool,
    /// `Producer-Epoch`.
    pub producer_epoch: Option<u64>,
    /// `Producer-Seq`.
    pub producer_seq: Option<u64>,
    /// `Producer-Expected-Seq`.
    pub expected_seq: Option<u64>,
    /// `Producer-Received-Seq`.
    pub received_seq: Option<u64>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `X-Cache`.
    pub x_cache: Option<String>,
    /// `Age`.
    pub age_s: Option<u64>,
    /// The request that has brought the answer from which a browser's cache made this one, an index of
    /// [`History::ops`]; none where the service was asked.
    pub from_browser: Option<usize>,
    /// `Stream-Reader-Key`.
    pub reader_key: Option<String>,
    /// `Access-Control-Allow-Origin`.
    pub allowed_origin: Option<String>,
    /// Whether `Vary` names `Origin`.
    pub varies_by_origin: bool,
    /// Whether it tells which instance has given it.
    pub tells_instance: bool,
    /// Whether it has a field that edge and object keep to themselves.
    pub tells_internals: bool,
    /// The stable code of a refusal.
    pub code: Option<String>,
    /// Whether it carries what every response must (SPEC, section 1): a `Cache-Control`,
    /// `X-Content-Type-Options` and `Cross-Origin-Resource-Policy`.
    pub guarded: bool,
    /// The body.
    pub body: Bytes,
}

impl ClientAnswer {
    /// Whether there is no room for what should have been written: nothing was done.
    pub fn is_full(&self) -> bool {
        self.status == 507 && matches!(self.code.as_deref(), Some("storage_full" | "too_many_producers"))
    }
}

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// Which client, for people.
    pub client: usize,
    /// The number of the request in the world, by which [`History::harms`] knows it.
    pub request: u64,
    /// The stream, an index of [`History::streams`].
    pub stream: usize,
    /// What it asked.
    pub call: Call,
    /// When it asked.
    pub invoked: Moment,
    /// When it was answered, or gave up; absent only while it waits.
    pub ended: Option<Moment>,
    /// What it was told; none if it gave up.
    pub answer: Option<ClientAnswer>,
    /// The token that it has shown, where one is needed.
    pub shown: Option<Shown>,
    /// What its URL has as the reader key of the stream.
    pub reader_key: Option<String>,
    /// The id of the last event that an `EventSource` has had, as it says by itself.
    pub last_event_id: Option<String>,
}

impl Op {
    /// The answer, unless it leaves open whether the request was applied: a lost one, and a failure of the service that
    /// does not say that nothing was done.
    pub fn definite(&self) -> Option<&ClientAnswer> {
        self.answer.as_ref().filter(|answer| answer.status < 500 || answer.is_full())
    }

    /// The definite answer's status.
    pub fn status(&self) -> Option<u16> {
        self.definite().map(|answer| answer.status)
    }

    /// The offset that the definite answer carries.
    pub fn told(&self) -> Option<&str> {
        self.definite()?.next_offset.as_deref()
    }

    /// Whether the definite answer says that the request was done.
    pub fn succeeded(&self) -> bool {
        self.status().is_some_and(|status| status < 300)
    }

    /// When its effect had certainly happened, if it ever did: never for an indefinite one.
    pub fn settled(&self) -> Moment {
        let never = Moment { tick: u64::MAX, ms: u64::MAX };
        match self.definite() {
            Some(_) => self.ended.unwrap_or(never),
            None => never,
        }
    }

    /// Whether it was refused because its token was none that grants it. No other refusal has this status.
    pub fn is_denied(&self) -> bool {
        self.status() == Some(401)
    }

    /// Whether it was definitely over before `other` began.
    pub fn precedes(&self, other: &Op) -> bool {
        self.settled().tick < other.invoked.tick
    }

    /// The request whose `ETag` it sends as `If-None-Match`, an index of [`History::ops`].
    pub fn revalidates(&self) -> Option<usize> {
        match self.call {
            Call::Read { revalidates, .. } | Call::Live { revalidates, .. } => revalidates,
            _ => None,
        }
    }

    /// The batch that it carries.
    pub fn batch(&self) -> Option<usize> {
        match self.call {
            Call::Create { batch, .. } | Call::Append { batch, .. } => batch,
            _ => None,
        }
    }
}

/// A whole run, seen by its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The streams.
    pub streams: Vec<StreamInfo>,
    /// Everything that was ever sent to be kept.
    pub batches: Vec<SentBatch>,
    /// Requests in the order in which they were made.
    pub ops: Vec<Op>,
    /// Live readers in the order in which they joined.
    pub readers: Vec<Reader>,
    /// What SSE connections carried, by their requests' indices of [`Self::ops`].
    pub listenings: BTreeMap<usize, Listening>,
    /// What faults have done.
    pub harms: Harms,
    /// What was still stored in the end.
    pub leftovers: Vec<Leftover>,
    /// What kept the objects in memory.
    pub awake: Vec<Awake>,
    /// The most bytes that were in the memory of an isolate.
    pub footprint: Footprint,
    /// What R2 held, now and then.
    pub holdings: Vec<Holding>,
    /// The streams, each with a virtual ms, whose objects have deleted from R2 in a turn that has written nothing.
    pub unproven: Vec<(usize, u64)>,
    /// The commit times of the logs, now and then.
    pub commits: Vec<CommitTimes>,
    /// What came of each look into the caches of datacenters, and of each put.
    pub visits: Vec<Visit>,
    /// What caches in front of the Worker have done.
    pub fronts: Fronts,
    /// What was asked without a grant.
    pub strangers: Vec<Trespass>,
    /// Where something was written down that nobody may know.
    pub sightings: Vec<String>,
    /// When each request was at the edge, by its number in the world.
    pub times: Times,
    /// What each request has cost, by its number in the world.
    pub charges: BTreeMap<u64, Charge>,
    /// What the alarms of each stream's object have cost.
    pub alarms: BTreeMap<usize, AlarmCharge>,
    /// The first statement of each stream's object that looked at more rows than it may, and by how much.
    pub excesses: BTreeMap<usize, String>,
    /// What the world was like.
    pub conditions: Conditions,
    ticks: u64,
}

impl History {
    /// An empty one.
    pub fn new(streams: Vec<StreamInfo>, conditions: Conditions) -> Self {
        Self { streams, conditions, ..Self::default() }
    }

    /// The next moment, at this virtual time.
    pub fn moment(&mut self, ms: u64) -> Moment {
        self.ticks += 1;
        Moment { tick: self.ticks, ms }
    }

    /// Records a request that is made now; answers its index.
    pub fn invoke(&mut self, client: usize, stream: usize, call: Call, now_ms: u64) -> usize {
        let invoked = self.moment(now_ms);
        let request = self.ops.len() as u64 + 1;
        let (ended, answer, shown, reader_key, last_event_id) = (None, None, None, None, None);
        self.ops.push(Op { client, request, stream, call, invoked, ended, answer, shown, reader_key, last_event_id });
        self.ops.len() - 1
    }

    /// Records that a request was answered, or given up, now.
    pub fn complete(&mut self, op: usize, answer: Option<ClientAnswer>, now_ms: u64) {
        let ended = self.moment(now_ms);
        if let Some(op) = self.ops.get_mut(op) {
            op.ended = Some(ended);
            op.answer = answer;
        }
    }

    /// The requests to one stream, with their indices.
    pub fn of_stream(&self, stream: usize) -> impl Iterator<Item = (usize, &Op)> {
        self.ops.iter().enumerate().filter(move |(_, op)| op.stream == stream)
    }

    /// Whether the answer says that this very request put its batch at the end of the log.
    ///
    /// A producer is told by the status: 200 is new, 204 is a duplicate (protocol, section 5.2.1).
    pub fn appended(&self, op: &Op) -> bool {
        let Some(batch) = op.batch().and_then(|batch| self.batches.get(batch)) else { return false };
        match (&op.call, op.status()) {
            (Call::Create { .. }, Some(201)) => true,
            (Call::Append { .. }, Some(200)) => true,
            (Call::Append { .. }, Some(204)) => batch.stamp.is_none(),
            _ => false,
        }
    }

    /// Whether the answer says that the batch is in the log, by this request or an earlier one.
    pub fn acknowledged(&self, op: &Op) -> bool {
        match op.call {
            Call::Append { batch: Some(_), .. } => op.succeeded(),
            _ => self.appended(op),
        }
    }
}
