//! Hibernatable sockets: the platform keeps them, with their tags and attachments, while the object sleeps.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::environment::Environment;
use crate::rt;

/// Sockets of an object (Cloudflare, Durable Objects limits).
pub const SOCKET_LIMIT: usize = 32_768;
/// Tags of a socket, and characters of a tag (Cloudflare, `acceptWebSocket`).
pub const TAG_LIMIT: usize = 10;
/// Characters of a tag (Cloudflare, `acceptWebSocket`).
pub const TAG_LENGTH_LIMIT: usize = 256;
/// Bytes of an attachment (Cloudflare, `serializeAttachment`).
pub const ATTACHMENT_LIMIT: usize = 16_384;

/// Why the platform does not accept a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// The object has [`SOCKET_LIMIT`] sockets.
    TooManySockets,
    /// More than [`TAG_LIMIT`] tags.
    TooManyTags,
    /// A tag of more than [`TAG_LENGTH_LIMIT`] characters.
    TagTooLong,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManySockets => write!(formatter, "an object holds at most {SOCKET_LIMIT} sockets"),
            Self::TooManyTags => write!(formatter, "a socket has at most {TAG_LIMIT} tags"),
            Self::TagTooLong => write!(formatter, "a tag has at most {TAG_LENGTH_LIMIT} characters"),
        }
    }
}

impl std::error::Error for AcceptError {}

/// What a client sees of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEvent {
    /// A message.
    Message(Bytes),
    /// The object closed the socket.
    Closed {
        /// Close code.
        code: u16,
        /// Reason.
        reason: String,
    },
    /// The connection is gone without a close.
    Reset,
}

/// The client's end of a socket.
#[derive(Clone)]
pub struct ClientSocket(Rc<ClientEnd>);

#[derive(Default)]
struct ClientEnd {
    arrived: RefCell<VecDeque<SocketEvent>>,
    waker: RefCell<Option<Waker>>,
}

impl ClientSocket {
    /// The next event; waits for one.
    pub async fn next(&self) -> SocketEvent {
        poll_fn(|context| match self.0.arrived.borrow_mut().pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                *self.0.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// The next event if it has arrived.
    pub fn try_next(&self) -> Option<SocketEvent> {
        self.0.arrived.borrow_mut().pop_front()
    }

    fn arrive(&self, event: SocketEvent) {
        self.0.arrived.borrow_mut().push_back(event);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }
}

/// The platform's side of one socket.
pub(crate) struct Connection {
    tags: Vec<String>,
    pub(crate) attachment: RefCell<Bytes>,
    client: ClientSocket,
    /// The latest arrival at the client so far: messages do not overtake one another on a socket.
    arrives_ms: Cell<u64>,
    open: Cell<bool>,
}

/// The sockets of one object, by the order in which they were accepted.
#[derive(Default)]
pub(crate) struct Sockets {
    connections: RefCell<BTreeMap<u64, Rc<Connection>>>,
    accepted: Cell<u64>,
}

impl Sockets {
    pub(crate) fn accept(&self, tags: &[&str]) -> Result<(u64, ClientSocket), AcceptError> {
        if self.connections.borrow().len() >= SOCKET_LIMIT {
            return Err(AcceptError::TooManySockets);
        }
        if tags.len() > TAG_LIMIT {
            return Err(AcceptError::TooManyTags);
        }
        if tags.iter().any(|tag| tag.chars().count() > TAG_LENGTH_LIMIT) {
            return Err(AcceptError::TagTooLong);
        }
        let number = self.accepted.get();
        self.accepted.set(number + 1);
        let client = ClientSocket(Rc::default());
        let connection = Connection {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            attachment: RefCell::default(),
            client: client.clone(),
            arrives_ms: Cell::default(),
            open: Cell::new(true),
        };
        self.connections.borrow_mut().insert(number, Rc::new(connection));
        Ok((number, client))
    }

    /// Those with that tag, or all.
    pub(crate) fn tagged(&self, tag: Option<&str>) -> Vec<Rc<Connection>> {
        let connections = self.connections.borrow();
        let wanted = |connection: &&Rc<Connection>| tag.is_none_or(|tag| connection.tags.iter().any(|own| own == tag));
        connections.values().filter(wanted).cloned().collect()
    }

    pub(crate) fn get(&self, number: u64) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&number).cloned()
    }

    /// Cuts all of them: the object was reset.
    pub(crate) fn reset(&self) {
        for connection in self.connections.take().into_values() {
            connection.open.set(false);
            connection.client.arrive(SocketEvent::Reset);
        }
    }

    /// Forgets those that the object closed.
    pub(crate) fn forget_closed(&self) {
        self.connections.borrow_mut().retain(|_, connection| connection.open.get());
    }
}

impl Connection {
    /// Sends an event to the client, after those sent before. Nothing leaves a socket that is closed.
    pub(crate) fn send(self: &Rc<Self>, environment: &Environment, event: SocketEvent) {
        if !self.open.get() {
            return;
        }
        if matches!(event, SocketEvent::Closed { .. }) {
            self.open.set(false);
        }
        let now_ms = environment.now_ms();
        let latency_ms = environment.draw_ms(environment.faults().client_link.latency);
        self.arrives_ms.set(self.arrives_ms.get().max(now_ms + latency_ms));
        if self.arrives_ms.get() == now_ms {
            self.client.arrive(event);
            return;
        }
        // Two messages that arrive in the same millisecond keep their order by a step of their own.
        let wait_ms = self.arrives_ms.get() - now_ms;
        self.arrives_ms.set(self.arrives_ms.get() + 1);
        let client = self.client.clone();
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            client.arrive(event);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Delay, Faults, Link};
    use crate::random::Seeds;

    #[test]
    fn the_platforms_limits_hold() {
        let sockets = Sockets::default();
        let longest = "x".repeat(TAG_LENGTH_LIMIT);
        let too_long = "é".repeat(TAG_LENGTH_LIMIT + 1);
        let cases: &[(&[&str], Result<(), AcceptError>)] = &[
            (&[], Ok(())),
            (&["t"; TAG_LIMIT], Ok(())),
            (&["t"; TAG_LIMIT + 1], Err(AcceptError::TooManyTags)),
            (&[&longest], Ok(())),
            (&[&too_long], Err(AcceptError::TagTooLong)),
        ];
        for (tags, expected) in cases {
            assert_eq!(sockets.accept(tags).map(drop), *expected);
        }
        while sockets.connections.borrow().len() < SOCKET_LIMIT {
            sockets.accept(&[]).unwrap();
        }
        assert_eq!(sockets.accept(&[]).map(drop), Err(AcceptError::TooManySockets));
        sockets.reset();
        assert!(sockets.accept(&[]).is_ok());
    }

    #[test]
    fn messages_arrive_in_order_and_none_after_the_close() {
        let link = Link { latency: Delay::new(0, 30), ..Link::default() };
        let faults = Faults { client_link: link, ..Faults::default() };
        rt::block_on(1, async move {
            let environment = Environment::new(faults, Seeds::of(1), None);
            let sockets = Sockets::default();
            let (number, client) = sockets.accept(&["live"]).unwrap();
            let connection = sockets.get(number).unwrap();
            for byte in 0..20_u8 {
                connection.send(&environment, SocketEvent::Message(Bytes::copy_from_slice(&[byte])));
                rt::sleep_ms(1).await;
            }
            let close = SocketEvent::Closed { code: 1000, reason: "done".into() };
            connection.send(&environment, close.clone());
            connection.send(&environment, SocketEvent::Message(Bytes::from_static(b"late")));
            for byte in 0..20_u8 {
                assert_eq!(client.next().await, SocketEvent::Message(Bytes::copy_from_slice(&[byte])));
            }
            assert_eq!(client.next().await, close);
            rt::sleep_ms(100).await;
            assert_eq!(client.try_next(), None);
            sockets.forget_closed();
            assert_eq!(sockets.tagged(Some("live")).len(), 0);
        });
    }

    #[test]
    fn a_reset_cuts_every_socket() {
        let sockets = Sockets::default();
        let (_, first) = sockets.accept(&["a"]).unwrap();
        let (_, second) = sockets.accept(&["b"]).unwrap();
        sockets.reset();
        assert_eq!((first.try_next(), second.try_next()), (Some(SocketEvent::Reset), Some(SocketEvent::Reset)));
        assert!(sockets.get(0).is_none());
    }
}
