//! The body of an answer that goes on.

use bytes::Bytes;

use super::{CallError, EdgeSocket, Isolate, Reply, SocketEvent};

/// How much may wait for a client to take it, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Bytes that may wait.
    pub buffer_bytes: usize,
    /// For how long a call waits.
    pub wait_ms: u64,
}

/// How bytes for a client fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are on their way, and no more than may wait for the client does.
    Taken,
    /// More than that still wait after the time given.
    Stalled,
    /// The client is gone.
    Gone,
}

/// What became of bytes that were queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// They wait for the client, perhaps with others: so many bytes in all.
    Waiting(usize),
    /// The client is gone.
    Gone,
}

/// Why [`Download::pipe`] came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeEnd {
    /// This message is not one to pass on.
    Message(Bytes),
    /// The socket is closed, or was cut.
    Closed,
    /// A message was passed on, and more waits for the client than may.
    Overflow,
    /// The time is up.
    TimedOut,
    /// The client is gone.
    Gone,
}

/// What a pipe has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piped {
    /// The header of the last message that was passed on, if one was.
    pub last: Option<Bytes>,
    /// Why it came back.
    pub end: PipeEnd,
}

/// Which messages a pipe passes on, and what of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeRule {
    /// How a message that is passed on begins.
    pub prefix: &'static [u8],
    /// Length of the header that is left out; the prefix is a part of it.
    pub header_length: usize,
}

/// The body of an answer that goes on and on, as its client takes it. Dropped, it ends.
pub trait Download: 'static {
    /// The sockets that can be piped into it.
    type Socket: EdgeSocket;
    /// The replies that can be passed on into it.
    type Reply: Reply;

    /// Queues bytes, which reach the client in one piece unless a network between splits them.
    fn push(&self, bytes: Bytes) -> Pushed;

    /// Waits until no more waits for the client than may.
    async fn drained(&self, patience: Patience) -> Written;

    /// Queues the body of a reply, once all of it is there. Fails, and queues nothing, where it breaks off.
    async fn push_reply(&self, reply: Self::Reply) -> Result<Pushed, CallError>;

    /// Queues bytes, and waits until no more waits for the client than may.
    async fn write(&self, bytes: Bytes, patience: Patience) -> Written {
        self.settled(self.push(bytes), patience).await
    }

    /// The same for the body of a reply.
    async fn write_reply(&self, reply: Self::Reply, patience: Patience) -> Result<Written, CallError> {
        Ok(self.settled(self.push_reply(reply).await?, patience).await)
    }

    /// Waits after a push, if there is anything to wait for.
    async fn settled(&self, pushed: Pushed, patience: Patience) -> Written {
        match pushed {
            Pushed::Gone => Written::Gone,
            Pushed::Waiting(bytes) if bytes <= patience.buffer_bytes => Written::Taken,
            Pushed::Waiting(_) => self.drained(patience).await,
        }
    }

    /// Passes on what comes from the socket, each message in one piece, until something else happens: the hot path of
    /// a delivered event. It is [`EdgeSocket::next`] and [`Self::push`] again and again, which a host may do without
    /// asking core about each message, and without its bytes.
    async fn pipe(&self, isolate: &impl Isolate, socket: &Self::Socket, rule: PipeRule, patience: Patience) -> Piped {
        let until_ms = isolate.now_ms().saturating_add(patience.wait_ms);
        let mut last = None;
        loop {
            let end = match socket.next(until_ms.saturating_sub(isolate.now_ms())).await {
                SocketEvent::Message(mut message) if message.starts_with(rule.prefix) => {
                    let header = message.split_to(rule.header_length.min(message.len()));
                    match self.push(message) {
                        Pushed::Gone => PipeEnd::Gone,
                        Pushed::Waiting(bytes) => {
                            last = Some(header);
                            if bytes <= patience.buffer_bytes {
                                continue;
                            }
                            PipeEnd::Overflow
                        }
                    }
                }
                SocketEvent::Message(message) => PipeEnd::Message(message),
                SocketEvent::Closed => PipeEnd::Closed,
                SocketEvent::TimedOut => PipeEnd::TimedOut,
            };
            return Piped { last, end };
        }
    }
}
