//! Who waits for what comes: readers on sockets that outlive the object's memory.
//!
//! A socket is at the tail before each write, so all readers of one kind wait for the same bytes: they are encoded once
//! a kind and sent in one call. The tag of a socket names kind and incarnation, so a stream that is created again never
//! feeds the readers of its predecessor. Memory holds only whether there may be readers of a kind: an object without
//! any pays nothing for its writes.

use std::cell::Cell;

use bytes::{Buf, BufMut, Bytes};

use super::answer;
use crate::mutant::mutated;
use crate::protocol::limits::PUSH_LIMIT;
use crate::protocol::live::{LiveMessage, ReaderPosition};
use crate::protocol::message::Live;
use crate::protocol::{Incarnation, Offset, Waits, cursor};
use crate::runtime::{ActorState, After, HibernatingSocket, Upgrade, marks};
use crate::stream::{Page, Stream};

/// What a reader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Events.
    Events,
    /// Events, with a cursor that is ahead of the time: its next ones are above that, and no other reader's.
    EventsAhead,
    /// One answer.
    Answer,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Events, Self::EventsAhead, Self::Answer];

    fn tag(self, incarnation: &Incarnation) -> String {
        let letter = match self {
            Self::Events => 's',
            Self::EventsAhead => 'a',
            Self::Answer => 'p',
        };
        format!("{letter}{}", incarnation.as_str())
    }
}

/// What survives hibernation with a socket beside its tag. Written once, when it joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attachment {
    joined_ms: u64,
    /// The client's cursor, which those of its events are to be above.
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

/// What waiting readers are told.
#[derive(Debug)]
pub(super) struct News<'a> {
    /// Where they wait.
    pub(super) start: Offset,
    /// What was appended there, as the log holds it; empty where the stream was only closed.
    pub(super) content: &'a Bytes,
    /// The time.
    pub(super) now_ms: u64,
}

/// Who waits.
pub(super) struct Audience {
    waits: Waits,
    /// Content beyond this many bytes is not pushed.
    push_limit: usize,
    events: Cell<bool>,
    events_ahead: Cell<bool>,
    answers: Cell<bool>,
    next_sweep_ms: Cell<u64>,
}

impl Audience {
    /// At the start of an object: readers may have waited through its sleep.
    pub(super) fn new(state: &impl ActorState, waits: Waits, page_bytes: usize) -> Self {
        let any = state.has_sockets() && !mutated!(WaitersForgottenAtHibernation);
        Self {
            waits,
            push_limit: PUSH_LIMIT.min(page_bytes),
            events: Cell::new(any),
            events_ahead: Cell::new(any),
            answers: Cell::new(any),
            next_sweep_ms: Cell::new(0),
        }
    }

    /// Whether anybody may wait.
    pub(super) fn is_there(&self) -> bool {
        Kind::ALL.iter().any(|kind| self.of(*kind).get())
    }

    fn of(&self, kind: Kind) -> &Cell<bool> {
        match kind {
            Kind::Events => &self.events,
            Kind::EventsAhead => &self.events_ahead,
            Kind::Answer => &self.answers,
        }
    }

    /// A reader at the tail of an open stream starts to wait: from this turn on it is told of every write.
    pub(super) fn join(
        &self,
        state: &impl ActorState,
        stream: &Stream,
        now_ms: u64,
        live: Live,
        cursor: Option<u64>,
    ) -> Upgrade {
        self.sweep(state, now_ms);
        let tail = &stream.tail;
        // The next commit comes now at the earliest, and after the last one.
        let is_ahead = cursor.is_some_and(|cursor| cursor >= now_ms.max(tail.commit_ms + 1));
        let kind = match live {
            Live::LongPoll => Kind::Answer,
            Live::Sse if is_ahead => Kind::EventsAhead,
            Live::Sse => Kind::Events,
        };
        self.of(kind).set(true);
        let greeting = LiveMessage::Joined {
            position: ReaderPosition { next: tail.offset, commit_ms: tail.commit_ms },
            now_ms,
            encoding: stream.content_type.sse_encoding(),
        };
        let attachment = Attachment { joined_ms: now_ms, cursor: cursor.unwrap_or(0) };
        Upgrade {
            tag: kind.tag(&stream.incarnation),
            attachment: attachment.encode(),
            greeting: greeting.encode(),
            otherwise: answer::no_socket(),
        }
    }

    /// The stream has moved on, and is as `stream` says: each waiting reader is told once, within the turn that wrote.
    pub(super) fn tell(&self, state: &impl ActorState, stream: &Stream, news: &News<'_>) {
        if !self.is_there() {
            return;
        }
        let closed = stream.tail.closed && !mutated!(CloseNotPushed);
        if news.content.is_empty() && !closed {
            return;
        }
        if news.content.len() > self.push_limit {
            state.sometimes(marks::LIVE_PULL_PUSHED);
            self.broadcast_all(state, &stream.incarnation, &LiveMessage::Pull.encode());
            return;
        }
        let payload = match stream.content_type.is_json() && !news.content.is_empty() {
            true => [b"[", news.content.as_ref(), b"]"].concat().into(),
            false => news.content.clone(),
        };
        let position = ReaderPosition { next: stream.tail.offset, commit_ms: stream.tail.commit_ms };
        let encoding = stream.content_type.sse_encoding();
        let after = if closed { After::Close } else { After::Stay };
        if closed {
            state.sometimes(marks::LIVE_CLOSE_PUSHED);
        }
        if self.events.get() {
            let event = LiveMessage::event(position, position.commit_ms, closed, encoding, &payload);
            self.broadcast(state, Kind::Events, &stream.incarnation, event, after);
        }
        if self.events_ahead.get() {
            let sockets = state.sockets(Some(&Kind::EventsAhead.tag(&stream.incarnation)));
            self.events_ahead.set(!sockets.is_empty() && !closed);
            for socket in sockets {
                let client = Attachment::decode(socket.attachment()).map(|attachment| attachment.cursor);
                let cursor = cursor::after_data(position.commit_ms, client);
                socket.send(LiveMessage::event(position, cursor, closed, encoding, &payload));
                if closed {
                    socket.close();
                }
            }
        }
        if self.answers.get() {
            let page = Page {
                start: news.start,
                next: position.next,
                body: payload,
                up_to_date: true,
                closed,
                inside_append: false,
                commit_ms: position.commit_ms,
            };
            let answer = answer::long_poll(stream, page, None, news.now_ms);
            let message = LiveMessage::Answer { position, answer }.encode();
            self.broadcast(state, Kind::Answer, &stream.incarnation, message, After::Close);
        }
        self.sweep(state, news.now_ms);
    }

    /// The stream is gone: whoever waits for it learns so, and waits no longer.
    pub(super) fn dismiss(&self, state: &impl ActorState, incarnation: &Incarnation) {
        if self.is_there() {
            state.sometimes(marks::LIVE_REMOVAL_PUSHED);
            self.broadcast_all(state, incarnation, &LiveMessage::Gone.encode());
        }
    }

    fn broadcast_all(&self, state: &impl ActorState, incarnation: &Incarnation, message: &Bytes) {
        for kind in Kind::ALL {
            if self.of(kind).get() {
                self.broadcast(state, kind, incarnation, message.clone(), After::Close);
            }
        }
    }

    fn broadcast(&self, state: &impl ActorState, kind: Kind, incarnation: &Incarnation, message: Bytes, after: After) {
        let sockets = state.broadcast(&kind.tag(incarnation), message, after);
        self.of(kind).set(sockets > 0 && after == After::Stay);
    }

    /// Closes sockets whose peer must have vanished: no edge holds one for so long. Looks at each only now and then, and
    /// only when the object is awake anyway.
    fn sweep(&self, state: &impl ActorState, now_ms: u64) {
        if now_ms < self.next_sweep_ms.get() || !self.is_there() {
            return;
        }
        let longest_ms = self.waits.longest_ms();
        self.next_sweep_ms.set(now_ms + longest_ms / 2);
        for socket in state.sockets(None) {
            let joined_ms = Attachment::decode(socket.attachment()).map_or(0, |attachment| attachment.joined_ms);
            if joined_ms + longest_ms < now_ms {
                state.sometimes(marks::LIVE_SWEPT);
                socket.close();
            }
        }
    }
}
