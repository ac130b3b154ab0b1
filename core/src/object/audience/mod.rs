//! Readers that wait for new data on hibernatable sockets, which outlive the object's memory.
//!
//! Before each write every waiting reader is at the tail, so all readers of one kind get the same bytes: these are
//! encoded once for each kind and sent in one call. What begins a code point at the tail of a text counts as not yet
//! there: its readers are sent it with its rest. The tag of a socket names the kind and the incarnation, so that a
//! stream that is created again never sends to readers of its predecessor. Memory holds only whether there may be
//! readers of a kind, so that writes to an object without readers cost nothing extra.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `live_reads` | live reads that wait for R2 |
//! | `push_budget` | how much is pushed to waiting readers at once |
//! | `stale_sockets` | closing the sockets of readers that have vanished |

mod live_reads;
mod push_budget;
mod stale_sockets;

use std::cell::{Cell, RefCell};

use bytes::{Buf, BufMut, Bytes};

use live_reads::{LiveRead, LiveReads};
use push_budget::{PushBudget, spread_ms};
use stale_sockets::StaleSockets;

use super::answer;
use crate::mutant::mutated;
use crate::protocol::limits::{EVENT_LIMIT, PUSH_LIMIT};
use crate::protocol::live::{HEADER_LENGTH, LiveMessage, ReaderPosition};
use crate::protocol::message::Live;
use crate::protocol::text_end::open_bytes;
use crate::protocol::{CachePolicy, Incarnation, Offset, TextEnd, Waits, cursor, sse};
use crate::runtime::{ActorState, After, HibernatingSocket, Upgrade, marks};
use crate::storage::{SqlError, SqlStorage};
use crate::stream::{Page, Stream};

/// What a reader waits for, and so which bytes it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReaderKind {
    /// Events, with the cursor that most readers get.
    Events,
    /// Events for readers whose cursors are ahead of the clock. All of them get the largest of these plus one.
    EventsAhead,
    /// Events, for a reader that waits inside of a code point whose rest may still come, so that what comes is another
    /// text for it than for the others. That is so until the next write only: it is then told to read from the log.
    EventsInside,
    /// The answer to a long-poll.
    Answer,
    /// The answer to a long-poll whose cursor is ahead of the clock.
    AnswerAhead,
}

impl ReaderKind {
    const ALL: [Self; 5] = [Self::Events, Self::EventsAhead, Self::EventsInside, Self::Answer, Self::AnswerAhead];

    fn tag(self, incarnation: &Incarnation) -> String {
        let letter = match self {
            Self::Events => 's',
            Self::EventsAhead => 'a',
            Self::EventsInside => 'i',
            Self::Answer => 'p',
            Self::AnswerAhead => 'b',
        };
        format!("{letter}{}", incarnation.as_str())
    }
}

/// What is attached to a socket and survives hibernation, besides its tag. Written once, when the reader joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attachment {
    joined_ms: u64,
    /// The client's cursor, above which its next ones have to be.
    cursor: u64,
}

impl Attachment {
    fn encode(self) -> Bytes {
        let mut bytes = Vec::with_capacity(16);
        bytes.put_u64(self.joined_ms);
        bytes.put_u64(self.cursor);
        bytes.into()
    }

    fn decode(mut bytes: Bytes) -> Option<Self> {
        Some(Self { joined_ms: bytes.try_get_u64().ok()?, cursor: bytes.try_get_u64().ok()? })
    }
}

/// Where a reader waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it goes on: the tail, or before the beginning of a code point that is held back there.
    pub(super) next: Offset,
    /// Whether that is inside of a code point whose rest may still come: its reader had begun to read there.
    pub(super) is_inside_code_point: bool,
}

impl Place {
    /// The tail of a stream that ends with nothing that is held back.
    pub(super) fn tail(stream: &Stream) -> Self {
        Self { next: stream.tail.offset, is_inside_code_point: false }
    }
}

/// What a write tells the waiting readers.
#[derive(Debug)]
pub(super) struct News<'a> {
    /// The tail before the write.
    pub(super) start: Offset,
    /// How the text ended there; nothing where nobody needs to know.
    pub(super) text_end: TextEnd,
    /// What was appended, as the log stores it; empty if the stream was only closed.
    pub(super) content: &'a Bytes,
    /// The time of the write in ms since the Unix epoch.
    pub(super) now_ms: u64,
}

/// The waiting readers of one object.
pub(super) struct Audience {
    waits: Waits,
    policy: CachePolicy,
    /// Content of more bytes than this is not pushed; readers are told to read it from the log.
    push_limit: usize,
    /// Nor is an event whose text has more.
    event_limit: usize,
    budget: PushBudget,
    live_reads: LiveReads,
    events: Cell<bool>,
    events_ahead: Cell<bool>,
    events_inside: Cell<bool>,
    answers: Cell<bool>,
    answers_ahead: Cell<bool>,
    /// The largest cursor of readers ahead of the clock; `None` if it is not known since the start.
    largest_ahead: Cell<Option<u64>>,
    /// Whether readers of events ahead of the clock may wait since before the start. What they were told then may have
    /// been the cursor of one that has left.
    ahead_since_before: Cell<bool>,
    /// Whether somebody has asked since the start whether there are sockets.
    has_looked: Cell<bool>,
    stale: StaleSockets,
    /// How the text before this offset ends. It counts as long as that is the tail, and is read from storage then.
    text_end: RefCell<Option<(Offset, TextEnd)>>,
}

/// What a write is for readers of events.
struct EventNews {
    payload: Bytes,
    /// Where they go on.
    next: Offset,
}

impl Audience {
    /// For the start of an object. Readers may have been waiting while it hibernated: whoever has to know asks.
    pub(super) fn new(waits: Waits, policy: CachePolicy, page_bytes: usize, pushed_bytes: usize) -> Self {
        let any = !mutated!(WaitersForgottenAtHibernation);
        Self {
            waits,
            policy,
            push_limit: PUSH_LIMIT.min(page_bytes),
            event_limit: EVENT_LIMIT.min(sse::piece_bytes(page_bytes)),
            budget: PushBudget::new(pushed_bytes),
            live_reads: LiveReads::default(),
            events: Cell::new(any),
            events_ahead: Cell::new(any),
            events_inside: Cell::new(any),
            answers: Cell::new(any),
            answers_ahead: Cell::new(any),
            largest_ahead: Cell::default(),
            ahead_since_before: Cell::new(true),
            has_looked: Cell::default(),
            stale: StaleSockets::default(),
            text_end: RefCell::default(),
        }
    }

    /// Asks, at the first write after a start, whether there is any socket. The platform has to list all of them for it,
    /// as it has to for the write itself; a start for anything else does without.
    fn look(&self, state: &impl ActorState) {
        if !self.has_looked.replace(true) && !state.has_sockets() {
            ReaderKind::ALL.iter().for_each(|kind| self.of(*kind).set(false));
            self.ahead_since_before.set(false);
        }
    }

    /// Whether there may be a waiting reader.
    fn may_have_readers(&self) -> bool {
        ReaderKind::ALL.iter().any(|kind| self.of(*kind).get())
    }

    fn may_have_readers_of_events(&self) -> bool {
        self.events.get() || self.events_ahead.get() || self.events_inside.get()
    }

    fn of(&self, kind: ReaderKind) -> &Cell<bool> {
        match kind {
            ReaderKind::Events => &self.events,
            ReaderKind::EventsAhead => &self.events_ahead,
            ReaderKind::EventsInside => &self.events_inside,
            ReaderKind::Answer => &self.answers,
            ReaderKind::AnswerAhead => &self.answers_ahead,
        }
    }

    /// How the text ends to which is going to be appended; empty where no reader of events waits for it.
    pub(super) fn text_end_before_news(&self, state: &impl ActorState, stream: &Stream) -> Result<TextEnd, SqlError> {
        if !stream.content_type.is_bytes_of_text() {
            return Ok(TextEnd::default());
        }
        self.look(state);
        match self.may_have_readers_of_events() {
            true => self.text_end_at_tail(state.sql(), stream),
            false => Ok(TextEnd::default()),
        }
    }

    /// How the text ends at the tail: as memory has it, or as storage tells.
    pub(super) fn text_end_at_tail(&self, sql: &impl SqlStorage, stream: &Stream) -> Result<TextEnd, SqlError> {
        if let Some((at, end)) = &*self.text_end.borrow()
            && *at == stream.tail.offset
        {
            return Ok(end.clone());
        }
        // What an earlier version has not noted counts as nothing.
        let end = stream.text_end(sql, stream.tail.offset)?.known().unwrap_or_default();
        self.remember_text_end(stream, end.clone());
        Ok(end)
    }

    /// Remembers how the text ends at the tail.
    pub(super) fn remember_text_end(&self, stream: &Stream, end: TextEnd) {
        self.text_end.replace(Some((stream.tail.offset, end)));
    }

    /// The largest cursor of readers ahead of the clock. After a start it is read from what is attached to those that
    /// wait, by the first who needs it.
    fn largest_ahead(&self, state: &impl ActorState, incarnation: &Incarnation) -> u64 {
        if let Some(known) = self.largest_ahead.get() {
            return known;
        }
        let largest_of = |kind: ReaderKind| {
            let sockets = if self.of(kind).get() { state.sockets(&kind.tag(incarnation)) } else { Vec::new() };
            let cursors = sockets.into_iter().filter_map(|socket| Attachment::decode(socket.attachment()));
            cursors.map(|attachment| attachment.cursor).max()
        };
        let of_events = largest_of(ReaderKind::EventsAhead);
        if of_events.is_none() {
            self.ahead_since_before.set(false);
        }
        let largest = of_events.max(largest_of(ReaderKind::AnswerAhead)).unwrap_or(0);
        self.largest_ahead.set(Some(largest));
        largest
    }

    /// Lets a reader at the tail of an open stream wait. From this turn on it is told of every write.
    pub(super) fn join(
        &self,
        state: &impl ActorState,
        stream: &Stream,
        now_ms: u64,
        live: Live,
        cursor: Option<u64>,
        place: Place,
    ) -> Upgrade {
        self.sweep(state, now_ms);
        let tail = &stream.tail;
        // The commit time of the next append is at least the present time, and later than that of the last append.
        let is_ahead = cursor.is_some_and(|cursor| cursor >= now_ms.max(tail.commit_ms + 1));
        let kind = match (live, is_ahead) {
            (Live::LongPoll, false) => ReaderKind::Answer,
            (Live::LongPoll, true) => ReaderKind::AnswerAhead,
            (Live::Sse, _) if place.is_inside_code_point => {
                state.sometimes(marks::LIVE_READER_INSIDE_CODE_POINT);
                ReaderKind::EventsInside
            }
            (Live::Sse, false) => ReaderKind::Events,
            (Live::Sse, true) => ReaderKind::EventsAhead,
        };
        let mut commit_ms = tail.commit_ms;
        if let Some(cursor) = cursor.filter(|_| is_ahead) {
            let largest = self.largest_ahead(state, &stream.incarnation);
            if largest > cursor {
                state.sometimes(marks::CURSORS_AHEAD_JOINED);
            }
            self.largest_ahead.set(Some(largest.max(cursor)));
            // Nobody is told less, whether something comes or not.
            commit_ms = cursor::after_data(commit_ms, Some(largest.max(cursor)));
        }
        self.of(kind).set(true);
        let greeting = LiveMessage::Joined {
            position: ReaderPosition { next: place.next, commit_ms },
            now_ms,
            touched_until_ms: stream.touched_until_ms(),
            ends_ms: stream.ends_ms().unwrap_or(u64::MAX),
            encoding: stream.content_type.sse_encoding(),
            readers: Some(stream.readers.clone()),
        };
        let attachment = Attachment { joined_ms: now_ms, cursor: cursor.unwrap_or(0) };
        Upgrade {
            tags: [kind.tag(&stream.incarnation), stale_sockets::joined_tag(now_ms, self.waits.longest_ms())],
            attachment: attachment.encode(),
            greeting: greeting.encode(),
            otherwise: answer::no_socket(),
        }
    }

    /// Tells each waiting reader of a write once, in the same turn. `stream` is the stream after the write.
    pub(super) fn tell(&self, state: &impl ActorState, stream: &Stream, news: &News<'_>) {
        self.look(state);
        if !self.may_have_readers() {
            return;
        }
        let closed = stream.tail.closed && !mutated!(CloseNotPushed);
        if news.content.is_empty() && !closed {
            return;
        }
        // Nobody waits inside of a code point where none is incomplete: at each write, those who did are sent away.
        self.events_inside.set(self.events_inside.get() && !news.text_end.open().is_empty());
        if news.content.len() > self.push_limit {
            return self.pull(state, &stream.incarnation, &ReaderKind::ALL);
        }
        let payload: Bytes = match stream.content_type.is_json() && !news.content.is_empty() {
            true => [b"[", news.content.as_ref(), b"]"].concat().into(),
            false => news.content.clone(),
        };
        let position = ReaderPosition { next: stream.tail.offset, commit_ms: stream.tail.commit_ms };
        let after = if closed { After::Close } else { After::Stay };
        if closed {
            state.sometimes(marks::LIVE_CLOSE_PUSHED);
        }
        match self.event_news(stream, news, &payload, closed) {
            Some(events) => self.tell_events(state, stream, &events, after, news.now_ms),
            None => state.sometimes(marks::HALF_A_CODE_POINT_HELD_BACK),
        }
        if self.events_inside.get() {
            self.pull(state, &stream.incarnation, &[ReaderKind::EventsInside]);
        }
        if self.answers.get() || self.answers_ahead.get() {
            let page = Page {
                start: news.start,
                next: position.next,
                body: payload,
                up_to_date: true,
                closed,
                inside_append: false,
                commit_ms: position.commit_ms,
            };
            let answer = answer::long_poll(stream, page, None, &self.policy, news.now_ms);
            if self.answers_ahead.get() {
                let position = self.ahead(state, stream, position);
                let message = LiveMessage::Answer { position, answer: answer.clone() }.encode();
                self.push(state, ReaderKind::AnswerAhead, &stream.incarnation, message, After::Close, news.now_ms);
            }
            if self.answers.get() {
                let message = LiveMessage::Answer { position, answer }.encode();
                self.push(state, ReaderKind::Answer, &stream.incarnation, message, After::Close, news.now_ms);
            }
        }
        self.sweep(state, news.now_ms);
    }

    /// What readers of events are sent of a write; nothing if all of it is held back. Of a text they are sent what was
    /// held back before with it, and not what is now the beginning of a code point.
    fn event_news(&self, stream: &Stream, news: &News<'_>, payload: &Bytes, closed: bool) -> Option<EventNews> {
        let next = stream.tail.offset;
        if !stream.content_type.is_bytes_of_text() || !self.may_have_readers_of_events() {
            return Some(EventNews { payload: payload.clone(), next });
        }
        self.remember_text_end(stream, news.text_end.then(payload));
        let before = if mutated!(HalfACodePointSent) { &[] } else { news.text_end.open() };
        let text: Bytes = match before {
            [] => payload.clone(),
            before => [before, payload.as_ref()].concat().into(),
        };
        let open = if closed || mutated!(HalfACodePointSent) { 0 } else { open_bytes(&text) };
        if open > 0 && open == text.len() {
            return None;
        }
        let next = match open {
            0 => next,
            // What was held back before begins no code point after all, and all of this may begin one.
            _ if open == payload.len() => news.start,
            _ => Offset { position: next.position.saturating_sub(open as u64), ..next },
        };
        let follows_cr = news.text_end.is_cr() && text.first() == Some(&b'\n') && !mutated!(LineEndSentTwice);
        Some(EventNews { payload: text.slice(usize::from(follows_cr)..text.len() - open), next })
    }

    fn tell_events(&self, state: &impl ActorState, stream: &Stream, events: &EventNews, after: After, now_ms: u64) {
        let EventNews { payload, next } = events;
        let position = ReaderPosition { next: *next, commit_ms: stream.tail.commit_ms };
        let (encoding, closed) = (stream.content_type.sse_encoding(), after == After::Close);
        if self.events.get() {
            let event = LiveMessage::event(position, position.commit_ms, closed, encoding, payload);
            self.push(state, ReaderKind::Events, &stream.incarnation, event, after, now_ms);
        }
        if self.ahead_since_before.replace(false) && self.events_ahead.get() {
            // Their edges know what each has been told, and ask with it.
            state.sometimes(marks::LIVE_AHEAD_ASKED_AGAIN);
            self.pull(state, &stream.incarnation, &[ReaderKind::EventsAhead]);
        }
        if self.events_ahead.get() {
            let ahead = self.ahead(state, stream, position);
            let event = LiveMessage::event(ahead, ahead.commit_ms, closed, encoding, payload);
            self.push(state, ReaderKind::EventsAhead, &stream.incarnation, event, after, now_ms);
        }
    }

    /// The position for readers ahead of the clock: instead of the commit time it has the cursor that they are told.
    fn ahead(&self, state: &impl ActorState, stream: &Stream, position: ReaderPosition) -> ReaderPosition {
        let largest = self.largest_ahead(state, &stream.incarnation);
        ReaderPosition { commit_ms: cursor::after_data(position.commit_ms, Some(largest)), ..position }
    }

    /// Tells all waiting readers that the stream is gone, and ends their waits.
    pub(super) fn dismiss(&self, state: &impl ActorState, incarnation: &Incarnation) {
        self.look(state);
        if self.may_have_readers() && !mutated!(ReadersNotDismissed) {
            state.sometimes(marks::LIVE_REMOVAL_PUSHED);
            self.broadcast_all(state, incarnation, &LiveMessage::Gone.encode());
        }
    }

    fn broadcast_all(&self, state: &impl ActorState, incarnation: &Incarnation, message: &Bytes) {
        for kind in ReaderKind::ALL {
            if self.of(kind).get() {
                self.broadcast(state, kind, incarnation, message.clone(), After::Close);
            }
        }
    }

    fn broadcast(
        &self,
        state: &impl ActorState,
        kind: ReaderKind,
        incarnation: &Incarnation,
        message: Bytes,
        after: After,
    ) {
        let sockets = state.broadcast(&kind.tag(incarnation), message, after, usize::MAX);
        self.of(kind).set(sockets > 0 && after == After::Stay);
    }

    /// A live read of this stream waits for R2, until what is returned is dropped: its reader has no socket meanwhile, and
    /// is connected all the same.
    pub(super) fn read_from_r2(&self, incarnation: &Incarnation) -> LiveRead<'_> {
        self.live_reads.begin(incarnation.clone())
    }

    /// Whether a reader of this stream is connected. A socket that is older than any edge keeps one is none: its peer has
    /// vanished.
    pub(super) fn has_reader<S: ActorState>(&self, state: &S, incarnation: &Incarnation, now_ms: u64) -> bool {
        if self.live_reads.has(incarnation) {
            state.sometimes(marks::STAYED_FOR_A_READ_FROM_R2);
            return true;
        }
        let kinds = ReaderKind::ALL.into_iter().filter(|kind| self.of(*kind).get());
        let is_young = |socket: &S::Socket| joined_ms(socket) + self.waits.longest_ms() >= now_ms;
        kinds.flat_map(|kind| state.sockets(&kind.tag(incarnation))).any(|socket| is_young(&socket))
    }

    /// Closes sockets whose peer has vanished.
    fn sweep<S: ActorState>(&self, state: &S, now_ms: u64) {
        self.stale.sweep(state, now_ms, self.waits.longest_ms(), joined_ms);
    }

    /// Sends all readers of a kind what is new, or tells them to read it from the log: where an event is too large for
    /// one write, or where the copies for all of them are more than may be pushed now.
    fn push(
        &self,
        state: &impl ActorState,
        kind: ReaderKind,
        incarnation: &Incarnation,
        message: Bytes,
        after: After,
        now_ms: u64,
    ) {
        let is_event = matches!(kind, ReaderKind::Events | ReaderKind::EventsAhead);
        if is_event && message.len() > HEADER_LENGTH + self.event_limit {
            return self.pull(state, incarnation, &[kind]);
        }
        let (left, length) = (self.budget.left(now_ms), message.len());
        let sockets = state.broadcast(&kind.tag(incarnation), message, after, left);
        if self.budget.spend(sockets, length, left) {
            self.of(kind).set(sockets > 0 && after == After::Stay);
        } else {
            state.sometimes(marks::LIVE_PUSH_BUDGET_SPENT);
            self.pull_so_many(state, incarnation, &[kind], sockets);
        }
    }

    /// Tells all readers of these kinds to read from the log.
    fn pull(&self, state: &impl ActorState, incarnation: &Incarnation, kinds: &[ReaderKind]) {
        let waiting = kinds.iter().filter(|kind| self.of(**kind).get());
        // With no room for any message, a host only counts.
        let count =
            |kind: &ReaderKind| state.broadcast(&kind.tag(incarnation), LiveMessage::Gone.encode(), After::Stay, 0);
        self.pull_so_many(state, incarnation, kinds, waiting.map(count).sum());
    }

    fn pull_so_many(&self, state: &impl ActorState, incarnation: &Incarnation, kinds: &[ReaderKind], sockets: usize) {
        state.sometimes(marks::LIVE_PULL_PUSHED);
        let message = LiveMessage::Pull { spread_ms: spread_ms(sockets) }.encode();
        for kind in kinds.iter().filter(|kind| self.of(**kind).get()) {
            self.broadcast(state, *kind, incarnation, message.clone(), After::Close);
        }
    }
}

/// When the reader of a socket joined, in ms since the Unix epoch.
fn joined_ms(socket: &impl HibernatingSocket) -> u64 {
    Attachment::decode(socket.attachment()).map_or(0, |attachment| attachment.joined_ms)
}
