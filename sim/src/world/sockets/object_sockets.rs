//! Hibernatable sockets of an object: the platform keeps them, with their tags and attachments, while the object
//! sleeps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;

use crate::bill::Cause;
use crate::kernel::rt;
use crate::world::activity::Busy;
use crate::world::environment::Environment;
use crate::world::harm::Harm;
use crate::world::marks;
use crate::world::network::callee::Caller;
use crate::world::network::travel::{SLOW_MS, latency_ms};
use crate::world::sockets::mailbox::{Arrived, Mailbox};

/// The most sockets of an object (Cloudflare, Durable Objects limits).
pub(crate) const SOCKET_LIMIT: usize = 32_768;
/// The most characters of a tag (Cloudflare, `acceptWebSocket`).
pub(crate) const TAG_LENGTH_LIMIT: usize = 256;
/// The most bytes of an attachment (Cloudflare, `serializeAttachment`).
pub(crate) const ATTACHMENT_LIMIT: usize = 16_384;

/// Why the platform does not accept a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// The object has [`SOCKET_LIMIT`] sockets.
    TooManySockets,
    /// A tag of more than [`TAG_LENGTH_LIMIT`] characters.
    TagTooLong,
    /// An attachment of more than [`ATTACHMENT_LIMIT`] bytes.
    AttachmentTooLarge,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManySockets => write!(formatter, "an object holds at most {SOCKET_LIMIT} sockets"),
            Self::TagTooLong => write!(formatter, "a tag has at most {TAG_LENGTH_LIMIT} characters"),
            Self::AttachmentTooLarge => write!(formatter, "an attachment has at most {ATTACHMENT_LIMIT} bytes"),
        }
    }
}

impl std::error::Error for AcceptError {}

/// The platform's side of one socket.
pub(crate) struct HeldSocket {
    number: u64,
    tags: [String; 2],
    attachment: Bytes,
    /// Who waits on it, and in what kind of request.
    waiter: Caller,
    cause: Cause,
    mailbox: Rc<Mailbox>,
    /// When the last message so far arrives at the edge, in ms since the Unix epoch: messages of a socket do not
    /// overtake one another.
    arrives_ms: Cell<u64>,
    open: Cell<bool>,
    /// Keeps the object in memory, under the mutant whose sockets do not let it sleep.
    pub(crate) busy: RefCell<Option<Busy>>,
}

/// The sockets of one object, by the order in which they were accepted.
#[derive(Default)]
pub(crate) struct Sockets {
    /// The index of the object's datacenter.
    colo: usize,
    connections: RefCell<BTreeMap<u64, Rc<HeldSocket>>>,
    accepted: Cell<u64>,
}

impl Sockets {
    /// Those of an object in the datacenter of that index, none yet.
    pub(crate) fn of(colo: usize) -> Self {
        Self { colo, ..Self::default() }
    }

    /// The sockets of a superseded instance, none yet. Their numbers are far above those of the object's sockets.
    pub(crate) fn apart(&self) -> Self {
        const APART: u64 = 1 << 32;
        Self { colo: self.colo, connections: RefCell::default(), accepted: Cell::new(self.accepted.get() + APART) }
    }

    pub(crate) fn accept(
        &self,
        tags: [String; 2],
        attachment: Bytes,
        (waiter, cause): (Caller, Cause),
    ) -> Result<Rc<HeldSocket>, AcceptError> {
        if self.connections.borrow().len() >= SOCKET_LIMIT {
            return Err(AcceptError::TooManySockets);
        }
        if tags.iter().any(|tag| tag.chars().count() > TAG_LENGTH_LIMIT) {
            return Err(AcceptError::TagTooLong);
        }
        if attachment.len() > ATTACHMENT_LIMIT {
            return Err(AcceptError::AttachmentTooLarge);
        }
        let number = self.accepted.get();
        self.accepted.set(number + 1);
        let connection = Rc::new(HeldSocket {
            number,
            tags,
            attachment,
            waiter,
            cause,
            mailbox: Rc::default(),
            arrives_ms: Cell::default(),
            open: Cell::new(true),
            busy: RefCell::default(),
        });
        self.connections.borrow_mut().insert(number, connection.clone());
        Ok(connection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Those with that tag.
    pub(crate) fn tagged(&self, tag: &str) -> Vec<Rc<HeldSocket>> {
        let connections = self.connections.borrow();
        let wanted = |connection: &&Rc<HeldSocket>| connection.tags.iter().any(|has| has == tag);
        connections.values().filter(wanted).cloned().collect()
    }

    /// The peer of a socket has gone. Returns what that is billed for, if the socket was open until now.
    pub(crate) fn end(&self, number: u64) -> Option<Cause> {
        let ended = self.connections.borrow_mut().remove(&number)?;
        ended.close().then_some(ended.cause)
    }

    /// Cuts all of them: the object was reset.
    pub(crate) fn reset(&self, environment: &Environment) {
        for connection in self.connections.take().into_values() {
            connection.break_off(environment);
        }
    }

    /// Forgets all of them, and tells nobody.
    pub(crate) fn forget(&self) {
        self.connections.take();
    }

    /// Sends a message to the edge, after those sent before; `None` closes the socket. Nothing is sent on a closed
    /// socket.
    pub(crate) fn send(&self, environment: &Environment, connection: &HeldSocket, message: Option<Bytes>) {
        if !connection.open.get() {
            return;
        }
        if environment.are_apart(self.colo, connection.waiter.colo) {
            environment.mark(marks::SOCKET_BROKEN_BETWEEN_COLOS);
            self.connections.borrow_mut().remove(&connection.number);
            return connection.break_off(environment);
        }
        let arrived = match message {
            Some(message) => Arrived::Message(message),
            None => {
                connection.close();
                self.connections.borrow_mut().remove(&connection.number);
                Arrived::End
            }
        };
        let now_ms = environment.now_ms();
        let latency_ms = latency_ms(environment, environment.faults().network.object_link)
            + environment.distance_ms(self.colo, connection.waiter.colo);
        if latency_ms >= SLOW_MS {
            environment.harm(Harm::CallSlow, connection.waiter.cause);
        }
        connection.arrives_ms.set(connection.arrives_ms.get().max(now_ms + latency_ms));
        if connection.arrives_ms.get() == now_ms {
            connection.mailbox.arrive(arrived);
            return;
        }
        // Two messages that arrive in the same millisecond keep their order by a step of their own.
        let wait_ms = connection.arrives_ms.get() - now_ms;
        connection.arrives_ms.set(connection.arrives_ms.get() + 1);
        let mailbox = connection.mailbox.clone();
        environment.node.spawn(async move {
            rt::sleep_ms(wait_ms).await;
            mailbox.arrive(arrived);
        });
    }
}

impl HeldSocket {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn attachment(&self) -> Bytes {
        self.attachment.clone()
    }

    /// Where messages on it arrive.
    pub(crate) fn mailbox(&self) -> Rc<Mailbox> {
        self.mailbox.clone()
    }

    /// Breaks it: its waiter is told, or never hears of it again.
    fn break_off(&self, environment: &Environment) {
        self.close();
        if self.mailbox.is_abandoned() {
            return;
        }
        if environment.chance(environment.faults().sockets.half_dead_permille) {
            environment.mark(marks::SOCKET_HALF_DEAD);
            environment.harm(Harm::SocketSilent, self.waiter.cause);
            self.mailbox.fall_silent();
        } else {
            environment.mark(marks::SOCKET_CUT);
            environment.harm(Harm::SocketCut, self.waiter.cause);
            self.mailbox.arrive(Arrived::End);
        }
    }

    /// Closes it. Returns whether it was open until now.
    fn close(&self) -> bool {
        self.busy.take();
        self.open.replace(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::{Delay, Seeds};
    use crate::world::faults::Faults;
    use crate::world::network::Link;

    fn tags(one: &str, other: &str) -> [String; 2] {
        [one, other].map(str::to_owned)
    }

    fn nobody() -> (Caller, Cause) {
        (Caller::default(), Cause::Connection)
    }

    #[test]
    fn the_platforms_limits_hold() {
        let sockets = Sockets::default();
        let longest = "x".repeat(TAG_LENGTH_LIMIT);
        let too_long = "é".repeat(TAG_LENGTH_LIMIT + 1);
        let cases: &[(&str, usize, Result<(), AcceptError>)] = &[
            ("", 0, Ok(())),
            (&longest, ATTACHMENT_LIMIT, Ok(())),
            (&too_long, 0, Err(AcceptError::TagTooLong)),
            ("t", ATTACHMENT_LIMIT + 1, Err(AcceptError::AttachmentTooLarge)),
        ];
        for (tag, attached, expected) in cases {
            let attachment = Bytes::from(vec![0; *attached]);
            assert_eq!(sockets.accept(tags(tag, ""), attachment.clone(), nobody()).map(drop), *expected);
            assert_eq!(sockets.accept(tags("", tag), attachment, nobody()).map(drop), *expected);
        }
        while sockets.count() < SOCKET_LIMIT {
            sockets.accept(tags("", ""), Bytes::new(), nobody()).unwrap();
        }
        assert_eq!(sockets.accept(tags("", ""), Bytes::new(), nobody()).map(drop), Err(AcceptError::TooManySockets));
        sockets.end(7);
        assert!(sockets.accept(tags("", ""), Bytes::new(), nobody()).is_ok());
    }

    #[test]
    fn messages_arrive_in_order_and_none_after_the_close() {
        let link = Link { latency: Delay::new(0, 30), ..Link::default() };
        let faults = Faults::default().with(|faults| faults.network.object_link = link);
        rt::block_on(1, async move {
            let environment = Environment::new(faults, Seeds::of(1), None);
            let sockets = Sockets::default();
            let connection = sockets.accept(tags("live", "1"), Bytes::new(), nobody()).unwrap();
            let mailbox = connection.mailbox();
            for byte in 0..20_u8 {
                sockets.send(&environment, &connection, Some(Bytes::copy_from_slice(&[byte])));
                rt::sleep_ms(1).await;
            }
            sockets.send(&environment, &connection, None);
            sockets.send(&environment, &connection, Some(Bytes::from_static(b"late")));
            for byte in 0..20_u8 {
                assert_eq!(mailbox.next().await, Arrived::Message(Bytes::copy_from_slice(&[byte])));
            }
            assert_eq!(mailbox.next().await, Arrived::End);
            rt::sleep_ms(100).await;
            assert_eq!(mailbox.next().await, Arrived::End, "and nothing but the end from then on");
            assert!(sockets.tagged("live").is_empty());
        });
    }

    #[test]
    fn sockets_are_found_by_either_of_their_tags_in_the_order_of_acceptance() {
        let sockets = Sockets::default();
        for (tag, other) in [("a", "1"), ("b", "1"), ("a", "2")] {
            sockets.accept(tags(tag, other), Bytes::from_static(tag.as_bytes()), nobody()).unwrap();
        }
        let numbers = |tag| sockets.tagged(tag).iter().map(|connection| connection.number()).collect::<Vec<_>>();
        assert_eq!(["a", "b", "c", "1", "2"].map(numbers), [vec![0, 2], vec![1], vec![], vec![0, 1], vec![2]]);
        assert_eq!(sockets.tagged("b")[0].attachment(), "b");
        assert_eq!([sockets.end(0), sockets.end(0)], [Some(Cause::Connection), None]);
        assert_eq!(numbers("a"), [2]);
    }

    #[test]
    fn a_reset_cuts_every_socket_of_the_object_and_none_of_another_instance() {
        let environment = Environment::new(Faults::default(), Seeds::of(1), None);
        let sockets = Sockets::default();
        let apart = sockets.apart();
        let (own, other) =
            [&sockets, &apart].map(|sockets| sockets.accept(tags("a", "1"), Bytes::new(), nobody()).unwrap()).into();
        assert_ne!(own.number(), other.number());
        sockets.reset(&environment);
        assert_eq!((own.mailbox().try_next(), other.mailbox().try_next()), (Some(Arrived::End), None));
        assert!(sockets.is_empty() && !apart.is_empty());
    }
}
