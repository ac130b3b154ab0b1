//! What has arrived at the edge's end of a socket.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::Bytes;

use crate::world::memory::Load;

/// What has arrived on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// A message.
    Message(Bytes),
    /// The end of the socket: the object closed it, or was reset.
    End,
    /// More has arrived than may wait, and was dropped.
    Overflow,
}

/// What has arrived on a socket and was not taken yet.
#[derive(Default)]
pub(crate) struct Mailbox {
    arrived: RefCell<VecDeque<Bytes>>,
    waker: RefCell<Option<Waker>>,
    ended: Cell<bool>,
    /// Whether nothing arrives any more, without an end.
    silent: Cell<bool>,
    /// Whether the edge's end has been dropped.
    abandoned: Cell<bool>,
    /// What has arrived and was not taken, in bytes.
    bytes: Cell<usize>,
    /// How many bytes that may be, and where they count, once the edge has its end.
    room: RefCell<Option<(usize, Load)>>,
    /// Whether there were more: then nothing arrives any more.
    overflowed: Cell<bool>,
}

impl Mailbox {
    pub(crate) fn arrive(&self, arrived: Arrived) {
        if self.ended.get() || self.silent.get() || self.abandoned.get() || self.overflowed.get() {
            return;
        }
        match arrived {
            Arrived::Message(message) if !self.has_room(message.len()) => self.overflowed.set(true),
            Arrived::Message(message) => {
                self.count(self.bytes.get() + message.len());
                self.arrived.borrow_mut().push_back(message);
            }
            Arrived::End | Arrived::Overflow => self.ended.set(true),
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The edge's end is there: at most so many bytes may wait for it, or one message.
    pub(crate) fn open(&self, most_bytes: usize, load: Load) {
        load.set(self.bytes.get());
        self.room.replace(Some((most_bytes, load)));
    }

    fn has_room(&self, bytes: usize) -> bool {
        let most_bytes = self.room.borrow().as_ref().map_or(usize::MAX, |(most_bytes, _)| *most_bytes);
        self.bytes.get() == 0 || self.bytes.get() + bytes <= most_bytes
    }

    fn count(&self, bytes: usize) {
        self.bytes.set(bytes);
        if let Some((_, load)) = &*self.room.borrow() {
            load.set(bytes);
        }
    }

    pub(crate) fn fall_silent(&self) {
        self.silent.set(true);
    }

    /// The edge's end is dropped.
    pub(crate) fn abandon(&self) {
        self.abandoned.set(true);
        self.arrived.take();
        self.room.take();
    }

    /// Whether the end has arrived.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }

    /// Waits for what arrives next.
    pub(crate) async fn next(&self) -> Arrived {
        poll_fn(|context| match self.try_next() {
            Some(arrived) => Poll::Ready(arrived),
            None => {
                *self.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// What arrives next, if it has arrived already.
    pub(crate) fn try_next(&self) -> Option<Arrived> {
        let message = self.arrived.borrow_mut().pop_front();
        if let Some(message) = &message {
            self.count(self.bytes.get() - message.len());
        }
        let end = || match (self.overflowed.get(), self.ended.get()) {
            (true, _) => Some(Arrived::Overflow),
            (false, ended) => ended.then_some(Arrived::End),
        };
        message.map(Arrived::Message).or_else(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::{Meter, What};

    #[test]
    fn what_arrives_while_nobody_asks_is_kept_and_nothing_follows_the_end() {
        let mailbox = Mailbox::default();
        let message = |text: &'static str| Arrived::Message(Bytes::from_static(text.as_bytes()));
        for arrived in [message("a"), message("b"), Arrived::End, message("late")] {
            mailbox.arrive(arrived);
        }
        let taken: Vec<_> = (0..4).map(|_| mailbox.try_next()).collect();
        assert_eq!(taken, [Some(message("a")), Some(message("b")), Some(Arrived::End), Some(Arrived::End)]);
    }

    #[test]
    fn what_had_no_room_ends_the_socket_once_the_rest_is_taken() {
        let (mailbox, meter) = (Mailbox::default(), Meter::default());
        let message = |bytes: usize| Arrived::Message(Bytes::from(vec![0; bytes]));
        mailbox.open(10, meter.load(What::Socket, 0));
        // One message may be larger than what may wait.
        mailbox.arrive(message(12));
        assert_eq!(mailbox.try_next(), Some(message(12)));
        for bytes in [4, 6, 1, 2] {
            mailbox.arrive(message(bytes));
        }
        let taken: Vec<_> = (0..4).map(|_| mailbox.try_next()).collect();
        assert_eq!(taken, [Some(message(4)), Some(message(6)), Some(Arrived::Overflow), Some(Arrived::Overflow)]);
        assert_eq!(meter.most().socket, 12);
    }

    #[test]
    fn a_silent_socket_keeps_what_has_arrived_and_takes_nothing_more() {
        let mailbox = Mailbox::default();
        mailbox.arrive(Arrived::Message(Bytes::from_static(b"a")));
        mailbox.fall_silent();
        mailbox.arrive(Arrived::End);
        assert!(mailbox.try_next().is_some());
        assert_eq!(mailbox.try_next(), None);
    }
}
