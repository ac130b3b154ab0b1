//! What live readers asked for and were sent.

use bytes::Bytes;

use super::{Call, From, History, Moment, Op};

/// The code under which a failure is written down that was hidden from a browser, which is not told which one it was.
pub const HIDDEN_FAILURE: &str = "hidden";

/// How a live read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// For one answer.
    LongPoll,
    /// With a stream of events.
    Sse,
}

/// Why a live reader reads no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// It left by itself.
    Left,
    /// It was told that the stream is closed.
    Closed,
    /// It was told that the stream, or its own position in it, is gone.
    Gone,
    /// It was refused in a way that no retry mends.
    Refused,
}

/// A live reader, from joining to leaving. Its requests are the operations that carry its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Which client, for people.
    pub client: usize,
    /// The stream, an index of [`History::streams`].
    pub stream: usize,
    /// How it waits.
    pub mode: Mode,
    /// When it began.
    pub joined: Moment,
    /// Spells in virtual ms in which it neither asked nor read.
    pub stalls: Vec<(u64, u64)>,
    /// When it ended, and why; none if it was still there at the end of the run.
    pub parted: Option<(Moment, Parting)>,
}

impl Reader {
    /// Whether it asked and read all the time from one virtual ms to another.
    pub fn is_attentive(&self, from_ms: u64, to_ms: u64) -> bool {
        let here = self.joined.ms <= from_ms && self.parted.is_none_or(|(parted, _)| parted.ms > to_ms);
        here && self.stalls.iter().all(|(begin_ms, end_ms)| *end_ms < from_ms || *begin_ms > to_ms)
    }
}

/// A control event, with the data event before it if there was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When it arrived.
    pub at: Moment,
    /// When it had left the edge, in ms since the Unix epoch, if that is known.
    pub left_ms: Option<u64>,
    /// The text of the data event.
    pub data: Option<String>,
    /// `streamNextOffset`.
    pub next_offset: Option<String>,
    /// `streamCursor`.
    pub cursor: Option<u64>,
    /// `upToDate`.
    pub up_to_date: bool,
    /// `streamClosed`.
    pub closed: bool,
    /// There was a data event, and the connection broke before its control event: its id stands for that.
    pub is_cut_short: bool,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server ended it.
    Finished,
    /// It broke.
    Cut,
    /// The client gave it up: it had heard nothing for too long, or left.
    Abandoned,
}

/// What came over an SSE connection after its head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// In order.
    pub deliveries: Vec<Delivery>,
    /// Comments, which keep it alive.
    pub comments: u64,
    /// When writes came that end within an event, in virtual ms.
    pub pieces_ms: Vec<u64>,
    /// What no client should have to read, each with when it came.
    pub defects: Vec<(Moment, String)>,
    /// Whether a comment came soon after something else.
    pub comments_hastily: bool,
    /// Whether it did not end soon after its client was told of the stream's close.
    pub lingers: bool,
    /// Whether the client's own side broke it: what was on its way is lost, and the client asks again.
    pub is_cut_by_client: bool,
    /// When it ended and how.
    pub end: Option<(Moment, End)>,
}

/// What one answer or delivery brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The bytes of an answer.
    Body(&'a Bytes),
    /// The text of a data event.
    Text(&'a str),
    /// Nothing.
    Empty,
}

/// One answer to a long-poll, or one delivery of an SSE connection.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// The request.
    pub op: usize,
    /// The reader's number.
    pub reader: usize,
    /// When it was asked for.
    pub invoked: Moment,
    /// When it arrived.
    pub at: Moment,
    /// Where it begins.
    pub from: From,
    /// What it holds.
    pub payload: Payload<'a>,
    /// Where the next one begins.
    pub next_offset: Option<&'a str>,
    /// The cursor to echo.
    pub cursor: Option<u64>,
    /// Whether it reaches the tail.
    pub up_to_date: bool,
    /// Whether the stream is closed there.
    pub closed: bool,
    /// Whether the control event was cut off, which alone tells whether this is the tail, and the stream closed.
    pub is_cut_short: bool,
}

impl History {
    /// Records that a live reader joins now; answers its number.
    pub fn join(&mut self, client: usize, stream: usize, mode: Mode, now_ms: u64) -> usize {
        let joined = self.moment(now_ms);
        self.readers.push(Reader { client, stream, mode, joined, stalls: Vec::new(), parted: None });
        self.readers.len() - 1
    }

    /// Records why a live reader reads no more, from now on.
    pub fn part(&mut self, reader: usize, parting: Parting, now_ms: u64) {
        let now = self.moment(now_ms);
        if let Some(reader) = self.readers.get_mut(reader) {
            reader.parted.get_or_insert((now, parting));
        }
    }

    /// What an SSE connection carried.
    pub fn listening(&mut self, op: usize) -> &mut Listening {
        self.listenings.entry(op).or_default()
    }

    /// Names what an answer with nothing but the time after which to come back stands for: a failure, which would end a
    /// browser's `EventSource` for good.
    pub fn name_hidden_failure(&mut self, op: usize) {
        let is_empty = self.listening(op).deliveries.is_empty();
        if let Some(answer) = self.ops.get_mut(op).and_then(|op| op.answer.as_mut()).filter(|_| is_empty) {
            (answer.status, answer.code) = (503, Some(HIDDEN_FAILURE.to_owned()));
        }
    }

    /// What the live readers of one stream were sent: by request, and in order within each.
    pub fn arrivals(&self, stream: usize) -> impl Iterator<Item = Arrival<'_>> {
        self.of_stream(stream).flat_map(|(index, op)| match op.call {
            Call::Live { mode: Mode::LongPoll, .. } => self.answered(index, op).into_iter().collect(),
            Call::Live { mode: Mode::Sse, .. } => self.delivered(index, op),
            _ => Vec::new(),
        })
    }

    fn answered<'a>(&'a self, index: usize, op: &'a Op) -> Option<Arrival<'a>> {
        let Call::Live { from, reader, .. } = &op.call else { return None };
        let told = op.definite().filter(|answer| matches!(answer.status, 200 | 204 | 304))?;
        // A 304 confirms what its reader has had before, and may name another cursor.
        let answer = if told.status == 204 { told } else { self.shown(op)? };
        Some(Arrival {
            op: index,
            reader: *reader,
            invoked: op.invoked,
            at: op.ended?,
            from: from.clone(),
            payload: if answer.status == 200 { Payload::Body(&answer.body) } else { Payload::Empty },
            next_offset: answer.next_offset.as_deref(),
            cursor: told.cursor.or(answer.cursor),
            up_to_date: answer.up_to_date,
            closed: answer.closed,
            is_cut_short: false,
        })
    }

    fn delivered<'a>(&'a self, index: usize, op: &'a Op) -> Vec<Arrival<'a>> {
        let Call::Live { from, reader, .. } = &op.call else { return Vec::new() };
        let mut begins = from.clone();
        let deliveries = self.listenings.get(&index).map_or(&[][..], |listening| &listening.deliveries);
        let arrive = |delivery: &'a Delivery| {
            let next = delivery.next_offset.as_deref();
            let from = next.map_or(begins.clone(), |next| std::mem::replace(&mut begins, From::At(next.to_owned())));
            Arrival {
                op: index,
                reader: *reader,
                invoked: op.invoked,
                at: delivery.at,
                from,
                payload: delivery.data.as_deref().map_or(Payload::Empty, Payload::Text),
                next_offset: next,
                cursor: delivery.cursor,
                up_to_date: delivery.up_to_date,
                closed: delivery.closed,
                is_cut_short: delivery.is_cut_short,
            }
        };
        deliveries.iter().map(arrive).collect()
    }
}
