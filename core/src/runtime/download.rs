//! The body of an answer that the edge writes piece by piece.

use bytes::Bytes;

use super::{CallError, EdgeSocket, Isolate, Reply, SocketEvent};

/// How much may wait for a client to take it, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Bytes that may wait for the client.
    pub buffer_bytes: usize,
    /// Bytes that may wait for all clients of the isolate together, before nothing more is passed on to one that has not
    /// taken what it was sent.
    pub all_bytes: usize,
    /// For how long a call waits until no more bytes wait, in ms.
    pub wait_ms: u64,
}

/// What became of bytes after a wait for the client to take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The client has taken enough: no more bytes wait for it than may.
    Taken,
    /// More bytes than may still wait for the client after the time given.
    Stalled,
    /// The client is gone.
    Gone,
}

/// What became of bytes when they were queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They are queued. This many bytes in all now wait for the client.
    Waiting(usize),
    /// The client is gone.
    Gone,
}

/// Why [`Download::pipe`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeEnd {
    /// This message came, which the rule does not pass on.
    Message(Bytes),
    /// The socket is closed, or its connection was lost.
    Closed,
    /// A message was passed on, and now more bytes wait for the client than may; or one was not, because bytes wait for
    /// this client and too many for all; or more had come on the socket than may wait there.
    Overflow,
    /// The time is up, or nothing has come for as long as the rule says.
    TimedOut,
    /// The client is gone.
    Gone,
}

/// What a pipe has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piped {
    /// The header of the last message that was passed on, if any was.
    pub last: Option<Bytes>,
    /// Why it ended.
    pub end: PipeEnd,
}

/// Which messages a pipe passes on, which part of them, and how long it waits for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeRule {
    /// The first bytes of every message that is passed on.
    pub prefix: &'static [u8],
    /// Length of the header in bytes, which is not passed on; the prefix is a part of it.
    pub header_length: usize,
    /// For how long nothing may come before the pipe ends, in ms.
    pub silence_ms: u64,
}

/// A handle of the body of an answer that the edge writes piece by piece. Dropping it ends the body.
pub trait Download: 'static {
    /// The sockets whose messages can be passed on into it.
    type Socket: EdgeSocket;
    /// The replies whose bodies can be passed on into it.
    type Reply: Reply;

    /// Queues bytes, which leave the host in one piece. Returns at once.
    fn push(&self, bytes: Bytes) -> Pushed;

    /// Waits until no more bytes wait for the client than may.
    async fn drained(&self, patience: Patience) -> Written;

    /// Queues the body of a reply once all of it has arrived. If it breaks off, this fails and queues nothing.
    async fn push_reply(&self, reply: Self::Reply) -> Result<Pushed, CallError>;

    /// How many bytes wait for all clients of the isolate whose answers are written piece by piece.
    fn waiting_for_clients(&self) -> usize;

    /// Breaks the client's connection, and drops what waits for it.
    fn cut(&self);

    /// Queues bytes, and waits until no more bytes wait for the client than may.
    async fn write(&self, bytes: Bytes, patience: Patience) -> Written {
        match self.push(bytes) {
            Pushed::Gone => Written::Gone,
            Pushed::Waiting(bytes) if bytes <= patience.buffer_bytes => Written::Taken,
            Pushed::Waiting(_) => self.drained(patience).await,
        }
    }

    /// Whether something waits for the client, and too much for all clients.
    fn is_late(&self, patience: Patience) -> bool {
        matches!(self.push(Bytes::new()), Pushed::Waiting(1..)) && self.waiting_for_clients() > patience.all_bytes
    }

    /// Passes messages of the socket on to the client, each in one piece, until something else happens: every event
    /// that is delivered goes this way. It is [`EdgeSocket::next`] and [`Self::push`] again and again. A host may do
    /// the same by itself, without asking core about each message, and without handing it the bytes.
    async fn pipe(&self, isolate: &impl Isolate, socket: &Self::Socket, rule: PipeRule, patience: Patience) -> Piped {
        let until_ms = isolate.now_ms().saturating_add(patience.wait_ms);
        let mut heard_ms = isolate.now_ms();
        let mut last = None;
        loop {
            let ends_ms = until_ms.min(heard_ms.saturating_add(rule.silence_ms));
            let end = match socket.next(ends_ms.saturating_sub(isolate.now_ms())).await {
                SocketEvent::Message(message) if message.starts_with(rule.prefix) && self.is_late(patience) => {
                    PipeEnd::Overflow
                }
                SocketEvent::Message(mut message) if message.starts_with(rule.prefix) => {
                    let header = message.split_to(rule.header_length.min(message.len()));
                    match self.push(message) {
                        Pushed::Gone => PipeEnd::Gone,
                        Pushed::Waiting(bytes) => {
                            last = Some(header);
                            heard_ms = isolate.now_ms();
                            if bytes <= patience.buffer_bytes {
                                continue;
                            }
                            PipeEnd::Overflow
                        }
                    }
                }
                SocketEvent::Message(message) => PipeEnd::Message(message),
                SocketEvent::Closed => PipeEnd::Closed,
                SocketEvent::Overflowed => PipeEnd::Overflow,
                SocketEvent::TimedOut => PipeEnd::TimedOut,
            };
            return Piped { last, end };
        }
    }
}
